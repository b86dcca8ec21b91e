"""Pictures as one SVG file: a row per revision, oldest first, a lane per line of history, no outside resources.

It is readable on light and on dark ground, where the viewer tells (`prefers-color-scheme`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from onehead.quoting import cut_words
from onehead.quoting import visible as displayed
from onehead.reports.outline import Place, outline
from onehead.reports.picture import Edge, Node, Picture

_ROW = 26
_LANE = 18
_MARGIN = 20
_RADIUS = 5
_LETTER = 7.5
"""Width of a letter in pixels, a little more than most monospace fonts of this size need."""
_LANE_COLOURS = 6
_MOST_LETTERS = 60

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


def lanes_of(places: list[Place]) -> Lanes:
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
        ("id", cut_words(displayed(node.id), _MOST_LETTERS)),
        ("doc", f"  {cut_words(displayed(node.doc), _MOST_LETTERS)}" if node.doc else ""),
        ("id", "  ← head" if node.is_head else ""),
    ]
    for style, text in said:
        if text:
            ET.SubElement(line, "tspan", {"class": style}).text = text
    return sum(len(text) for _, text in said)
