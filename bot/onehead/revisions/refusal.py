"""Whether Python loads a revision file at all: Alembic imports every one, so a single refusal stops every command.

What one version of Python refuses, another may take: files for Python 2, and syntax newer than the Python that onehead
runs on. Only what no version takes is certain.
"""

from __future__ import annotations

import re

from onehead.revisions.allowance import TooLarge
from onehead.revisions.declared import Refusal

CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: |$)", re.MULTILINE)
"""A line with which git begins or ends a conflict."""

_DIFFERS = re.compile(
    r"Missing parentheses in call|multiple exception types|leading zeros in decimal|"
    r"invalid (?:decimal|hexadecimal) literal|parameters cannot be parenthesized|"
    r"inconsistent use of tabs|f-string|t-string|\(unicode error\)|bytes can only contain ASCII|"
    r"cannot assign to (?:True|False|None)|iterable unpacking|too many |encoding problem"
)
"""Complaints about what some other version of Python takes."""
_NEVER = re.compile(r"was never closed|unmatched|does not match|indent")
"""Complaints about what no version takes, whatever else is in the line."""
_OTHER_SYNTAX = re.compile(
    # Python 2: backticks, <>, `raise E, "text"`, ur"", `exec code`, `print >>file`, names that are keywords now.
    r"`|<>|\braise\s+[\w.]+\s*,|\b[uU][rR][\"']|\bexec\s|\bprint\s*>>|\b(?:async|await|nonlocal)\b|"
    # 3.12: type parameters, `type X = ...`, f-strings over several lines; 3.14 and later: t"", `lazy import`.
    r"\b(?:def|class)\s+\w+\s*\[|\btype\s+\w|\b(?:[rR]?[fFtT]|[fFtT][rR])[\"']|\blazy\s"
)
"""A line with what only some versions of Python take."""


def refusal_of(data: bytes) -> Refusal | None:
    """What Python says to a file that it can't load; `None` where it can, or where the file is too large to be parsed.

    Raises:
        Spent: the examination has parsed as much as it may.
    """
    from onehead.revisions.python_source import parse  # noqa: PLC0415 - most files are never parsed

    try:
        parse(data)
    except TooLarge:
        return None
    except SyntaxError as error:
        return _refusal(data, error)
    except ValueError:  # zero bytes
        return Refusal(0, "it holds zero bytes", certain=True)
    except (RecursionError, MemoryError):
        return None
    return None


def _refusal(data: bytes, error: SyntaxError) -> Refusal:
    text = data.decode("latin-1")
    conflict = CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        return Refusal(line, "it is not Python while git's conflict markers are in it", certain=True)
    line = error.lineno or 0
    lines = text.split("\n")
    there = lines[line - 1] if 0 < line <= len(lines) else ""
    may_differ = _DIFFERS.search(error.msg) or (not _NEVER.search(error.msg) and _OTHER_SYNTAX.search(there))
    return Refusal(line, f"it is not Python ({error.msg})", certain=not may_differ)
