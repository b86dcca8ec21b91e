"""What is said on a pull request that is healthy, and by which databases lose something all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onehead.databases.model import StateTable
from onehead.plan.findings import Code
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Examination
from onehead.quoting import code, inline_code
from onehead.reports.endings import compared
from onehead.reports.fitting import fitted
from onehead.reports.heads_up import MOST_NAMED, clashes, waits
from onehead.reports.state_table import columns_and_rows
from onehead.reports.text import coverage_line, short_ref

_MOST_TOLD = 6
"""Warnings that are told one by one."""


def harms_databases(examination: Examination) -> bool:
    """Whether a healthy verdict comes with something by which databases may lose: a status alone is not enough."""
    return any(finding.code is Code.HISTORY_EDITED for finding in examination.own_warnings())


def warning_comment(
    number: int, rivals: Sequence[Rival], examination: Examination, tables: Mapping[str, StateTable]
) -> str:
    """The comment on it.

    Args:
        number: of the pull request.
        rivals: other open pull requests that would collide with it.
        examination: the verdict.
        tables: environment path → the databases that do not get well through the next upgrade.
    """
    warnings = examination.own_warnings()
    rest = len(warnings) - _MOST_TOLD
    values = {
        "target": code(short_ref(examination.target.ref)),
        "warnings": [inline_code(finding.message) for finding in warnings[:_MOST_TOLD]],
        "more": max(0, rest),
        "environments": [
            {"path": code(path) if len(tables) > 1 else "", "tables": [columns_and_rows(table)]}
            for path, table in sorted(tables.items())
        ],
        "waits": [f"#{rival.number}" for rival in waits(number, rivals)[:MOST_NAMED]],
        "rivals": clashes(rivals),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return fitted("comment/warned.md.j2", values)
