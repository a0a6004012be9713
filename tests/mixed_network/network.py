"""A network of nodes of two kinds, in which one program runs."""

import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Nodes, logs and their comparison are those of the other harness.
sys.path.append(str(HERE.parent / "compare_programs"))

from mask import Masks  # noqa: E402
from run import Run  # noqa: E402
from side import Side  # noqa: E402

_PORT = re.compile(r"\{(\w+)\}")


class Kind(Side):
    """An executable and its tree; its nodes find the Lua files of `programs`."""

    def lay_out(self, directory):
        super().lay_out(directory)
        (directory / "network").symlink_to(self.programs)

    def config(self, start, keys, direct, raw_print):
        trees = "./lualib/?.lua;./lualib/?/init.lua;" if self.tree else ""
        own = {
            "luaservice": "./service/?.lua;./compare/?.lua;./network/?.lua",
            "lua_path": trees + "./network/?.lua",
            "snax": "./network/?.lua",
        }
        return super().config(start, own | keys, direct, raw_print)


@dataclass
class Pairing:
    """The kinds of a network's nodes."""

    first: Kind
    second: Kind

    @property
    def name(self):
        return f"{self.first.name}-{self.second.name}"

    def kind(self, node):
        return self.second if node.startswith("two") else self.first


class Ports:
    """Free ports by names, and what becomes of them in a log."""

    def __init__(self):
        self.numbers = {}
        # They are kept until all are known, so that none comes twice.
        self.held = []

    def fill(self, value):
        """Puts numbers for the names in braces."""
        return _PORT.sub(lambda match: str(self._number(match[1])), value) if isinstance(value, str) else value

    def _number(self, name):
        if name not in self.numbers:
            holder = socket.create_server(("127.0.0.1", 0))
            self.held.append(holder)
            self.numbers[name] = holder.getsockname()[1]
        return self.numbers[name]

    def release(self):
        for holder in self.held:
            holder.close()
        self.held.clear()

    def masks(self):
        return [(rf"\b{number}\b", f"PORT-{name}") for name, number in self.numbers.items()]


class NetworkRun(Run):
    """One run of a program in one pairing."""

    def __init__(self, program, pairing, directory, seconds):
        self.pairing = pairing
        self.ports = Ports()
        self.configs = {name: {key: self.ports.fill(value) for key, value in spec.config.items()}
                        for name, spec in program.nodes.items()}
        self.ports.release()
        masks = Masks(self.ports.masks() + program.masks, program.drop, lua_layers_differ=True)
        super().__init__(program, pairing.first, directory, masks, None, seconds)

    def side_of(self, name):
        return self.pairing.kind(name)

    def keys(self, name):
        return self.configs[name]
