"""Whether two runs of a program are the same, and where they are not."""

import difflib
import re
from collections import Counter

# How a service's lines are compared.
ORDER = "order"    # one after the other: the default
SET = "set"        # the same lines, as often, in any order
ONCE = "once"      # the same lines, however often, in any order
ANY = "any"        # services of one launch have the same sequences, whoever has which
IGNORE = "ignore"
WAYS = (ORDER, SET, ONCE, ANY, IGNORE)

_NUMBER = re.compile(r"#\d+$")


class Rule:
    """How the services whose names match a pattern are compared, and what of them:
    the first `lines` lines, of the first `services` services of a launch."""

    def __init__(self, pattern, way=ORDER, lines=None, services=None):
        if way not in WAYS:
            raise ValueError(f"{way!r} is none of {', '.join(WAYS)}")
        self.pattern = re.compile(pattern)
        self.way, self.lines, self.services = way, lines, services

    def takes(self, name):
        """Whether a service is among the first ones that are compared."""
        number = _NUMBER.search(name)
        return self.services is None or number is None or int(number[0][1:]) <= self.services


DEFAULT = Rule("")


def rule_for(name, rules):
    launch = _NUMBER.sub("", name)
    return next((rule for rule in rules if rule.pattern.fullmatch(launch)), DEFAULT)


def split(sequences, streams):
    """Gives the lines in which one of the regular expressions `streams` is found a
    sequence of their own, "snlua test, EXPRESSION#1" beside "snlua test#1"."""
    searches = [(stream, re.compile(stream)) for stream in streams]
    result = {}
    for name, lines in sequences.items():
        number = _NUMBER.search(name)
        number = number[0] if number else ""
        for line in lines:
            stream = next((stream for stream, search in searches if search.search(line)), None)
            part = name if stream is None else f"{name.removesuffix(number)}, {stream}{number}"
            result.setdefault(part, []).append(line)
    return result


def _prepared(sequences, rules):
    """Sequences under the names by which they are looked up on the other side."""
    prepared, groups = {}, {}
    for name, lines in sequences.items():
        rule = rule_for(name, rules)
        if rule.way == IGNORE or not rule.takes(name):
            continue
        lines = lines[:rule.lines]
        if rule.way == ANY:
            groups.setdefault(_NUMBER.sub("", name), []).append(lines)
        elif rule.way == SET:
            prepared[name] = sorted(lines)
        elif rule.way == ONCE:
            prepared[name] = sorted(set(lines))
        else:
            prepared[name] = lines
    for name, group in groups.items():
        prepared[f"{name}, each"] = [line for lines in sorted(group) for line in ["--"] + lines]
    return prepared


def compare(left, right, rules=(), streams=()):
    """Differences between two runs, as lines to read; none if they are the same.
    A run is a dictionary of sequences of lines."""
    left, right = (_prepared(split(run, streams), rules) for run in (left, right))
    differences = []
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        if one == other:
            continue
        if one is None or other is None:
            there, lines = ("left", one) if other is None else ("right", other)
            differences.append(f"{name}: only on the {there}, {len(lines)} lines")
            differences += [f"  {'-' if there == 'left' else '+'}{line}" for line in lines]
            continue
        differences.append(f"{name}: {_summary(one, other)}")
        changes = difflib.unified_diff(one, other, n=1, lineterm="")
        differences += [f"  {line}" for line in list(changes)[2:]]
    return differences


def _summary(one, other):
    missing = sum((Counter(one) - Counter(other)).values())
    more = sum((Counter(other) - Counter(one)).values())
    if missing or more:
        return f"{missing} lines only on the left, {more} only on the right"
    return "the same lines in another order"
