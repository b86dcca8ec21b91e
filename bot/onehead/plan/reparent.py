"""Which revisions have to move, and where to, so that a fork becomes one line again."""

from __future__ import annotations

from onehead.plan.forks import Fork
from onehead.plan.plans import Move, Reason, ReasonCode
from onehead.revisions.graph import Graph
from onehead.wording import quoted


class NotMovable(Exception):
    """The chain can't be made linear by moving its roots; says why."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


def moves_for(target: Graph, merged: Graph, *forks: Fork) -> tuple[Move, ...]:
    """The roots of the branch's side of each fork, moved onto the target's head.

    The whole chain moves by its root: nothing above it is edited. The result is checked on the graph itself, so a
    plan that would not leave exactly one head of each fork is never returned.

    Raises:
        NotMovable: there is not one line on each side, or something published stands on what would move.
    """
    own = [id_ for id_ in merged.revisions if id_ not in target]
    # A side ends where the published begins, unless something published was put onto it.
    end = Graph(()) if any(id_ in target for id_ in merged.descendants(*own)) else target
    moves: list[Move] = []
    for fork in forks:
        moves += _moves(target, merged, end, *_one_line_each(target, fork))
    left = set(merged.heads).difference(*(move.new_parents for move in moves))
    after = merged.replaced(merged.revisions[move.revision]._replace(parents=move.new_parents) for move in moves)
    if after.cycles or set(after.heads) != left:
        roots, onto = (
            [*dict.fromkeys(ids)] for ids in zip(*((m.revision, *m.new_parents) for m in moves), strict=True)
        )
        message = f"Moving {quoted(roots)} onto {quoted(onto)} would not leave one line."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return tuple(moves)


def _moves(target: Graph, merged: Graph, end: Graph, new: str, onto: str) -> list[Move]:
    side = frozenset(id_ for id_ in merged.ancestors(new, until=end) if id_ not in target)
    if not side:
        raise NotMovable(ReasonCode.NOT_MOVABLE, f"{quoted([new])} is published itself, so it can't be moved.")
    roots = sorted(id_ for id_ in side if side.isdisjoint(merged.parents(id_)))
    head = 1 << merged.heads.index(onto)
    moves = []
    for root in roots:
        revision = merged.revisions[root]
        if not all(merged.heads_above.get(parent, 0) & head for parent in revision.parents):
            message = (
                f"{quoted([root])} grows from {_names(revision.parents)}, which {quoted([onto])} does not contain."
            )
            raise NotMovable(ReasonCode.NOT_MOVABLE, message)
        moves.append(Move(root, revision.parents, (onto,)))
    published = sorted(id_ for id_ in merged.descendants(*roots) if id_ in target)
    if published:
        message = f"The published {_names(published)} would move along, and published revisions stay where they are."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return moves


def _one_line_each(target: Graph, fork: Fork) -> tuple[str, str]:
    """The branch's head and the target's head of a fork between exactly these two."""
    old = [head for head in fork.heads if head not in fork.new]
    if len(fork.new) > 1:
        message = f"The branch brings {len(fork.new)} heads ({_names(fork.new)}), so one merge joins them all."
        raise NotMovable(ReasonCode.SEVERAL_NEW_HEADS, message)
    if len(old) != 1:
        message = (
            f"The target has several heads here already ({_names(old)}), so there is no single one to move onto: the "
            "branch is joined to one of them, and joining the rest is the target's own repair."
        )
        raise NotMovable(ReasonCode.SEVERAL_TARGET_HEADS, message)
    if old[0] not in target:
        message = f"Both `{fork.new[0]}` and `{old[0]}` are the branch's own, so a merge joins them where they are."
        raise NotMovable(ReasonCode.OWN_FORK, message)
    return fork.new[0], old[0]


def _names(ids: tuple[str, ...] | list[str]) -> str:
    return quoted(ids) or "nothing"
