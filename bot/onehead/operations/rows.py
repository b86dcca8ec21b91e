"""Terms → changes of rows: `users.update().where(...)`, `op.bulk_insert`."""

from __future__ import annotations

from typing import Literal

from onehead.operations.operation import ChangeRows, Named
from onehead.operations.terms import Attr, Items, Made, Pairs, Path, Value, literals, names, plain, source, text

_CHANGES: dict[str, Literal["insert", "update", "delete"]] = {
    "insert": "insert",
    "update": "update",
    "delete": "delete",
}


def change(value: Value) -> ChangeRows | None:
    """A statement of SQLAlchemy that writes rows of a table that is known; `None` for any other."""
    does: Literal["insert", "update", "delete"] | None = None
    table: Named | None = None
    writes: list[str] | None = []
    where = False
    reads: set[str] = set()
    at = value
    while isinstance(at, Made):
        match at:
            case Made(by=Attr(of=of, name=name)) if name in _CHANGES and table_name(of):
                does, table = _CHANGES[name], table_name(of)
                reads |= {found for each in at.args for found in names(each)}
                where = where or bool(at.args)
                break
            case Made(by=Path() as path, args=(first, *_)) if path.last in _CHANGES and table_name(first):
                does, table = _CHANGES[path.last], table_name(first)
                break
            case Made(by=Attr(of=of, name=name)):
                if name == "values":
                    writes = None if writes is None else _written(at, writes)
                    reads |= {found for each in at.keywords.values() for found in names(each)}
                    reads |= {found for each in at.args if isinstance(each, Pairs) for found in names(each)}
                else:
                    where = where or name == "where"
                    reads |= {found for each in (*at.args, *at.keywords.values()) for found in names(each)}
                at = of
            case _:
                return None
    if does is None or table is None:
        return None
    if does == "insert":
        where = False
    return ChangeRows(
        does,
        table,
        None if does == "delete" or not writes else tuple(writes),
        frozenset(reads),
        frozenset(literals(value)),
        where,
        source(value),
    )


def _written(made: Made, writes: list[str]) -> list[str] | None:
    """Columns that `.values(...)` gives a value to."""
    found = [*writes, *made.keywords]
    if made.open:
        return None
    for each in made.args:
        if not isinstance(each, Pairs) or not each.complete:
            return None
        found += [key for key, _ in each.pairs]
    return found


def table_name(value: Value) -> Named | None:
    """The name of `sa.table("users", ...)`, `sa.Table("users", ...)`, or what `op.create_table` gives."""
    if isinstance(value, Made) and value.last in ("table", "Table", "TableClause", "create_table"):
        name = text(value.get(0, "name"))
        schema = value.keywords.get("schema")
        if name is not None and (schema is None or plain(schema) is None or text(schema)):
            return Named(name, text(schema))
    return None


def bulk(made: Made) -> ChangeRows | None:
    """`op.bulk_insert(table, rows)`; `None` where the table is not known."""
    table = made.get(0, "table")
    name = None if table is None else table_name(table)
    if name is None:
        return None
    rows = made.get(1, "rows")
    writes: set[str] | None = set()
    for row in rows.items if isinstance(rows, Items) else (None,):
        if isinstance(row, Pairs) and row.complete and writes is not None:
            writes |= {key for key, _ in row.pairs}
        else:
            writes = None
    return ChangeRows(
        "insert",
        name,
        None if writes is None else tuple(sorted(writes)),
        literals=frozenset(literals(rows)),
        some=False,
        text=source(made),
    )
