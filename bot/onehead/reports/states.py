"""What `alembic upgrade head` does to each database: a table for people, an object for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onehead.plan.findings import Code
from onehead.plan.verdict import Examination, Examined
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.text import compared_line, coverage_line, short_ref
from onehead.states.outcome import THE_MERGE, Account, Fix, State

_MOST_RUNS = 12
_LATE = "A way out that runs lost revisions late is right only where the two sides touch different things: look first."

Accounts = Mapping[str, tuple[Account, ...]]
"""Path of an environment → what is told about it: one account per fork, or one of the rows that were asked for."""


def states_document(examination: Examination, accounts: Accounts) -> dict[str, Any]:
    """The object of `onehead states --format json` (docs/schema/onehead.states-1.json)."""
    coverage, head = examination.coverage, examination.head
    return {
        "schema": "onehead.states/1",
        "target": {"ref": examination.target.ref, "sha": examination.target.sha},
        "head": None if head is None else {"ref": head.ref, "sha": head.sha},
        "coverage": coverage._asdict(),
        "environments": [
            _environment(examined.facts.environment.path, account)
            for examined in examination.environments
            for account in accounts[examined.facts.environment.path] or (None,)
        ],
    }


def states_text(examination: Examination, accounts: Accounts, paint: Paint = plain, found: str = "") -> str:
    """The text of `onehead states`; `found` says how the sides were found, when nobody named them."""
    lines = [compared_line(examination, found), coverage_line(examination)]
    for examined in examination.environments:
        path = examined.facts.environment.path
        told = accounts[path]
        lines += ["", *_without_account(examined, paint)] if not told else []
        for account in told:
            lines += ["", *_account(examination, examined, account, paint)]
    states = [state for told in accounts.values() for a in told for _, each in a.fixes for state in each]
    if any(state.outcome.kind == "loss" and state.remedy for state in states):
        lines += ["", _LATE]
    return "\n".join(lines) + "\n"


def _environment(path: str, account: Account | None) -> dict[str, Any]:
    if account is None:
        return {"path": path, "command": None, "fork": None, "fixes": [], "left_out": 0}
    fork = account.fork
    return {
        "path": path,
        "command": f"alembic upgrade {account.target}",
        "fork": None
        if fork is None
        else {"parent": ",".join(fork.points) or None, "sides": [list(side) for side in account.sides]},
        "fixes": [
            {
                "fix": fix.kind,
                "moved": ",".join(fix.moved) or None,
                "onto": fix.onto,
                "states": [_state(state) for state in states],
            }
            for fix, states in account.fixes
        ],
        "left_out": account.left_out,
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "rows": list(state.rows),
        "applied": list(state.applied),
        "outcome": state.outcome.kind,
        "runs": list(state.outcome.runs),
        "rows_after": list(state.outcome.rows_after),
        "lost": list(state.outcome.lost),
        "error": state.outcome.error,
        "remedy": list(state.remedy),
    }


def _without_account(examined: Examined, paint: Paint) -> Iterator[str]:
    """An environment without a fork, when no rows were asked for."""
    facts = examined.facts
    yield f"{paint('strong', visible(facts.environment.path or '.'))}: no fork"
    errors = [finding for finding in examined.findings if finding.severity == "error"]
    if errors:
        yield from (f"  {paint('error', f'error {e.code}')}: {visible(e.message)}" for e in errors)
        return
    heads = facts.merged.heads
    command = "alembic upgrade head" if len(heads) == 1 else "alembic upgrade heads"
    yield f"  `{command}` brings every database that followed this chain to {_listed(heads)}."
    yield "  To see one database, name what its alembic_version holds: onehead states --rows REVISION"


def _owner(examination: Examination, new: bool) -> str:
    """Whose side of a fork it is; judged by itself, a branch has brought both."""
    if examination.head is None:
        return "one side"
    return visible(f"side of {short_ref((examination.head if new else examination.target).ref)}")


def _account(examination: Examination, examined: Examined, account: Account, paint: Paint) -> Iterator[str]:
    path, graph = paint("strong", visible(examined.facts.environment.path or ".")), examined.facts.merged
    fork = account.fork
    if fork is None:
        yield f"{path}: no fork"
    else:
        yield f"{path}: the chain forks{f' after {_listed(fork.points)}' if fork.points else ''}"
        for head, side in zip(fork.heads, account.sides, strict=True):
            yield f"  {_owner(examination, head in fork.new)}: {_shortened(side)}"
    others = [
        finding
        for finding in examined.findings
        if finding.severity == "error" and finding.code not in (Code.FORK, Code.COLLISION)
    ]
    yield from (f"  {paint('error', f'error {other.code}')}: {visible(other.message)}" for other in others)
    yield f"  What `alembic upgrade {account.target}` does, by the content of alembic_version:"
    width = max(len(_rows(state)) for _, states in account.fixes for state in states)
    for fix, states in account.fixes:
        yield ""
        yield f"  {paint('strong', _title(fix))}"
        for state in _merged(states):
            yield from _line(state, width, frozenset(graph.revisions), paint)
    if account.left_out:
        yield ""
        yield f"  At least {account.left_out} more states lie inside straight runs; they fare like their neighbours."


def _title(fix: Fix) -> str:
    match fix.kind:
        case "none":
            return "As it is"
        case "merge":
            merge = max(fix.graph.heads, key=lambda head: fix.graph.revisions[head].path == "~merge")
            name = "a merge revision" if merge == THE_MERGE else f"the merge revision {visible(merge)}"
            return f"With {name} that joins {_listed(fix.graph.revisions[merge].parents)}"
        case "reparent":
            return f"With {_listed(fix.moved)} moved onto {visible(fix.onto or '')} (re-parent)"


def _merged(states: tuple[State, ...]) -> list[State | tuple[State, ...]]:
    """The states, or all of them in one where the very same error meets them all."""
    alike = {(state.outcome.error, state.remedy) for state in states}
    if len(states) > 1 and len(alike) == 1 and states[0].outcome.kind == "error":
        return [states]
    return list(states)


def _line(found: State | tuple[State, ...], width: int, known: frozenset[str], paint: Paint) -> Iterator[str]:
    state = found if isinstance(found, State) else found[0]
    rows = _rows(state) if isinstance(found, State) else "any"
    outcome = state.outcome
    style = {"ok": "good", "error": "error", "loss": "bad"}[outcome.kind]
    yield f"    {paint(style, outcome.kind.ljust(5))}  {rows.ljust(width)}  {_told(state)}"
    lead = "           " + " " * width + "  "
    if state.remedy:
        yield f"{lead}way out: {visible(state.remedy[0])}"
        yield from (f"{lead}         {visible(command)}" for command in state.remedy[1:])
    elif outcome.kind != "ok":
        unknown = [row for row in state.rows if row not in known]
        if unknown:
            yield f"{lead}no safe way out from here: no file declares {_listed(unknown)}, so what ran is unknown."
            yield f"{lead}Deploy the version that has it; never stamp back."
        else:
            yield f"{lead}no way out is proven; mend the chain first."


def _told(state: State) -> str:
    outcome = state.outcome
    if outcome.kind == "loss":
        verb = "never runs" if len(outcome.lost) == 1 else "never run"
        return f"exits with 0, but {_listed(outcome.lost)} {verb}"
    if outcome.kind == "error":
        return f"stops: {visible(outcome.error or '')}"
    if not outcome.runs:
        return "nothing to run"
    return f"runs {_shortened(outcome.runs)}, ends at {_listed(outcome.rows_after)}"


def _rows(state: State) -> str:
    return ", ".join(map(visible, state.rows)) or "(empty)"


def _shortened(ids: tuple[str, ...]) -> str:
    shown = [visible(id_) for id_ in ids]
    if len(shown) <= _MOST_RUNS:
        return ", ".join(shown)
    return f"{', '.join(shown[: _MOST_RUNS - 2])}, …, {shown[-1]} ({len(shown)} revisions)"


def _listed(ids: tuple[str, ...] | list[str]) -> str:
    shown = [visible(id_) for id_ in ids]
    if len(shown) <= 1:
        return "".join(shown) or "nothing"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
