"""Verdicts and chains in the formats of others: JSON (schemas in docs/schema/), SARIF, JUnit, Mermaid and SVG.

The SVG follows the viewer's light or dark theme (`prefers-color-scheme`).
"""

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
from onehead.reports.graph import Edge, Node, OutlineLine, Picture, draw, outline
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
from onehead.text import cut_words, listed, named, visible
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


_ROW = 26
_LANE = 18
_MARGIN = 20
_RADIUS = 5
_LETTER = 7.5
"""Width of a letter in pixels, a little more than most monospace fonts of this size need."""
_LANE_COLOURS = 6
_MAX_LETTERS = 60

_STYLE = """
  text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
  .path { font-weight: 700; font-size: 14px; } .doc, .fold { fill: #59636e; } .id { font-weight: 600; }
  .ground { fill: #ffffff; } .line { fill: none; stroke-width: 2; } .folded { stroke-dasharray: 2 4; }
  .dot { fill: #ffffff; stroke: #1f2328; stroke-width: 2; } .head { fill: #1f2328; }
  .l0 { stroke: #0969da; } .l1 { stroke: #bc4c00; } .l2 { stroke: #1a7f37; }
  .l3 { stroke: #8250df; } .l4 { stroke: #bf3989; } .l5 { stroke: #9a6700; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .doc, .fold { fill: #9198a1; } .ground { fill: #0d1117; }
    .dot { fill: #0d1117; stroke: #f0f6fc; } .head { fill: #f0f6fc; }
    .l0 { stroke: #4493f8; } .l1 { stroke: #db6d28; } .l2 { stroke: #3fb950; }
    .l3 { stroke: #ab7df8; } .l4 { stroke: #db61a2; } .l5 { stroke: #d29922; }
  }
"""


class Lanes(NamedTuple):
    """The row and the lane of each revision, and each edge with the lane it runs in.

    No two edges run in one lane beside the same row.
    """

    rows: dict[str, int]
    lane: dict[str, int]
    edges: tuple[tuple[Edge, int], ...]

    @property
    def number(self) -> int:
        """How many lanes there are."""
        return 1 + max([0, *self.lane.values(), *(lane for _, lane in self.edges)])


def svg(pictures: Mapping[str, Picture]) -> str:
    """One SVG document with a drawing per environment (by its path), one below the other."""
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    ET.SubElement(root, "title").text = visible(f"Alembic revisions: {', '.join(pictures) or 'none'}")
    ET.SubElement(root, "style").text = _STYLE
    ground = _shape(root, "rect", "ground")
    top, width = 0, 0
    for path, picture in pictures.items():
        wide, high = _drawing(root, path, picture, top)
        top, width = top + high, max(width, wide)
    width, height = max(width, 2 * _MARGIN), max(top, 2 * _MARGIN)
    root.attrib |= {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    ground.attrib |= {"width": str(width), "height": str(height)}
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def lanes_of(places: list[OutlineLine]) -> Lanes:
    """Give every revision a row and every edge a lane that is free from the one end to the other."""
    rows = {place.id: number for number, place in enumerate(places)}
    lane: dict[str, int] = {}
    busy: dict[int, Edge] = {}
    drawn: list[tuple[Edge, int]] = []
    following: dict[str, list[Edge]] = {place.id: [] for place in places}
    for place in places:
        for edge in place.parents:
            following[edge.parent].append(edge)
    for place in places:
        arriving = sorted(number for number, edge in busy.items() if edge.child == place.id)
        drawn += [(busy.pop(number), number) for number in arriving]
        lane[place.id] = arriving[0] if arriving else _free(busy)
        # The line that goes on longest keeps the lane: so the main line stays straight and its sides leave it.
        for edge in sorted(following[place.id], key=lambda edge: -rows[edge.child]):
            busy[lane[place.id] if lane[place.id] not in busy else _free(busy)] = edge
    return Lanes(rows, lane, tuple(drawn))


def _free(busy: dict[int, Edge]) -> int:
    return next(number for number in range(len(busy) + 1) if number not in busy)


def _drawing(root: ET.Element, path: str, picture: Picture, top: int) -> tuple[int, int]:
    """Draw one environment below `top`; its width and height in pixels."""
    nodes = {node.id: node for node in picture.nodes}
    lanes = lanes_of(list(outline(picture)))
    group = ET.SubElement(root, "g", transform=f"translate(0 {top})")
    group.text = group.tail = "\n"
    _shape(group, "text", "path", x=_MARGIN, y=_MARGIN + 6).text = visible(path or ".")
    for edge, lane in lanes.edges:
        _edge(group, lanes, edge, lane)
    left = _MARGIN + lanes.number * _LANE + 6
    longest = len(path) * 1.2
    for id_ in lanes.rows:
        longest = max(longest, _revision(group, lanes, nodes[id_], left))
    rows = len(lanes.rows)
    if picture.left_out:
        more = f"and {picture.left_out} more where lines part, meet or end"
        _shape(group, "text", "fold", x=left, y=_y(rows) + 4).text = more
        longest, rows = max(longest, len(more)), rows + 1
    for element in group:
        element.tail = "\n"
    return round(left + longest * _LETTER + _MARGIN), (rows + 2) * _ROW


def _shape(parent: ET.Element, tag: str, style: str, **numbers: int) -> ET.Element:
    return ET.SubElement(parent, tag, {"class": style, **{name: str(number) for name, number in numbers.items()}})


def _x(lane: int) -> int:
    return _MARGIN + lane * _LANE + _LANE // 2


def _y(row: int) -> int:
    return (row + 2) * _ROW - _ROW // 4


def _edge(group: ET.Element, lanes: Lanes, edge: Edge, lane: int) -> None:
    """From the parent into the lane, straight down, and into the child."""
    x, half, bend = _x(lane), _ROW // 2, _ROW // 4
    from_x, from_y = _x(lanes.lane[edge.parent]), _y(lanes.rows[edge.parent])
    to_x, to_y = _x(lanes.lane[edge.child]), _y(lanes.rows[edge.child])
    parts = [f"M{from_x} {from_y}"]
    if from_x != x:
        parts.append(f"C{from_x} {from_y + bend} {x} {from_y + bend} {x} {from_y + half}")
    if to_x != x:
        parts.append(f"L{x} {to_y - half} C{x} {to_y - bend} {to_x} {to_y - bend} {to_x} {to_y}")
    else:
        parts.append(f"L{x} {to_y}")
    _shape(group, "path", f"line l{lane % _LANE_COLOURS}{' folded' if edge.folded else ''}").set("d", " ".join(parts))


def _revision(group: ET.Element, lanes: Lanes, node: Node, left: int) -> float:
    """Draw one revision and its text; how many letters it is long."""
    row, lane = lanes.rows[node.id], lanes.lane[node.id]
    _shape(group, "circle", "dot head" if node.is_head else "dot", cx=_x(lane), cy=_y(row), r=_RADIUS)
    line = ET.SubElement(group, "text", {"x": str(left), "y": str(_y(row) + 4), "xml:space": "preserve"})
    folded = [edge.folded for edge, _ in lanes.edges if edge.child == node.id and edge.folded]
    said = [
        ("fold", f"⋮ after {' and '.join(map(str, folded))} more  " if folded else ""),
        ("id", cut_words(visible(node.id), _MAX_LETTERS)),
        ("doc", f"  {cut_words(visible(node.doc), _MAX_LETTERS)}" if node.doc else ""),
        ("id", "  ← head" if node.is_head else ""),
    ]
    for style, text in said:
        if text:
            _shape(line, "tspan", style).text = text
    return sum(len(text) for _, text in said)


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
        lines += ["", f"{paint('strong', visible(path or '.'))}: {_summary(graph)}"]
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


def _summary(graph: Graph) -> str:
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
