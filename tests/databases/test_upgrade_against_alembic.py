"""What onehead says an upgrade does, against what Alembic really does on SQLite: random chains, all states, all fixes.

Compared exactly: the revisions in the order they run, the rows afterwards, Alembic's error. One thing is compared as a
set: where rows overlap, Alembic names them in the order of a Python set of strings, which changes with the seed of the
hash (`in_order` sorts them on both sides).

ONEHEAD_TEST_GRAPHS=5000 makes more chains, ONEHEAD_TEST_SEED=7 others.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import pytest
from alembic.script import ScriptDirectory

from onehead.databases.model import DatabaseState
from onehead.databases.state_table import fork_outcomes
from onehead.databases.states import Target, rows_of, with_rows
from onehead.databases.upgrade import _script_directory
from onehead.plan.findings import Facts
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision
from tests.databases.replay import Done, Replay, memory

GRAPHS = int(os.environ.get("ONEHEAD_TEST_GRAPHS", "500"))
SEED = int(os.environ.get("ONEHEAD_TEST_SEED", "1"))
PARTS = 20
"""So many tests share the chains, so that they can run side by side; the first is quick enough for every day."""

PLACE = Environment("versions", None, None, None, ())


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


class Told(NamedTuple):
    """A chain, what a deploy upgrades to, and what onehead says of each database."""

    graph: Graph
    target: Target
    states: tuple[DatabaseState, ...]


def told_of(dice: random.Random) -> Iterator[Told]:
    """All states of all fixes of the forks of one chain; a few states of a chain without one."""
    graph = random_graph(dice)
    facts = Facts(PLACE, graph, None, graph)
    for account in fork_outcomes(facts) or [
        each for _ in range(4) for each in fork_outcomes(facts, random_rows(dice, graph))
    ]:
        for under in account.fixes:
            yield Told(under.fix.graph, account.target, (*under.states, *under.inconsistent))


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_the_same_as_alembic(part: int, tmp_path: Path) -> None:
    engine = memory()
    for number in range(part, GRAPHS, PARTS):
        for fix, (graph, target, states) in enumerate(told_of(random.Random(f"{SEED}/{number}"))):
            real = Replay(graph, tmp_path / f"{number}.{fix}", engine)
            # What is really there is no matter to Alembic, so databases with the same rows are one to it.
            done = {rows: real.upgrade(rows, target) for rows in {state.rows for state in states}}
            for state in states:
                outcome = state.outcome
                said = Done(outcome.runs, outcome.rows_after, outcome.error)
                assert said == done[state.rows], (number, graph.revisions, target, state)
    engine.dispose()


@pytest.mark.skipif(
    "consider_depends_on" not in signature(ScriptDirectory.get_heads).parameters,
    reason="needs Alembic 1.18.5, which counts the heads that others need",
)
def test_the_rows_of_a_database_that_has_run_everything_are_the_heads_that_nothing_needs() -> None:
    needed = 0
    for number in range(GRAPHS):
        graph = random_graph(random.Random(f"{SEED}/{number}"))
        scripts = _script_directory(graph)
        assert rows_of(graph, frozenset(graph.revisions)) == tuple(sorted(scripts.get_heads(consider_depends_on=True)))
        needed += len(scripts.get_heads()) > len(scripts.get_heads(consider_depends_on=True))
    assert needed > GRAPHS / 50


@pytest.mark.slow
def test_the_dice_show_every_kind_of_end() -> None:
    """Otherwise the comparison above would say little."""
    kinds: Counter[str] = Counter()
    for number in range(GRAPHS):
        for told in told_of(random.Random(f"{SEED}/{number}")):
            kinds.update((state.outcome.error or state.outcome.kind).split()[0] for state in told.states)
    assert kinds.keys() >= {"ok", "loss", "repeat", "Multiple", "Requested", "Can't", "Online"}
    assert min(count for kind, count in kinds.items() if kind != "KeyError:") > GRAPHS / 2
