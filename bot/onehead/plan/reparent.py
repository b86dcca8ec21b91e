"""Which revisions have to move, and where to, so that a fork becomes one line again."""

from __future__ import annotations

from onehead.plan.forks import Fork
from onehead.plan.plans import Move, Reason, ReasonCode
from onehead.revisions.graph import Graph


class NotMovable(Exception):
    """The chain can't be made linear by moving its roots; says why."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


def moves_for(target: Graph, merged: Graph, fork: Fork) -> tuple[Move, ...]:
    """The roots of the branch's side of a fork, moved onto the target's head.

    The whole chain moves by its root: nothing above it is edited. The result is checked on the graph itself, so a
    plan that would not leave exactly one head of this fork is never returned.

    Raises:
        NotMovable: there is not one line on each side, or something published stands on what would move.
    """
    new, onto = _one_line_each(target, fork)
    side = frozenset(id_ for id_ in merged.ancestors(new) if id_ not in target)
    if not side:
        raise NotMovable(ReasonCode.NOT_MOVABLE, f"`{new}` is published itself, so it can't be moved.")
    roots = sorted(id_ for id_ in side if not side.intersection(merged.parents(id_)))
    below = merged.ancestors(onto)
    moves = []
    for root in roots:
        revision = merged.revisions[root]
        if not below.issuperset(revision.parents):
            message = f"`{root}` grows from {_names(revision.parents)}, which `{onto}` does not contain."
            raise NotMovable(ReasonCode.NOT_MOVABLE, message)
        moves.append(Move(root, revision.parents, (onto,)))
    published = [id_ for id_ in merged.descendants(*roots) if id_ in target]
    if published:
        message = f"The published {_names(published)} would move along, and published revisions stay where they are."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    after = merged.replaced(merged.revisions[move.revision]._replace(parents=move.new_parents) for move in moves)
    if after.cycles or set(after.heads) != set(merged.heads) - {onto}:
        raise NotMovable(ReasonCode.NOT_MOVABLE, f"Moving {_names(roots)} onto `{onto}` would not leave one line.")
    return tuple(moves)


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
    return ", ".join(f"`{id_}`" for id_ in ids) or "nothing"
