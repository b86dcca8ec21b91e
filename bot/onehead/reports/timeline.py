"""The past of a branch as a picture: time from left to right, a bar for each environment, and its incidents on it.

One SVG without scripts and without anything from elsewhere. It follows the viewer's light or dark theme, and says in
words all that it draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from textwrap import wrap
from typing import NamedTuple
from xml.etree import ElementTree as ET

from onehead.plan.incidents import EnvironmentPast, History, Incident
from onehead.render import stock
from onehead.reports.history import (
    brought_by,
    date,
    duration,
    how_ended,
    incident_words,
    incidents_in,
    looked_at,
    totals,
)
from onehead.text import cut_words, visible

_WIDTH = 1000
_MARGIN = 24
_BAR = 16
"""Height of one lane of a bar."""
_ROW = 20
_LETTER = 7.5
_MAX_HEADING = 108
"""Letters of a line of the heading, which are wider."""
_MIN_BLOCK = 4
"""Pixels; a short incident must still be seen."""
MAX_LANES = 6
"""Blocks that would cover each other are drawn below each other, in so many lanes."""
MAX_DRAWN_ENVIRONMENTS = 40
MAX_LISTED_INCIDENTS = 60
"""Below the bars: those that lasted longest."""
_MAX_SPOKEN = 20
"""Incidents that the description names for a screen reader."""
_MAX_TICKS = 10

_KINDS = (
    ("stops", "`alembic upgrade head` stops"),
    ("doubled", "a duplicate id: one revision never runs"),
    ("unread", "could not be judged"),
)


class _Block(NamedTuple):
    """An incident on a bar: where, in pixels, and in which lane."""

    number: int
    left: float
    width: float
    lane: int


def timeline(history: History) -> str:
    """The SVG document."""
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "role": "img",
            "aria-labelledby": "onehead-history-title onehead-history-description",
        },
    )
    ET.SubElement(root, "title", id="onehead-history-title").text = totals(history)
    ET.SubElement(root, "desc", id="onehead-history-description").text = " ".join(_spoken(history))
    ET.SubElement(root, "style").text = "\n" + stock("timeline.css").decode()
    ground = ET.SubElement(root, "rect", {"class": "ground"})
    top = 30
    for line in wrap(totals(history).replace("`", ""), _MAX_HEADING):
        _text(root, "heading", _MARGIN, top, line)
        top += _ROW
    _text(root, "quiet", _MARGIN, top, looked_at(history))
    first = top - 50
    grid = ET.SubElement(root, "g", transform=f"translate(0 {first})")
    top += 46
    for environment in history.environments[:MAX_DRAWN_ENVIRONMENTS]:
        top = _bar(root, history, environment, top)
    if len(history.environments) > MAX_DRAWN_ENVIRONMENTS:
        more = len(history.environments) - MAX_DRAWN_ENVIRONMENTS
        _text(root, "quiet", _MARGIN, top, f"{more} more environments are not drawn.")
        top += _ROW
    _ticks(grid, history, top - 8 - first)
    top = _legend(root, history, top + 12)
    top = _list(root, history, top)
    size = {"width": str(_WIDTH), "height": str(top + _MARGIN)}
    root.attrib |= {**size, "viewBox": f"0 0 {_WIDTH} {top + _MARGIN}"}
    ground.attrib |= size
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _spoken(history: History) -> Iterator[str]:
    yield looked_at(history)
    for number, incident in enumerate(history.incidents[:_MAX_SPOKEN]):
        yield f"{_sentence(history, number, incident)}."
    if len(history.incidents) > _MAX_SPOKEN:
        yield f"And {len(history.incidents) - _MAX_SPOKEN} more."


def _sentence(history: History, number: int, incident: Incident) -> str:
    start, end = history.interval(incident)
    since = f"before {date(start)}" if incident.is_older else date(start)
    where = visible(incident.environment or ".")
    return (
        f"{number + 1}: {since}, {duration(end - start)}, {incident_words(incident)} in {where}, brought by "
        f"{brought_by(history, number)}; {how_ended(history, incident)}"
    )


def _row(history: History, number: int, incident: Incident) -> str:
    """The same, short."""
    start, end = history.interval(incident)
    where = f" in {visible(incident.environment or '.')}" if len(history.environments) > 1 else ""
    came = f"{incident_words(incident)}{where} ({brought_by(history, number)})"
    return f"{number + 1}: {date(start)}, {duration(end - start)}, {came}; {how_ended(history, incident)}"


def _x(history: History, seconds: float) -> float:
    first, last = history.clock[0], max(history.end, history.clock[0] + 1)
    return round(_MARGIN + (_WIDTH - 2 * _MARGIN) * (min(seconds, last) - first) / (last - first), 1)


def _bar(root: ET.Element, history: History, environment: EnvironmentPast, top: int) -> int:
    """Draw one environment below `top`; where the next one may begin."""
    group = ET.SubElement(root, "g")
    _text(group, "path", _MARGIN, top, cut_words(visible(environment.path or "."), 110))
    incidents = incidents_in(history, environment)
    blocks = _blocks(history, incidents)
    lanes = 1 + max((block.lane for block in blocks), default=0)
    top += 8
    start = history.clock[environment.appeared or 0]
    vanished = environment.vanished
    left, right = _x(history, start), _x(history, history.until if vanished is None else history.clock[vanished])
    bar = _rect(group, "bar", left, top, max(right - left, _MIN_BLOCK), lanes * _BAR)
    ET.SubElement(bar, "title").text = f"{visible(environment.path or '.')}, from {date(start)} on"
    known = dict(incidents)
    labelled = -1.0
    for block in blocks:
        incident = known[block.number]
        style = f"block {_kind(incident)}{' open' if incident.ended is None else ''}"
        drawn = _rect(group, style, block.left, top + block.lane * _BAR, block.width, _BAR)
        ET.SubElement(drawn, "title").text = _sentence(history, block.number, incident)
        label = str(block.number + 1)
        if block.left >= labelled and len(history.incidents) > 1:
            _text(group, "tick", block.left, top + lanes * _BAR + 12, label)
            labelled = block.left + (len(label) + 1) * _LETTER
    return top + lanes * _BAR + (44 if blocks else 28)


def _kind(incident: Incident) -> str:
    return "unread" if incident.is_unjudged else "stops" if incident.stops else "doubled"


def _blocks(history: History, incidents: list[tuple[int, Incident]]) -> list[_Block]:
    """Each incident as a block that is wide enough to be seen, in the first lane where it covers no other one."""
    ends: list[float] = []
    found = []
    for number, incident in incidents:
        start, end = (_x(history, each) for each in history.interval(incident))
        width = max(round(end - start, 1), _MIN_BLOCK)
        left = min(start, _WIDTH - _MARGIN - width)
        lane = next((lane for lane, taken in enumerate(ends) if taken <= left), len(ends))
        if lane == MAX_LANES:
            lane = min(range(MAX_LANES), key=ends.__getitem__)
        ends[lane : lane + 1] = [left + width]
        found.append(_Block(number, left, width, lane))
    return found


def _ticks(grid: ET.Element, history: History, bottom: int) -> None:
    """Lines at round dates, from above the bars to below them."""
    reached = -1.0
    for at, label in _round_dates(history.clock[0], history.end):
        x = _x(history, at)
        ET.SubElement(grid, "line", {"class": "grid", "x1": f"{x}", "x2": f"{x}", "y1": "74", "y2": str(bottom)})
        if x >= reached and x + len(label) * _LETTER < _WIDTH:
            _text(grid, "tick", x + 3, 72, label)
            reached = x + (len(label) + 1) * _LETTER


def _round_dates(first: int, last: int) -> list[tuple[int, str]]:
    """Round points in time between two, at most ten or so, and how each is written."""
    for step, form in ((3600, "%H:%M"), (6 * 3600, "%m-%d %H:%M"), (86400, "%m-%d"), (7 * 86400, "%Y-%m-%d")):
        if last - first <= step * _MAX_TICKS:
            times = range(-(-first // step) * step, last + 1, step)
            return [(each, datetime.fromtimestamp(each, UTC).strftime(form)) for each in times]
    months = (last - first) // 2_629_746 + 1
    step = next((each for each in (1, 2, 3, 6, 12, 24, 60, 120) if months <= each * _MAX_TICKS), 1200)
    start = datetime.fromtimestamp(first, UTC)
    number = -(-(start.year * 12 + start.month) // step) * step
    found = []
    while number // 12 < 9999:
        year, month = divmod(number, 12)
        at = int((datetime(year, month + 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
        if at > last:
            break
        found.append((at, f"{year:04}" if step % 12 == 0 else f"{year:04}-{month + 1:02}"))
        number += step
    return found


def _legend(root: ET.Element, history: History, top: int) -> int:
    there = {_kind(incident) for incident in history.incidents}
    for style, words in _KINDS:
        if style in there:
            _rect(root, f"block {style}", _MARGIN, top, _BAR, _BAR - 4)
            _text(root, "quiet", _MARGIN + _BAR + 8, top + 10, words.replace("`", ""))
            top += _ROW
    return top + (_ROW if there else 0)


def _list(root: ET.Element, history: History, top: int) -> int:
    """What lasted longest, in words, in the order in which it began."""
    numbers = sorted(range(len(history.incidents)), key=lambda number: -_seconds(history, number))
    shown = sorted(numbers[:MAX_LISTED_INCIDENTS])
    group = ET.SubElement(root, "g")
    for number in shown:
        line = _row(history, number, history.incidents[number])
        _text(group, "", _MARGIN, top + 10, cut_words(line, int((_WIDTH - 2 * _MARGIN) / _LETTER)))
        top += _ROW
    if len(numbers) > len(shown):
        rest = f"{len(numbers) - len(shown)} shorter ones are not listed; `onehead history --format json` has them all."
        _text(group, "quiet", _MARGIN, top + 10, rest)
        top += _ROW
    return top


def _seconds(history: History, number: int) -> int:
    start, end = history.interval(history.incidents[number])
    return end - start


def _text(parent: ET.Element, style: str, x: float, y: float, text: str) -> None:
    ET.SubElement(parent, "text", {**({"class": style} if style else {}), "x": f"{x:g}", "y": f"{y:g}"}).text = text


def _rect(parent: ET.Element, style: str, x: float, y: float, width: float, height: float) -> ET.Element:
    sides = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
    return ET.SubElement(parent, "rect", {"class": style, **sides})
