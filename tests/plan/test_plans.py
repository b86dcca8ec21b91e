from __future__ import annotations

import pytest

from onehead.plan.plans import BEFORE, merge_steps
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision


def graph(needs: dict[str, tuple[str, ...]]) -> Graph:
    """Heads a, b (on b0) and c on one parent; `needs`: revision → what it depends on."""
    parents = {"o": (), "a": ("o",), "b0": ("o",), "b": ("b0",), "c": ("o",)}
    labels = {"c": ("sea",)}
    return Graph(
        Revision(id_, above, f"{id_}.py", "", needs.get(id_, ()), labels.get(id_, ())) for id_, above in parents.items()
    )


@pytest.mark.parametrize(
    ("needs", "parents", "steps"),
    [
        ({}, ("a", "b", "c"), (("a", "b", "c"),)),
        ({"c": ("o",)}, ("a", "b", "c"), (("a", "b", "c"),)),
        ({"c": ("a",)}, ("a", "c"), (("a", "c"),)),
        ({"c": ("a",)}, ("a", "b", "c"), (("b", "c"), ("a", BEFORE))),
        ({"b0": ("sea",)}, ("c", "a", "b"), (("a", "b"), ("c", BEFORE))),
    ],
)
def test_heads_that_need_each_other_are_joined_two_by_two(
    needs: dict[str, tuple[str, ...]], parents: tuple[str, ...], steps: tuple[tuple[str, ...], ...]
) -> None:
    assert merge_steps(graph(needs), parents) == steps
