"""Runs one program in every pairing of two kinds of nodes, in a process and a network
namespace of its own."""

import resource
import shutil
import tempfile
from pathlib import Path

from network import Kind, NetworkRun, Pairing

import namespace
from difference import compare
from parties import die_with_parent

SAME, DIFFERENT = "same", "different"
PAIRINGS = ("reference-reference", "reference-ours", "ours-reference", "ours-ours")
# The reference's harbor has a message on the stack when it sends it.
_STACK = 64 << 20


def check(program, options):
    """Runs a program in all networks. Returns its name, and for each pairing the lines that
    say where it differs from the reference's network."""
    die_with_parent()
    if namespace.possible():
        namespace.enter()
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    kinds = {name: Kind(name, getattr(options, name), getattr(options, f"{name}_tree"), options.programs)
             for name in ("reference", "ours")}
    root = options.keep / program.name if options.keep else Path(tempfile.mkdtemp(prefix="network-"))

    def sequences(pairing, number):
        run = NetworkRun(program, pairing, root / f"{pairing.name}-{number}", options.seconds)
        run.go()
        return run.sequences()

    results = {}
    try:
        expected = sequences(Pairing(kinds["reference"], kinds["reference"]), 0)
        failed = [f"the reference's network failed: {line}" for line in expected.get("run", [])]
        for name in options.pairings or PAIRINGS:
            first, second = name.split("-")
            pairing = Pairing(kinds[first], kinds[second])
            results[name] = list(failed)
            for number in range(1, options.times + 1):
                got = sequences(pairing, number)
                results[name] += compare(expected, got, program.rules, program.streams)
    finally:
        if not options.keep:
            shutil.rmtree(root)
    return program.name, results
