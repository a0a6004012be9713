"""Runs programs in networks of two kinds of skynet nodes, and says whether they log the same.

    python3 tests/mixed_network --reference EXE --reference-tree DIR --ours EXE [NAME ...]

Each program runs in a network of reference nodes, in the two mixed ones, and in one of our
nodes; each is compared with another network of reference nodes. README.md has more.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from network import HERE
from pairings import DIFFERENT, PAIRINGS, SAME, check

import catalogue

def arguments():
    parser = argparse.ArgumentParser(
        prog="mixed_network", description=__doc__.split("\n", 1)[0],
        epilog="Exit code: 0 all the same, 1 some differ, 2 cannot run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs; all by default")
    for kind in ("reference", "ours"):
        parser.add_argument(f"--{kind}", required=True, type=Path, metavar="EXE",
                            help=f"executable of the kind {kind}")
        parser.add_argument(f"--{kind}-tree", type=Path, metavar="DIR",
                            help="its lualib, service, luaclib and cservice; without it the "
                                 "executable has to carry them")
    parser.add_argument("--pairing", action="append", choices=PAIRINGS, dest="pairings",
                        help="a pairing to run; may come more than once; all by default")
    parser.add_argument("--programs", type=Path, default=HERE / "lua", metavar="DIR",
                        help="directory with the programs' Lua files")
    parser.add_argument("--catalogue", type=Path, default=HERE / "programs.toml", metavar="FILE")
    parser.add_argument("--times", type=int, default=1, help="how often each network is compared")
    parser.add_argument("--jobs", type=int, default=1, help="programs at a time")
    parser.add_argument("--seconds", type=float, default=60, help="deadline of a step")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep all logs in this directory")
    parser.add_argument("--lines", type=int, default=40, help="lines of a difference to show")
    parser.add_argument("--table", action="store_true", help="end with a table in Markdown")
    parser.add_argument("--list", action="store_true", help="list the programs and end")
    return parser.parse_args()


def table(results, pairings):
    """What came out, as a table in Markdown."""
    rows = [["program", *pairings], ["---"] * (len(pairings) + 1)]
    rows += [[name, *(DIFFERENT if lines[pairing] else SAME for pairing in pairings)]
             for name, lines in results.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main():
    options = arguments()
    try:
        programs = catalogue.load(options.catalogue)
        programs = catalogue.chosen(programs, options.names)
        for path in (options.reference, options.ours):
            if not path.is_file():
                raise catalogue.BadCatalogue(f"{path}: no such file")
        if options.keep:
            options.keep.mkdir(parents=True)
    except (catalogue.BadCatalogue, OSError) as error:
        print(f"mixed_network: {error}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(program.name for program in programs))
        return 0
    pairings = options.pairings or PAIRINGS
    results = {}
    # A process for each, because a namespace is left only by ending the process.
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"),
                             max_tasks_per_child=1) as pool:
        for task in [pool.submit(check, program, options) for program in programs]:
            name, lines = task.result()
            results[name] = lines
            for pairing in pairings:
                show(pairing, name, lines[pairing], options.lines)
    if options.table:
        print(table(results, pairings))
    return 1 if any(lines[pairing] for lines in results.values() for pairing in pairings) else 0


def show(pairing, name, lines, limit):
    print(f"{DIFFERENT if lines else SAME:9} {pairing:19} {name}", flush=True)
    for line in lines[:limit]:
        print("    " + line.replace("\n", "\n      "))
    if len(lines) > limit:
        print(f"    ... {len(lines) - limit} more lines")


if __name__ == "__main__":
    sys.exit(main())
