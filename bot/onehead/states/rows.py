"""What the rows of `alembic_version` mean to a chain, by Alembic's own rules. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph

RowKind = Literal["known", "prefix", "ambiguous", "renamed", "unknown"]

_LONGEST_EXACT = 3
"""Alembic takes the beginning of an id for the whole of it where the id is longer than this."""


class Row(NamedTuple):
    """One row.

    Attributes:
        text: as it stands in the database.
        kind: `known`: an id. `prefix`: the beginning of exactly one id, which Alembic takes for it. `ambiguous`: the
            beginning of several. `renamed`: no id any more, but it was that of a revision which has another one now.
            `unknown`: none.
        means: the ids that it may mean, sorted.
    """

    text: str
    kind: RowKind
    means: tuple[str, ...]


class Former(NamedTuple):
    """What became of an id that no file declares any more.

    Attributes:
        id: of the revision that does the same under the same message today.
        parents: what it followed under its old id.
    """

    id: str
    parents: tuple[str, ...]


def read_rows(
    graph: Graph, rows: Iterable[str], former: Mapping[str, Former] = MappingProxyType({})
) -> tuple[Row, ...]:
    """What each row means; `former`: old id → what became of it."""
    ids = sorted(id_ for id_ in graph.revisions if len(id_) > _LONGEST_EXACT)
    found = (_read(graph, ids, row) for row in rows)
    return tuple(
        Row(row.text, "renamed", (former[row.text].id,)) if row.kind == "unknown" and row.text in former else row
        for row in found
    )


def ran_under_old_ids(rows: Iterable[Row], former: Mapping[str, Former]) -> tuple[set[str], set[str]]:
    """What databases with renamed rows have run: these by themselves, and these with all that is beneath them."""
    alone: set[str] = set()
    below: set[str] = set()
    todo = [row.text for row in rows if row.kind == "renamed"]
    for id_ in todo:  # grows while it is walked
        if former[id_].id in alone:
            continue
        alone.add(former[id_].id)
        for parent in former[id_].parents:
            todo += [parent] if parent in former else []
            below.update(() if parent in former else (parent,))
    return alone, below


def _read(graph: Graph, ids: Sequence[str], row: str) -> Row:
    if row in graph:
        return Row(row, "known", (row,))
    at = bisect_left(ids, row)
    if not row or at == len(ids) or not ids[at].startswith(row):
        return Row(row, "unknown", ())
    named = tuple(takewhile(lambda id_: id_.startswith(row), (ids[n] for n in range(at, len(ids)))))
    if len(named) == 1:
        return Row(row, "prefix", named)
    return Row(row, "ambiguous", named)


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
