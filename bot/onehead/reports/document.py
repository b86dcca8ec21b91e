"""A verdict as one JSON object: the contract with scripts (JSON Schema files in docs/schema/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onehead.plan.findings import Finding
from onehead.plan.plans import Plan, Refuse, Reissue, Reparent
from onehead.plan.verdict import Examination, Examined, Point
from onehead.reports.both_sides import both_sides_document
from onehead.reports.places import MOST_SHOWN, Lines, left_out, places
from onehead.revisions.model import FileChange


def document(
    examination: Examination,
    changes: dict[str, tuple[FileChange, ...]],
    lines: Lines,
    schema: str = "onehead.check/1",
) -> dict[str, Any]:
    """The object of `check --format json`.

    Args:
        examination: what was judged.
        changes: the files each plan would touch, by environment path.
        lines: in which line of its files each finding stands.
        schema: name and version of the format.
    """
    return {
        "schema": schema,
        "verdict": examination.verdict,
        "target": _point(examination.target),
        "head": None if examination.head is None else _point(examination.head),
        "merge_base": examination.merge_base,
        "coverage": examination.coverage._asdict(),
        "not_judged": [
            {"code": each.code, "message": each.message, "paths": list(each.paths[:MOST_SHOWN])}
            for each in examination.unjudged
        ],
        "findings": [_finding(finding, None, lines) for finding in examination.findings],
        "environments": [
            _environment(examined, changes.get(examined.facts.environment.path, ()), lines)
            for examined in examination.environments
        ],
    }


def _point(point: Point) -> dict[str, str]:
    return {"ref": point.ref, "sha": point.sha}


def _environment(examined: Examined, changes: tuple[FileChange, ...], lines: Lines) -> dict[str, Any]:
    facts = examined.facts
    return {
        "path": facts.environment.path,
        "config": facts.environment.config,
        "heads": {
            "target": list(facts.target.heads),
            "head": None if facts.head is None else list(facts.head.heads),
            "merged": list(facts.merged.heads),
        },
        "findings": [_finding(finding, examined, lines) for finding in examined.findings],
        "both_sides": both_sides_document(examined),
        "plan": _plan(examined.plan, changes),
    }


def _finding(finding: Finding, examined: Examined | None, lines: Lines) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "severity": finding.severity,
        "introduced_by": finding.introduced_by,
        "message": finding.message,
        "hint": finding.hint,
        "revisions": list(finding.revisions[:MOST_SHOWN]),
        "paths": list(finding.paths[:MOST_SHOWN]),
        "places": [{"path": place.path, "line": place.line or None} for place in places(finding, examined, lines)],
        "left_out": left_out(finding),
    }


def _plan(plan: Plan, changes: tuple[FileChange, ...]) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "reasons": [{"code": str(reason.code), "message": reason.message} for reason in plan.reasons],
        "options": list(plan.options) if isinstance(plan, Refuse) else [],
        "new_ids": new_ids(plan.new_ids) if isinstance(plan, Reparent | Reissue) else [],
        "changes": [
            {"path": change.path, "new_path": change.new_path, "deleted": change.data is None} for change in changes
        ],
    }


def new_ids(renamed: Mapping[str, str]) -> list[dict[str, str]]:
    """What gets a new id, parents first."""
    return [{"old": old, "new": new} for old, new in renamed.items()]
