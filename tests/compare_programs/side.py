"""One of the two skynets: an executable, and the tree that it takes Lua files and
modules from. It lays out directories in which nodes run."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
LOG = "skynet.log"

# What a node of every program has, as in the reference's examples.
_CONFIG = {
    "thread": 8,
    "harbor": 0,
    "bootstrap": "snlua bootstrap",
    "luaservice": "./service/?.lua;./test/?.lua;./examples/?.lua;./test/?/init.lua;./compare/?.lua",
    "snax": "./examples/?.lua;./test/?.lua",
    "logger": LOG,
    "logpath": ".",
}
_TREE_CONFIG = {
    "lualoader": "./lualib/loader.lua",
    "lua_path": "./lualib/?.lua;./lualib/?/init.lua",
    "lua_cpath": "./luaclib/?.so",
    "cpath": "./cservice/?.so",
}
_TREE_PARTS = ("lualib", "service", "luaclib", "cservice")


class Side:
    """`tree` is None for an executable that carries all it needs. `programs` is the
    directory with examples/ and test/. `lines` end the config of each node."""

    def __init__(self, name, executable, tree, programs, lines=()):
        self.name = name
        self.executable = Path(executable).resolve()
        self.tree = Path(tree).resolve() if tree else None
        self.programs = Path(programs).resolve()
        self.lines = list(lines)

    def lay_out(self, directory):
        """Makes a node's current directory. It looks like the reference's own, so
        that the programs' relative paths lead where they should, but all that a
        node writes stays in it."""
        directory.mkdir(parents=True)
        links = {"compare": HERE / "lua"}
        links |= {part: self.programs / part for part in ("examples", "test")}
        if self.tree:
            links |= {part: self.tree / part for part in _TREE_PARTS}
        for name, target in links.items():
            if target.exists():
                (directory / name).symlink_to(target)

    def config(self, start, keys, direct, raw_print):
        """The text of a node's config file.

        `start` is the program; `direct` starts it without the service that ends the
        node, for programs that end it themselves. `keys` are the program's own; one
        with the value false is left out. `raw_print` leaves `print` as it is.
        """
        config = dict(_CONFIG)
        if self.tree:
            config |= _TREE_CONFIG
        config["start"] = start if direct else "compare_start"
        config["compare_program"] = start
        if not raw_print:
            config["preload"] = "./compare/compare_print.lua"
        config |= keys
        keys = [f"{key} = {_lua(value)}" for key, value in config.items() if value is not False]
        return "".join(f"{line}\n" for line in keys + self.lines)


def _lua(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
