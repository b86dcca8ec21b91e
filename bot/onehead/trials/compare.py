"""What two schemas don't agree on. Pure."""

from __future__ import annotations

from onehead.databases.schema import Schema
from onehead.trials.account import Difference


def differences(fresh: Schema, here: Schema) -> tuple[Difference, ...]:
    """Everything that is on one side only or is otherwise; of a missing table, not every piece."""
    found = []
    for thing in sorted(fresh.things.keys() | here.things.keys()):
        one, other = fresh.things.get(thing), here.things.get(thing)
        if one == other:
            continue
        owner = fresh.owners.get(thing) or here.owners.get(thing)
        if owner is not None and (owner in fresh.things) != (owner in here.things):
            continue
        found.append(Difference(thing, one, other))
    return tuple(found)


def notes(fresh: Schema, here: Schema) -> tuple[str, ...]:
    """What differs and does no harm: in which order the columns of a table stand."""
    return tuple(
        f"{table}: the columns are in another order: {', '.join(here.orders[table])}"
        for table, order in sorted(fresh.orders.items())
        if table in here.orders and order != here.orders[table] and set(order) == set(here.orders[table])
    )
