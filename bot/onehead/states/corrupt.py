"""Databases that should not exist and do: what their rows say contradicts itself, the files, or what is really there.

Rows that fit one chain and not another, such as those of both sides after one was moved onto the other, are no matter
of this module: before the move they were consistent, so they stand in the table of every fix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from onehead.plan.forks import Fork
from onehead.revisions.graph import Graph
from onehead.states.ailments import Ailment
from onehead.states.databases import rows_of
from onehead.states.outcome import THE_MERGE, Database

NO_FILE = "(an id that no file has)"
"""Stands for a row that no file declares: no real id has parentheses."""

MOST_HEADS = 4
"""Of a fork with more heads, so many serve as examples."""


class Corrupt(NamedTuple):
    """One such database.

    Attributes:
        ailment: what is wrong with it, by the name that a doctor gives it.
        database: its rows, and what it really went through; nothing where a row leaves that open.
    """

    ailment: Ailment
    database: Database


def corrupt_databases(graph: Graph, fork: Fork, merge: str, *, merged: bool) -> tuple[Corrupt, ...]:
    """Examples of every kind, for each side of a fork.

    Args:
        graph: the chain as the databases have known it, with all sides of the fork.
        fork: the heads and the parting point.
        merge: id of the revision that joins the heads where they are merged; `THE_MERGE` while it is not chosen.
        merged: the fix that is told about is that one.
    """
    return tuple(dict.fromkeys(_Examples(graph, fork, merge, merged=merged).found()))


class _Examples:
    def __init__(self, graph: Graph, fork: Fork, merge: str, *, merged: bool) -> None:
        self._graph = graph
        self._fork = fork
        self._merge = merge
        self._merged = merged
        self._below = {head: graph.ancestors(head) for head in fork.heads[:MOST_HEADS]}
        self._shared = frozenset.intersection(*(graph.ancestors(head) for head in fork.heads))
        self._everything = graph.ancestors(*fork.heads)

    def found(self) -> Iterator[Corrupt]:
        for ailment, databases in (
            (Ailment.UNKNOWN_ROW, self._unknown()),
            (Ailment.REPEATED_ROW, self._repeated()),
            (Ailment.OVERLAPPING_ROWS, self._overlapping()),
            (Ailment.NO_ROWS, self._emptied()),
            (Ailment.AHEAD, self._ahead()),
            (Ailment.LOST, self._never_run()),
        ):
            for rows, applied in databases:
                yield Corrupt(ailment, Database(tuple(sorted(rows)), applied))

    def _unknown(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """Alone and beside another; and the merge's own row, where it was deployed and then taken back."""
        yield (NO_FILE,), frozenset()
        yield (self._fork.heads[0], NO_FILE), frozenset()
        if not self._merged and self._merge != THE_MERGE:
            yield (self._merge,), self._everything

    def _repeated(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """The table has lost its primary key, and somebody wrote what was there."""
        for row in (*self._fork.points, *self._below):
            yield (row, row), self._graph.ancestors(row)

    def _overlapping(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """A row beside its own ancestor: written by hand, or left behind when an id was made longer."""
        for head, below in self._below.items():
            side = below - self._shared
            roots = sorted(id_ for id_ in side if not side.intersection(self._graph.parents(id_)))
            for under in (*self._fork.points, *roots):
                if under != head:
                    yield (under, head), below
        if self._merged and self._merge != THE_MERGE:
            yield (self._fork.heads[0], self._merge), self._everything | {self._merge}

    def _emptied(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """The tables are there, and no row: a table that was cleared, a dump without it, `create_all`."""
        for there in (self._shared, self._everything):
            if there:
                yield (), there

    def _ahead(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """More is there than is recorded: stamped too low, or an upgrade that stopped half-way and stayed so."""
        at = rows_of(self._graph, self._shared)
        for below in (*self._below.values(), self._everything):
            if at:
                yield at, below
        for below in self._below.values():
            yield rows_of(self._graph, below), self._everything

    def _never_run(self) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """Stamped without having run: it looks like a way out of a crash, and is the worst."""
        yield rows_of(self._graph, self._everything), self._shared
