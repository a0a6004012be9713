"""Runs Lua programs on two skynets and says whether their logs are the same.

    python3 tests/compare_programs --programs DIR --left EXE --left-tree DIR \\
        --right EXE --right-tree DIR [NAME ...]

Logs are the same when, with addresses, times and pointers masked, each service's
sequence of lines is equal; likewise what the processes write themselves, what
clients receive, and the exit codes. README.md has more.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import catalogue
import namespace
from check import DIFFERENT, LEFT_OUT, SAME, check
from side import HERE


def arguments():
    parser = argparse.ArgumentParser(
        prog="compare_programs", description=__doc__.split("\n", 1)[0],
        epilog="Exit code: 0 all the same, 1 some differ, 2 cannot run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs; all by default")
    parser.add_argument("--programs", required=True, type=Path,
                        help="directory with examples/ and test/")
    for side in ("left", "right"):
        parser.add_argument(f"--{side}", required=True, type=Path, metavar="EXE",
                            help=f"executable of the {side} side")
        parser.add_argument(f"--{side}-tree", type=Path, metavar="DIR",
                            help="its lualib, service, luaclib and cservice; without it the "
                                 "executable has to carry them")
        parser.add_argument(f"--{side}-config", action="append", default=[], metavar="LINE",
                            help="a further line of its nodes' configs; may be repeated")
    parser.add_argument("--lua", type=Path, help="Lua interpreter for clients; by default an executable without a tree "
                             "runs them itself, as EXE lua PROGRAM")
    parser.add_argument("--client-tree", type=Path, metavar="DIR",
                        help="lualib and luaclib for clients; the left tree by default")
    parser.add_argument("--catalogue", type=Path, default=HERE / "programs.toml", metavar="FILE")
    parser.add_argument("--times", type=int, default=1, help="how often each program is compared")
    parser.add_argument("--jobs", type=int, default=1,
                        help="programs at a time; more than one needs network namespaces")
    parser.add_argument("--seconds", type=float, default=30, help="deadline of a step")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep all logs in this directory")
    parser.add_argument("--lines", type=int, default=40, help="lines of a difference to show")
    parser.add_argument("--list", action="store_true", help="list the programs and end")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        programs = catalogue.chosen(catalogue.load(options.catalogue), options.names)
        if options.jobs > 1 and not namespace.possible():
            raise catalogue.BadCatalogue("more than one job needs root and the ip command")
        for path in (options.left, options.right):
            if not path.is_file():
                raise catalogue.BadCatalogue(f"{path}: no such file")
        if options.keep:
            options.keep.mkdir(parents=True)
    except (catalogue.BadCatalogue, OSError) as error:
        print(f"compare_programs: {error}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(program.name for program in programs))
        return 0
    counts = {SAME: 0, DIFFERENT: 0, LEFT_OUT: 0}
    # A process for each, because a namespace is left only by ending the process.
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"),
                             max_tasks_per_child=1) as pool:
        tasks = [pool.submit(check, program, options, number)
                 for program in programs for number in range(1, options.times + 1)]
        for task in tasks:
            name, result, lines = task.result()
            counts[result] += 1
            reason = f": {lines[0]}" if result == LEFT_OUT else ""
            print(f"{result:9} {name}{reason}", flush=True)
            if result == DIFFERENT:
                for line in lines[:options.lines]:
                    print("    " + line.replace("\n", "\n      "))
                if len(lines) > options.lines:
                    print(f"    ... {len(lines) - options.lines} more lines")
    print(", ".join(f"{count} {result}" for result, count in counts.items()))
    return 1 if counts[DIFFERENT] else 0


if __name__ == "__main__":
    sys.exit(main())
