"""Where a finding stands: its files with their lines, those that can be changed on the judged branch first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from onehead.plan.findings import Code, Finding
from onehead.plan.verdict import Examination, Examined

MOST_SHOWN = 50
"""Revisions and files that one finding lists, in whatever form; of more, their number is told."""

Lines = Mapping[tuple[Code, str], int]
"""What a finding is about, and a file → the 1-based line in it; absent where there is none."""


class Place(NamedTuple):
    """A file, and a 1-based line in it; 0 where no line can be named."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


def all_findings(examination: Examination) -> Iterator[tuple[Finding, Examined | None]]:
    """Every finding, and its environment; those of the whole repository first, without one."""
    yield from ((finding, None) for finding in examination.findings)
    yield from ((finding, each) for each in examination.environments for finding in each.findings)


def places(finding: Finding, examined: Examined | None, lines: Lines) -> list[Place]:
    """The files of a finding. Views that show one place only show the first, so the branch's own stand there."""
    facts = examined.facts if examined else None
    inherited = facts.target.paths if facts and facts.head is not None else frozenset()
    ordered = sorted(finding.paths, key=lambda path: (path in inherited, path))
    operations = dict(finding.places)
    return [
        Place(path, operations.get(path) or finding.line or lines.get((finding.code, path), 0))
        for path in ordered[:MOST_SHOWN]
    ]


def left_out(finding: Finding) -> int:
    """How many of its revisions, or of its files where these are more, are not listed."""
    return max(0, len(finding.revisions) - MOST_SHOWN, len(finding.paths) - MOST_SHOWN)
