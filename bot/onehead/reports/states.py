"""What `alembic upgrade head` does to each database, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from onehead.databases.model import (
    NOTHING_OMITTED,
    DatabaseState,
    ForkOutcomes,
    OwnDatabase,
    ProblemKind,
    StateTable,
)
from onehead.databases.states import THE_MERGE, Fix, Outcome, OutcomeKind, spoken
from onehead.plan.findings import Code
from onehead.plan.verdict import Examination, Examined
from onehead.reports.doctor import ids_in
from onehead.reports.formats import both_sides_document, fields, new_ids
from onehead.reports.terminal import both_sides_lines, compared_line, coverage_line, short_ref
from onehead.screen import Paint, plain
from onehead.text import code, fence, inline, listed, shortened, visible

MAX_ROWS = 12
"""Lines of a state table that a comment shows."""

_MAX_NAMED = 3
"""Databases that one line names."""

MARKS = {"ok": "{}", "error": ":x: {}", "loss": ":warning: **{}**", "repeat": ":warning: **{}**"}
"""Kind of an outcome → its cell in a table."""

COLUMNS = {
    "none": "as it is",
    "merge": "after the merge",
    "reparent": "after the re-parent",
    "edited": "once this is merged",
}


def columns_and_rows(table: StateTable, *, commands: bool) -> dict[str, Any]:
    """The head of a table, its lines, what is the same in all of them, and how many states are not shown.

    `commands`: whether somebody answers commands where it is shown.
    """
    left_out = table.left_out + sum(len(state.rows) for state in table.states[MAX_ROWS:])
    columns = [
        f"{COLUMNS[fix]}, under new ids" if fix == "reparent" and table.new_ids else COLUMNS[fix] for fix in table.fixes
    ]
    renamed = [f"{code(shortened(old))} is {code(shortened(new))}" for old, new in table.new_ids.items()]
    stopped = [state.rows[0] for state in table.states[:MAX_ROWS] if any(map(_overlaps, state.outcomes))]
    doctor = _doctor(stopped[0], commands=commands) if stopped else ""
    return {
        **_told_once(columns, table_rows(table)),
        "left_out": left_out,
        "new_ids": listed(renamed, 4),
        "doctor": doctor,
    }


def _doctor(rows: tuple[str, ...], *, commands: bool) -> str:
    """How to ask about a database, as a clause."""
    if commands:
        return f"comment {code('/onehead doctor ' + ' '.join(rows))}, and the reply says what to do"
    return f"{code('onehead doctor --rows ' + ','.join(rows))} in a clone says what to do"


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
    for state in table.states[:MAX_ROWS]:
        names = [
            listed([code(shortened(id_), in_table=True) for id_ in ids], 4, joint=" and ") or "nothing (fresh)"
            for ids in state.rows[:3]
        ]
        rest = len(state.rows) - 3
        shown = ", or ".join(names) + (f", or {rest} more" if rest > 0 else "")
        cells = [_cell(outcome, for_many=len(state.rows) > 1) for outcome in state.outcomes]
        rows.append({"databases": shown + here_mark(state.here), "cells": cells, "known": bool(state.here)})
    return rows


def _cell(outcome: Outcome, *, for_many: bool) -> str:
    text = "stops; see doctor" if _overlaps(outcome) else inline(spoken(outcome, for_many=for_many), 160)
    return MARKS[outcome.kind].format(text)


def _overlaps(outcome: Outcome) -> bool:
    return "overlaps with other requested" in (outcome.error or "")


def here_mark(databases: tuple[str, ...]) -> str:
    """The known databases that stand in a line of a table, to be added to its first cell; empty for none."""
    named = [code(name, in_table=True) for name in databases[:_MAX_NAMED]]
    if not named:
        return ""
    rest = len(databases) - _MAX_NAMED
    who = f"{', '.join(named)} and {rest} more" if rest > 0 else " and ".join(named)
    return f"<br>:round_pushpin: **{who} {'is' if len(databases) == 1 else 'are'} here**"


STYLES = {"ok": "good", "error": "error", "repeat": "bad", "loss": "bad"}
"""Kind of an outcome → how it is painted."""

_MAX_RUNS = 12


def told_of(outcome: Outcome) -> str:
    """How an upgrade ends."""
    match outcome.kind:
        case "loss":
            return f"exits with 0, but {ids_in(outcome.lost)} never run{'s' if len(outcome.lost) == 1 else ''}"
        case "repeat":
            return f"runs {_cut_short(outcome.again)} again: the database stops it, or rows are changed twice"
        case "error":
            first = f"runs {_cut_short(outcome.runs)}, then " if outcome.runs else ""
            return f"{first}stops: {visible(outcome.error or '')}"
        case _ if not outcome.runs:
            return "nothing to run"
    return f"runs {_cut_short(outcome.runs)}, ends at {ids_in(outcome.rows_after)}"


def _way_out(state: DatabaseState, known: Collection[str], lead: str, whose: str = "") -> Iterator[str]:
    """The commands that lead out, or why there are none; `whose`: which of several databases it is for."""
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


def _rows_text(state: DatabaseState) -> str:
    return ", ".join(map(visible, state.rows)) or "(empty)"


def _cut_short(ids: tuple[str, ...]) -> str:
    """Ids in the order in which they run, the middle of many left out."""
    shown = [visible(id_) for id_ in ids]
    if len(shown) <= _MAX_RUNS:
        return ", ".join(shown)
    return f"{', '.join(shown[: _MAX_RUNS - 2])}, …, {shown[-1]} ({len(shown)} revisions)"


def _inconsistent_lines(account: ForkOutcomes, paint: Paint) -> Iterator[str]:
    """One paragraph per kind, which tells of the first of them."""
    title = paint("strong", "Where the rows are wrong already")
    yield f"  {title} (examples; `--rows ROWS` and `onehead doctor` show yours)"
    # Kind → database → what becomes of it under each fix.
    kinds: dict[object, dict[object, list[tuple[Fix, DatabaseState]]]] = {}
    for under in account.fixes:
        for state in under.inconsistent:
            databases = kinds.setdefault(state.problem, {})
            databases.setdefault((state.rows, state.applied), []).append((under.fix, state))
    for databases in kinds.values():
        first, *others = databases.values()
        more = f" ({len(others)} more of the kind in `--format json`)" if others else ""
        yield f"    {_described(account, first[0][1])}{more}"
        yield from _outcomes(account, first, paint)


def _outcomes(account: ForkOutcomes, states: list[tuple[Fix, DatabaseState]], paint: Paint) -> Iterator[str]:
    """What comes of one database, the fixes that do the same to it in one line."""
    alike: dict[object, list[tuple[Fix, DatabaseState]]] = {}
    for fix, state in states:
        if fix.kind == "none" and (state.outcome.error or "").startswith("Multiple head"):
            continue  # that is so for every database, and stands above
        alike.setdefault((told_of(state.outcome), state.remedy), []).append((fix, state))
    for found in alike.values():
        fix, state = found[0]
        names = ", or ".join(_short_name(fix) for fix, _ in found)
        if len(found) > 1 and len(found) == len(account.fixes) - 1:
            names = "with any fix"
        kind = paint(STYLES[state.outcome.kind], state.outcome.kind.ljust(6))
        yield f"      {kind}  {names}: {told_of(state.outcome)}"
        yield from _way_out(state, fix.graph.revisions, "              ")


def _short_name(fix: Fix) -> str:
    match fix.kind:
        case "none":
            return "as it is"
        case "merge":
            return "with the merge"
        case "reparent":
            return f"with {ids_in(fix.moved)} on {visible(fix.onto or '')}"


def _described(account: ForkOutcomes, state: DatabaseState) -> str:
    rows = _rows_text(state)
    # The newest that has run on each side; the parting point where nothing of them has.
    tips = [id_ for side in account.sides for id_ in [id_ for id_ in side if id_ in state.applied][-1:]]
    tips = list(dict.fromkeys(tips)) or list(account.fork.points if account.fork else ())
    there = f"{ids_in(tips) or 'nothing'} {'has' if len(tips) < 2 else 'have'} run"
    match state.problem:
        case ProblemKind.UNKNOWN_ROW:
            return f"{rows}, which no file declares" if len(state.rows) == 1 else f"{rows}, of which one has no file"
        case ProblemKind.REPEATED_ROW:
            return f"{visible(state.rows[0])} twice"
        case ProblemKind.OVERLAPPING_ROWS:
            return f"{rows}, of which one includes the other"
        case ProblemKind.NO_ROWS:
            return f"no row, although {there}"
        case ProblemKind.AHEAD:
            return f"{rows}, although {there}"
        case _:
            return f"{rows}, although only {there}"


_FEW = 10
"""Up to so many databases each has a line of its own; more are grouped by what happens to them."""
_FATES: dict[OutcomeKind, tuple[str, str]] = {
    "loss": ("loses revisions", "lose revisions"),
    "repeat": ("runs revisions again", "run revisions again"),
    "error": ("stops", "stop"),
    "ok": ("succeeds", "succeed"),
}
"""Kind of an outcome, the worst first → what is said of one database, and of several."""
_LATE = "A way out that runs lost revisions late is right only where the two sides touch different things: look first."

Accounts = Mapping[str, tuple[ForkOutcomes, ...]]
"""Path of an environment → what is told about it: one account per fork, or one of the rows that were asked for."""


def states_document(examination: Examination, accounts: Accounts) -> dict[str, Any]:
    """The object of `onehead states --format json` (docs/schema/onehead.states-1.json)."""
    coverage, head = examination.coverage, examination.head
    return {
        "schema": "onehead.states/1",
        "target": fields(examination.target, "ref", "sha"),
        "head": None if head is None else fields(head, "ref", "sha"),
        "coverage": coverage._asdict(),
        "environments": [
            _environment(examined, account)
            for examined in examination.environments
            for account in accounts[examined.facts.environment.path] or (None,)
        ],
    }


def states_text(
    examination: Examination,
    accounts: Accounts,
    paint: Paint = plain,
    found: str = "",
    *,
    with_inconsistent: bool = False,
) -> str:
    """The text of `onehead states`: what is forked comes first, then what is broken.

    `found` says how the sides were found, when nobody named them; `with_inconsistent` tells also of databases whose
    rows are wrong already.
    """
    lines = [compared_line(examination, found), coverage_line(examination)]
    for examined in sorted(examination.environments, key=lambda each: _urgency(each, accounts)):
        of_this = accounts[examined.facts.environment.path]
        lines += ["", *_without_account(examined, paint)] if not of_this else []
        for account in of_this:
            lines += ["", *_account(examination, examined, account, paint, with_inconsistent=with_inconsistent)]
    states = [state for each in accounts.values() for a in each for under in a.fixes for state in under.states]
    if any(" upgrade " in line for state in states for line in state.remedy[:-1]):
        lines += ["", _LATE]
    return "\n".join(lines) + "\n"


def _urgency(examined: Examined, accounts: Accounts) -> int:
    if any(account.fork is not None for account in accounts[examined.facts.environment.path]):
        return 0
    return 1 if any(finding.severity == "error" for finding in examined.findings) else 2


def _environment(examined: Examined, account: ForkOutcomes | None) -> dict[str, Any]:
    path = examined.facts.environment.path
    if account is None:
        return {"path": path, "command": None, "fork": None, "both_sides": [], "fixes": [], "left_out": 0} | {
            "omitted": NOTHING_OMITTED._asdict()
        }
    fork = account.fork
    return {
        "path": path,
        "command": f"alembic upgrade {account.target}",
        "fork": None
        if fork is None
        else {"parent": ",".join(fork.points) or None, "sides": [list(side) for side in account.sides]},
        "both_sides": both_sides_document(examined, fork),
        "fixes": [
            {
                "fix": under.fix.kind,
                "moved": ",".join(under.fix.moved) or None,
                "onto": under.fix.onto,
                "new_ids": new_ids(under.fix.new_ids),
                "states": [_state(state) for state in under.states],
                "corrupt": [{"ailment": str(state.problem), **_state(state)} for state in under.inconsistent],
            }
            for under in account.fixes
        ],
        "left_out": account.left_out,
        "omitted": account.omitted._asdict(),
    }


def _state(state: DatabaseState) -> dict[str, Any]:
    return {
        **fields(state, "rows", "applied"),
        "outcome": state.outcome.kind,
        **fields(state.outcome, "runs", "rows_after", "lost", "again", "error"),
        "remedy": list(state.remedy),
    }


def _without_account(examined: Examined, paint: Paint) -> Iterator[str]:
    """An environment without a fork, when no rows were asked for."""
    facts = examined.facts
    yield f"{paint('strong', visible(facts.environment.path or '.'))}: no fork"
    errors = _errors(examined, paint)
    yield from errors
    if not errors:
        heads = facts.merged.heads
        command = "alembic upgrade head" if len(heads) == 1 else "alembic upgrade heads"
        yield f"  `{command}` brings every database that followed this chain to {ids_in(heads)}."
        yield "  To see one database, name what its alembic_version holds: `onehead states --rows REVISION`"


def _owner(examination: Examination, new: bool) -> str:
    """Whose side of a fork it is; judged by itself, a branch has brought both."""
    if examination.head is None:
        return "one side"
    return visible(f"side of {short_ref((examination.head if new else examination.target).ref)}")


def _account(
    examination: Examination, examined: Examined, account: ForkOutcomes, paint: Paint, *, with_inconsistent: bool
) -> Iterator[str]:
    path, graph = paint("strong", visible(examined.facts.environment.path or ".")), examined.facts.merged
    fork = account.fork
    if fork is None:
        yield f"{path}: no fork"
    else:
        yield f"{path}: the chain forks{f' after {ids_in(fork.points)}' if fork.points else ''}"
        for head, side in zip(fork.heads, account.sides, strict=True):
            yield f"  {_owner(examination, head in fork.new)}: {_cut_short(side)}"
        yield from both_sides_lines(examined, fork)
    yield from _errors(examined, paint, besides=(Code.FORK, Code.COLLISION))
    yield from _in_short(account, paint)
    yield f"  What `alembic upgrade {account.target}` does, by the content of alembic_version:"
    groups = [_grouped(under.states) for under in account.fixes]
    width = max(len(group.rows) for found in groups for group in found)
    for under, found in zip(account.fixes, groups, strict=True):
        yield from ("", f"  {paint('strong', _title(under.fix))}")
        for group in found:
            yield from _line(group, width, frozenset(graph.revisions), paint)
    yield from (line for note in _notes(account, groups) for line in ("", *note))
    if any(under.inconsistent for under in account.fixes):
        yield ""
        if with_inconsistent:
            yield from _inconsistent_lines(account, paint)
        else:
            yield "  Databases whose rows are wrong already are left out; `--all` shows an example of each kind."


def _errors(examined: Examined, paint: Paint, besides: Collection[Code] = ()) -> list[str]:
    return [
        f"  {paint('error', f'error {finding.code}')}: {visible(finding.message)}"
        for finding in examined.findings
        if finding.severity == "error" and finding.code not in besides
    ]


def _notes(account: ForkOutcomes, groups: list[list[_Group]]) -> Iterator[tuple[str, ...]]:
    """What a reader has to know about the lines: for which databases they stand, and what is not told of."""
    if any(group.state.remedy and group.is_of_many for found in groups for group in found):
        yield ("  A line with several databases shows the way out of the first; `--rows ROWS` shows another's.",)
    if account.left_out:
        yield (f"  At least {account.left_out} more states lie between these; the result is that of their neighbours.",)
    omitted = account.omitted
    if omitted.revisions:
        yield (
            f"  {omitted.revisions} revisions far from the fork are left out of this large chain: the result",
            "  for each is that of the next one shown above it. `--rows ROWS` shows any database.",
        )
    if omitted.heads:
        yield (f"  {omitted.heads} more heads of this fork are left out.",)
    if omitted.forks:
        yield (f"  {omitted.forks} more forks of this environment are left out.",)


def _in_short(account: ForkOutcomes, paint: Paint) -> Iterator[str]:
    """How many databases fare how under each fix, so that nobody has to count the lines below."""
    number = max(len(under.states) for under in account.fixes)
    if number < 2:
        return
    yield f"  Of {number} databases that may exist:"
    width = max(len(_short_name(under.fix)) for under in account.fixes)
    for under in account.fixes:
        counts = Counter(state.outcome.kind for state in under.states)
        parts = [
            paint(STYLES[kind], f"{counts[kind]} {one if counts[kind] == 1 else many}")
            for kind, (one, many) in _FATES.items()
            if counts[kind]
        ]
        yield f"    {_short_name(under.fix).ljust(width)}  {', '.join(parts)}"
    yield ""


def _title(fix: Fix) -> str:
    match fix.kind:
        case "none":
            return "As it is"
        case "merge":
            merge = max(fix.graph.heads, key=lambda head: fix.graph.revisions[head].path == "~merge")
            name = "a merge revision" if merge == THE_MERGE else f"the merge revision {visible(merge)}"
            return f"With {name} that joins {ids_in(fix.graph.revisions[merge].parents)}"
        case "reparent":
            new = [f"{visible(old)} as {visible(id_)}" for old, id_ in fix.new_ids.items()]
            under = f", {listed(new, 4)}" if new else ""
            return f"With {ids_in(fix.moved)} moved onto {visible(fix.onto or '')} (re-parent{under})"


class _Group(NamedTuple):
    """Databases that one line tells of: their rows, the first of them, how many, and the known ones among them."""

    rows: str
    state: DatabaseState
    size: int
    here: tuple[str, ...]

    @property
    def is_of_many(self) -> bool:
        return self.size > 1 and self.rows != "any"


def _grouped(states: tuple[DatabaseState, ...]) -> list[_Group]:
    """One line per database; one for all where the very same error meets them all, and few where they are many."""

    def grouped(name: str, group: Sequence[DatabaseState]) -> _Group:
        return _Group(name, group[0], len(group), tuple(sorted({name for state in group for name in state.here})))

    alike = {(state.outcome.error, state.remedy) for state in states}
    if len(states) > 1 and len(alike) == 1 and states[0].outcome.kind == "error":
        return [grouped("any", states)]
    groups: dict[object, list[DatabaseState]] = {}
    for state in states:
        outcome = state.outcome
        # Of an error the kind counts, and not the ids in it.
        many = (outcome.kind, outcome.lost, outcome.again, (outcome.error or "").partition(" ")[0], len(state.remedy))
        groups.setdefault(many if len(states) > _FEW and not state.here else state, []).append(state)
    # Databases that are known come first, and otherwise the worst.
    return sorted((grouped(_named(group), group) for group in groups.values()), key=lambda group: not group.here)


def _named(group: list[DatabaseState]) -> str:
    names = [_rows_text(state) for state in group[:_MAX_NAMED]]
    rest = len(group) - len(names)
    return "; ".join(names) + (f"; {rest} more" if rest else "")


def _line(group: _Group, width: int, known: frozenset[str], paint: Paint) -> Iterator[str]:
    state, outcome = group.state, group.state.outcome
    text = "runs what is missing" if group.is_of_many and outcome.kind == "ok" else told_of(outcome)
    yield f"    {paint(STYLES[outcome.kind], outcome.kind.ljust(6))}  {group.rows.ljust(width)}  {text}"
    lead = "            " + " " * width + "  "
    if group.here:
        yield f"{lead}{paint('strong', ids_in(group.here))} {'is' if len(group.here) == 1 else 'are'} here"
    yield from _way_out(state, known, lead, f" of {_rows_text(state)}" if group.is_of_many else "")


def own_database_lines(found: Mapping[str, OwnDatabase], paint: Paint) -> Iterator[str]:
    """For a terminal, environment by environment."""
    for path, own in found.items():
        where = f"  {visible(path)}:" if len(found) > 1 else " "
        if own.before:
            yield f"{paint('strong', 'Your own database')}: if it has run this branch, undo that before you merge:"
            yield f"{where} {visible(' && '.join(own.before))}"
        if own.after:
            upgrade = f"`alembic upgrade head` {told_of(own.outcome)}"
            rows = ", ".join(visible(shortened(row)) for row in own.rows)
            yield f"  If you did not: with {rows} in alembic_version, {upgrade}."
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
            **fields(own, "rows", "before"),
            "outcome": own.outcome.kind,
            "after": list(own.after),
        }
        for path, own in found.items()
    ]
