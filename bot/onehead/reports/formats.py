"""A verdict for scripts and CI: JSON (schemas in docs/schema/), SARIF 2.1.0 and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from onehead.plan.findings import KINDS, Code, Finding
from onehead.plan.plans import Plan, Refuse, Reissue, Reparent
from onehead.plan.verdict import Examination, Examined
from onehead.reports.parts import (
    MAX_SHOWN,
    FilePlace,
    Lines,
    all_findings,
    both_sides_document,
    fields,
    left_out,
    places,
    visible,
)
from onehead.reports.terminal import compared_line, coverage_line
from onehead.revisions.model import FileChange


def document(
    examination: Examination,
    changes: dict[str, tuple[FileChange, ...]],
    lines: Lines,
    schema: str = "onehead.check/1",
) -> dict[str, Any]:
    """The object of `check --format json`; `changes`: the files each plan would touch, by environment path."""
    return {
        "schema": schema,
        "verdict": examination.verdict,
        "target": fields(examination.target, "ref", "sha"),
        "head": None if examination.head is None else fields(examination.head, "ref", "sha"),
        "merge_base": examination.merge_base,
        "coverage": examination.coverage._asdict(),
        "not_judged": [
            {"code": each.code, "message": each.message, "paths": list(each.paths[:MAX_SHOWN])}
            for each in examination.unjudged
        ],
        "findings": [_finding(finding, None, lines) for finding in examination.findings],
        "environments": [
            _environment(examined, changes.get(examined.facts.environment.path, ()), lines)
            for examined in examination.environments
        ],
    }


def _environment(examined: Examined, changes: tuple[FileChange, ...], lines: Lines) -> dict[str, Any]:
    facts = examined.facts
    return {
        **fields(facts.environment, "path", "config"),
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
        **fields(finding, "severity", "introduced_by", "message", "hint"),
        "revisions": list(finding.revisions[:MAX_SHOWN]),
        "paths": list(finding.paths[:MAX_SHOWN]),
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


_MAX_FINGERPRINT_LENGTH = 1000
"""Characters; a longer one is told by its hash."""


def sarif(examination: Examination, version: str, lines: Lines, help_address: str) -> dict[str, Any]:
    """One SARIF log with one run; each finding points at its files, the first one being the place to change.

    The page at `help_address` has a section for each code of a finding.
    """
    codes = list(Code)
    rules = [
        {
            "id": str(code),
            "shortDescription": {"text": KINDS[code].meaning},
            "fullDescription": {"text": KINDS[code].meaning},
            "help": {"text": KINDS[code].hint},
            "helpUri": f"{help_address}#{code}",
            "defaultConfiguration": {"level": KINDS[code].severity},
        }
        for code in codes
    ]
    run = {
        "tool": {"driver": {"name": "onehead", "version": version, "rules": rules}},
        "invocations": [_invocation(examination)],
        "results": [
            _result(finding, examined, codes.index(finding.code), lines)
            for finding, examined in all_findings(examination)
        ],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _invocation(examination: Examination) -> dict[str, Any]:
    """Without it, a view would take a branch that could not be judged for one without findings."""
    found: dict[str, Any] = {"executionSuccessful": examination.verdict != "unreadable"}
    if examination.unjudged:
        found["toolExecutionNotifications"] = [
            {"level": "note", "message": {"text": f"Not judged: {visible(each.message)}"}}
            for each in examination.unjudged
        ]
    return found


def _result(finding: Finding, examined: Examined | None, rule: int, lines: Lines) -> dict[str, Any]:
    found = places(finding, examined, lines)
    environment = examined.facts.environment.path if examined else ""
    result: dict[str, Any] = {
        "ruleId": str(finding.code),
        "ruleIndex": rule,
        "level": finding.severity,  # SARIF has the same three
        "message": {"text": f"{visible(finding.message)} {finding.hint}"},
        # Several `locations` would mean that every one of them has to be changed.
        "locations": [_location(place) for place in found[:1]],
        # What stays the same from run to run, so that a view does not take an old finding for a new one.
        "partialFingerprints": {"onehead/v1": _fingerprint(environment, finding)},
        "properties": {
            "introduced_by": finding.introduced_by,
            "left_out": left_out(finding),
            "revisions": [*map(visible, finding.revisions[:MAX_SHOWN])],
        },
    }
    if found[1:]:
        result["relatedLocations"] = [{"id": number, **_location(place)} for number, place in enumerate(found[1:], 1)]
    return result


def _fingerprint(environment: str, finding: Finding) -> str:
    text = _uri("/".join((environment, finding.code, *finding.revisions)))
    return text if len(text) <= _MAX_FINGERPRINT_LENGTH else sha256(text.encode()).hexdigest()


def _location(place: FilePlace) -> dict[str, Any]:
    file = {"uri": _uri(place.path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": file, "region": {"startLine": place.line or 1}}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))


_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def junit(examination: Examination, lines: Lines, found: str = "") -> str:
    """A JUnit document; what could not be judged is an error, what would break a deploy a failure.

    `found`: how the sides were found, when nobody named them.
    """
    suite = ET.Element("testsuite", name="onehead")
    for examined in examination.environments:
        name = examined.facts.environment.path or "."
        _case(suite, name, examined.findings, examination.judged, examined, lines)
    if examination.findings:
        _case(suite, "repository", examination.findings, examination.judged, None, lines)
    said = [visible(compared_line(examination, found)), coverage_line(examination)]
    said += [f"Not judged: {visible(each.message)}" for each in examination.unjudged]
    return junit_text(suite, "onehead", coverage_line(examination), "\n".join(said))


def junit_text(suite: ET.Element, classname: str, coverage: str, said: str) -> str:
    """The document around the cases of a suite: their numbers, and what is said of all of them."""
    if not len(suite):
        # A suite without a case is shown as nothing at all, or taken for a run that broke.
        case = ET.SubElement(suite, "testcase", classname=classname, name="repository")
        ET.SubElement(case, "skipped", message=coverage)
    suite.set("tests", str(len(suite)))
    for attribute, kind in _COUNTED.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    ET.SubElement(suite, "system-out").text = said
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(
    suite: ET.Element, name: str, findings: Iterable[Finding], judged: str, examined: Examined | None, lines: Lines
) -> None:
    case = ET.SubElement(suite, "testcase", classname="onehead", name=visible(name))
    own = [f for f in findings if f.severity == "error" and f.introduced_by == judged]
    certain = [finding for finding in own if not finding.blinds]
    kind, failing = ("failure", certain) if certain else ("error", own)
    if failing:
        first = places(failing[0], examined, lines)
        if first:
            case.set("file", visible(first[0].path))
            case.set("line", str(first[0].line or 1))
        element = ET.SubElement(case, kind, type=str(failing[0].code), message=visible(failing[0].message))
        element.text = "\n".join(_told(finding, examined, lines) for finding in failing)
    told = {*map(id, failing)}
    others = [finding for finding in findings if id(finding) not in told]
    if others:
        ET.SubElement(case, "system-out").text = "\n".join(_told(finding, examined, lines) for finding in others)


def _told(finding: Finding, examined: Examined | None, lines: Lines) -> str:
    where = "".join(f"\n  {visible(str(place))}" for place in places(finding, examined, lines))
    where += f"\n  and {left_out(finding)} more" if left_out(finding) else ""
    return f"{finding.severity} {finding.code}: {visible(finding.message)} {finding.hint}{where}"
