"""The drawing as SVG: well-formed, self-contained, of bounded size; what it shows is told in words and shapes too."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from onehead.reports.graph_svg import MAX_ROWS, Annotation, Drawing, style, svg
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision, Unreadable
from tests.chains import graph
from tests.reports.drawings import parsed
from tests.shapes import SHAPES

NAMES = {"s": "http://www.w3.org/2000/svg"}
LONG = "; ".join(["r000", *(f"r{n:03}<r{n - 1:03}" for n in range(1, 60))])


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iterfind(".//s:text", NAMES)]


def drawn(text: str, **options: object) -> ET.Element:
    return parsed(svg([Drawing("versions", graph(text), **options)]))  # type: ignore[arg-type]


def shapes(root: ET.Element, tag: str, style: str) -> list[ET.Element]:
    return [each for each in root.iterfind(f".//s:{tag}", NAMES) if style in each.attrib.get("class", "").split()]


def test_environments_stand_one_below_the_other() -> None:
    root = parsed(svg([Drawing("a/versions", graph("1; 2<1")), Drawing("", graph("x; y<x; z<x"))]))
    assert words(root) == [
        *("a/versions", "2 revisions, 1 head (2)"),
        *("1", "doc 1"),
        *("2", "doc 2", "head"),
        *(".", "3 revisions, 2 heads (y, z)"),
        *("x", "doc x"),
        *("y", "doc y", "head"),
        *("z", "doc z", "head"),
    ]
    first, second = (element.get("transform") for element in root.iterfind("s:g", NAMES))
    assert (first, second) == ("translate(0 0)", "translate(0 108)")
    assert len(shapes(root, "circle", "og-dot")) == 5
    assert len(shapes(root, "circle", "og-head")) == 3
    # One line for 1, and one for x, which both of its children leave.
    assert len(shapes(root, "path", "og-line")) == 2


def test_nothing_is_fetched_and_both_grounds_are_served() -> None:
    text = svg([Drawing("versions", graph(LONG), link=lambda run: f"?open={run.newest}")])
    assert re.findall(r"(?:src=|url\(|@import|@font-face|<script|\bon\w+=|xlink|foreignObject)", text) == []
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert re.findall(r'href="([^"]*)"', text) == ["?open=r054"]
    assert "@media (prefers-color-scheme: dark)" in text


def test_a_page_brings_the_style_itself() -> None:
    text = svg([Drawing("versions", graph("1; 2<1"))], styled=False)
    assert "<style" not in text
    selectors = [each.strip() for part in re.findall(r"([^{}]+)\{", style()) for each in part.split(",")]
    assert all(each.startswith((".onehead-graph ", "@media", "(prefers")) for each in selectors)
    used = {name for names in re.findall(r'class="([^"]*)"', text) for name in names.split()}
    assert {name for name in used if f".{name}" not in style()} <= {"og-l0"}


def test_it_has_a_name_and_a_description_and_is_no_image_when_it_has_links() -> None:
    root = drawn(LONG)
    assert root.get("role") == "img"
    assert root.findtext("s:title", None, NAMES) == "Alembic revisions: versions"
    assert root.findtext("s:desc", None, NAMES) == "versions: 60 revisions, 1 head (r059)."
    linked = drawn(LONG, link=lambda _: "?open")
    assert linked.get("role") == "group"
    assert [each.get("aria-label") for each in linked.iterfind(".//s:a", NAMES)] == ["open 54 revisions, r001 → r054"]


HOSTILE = "<script>\"']]>&amp;</svg>\x00\x1b\ud800\ufffe\uffff\u202e\n"


def test_hostile_text_stays_text() -> None:
    revisions = [
        Revision(HOSTILE, (HOSTILE + "gone",), HOSTILE, "", branch_labels=(HOSTILE,), doc=HOSTILE),
        Revision("next", (HOSTILE,), "next.py", "", depends_on=(HOSTILE + "need",), doc=HOSTILE),
    ]
    chain = Graph(revisions, [Unreadable(HOSTILE, "", 1, HOSTILE)])
    annotations = {HOSTILE: Annotation(HOSTILE, HOSTILE, HOSTILE, f"/{HOSTILE}")}
    text = svg([Drawing(HOSTILE, chain, annotations=annotations, link=lambda _: HOSTILE)])
    assert "<script" not in text
    root = parsed(text)
    assert words(root)[0] == "<script>\"']]>&amp;</svg>������"
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "g", "text", "path", "circle", "a"}


@pytest.mark.parametrize("href", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "JAVA\tSCRIPT:x"])
def test_a_link_leads_to_a_page_or_nowhere(href: str) -> None:
    assert "href" not in svg([Drawing("v", graph("1"), annotations={"1": Annotation(href=href)})])
    assert 'href="https://x/y"' in svg([Drawing("v", graph("1"), annotations={"1": Annotation(href="https://x/y")})])


def test_a_folded_run_says_how_many_from_where_to_where() -> None:
    root = drawn(LONG)
    assert "… 54 revisions, r001 → r054" in words(root)
    [title] = [each.text or "" for each in root.iterfind(".//s:g/s:g/s:title", NAMES) if "," in (each.text or "")]
    assert title.startswith("r001, r002, ")
    assert title.endswith("r040 and 14 more")
    assert len(words(drawn(LONG, opened=["r054"]))) == len(words(drawn(LONG, full=True))) == 2 + 60 * 2 + 1


def test_what_is_said_beside_a_revision() -> None:
    annotations = {"2": Annotation("feature/oauth", "creates table oauth_tokens", "Ann · #41", "/shop/pulls/41")}
    root = drawn("1; 2<1 @auth; 3<1", annotations=annotations)
    assert words(root)[4:9] == [
        "2", "doc 2", "head", "feature/oauth", "@auth",
    ]  # fmt: skip
    assert words(root)[9] == "creates table oauth_tokens  ·  Ann · #41"
    [link] = root.iterfind(".//s:a", NAMES)
    assert link.get("href") == "/shop/pulls/41"
    # A branch's own revisions have another shape.
    assert len(shapes(root, "rect", "og-dot")) == 1


def test_parents_that_no_file_declares_are_phantoms() -> None:
    root = drawn("1<gone; 2<1 ~lost; " + LONG)
    assert [text for text in words(root) if text.startswith("missing")] == 2 * ["missing: no file declares it"]
    assert len(shapes(root, "circle", "og-missing")) == 2
    assert len(shapes(root, "path", "og-needs")) == 1


def test_a_dependency_is_a_dashed_line_also_by_label() -> None:
    assert len(shapes(drawn("1 @auth; 2<1; x; y<x ~auth; z<y ~2"), "path", "og-needs")) == 2
    assert shapes(drawn("1; 2<1"), "path", "og-needs") == []


def test_circles_and_double_ids_are_told() -> None:
    assert any("(a circle)" in text for text in words(drawn("1<3; 2<1; 3<2")))
    double = words(drawn("1; 2<1; 2<1 path=versions/again.py"))
    assert "in 2 files" in double
    assert double[-1] == "2.py and again.py"


def test_what_a_repair_changes_is_marked() -> None:
    before = graph("1; 2<1; mine<1; own<mine")
    moved = drawn("1; 2<1; mine<2; own<mine", was=before)
    assert len(shapes(moved, "path", "og-repair")) == len(shapes(moved, "path", "og-replaced")) == 1
    assert [text for text in words(moved) if text in {"moved", "new"}] == ["moved"]
    merged = drawn("1; 2<1; mine<1; own<mine; both<own,2", was=before)
    assert [text for text in words(merged) if text in {"moved", "new"}] == ["new"]
    assert len(shapes(merged, "path", "og-new")) == 1
    assert len(shapes(merged, "path", "og-repair")) == 2
    assert shapes(merged, "path", "og-replaced") == []
    renamed = drawn("1; 2<1; other<2; own<other", was=before)
    assert [text for text in words(renamed) if text in {"moved", "new"}] == ["new", "moved"]


def test_a_part_of_it_says_that_it_goes_on() -> None:
    root = drawn(LONG, only=["r030", "r031"])
    assert words(root)[2:] == ["r030", "doc r030", "⋮ after older ones", "r031", "doc r031"]


def test_no_environment_is_an_empty_drawing() -> None:
    root = parsed(svg([]))
    assert root.findtext("s:title", None, NAMES) == "Alembic revisions: none"
    assert (root.get("width"), root.get("height")) == ("40", "40")


@pytest.mark.parametrize("name", ["bases", "comb", "star", "wide merges", "ladder", "circles", "missing", "duplicates"])
def test_of_a_large_chain_a_part_is_drawn_and_the_rest_counted(name: str) -> None:
    files = SHAPES[name](3000)
    chain = Graph(Revision(f.id, f.parents, f.path, f.id) for f in (files.side or files.main))
    text = svg([Drawing("versions", chain)])
    assert len(text.encode()) < 600 * MAX_ROWS
    root = parsed(text)
    assert any(re.match(r"and \d+ revisions more", line) for line in words(root))
    assert int(root.get("width", "")) < 2000


def test_where_the_older_ones_are_left_out_the_first_row_says_so() -> None:
    labels = [
        Revision(f"r{n:04}", (f"r{n - 1:04}",) if n else (), f"{n}", "", branch_labels=(f"l{n}",)) for n in range(2000)
    ]
    shown = words(parsed(svg([Drawing("versions", Graph(labels))])))
    assert shown[2:5] == ["r1000", "@l1000", "⋮ after older ones"]
    assert shown.count("⋮ after older ones") == 1
    assert shown[-1] == "and 1000 revisions more, the oldest and the heads beyond the first"


def test_what_is_long_is_cut() -> None:
    long = "a b" * 2000
    chain = Graph([Revision(long, (), f"versions/{long}.py", "", branch_labels=(long,) * 9, doc=long)])
    root = parsed(svg([Drawing(long, chain, annotations={long: Annotation(long, long, long)})]))
    assert len(svg([Drawing(long, chain, annotations={long: Annotation(long, long, long)})], styled=False)) < 5000
    assert int(root.get("width", "")) < 3000


def test_everything_is_drawn_where_everything_is_wanted() -> None:
    chain = graph("; ".join(["r0000", *(f"r{n:04}<r{n - 1:04}" for n in range(1, MAX_ROWS + 10))]))
    text = svg([Drawing("a", chain, full=True), Drawing("b", chain, full=True)])
    assert len(shapes(parsed(text), "circle", "og-dot")) == 2 * (MAX_ROWS + 10)


def test_of_many_environments_the_rest_is_counted() -> None:
    root = parsed(svg([Drawing(f"app{n}/versions", graph("1; 2<1")) for n in range(60)]))
    assert words(root)[-1] == "and 10 more environments"
