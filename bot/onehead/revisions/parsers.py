"""The parsers of Python and TOML, each behind one bound on size and depth. Pure.

No other module may parse text of a repository: `tests/test_architecture.py` holds that. Also here: whether Python
loads a revision file at all, for Alembic imports every one, and a single refusal stops every command.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any

from onehead.revisions.model import Refusal

if TYPE_CHECKING:
    import ast

MAX_BYTES = 1024 * 1024
"""Of one text. Rows of data as code are larger now and then; their header is read without a parser."""

MAX_PIECES = 100_000
"""Of one text: some 400 KiB of code as people and Alembic write it."""

MAX_ALL_PIECES = 2_000_000
"""Of all texts of one examination: some 6,000 migrations that have to be parsed from end to end."""

# The patterns of this module are compiled by those who need them: a check of plain files needs none.
_PIECE = rb"[\w\x80-\xff]+|[^\w\s\x80-\xff]|\n"
# Python before 3.12 looks for each field of an f-string from the start of the string on: a field costs what is
# before it, and this many bytes before it cost as much as a piece.
_FORMATTED = rb"(?i)(?<![\w\x80-\xff])(?:f|rf|fr)[\"']"
_BYTES_PER_FIELD = 16 * 1024
# Python reads a file in whatever encoding its first two lines name, and in some of them a word hides many.
_COOKIE = rb"coding[:=][ \t]*([-\w.]+)"
_FIRST_LINES = 4096
_AS_IT_LOOKS = (
    rb"(?i)utf-?8(?:[-_]sig)?|(?:us-?)?ascii|latin-?1|l1|iso-?8859[-_]?\d*|(?:cp|windows-?)125\d|koi8[-_]?[rut]|"
    rb"euc[-_]?\w+|gb\d+|gbk|big5|shift[-_]?jis|sjis|cp9\d\d"
)


def has_cookie(data: bytes) -> bool:
    """Whether one of the first two lines may name an encoding: then bytes need not mean what they seem to."""
    first = data.find(b"\n")
    second = data.find(b"\n", first + 1) if first >= 0 else -1
    return data.find(b"coding", 0, second if second >= 0 else len(data)) >= 0


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

    Raises `TooLarge` where it exceeds the bound of one, `Spent` where the examination has nothing left for it.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    why = too_large(data)
    if why:
        raise TooLarge(why)
    spend(pieces(data))


def spend(found: int) -> None:
    """Take work that costs as much as `found` pieces off what the examination has left; raises `Spent` for more."""
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
    cookies = re.findall(_COOKIE, data[:_FIRST_LINES]) if has_cookie(data) else []
    if not all(re.fullmatch(_AS_IT_LOOKS, cookie) for cookie in cookies):
        return len(data)
    found = len(re.findall(_PIECE, data))
    if re.search(_FORMATTED, data):
        found += data.count(b"{") * len(data) // _BYTES_PER_FIELD
    return found


NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What is raised for a text that the parser can't read, or is not given because it is too large."""

_MAX_SHOWN = 500
"""Nodes of an expression that is written out: an enumeration of some hundred labels, but no table of rows."""

_parser = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    with _parser, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody's file are not our user's business
        yield


def parse(source: str | bytes) -> ast.Module:
    """The syntax tree of a file.

    Raises `NOT_PYTHON` where this Python can't parse it, or it is larger than any text that is parsed; `Spent` where
    the examination has parsed as much as it may.
    """
    import ast  # noqa: PLC0415 - as the patterns

    admit(source)
    with _alone():
        return ast.parse(source)


def python(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a file, or `None` for what this Python can't parse; raises `Spent` as above."""
    try:
        return parse(source)
    except NOT_PYTHON:
        return None


def unparsed(node: ast.AST) -> str:
    """The source of a node in one line; one that is too long or too deep to be written out is named by its place."""
    import ast  # noqa: PLC0415

    if sum(1 for _ in islice(ast.walk(node), _MAX_SHOWN + 1)) <= _MAX_SHOWN:
        try:
            return " ".join(ast.unparse(node)[:2000].split())
        except (RecursionError, ValueError):
            pass
    return f"a long expression in line {getattr(node, 'lineno', 0)}"


MAX_PARTS = 32
"""Parts of one key (`tool.alembic` has two): the reader keeps every beginning of it: memory grows with the square."""

# Anywhere, inside a text too: what would be missed there costs more than what is refused. A part that is longer
# than this pattern looks for leaves room for too few of them.
_PART = r"""(?:(?<![\w-])[\w-]{1,256}|"(?:[^"\\\n]|\\.){0,256}"|'[^'\n]{0,256}')"""
_LONG_KEY = rf"(?:{_PART}[ \t]*\.[ \t]*){{{MAX_PARTS}}}"


def toml(text: str) -> dict[str, Any]:
    """The document.

    Raises `ValueError` where it is not TOML, `TooLarge` (one of these too) where it exceeds a bound, `Spent` where the
    examination has parsed as much as it may.
    """
    import tomllib  # noqa: PLC0415 - most repositories have none to read, and `check` runs in every commit

    admit(text)
    if re.search(_LONG_KEY, text):
        raise TooLarge(f"it has a key of more than {MAX_PARTS} parts, so it was not parsed")
    try:
        return tomllib.loads(text)
    except (RecursionError, MemoryError):
        raise TooLarge("it is nested too deeply, so it was not parsed") from None


_CONFLICT = r"(?m)^(?:<{7}|>{7})(?: |$)"
IN_CONFLICT = "it is not Python while git's conflict markers are in it"


def conflict_line(text: str) -> int:
    """1-based line with which git begins or ends a conflict; 0 for none."""
    found = re.search(_CONFLICT, text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


_DIFFERS = (
    r"Missing parentheses in call|multiple exception types|leading zeros in decimal|"
    r"invalid (?:decimal|hexadecimal) literal|parameters cannot be parenthesized|"
    r"inconsistent use of tabs|f-string|t-string|\(unicode error\)|bytes can only contain ASCII|"
    r"cannot assign to (?:True|False|None)|iterable unpacking|too many |encoding problem"
)
"""Complaints about what some other version of Python takes."""
_NEVER = r"was never closed|unmatched|does not match|indent"
"""Complaints about what no version takes, whatever else is in the line."""
_OTHER_SYNTAX = (
    # Python 2: backticks, <>, `raise E, "text"`, ur"", `exec code`, `print >>file`, names that are keywords now.
    r"`|<>|\braise\s+[\w.]+\s*,|\b[uU][rR][\"']|\bexec\s|\bprint\s*>>|\b(?:async|await|nonlocal)\b|"
    # 3.12: type parameters, `type X = ...`, f-strings over several lines; 3.14 and later: t"", `lazy import`.
    r"\b(?:def|class)\s+\w+\s*\[|\btype\s+\w|\b(?:[rR]?[fFtT]|[fFtT][rR])[\"']|\blazy\s"
)
"""A line with what only some versions of Python take."""


def refusal_of(data: bytes) -> Refusal | None:
    """What Python says to a file that it can't load; `None` where it can, or where the file is too large to be parsed.

    Raises `Spent` where the examination has parsed as much as it may.
    """
    try:
        parse(data)
    except SyntaxError as error:
        return _refusal(data, error)
    except (TooLarge, RecursionError, MemoryError):
        return None
    except ValueError:
        return Refusal(0, "it holds zero bytes", certain=True)
    return None


def _refusal(data: bytes, error: SyntaxError) -> Refusal:
    text = data.decode("latin-1")
    conflict = conflict_line(text)
    if conflict:
        return Refusal(conflict, IN_CONFLICT, certain=True)
    line = error.lineno or 0
    lines = text.split("\n")
    there = lines[line - 1] if 0 < line <= len(lines) else ""
    other = re.search(_OTHER_SYNTAX, there) and not re.search(_NEVER, error.msg)
    return Refusal(line, f"it is not Python ({error.msg})", certain=not (re.search(_DIFFERS, error.msg) or other))
