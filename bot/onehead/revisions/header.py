"""The header that Alembic's own templates write, matched line by line: the first and fastest reader.

Several times quicker than a syntax tree, and most files of every project look like this. What is not plain
(another statement, an odd literal, one of the names mentioned further down) is left to the syntax tree.
"""

from __future__ import annotations

import re
from functools import lru_cache

from onehead.revisions.model import Declared, docstring

FIRST_BLOCK = re.compile(rb"^(?:def|async|class|@)", re.MULTILINE)
"""Where the header of a revision file ends: nothing below runs while Alembic reads the ids."""

_STRING = rb"""(?:"[^"\\]*"|'[^'\\]*')"""
_QUOTED = re.compile(_STRING)
_LITERAL = rb"None|" + _STRING + rb"|\((?:\s*" + _STRING + rb"(?:\s*,)?)*\s*\)"
_PLAIN_LINE = re.compile(
    rb"(?:from [\w.]+ )?import [\w., ]+(?:\s*\#.*)?|"
    rb"(revision|down_revision|branch_labels|depends_on)(?:\s*:[\w\s.,|\[\]]+)?\s*=\s*(" + _LITERAL + rb")\s*(?:\#.*)?"
)
_MAX_LINE_LENGTH = 2000
"""A line of the header that is longer is left to the syntax tree, so that no line can keep the patterns busy."""
_MAX_HEADER_LENGTH = 64 * 1024
"""Bytes; what is above the docstring may have as many. A longer one holds rows of data, and they are not plain."""
_TELLTALES = (b"revision", b"branch_labels", b"depends_on", b"import *", b"exec(", b"globals(", b"setattr(")
_QUOTES = b'"""'
_OPENING = re.compile(rb"(?:\s*\#.*\n)*\s*" + _QUOTES)


def read(data: bytes) -> Declared | None:
    """What a plain header declares; `None` where the header is not plain."""
    if not data.isascii() or has_cookie(data) or _has_lone_return(data):
        return None  # Python ends a line at a lone carriage return, the patterns here don't
    text, start = _docstring(data)
    block = FIRST_BLOCK.search(data, start, start + _MAX_HEADER_LENGTH)
    end = block.start() if block else len(data)
    if end - start > _MAX_HEADER_LENGTH or mentioned(data, end):
        return None
    values: dict[bytes, tuple[str, ...]] = {}
    for line in data[start:end].split(b"\n"):
        said = _said(line) if len(line) <= _MAX_LINE_LENGTH else None
        if said is None:
            return None
        values.update(said)
    if len(values.get(b"revision", ())) != 1 or b"down_revision" not in values:
        return None
    doc, revises = docstring(text.decode())
    return Declared(
        revision=values[b"revision"][0],
        parents=tuple(dict.fromkeys(values[b"down_revision"])),
        depends_on=tuple(filter(None, values.get(b"depends_on", ()))),
        branch_labels=tuple(filter(None, values.get(b"branch_labels", ()))),
        doc=doc,
        revises=revises,
    )


def _docstring(data: bytes) -> tuple[bytes, int]:
    """A plain docstring with nothing after it in its line, and where the next line starts; nothing and 0 for none."""
    opening = _OPENING.match(data, 0, _MAX_HEADER_LENGTH)
    start = opening.end() if opening else 0
    end = data.find(_QUOTES, start) if opening else -1
    line_end = data.find(b"\n", end) if end >= 0 else -1
    if line_end < 0 or b"\\" in data[start:end] or data[end + len(_QUOTES) : line_end].strip():
        return b"", 0
    return data[start:end], line_end + 1


@lru_cache(maxsize=512)
def _said(line: bytes) -> dict[bytes, tuple[str, ...]] | None:
    """What one line binds our names to; `None` where it is not plain.

    Remembered, because most lines of a header stand in every file; the answer is shared, so nobody may change it.
    """
    if not line.strip() or line.startswith(b"#"):
        return {}
    match = _PLAIN_LINE.fullmatch(line.rstrip())
    if match is None:
        return None
    name, literal = match.groups()
    if name is None:
        return None if mentioned(line, 0) else {}  # it may import one of the names
    quoted = _QUOTED.findall(literal)
    if len(quoted) > 1 and literal.count(b",") < len(quoted) - 1:
        return None  # two strings with no comma between are one string to Python
    if name == b"revision" and b"," in literal:
        return None  # a tuple is no id
    return {name: tuple(text[1:-1].decode() for text in quoted)}


def mentioned(data: bytes, start: int) -> bool:
    """Whether one of the names, or a way to bind names unseen, appears after `start`: only then may it be rebound."""
    return any(data.find(word, start) >= 0 for word in _TELLTALES)


def _has_lone_return(data: bytes) -> bool:
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def has_cookie(data: bytes) -> bool:
    """Whether one of the first two lines may name an encoding: then bytes need not mean what they seem to."""
    first = data.find(b"\n")
    second = data.find(b"\n", first + 1) if first >= 0 else -1
    return data.find(b"coding", 0, second if second >= 0 else len(data)) >= 0
