"""What a database says when a revision finds its work done already. The words of each were taken from real ones."""

from __future__ import annotations

from collections.abc import Sequence

from onehead.states.traces import Dialect
from onehead.states.witnesses import Evidence

_THERE: dict[str, dict[str, str]] = {
    "postgresql": {
        "table": 'relation "{name}" already exists',
        "index": 'relation "{name}" already exists',
        "column": 'column "{name}" of relation "{of}" already exists',
        "constraint": 'constraint "{name}" for relation "{of}" already exists',
        "type": 'type "{name}" already exists',
        "label": 'enum label "{name}" already exists',
    },
    "sqlite": {
        "table": "table {name} already exists",
        "index": "index {name} already exists",
        "column": "duplicate column name: {name}",
    },
    "mariadb": {
        "table": "Table '{name}' already exists",
        "column": "Duplicate column name '{name}'",
        "index": "Duplicate key name '{name}'",
    },
}
_GONE: dict[str, dict[str, str]] = {
    "postgresql": {
        "table": 'table "{name}" does not exist',
        "index": 'index "{name}" does not exist',
        "column": 'column "{name}" of relation "{of}" does not exist',
        "constraint": 'constraint "{name}" of relation "{of}" does not exist',
        "type": 'type "{name}" does not exist',
    },
    "sqlite": {
        "table": "no such table: {name}",
        "index": "no such index: {name}",
        "column": 'no such column: "{name}"',
    },
    "mariadb": {
        "table": "Unknown table '{name}'",
        "index": "Can't DROP INDEX `{name}`; check that it exists",
        "column": "Can't DROP COLUMN `{name}`; check that it exists",
    },
}


def would_say(evidence: Sequence[Evidence], dialect: Dialect) -> str:
    """The error of the first statement that can't be done again, without what the driver puts around it.

    Where its words are not known, what is there or gone already.
    """
    first = next((each for each in evidence if each.ran), None)
    if first is None:
        return ""
    thing = first.thing
    texts = (_THERE if first.there else _GONE)["mariadb" if dialect == "mysql" else dialect]
    pattern = texts.get(thing.kind, "")
    if not pattern:
        return f"{thing} is {'there' if first.there else 'gone'} already"
    return pattern.format(name=thing.name, of=thing.of)
