"""How the two sides of a fork affect each other's work: what fails, what needs an order, what differs silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Literal, NamedTuple

from onehead.plan.facts import Facts
from onehead.plan.findings import KINDS, Code, Finding
from onehead.plan.forks import Fork

MAX_TOLD = 8
"""Findings about one pair of sides; of more, the last one gives the number."""


class ConflictMessage(NamedTuple):
    """One thing that two sides do to each other, or that one does to itself.

    Attributes:
        kind: `conflict` fails in every order, `order` in one, `silent` differs without an error, `unknown` can't be
            told, `alone` fails by itself.
        partly: it holds on one kind of database only.
        message: both operations and what happens, a full sentence.
        places: the operations: path of the revision file, and 1-based line.
    """

    kind: Literal["alone", "unknown", "silent", "order", "conflict"]
    partly: bool
    message: str
    revisions: tuple[str, ...]
    places: tuple[tuple[str, int], ...] = ()


class Interaction(NamedTuple):
    """Two heads of a fork, and how what stands between them and the fork gets along.

    Attributes:
        kind: the worst of it; `conflict` only where no database takes either order.
        first: the head whose side has to run first; `None` where it does not matter.
        told: one by one, worst first.
        alone: what fails on one side, whatever the other does.
    """

    heads: tuple[str, str]
    kind: Literal["independent", "unknown", "silent", "order", "conflict"]
    first: str | None = None
    told: tuple[ConflictMessage, ...] = ()
    alone: tuple[ConflictMessage, ...] = ()


_CODES = {
    "alone": Code.NOT_IN_TRANSACTION,
    "conflict": Code.SEMANTIC_CONFLICT,
    "order": Code.ORDER_MATTERS,
    "silent": Code.SILENT_DIFFERENCE,
    "unknown": Code.UNKNOWN_OPERATION,
}
ABOUT_BOTH_SIDES = frozenset(_CODES.values())
"""The findings that come from here."""


def findings_about(facts: Facts, interactions: Iterable[Interaction]) -> tuple[Finding, ...]:
    """One finding for each thing told; those of the target alone count as its own."""
    found = (finding for interaction in interactions for finding in _findings(facts, interaction))
    # A side that meets several others says what it does to itself each time.
    return tuple(dict.fromkeys(found))


def _findings(facts: Facts, interaction: Interaction) -> Iterator[Finding]:
    side: Literal["head", "target"] = "target" if facts.head is None else "head"
    for told in (*interaction.told[:MAX_TOLD], *interaction.alone[:MAX_TOLD]):
        code = _CODES[told.kind]
        severity = "warning" if told.kind == "conflict" and told.partly else KINDS[code].severity
        paths = {facts.merged.revisions[id_].path for id_ in told.revisions if id_ in facts.merged}
        yield Finding(
            code,
            severity,
            side,
            told.message,
            tuple(sorted(told.revisions)),
            tuple(sorted(paths)),
            places=tuple(sorted(told.places)),
        )
    for rest in filter(None, (interaction.told[MAX_TOLD:], interaction.alone[MAX_TOLD:])):
        code = _CODES[rest[0].kind]
        one, other = interaction.heads
        message = f"{len(rest)} more of the kind between `{one}` and `{other}` are not listed."
        yield Finding(code, KINDS[code].severity, side, message, tuple(sorted(interaction.heads)))


def between(interactions: Iterable[Interaction], fork: Fork) -> tuple[Interaction, ...]:
    """The meetings of one fork."""
    return tuple(interaction for interaction in interactions if set(interaction.heads) <= set(fork.heads))


def parents_in_order(parents: tuple[str, ...], interactions: Iterable[Interaction]) -> tuple[str, ...]:
    """The parents of a merge so that what has to run first does: Alembic runs the last parent first.

    Where nothing is demanded they stay as they are; demands that go in a circle can't be met.
    """
    before: dict[str, set[str]] = {parent: set() for parent in parents}
    for interaction in interactions:
        if interaction.first in before and before.keys() >= set(interaction.heads):
            [other] = set(interaction.heads) - {interaction.first}
            before[other].add(interaction.first)
    left = list(reversed(parents))
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError:
        return parents
    runs: list[str] = []
    while left:
        ready = next(parent for parent in left if before[parent] <= set(runs))
        runs.append(ready)
        left.remove(ready)
    return tuple(reversed(runs))
