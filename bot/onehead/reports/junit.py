"""A verdict as JUnit XML: one test case per environment, failed by what its branch brings."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from onehead.plan.findings import Finding
from onehead.plan.verdict import Examination, Examined
from onehead.reports.paint import visible
from onehead.reports.places import Lines, left_out, places
from onehead.reports.text import compared_line, coverage_line

_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def junit(examination: Examination, lines: Lines, found: str = "") -> str:
    """A JUnit document; what could not be judged is an error, what would break a deploy a failure.

    Args:
        examination: what was judged.
        lines: in which line of its files each finding stands.
        found: how the sides were found, when nobody named them.
    """
    suite = ET.Element("testsuite", name="onehead")
    for examined in examination.environments:
        name = examined.facts.environment.path or "."
        _case(suite, name, examined.findings, examination.judged, examined, lines)
    if examination.findings:
        _case(suite, "repository", examination.findings, examination.judged, None, lines)
    if not len(suite):
        # A suite without a case is shown as nothing at all, or taken for a run that broke.
        case = ET.SubElement(suite, "testcase", classname="onehead", name="repository")
        ET.SubElement(case, "skipped", message=coverage_line(examination))
    suite.set("tests", str(len(suite)))
    for attribute, kind in _COUNTED.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    said = [visible(compared_line(examination, found)), coverage_line(examination)]
    said += [f"Not judged: {visible(each.message)}" for each in examination.unjudged]
    ET.SubElement(suite, "system-out").text = "\n".join(said)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(
    suite: ET.Element,
    name: str,
    findings: Iterable[Finding],
    judged: str,
    examined: Examined | None,
    lines: Lines,
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
