"""What onehead says an upgrade does, against what Alembic really does on SQLite, for random chains and databases."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.util import CommandError

from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
from onehead.states.databases import rows_of, with_rows
from onehead.states.upgrade import in_order, upgrade_head
from tests.states.recording import recording

GRAPHS = 60
STATES = 3


def random_graph(dice: random.Random) -> Graph:
    """Three to eight revisions, mostly one line, with forks, merges and a dependency now and then."""
    found: list[Revision] = []
    for number in range(dice.randint(3, 8)):
        ids = [revision.id for revision in found]
        graph = Graph(found)
        parents: tuple[str, ...] = ()
        if ids and dice.random() < 0.95:
            parents = (dice.choice(ids[-2:] if dice.random() < 0.6 else ids),)
            others = [head for head in graph.heads if head not in graph.ancestors(*parents)]
            others = [head for head in others if parents[0] not in graph.ancestors(head)]
            if others and dice.random() < 0.5:
                parents = (*parents, dice.choice(others))
        below = graph.ancestors(*parents)
        aside = sorted(set(ids) - below)
        needs = (dice.choice(aside),) if aside and dice.random() < 0.1 else ()
        id_ = f"r{number}"
        # Files in another order than their ids: the order of heads comes from the paths.
        found.append(Revision(id_, parents, f"versions/{dice.randint(0, 99):02}_{id_}.py", "", needs))
    return Graph(found)


def random_rows(dice: random.Random, graph: Graph) -> tuple[str, ...]:
    """Mostly a database that may exist: all that some revisions need, and the rows for it; sometimes anything."""
    ids = sorted(graph.revisions)
    chosen = dice.sample(ids, dice.randint(0, min(3, len(ids))))
    if dice.random() < 0.2:
        return tuple(sorted(chosen))
    return rows_of(graph, with_rows(graph, chosen).applied)


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_the_same_as_alembic(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    graph = random_graph(dice)
    for number in range(STATES):
        rows = random_rows(dice, graph)
        applied = with_rows(graph, rows).applied
        file = tmp_path / f"{number}.sqlite"
        real = recording(graph, tmp_path / str(number), file)
        real.set_rows(rows)
        told = upgrade_head(graph, rows, applied)
        try:
            real.upgrade()
            error = None
        except CommandError as stop:
            error = in_order(str(stop))
        with closing(sqlite3.connect(file)) as database, database:
            ran = tuple(id_ for (id_,) in database.execute("SELECT id FROM ran ORDER BY rowid"))
        assert (told.runs, told.rows_after, told.error) == (ran, real.rows(), error), (graph.revisions, rows)
        lost = graph.ancestors(*real.rows()) - applied - set(ran) if error is None else frozenset()
        assert (told.kind == "loss", told.lost) == (bool(lost), tuple(sorted(lost)))


def test_the_dice_show_every_kind_of_outcome() -> None:
    """Otherwise the comparison above would say little."""
    kinds = []
    for seed in range(GRAPHS):
        dice = random.Random(seed)
        graph = random_graph(dice)
        for _ in range(STATES):
            rows = random_rows(dice, graph)
            outcome = upgrade_head(graph, rows, with_rows(graph, rows).applied)
            kinds.append((outcome.error or outcome.kind).split()[0])
    assert {"ok", "Multiple", "Requested"} <= set(kinds)
    assert kinds.count("ok") > 20
