"""Compares an executable with itself, and with itself made to do something else.

It needs one that carries its Lua files: SKYNET=target/release/skynet python3 -m
unittest discover -s tests/compare_programs. Without it these checks are left out.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKYNET = os.environ.get("SKYNET")

PROGRAM = """
local skynet = require "skynet"
local mode = ...
skynet.start(function()
    if mode == "child" then
        print("mode", mode)
        skynet.exit()
        return
    end
    local child = skynet.newservice(SERVICE_NAME, "child")
    print("launched", skynet.address(child), {})
    if not os.getenv "SILENT" then
        skynet.error(os.getenv "SAID" or "hello")
    end
    if os.getenv "CHATTY" then
        skynet.fork(skynet.error, "more")
    end
    print "done"
end)
"""

CLIENT = """
print(type(require "client.socket".connect), ...)
"""

CATALOGUE = """
[[program]]
name = "talk"
steps = [
    { await = 'snlua talk#1: done' },
    { await = 'snlua talk child#1: KILL self' },
    { lua = "examples/client.lua a b" },
    { end = "client" },
]
"""


@unittest.skipUnless(SKYNET, "SKYNET names no executable")
class EndToEndTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        (self.directory / "examples").mkdir()
        (self.directory / "examples/talk.lua").write_text(PROGRAM)
        (self.directory / "examples/client.lua").write_text(CLIENT)
        (self.directory / "programs.toml").write_text(CATALOGUE)

    def wrapper(self, script):
        """An executable that does something besides running skynet."""
        path = self.directory / "wrapper"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def compare(self, right, *more):
        command = [sys.executable, HERE, "--programs", self.directory, "--left", SKYNET,
                   "--right", right, "--catalogue", self.directory / "programs.toml", *more]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout

    def assert_different(self, script, expected):
        code, output = self.compare(self.wrapper(script), "--seconds", "10")
        self.assertEqual(code, 1, output)
        self.assertIn("different talk", output)
        self.assertIn(expected, output)

    def test_same(self):
        code, output = self.compare(SKYNET)
        self.assertEqual(code, 0, output)
        self.assertEqual(output, "same      talk\n1 same, 0 different, 0 left out\n")

    def test_a_changed_line(self):
        self.assert_different(f'SAID=bye exec {SKYNET} "$@"', "-hello\n      +bye")

    def test_a_missing_line(self):
        self.assert_different(f'SILENT=1 exec {SKYNET} "$@"', "-hello\n")

    def test_one_line_more(self):
        self.assert_different(f'CHATTY=1 exec {SKYNET} "$@"', "+more\n")

    def test_another_exit_code(self):
        self.assert_different(f'{SKYNET} "$@"; exit 3', "-main: 0\n      +client: 3\n      +main: 3\n")

    def test_output_beside_the_log(self):
        self.assert_different(f'echo oops; echo dear >&2; exec {SKYNET} "$@"', "+oops\n")

    def test_another_client(self):
        self.assert_different(f'[ "$1" = lua ] && set lua - </dev/null; exec {SKYNET} "$@"',
                              "-function\ta\tb\n")

    def test_a_node_that_ends_at_once(self):
        self.assert_different("exit 1", "then main ended")

    def test_a_node_that_does_nothing(self):
        script = self.wrapper("exec sleep 1000")
        code, output = self.compare(script, "--seconds", "2")
        self.assertEqual(code, 1, output)
        self.assertIn("not within 2 s", output)

    def test_no_such_program(self):
        command = [sys.executable, HERE, "--programs", "/", "--left", SKYNET, "--right", SKYNET, "no"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("not in the catalogue: no", result.stderr)


if __name__ == "__main__":
    unittest.main()
