"""Values between two processes: what is sent arrives, and what is not of its type is never built."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import pytest

from onehead.plan.findings import Code
from onehead.plan.plans import Nothing, Plan, Refuse
from onehead.plan.verdict import Point
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision, Unreadable
from onehead.service.wire import BadWire, Wire


class Parts(NamedTuple):
    """Of every kind that values are made of."""

    text: str
    number: int
    flag: bool
    data: bytes | None
    when: datetime
    code: Code
    word: Literal["a", "b"]
    plan: Plan
    pair: tuple[str, int]
    many: tuple[Point, ...]
    ids: frozenset[str]
    table: Mapping[tuple[str, ...], str]


PARTS = Parts(
    text="\udc80\n",
    number=7,
    flag=True,
    data=b"\xff\0",
    when=datetime(2026, 11, 29, tzinfo=UTC),
    code=Code.COLLISION,
    word="b",
    plan=Refuse((), ("by hand",)),
    pair=("x", 1),
    many=(Point("a", "b"),),
    ids=frozenset({"2", "1"}),
    table={("a", "b"): "c"},
)


def sent(value: Any, kind: Any, wires: tuple[Wire, Wire] | None = None) -> Any:
    here, there = wires or (Wire(), Wire())
    return there.read(json.loads(json.dumps(here.write(value, kind))), kind)


def test_what_is_sent_arrives() -> None:
    assert sent(PARTS, Parts) == PARTS
    assert sent(PARTS._replace(data=None, plan=Nothing(())), Parts).plan == Nothing(())


def test_a_revision_is_sent_once() -> None:
    wires = Wire(), Wire()
    first = [Revision(f"a{number}", (), f"v/a{number}.py", "0" * 40) for number in range(3)]
    graph = Graph(first, [Unreadable("v/x.py", "1" * 40, 0, "why", None, "broken")])
    assert list(sent(graph, Graph, wires)) == first
    longer = Graph([*first, Revision("b", ("a2",), "v/b.py", "2" * 40)])
    written = wires[0].write(longer, Graph)
    assert written[0][:3] == [0, 1, 2]
    again = wires[1].read(written, Graph)
    assert again.heads == longer.heads
    assert wires[1].read(wires[0].write(longer, Graph), Graph) is again


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("text", 1),
        ("text", ["a"]),
        ("number", True),
        ("number", 1.5),
        ("number", "7"),
        ("flag", 1),
        ("data", "\u0100"),
        ("when", "yesterday"),
        ("code", "no-such-code"),
        ("word", "c"),
        ("word", None),
        ("plan", [99, []]),
        ("plan", ["0", []]),
        ("plan", {}),
        ("pair", ["x"]),
        ("pair", ["x", 1, 2]),
        ("many", "ab"),
        ("many", [["a"]]),
        ("many", [["a", "b", "c"]]),
        ("many", [None]),
        ("ids", [["1"]]),
        ("table", [["a", "c"]]),
        ("table", {"a": "c"}),
    ],
)
def test_what_is_not_of_its_type_is_not_built(place: str, wrong: Any) -> None:
    written = Wire().write(PARTS, Parts)
    written[Parts._fields.index(place)] = wrong
    with pytest.raises(BadWire):
        Wire().read(written, Parts)


@pytest.mark.parametrize("wrong", [0, -1, True, 10**9, "0", None])
def test_only_what_was_sent_has_a_number(wrong: Any) -> None:
    with pytest.raises(BadWire):
        Wire().read(wrong, Graph)


def test_a_number_stands_for_a_value_of_the_right_type() -> None:
    wires = Wire(), Wire()
    sent(Graph([Revision("a", (), "v/a.py", "0" * 40)]), Graph, wires)
    with pytest.raises(BadWire, match="a Revision in the place of a Graph"):
        wires[1].read(0, Graph)


def test_all_that_an_analysis_gives_out_has_types_that_can_be_sent() -> None:
    from onehead.service import analyzer  # noqa: PLC0415 - its table alone is looked at here
    from onehead.service.wire import _codec  # noqa: PLC0415

    for question in analyzer._QUESTIONS.values():
        for kind in (*question.given, question.answer):
            assert _codec(kind)
    assert typing.get_type_hints(Parts)
