"""The database on which an author has tried a branch: what to type before its re-parent is merged, and after.

Nearly every migration was run once by whoever wrote it. After a re-parent, that database skips the other side or
finds its row gone. On the branch as it is, the way back is plain: undo what is going to move, and let the upgrade run
it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from shlex import join

from onehead.plan.plans import Plan, Reissue, Reparent
from onehead.revisions.graph import Graph
from onehead.states.account import OwnDatabase
from onehead.states.databases import parents_first, rows_of, with_rows
from onehead.states.outcome import Database, Fix, Target
from onehead.states.remedy import remedy
from onehead.states.upgrade import AlembicStops, Deployed, upgrade


def own_database(branch: Graph | None, plan: Plan, after: Graph) -> OwnDatabase | None:
    """What a re-parent or re-issue means to that database; `None` where it means nothing.

    Args:
        branch: the chain on the branch as it is.
        plan: what is done.
        after: the chain once that is merged.
    """
    if branch is None or not isinstance(plan, Reparent | Reissue) or branch.duplicates or branch.missing:
        return None
    moved = frozenset(plan.moved) & branch.revisions.keys()
    database = with_rows(branch, branch.heads)
    fix = Fix("reparent", after, new_ids=plan.new_ids)
    deployed = Deployed(after)
    target: Target = "head" if len(after.heads) == 1 else "heads"
    outcome = upgrade(deployed, fix.meets(database), target)
    if not moved or outcome.kind == "ok":
        return None
    here = Deployed(branch)
    before = next((each for each in _candidates(branch, moved) if _is_undone(here, database, each, moved, fix)), ())
    ways = remedy(deployed, fix.meets(database), target, is_sure=True)
    return OwnDatabase(database.rows, tuple(join(("alembic", "downgrade", place)) for place in before), outcome, ways)


def _candidates(branch: Graph, moved: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Places to go back to: beneath each revision that moves by itself, the highest first; or one of them alone."""
    roots = [id_ for id_ in parents_first(branch, moved) if moved.isdisjoint(branch.parents(id_))]
    places = list(dict.fromkeys(next(iter(branch.parents(root)), f"{root}@base") for root in reversed(roots)))
    yield tuple(places)
    yield from ((place,) for place in reversed(places))
    yield ("base",)


def _is_undone(here: Deployed, database: Database, places: tuple[str, ...], moved: frozenset[str], fix: Fix) -> bool:
    """Whether nothing that moves is left, and an upgrade after the repair then ends well."""
    rows, applied = database.rows, set(database.applied)
    try:
        for place in places:
            undone, rows = here.downgrade(rows, place)
            applied.difference_update(undone)
    except AlembicStops:
        return False
    left = Database(rows, frozenset(applied))
    return (
        applied.isdisjoint(moved)
        and rows == rows_of(here.graph, left.applied)
        and upgrade(Deployed(fix.graph), left, "heads").kind == "ok"
    )
