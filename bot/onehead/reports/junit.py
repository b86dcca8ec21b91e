"""A verdict as JUnit XML: one test case per environment, failed by what its branch brings."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from onehead.plan.findings import Finding
from onehead.plan.verdict import Examination
from onehead.reports.paint import visible
from onehead.reports.text import compared_line, coverage_line


def junit(examination: Examination) -> str:
    """A JUnit document; what could not be judged is an error, what would break a deploy a failure."""
    suite = ET.Element("testsuite", name="onehead")
    failures = errors = 0
    for examined in examination.environments:
        failed, blind = _case(suite, examination, examined.facts.environment.path, examined.findings)
        failures, errors = failures + failed, errors + blind
    if examination.findings:
        failed, blind = _case(suite, examination, "repository", examination.findings)
        failures, errors = failures + failed, errors + blind
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    ET.SubElement(suite, "system-out").text = f"{visible(compared_line(examination))}\n{coverage_line(examination)}"
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, examination: Examination, name: str, findings: tuple[Finding, ...]) -> tuple[bool, bool]:
    case = ET.SubElement(suite, "testcase", classname="onehead", name=visible(name or "."))
    own = [f for f in findings if f.severity == "error" and f.introduced_by == examination.judged]
    certain = [finding for finding in own if not finding.blinds]
    for kind, found in (("failure", certain), ("error", [] if certain else own)):
        if found:
            element = ET.SubElement(case, kind, type=str(found[0].code), message=visible(found[0].message))
            element.text = "\n".join(visible(f"{finding.message} {finding.hint}") for finding in found)
    return bool(certain), bool(own) and not certain
