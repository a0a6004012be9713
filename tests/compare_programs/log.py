"""Takes a node's log apart: which service wrote which lines, in its order."""

import re
from collections import Counter

# With a time where the logger writes to a file, without one on standard output,
# and as the userlog example has it.
_ENTRY = re.compile(r"(?:\d\d/\d\d/\d\d \d\d:\d\d:\d\d\.\d\d )?\[:([0-9a-f]{8})\] (.*)")
_USER_ENTRY = re.compile(r":([0-9a-f]{8})\(\d+\.\d\d\): (.*)")
_ADDRESS = re.compile(r":([0-9a-f]{8})\b")
# As in the errors of skynet.core's callback: "[a to :b : 31 msgsz = 6]".
_SHORT_ADDRESSES = re.compile(r"\[([0-9a-f]{1,8}) to :([0-9a-f]{1,8}) : ")

CORE = "core"
MARK = "compare: mark"

# Services of the harness. They come and go at other times than the program.
_OWN = re.compile(r"snlua compare_(?:start|end)#\d+")


def entries(text):
    """Pairs of address and text. The lines that follow an entry without an address
    of their own belong to it: a logger writes an entry in one piece."""
    found = []
    for line in text.splitlines():
        match = _ENTRY.match(line) or _USER_ENTRY.match(line)
        if match:
            found.append([match[1], match[2]])
        elif found:
            found[-1][1] += "\n" + line
        else:
            found.append(["00000000", line])
    return [tuple(entry) for entry in found]


class NodeLog:
    """The log of one node.

    A service is called by what launched it and a number among those of the same
    launch, in the order of their addresses: "snlua testecho slave#1". What is
    logged without a service is the core's. The masks are for launches too.
    """

    def __init__(self, text, masks):
        self.masks = masks
        self.entries = entries(text)
        for i, (_, line) in enumerate(self.entries):
            if line == MARK:
                del self.entries[i:]
                break
        self.names = self._names()

    def _names(self):
        launches = {}
        for address, line in self.entries:
            if line.startswith("LAUNCH ") and address not in launches:
                launches[address] = (self.masks.apply(line) or line).removeprefix("LAUNCH ").strip()
        count = Counter()
        names = {"00000000": CORE}
        for address in sorted(launches, key=lambda text: int(text, 16)):
            launch = launches[address]
            count[launch] += 1
            names[address] = f"{launch}#{count[launch]}"
        return names

    def name(self, text, others=None):
        """Replaces the addresses in a text by their services' names. `others` are
        names of services on other nodes."""

        def named(address):
            name = self.names.get(address) or (others or {}).get(address)
            return f"<{name}>" if name else "<address>"

        def named_pair(match):
            return f"[{named(match[1].zfill(8))} to {named(match[2].zfill(8))} : "

        text = _SHORT_ADDRESSES.sub(named_pair, text)
        return _ADDRESS.sub(lambda match: named(match[1]), text)

    def services(self, others=None):
        """Every service's masked entries in order, by the service's name."""
        services = {}
        for address, line in self.entries:
            name = self.names.get(address, "without LAUNCH")
            masked = self.masks.apply(self.name(line, others))
            if masked is not None and not _OWN.fullmatch(name):
                services.setdefault(name, []).append(masked)
        return services

    def text(self):
        """The entries in the order of the log, each after its service's name."""
        return "".join(f"{self.names.get(address, '?')}: {line}\n" for address, line in self.entries)
