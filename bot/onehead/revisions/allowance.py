"""How much text of a repository goes to a parser: the one gate before Python, TOML, INI and SQL. Pure.

Whoever can push a file decides what a parser is given. What a parser costs follows from the *pieces* of a text: its
words, signs and line ends. For each piece CPython 3.11 takes about 1 KB and 3 microseconds at most where it builds a
syntax tree; TOML, INI and SQL take less. So one text has a bound (some 100 MB, given back afterwards), and so have all
texts of one examination together. `benchmarks/texts.py` measures both.

A bound is never a guess about the text: what is refused was not read, and whoever asked says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from onehead.revisions.plain_header import has_cookie

MAX_BYTES = 1024 * 1024
"""Of one text. Rows of data as code are larger now and then; their header is read without a parser."""

MAX_PIECES = 100_000
"""Of one text: some 400 KiB of code as people and Alembic write it."""

MAX_ALL_PIECES = 2_000_000
"""Of all texts of one examination: some 6,000 migrations that have to be parsed from end to end."""

_PIECE = re.compile(rb"[\w\x80-\xff]+|[^\w\s\x80-\xff]|\n")
# Python before 3.12 looks for each field of an f-string from the start of the string on: a field costs what stands
# before it, and this many bytes before it cost as much as a piece.
_FORMATTED = re.compile(rb"(?i)(?<![\w\x80-\xff])(?:f|rf|fr)[\"']")
_BYTES_PER_FIELD = 16 * 1024
# Python reads a file in whatever encoding its first two lines name, and in some of them a word hides many.
_COOKIE = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_FIRST_LINES = 4096
_AS_IT_LOOKS = re.compile(
    rb"(?i)utf-?8(?:[-_]sig)?|(?:us-?)?ascii|latin-?1|l1|iso-?8859[-_]?\d*|(?:cp|windows-?)125\d|koi8[-_]?[rut]|"
    rb"euc[-_]?\w+|gb\d+|gbk|big5|shift[-_]?jis|sjis|cp9\d\d"
)


class TooLarge(ValueError):
    """A text that no parser is given, however often it is asked for; says why, beginning with "it"."""


class Spent(Exception):
    """An examination has parsed as much as it may; says so, beginning with "it"."""

    def __init__(self) -> None:
        super().__init__(SPENT)


SPENT = (
    f"it was not read: the files of this examination before it have {MAX_ALL_PIECES:,} words and signs together, which"
    " is all that one examination parses"
)

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def examination() -> Iterator[None]:
    """Let all that is parsed inside share one allowance; one that is begun inside another is part of it."""
    if _left.get() is not None:
        yield
        return
    token = _left.set([MAX_ALL_PIECES])
    try:
        yield
    finally:
        _left.reset(token)


def admit(text: bytes | str) -> None:
    """Let a text through to a parser, and take its pieces off what the examination has left.

    Raises:
        TooLarge: the text exceeds the bound of one.
        Spent: the examination has nothing left for it.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    why = too_large(data)
    if why:
        raise TooLarge(why)
    spend(pieces(data))


def spend(found: int) -> None:
    """Take work that costs as much as `found` pieces off what the examination has left.

    Raises:
        Spent: it has not that much left.
    """
    left = _left.get()
    if left is not None:
        if found > left[0]:
            left[0] = 0  # what is small enough by chance must not depend on the order of the rest
            raise Spent
        left[0] -= found


def too_large(data: bytes) -> str:
    """Why a text is given to no parser, beginning with "it"; empty for one that is admitted."""
    if len(data) > MAX_BYTES:
        return f"it is larger than {MAX_BYTES // 1024} KiB, so it was not parsed"
    if len(data) > MAX_PIECES and pieces(data) > MAX_PIECES:
        return f"it has more than {MAX_PIECES:,} words and signs, so it was not parsed"
    return ""


def pieces(data: bytes) -> int:
    """How many words, signs and line ends a text has, or what costs as much."""
    if has_cookie(data) and not all(map(_AS_IT_LOOKS.fullmatch, _COOKIE.findall(data, 0, _FIRST_LINES))):
        return len(data)
    found = len(_PIECE.findall(data))
    if _FORMATTED.search(data):
        found += data.count(b"{") * len(data) // _BYTES_PER_FIELD
    return found
