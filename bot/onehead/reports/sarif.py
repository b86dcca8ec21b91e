"""Findings as SARIF 2.1.0, for code scanning views."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import quote

from onehead.plan.findings import KINDS, Code, Finding
from onehead.plan.verdict import Examination, Examined
from onehead.reports.paint import visible
from onehead.reports.places import MOST_SHOWN, Lines, Place, all_findings, left_out, places

_LONGEST_FINGERPRINT = 1000
"""Characters; a longer one is told by its hash."""

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def sarif(examination: Examination, version: str, lines: Lines, help_address: str) -> dict[str, Any]:
    """One SARIF log with one run; each finding points at its files, the first one being the place to change.

    Args:
        examination: what was judged.
        version: of onehead.
        lines: in which line of its files each finding stands.
        help_address: of the page about findings; each has a section named after its code.
    """
    codes = list(Code)
    rules = [
        {
            "id": str(code),
            "shortDescription": {"text": KINDS[code].meaning},
            "fullDescription": {"text": KINDS[code].meaning},
            "help": {"text": KINDS[code].hint},
            "helpUri": f"{help_address}#{code}",
            "defaultConfiguration": {"level": _LEVELS[KINDS[code].severity]},
        }
        for code in codes
    ]
    driver = {"name": "onehead", "version": version, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [_invocation(examination)],
                "results": [
                    _result(finding, examined, codes.index(finding.code), lines)
                    for finding, examined in all_findings(examination)
                ],
            }
        ],
    }


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
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{visible(finding.message)} {finding.hint}"},
        # Several `locations` would mean that every one of them has to be changed.
        "locations": [_location(place) for place in found[:1]],
        # What stays the same from run to run, so that a view does not take an old finding for a new one.
        "partialFingerprints": {"onehead/v1": _fingerprint(environment, finding)},
        "properties": {
            "introduced_by": finding.introduced_by,
            "left_out": left_out(finding),
            "revisions": [*map(visible, finding.revisions[:MOST_SHOWN])],
        },
    }
    if found[1:]:
        result["relatedLocations"] = [{"id": number, **_location(place)} for number, place in enumerate(found[1:], 1)]
    return result


def _fingerprint(environment: str, finding: Finding) -> str:
    text = _uri("/".join((environment, finding.code, *finding.revisions)))
    return text if len(text) <= _LONGEST_FINGERPRINT else sha256(text.encode()).hexdigest()


def _location(place: Place) -> dict[str, Any]:
    file = {"uri": _uri(place.path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": file, "region": {"startLine": place.line or 1}}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))
