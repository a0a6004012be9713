"""Compares one program once, in a process and a network namespace of its own."""

import shutil
import tempfile
from pathlib import Path

import namespace
import stand_ins
from difference import compare
from mask import Masks
from parties import die_with_parent
from run import Clients, Run
from side import Side

SAME, DIFFERENT, LEFT_OUT = "same", "different", "left out"


def lua_layer(tree):
    """What tells one Lua layer from another: the tree's own skynet.lua. Without a tree it
    is the executable's."""
    return tree and (tree / "lualib/skynet.lua").read_bytes()


def check(program, options, number):
    """Compares one program once. Returns its name, the result, and lines to read."""
    die_with_parent()
    missing = program.missing()
    if missing:
        return program.name, LEFT_OUT, [f"{missing} is not installed"]
    inside = namespace.possible()
    if program.stand_ins and not inside:
        return program.name, LEFT_OUT, ["needs a network namespace, and so root"]
    if inside:
        namespace.enter(stand_ins.addresses())
    root = options.keep / program.name if options.keep else Path(tempfile.mkdtemp(prefix="compare-"))
    differ = lua_layer(options.left_tree) != lua_layer(options.right_tree)
    masks = Masks(program.masks, program.drop, differ)
    sequences = []
    try:
        for name in ("left", "right"):
            side = Side(name, getattr(options, name), getattr(options, f"{name}_tree"),
                        options.programs, getattr(options, f"{name}_config"))
            run = Run(program, side, root / f"{name}-{number}", masks, _clients(side, options),
                      options.seconds)
            run.go()
            sequences.append(run.sequences())
    finally:
        if not options.keep:
            shutil.rmtree(root)
    lines = compare(*sequences, program.rules, program.streams)
    failed = sequences[0].get("run")
    if failed:
        lines = [f"the left side failed: {line}" for line in failed] + lines
    return program.name, DIFFERENT if lines else SAME, lines


def _clients(side, options):
    """An executable that carries its Lua layer runs clients, too."""
    if not side.tree and not options.lua:
        return Clients([str(side.executable), "lua"], side)
    tree = options.client_tree or options.left_tree or options.right_tree
    lua = options.lua or (tree / "3rd/lua/lua" if tree else Path(shutil.which("lua") or "lua"))
    return Clients([str(lua.resolve())], Side("client", lua, tree, options.programs))
