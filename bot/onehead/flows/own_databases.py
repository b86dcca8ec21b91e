"""What a repair means to the databases on which authors have tried the branch, by environment."""

from __future__ import annotations

from onehead.databases.model import OwnDatabase
from onehead.flows.changes import Repairs
from onehead.plan.plans import Reissue, Reparent


def own_databases(repairs: Repairs) -> dict[str, OwnDatabase]:
    """Environment path → such a database; nothing for environments where nothing moves."""
    moving = [e for e in repairs.examination.environments if isinstance(e.plan, Reparent | Reissue)]
    if not moving:
        return {}
    from onehead.databases.remedy import own_database  # noqa: PLC0415 - loads Alembic, which a merge need not pay

    found = {}
    for examined in moving:
        path = examined.facts.environment.path
        after = repairs.promised.get(path)
        own = None if after is None else own_database(examined.facts.head, examined.plan, after)
        if own is not None:
            found[path] = own
    return found
