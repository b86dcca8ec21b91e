"""What an upgrade does to one database, in a line for a terminal, and the way out of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from onehead.databases.model import State
from onehead.databases.states import Outcome
from onehead.reports.ailments import ids_in
from onehead.reports.paint import visible

STYLES = {"ok": "good", "error": "error", "repeat": "bad", "loss": "bad"}
"""Kind of an outcome → how it is painted."""

_MOST_RUNS = 12


def told_of(outcome: Outcome) -> str:
    """How an upgrade ends."""
    match outcome.kind:
        case "loss":
            return f"exits with 0, but {ids_in(outcome.lost)} never run{'s' if len(outcome.lost) == 1 else ''}"
        case "repeat":
            return f"runs {shortened(outcome.again)} again: the database stops it, or rows are changed twice"
        case "error":
            first = f"runs {shortened(outcome.runs)}, then " if outcome.runs else ""
            return f"{first}stops: {visible(outcome.error or '')}"
        case _ if not outcome.runs:
            return "nothing to run"
    return f"runs {shortened(outcome.runs)}, ends at {ids_in(outcome.rows_after)}"


def way_out(state: State, known: Collection[str], lead: str, whose: str = "") -> Iterator[str]:
    """The commands that lead out, or why there are none.

    Args:
        state: the database.
        known: the ids that the files declare.
        lead: what stands before each line.
        whose: which of several databases it is for, with a blank before it.
    """
    if state.remedy:
        yield f"{lead}way out{whose}: {visible(state.remedy[0])}"
        yield from (f"{lead}         {' ' * len(whose)}{visible(command)}" for command in state.remedy[1:])
    elif state.outcome.kind != "ok":
        unknown = [row for row in state.rows if row not in known]
        if unknown:
            yield f"{lead}no safe way out from here: no file declares {ids_in(unknown)}, so what ran is unknown."
            yield f"{lead}Deploy the version that has it; never stamp back."
        else:
            yield f"{lead}no way out is proven safe; repair the chain first."


def rows_text(state: State) -> str:
    """What the version table holds."""
    return ", ".join(map(visible, state.rows)) or "(empty)"


def shortened(ids: tuple[str, ...]) -> str:
    """Ids in the order in which they run, the middle of many left out."""
    shown = [visible(id_) for id_ in ids]
    if len(shown) <= _MOST_RUNS:
        return ", ".join(shown)
    return f"{', '.join(shown[: _MOST_RUNS - 2])}, …, {shown[-1]} ({len(shown)} revisions)"
