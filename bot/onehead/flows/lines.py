"""In which line of its files each finding stands: looked up only for the reports that show lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from onehead.flows.examine import Trees
from onehead.plan.findings import Code
from onehead.plan.verdict import Examination
from onehead.reports.places import MOST_SHOWN
from onehead.revisions.edit import Trouble, dissect
from onehead.revisions.syntax import line_number

MOST_FILES = 500
"""Files in which a line is looked for; the places in all others are told without one."""

_NAMES = {
    **dict.fromkeys((Code.DUPLICATE_ID, Code.ID_TOO_LONG, Code.INVALID_ID, Code.AMBIGUOUS_PREFIX), "revision"),
    **dict.fromkeys((Code.DUPLICATE_LABEL, Code.DYNAMIC_LABEL), "branch_labels"),
}
"""The name whose value a finding is about; of all others it is the parent."""
_WHOLE_FILE = {Code.BODY_CHANGED, Code.NOT_A_REVISION, Code.NOT_LOADED, Code.TEXT_CONFLICT}


def lines_of(examination: Examination, trees: Trees) -> dict[tuple[Code, str], int]:
    """Code and path of each finding about a revision → the 1-based line of what it is about."""
    wanted = dict(islice(_wanted(examination), MOST_FILES))
    data = trees.read(set(wanted.values())).data if wanted else {}
    found = {(code, path): _line(data.get(blob, b""), code) for (code, path), blob in wanted.items()}
    return {key: line for key, line in found.items() if line}


def _wanted(examination: Examination) -> Iterator[tuple[tuple[Code, str], str]]:
    for examined in examination.environments:
        blobs = {revision.path: revision.blob for revision in examined.facts.merged}
        for finding in examined.findings:
            if not (finding.line or finding.places) and finding.code not in _WHOLE_FILE:
                yield from (((finding.code, path), blobs[path]) for path in finding.paths[:MOST_SHOWN] if path in blobs)


def _line(data: bytes, code: Code) -> int:
    file = dissect(data)
    if isinstance(file, Trouble):
        return 0
    label = file.label("Revises") if code is Code.STALE_REVISES else None
    if label is not None:
        return line_number(file.text, label[0])
    declared = file.declared.get(_NAMES.get(code, "down_revision"))
    return declared.line if declared else 0
