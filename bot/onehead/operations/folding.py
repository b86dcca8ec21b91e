"""Plain values → plain values: what `+`, `%`, `format` and brackets make of constants."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from onehead.operations.terms import MAX_ITEMS, Const, Items, Made, Pairs, Value, plain, strings

MAX_TEXT = 64 * 1024
"""Characters of a folded string; doubling `x = x + x` a few dozen times would fill the memory."""

_FIELD = re.compile(r"%(?:\((\w+)\))?[sd]|%%|\{(\w*)\}|\{\{|\}\}")


def folded(written: str) -> Value | None:
    """A string, where it is short enough to be one that somebody wrote."""
    return Const(written) if len(written) <= MAX_TEXT else None


def combined(left: Value, operator: ast.operator, right: Value) -> Value | None:
    """`+` and `%` of plain values."""
    match left, operator, right:
        case Const(value=str(first)), ast.Add(), Const(value=str(second)):
            return folded(first + second)
        case Items(items=some), ast.Add(), Items(items=more) if len(some) + len(more) <= MAX_ITEMS:
            return Items(some + more)
        case Const(value=str(pattern)), ast.Mod(), _ if "{" not in pattern:
            given = right.items if isinstance(right, Items) else (right,)
            named = dict(right.pairs) if isinstance(right, Pairs) else {}
            return filled(pattern, given, named)
    return None


def formatted(origin: Const, name: str, made: Made) -> Value | None:
    """`"...".format(...)`, and the few methods of strings that name things."""
    match origin.value, name:
        case str(pattern), "format" if "%" not in pattern:
            return filled(pattern, made.args, made.keywords)
        case str(found), "strip" | "lower" | "upper" if not made.args:
            return folded(getattr(found, name)())
        case str(separator), "join" if made.args:
            parts = strings(made.args[0])
            if parts is not None and isinstance(made.args[0], Items):
                return folded(separator.join(parts))
    return None


def filled(pattern: str, args: tuple[Value, ...], keywords: Mapping[str, Value]) -> Value | None:
    """A pattern with its plain fields filled in; `None` where one is anything but plain."""
    rest = list(args)
    known = True

    def fill(field: re.Match[str]) -> str:
        nonlocal known
        if field.group() in ("%%", "{{", "}}"):
            return field.group()[0]
        name = field[1] or field[2] or ""
        value: Value | None = None
        if name.isdecimal():
            value = args[int(name)] if int(name) < len(args) else None
        elif name:
            value = keywords.get(name)
        elif rest:
            value = rest.pop(0)
        found = plain(value)
        known = known and isinstance(found, str | int)
        return str(found)

    if "%" in _FIELD.sub("", pattern) or "{" in _FIELD.sub("", pattern):
        return None
    filled = _FIELD.sub(fill, pattern)
    return folded(filled) if known else None


def item(of: Value, place: Value) -> Value | None:
    """`of[place]`."""
    match of, place:
        case Items(items=items), Const(value=int(at)) if -len(items) <= at < len(items):
            return items[at]
        case Pairs(pairs=pairs, complete=True), Const(value=str(key)):
            return dict(pairs).get(key)
    return None


def sequence(made: Made) -> Value | None:
    """`list(x)` and `sorted(x)` of known elements; sorting them is not our business."""
    match made.args:
        case (Items() as items,) if made.last != "sorted":
            return items
    return None
