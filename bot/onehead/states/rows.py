"""What the rows of `alembic_version` mean to a chain, by Alembic's own rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph

RowKind = Literal["known", "prefix", "ambiguous", "unknown"]

_LONGEST_EXACT = 3
"""Alembic takes the beginning of an id for the whole of it where the id is longer than this."""


class Row(NamedTuple):
    """One row.

    Attributes:
        text: as it stands in the database.
        kind: `known`: an id. `prefix`: the beginning of exactly one id, which Alembic takes for it. `ambiguous`: the
            beginning of several. `unknown`: none.
        means: the ids that it may mean, sorted.
    """

    text: str
    kind: RowKind
    means: tuple[str, ...]


def read_rows(graph: Graph, rows: Iterable[str]) -> tuple[Row, ...]:
    """What each row means."""
    return tuple(_read(graph, row) for row in rows)


def _read(graph: Graph, row: str) -> Row:
    if row in graph:
        return Row(row, "known", (row,))
    named = tuple(sorted(id_ for id_ in graph.revisions if row and len(id_) > _LONGEST_EXACT and id_.startswith(row)))
    if len(named) == 1:
        return Row(row, "prefix", named)
    return Row(row, "ambiguous" if named else "unknown", named)


class Whereabouts(NamedTuple):
    """Where a revision stands that the judged files don't have.

    Attributes:
        refs: branches, tags and pull requests ("branch oauth").
        removed: the commit that took it away, as people name it ("5f2c0d1 Tidy up migrations"); empty for none.
        renamed: the id that its file declares since then; empty where it was deleted.
    """

    refs: tuple[str, ...] = ()
    removed: str = ""
    renamed: str = ""
