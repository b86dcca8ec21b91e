"""Alembic's own words for what went wrong, found in a log or an issue. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class Trouble(StrEnum):
    """What Alembic complains about."""

    MULTIPLE_HEADS = "multiple-heads"
    CANNOT_LOCATE = "cannot-locate"
    OVERLAPS = "overlaps"
    MISSING_PARENT = "missing-parent"
    DUPLICATE_OBJECT = "duplicate-object"


class Crash(NamedTuple):
    """One complaint.

    Attributes:
        trouble: which.
        subject: the revision, table or column it names; empty where it names none.
        line: the line as it was found.
    """

    trouble: Trouble
    subject: str
    line: str


_PATTERNS = (
    (Trouble.MULTIPLE_HEADS, re.compile(r"Multiple head revisions are present|has multiple head")),
    (Trouble.CANNOT_LOCATE, re.compile(r"Can't locate revision identified by ['\"](?P<subject>[^'\"]{1,64})['\"]")),
    (Trouble.OVERLAPS, re.compile(r"Requested revision (?P<subject>\S{1,64}) overlaps with other requested revisions")),
    (Trouble.MISSING_PARENT, re.compile(r"^\s*KeyError: ['\"](?P<subject>[^'\"\s]{1,64})['\"]")),
    (
        Trouble.DUPLICATE_OBJECT,
        re.compile(
            r"(?:relation|table|column|index|type) ['\"`]?(?P<subject>[\w.]{1,128})['\"`]?"
            r"(?: of relation \S+)? already exists|Duplicate column name '(?P<column>[\w.]{1,128})'",
            re.IGNORECASE,
        ),
    ),
)
_LONGEST_LINE = 2000


def crashes_in(text: str) -> tuple[Crash, ...]:
    """Every complaint of Alembic's in a text, each once, in order."""
    found: dict[tuple[Trouble, str], Crash] = {}
    for line in text.splitlines():
        for trouble, pattern in _PATTERNS:
            match = pattern.search(line[:_LONGEST_LINE])
            if match:
                named = match.groupdict()
                subject = named.get("subject") or named.get("column") or ""
                found.setdefault((trouble, subject), Crash(trouble, subject, line.strip()[:300]))
    return tuple(found.values())
