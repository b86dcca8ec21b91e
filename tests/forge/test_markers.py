from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.forge.intents import Marker, make, mark, parse

KINDS = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,3}", fullmatch=True)
FACTS = st.dictionaries(
    st.text(max_size=10).filter(lambda key: key != "about"),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=40), st.lists, max_leaves=5),
    max_size=4,
)


def test_line_is_fixed() -> None:
    line = make(Marker("verdict", facts={"head": "abc", "b": 1}))
    assert line == '<!-- onehead:verdict v1 {"b":1,"head":"abc"} -->'
    assert make(Marker("answer", "17")) == '<!-- onehead:answer v1 {"about":"17"} -->'


@given(KINDS, st.text(max_size=40), FACTS)
def test_what_is_made_is_read_again(kind: str, about: str, facts: dict[str, object]) -> None:
    marker = Marker(kind, about, facts)
    line = make(marker)
    assert "\n" not in line
    assert line.isascii()
    # One comment from the first character to the last: nothing in between can end it.
    assert line.startswith("<!-- ")
    assert line.index("--", 4) == len(line) - 3
    assert line.count(">") == 1
    assert parse(mark(marker, "# Text\n\nmore")) == marker


def test_end_of_a_comment_inside_a_fact() -> None:
    line = make(Marker("verdict", facts={"branch": "x--><script>--!>"}))
    assert line == (
        '<!-- onehead:verdict v1 {"branch":"x\\u002d\\u002d\\u003e\\u003cscript\\u003e\\u002d\\u002d!\\u003e"} -->'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "\n<!-- onehead:verdict v1 {} -->",
        " <!-- onehead:verdict v1 {} -->",
        "> <!-- onehead:verdict v1 {} -->",
        "<!-- onehead:verdict v1 {} --> and more",
        "<!-- onehead:verdict v2 {} -->",
        "<!-- onehead:Verdict v1 {} -->",
        "<!-- onehead:verdict v1 {",
        "<!-- onehead:verdict v1 {]} -->",
        "<!-- onehead:verdict v1 [1] -->",
        '<!-- onehead:verdict v1 {"about":7} -->',
        "<!-- onehead:verdict v1 {" + '"a":{' * 1200 + "}" * 1201 + " -->",
        '<!-- onehead:verdict v1 {"a":"' + "x" * 9000 + '"} -->',
        '<!-- onehead:verdict v1 {"a":' + "1" * 5000 + "} -->",
    ],
)
def test_anything_else_is_no_marker(text: str) -> None:
    assert parse(text) is None


def test_windows_line_end_is_read() -> None:
    assert parse("<!-- onehead:verdict v1 {} -->\r\ntext") == Marker("verdict")


@given(st.text(max_size=300))
def test_parse_never_fails(text: str) -> None:
    parse(text)
    parse(f"<!-- onehead:verdict v1 {text} -->")
    parse(f"<!-- onehead:verdict v1 {json.dumps({'x': text})} -->")


def test_place_is_kind_and_subject() -> None:
    here = Marker("answer", "17", {"head": "a"})
    assert here.same_place(Marker("answer", "17", {"head": "b"}))
    assert not here.same_place(Marker("answer", "18"))
    assert not here.same_place(Marker("verdict", "17"))
    assert not here.same_place(None)


@pytest.mark.parametrize("kind", ["", "Verdict", "a b", "x-->", "a--b", "a-", "é"])
def test_bad_kind_is_a_mistake_of_ours(kind: str) -> None:
    with pytest.raises(ValueError, match="not a marker"):
        Marker(kind)


def test_facts_may_not_hide_the_subject() -> None:
    with pytest.raises(ValueError, match="not a marker"):
        Marker("verdict", facts={"about": "x"})
