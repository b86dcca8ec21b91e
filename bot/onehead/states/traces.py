"""What revisions leave behind in a schema, and what of it a database shows. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

ThingKind = Literal["table", "column", "index", "constraint", "type", "label"]

Dialect = Literal["postgresql", "sqlite", "mysql", "mariadb"]


class Thing(NamedTuple):
    """Something that a schema may hold.

    Attributes:
        kind: what it is.
        name: its own name.
        of: the table it stands on, or the enum type that a label belongs to; empty for tables and types, and for an
            index whose table is not known.
        schema: of the table or type; empty for the default one.
    """

    kind: ThingKind
    name: str
    of: str = ""
    schema: str = ""

    def __str__(self) -> str:
        owner = f"{self.schema}.{self.of}" if self.schema and self.of else self.of
        match self.kind:
            case "column":
                return f"column {owner}.{self.name}"
            case "label":
                return f"label {self.name} of type {owner}"
            case _ if self.of:
                return f"{self.kind} {self.name} on {owner}"
            case _:
                return f"{self.kind} {self.schema}.{self.name}" if self.schema else f"{self.kind} {self.name}"


class Trace(NamedTuple):
    """One thing that a revision makes or takes away.

    Attributes:
        thing: which.
        there: it is there afterwards; else it is gone.
        lenient: where that is so already, nothing happens and nothing fails (`IF NOT EXISTS`).
        sure: it happens whenever the revision runs; `False` inside an `if` or a loop.
        implied: it comes with another thing (the columns of a table that is created), so it shows nothing by itself.
        line: 1-based line of the revision file.
        columns: what an index or constraint stands on: it may go when one of these goes.
        fragile: SQLite's batch mode may lose it where it makes the table anew.
    """

    thing: Thing
    there: bool
    lenient: bool = False
    sure: bool = True
    implied: bool = False
    line: int = 0
    columns: tuple[str, ...] = ()
    fragile: bool = False


class Untraced(NamedTuple):
    """Something that a revision does and nobody can see afterwards.

    Attributes:
        line: where.
        text: its source.
        unread: it was not understood, so it may have made, renamed or taken away anything.
        at: how many traces of the revision come before it.
    """

    line: int
    text: str
    unread: bool = False
    at: int = 0


class Traces(NamedTuple):
    """What one revision leaves.

    Attributes:
        left: in the order in which it happens.
        renamed: tables, columns and types that get another name: old and new.
        rebuilt: tables that SQLite's batch mode makes anew.
        untraced: what can't be seen afterwards: data, raw SQL, calls of helpers.
    """

    left: tuple[Trace, ...] = ()
    renamed: tuple[tuple[Thing, Thing], ...] = ()
    rebuilt: tuple[Thing, ...] = ()
    untraced: tuple[Untraced, ...] = ()


class VersionTable(NamedTuple):
    """A table in which Alembic keeps its rows.

    Attributes:
        name: `alembic_version` unless `env.py` says otherwise.
        schema: `None` for the default one.
        rows: its content, sorted; the same row may stand there twice.
        width: characters that a row may have; `None` where the database does not care.
    """

    name: str
    schema: str | None
    rows: tuple[str, ...]
    width: int | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Sight(NamedTuple):
    """What a database shows.

    Attributes:
        dialect: whose database it is.
        version: the version table that is judged; `None` where it does not exist.
        others: further tables that look like one.
        leftovers: tables that an interrupted batch migration has left (`_alembic_tmp_…`).
        seen: thing → whether it is there; what this kind of database does not have, or can't tell, is left out.
        invalid: indexes that PostgreSQL holds but does not use; they count as missing.
    """

    dialect: Dialect
    version: VersionTable | None
    others: tuple[VersionTable, ...] = ()
    leftovers: tuple[str, ...] = ()
    seen: Mapping[Thing, bool] = MappingProxyType({})
    invalid: tuple[Thing, ...] = ()

    @property
    def rolls_back(self) -> bool:
        """Whether an upgrade that fails leaves nothing behind: only PostgreSQL takes back changes of a schema."""
        return self.dialect == "postgresql"
