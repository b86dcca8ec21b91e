"""The chains of environments as one SVG document: lanes, a row per revision, straight runs folded. Pure.

The document has no script and fetches nothing. It follows the viewer's light or dark theme, and whatever a colour says,
a shape or a word says too: the revisions of a branch are squares, what a repair adds are diamonds, heads are filled.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple
from xml.etree import ElementTree as ET

from onehead.render import stock
from onehead.reports.formats import summary
from onehead.reports.lanes import Lanes, Link, Run, Track, folded, lanes_of, nearest_to_heads
from onehead.reports.terminal import MAX_ENVIRONMENTS, number_of
from onehead.revisions.graph import Graph
from onehead.text import cut_words, listed, named, visible

MAX_ROWS = 1_000
"""Rows of a document in which not every revision is wanted."""

MAX_LISTED = 40
"""Ids of a folded run that its tooltip lists."""

_MAX_ID = 32
_MAX_WORDS = 60
_MAX_SUMMARY = 120
_MAX_BADGES = 3
_MAX_FILES = 3
_MAX_UNREAD = 5
_ROW = 26
_NOTE = 15
"""How much higher a row with a second line is."""
_LANE = 18
_MARGIN = 20
_RADIUS = 5
_LETTER = 7.3
"""Width of a letter in pixels, a little more than most monospace fonts of this size need."""
_SMALL = 6.7
_LANE_COLOURS = 6
_OLDER = "⋮ after older ones"


class Annotation(NamedTuple):
    """What a drawing says of one revision, beside its id and message; all of it plain text from anywhere.

    Attributes:
        side: who brought it, where it is not the drawn branch itself.
        note: what it does to the schema.
        by: its author, its pull request.
        href: where its id leads to: an address of http or https, or one that begins with `/`, `?` or `#`.
    """

    side: str = ""
    note: str = ""
    by: str = ""
    href: str = ""


class Drawing(NamedTuple):
    """One chain to draw.

    Attributes:
        name: the path of its environment.
        annotations: by id; a revision without an entry has its id and message alone.
        was: the same chain before a repair; what the repair changes is marked.
        only: the ids to draw; `None` for all.
        full: fold nothing and draw every row.
        opened: a folded run is opened by any of its ids; what is shown are `MAX_OPENED` revisions, that one the newest.
        link: where a folded run leads to, which is to open it; `Run.newest` tells which one it is.
    """

    name: str
    graph: Graph
    annotations: Mapping[str, Annotation] = {}
    was: Graph | None = None
    only: Collection[str] | None = None
    full: bool = False
    opened: Collection[str] = ()
    link: Callable[[Run], str] | None = None


def style() -> str:
    """The style sheet, for a page that has drawings without their own; every selector begins with `.onehead-graph`."""
    return stock("graph.css").decode()


def svg(drawings: Iterable[Drawing], *, styled: bool = True) -> str:
    """One SVG document with the drawings one below the other; without its style it is for a page that has it."""
    wanted = list(drawings)
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "onehead-graph"})
    title = ", ".join(each.name or "." for each in wanted) or "none"
    ET.SubElement(root, "title").text = visible(f"Alembic revisions: {cut_words(title, 200)}")
    described = ET.SubElement(root, "desc")
    if styled:
        ET.SubElement(root, "style").text = "\n" + style()
    ground = ET.SubElement(root, "rect", {"class": "og-ground"})
    top, width, room, told = 0, 2 * _MARGIN, MAX_ROWS, []
    drawn = 0
    for drawing in wanted:
        if not drawing.full and (room <= 0 or drawn == MAX_ENVIRONMENTS):
            break
        sheet = _Sheet(root, top)
        room -= _draw(sheet, drawing, room)
        top, width = top + sheet.height, max(width, sheet.width)
        told.append(f"{named(drawing.name or '.')}: {summary(drawing.graph)}.")
        drawn += 1
    if rest := len(wanted) - drawn:
        sheet = _Sheet(root, top)
        sheet.words(_MARGIN, _MARGIN, "og-dim", f"and {number_of(rest, 'more environment')}")
        top, width = top + 2 * _MARGIN, max(width, sheet.width)
    described.text = " ".join(told) or "There is nothing to draw."
    size = {"width": str(width), "height": str(max(top, 2 * _MARGIN))}
    # What stands inside an image is nothing that a keyboard or a screen reader could follow.
    role = "group" if root.find(".//a") is not None else "img"
    root.attrib |= {"role": role, **size, "viewBox": f"0 0 {size['width']} {size['height']}"}
    ground.attrib |= size
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


class _Chart(NamedTuple):
    """What is to be drawn of a chain: ids and links, and what the chain itself does not say of an id."""

    ids: list[str]
    links: list[Link]
    missing: frozenset[str]
    added: frozenset[str]
    moved: frozenset[str]
    cut: frozenset[str]
    """Those of which a parent is not drawn because it was not wanted."""


def _chart(drawing: Drawing) -> _Chart:
    graph = drawing.graph
    wanted = graph.revisions.keys() if drawing.only is None else graph.revisions.keys() & {*drawing.only}
    links = [Link(parent, id_) for id_ in wanted for parent in graph.parents(id_)]
    cut = frozenset(link.upper for link in links if link.lower not in wanted)
    for id_ in wanted:
        for revision in graph.definitions(id_):
            # Of a label that several carry, which is a mistake, the first: or lines would be as many as both together.
            found = (graph.labelled.get(need, (need,))[0] for need in revision.depends_on)
            links += [Link(other, id_, "needs") for other in found if other in graph]
    gone = [(id_, parent) for id_, parent in graph.missing if id_ in wanted]
    below = {(each.id, parent) for each in graph for parent in each.parents} if gone else set()
    links += [Link(parent, id_, "parent" if (id_, parent) in below else "needs") for id_, parent in gone]
    missing = dict.fromkeys(parent for _, parent in gone)
    added: set[str] = set()
    moved: set[str] = set()
    if drawing.was is not None:
        before = {Link(parent, id_) for id_ in drawing.was.revisions for parent in drawing.was.parents(id_)}
        added = {id_ for id_ in wanted if id_ not in drawing.was}
        links = [link._replace(tie="repair") if link.tie == "parent" and link not in before else link for link in links]
        moved = {link.upper for link in links if link.tie == "repair"} - added
        links += [link._replace(tie="replaced") for link in sorted(before.difference(links))]
    ids = [*missing, *sorted(wanted)]
    known = set(ids)
    links = [link for link in dict.fromkeys(links) if link.lower in known and link.upper in known]
    return _Chart(ids, links, frozenset(missing), frozenset(added), frozenset(moved), cut)


def _rows(drawing: Drawing, chart: _Chart, room: int) -> tuple[list[Run], _Chart]:
    """What is drawn of a chain in so many rows, and the chart, which knows what was cut off for them."""
    if drawing.full:
        return [Run((id_,)) for id_ in chart.ids], chart
    graph = drawing.graph
    kept = {link.upper for link in chart.links if link.lower in chart.missing}
    kept |= {*graph.duplicates, *chart.added, *chart.moved, *chart.cut}
    kept |= {id_ for id_ in graph.revisions if graph.revisions[id_].branch_labels}
    sides = {id_: each.side for id_, each in drawing.annotations.items()}
    runs = folded(chart.ids, chart.links, kept, sides, drawing.opened)
    if len(runs) <= room:
        return runs, chart
    near = nearest_to_heads(runs, chart.links, room)
    runs = [run for number, run in enumerate(runs) if number in near]
    drawn = {id_ for run in runs for id_ in run.ids}
    cut = {link.upper for link in chart.links if link.lower not in drawn}
    return runs, chart._replace(cut=chart.cut | cut)


def _draw(sheet: _Sheet, drawing: Drawing, room: int) -> int:
    """Draw one chain; how many rows it takes."""
    graph = drawing.graph
    runs, chart = _rows(drawing, _chart(drawing), room)
    lanes = lanes_of(runs, chart.links, {id_ for id_, each in drawing.annotations.items() if each.side})
    drawn = _DrawnChain(sheet, drawing, chart, lanes)
    drawn.draw()
    left_out = len(chart.ids) - sum(len(run.ids) for run in runs)
    if left_out:
        drawn.below(f"and {number_of(left_out, 'revision')} more, the oldest and the heads beyond the first", "og-dim")
    for unread in graph.unreadable[:_MAX_UNREAD]:
        line = f", line {unread.line}" if unread.line else ""
        drawn.below(f"not read: {named(unread.path)}{line}: {named(unread.reason)}", "og-wrong")
    if len(graph.unreadable) > _MAX_UNREAD:
        drawn.below(f"and {len(graph.unreadable) - _MAX_UNREAD} more files that could not be read", "og-wrong")
    return len(runs)


class _Sheet:
    """A group of the document to draw on; it grows with what is drawn."""

    def __init__(self, root: ET.Element, top: int) -> None:
        self.group = ET.SubElement(root, "g", transform=f"translate(0 {top})")
        self.group.text = self.group.tail = "\n"
        self.width = self.height = 0

    def shape(self, tag: str, style: str, parent: ET.Element | None = None, **numbers: float | str) -> ET.Element:
        """Draw a shape, which a line of the document ends after."""
        found = {"class": style, **{name: _number(number) for name, number in numbers.items()}}
        return self._ended(self.group if parent is None else parent, tag, found)

    def words(self, x: float, y: float, style: str, text: str, parent: ET.Element | None = None) -> float:
        """Write one line; where it ends."""
        small = "og-small" in style
        self.shape("text", style, parent, x=x, y=y).text = text
        end = x + _width(text) * (_SMALL if small else _LETTER * 1.17 if "og-name" in style else _LETTER)
        self.width = max(self.width, round(end + _MARGIN))
        return end

    def badge(self, x: float, y: float, style: str, text: str) -> float:
        """Write a word in a frame; where the frame ends."""
        end = x + _width(text) * _SMALL + 12
        self.shape("rect", f"og-badge {style}", x=x, y=y - 12, width=end - x, height=16, rx=8)
        self.words(x + 6, y, "og-small og-on-head" if style == "og-badge-head" else "og-small", text)
        return end

    def linked(self, href: str, tooltip: str, name: str) -> ET.Element:
        """A group that leads to an address, if that is one to follow; `name`: what a screen reader says of the link."""
        leads = re.match(r"https?://|[/?#]", href)
        found = self._ended(self.group, *("a", {"href": visible(href), "aria-label": name}) if leads else ("g", {}))
        ET.SubElement(found, "title").text = tooltip
        return found

    def _ended(self, parent: ET.Element, tag: str, attributes: dict[str, str]) -> ET.Element:
        found = ET.SubElement(parent, tag, attributes)
        found.tail = "\n"
        return found


def _number(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.1f}".removesuffix(".0")


def _width(text: str) -> int:
    """How many letters of a monospace font a text is wide."""
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def _x(lane: int) -> int:
    return _MARGIN + lane * _LANE + _LANE // 2


class _DrawnChain:
    """The rows of one chain, and where each is on its sheet."""

    def __init__(self, sheet: _Sheet, drawing: Drawing, chart: _Chart, lanes: Lanes) -> None:
        self.sheet, self.drawing, self.chart, self.lanes = sheet, drawing, chart, lanes
        self.left = _MARGIN + lanes.number * _LANE + 12
        self.heads = {*drawing.graph.heads}
        self.y: list[int] = []
        sheet.height = _ROW + _MARGIN
        for run in lanes.runs:
            self.y.append(sheet.height)
            sheet.height += _ROW + (_NOTE if self._second(run) else 0)
        ids = [run.newest for run in lanes.runs if not run.is_fold]
        self.words = self.left + (min(_MAX_ID, max(map(_width, ids), default=0)) + 2) * _LETTER
        self.without_line: dict[int, list[str]] = defaultdict(list)
        for link in lanes.without_line:
            lower = named(lanes.runs[link.lower].newest)
            said = {"parent": "after", "needs": "needs", "repair": "repair: after", "replaced": "was after"}[link.tie]
            self.without_line[link.upper].append(f"{said} {lower}{' (a circle)' if link.in_circle else ''}")

    def draw(self) -> None:
        """Draw name, lines and rows."""
        end = self.sheet.words(_MARGIN, _MARGIN + 6, "og-name", named(self.drawing.name or "."))
        self.sheet.words(end + _LETTER, _MARGIN + 6, "og-dim", cut_words(summary(self.drawing.graph), _MAX_SUMMARY))
        for track in self.lanes.tracks:
            self._track(track)
        for row, run in enumerate(self.lanes.runs):
            self._fold(row, run) if run.is_fold else self._revision(row, run.newest)
        self.sheet.height += _MARGIN // 2

    def below(self, text: str, style: str) -> None:
        """Write a line below all rows."""
        self.sheet.words(_MARGIN, self.sheet.height, style, text)
        self.sheet.height += _ROW

    def _second(self, run: Run) -> str:
        """What the second line of a row says; nothing where it has none."""
        if run.is_fold:
            return ""
        annotation = self.drawing.annotations.get(run.newest, Annotation())
        files = [revision.path.rpartition("/")[2] for revision in self.drawing.graph.duplicates.get(run.newest, ())]
        said = (listed(files, _MAX_FILES), annotation.note, annotation.by)
        return "  ·  ".join(cut_words(visible(text), 2 * _MAX_WORDS) for text in said if text)

    def _track(self, track: Track) -> None:
        """From a revision into the lane, down, and out of it to each that stands on the revision."""
        x, y = _x(track.lane), self.y
        from_x, from_y = _x(self.lanes.lane[track.row]), y[track.row]
        parts = [f"M{from_x} {from_y}"]
        ends = list(track.ends)
        if from_x != x and ends[0] == track.row + 1:
            # The next row leaves no room to go into the lane and out of it again.
            parts += [_bend(from_x, from_y, _x(self.lanes.lane[ends[0]]), y[ends[0]]), f"M{from_x} {from_y}"]
            del ends[0]
        if from_x != x and ends:
            parts.append(_bend(from_x, from_y, x, from_y + _ROW))
        for end in ends:
            to_x = _x(self.lanes.lane[end])
            parts.append(f"L{x} {y[end] - (0 if to_x == x else _ROW)}")
            if to_x != x:
                parts += [_bend(x, y[end] - _ROW, to_x, y[end]), f"M{x} {y[end] - _ROW}"]
        if parts[-1].startswith("M"):
            parts.pop()
        style = f"og-line og-l{track.lane % _LANE_COLOURS}" + ("" if track.tie == "parent" else f" og-{track.tie}")
        self.sheet.shape("path", style, d=" ".join(parts))

    def _fold(self, row: int, run: Run) -> None:
        sheet, y = self.sheet, self.y[row]
        x = _x(self.lanes.lane[row])
        first, newest = (cut_words(visible(id_), _MAX_ID) for id_ in (run.ids[0], run.newest))
        text = f"… {number_of(len(run.ids), 'revision')}, {first} → {newest}"
        tooltip = listed([named(id_) for id_ in run.ids], MAX_LISTED, last=", ")
        group = sheet.linked(self.drawing.link(run) if self.drawing.link else "", tooltip, f"open {text[2:]}")
        sheet.shape("rect", "og-dot", group, x=x - 6, y=y - 8, width=12, height=16, rx=3)
        for step in (-4, 0, 4):
            sheet.shape("circle", "og-head", group, cx=x, cy=y + step, r=1.2)
        wide = _width(text) * _LETTER + 12
        sheet.shape("rect", "og-box", group, x=self.left - 6, y=y - 10, width=wide, height=20, rx=4)
        sheet.words(self.left, y + 4, "og-dim", text, group)
        if run.ids[0] in self.chart.cut:
            sheet.words(self.left + wide, y + 4, "og-dim", _OLDER)

    def _revision(self, row: int, id_: str) -> None:
        sheet, y = self.sheet, self.y[row]
        annotation = self.drawing.annotations.get(id_, Annotation())
        revision = self.drawing.graph.revisions.get(id_)
        path = named(revision.path) if revision else ""
        group = sheet.linked(annotation.href, f"{named(id_)} {path}".strip(), named(id_))
        self._dot(_x(self.lanes.lane[row]), y, id_, group)
        sheet.words(self.left, y + 4, "og-id", cut_words(visible(id_), _MAX_ID), group)
        end = self.words
        doc = revision.doc if revision else ""
        if doc:
            end = sheet.words(end, y + 4, "", cut_words(visible(doc), _MAX_WORDS)) + _LETTER
        for style, text in self._badges(id_, annotation):
            end = sheet.badge(end, y + 4, style, cut_words(visible(text), _MAX_ID)) + 5
        if row in self.without_line:
            end = sheet.words(end, y + 4, "og-dim", listed(self.without_line[row], 3)) + _LETTER
        if id_ in self.chart.cut:
            sheet.words(end, y + 4, "og-dim", _OLDER)
        if second := self._second(self.lanes.runs[row]):
            sheet.words(self.words, y + 4 + _NOTE, "og-dim og-small", second)

    def _badges(self, id_: str, annotation: Annotation) -> list[tuple[str, str]]:
        graph = self.drawing.graph
        found: list[tuple[str, str]] = []
        if id_ in self.heads:
            found.append(("og-badge-head", "head"))
        if id_ in self.chart.missing:
            found.append(("og-badge-wrong", "missing: no file declares it"))
        if id_ in self.chart.added:
            found.append(("og-badge-new", "new"))
        if id_ in self.chart.moved:
            found.append(("og-badge-new", "moved"))
        if id_ in graph.duplicates:
            found.append(("og-badge-wrong", f"in {len(graph.duplicates[id_])} files"))
        if annotation.side:
            found.append(("", annotation.side))
        if id_ in graph:
            labels = graph.revisions[id_].branch_labels
            found += [("", f"@{label}") for label in labels[:_MAX_BADGES]]
            if len(labels) > _MAX_BADGES:
                found.append(("", f"{len(labels) - _MAX_BADGES} more labels"))
        return found

    def _dot(self, x: int, y: int, id_: str, group: ET.Element) -> None:
        sheet, r = self.sheet, _RADIUS
        filled = " og-head" if id_ in self.heads else ""
        if id_ in self.chart.missing:
            sheet.shape("circle", "og-dot og-missing", group, cx=x, cy=y, r=r)
        elif id_ in self.chart.added:
            sheet.shape("path", "og-dot og-new", group, d=f"M{x} {y - 7}L{x + 7} {y}L{x} {y + 7}L{x - 7} {y}Z")
        elif self.drawing.annotations.get(id_, Annotation()).side:
            sheet.shape("rect", f"og-dot{filled}", group, x=x - r, y=y - r, width=2 * r, height=2 * r, rx=1)
        else:
            sheet.shape("circle", f"og-dot{filled}", group, cx=x, cy=y, r=r)


def _bend(x: int, y: int, to_x: int, to_y: int) -> str:
    half = (y + to_y) // 2
    return f"C{x} {half} {to_x} {half} {to_x} {to_y}"
