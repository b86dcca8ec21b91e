"""The same for scripts and for CI views: a JSON object, and JUnit with one test case for each way. Pure."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from onehead.reports.paint import visible
from onehead.reports.verification import (
    database_line,
    difference_line,
    limits_line,
    next_step,
    ran_line,
    start,
    what_happened,
)
from onehead.verify.model import Failure, Result, Trial, Tried, Verification, Way


def verification_document(verification: Verification) -> dict[str, Any]:
    """The object of `onehead verify --format json` (docs/schema/onehead.verify-1.json)."""
    return {
        "schema": "onehead.verify/1",
        "verdict": verification.verdict,
        "at": _point(verification.at),
        "target": None if verification.target is None else _point(verification.target),
        "limits": {"seconds": verification.limits.seconds, "mebibytes": verification.limits.mebibytes},
        "network_cut_off": verification.is_cut_off,
        "environments": [
            {
                "path": trial.path,
                "config": trial.config,
                "command": f"alembic upgrade {trial.target}",
                "database": trial.database,
                "versions": dict(trial.versions),
                "revisions": trial.revisions,
                "heads": list(trial.heads),
                "compared": trial.things,
                "left_out": trial.left_out,
                "ways": [_tried(tried) for tried in trial.tried],
            }
            for trial in verification.trials
        ],
    }


def _point(point: tuple[str, str]) -> dict[str, str]:
    return {"ref": point[0], "sha": point[1]}


def _tried(tried: Tried) -> dict[str, Any]:
    return {
        "rows": list(tried.way.rows),
        "reached": list(tried.way.reached),
        "alike": [list(rows) for rows in tried.way.alike],
        "result": str(tried.result),
        "runs": list(tried.ran),
        "rows_after": list(tried.rows_after),
        "lost": list(tried.lost),
        "seconds": round(tried.seconds, 3),
        "failure": None if tried.failure is None else _failure(tried.failure),
        "differences": [{"thing": d.thing, "fresh": d.fresh, "here": d.here} for d in tried.differences],
        "notes": list(tried.notes),
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "making": failure.making,
        "target": failure.target,
        "revision": failure.revision,
        "kind": failure.kind or None,
        "message": failure.message,
        "statement": failure.statement,
        "path": failure.path,
        "line": failure.line,
        "output": failure.output,
    }


def verification_junit(verification: Verification) -> str:
    """A JUnit document: what would break a deploy is a failure, what could not be judged an error."""
    suite = ET.Element("testsuite", name="onehead verify")
    for trial in verification.trials:
        for tried in trial.tried:
            _case(suite, trial, tried, verification)
    if not len(suite):
        # A suite without a case is shown as nothing at all, or taken for a run that broke.
        case = ET.SubElement(suite, "testcase", classname="onehead.verify", name="repository")
        ET.SubElement(case, "skipped", message=verification.coverage)
    suite.set("tests", str(len(suite)))
    for attribute, kind in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    said = [ran_line(verification), verification.coverage, limits_line(verification)]
    said += [f"{trial.path or '.'}: {database_line(trial)}" for trial in verification.trials]
    ET.SubElement(suite, "system-out").text = visible_lines("\n".join(said))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, trial: Trial, tried: Tried, verification: Verification) -> None:
    name = f"{trial.path or '.'}: from {_name(tried.way, start(tried))} to {trial.target}"
    case = ET.SubElement(suite, "testcase", classname="onehead.verify", name=visible(name), time=f"{tried.seconds:.3f}")
    if tried.result is Result.NOT_RUN:
        ET.SubElement(case, "skipped", message="the fresh run has to succeed first")
    elif tried.result is not Result.OK:
        kind = "failure" if tried.result.breaks_a_deploy else "error"
        told = what_happened(tried, trial)
        element = ET.SubElement(case, kind, type=str(tried.result), message=visible(told))
        failure = tried.failure
        lines = [told]
        lines += [f"SQL: {failure.statement}"] if failure is not None and failure.statement else []
        lines += [difference_line(each) for each in tried.differences]
        lines.append(f"→ {next_step(tried, verification)}")
        element.text = visible_lines("\n".join(lines))
        if failure is not None and failure.path is not None:
            case.set("file", visible(failure.path))
            case.set("line", str(failure.line or 1))
    if tried.notes or (tried.failure is not None and tried.failure.output):
        output = "" if tried.failure is None else tried.failure.output
        ET.SubElement(case, "system-out").text = visible_lines("\n".join([*tried.notes, output]))


def _name(way: Way, first: str) -> str:
    """Of two ways from the same rows, the order in which the database came there tells one from the other."""
    return f"{first} ({' '.join(way.legs)})" if way.legs else first


def visible_lines(text: str) -> str:
    """Text of several lines, each without what XML or a terminal can't show."""
    return "\n".join(visible(line) for line in text.splitlines())
