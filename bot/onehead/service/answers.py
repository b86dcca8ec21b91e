"""The longer answers: what there is to know about a chain, gathered for people who ask."""

from __future__ import annotations

from collections.abc import Iterator

from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import read_log
from onehead.databases.model import StateTable
from onehead.plan.forks import forks_of
from onehead.plan.plans import Merge, Reparent
from onehead.plan.verdict import Point
from onehead.reports.comment import leading_plan, one_line
from onehead.reports.replies import Explained, doctor_answer, explanation
from onehead.service.agenda import lone_branches
from onehead.service.bench import HEADS, Bench, Case, Target
from onehead.service.verdicts import open_repair
from onehead.text import code, inline_code

_NAMES_A_REVISION = (CrashKind.CANNOT_LOCATE, CrashKind.MISSING_PARENT)


def explain_target(bench: Bench, target: Target, said: str) -> str:
    """The state of a deployed branch, and what a crash that somebody reports means for it.

    Args:
        bench: the repository.
        target: the branch.
        said: what people have written; Alembic's own complaints are looked for in it.
    """
    case = bench.judge(target, None)
    reading = read_log(said)
    named = [crash.subject for crash in reading.crashes if crash.trouble in _NAMES_A_REVISION and crash.subject]
    elsewhere = _places(bench, target, named)
    here = {id_ for examined in case.examination.environments for id_ in examined.facts.target.revisions}
    repair = open_repair(bench, target.name)
    return explanation(
        Explained(
            examination=case.examination,
            tables=case.judged.tables,
            recent={
                e.facts.environment.path: bench.analysis.recent(e.facts)
                for e in case.examination.environments
                if not forks_of(e.facts)
            },
            crashes=reading.believed(here | elsewhere.keys()).crashes,
            elsewhere=elsewhere,
            repair=f"#{repair.number}" if repair is not None else "",
        )
    )


def explain_pull(case: Case, *, losses_only: bool = False) -> str:
    """What a repair does and why it is this one, in a few sentences; the whole account is in the comment.

    Args:
        case: the judged pull request.
        losses_only: leave out how the pull request stands.
    """
    examination = case.examination
    lines = [] if losses_only else [inline_code(one_line(examination)), ""]
    plan = leading_plan(examination)
    lines += [f"- {inline_code(reason.message)}" for reason in plan.reasons]
    if isinstance(plan, Reparent):
        tables = [table for found in case.judged.tables.values() for table in found]
        lines += [f"- {sentence}" for table in tables for sentence in _losses(table)]
    if not losses_only and isinstance(plan, Merge | Reparent):
        lines += ["", "The graph and the table of databases are in onehead's other comment on this page."]
    return "\n".join(lines).strip()


def diagnose(bench: Bench, target: Target, rows: tuple[str, ...]) -> str:
    """What ails a database with these rows, and what becomes of it: the diagnosis that the terminal gives."""
    case = bench.judge(target, None)
    every = {examined.facts.environment.path: examined.facts for examined in case.examination.environments}
    # Of several environments only those are meant that know one of the rows.
    meant = {
        path: facts for path, facts in every.items() if len(every) == 1 or any(row in facts.target for row in rows)
    }
    if not every:
        return f"There is no Alembic environment on {code(target.name)}."
    if not meant:
        return f"No environment on {code(target.name)} has any of these rows."
    found = {path: bench.analysis.diagnose(facts, rows) for path, facts in meant.items()}
    places = {row: place for each in found.values() for row, place in each.places.items()}
    merged = {path: each.merged for path, each in found.items() if each.merged is not None}
    return doctor_answer({path: each.diagnosis for path, each in found.items()}, places, merged, target.point)


def _losses(table: StateTable) -> list[str]:
    """Databases that would skip something without a word, if this branch's revisions were moved."""
    if "reparent" not in table.fixes:
        return []
    column = table.fixes.index("reparent")
    databases: dict[tuple[str, ...], list[str]] = {}
    for state in table.states:
        if state.outcomes[column].kind == "loss":
            at = [" and ".join(code(row) for row in rows) for rows in state.rows]
            databases.setdefault(state.outcomes[column].lost, []).extend(at)
    return [
        f"A database at {', or '.join(at)} would never run {' and '.join(map(code, lost))}, without any error."
        for lost, at in databases.items()
    ]


def _places(bench: Bench, target: Target, ids: list[str]) -> dict[str, str]:
    """Revision id → the open pull request or branch that would bring it to the target."""
    found: dict[str, str] = {}
    for name, head in _elsewhere_than(bench, target) if ids else ():
        if len(found) == len(ids):
            break
        for item in bench.brought(target, head):
            if item.revision.id in ids:
                found.setdefault(item.revision.id, name)
    return found


def _elsewhere_than(bench: Bench, target: Target) -> Iterator[tuple[str, Point]]:
    """Everything else that people work on, by its name in Markdown: pull requests first, then other branches."""
    for pull in bench.pulls:
        head = bench.head_of(pull)
        if head is not None and not bench.is_ours(pull):
            branch = f" ({code(head.ref.removeprefix(HEADS))})" if pull.has_branch else ""
            yield f"#{pull.number}{branch}", head
    others = [name for name in bench.targets if name != target.name]
    for name in (*others, *lone_branches(bench.pulls, bench.heads, bench.targets)):
        yield f"the branch {code(name)}", Point(f"{HEADS}{name}", bench.heads[name])
