"""Verdicts and chains in the formats of others: JSON (schemas in docs/schema/), SARIF, JUnit and Mermaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from onehead.plan.findings import KINDS, Code, Finding
from onehead.plan.forks import Fork, between
from onehead.plan.plans import Plan, Refuse, Reissue, Reparent
from onehead.plan.verdict import Coverage, Examination, Examined, Point
from onehead.reports.graph import Node, Picture, draw
from onehead.reports.terminal import (
    MAX_ENVIRONMENTS,
    MAX_SHOWN,
    NO_ENVIRONMENT,
    FilePlace,
    Lines,
    all_findings,
    compared_line,
    coverage_line,
    coverage_text,
    left_out,
    number_of,
    places,
    short_ref,
)
from onehead.revisions.graph import Graph
from onehead.revisions.model import FileChange
from onehead.screen import Paint, plain
from onehead.text import listed, named, visible
from onehead.text import mermaid as harmless


def fields(value: object, *names: str) -> dict[str, Any]:
    """Some fields of a value under their own names, as JSON has them: a tuple is a list."""
    found = ((name, getattr(value, name)) for name in names)
    return {name: list(each) if isinstance(each, tuple) else each for name, each in found}


def both_sides_document(examined: Examined, fork: Fork | None = None) -> list[dict[str, Any]]:
    """One object per pair of heads, of one fork or of all."""
    interactions = examined.interactions if fork is None else between(examined.interactions, fork)
    return [{"heads": list(each.heads), "verdict": each.kind, "first": each.first} for each in interactions]


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
    if said := _not_judged(examination):
        found["toolExecutionNotifications"] = [{"level": "note", "message": {"text": each}} for each in said]
    return found


def _not_judged(examination: Examination) -> list[str]:
    return [f"Not judged: {visible(each.message)}" for each in examination.unjudged]


def _result(finding: Finding, examined: Examined | None, rule: int, lines: Lines) -> dict[str, Any]:
    found = places(finding, examined, lines)
    environment = examined.facts.environment.path if examined else ""
    fingerprint = _uri("/".join((environment, finding.code, *finding.revisions)))
    if len(fingerprint) > _MAX_FINGERPRINT_LENGTH:
        fingerprint = sha256(fingerprint.encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": str(finding.code),
        "ruleIndex": rule,
        "level": finding.severity,  # SARIF has the same three
        "message": {"text": f"{visible(finding.message)} {finding.hint}"},
        # Several `locations` would mean that every one of them has to be changed.
        "locations": [_location(place) for place in found[:1]],
        # What stays the same from run to run, so that a view does not take an old finding for a new one.
        "partialFingerprints": {"onehead/v1": fingerprint},
        "properties": {
            "introduced_by": finding.introduced_by,
            "left_out": left_out(finding),
            "revisions": [*map(visible, finding.revisions[:MAX_SHOWN])],
        },
    }
    if found[1:]:
        result["relatedLocations"] = [{"id": number, **_location(place)} for number, place in enumerate(found[1:], 1)]
    return result


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
        _case(suite, examined.facts.environment.path or ".", examined.findings, examination.judged, examined, lines)
    if examination.findings:
        _case(suite, "repository", examination.findings, examination.judged, None, lines)
    said = [visible(compared_line(examination, found)), coverage_line(examination), *_not_judged(examination)]
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


# -- drawings of a chain --------------------------------------------------------------------------------------------

_CLASSES = (
    "classDef ours fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
    "classDef theirs fill:#f1f5f9,stroke:#64748b,color:#0f172a",
    "classDef repair fill:#dcfce7,stroke:#16a34a,color:#14532d,stroke-dasharray:4 3",
)

_MAX_SPOKEN = 8
"""Revisions whose children are named to a screen reader."""


def mermaid(picture: Picture, *, target: str = "") -> str:
    """Mermaid source of a picture, left to right; `target`: how to name its side in the nodes, if at all."""
    body = _body(picture, "n", {"target": target, "head": "this branch" if target else "", "repair": "repair"})
    return _diagram([*_spoken(picture), *body])


def mermaids(pictures: Mapping[str, Picture]) -> str:
    """Mermaid source of several environments in one diagram, each in a frame of its own when there are several."""
    sides = {"target": "", "head": "", "repair": "repair"}
    if len(pictures) == 1:
        return _diagram(_body(next(iter(pictures.values())), "n", sides))
    lines = []
    for number, (path, picture) in enumerate(pictures.items()):
        lines.append(f'  subgraph e{number}["{harmless(path or ".", 200)}"]')
        lines += [f"  {line}" for line in _body(picture, f"e{number}n", sides)]
        lines.append("  end")
    return _diagram(lines)


def _spoken(picture: Picture) -> list[str]:
    """What a screen reader says in the place of the picture."""
    followed = [f"{parent} is followed by {children}" for parent, children in _spoken_edges(picture, repair=False)]
    mended = [f"the repair puts {children} after {parent}" for parent, children in _spoken_edges(picture, repair=True)]
    rest = len(followed) - _MAX_SPOKEN
    told = [*followed[:_MAX_SPOKEN], *([f"and so on, {rest} more"] if rest > 0 else []), *mended[:_MAX_SPOKEN]]
    return ["  accTitle: The migrations around the place where the chain parts", f"  accDescr: {'; '.join(told)}."]


def _spoken_edges(picture: Picture, *, repair: bool) -> Iterator[tuple[str, str]]:
    """Every parent, and its children in words."""
    found: dict[str, list[str]] = {}
    for edge in picture.edges:
        if edge.repair == repair:
            between = f"{edge.folded} more and then " if edge.folded else ""
            found.setdefault(edge.parent, []).append(between + harmless(edge.child))
    return ((harmless(parent), " and ".join(children)) for parent, children in found.items())


def _diagram(body: list[str]) -> str:
    return "\n".join(["graph LR", *body, *(f"  {style}" for style in _CLASSES)]) + "\n"


def _body(picture: Picture, prefix: str, side: Mapping[str, str]) -> list[str]:
    name = {node.id: f"{prefix}{number}" for number, node in enumerate(picture.nodes)}
    lines = [f'  {name[node.id]}["{_label(node, side[node.owner])}"]' for node in picture.nodes]
    for edge in picture.edges:
        new = f", as {harmless(edge.new_id)}" if edge.new_id else ""
        arrow = f"-.->|repair{new}|" if edge.repair else f"-->|{edge.folded} more|" if edge.folded else "-->"
        lines.append(f"  {name[edge.parent]} {arrow} {name[edge.child]}")
    if picture.left_out:
        lines.append(f'  {prefix}more["and {picture.left_out} more"]')
    for owner, style in (("head", "ours"), ("target", "theirs"), ("repair", "repair")):
        members = [name[node.id] for node in picture.nodes if node.owner == owner]
        if members:
            lines.append(f"  class {','.join(members)} {style}")
    return lines


def _label(node: Node, side: str) -> str:
    parts = [f"<b>{harmless(node.id)}</b>", harmless(node.doc, 40), harmless(side)]
    return "<br/>".join(part for part in parts if part)


_MAX_TROUBLES = 50
"""Of one environment, told in text."""


class Chains(NamedTuple):
    """What one commit holds: by the path of its environment, each chain, and the file that declares it, if one does."""

    at: Point
    graphs: Mapping[str, Graph]
    configs: Mapping[str, str | None]
    coverage: Coverage


def chains_text(chains: Chains, pictures: Mapping[str, Picture], paint: Paint = plain) -> str:
    """The text of `onehead graph`; `pictures`: path of an environment → what to draw of it, where it is drawn."""
    at = chains.at
    where = at.sha[:10] if short_ref(at.ref) == at.sha[:10] else f"{visible(short_ref(at.ref))} ({at.sha[:10]})"
    if not chains.graphs:
        return f"Revisions at {where}.\n{NO_ENVIRONMENT}\n"
    lines = [f"Revisions at {where}, oldest first. {coverage_text(chains.coverage)}"]
    for path, picture in islice(pictures.items(), MAX_ENVIRONMENTS):
        graph = chains.graphs[path]
        lines += ["", f"{paint('strong', visible(path or '.'))}: {summary(graph)}"]
        lines += draw(picture, {}, paint, with_older=True)
        troubles = list(_troubles(graph))
        lines += [f"  {paint('error', trouble)}" for trouble in troubles[:_MAX_TROUBLES]]
        if len(troubles) > _MAX_TROUBLES:
            lines.append(f"  and {len(troubles) - _MAX_TROUBLES} more; `--format json` lists them all")
    rest = len(pictures) - MAX_ENVIRONMENTS
    if rest > 0:
        lines += ["", f"{rest} more environments are not shown; `--format json` lists them all."]
    if any(len(picture.nodes) < len(chains.graphs[path]) for path, picture in pictures.items()):
        lines += ["", "⋮ marks revisions that are not drawn: `--full` draws all, `--around REV` draws those near one."]
    return "\n".join(lines) + "\n"


def chains_document(chains: Chains) -> dict[str, Any]:
    """The object of `onehead graph --format json` (docs/schema/onehead.graph-1.json)."""
    at, coverage = chains.at, chains.coverage
    return {
        "schema": "onehead.graph/1",
        "at": fields(at, "ref", "sha"),
        "coverage": fields(coverage, "environments", "files", "read"),
        "environments": [_chain(path, chains.configs[path], graph) for path, graph in chains.graphs.items()],
    }


def _chain(path: str, config: str | None, graph: Graph) -> dict[str, Any]:
    return {
        "path": path,
        "config": config,
        **fields(graph, "heads", "bases"),
        "branch_points": list(graph.branch_points()),
        "merge_points": sorted(id_ for id_, revision in graph.revisions.items() if len(set(revision.parents)) > 1),
        "missing": [{"revision": revision, "parent": parent} for revision, parent in graph.missing],
        "duplicates": [{"id": id_, "paths": [r.path for r in found]} for id_, found in graph.duplicates.items()],
        "cycles": list(graph.cycles),
        "unreadable": [fields(each, "path", "line", "reason", "id") for each in graph.unreadable],
        "revisions": [
            fields(revision, "id", "parents", "depends_on", "branch_labels", "path", "doc") for revision in graph
        ],
    }


def summary(graph: Graph) -> str:
    """How many revisions and heads, and which: `25 revisions, 1 head (025)`."""
    count = number_of(len(graph), "revision")
    if not graph.heads:
        return f"{count}, no head"
    return f"{count}, {number_of(len(graph.heads), 'head')} ({listed([*map(named, graph.heads)], last=', ')})"


def _troubles(graph: Graph) -> Iterator[str]:
    for revision, parent in graph.missing:
        yield f"missing: {named(revision)} needs {named(parent)}, which no file declares"
    for id_, found in graph.duplicates.items():
        yield f"duplicate: {named(id_)} is declared by {listed([visible(r.path) for r in found])}"
    if graph.cycles:
        yield f"circle: {listed([*map(named, graph.cycles)])} follow each other"
    for unreadable in graph.unreadable:
        line = f", line {unreadable.line}" if unreadable.line else ""
        yield f"not read: {visible(unreadable.path)}{line}: {visible(unreadable.reason)}"
