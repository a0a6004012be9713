"""Checks of the parts that need no skynet: masks, logs, differences, catalogue.

    python3 -m unittest discover -s tests/compare_programs
"""

import tempfile
import unittest
from pathlib import Path

import catalogue
import stand_ins
from difference import Rule, compare, split
from log import NodeLog
from mask import Masks
from side import HERE, LOG, Side


def services(text, own=(), drop=(), lua_layers_differ=False):
    return NodeLog(text, Masks(own, drop, lua_layers_differ)).services()


def launched(*lines, address=10, name="test"):
    """A log of one service."""
    return "".join(f"[:{address:08x}] {line}\n" for line in (f"LAUNCH snlua {name}", *lines))


class MaskTest(unittest.TestCase):
    def masked(self, text, **more):
        return Masks(**more).apply(text)

    def test_pointers(self):
        self.assertEqual(self.masked("table: 0x7f360d985a50 0x10"), "table: POINTER 0x10")

    def test_chosen_ports(self):
        for given, expected in [
            ("127.0.0.1:45604 ok", "127.0.0.1:PORT ok"),
            ("[::1]:60999", "[::1]:PORT"),
            ("0.0.0.0:32767", "0.0.0.0:32767"),
            ("127.0.0.1:8888", "127.0.0.1:8888"),
        ]:
            self.assertEqual(self.masked(given), expected)

    def test_trace_times(self):
        self.assertEqual(self.masked("<TRACE <snlua a#1>-2> 1458386 call"),
                         "<TRACE <snlua a#1>-2> TIME call")

    def test_own_masks_come_first(self):
        self.assertEqual(self.masked("now 12", own=[(r"now (\d)\d", r"\1 NOW")]), "1 NOW")

    def test_dropped_lines(self):
        self.assertIsNone(self.masked("May overload 1024", drop=["overload"]))

    def test_lua_layers(self):
        line = "\x1b[31m./lualib/skynet.lua:12: ./lualib/a/b.lua:3: bad\nstack traceback:\n\t[C]: in assert"
        other = "\x1b[31m[skynet]/lualib/skynet.lua:99: bad\nstack traceback:\n\there"
        self.assertNotEqual(self.masked(line), self.masked(other))
        self.assertEqual(self.masked(line, lua_layers_differ=True),
                         self.masked(other, lua_layers_differ=True))
        traced = "sleep : @./lualib/skynet.lua:519 @./test/a.lua:9 @./service/snaxd.lua:32"
        self.assertEqual(self.masked(traced, lua_layers_differ=True), "sleep : @./test/a.lua:9")
        for name in ("/a/3rd/lua/lua", "skynet"):
            self.assertEqual(self.masked(f"{name}: examples/a.lua:9: bad", lua_layers_differ=True),
                             "lua: examples/a.lua:9: bad")


class LogTest(unittest.TestCase):
    def test_a_line_with_and_without_time(self):
        text = launched("hello")
        with_time = "".join(f"24/11/26 11:26:28.16 {line}\n" for line in text.splitlines())
        self.assertEqual(services(text), services(with_time))
        self.assertEqual(services(text), {"snlua test#1": ["LAUNCH snlua test", "hello"]})

    def test_an_entry_of_several_lines_stays_one(self):
        self.assertEqual(services(launched("one\ntwo"))["snlua test#1"][1], "one\ntwo")

    def test_a_line_before_its_launch(self):
        text = "[:0000000a] early\n" + launched()
        self.assertEqual(services(text), {"snlua test#1": ["early", "LAUNCH snlua test"]})

    def test_services_of_one_launch_are_numbered_by_address(self):
        text = launched("b", address=12) + launched("a", address=11)
        self.assertEqual(services(text)["snlua test#1"][1], "a")
        self.assertEqual(services(text)["snlua test#2"][1], "b")

    def test_addresses_become_names(self):
        text = launched(address=11, name="other") + launched("to :0000000b, :000000ff")
        self.assertEqual(services(text)["snlua test#1"][1], "to <snlua other#1>, <address>")

    def test_short_addresses_become_names(self):
        line = services(launched("lua call [0 to :a : 1 msgsz = 0] error"))["snlua test#1"][1]
        self.assertEqual(line, "lua call [<core> to <snlua test#1> : 1 msgsz = 0] error")

    def test_addresses_do_not_matter(self):
        self.assertEqual(services(launched("self :0000000a")),
                         services(launched("self :0000000b", address=11)))

    def test_nothing_after_the_mark(self):
        text = launched("hello") + "[:00000009] compare: mark\n[:0000000a] late\n"
        self.assertEqual(services(text), services(launched("hello")))

    def test_the_harness_s_services_are_left_out(self):
        self.assertEqual(services(launched("hello", name="compare_end")), {})

    def test_what_no_service_logs(self):
        self.assertEqual(services("[:00000000] from a thread\n"), {"core": ["from a thread"]})

    def test_masked_launches(self):
        names = services(launched(name="sender vm123"), own=[(r"vm\d+", "NODE")])
        self.assertEqual(list(names), ["snlua sender NODE#1"])


class DifferenceTest(unittest.TestCase):
    def same(self, left, right, *rules):
        self.assertEqual(compare({"a#1": left}, {"a#1": right}, rules), [])

    def different(self, left, right, *rules):
        self.assertNotEqual(compare({"a#1": left}, {"a#1": right}, rules), [])

    def test_order(self):
        self.same(["x", "y"], ["x", "y"])
        self.different(["x", "y"], ["y", "x"])
        self.different(["x"], ["x", "x"])
        self.different(["x", "y"], ["x"])
        self.different(["x"], ["X"])

    def test_set(self):
        self.same(["x", "y"], ["y", "x"], Rule("a", "set"))
        self.different(["x"], ["x", "x"], Rule("a", "set"))
        self.different(["x", "y"], ["y", "y"], Rule("a", "set"))

    def test_once(self):
        self.same(["x", "y", "x"], ["y", "x"], Rule("a", "once"))
        self.different(["x", "y"], ["x"], Rule("a", "once"))

    def test_ignore(self):
        self.same(["x"], ["y"], Rule("a", "ignore"))

    def test_any(self):
        left, right = {"a#1": ["x"], "a#2": ["y"]}, {"a#1": ["y"], "a#2": ["x"]}
        self.assertNotEqual(compare(left, right), [])
        self.assertEqual(compare(left, right, [Rule("a", "any")]), [])
        self.assertNotEqual(compare(left, {"a#1": ["y"]}, [Rule("a", "any")]), [])

    def test_first_lines_and_services(self):
        self.same(["x", "y"], ["x", "z"], Rule("a", lines=1))
        self.different(["x", "y"], ["w", "y"], Rule("a", lines=1))
        more = {"a#1": ["x"], "a#2": ["y"]}
        self.assertNotEqual(compare({"a#1": ["x"]}, more), [])
        self.assertEqual(compare({"a#1": ["x"]}, more, [Rule("a", services=1)]), [])

    def test_streams(self):
        left, right = {"a#1": ["1 x", "2 x", "1 y"]}, {"a#1": ["2 x", "1 x", "1 y"]}
        self.assertNotEqual(compare(left, right), [])
        self.assertEqual(compare(left, right, streams=["^1"]), [])
        self.assertNotEqual(compare(left, {"a#1": ["1 y", "1 x", "2 x"]}, streams=["^1"]), [])
        self.assertEqual(split(left, ["^1"]), {"a, ^1#1": ["1 x", "1 y"], "a#1": ["2 x"]})

    def test_rules_are_for_whole_names(self):
        self.different(["x"], ["y"], Rule("b", "ignore"), Rule("", "ignore"))

    def test_a_service_that_is_missing(self):
        self.assertIn("a#1: only on the left, 1 lines", compare({"a#1": ["x"]}, {}))
        self.assertIn("a#1: only on the right, 1 lines", compare({}, {"a#1": ["x"]}))


class CatalogueTest(unittest.TestCase):
    def load(self, text):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "programs.toml"
            path.write_text(text)
            return catalogue.load(path)

    def test_the_project_s_own(self):
        programs = catalogue.load(HERE / "programs.toml")
        self.assertIn("testecho", [program.name for program in programs])

    def test_a_program(self):
        (program,) = self.load('[[program]]\nname = "a"\nsteps = [{ await = "x", count = 2 }]')
        self.assertEqual(program.nodes["main"].start, "a")
        self.assertIsNone(program.missing())

    def test_mistakes(self):
        for text in [
            "[[program]]\nstart = 'a'",
            "[[program]]\nname = 'a'\nstep = []",
            "[[program]]\nname = 'a'\nsteps = [{ awaits = 'x' }]",
            "[[program]]\nname = 'a'\nsteps = [{ await = 'x', to = 'y' }]",
            "[[program]]\nname = 'a'\nsteps = [{ await = '(' }]",
            "[[program]]\nname = 'a'\nsteps = [{ node = 'two' }]",
            "[[program]]\nname = 'a'\nmask = [['(', '']]",
            "[[program]]\nname = 'a'\nservices = { x = 'sorted' }",
            "[[program]]\nname = 'a'\n[[program]]\nname = 'a'",
            "[[program",
        ]:
            with self.assertRaises(catalogue.BadCatalogue, msg=text):
                self.load(text)

    def test_needs(self):
        (program,) = self.load('[[program]]\nname = "a"\nneeds = ["sh", "no such command"]')
        self.assertEqual(program.missing(), "no such command")


class SideTest(unittest.TestCase):
    def test_config(self):
        side = Side("left", "/bin/true", None, "/")
        config = side.config("a b", {"thread": 2, "snax": False, "x": 'say "\\"'}, False, False)
        for line in ['start = "compare_start"', 'compare_program = "a b"', "thread = 2",
                     f'logger = "{LOG}"', 'x = "say \\"\\\\\\""']:
            self.assertIn(line + "\n", config)
        self.assertNotIn("snax", config)
        self.assertNotIn("lua_path", config)
        tree = Side("left", "/bin/true", "/", "/", ['builtin = "off"'])
        config = tree.config("a", {}, True, True)
        self.assertIn("lua_path", config)
        self.assertTrue(config.endswith('\nbuiltin = "off"\n'))


class StandInTest(unittest.TestCase):
    QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"

    def test_dns(self):
        known = stand_ins.answer(self.QUERY + b"\x01a\x03com\x00\x00\x01\x00\x01")
        self.assertEqual(known[:8], b"\x12\x34\x81\x80\x00\x01\x00\x01")
        self.assertTrue(known.endswith(b"\x00\x04\xcb\x00\x71\x07"))
        unknown = stand_ins.answer(self.QUERY + b"\x05local\x00\x00\x01\x00\x01")
        self.assertEqual(unknown[:8], b"\x12\x34\x81\x83\x00\x01\x00\x00")
        other_kind = stand_ins.answer(self.QUERY + b"\x01a\x03com\x00\x00\x1c\x00\x01")
        self.assertEqual(other_kind[:8], b"\x12\x34\x81\x80\x00\x01\x00\x00")


if __name__ == "__main__":
    unittest.main()
