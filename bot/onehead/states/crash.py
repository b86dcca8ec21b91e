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
    ROW_CHANGED = "row-changed"
    ID_TOO_LONG = "id-too-long"


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
    (Trouble.MULTIPLE_HEADS, re.compile(r"Multiple head(?: revision)?s are present|has multiple head")),
    (Trouble.CANNOT_LOCATE, re.compile(r"Can't locate revision identified by ['\"](?P<subject>[^'\"]{1,64})['\"]")),
    (Trouble.OVERLAPS, re.compile(r"Requested revision (?P<subject>\S{1,64}) overlaps with other requested revisions")),
    (Trouble.MISSING_PARENT, re.compile(r"^\s*KeyError: ['\"](?P<subject>[^'\"\s]{1,64})['\"]\s*$")),
    (
        Trouble.DUPLICATE_OBJECT,
        re.compile(
            r"(?:relation|table|column|index|type) ['\"`]?(?P<subject>[\w.]{1,128})['\"`]?"
            r"(?: of relation \S+)? already exists|Duplicate (?:column|key) name:? '?(?P<column>[\w.]{1,128})",
            re.IGNORECASE,
        ),
    ),
    (
        Trouble.ROW_CHANGED,
        re.compile(r"expected to match (?:one row|\d+ row\S*) when (?:updating|deleting) '(?P<subject>[^']{1,64})'"),
    ),
    (
        Trouble.ID_TOO_LONG,
        re.compile(r"too long for (?:type character varying\(32\)|column 'version_num')"),
    ),
)
_LONGEST_LINE = 2000
_PREFIX = re.compile(
    r"\x1b\[[\d;]*m"  # colours
    r"|^[\w./-]{1,80}\s+\|\s?"  # docker compose: `web-1  | …`
    r"|^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d)?\s(?:std(?:out|err) [FP] )?"  # kubectl, containerd
)


def crashes_in(text: str) -> tuple[Crash, ...]:
    """Every complaint of Alembic's in a text, each once, in order."""
    found: dict[tuple[Trouble, str], Crash] = {}
    for line in text.splitlines():
        bare = _PREFIX.sub("", line[:_LONGEST_LINE])
        for trouble, pattern in _PATTERNS:
            match = pattern.search(bare)
            if match:
                named = match.groupdict()
                subject = named.get("subject") or named.get("column") or ""
                found.setdefault((trouble, subject), Crash(trouble, subject, bare.strip()[:300]))
    return tuple(found.values())
