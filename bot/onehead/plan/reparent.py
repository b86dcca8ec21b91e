"""Which revisions have to move, and where to, so that a fork becomes one line again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork, forks_of
from onehead.plan.plans import Move, Reason, ReasonCode
from onehead.revisions.graph import Graph
from onehead.wording import quoted


class NotMovable(Exception):
    """The chain can't be made linear by moving its roots; says why."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


def moves_for(target: Graph, merged: Graph, *forks: Fork, last: Collection[str] = ()) -> tuple[Move, ...]:
    """The roots of the branch's side of each fork, moved onto the target's head; several sides one after the other.

    A whole chain moves by its root: nothing above it is edited. The result is checked on the graph itself, so a plan
    that would not leave exactly one head of each fork is never returned.

    Args:
        target: the published chain.
        merged: the chain once the branch is merged.
        forks: those that the branch brings.
        last: heads that nothing is to be moved onto, if that can be.

    Raises:
        NotMovable: the target has no single head here, or something published stands on what would move.
    """
    own = [id_ for id_ in merged.revisions if id_ not in target]
    # A side ends where the published begins, unless something published was put onto it.
    end = Graph(()) if any(id_ in target for id_ in merged.descendants(*own)) else target
    moves: dict[str, Move] = {}
    for fork in forks:
        moves |= {move.revision: move for move in _one_line(target, merged, end, fork, last)}
    left = set(merged.heads).difference(*(move.new_parents for move in moves.values()))
    after = merged.replaced(merged.revisions[id_]._replace(parents=move.new_parents) for id_, move in moves.items())
    if after.cycles or set(after.heads) != left:
        onto = dict.fromkeys(parent for move in moves.values() for parent in move.new_parents)
        message = f"Moving {quoted([*moves])} onto {quoted([*onto])} would not leave one line."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return tuple(moves.values())


def made_linear(facts: Facts, graph: Graph, moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """The moves, proven: with them the branch brings no fork.

    Where lines that labels tell apart meet, a move may leave a head beside another one that nothing names as meant.

    Raises:
        NotMovable: it would still bring one.
    """
    after = graph.replaced(graph.revisions[move.revision]._replace(parents=move.new_parents) for move in moves)
    left = [fork for fork in forks_of(facts, after) if fork.introduced_by == "head"]
    if left:
        message = (
            f"Moving {quoted([m.revision for m in moves])} would still leave several heads: {_names(left[0].heads)}."
        )
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return moves


def _one_line(target: Graph, merged: Graph, end: Graph, fork: Fork, last: Collection[str]) -> Iterator[Move]:
    """Side after side of the branch's heads, each put onto the head of the one before; the target's comes first."""
    old = [head for head in fork.heads if head not in fork.new]
    if len(old) > 1:
        message = (
            f"The target has several heads here already ({_names(old)}), so there is no single one to move onto: the "
            "branch is joined to the nearest of them, and joining the rest is the target's own repair."
        )
        raise NotMovable(ReasonCode.SEVERAL_TARGET_HEADS, message)
    # What stands on the target's head already goes first, and stays there.
    tips = old or [head for head in target.heads if not merged.descendants(head).isdisjoint(fork.new)]
    placed = merged.ancestors(*tips)
    for new in sorted(fork.new, key=lambda id_: (id_ in last, merged.ancestors(id_).isdisjoint(tips), id_)):
        side = frozenset(id_ for id_ in merged.ancestors(new, until=end) if id_ not in target and id_ not in placed)
        if not side:
            raise NotMovable(ReasonCode.NOT_MOVABLE, f"{quoted([new])} is published itself, so it can't be moved.")
        if len(tips) == 1:
            yield from _onto(target, merged, side, tips[0], placed)
        placed |= merged.ancestors(new)
        tips = [new]


def _onto(target: Graph, merged: Graph, side: frozenset[str], onto: str, placed: frozenset[str]) -> Iterator[Move]:
    roots = sorted(id_ for id_ in side if side.isdisjoint(merged.parents(id_)))
    for root in roots:
        revision = merged.revisions[root]
        if not placed.issuperset(revision.parents):
            message = (
                f"{quoted([root])} grows from {_names(revision.parents)}, which {quoted([onto])} does not contain."
            )
            raise NotMovable(ReasonCode.NOT_MOVABLE, message)
        if revision.parents != (onto,):
            yield Move(root, revision.parents, (onto,))
    published = sorted(id_ for id_ in merged.descendants(*roots) if id_ in target)
    if published:
        message = f"The published {_names(published)} would move along, and published revisions stay where they are."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)


def _names(ids: tuple[str, ...] | list[str]) -> str:
    return quoted(ids) or "nothing"
