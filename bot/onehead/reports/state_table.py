"""What becomes of each database, as lines of a Markdown table; the longest tables are cut."""

from __future__ import annotations

from typing import Any

from onehead.databases.model import StateTable
from onehead.databases.states import spoken
from onehead.quoting import code, inline
from onehead.wording import listed, shortened

MOST_ROWS = 12
"""Lines of a state table that a comment shows."""

_MOST_NAMED = 3
"""Known databases that one line names."""

MARKS = {"ok": "{}", "error": ":x: {}", "loss": ":warning: **{}**", "repeat": ":warning: **{}**"}
"""Kind of an outcome → its cell in a table."""

COLUMNS = {
    "none": "as it is",
    "merge": "after the merge",
    "reparent": "after the re-parent",
    "edited": "once this is merged",
}


def columns_and_rows(table: StateTable) -> dict[str, Any]:
    """The head of a table, its lines, what is the same in all of them, and how many states are not shown."""
    left_out = table.left_out + sum(len(state.rows) for state in table.states[MOST_ROWS:])
    columns = [
        f"{COLUMNS[fix]}, under new ids" if fix == "reparent" and table.new_ids else COLUMNS[fix] for fix in table.fixes
    ]
    renamed = {code(shortened(old)): code(shortened(new)) for old, new in table.new_ids.items()}
    new_ids = listed([f"{old} is {new}" for old, new in renamed.items()], 4)
    return {**_told_once(columns, table_rows(table)), "left_out": left_out, "new_ids": new_ids}


def _told_once(columns: list[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns that tell databases apart, and a sentence for each that says the same of all of them."""
    cells = [{row["cells"][number] for row in rows} for number in range(len(columns))]
    if len(rows) < 2 or (all(len(each) == 1 for each in cells) and any(row["known"] for row in rows)):
        return {"columns": columns, "rows": rows, "alike": []}
    alike = [
        f"{column[0].upper()}{column[1:]}, for every database: {next(iter(said))}."
        for column, said in zip(columns, cells, strict=True)
        if len(said) == 1
    ]
    telling = [number for number, said in enumerate(cells) if len(said) > 1]
    kept = [{**row, "cells": [row["cells"][number] for number in telling]} for row in rows if telling]
    return {"columns": [columns[number] for number in telling], "rows": kept, "alike": alike}


def table_rows(table: StateTable) -> list[dict[str, Any]]:
    """Lines of a state table: databases, and what becomes of them in each column; the longest tables are cut."""
    rows = []
    for state in table.states[:MOST_ROWS]:
        names = [
            listed([code(shortened(id_), in_table=True) for id_ in ids], 4, joint=" and ") or "nothing (fresh)"
            for ids in state.rows[:3]
        ]
        rest = len(state.rows) - 3
        shown = ", or ".join(names) + (f", or {rest} more" if rest > 0 else "")
        cells = []
        for outcome in state.outcomes:
            overlaps = "overlaps with other requested" in (outcome.error or "")
            text = "stops; see doctor" if overlaps else inline(spoken(outcome, for_many=len(state.rows) > 1), 160)
            cells.append(MARKS[outcome.kind].format(text))
        rows.append({"databases": shown + here_mark(state.here), "cells": cells, "known": bool(state.here)})
    return rows


def here_mark(databases: tuple[str, ...]) -> str:
    """The known databases that stand in a line of a table, to be added to its first cell; empty for none."""
    named = [code(name, in_table=True) for name in databases[:_MOST_NAMED]]
    if not named:
        return ""
    rest = len(databases) - _MOST_NAMED
    who = f"{', '.join(named)} and {rest} more" if rest > 0 else " and ".join(named)
    return f"<br>:round_pushpin: **{who} {'is' if len(databases) == 1 else 'are'} here**"
