"""The drawing as SVG: well-formed, self-contained, nothing on top of anything else."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree as ET

import pytest

from onehead.reports.formats import lanes_of, svg
from onehead.reports.graph import outline, whole_picture
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from tests.chains import graph

NAMES = {"s": "http://www.w3.org/2000/svg"}


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own output


def words(root: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iterfind(".//s:text", NAMES)]


def test_environments_stand_one_below_the_other() -> None:
    root = parsed(
        svg({"a/versions": whole_picture(graph("1; 2<1")), "b/versions": whole_picture(graph("x; y<x; z<x"))})
    )
    assert words(root) == [
        "a/versions",
        "1  doc 1",
        "2  doc 2  ← head",
        "b/versions",
        "x  doc x",
        "y  doc y  ← head",
        "z  doc z  ← head",
    ]
    tops = [element.get("transform") for element in root.iterfind("s:g", NAMES)]
    assert tops == ["translate(0 0)", "translate(0 104)"]
    assert len(root.findall(".//s:circle", NAMES)) == 5
    assert len(root.findall(".//s:path", NAMES)) == 3


def test_nothing_is_fetched_and_both_grounds_are_served() -> None:
    text = svg({"versions": whole_picture(graph("1; 2<1"))})
    assert re.findall(r"(?:href|src|url\(|@import|@font-face|<script)", text) == []
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "@media (prefers-color-scheme: dark)" in text


def test_hostile_text_stays_text() -> None:
    revision = Revision("<script>", (), "versions/a.py", "", doc='"]]> & </svg> \x00\x1b\ud800')
    text = svg({"<path>": whole_picture(Graph([revision]))})
    assert words(parsed(text)) == ["<path>", '<script>  "]]> & </svg> ���  ← head']
    assert "<script" not in text


def test_folded_runs_say_how_many() -> None:
    chain = "; ".join(["r0", *(f"r{n}<r{n - 1}" for n in range(1, 20))])
    root = parsed(svg({"versions": whole_picture(graph(chain))}))
    assert words(root)[3] == "⋮ after 16 more  r18  doc r18"
    assert len([path for path in root.iterfind(".//s:path", NAMES) if "folded" in (path.get("class") or "")]) == 1


def test_no_environment_is_an_empty_drawing() -> None:
    root = parsed(svg({}))
    assert root.find("s:title", NAMES).text == "Alembic revisions: none"  # type: ignore[union-attr]
    assert (root.get("width"), root.get("height")) == ("40", "40")


@pytest.mark.parametrize("seed", range(40))
def test_no_line_runs_through_a_revision_or_along_another_line(seed: int) -> None:
    dice = random.Random(seed)
    found: list[Revision] = []
    for number in range(dice.randint(2, 25)):
        ids = [revision.id for revision in found]
        parents = tuple(sorted(dice.sample(ids, min(len(ids), dice.choice([0, 1, 1, 1, 2])))))
        found.append(Revision(f"r{number:02}", parents, f"versions/r{number:02}.py", ""))
    lanes = lanes_of(list(outline(whole_picture(Graph(found)))))
    places = {(row, lanes.lane[id_]) for id_, row in lanes.rows.items()}
    taken: set[tuple[int, int]] = set()
    for edge, lane in lanes.edges:
        start, end = lanes.rows[edge.parent], lanes.rows[edge.child]
        assert start < end
        between = {(row, lane) for row in range(start + 1, end)}
        assert not between & places
        assert not between & taken
        taken |= between
