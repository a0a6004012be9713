"""The programs to compare, read from a TOML file; programs.toml explains it."""

import re
import shutil
import tomllib
from dataclasses import dataclass, field

from difference import Rule

# A step has one of these keys, which says what it does, and some of the others.
STEPS = {
    "await": {"from", "count", "seconds"},
    "listen": {"seconds"},
    "node": set(),
    "lua": {"as"},
    "run": {"as"},
    "connect": {"as"},
    "websocket": {"as", "path"},
    "send": {"to"},
    "signal": {"to"},
    "finish": set(),
    "close": set(),
    "end": {"seconds"},
}
_PROGRAM_KEYS = {"name", "start", "config", "direct", "raw_print", "nodes", "steps", "mask", "drop", "streams",
                 "services", "needs", "ports", "stand_ins"}


class BadCatalogue(Exception):
    """The file says something that this program does not understand."""


@dataclass
class NodeSpec:
    start: str
    config: dict = field(default_factory=dict)
    direct: bool = False
    raw_print: bool = False


@dataclass
class Program:
    """`nodes` has the specification of each node; "main" is started first. `needs`
    are commands without which the program is left out. `ports` are waited for to be
    free."""

    name: str
    nodes: dict
    steps: list
    masks: list
    drop: list
    rules: list
    streams: list
    needs: list
    ports: list
    stand_ins: bool

    def missing(self):
        """A command that is needed and not there."""
        return next((name for name in self.needs if not shutil.which(name)), None)


def load(path):
    """All programs of a file, in its order. Raises BadCatalogue."""
    with open(path, "rb") as file:
        try:
            data = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise BadCatalogue(f"{path}: {error}") from None
    programs = [_program(table) for table in data.get("program", [])]
    names = [program.name for program in programs]
    for name in names:
        if names.count(name) > 1:
            raise BadCatalogue(f"{name} is there twice")
    return programs


def chosen(programs, names):
    """The programs of these names, or all when there is none. Raises BadCatalogue."""
    known = {program.name for program in programs}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadCatalogue(f"not in the catalogue: {', '.join(unknown)}")
    return [program for program in programs if not names or program.name in names]


def _program(table):
    name = table.get("name")
    if not name:
        raise BadCatalogue(f"a program without a name: {table}")
    try:
        _known(table, _PROGRAM_KEYS)
        nodes = {"main": _node(table, table.get("start", name))}
        for node, spec in table.get("nodes", {}).items():
            _known(spec, {"start", "config", "direct", "raw_print"})
            nodes[node] = _node(spec, spec.get("start", name))
        steps = table.get("steps", [])
        for step in steps:
            _step(step, nodes)
        rules = [_rule(pattern, value) for pattern, value in table.get("services", {}).items()]
        masks = [(re.compile(pattern).pattern, text) for pattern, text in table.get("mask", [])]
        streams = [re.compile(pattern).pattern for pattern in table.get("streams", [])]
        drop = [re.compile(pattern).pattern for pattern in table.get("drop", [])]
    except (ValueError, re.error) as error:
        raise BadCatalogue(f"{name}: {error}") from None
    return Program(name, nodes, steps, masks, drop, rules, streams, table.get("needs", []),
                   table.get("ports", []), table.get("stand_ins", False))


def _node(table, start):
    return NodeSpec(start, table.get("config", {}), table.get("direct", False),
                    table.get("raw_print", False))


def _known(table, keys):
    unknown = set(table) - keys
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")


def _step(step, nodes):
    kinds = [key for key in STEPS if key in step]
    if len(kinds) != 1:
        raise ValueError(f"a step has one of {', '.join(STEPS)}: {step}")
    _known(step, {kinds[0]} | STEPS[kinds[0]])
    if step.get("node", "main") not in nodes:
        raise ValueError(f"no such node: {step['node']}")
    re.compile(step.get("await", ""))


def _rule(pattern, value):
    if isinstance(value, str):
        value = {"as": value}
    _known(value, {"as", "lines", "services"})
    return Rule(pattern, value.get("as", "order"), value.get("lines"), value.get("services"))
