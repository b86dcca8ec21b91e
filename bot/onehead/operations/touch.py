"""The things that operations touch, each under one name, and how one is touched."""

from __future__ import annotations

from typing import Literal, NamedTuple

from onehead.operations.dialects import EVERYWHERE, Dialect
from onehead.operations.operation import Named

Thing = tuple[str, ...]
"""Its kind, then its names from the outside in, in lower case: `("column", "", "users", "age")`.

Tables, views, sequences and indexes are all of the kind `relation`, as databases give them one space of names. What
else may not have one name with another is of the kind `name`, beside the thing itself: PostgreSQL keeps the index of a
unique constraint or primary key among the relations, and a table's row type among the types.
"""

Verb = Literal["create", "replace", "drop", "set", "use"]
"""`replace`: dropped or renamed, and created again under the same name, by one side."""


class Touch(NamedTuple):
    """One thing that an operation touches.

    Attributes:
        verb: how.
        thing: what.
        value: for `create` and `set`: what it becomes; equal values leave no difference.
        lenient: for `create` and `drop`: nothing happens where it is there already, or gone.
        replaces: for `create`: one that is there already is replaced.
        renames: for `drop`: it goes on under another name, and what stands on it goes along.
        hold: for `use`: what is made stands on it from then on, so that it can't be dropped alone: `key` for a
            foreign key, `view`, `type` for a column of an enum, `index`, `schema` for what is made in one.
        named: for `use`: it is named as what it is; else a word that may mean it.
        dialects: the databases that have such a thing.
    """

    verb: Verb
    thing: Thing
    value: str | None = None
    lenient: bool = False
    replaces: bool = False
    renames: bool = False
    hold: str = ""
    named: bool = True
    dialects: tuple[Dialect, ...] = EVERYWHERE


def schema_of(named: Named) -> str:
    """The schema as it is compared: none and `public` are one, since projects write both for the same place."""
    return "" if named.schema in (None, "public") else str(named.schema).lower()


def relation(named: Named) -> Thing:
    """A table, view, sequence or index."""
    return ("relation", schema_of(named), named.name.lower())


def column(table: Named, name: str) -> Thing:
    """A column of a table."""
    return ("column", schema_of(table), table.name.lower(), name.lower())


def function(named: Named) -> Thing:
    """A function or procedure."""
    return ("function", schema_of(named), named.name.lower())


def enum(named: Named) -> Thing:
    """An enum type."""
    return ("enum", schema_of(named), named.name.lower())


def label(named: Named, text: str) -> Thing:
    """A label of an enum type."""
    return ("label", schema_of(named), named.name.lower(), text)


def inside(thing: Thing) -> Thing | None:
    """The table that a column, constraint or property is part of, or the type of a label."""
    match thing[0]:
        case "column" | "constraint" | "property" | "primary key" | "comment" | "setting":
            return ("relation", *thing[1:3])
        case "label":
            return ("enum", *thing[1:3])
    return None
