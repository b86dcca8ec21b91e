"""What to type on the database on which the author has tried a branch, before its repair is merged and after. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onehead.databases.model import OwnDatabase
from onehead.quoting import code, fence, inline
from onehead.reports.outcomes import told_of
from onehead.reports.paint import Paint, visible
from onehead.wording import shortened


def own_database_lines(found: Mapping[str, OwnDatabase], paint: Paint) -> Iterator[str]:
    """For a terminal, environment by environment."""
    for path, own in found.items():
        where = f"  {visible(path)}:" if len(found) > 1 else " "
        if own.before:
            commands = " && ".join(own.before)
            yield f"{paint('strong', 'Your own database')}: if it has run this branch, undo that before you merge:"
            yield f"{where} {visible(commands)}"
        if own.after:
            yield f"  Forgotten? With {_rows(own)} in alembic_version, `alembic upgrade head` {told_of(own.outcome)}."
            yield "  The way out, once the repair is merged:"
            yield from (f"    {visible(command)}" for command in own.after)


def own_database_values(found: Mapping[str, OwnDatabase]) -> list[dict[str, Any]]:
    """For a template of the forge, environment by environment."""
    return [
        {
            "path": code(path) if len(found) > 1 else "",
            "before": [code(command) for command in own.before],
            "rows": " and ".join(code(shortened(row)) for row in own.rows),
            "then": inline(told_of(own.outcome), 300),
            "after": fence("".join(f"{visible(command)}\n" for command in own.after), "") if own.after else "",
        }
        for path, own in found.items()
    ]


def own_database_document(found: Mapping[str, OwnDatabase]) -> list[dict[str, Any]]:
    """For scripts."""
    return [
        {
            "environment": path,
            "rows": list(own.rows),
            "before": list(own.before),
            "outcome": own.outcome.kind,
            "after": list(own.after),
        }
        for path, own in found.items()
    ]


def _rows(own: OwnDatabase) -> str:
    return ", ".join(visible(shortened(row)) for row in own.rows)
