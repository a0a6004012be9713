"""Checks of the harness: its parts, and a network of one executable with itself and with
one that is made to do something else.

    SKYNET=target/release/skynet python3 -m unittest discover -s tests/mixed_network

Without SKYNET, an executable that carries its Lua files, the networks are left out.
"""

import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from network import HERE, Kind, Pairing, Ports

import catalogue

SKYNET = os.environ.get("SKYNET")

PROGRAM = """
local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
    local port = skynet.getenv "port"
    if skynet.getenv "role" == "listener" then
        local id = socket.listen("127.0.0.1", tonumber(port))
        socket.start(id, function(client)
            socket.start(client)
            skynet.error("heard", socket.readline(client))
        end)
        skynet.error "ready"
    else
        local id = socket.open("127.0.0.1", tonumber(port))
        socket.write(id, (os.getenv "SAID" or "hello") .. "\\n")
        skynet.error("to", port)
    end
end)
"""

CATALOGUE = """
[[program]]
name = "talk"
config = { role = "speaker", port = "{here}" }
nodes.two = { config = { role = "listener", port = "{here}" } }
steps = [
    { node = "two" },
    { await = 'ready', from = "two" },
    { node = "main" },
    { await = 'heard', from = "two" },
]
"""


class PortsTest(unittest.TestCase):
    def test_one_port_for_a_name(self):
        ports = Ports()
        self.addCleanup(ports.release)
        one, other = ports.fill("127.0.0.1:{a} {b}").removeprefix("127.0.0.1:").split()
        self.assertNotEqual(one, other)
        self.assertEqual(ports.fill("{a}"), one)
        self.assertEqual(ports.fill(7), 7)
        self.assertEqual(ports.fill("./?.lua"), "./?.lua")

    def test_free_after_release(self):
        ports = Ports()
        number = int(ports.fill("{a}"))
        with self.assertRaises(OSError):
            socket.create_server(("127.0.0.1", number))
        ports.release()
        socket.create_server(("127.0.0.1", number)).close()


class KindTest(unittest.TestCase):
    def test_who_runs_a_node(self):
        pairing = Pairing("a", "b")
        self.assertEqual([pairing.kind(name) for name in ("main", "two", "two_again", "three")],
                         ["a", "b", "b", "a"])

    def test_paths(self):
        with_tree = Kind("kind", "skynet", "/tree", HERE / "lua").config("p", {}, False, False)
        self.assertIn('lua_path = "./lualib/?.lua;./lualib/?/init.lua;./network/?.lua"\n', with_tree)
        alone = Kind("kind", "skynet", None, HERE / "lua").config("p", {"harbor": 3}, False, False)
        self.assertIn('lua_path = "./network/?.lua"\n', alone)
        self.assertIn("harbor = 3\n", alone)

    def test_programs_are_there(self):
        for program in catalogue.load(HERE / "programs.toml"):
            for node in program.nodes.values():
                self.assertTrue((HERE / f"lua/{node.start}.lua").is_file(), node.start)


@unittest.skipUnless(SKYNET, "SKYNET names no executable")
class NetworkTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        (self.directory / "talk.lua").write_text(PROGRAM)
        (self.directory / "programs.toml").write_text(CATALOGUE)

    def compare(self, script, *more):
        """Runs the program with an executable that does something before it is ours."""
        ours = self.directory / "ours"
        ours.write_text(f"#!/bin/sh\n{script}\n")
        ours.chmod(0o755)
        command = [sys.executable, HERE, "--reference", SKYNET, "--ours", ours,
                   "--programs", self.directory, "--catalogue", self.directory / "programs.toml", *more]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout

    def test_same(self):
        code, output = self.compare(f'exec {SKYNET} "$@"', "--table")
        self.assertEqual(code, 0, output)
        self.assertNotIn("different", output)
        self.assertIn("| talk | same | same | same | same |\n", output)

    def test_one_kind_says_something_else(self):
        code, output = self.compare(f'SAID=bye exec {SKYNET} "$@"', "--table")
        self.assertEqual(code, 1, output)
        self.assertIn("-heard hello\n      +heard bye\n", output)
        self.assertIn("| talk | same | same | different | different |\n", output)

    def test_one_kind_does_not_start(self):
        code, output = self.compare("exit 1", "--pairing", "reference-ours")
        self.assertEqual(code, 1, output)
        self.assertIn("then two ended", output)


if __name__ == "__main__":
    unittest.main()
