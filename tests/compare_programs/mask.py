"""What may differ between two runs of one program, replaced by words for it."""

import re

# Addresses are not here: they become the names of their services, see log.py.
EVERYWHERE = [
    (re.compile(r"\b0x[0-9a-f]{6,16}\b"), "POINTER"),
    # skynet.trace: a monotonic time in nanoseconds follows the tag.
    (re.compile(r"(<TRACE .*?-\d+>) \d+"), r"\1 TIME"),
    # Lua calls a function of two modules by the one that pairs finds first.
    (re.compile(r"\bskynet\.manager\.(?=\w+')"), "skynet."),
    # Ports that the system chose: Linux takes them from 32768 up.
    (re.compile(r"((?:\d+\.\d+\.\d+\.\d+|\[?[0-9a-f:]*::[0-9a-f]*\]?)):"
                r"(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b"), r"\1:PORT"),
]

# For two different Lua layers: where in lualib and service a line comes from is
# theirs, and so is the way that a call took through them. What runs a client in
# Lua calls itself by its own name in front of an error.
LUA_LAYER = [
    (re.compile(r"^(?:\S*/)?(?:lua|skynet): (?=\S+\.lua:\d+: )"), "lua: "),
    (re.compile(r" @(?:\./|\[skynet\]/)?(?:lualib|service)/[\w./]+\.lua:\d+"), ""),
    (re.compile(r"\n?stack traceback:.*", re.DOTALL), "\nTRACEBACK"),
    (re.compile(r"(?:\./|\[skynet\]/)?\b(?:lualib|service)/[\w./]+\.lua:\d+: ?"), ""),
]


class Masks:
    """The masks of one program: those for everything, and its own."""

    def __init__(self, own=(), drop=(), lua_layers_differ=False):
        """`own` is pairs of a regular expression and its replacement; a line in which
        one of `drop` is found is left out."""
        self.drop = [re.compile(pattern) for pattern in drop]
        self.rules = [(re.compile(pattern), text) for pattern, text in own]
        if lua_layers_differ:
            self.rules += LUA_LAYER
        self.rules += EVERYWHERE

    def apply(self, text):
        """The masked text, or None if it is to be left out."""
        if any(pattern.search(text) for pattern in self.drop):
            return None
        for pattern, replacement in self.rules:
            text = pattern.sub(replacement, text)
        return text
