"""Drawings of the chain as Mermaid and SVG, and the chain as text and JSON.

The SVG follows the viewer's light or dark theme (`prefers-color-scheme`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree import ElementTree as ET

from onehead.plan.verdict import Coverage, Point
from onehead.reports.graph import Edge, Node, OutlineLine, Picture, draw, outline
from onehead.reports.parts import Paint, fields, plain, visible
from onehead.reports.terminal import MAX_ENVIRONMENTS, NO_ENVIRONMENT, coverage_text, short_ref
from onehead.revisions.graph import Graph
from onehead.text import cut_words, listed, shortened
from onehead.text import mermaid as harmless
from onehead.text import visible as displayed

_CLASSES = (
    "classDef ours fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
    "classDef theirs fill:#f1f5f9,stroke:#64748b,color:#0f172a",
    "classDef repair fill:#dcfce7,stroke:#16a34a,color:#14532d,stroke-dasharray:4 3",
)

_MAX_SPOKEN = 8
"""Revisions whose children are named to a screen reader."""


def mermaid(picture: Picture, *, target: str = "") -> str:
    """Mermaid source of a picture, left to right.

    Args:
        picture: what to draw.
        target: how to name the target's side in the nodes; empty names no side.
    """
    body = _body(picture, "n", {"target": target, "head": "this branch" if target else "", "repair": "repair"})
    return _document([*_spoken(picture), *body])


def mermaids(pictures: Mapping[str, Picture]) -> str:
    """Mermaid source of several environments in one diagram, each in a frame of its own when there are several."""
    sides = {"target": "", "head": "", "repair": "repair"}
    if len(pictures) == 1:
        return _document(_body(next(iter(pictures.values())), "n", sides))
    lines = []
    for number, (path, picture) in enumerate(pictures.items()):
        lines.append(f'  subgraph e{number}["{harmless(path or ".", 200)}"]')
        lines += [f"  {line}" for line in _body(picture, f"e{number}n", sides)]
        lines.append("  end")
    return _document(lines)


def _spoken(picture: Picture) -> list[str]:
    """What a screen reader says in the place of the picture."""
    followed = [
        f"{harmless(parent)} is followed by {_all(edges)}" for parent, edges in _grouped(picture, False).items()
    ]
    mended = [
        f"the repair puts {_all(edges)} after {harmless(parent)}" for parent, edges in _grouped(picture, True).items()
    ]
    rest = len(followed) - _MAX_SPOKEN
    told = [*followed[:_MAX_SPOKEN], *([f"and so on, {rest} more"] if rest > 0 else []), *mended[:_MAX_SPOKEN]]
    return ["  accTitle: The migrations around the place where the chain parts", f"  accDescr: {'; '.join(told)}."]


def _grouped(picture: Picture, repair: bool) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in picture.edges:
        if edge.repair == repair:
            found.setdefault(edge.parent, []).append(edge)
    return found


def _all(edges: list[Edge]) -> str:
    return " and ".join(
        f"{edge.folded} more and then {harmless(edge.child)}" if edge.folded else harmless(edge.child) for edge in edges
    )


def _document(body: list[str]) -> str:
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


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where everything stands.

    Attributes:
        rows: revision → its row, from 0.
        lane: revision → its lane, from 0.
        edges: each edge with the lane it runs in; no two edges run in one lane beside the same row.
    """

    rows: dict[str, int]
    lane: dict[str, int]
    edges: tuple[tuple[Edge, int], ...]

    @property
    def count(self) -> int:
        """How many lanes there are."""
        return 1 + max([0, *self.lane.values(), *(lane for _, lane in self.edges)])


def svg(pictures: Mapping[str, Picture]) -> str:
    """One SVG document with a drawing per environment, one below the other.

    Args:
        pictures: path of the environment → what to draw.
    """
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    ET.SubElement(root, "title").text = displayed(f"Alembic revisions: {', '.join(pictures) or 'none'}")
    ET.SubElement(root, "style").text = _STYLE
    ground = ET.SubElement(root, "rect", {"class": "ground"})
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
    title = ET.SubElement(group, "text", {"class": "path", "x": str(_MARGIN), "y": str(_MARGIN + 6)})
    title.text = displayed(path or ".")
    for edge, lane in lanes.edges:
        _edge(group, lanes, edge, lane)
    left = _MARGIN + lanes.count * _LANE + 6
    longest = len(path) * 1.2
    for id_ in lanes.rows:
        longest = max(longest, _revision(group, lanes, nodes[id_], left))
    rows = len(lanes.rows)
    if picture.left_out:
        more = ET.SubElement(group, "text", {"class": "fold", "x": str(left), "y": str(_y(rows) + 4)})
        more.text = f"and {picture.left_out} more where lines part, meet or end"
        longest, rows = max(longest, len(more.text)), rows + 1
    for element in group:
        element.tail = "\n"
    return round(left + longest * _LETTER + _MARGIN), (rows + 2) * _ROW


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
    style = f"line l{lane % _LANE_COLOURS}{' folded' if edge.folded else ''}"
    ET.SubElement(group, "path", {"class": style, "d": " ".join(parts)})


def _revision(group: ET.Element, lanes: Lanes, node: Node, left: int) -> float:
    """Draw one revision and its text; how many letters it is long."""
    row, lane = lanes.rows[node.id], lanes.lane[node.id]
    ET.SubElement(
        group,
        "circle",
        {
            "class": "dot head" if node.is_head else "dot",
            "cx": str(_x(lane)),
            "cy": str(_y(row)),
            "r": str(_RADIUS),
        },
    )
    line = ET.SubElement(group, "text", {"x": str(left), "y": str(_y(row) + 4), "xml:space": "preserve"})
    folded = [edge.folded for edge, _ in lanes.edges if edge.child == node.id and edge.folded]
    said = [
        ("fold", f"⋮ after {' and '.join(map(str, folded))} more  " if folded else ""),
        ("id", cut_words(displayed(node.id), _MAX_LETTERS)),
        ("doc", f"  {cut_words(displayed(node.doc), _MAX_LETTERS)}" if node.doc else ""),
        ("id", "  ← head" if node.is_head else ""),
    ]
    for style, text in said:
        if text:
            ET.SubElement(line, "tspan", {"class": style}).text = text
    return sum(len(text) for _, text in said)


_MAX_TROUBLES = 50
"""Of one environment, told in text."""


@dataclass(frozen=True, slots=True)
class Chains:
    """What one commit holds.

    Attributes:
        at: the commit, and the name it was asked for by.
        graphs: path of the environment → its revisions.
        configs: path of the environment → the file that declares it, if one does.
        coverage: what was looked at.
    """

    at: Point
    graphs: Mapping[str, Graph]
    configs: Mapping[str, str | None]
    coverage: Coverage


def chains_text(chains: Chains, pictures: Mapping[str, Picture], paint: Paint = plain) -> str:
    """The text of `onehead graph`.

    Args:
        chains: what the commit holds.
        pictures: path of the environment → what to draw of it, for those that are drawn.
        paint: colours.
    """
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
        "environments": [_environment(path, chains.configs[path], graph) for path, graph in chains.graphs.items()],
    }


def _environment(path: str, config: str | None, graph: Graph) -> dict[str, Any]:
    return {
        "path": path,
        "config": config,
        **fields(graph, "heads", "bases"),
        "branch_points": list(graph.branch_points()),
        "merge_points": list(_merge_points(graph)),
        "missing": [{"revision": revision, "parent": parent} for revision, parent in graph.missing],
        "duplicates": [{"id": id_, "paths": [r.path for r in found]} for id_, found in graph.duplicates.items()],
        "cycles": list(graph.cycles),
        "unreadable": [fields(each, "path", "line", "reason", "id") for each in graph.unreadable],
        "revisions": [
            fields(revision, "id", "parents", "depends_on", "branch_labels", "path", "doc") for revision in graph
        ],
    }


def _merge_points(graph: Graph) -> tuple[str, ...]:
    return tuple(sorted(revision.id for revision in graph.revisions.values() if len(set(revision.parents)) > 1))


def _summary(graph: Graph) -> str:
    heads = visible(listed([*map(shortened, graph.heads)], last=", "))
    count = "1 revision" if len(graph) == 1 else f"{len(graph)} revisions"
    if not graph.heads:
        return f"{count}, no head"
    return f"{count}, {'1 head' if len(graph.heads) == 1 else f'{len(graph.heads)} heads'} ({heads})"


def _troubles(graph: Graph) -> Iterator[str]:
    for revision, parent in graph.missing:
        yield f"missing: {visible(shortened(revision))} needs {visible(shortened(parent))}, which no file declares"
    for id_, found in graph.duplicates.items():
        yield f"duplicate: {visible(shortened(id_))} is declared by {listed([visible(r.path) for r in found])}"
    if graph.cycles:
        yield f"circle: {visible(listed([*map(shortened, graph.cycles)]))} follow each other"
    for unreadable in graph.unreadable:
        line = f", line {unreadable.line}" if unreadable.line else ""
        yield f"not read: {visible(unreadable.path)}{line}: {visible(unreadable.reason)}"
