"""Databases whose rows are wrong already: an example of each kind, and what comes of it under every fix. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from onehead.databases.model import Account, Ailment, State
from onehead.databases.states import Fix
from onehead.reports.ailments import ids_in
from onehead.reports.outcomes import STYLES, rows_text, told_of, way_out
from onehead.reports.paint import Paint, visible

_Told = list[tuple[Fix, State]]
"""One database, under each fix."""


def corrupt_lines(account: Account, paint: Paint) -> Iterator[str]:
    """One paragraph per kind, which tells of the first of them."""
    title = paint("strong", "Where the rows are wrong already")
    yield f"  {title} (examples; `--rows ROWS` and `onehead doctor` tell of yours)"
    databases: dict[object, _Told] = {}
    for under in account.fixes:
        for state in under.corrupt:
            databases.setdefault((state.ailment, state.rows, state.applied), []).append((under.fix, state))
    kinds: dict[object, list[_Told]] = {}
    for told in databases.values():
        kinds.setdefault(told[0][1].ailment, []).append(told)
    for first, *others in kinds.values():
        more = f" ({len(others)} more of the kind in `--format json`)" if others else ""
        yield f"    {_described(account, first[0][1])}{more}"
        yield from _outcomes(account, first, paint)


def _outcomes(account: Account, told: _Told, paint: Paint) -> Iterator[str]:
    """What comes of one database, the fixes that do the same to it in one line."""
    lines: dict[object, list[tuple[str, State, Fix]]] = {}
    for fix, state in told:
        if fix.kind == "none" and (state.outcome.error or "").startswith("Multiple head"):
            continue  # that is so for every database, and stands above
        lines.setdefault((told_of(state.outcome), state.remedy), []).append((short_name(fix), state, fix))
    for found in lines.values():
        _, state, fix = found[0]
        names = "with any fix" if len(found) > 1 and len(found) == len(account.fixes) - 1 else _joined(found)
        kind = paint(STYLES[state.outcome.kind], state.outcome.kind.ljust(6))
        yield f"      {kind}  {names}: {told_of(state.outcome)}"
        yield from way_out(state, fix.graph.revisions, "              ")


def _joined(found: list[tuple[str, State, Fix]]) -> str:
    return ", or ".join(label for label, _, _ in found)


def short_name(fix: Fix) -> str:
    """What is done about a fork, in a few words."""
    match fix.kind:
        case "none":
            return "as it is"
        case "merge":
            return "with the merge"
        case "reparent":
            return f"with {ids_in(fix.moved)} on {visible(fix.onto or '')}"


def _described(account: Account, state: State) -> str:
    rows = rows_text(state)
    tips = _tips(account, state)
    there = f"{ids_in(tips) or 'nothing'} {'has' if len(tips) < 2 else 'have'} run"
    match state.ailment:
        case Ailment.UNKNOWN_ROW:
            return f"{rows}, which no file declares" if len(state.rows) == 1 else f"{rows}, of which one has no file"
        case Ailment.REPEATED_ROW:
            return f"{visible(state.rows[0])} twice"
        case Ailment.OVERLAPPING_ROWS:
            return f"{rows}, of which one stands for the other too"
        case Ailment.NO_ROWS:
            return f"no row, although {there}"
        case Ailment.AHEAD:
            return f"{rows}, although {there}"
        case _:
            return f"{rows}, although only {there}"


def _tips(account: Account, state: State) -> list[str]:
    """The newest that has run on each side; the parting point where nothing of them has."""
    tips = [[id_ for id_ in side if id_ in state.applied][-1:] for side in account.sides]
    found = [id_ for tip in tips for id_ in tip]
    return list(dict.fromkeys(found)) or list(account.fork.points if account.fork else ())
