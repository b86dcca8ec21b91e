"""Two sides of a fork: do they get along, in which order, and if not, what breaks?

A verdict is about both orders of running the two sides one after the other, as Alembic runs the parents of a merge. It
is `independent` only where every operation of both sides was understood. Rules and their measurements:
docs/explanation/both-sides.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from onehead.operations.clash import Act, Clash, Kind, Which, clash
from onehead.operations.dialects import EVERYWHERE, POSTGRESQL, SQLITE, Dialect
from onehead.operations.operation import CreateIndex, DropIndex, Step, Unknown
from onehead.operations.pairs import on_each_other, same_engine
from onehead.operations.sides import Side, side
from onehead.operations.things import on_one_thing
from onehead.wording import listed

MAX_PAIRS = 100_000
"""More pairs of operations than that are not compared; the verdict is `unknown`."""

_RANK = {kind: rank for rank, kind in enumerate(Kind)}


class Alone(NamedTuple):
    """What one side can't do, whatever the other does.

    Attributes:
        act: the operation.
        message: what happens and what to do about it, a full sentence.
    """

    act: Act
    message: str


class Verdict(NamedTuple):
    """How two sides get along.

    Attributes:
        clashes: worst first.
        alone: what fails by itself.
    """

    clashes: tuple[Clash, ...]
    alone: tuple[Alone, ...] = ()

    def on(self, dialect: Dialect) -> Kind:
        """The worst on one database; orders that contradict each other are a conflict."""
        found = [each for each in self.clashes if dialect in each.dialects]
        if len({each.first for each in found if each.first}) > 1:
            return Kind.CONFLICT
        return max((each.kind for each in found), key=_RANK.__getitem__, default=Kind.INDEPENDENT)

    @property
    def kind(self) -> Kind:
        """The worst anywhere; a conflict only where no database takes it."""
        kinds = {self.on(dialect) for dialect in EVERYWHERE}
        if kinds != {Kind.CONFLICT}:
            kinds = {Kind.ORDER if kind == Kind.CONFLICT else kind for kind in kinds}
        return max(kinds, key=_RANK.__getitem__)

    @property
    def first(self) -> Which | None:
        """The side that has to run first; `None` where it does not matter, or can't be both."""
        wanted = {each.first for each in self.clashes if each.first is not None}
        return wanted.pop() if len(wanted) == 1 else None


Revisions = Iterable[tuple[str, tuple[Step, ...]]]
"""Ids with what each does, in the order they run."""


def judge(left: Revisions, right: Revisions) -> Verdict:
    """Compare two sides of a fork, each from just above the fork to its head."""
    ours, theirs = side(left), side(right)
    alone = (*_alone(ours), *_alone(theirs))
    if not ours or not theirs:
        return Verdict((), alone)
    found = [*_unknown(ours, theirs)]
    if len(ours) * len(theirs) > MAX_PAIRS:
        message = "The two sides hold too many operations to compare them all; look at the tables that both touch."
        found.append(Clash(Kind.UNKNOWN, None, None, None, EVERYWHERE, message))
    else:
        for a in ours:
            for b in theirs:
                if same_engine(a, b):
                    found += _between(a, b)
    found = _folded(_folded(found, "left"), "right")
    for dialects in (EVERYWHERE, POSTGRESQL, SQLITE):
        if {each.first for each in found if set(dialects) <= set(each.dialects)} >= {"left", "right"}:
            message = "Each side has to run before the other: see the orders named here, which can't both be kept."
            found.append(Clash(Kind.CONFLICT, None, None, None, dialects, message))
            break
    return Verdict(tuple(sorted(found, key=lambda each: -_RANK[each.kind])), alone)


def _between(a: Act, b: Act) -> Iterable[Clash]:
    """The worst that two operations do to each other, per database."""
    rules = [*on_each_other(a, b)]
    for mine in a.touches:
        for other in b.on.get(mine.thing, ()):
            rules += on_one_thing(mine, other)
    found = [clash(rule, a, b) for rule in rules]
    worst: dict[Dialect, Clash] = {}
    for dialect in EVERYWHERE:
        here = [each for each in found if dialect in each.dialects]
        if here:
            worst[dialect] = max(here, key=lambda each: _RANK[each.kind])
    return {id(each): each for each in worst.values()}.values()


def _folded(found: list[Clash], by: Which) -> list[Clash]:
    """One operation that meets many of the other side in the same way is told once, with their number."""
    groups: dict[object, list[Clash]] = {}
    for each in found:
        one, other = (each.left, each.right) if by == "left" else (each.right, each.left)
        key: object = id(each)
        if one is not None and other is not None:
            what = each.message.rpartition("): ")[2]
            key = (each.kind, each.first, each.dialects, one.revision, one.step.line, other.revision, what)
        groups.setdefault(key, []).append(each)
    told = []
    for first, *rest in groups.values():
        if rest:
            other = first.right if by == "left" else first.left
            whose = f"`{other.revision}`" if other is not None else "it"
            more = f"{len(rest)} more operation{'s' if len(rest) > 1 else ''} of {whose}"
            told.append(first._replace(message=f"{first.message} The same goes for {more}."))
        else:
            told.append(first)
    return told


def _unknown(ours: Side, theirs: Side) -> Iterable[Clash]:
    """What can't be known on one side may do anything to the other."""
    for mine, acts in (("left", ours), ("right", theirs)):
        groups: dict[tuple[str, str], dict[int, Act]] = {}
        for act in acts:
            if isinstance(act.step.does, Unknown):
                groups.setdefault((act.revision, act.step.does.why), {}).setdefault(act.step.line, act)
        for group in groups.values():
            act, *others = group.values()
            message = f"{act}: a person has to decide whether it conflicts with the other side."
            if others:
                lines = listed([str(other.step.line) for other in others], 3)
                noun = "line" if len(others) == 1 else "lines"
                message += f" The same goes for {len(others)} more of its kind in `{act.revision}` ({noun} {lines})."
            left, right = (act, None) if mine == "left" else (None, act)
            yield Clash(Kind.UNKNOWN, left, right, None, EVERYWHERE, message)


def _alone(acts: Side) -> Iterable[Alone]:
    for act in acts:
        does = act.step.does
        concurrently = (isinstance(does, CreateIndex) and does.definition.concurrently) or (
            isinstance(does, DropIndex) and does.concurrently
        )
        if concurrently and not act.step.autocommit:
            yield Alone(
                act,
                f"{act} with CONCURRENTLY, which PostgreSQL refuses inside a transaction: put it into "
                "`with op.get_context().autocommit_block():`.",
            )
