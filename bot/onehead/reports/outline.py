"""A picture as an outline: which revision is drawn under which. A branch is indented only as long as it lasts.

A revision stands under its dominator: the nearest revision that every way to it passes. For an only child that is its
parent; for a merge it is the place where its parents parted, so what follows a merge returns to the main line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from onehead.reports.picture import Edge, Picture

Turn = Literal["start", "straight", "side", "last side"]
"""How a revision hangs on the one above: a line of its own, straight below it, as one of its sides, as the last one."""


class Place(NamedTuple):
    """One line of the outline.

    Attributes:
        id: the revision.
        turn: how it hangs on its dominator.
        bars: for every level of indentation, whether the line of that level goes on below.
        parents: its edges from parents, in drawing order.
    """

    id: str
    turn: Turn
    bars: tuple[bool, ...]
    parents: tuple[Edge, ...]


def outline(picture: Picture) -> Iterator[Place]:
    """Every revision of the picture once, each after all its parents; what a repair would add is left out."""
    place = {node.id: number for number, node in enumerate(picture.nodes) if node.owner != "repair"}
    parents: dict[str, list[Edge]] = {id_: [] for id_ in place}
    for edge in picture.edges:
        # In a circle one edge leads backwards: it is not followed.
        if not edge.repair and place.get(edge.parent, len(place)) < place.get(edge.child, -1):
            parents[edge.child].append(edge)
    under = _dominators(parents)
    below: dict[str | None, list[str]] = {None: []}
    for id_ in place:
        below.setdefault(under[id_], []).append(id_)
    todo: list[tuple[str, Turn, tuple[bool, ...]]] = [(id_, "start", ()) for id_ in reversed(below[None])]
    while todo:
        id_, turn, bars = todo.pop()
        yield Place(id_, turn, bars, tuple(parents[id_]))
        inner = bars if turn in ("start", "straight") else (*bars, turn == "side")
        todo += reversed(_hung(below.get(id_, []), parents, inner))


def _hung(
    children: list[str], parents: dict[str, list[Edge]], bars: tuple[bool, ...]
) -> list[tuple[str, Turn, tuple[bool, ...]]]:
    """How the revisions under one hang on it: sides first, then the merges that close them, the last one straight."""
    if len(children) == 1:
        return [(children[0], "straight", bars)]
    ordered = sorted(children, key=lambda id_: len(parents[id_]) > 1)
    turns: list[Turn] = ["side"] * len(ordered)
    if ordered:
        turns[-1] = "straight" if len(parents[ordered[-1]]) > 1 else "last side"
    return [(id_, turn, bars) for id_, turn in zip(ordered, turns, strict=True)]


def _dominators(parents: dict[str, list[Edge]]) -> dict[str, str | None]:
    """Id → the nearest revision that every way to it passes; `None` where there is no such one."""
    under: dict[str, str | None] = {}
    depth: dict[str | None, int] = {None: 0}
    for id_, edges in parents.items():
        found: str | None = edges[0].parent if edges else None
        for edge in edges[1:]:
            other: str | None = edge.parent
            while found != other:
                if depth[found] >= depth[other]:
                    found = under[found] if found is not None else None
                else:
                    other = under[other] if other is not None else None
        under[id_], depth[id_] = found, depth[found] + 1
    return under
