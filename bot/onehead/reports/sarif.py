"""Findings as SARIF 2.1.0, for code scanning views."""

from __future__ import annotations

from typing import Any

from onehead.plan.findings import KINDS, Code
from onehead.plan.verdict import Examination

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def sarif(examination: Examination, version: str) -> dict[str, Any]:
    """One SARIF log with one run; each finding points at its files."""
    codes = list(Code)
    rules = [
        {
            "id": str(code),
            "shortDescription": {"text": KINDS[code].meaning},
            "help": {"text": KINDS[code].hint},
            "defaultConfiguration": {"level": _LEVELS[KINDS[code].severity]},
        }
        for code in codes
    ]
    results = [
        {
            "ruleId": str(finding.code),
            "ruleIndex": codes.index(finding.code),
            "level": _LEVELS[finding.severity],
            "message": {"text": f"{finding.message} {finding.hint}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": finding.line or 1}}}
                for path in finding.paths
            ],
            "properties": {"introduced_by": finding.introduced_by, "revisions": list(finding.revisions)},
        }
        for findings in (examination.findings, *(examined.findings for examined in examination.environments))
        for finding in findings
    ]
    driver = {"name": "onehead", "version": version, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
