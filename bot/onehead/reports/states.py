"""What `alembic upgrade head` does to each database: a table for people, an object for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from onehead.databases.model import NOTHING_OMITTED, Account, Omitted, State
from onehead.databases.states import THE_MERGE, Fix, OutcomeKind
from onehead.plan.findings import Code
from onehead.plan.verdict import Examination, Examined
from onehead.reports.ailments import ids_in
from onehead.reports.both_sides import both_sides_document, both_sides_lines
from onehead.reports.corrupt import corrupt_lines, short_name
from onehead.reports.document import new_ids
from onehead.reports.outcomes import STYLES, rows_text, shortened, told_of, way_out
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.text import compared_line, coverage_line, short_ref
from onehead.wording import listed

_FEW = 10
"""Up to so many databases each has a line of its own; more are grouped by what happens to them."""
_FATES: dict[OutcomeKind, tuple[str, str]] = {
    "loss": ("loses revisions", "lose revisions"),
    "repeat": ("runs revisions again", "run revisions again"),
    "error": ("stops", "stop"),
    "ok": ("goes on", "go on"),
}
"""Kind of an outcome, the worst first → what is said of one database, and of several."""
_MOST_NAMED = 3
"""Databases of a group that are named."""
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
    with_corrupt: bool = False,
) -> str:
    """The text of `onehead states`: what is forked comes first, then what is broken.

    Args:
        examination: what was judged.
        accounts: what is told of each environment.
        paint: colours.
        found: how the sides were found, when nobody named them.
        with_corrupt: tell also of databases whose rows are wrong already.
    """
    lines = [compared_line(examination, found), coverage_line(examination)]
    for examined in sorted(examination.environments, key=lambda each: _urgency(each, accounts)):
        path = examined.facts.environment.path
        told = accounts[path]
        lines += ["", *_without_account(examined, paint)] if not told else []
        for account in told:
            lines += ["", *_account(examination, examined, account, paint, with_corrupt=with_corrupt)]
    states = [state for told in accounts.values() for a in told for under in a.fixes for state in under.states]
    if any(line.startswith("alembic upgrade") for state in states for line in state.remedy[:-1]):
        lines += ["", _LATE]
    return "\n".join(lines) + "\n"


def _urgency(examined: Examined, accounts: Accounts) -> int:
    if any(account.fork is not None for account in accounts[examined.facts.environment.path]):
        return 0
    return 1 if any(finding.severity == "error" for finding in examined.findings) else 2


def _environment(examined: Examined, account: Account | None) -> dict[str, Any]:
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
                "corrupt": [{"ailment": str(state.ailment), **_state(state)} for state in under.corrupt],
            }
            for under in account.fixes
        ],
        "left_out": account.left_out,
        "omitted": account.omitted._asdict(),
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "rows": list(state.rows),
        "applied": list(state.applied),
        "outcome": state.outcome.kind,
        "runs": list(state.outcome.runs),
        "rows_after": list(state.outcome.rows_after),
        "lost": list(state.outcome.lost),
        "again": list(state.outcome.again),
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
    yield f"  `{command}` brings every database that followed this chain to {ids_in(heads)}."
    yield "  To see one database, name what its alembic_version holds: onehead states --rows REVISION"


def _owner(examination: Examination, new: bool) -> str:
    """Whose side of a fork it is; judged by itself, a branch has brought both."""
    if examination.head is None:
        return "one side"
    return visible(f"side of {short_ref((examination.head if new else examination.target).ref)}")


def _account(
    examination: Examination, examined: Examined, account: Account, paint: Paint, *, with_corrupt: bool
) -> Iterator[str]:
    path, graph = paint("strong", visible(examined.facts.environment.path or ".")), examined.facts.merged
    fork = account.fork
    if fork is None:
        yield f"{path}: no fork"
    else:
        yield f"{path}: the chain forks{f' after {ids_in(fork.points)}' if fork.points else ''}"
        for head, side in zip(fork.heads, account.sides, strict=True):
            yield f"  {_owner(examination, head in fork.new)}: {shortened(side)}"
        yield from both_sides_lines(examined, fork)
    others = [
        finding
        for finding in examined.findings
        if finding.severity == "error" and finding.code not in (Code.FORK, Code.COLLISION)
    ]
    yield from (f"  {paint('error', f'error {other.code}')}: {visible(other.message)}" for other in others)
    yield from _in_short(account, paint)
    yield f"  What `alembic upgrade {account.target}` does, by the content of alembic_version:"
    groups = [_grouped(under.states) for under in account.fixes]
    width = max(len(group.rows) for found in groups for group in found)
    for under, found in zip(account.fixes, groups, strict=True):
        yield ""
        yield f"  {paint('strong', _title(under.fix))}"
        for group in found:
            yield from _line(group, width, frozenset(graph.revisions), paint)
    if any(group.state.remedy and group.size > 1 and group.rows != "any" for found in groups for group in found):
        yield ""
        yield "  The way out of databases in one line is that of the first; `--rows ROWS` tells that of another."
    if account.left_out:
        yield ""
        yield f"  At least {account.left_out} more states lie between these; they fare like their neighbours."
    yield from _omitted(account.omitted)
    if any(under.corrupt for under in account.fixes):
        yield ""
        if with_corrupt:
            yield from corrupt_lines(account, paint)
        else:
            yield "  Databases whose rows are wrong already are left out; `--all` shows an example of each kind."


def _in_short(account: Account, paint: Paint) -> Iterator[str]:
    """How many databases fare how under each fix, so that nobody has to count the lines below."""
    number = max(len(under.states) for under in account.fixes)
    if number < 2:
        return
    yield f"  Of {number} databases that may exist:"
    width = max(len(short_name(under.fix)) for under in account.fixes)
    for under in account.fixes:
        counts = Counter(state.outcome.kind for state in under.states)
        told = [
            paint(STYLES[kind], f"{counts[kind]} {one if counts[kind] == 1 else many}")
            for kind, (one, many) in _FATES.items()
            if counts[kind]
        ]
        yield f"    {short_name(under.fix).ljust(width)}  {', '.join(told)}"
    yield ""


def _omitted(omitted: Omitted) -> Iterator[str]:
    if omitted.revisions:
        yield ""
        yield f"  {omitted.revisions} revisions far from the fork are left out of this large chain. Each one shown"
        yield "  stands for those left out beneath it; `--rows ROWS` tells of a database anywhere."
    if omitted.heads:
        yield ""
        yield f"  {omitted.heads} more heads of this fork are left out."
    if omitted.forks:
        yield ""
        yield f"  {omitted.forks} more forks of this environment are left out."


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
    state: State
    size: int
    here: tuple[str, ...]


def _grouped(states: tuple[State, ...]) -> list[_Group]:
    """One line per database; one for all where the very same error meets them all, and few where they are many."""
    alike = {(state.outcome.error, state.remedy) for state in states}
    if len(states) > 1 and len(alike) == 1 and states[0].outcome.kind == "error":
        return [_Group("any", states[0], len(states), _here(states))]
    groups: dict[object, list[State]] = {}
    for state in states:
        outcome = state.outcome
        # Of an error the kind counts, and not the ids in it.
        many = (outcome.kind, outcome.lost, outcome.again, (outcome.error or "").partition(" ")[0], len(state.remedy))
        groups.setdefault(many if len(states) > _FEW and not state.here else state, []).append(state)
    found = [_Group(_named(group), group[0], len(group), _here(group)) for group in groups.values()]
    # Databases that are known come first, and otherwise the worst.
    return sorted(found, key=lambda group: not group.here)


def _here(states: Iterable[State]) -> tuple[str, ...]:
    return tuple(sorted({name for state in states for name in state.here}))


def _named(group: list[State]) -> str:
    names = [rows_text(state) for state in group[:_MOST_NAMED]]
    rest = len(group) - len(names)
    return "; ".join(names) + (f"; {rest} more" if rest else "")


def _line(group: _Group, width: int, known: frozenset[str], paint: Paint) -> Iterator[str]:
    state, outcome = group.state, group.state.outcome
    many = group.size > 1 and group.rows != "any"
    told = "runs what is missing" if many and outcome.kind == "ok" else told_of(outcome)
    yield f"    {paint(STYLES[outcome.kind], outcome.kind.ljust(6))}  {group.rows.ljust(width)}  {told}"
    lead = "            " + " " * width + "  "
    if group.here:
        yield f"{lead}{paint('strong', ids_in(group.here))} {'is' if len(group.here) == 1 else 'are'} here"
    yield from way_out(state, known, lead, f" of {rows_text(state)}" if many else "")
