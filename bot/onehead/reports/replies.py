"""What commands are answered: values in, the texts of `templates/answer/` out.

Values in, the text of `templates/answer/doctor.md.j2` out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from onehead.commands import COMMANDS, usage
from onehead.databases.crash_log import Crash
from onehead.databases.model import Diagnosis, ForkOutcomes, StateTable, WayOut
from onehead.databases.states import MAX_RUNS, THE_MERGE, Outcome, Whereabouts, spoken
from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Nothing, Plan, ReasonCode
from onehead.plan.verdict import Examination, Examined, Point
from onehead.render import environment
from onehead.reports.crash import ANOTHER_CAUSE, Background, concerns, meaning
from onehead.reports.doctor import NO_WAY, told
from onehead.reports.graph import fork_picture, recent_picture
from onehead.reports.graph_formats import mermaid
from onehead.reports.short_comments import compared
from onehead.reports.states import COLUMNS, MARKS, here_mark, table_rows
from onehead.reports.terminal import coverage_line, short_ref
from onehead.revisions.graph import Graph
from onehead.text import code, inline, inline_code, listed, shortened

_PULL = re.compile(r"pull request (#\d+)")


def doctor_answer(
    diagnoses: Mapping[str, Diagnosis], places: Mapping[str, Whereabouts], merged: Mapping[str, Outcome], target: Point
) -> str:
    """The answer to `/onehead doctor`.

    Args:
        diagnoses: path of an environment → what ails the database, seen from there.
        places: rows that the files don't declare → where they stand otherwise.
        merged: path of a forked environment → what an upgrade does once its heads are merged.
        target: the deployed branch whose files were read.
    """
    branch = short_ref(target.ref)
    values = [_diagnosed(path, each, places, merged.get(path), branch) for path, each in diagnoses.items()]
    read = f"{code(branch)} at {target.sha[:10]}"
    return environment().get_template("answer/doctor.md.j2").render(environments=values, read=read).strip()


def _diagnosed(
    path: str, diagnosis: Diagnosis, places: Mapping[str, Whereabouts], merged: Outcome | None, target: str
) -> dict[str, Any]:
    rows = [row.text for row in diagnosis.rows or ()]
    command = f"alembic upgrade {diagnosis.target}"
    claimed = sum(revision.claimed for revision in diagnosis.revisions.values())
    return {
        "path": code(path),
        "rows": " and ".join(map(code, rows)) or "no row",
        "share": f"Its rows claim {claimed} of {len(diagnosis.revisions)} revisions; no table was looked at.",
        "next_upgrade": _told(command, diagnosis.outcome),
        "once_merged": _told(command, merged, "once the heads are merged, ") if merged else "",
        "complaints": [
            {
                "severity": complaint.severity,
                "code": str(complaint.ailment),
                "message": inline_code(words.message),
                "next": inline_code(words.next),
                "question": inline_code(words.question),
                "see": _pulls([ref for name in complaint.names for ref in places.get(name, Whereabouts()).refs]),
            }
            for complaint in diagnosis.complaints
            for words in [told(complaint, diagnosis, places, target)]
        ],
        "ways": [_way(way) for way in diagnosis.ways],
        "no_way": "" if diagnosis.ways or diagnosis.is_healthy else NO_WAY,
    }


def _told(command: str, outcome: Outcome, when: str = "") -> str:
    mark = {"ok": ":white_check_mark:", "error": ":x:", "loss": ":warning:", "repeat": ":warning:"}[outcome.kind]
    runs = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    match outcome.kind:
        case "error":
            does = f"stops: {inline(outcome.error or '', 300)}"
        case "loss":
            does = f"exits without an error, but {inline(spoken(outcome), 300)}"
        case "repeat":
            does = f"does not see that {inline(spoken(outcome), 300)}"
        case _ if runs:
            does = f"runs {' '.join(map(code, runs)) if len(runs) <= MAX_RUNS else inline(spoken(outcome), 300)}"
        case _:
            does = "has nothing to do"
    return f"{mark} {when}{code(command)} {does}."


def _way(way: WayOut) -> dict[str, Any]:
    return {
        "condition": inline_code(way.condition),
        "steps": [
            {
                "command": code(step.command),
                "effect": step.effect,
                "destructive": step.effect == "destructive",
                "why": inline_code(step.why),
            }
            for step in way.steps
        ],
    }


def _pulls(refs: list[str]) -> str:
    """The pull requests among some refs, as links."""
    found = [match[1] for match in map(_PULL.fullmatch, refs) if match]
    return " and ".join(dict.fromkeys(found))


MAX_SIDES = 8
"""Sides of a fork that a comment tells of."""


def sides(
    facts: Facts, examination: Examination, tables: Iterable[StateTable], brought_by: Mapping[str, str]
) -> list[dict[str, str]]:
    """One line per side.

    Args:
        facts: the environment.
        examination: the verdict.
        tables: of its forks.
        brought_by: path of a revision file → who brought it, as Markdown.
    """
    names = {"target": code(short_ref(examination.target.ref)), "head": "this branch"}
    found: list[dict[str, str]] = []
    left_out = 0
    for fork in (table.fork for table in tables):
        shared = facts.merged.ancestors(*fork.points)
        # The branch's own are told of first where not all can be.
        heads = (
            fork.heads if len(fork.heads) <= MAX_SIDES else [*fork.new, *(h for h in fork.heads if h not in fork.new)]
        )
        shown = heads[: max(0, MAX_SIDES - len(found))]
        left_out += len(heads) - len(shown)
        for head in shown:
            ids = facts.merged.parents_first(facts.merged.ancestors(head) - shared)
            people = [brought_by.get(facts.merged.revisions[id_].path, "") for id_ in ids]
            found.append(
                {
                    "name": names["head" if head in fork.new else "target"],
                    "revisions": _listed([_named(facts, id_) for id_ in ids]),
                    "brought_by": listed(list(dict.fromkeys(filter(None, people))), last=", ") or "?",
                }
            )
    if left_out:
        found.append({"name": f"and {left_out} more", "revisions": "", "brought_by": ""})
    return found


def _named(facts: Facts, id_: str) -> str:
    return f"{code(shortened(id_), in_table=True)} {inline(facts.merged.revisions[id_].doc, 60)}".strip()


def _listed(items: list[str], most: int = 4) -> str:
    rest = len(items) - most
    return "<br>".join(items[:most]) + (f"<br>and {rest} more" if rest > 0 else "")


class Answer(NamedTuple):
    """The answer to one command: as it was given, and Markdown."""

    asked: str
    text: str


class Explained(NamedTuple):
    """What an explanation of a target is made from.

    Attributes:
        examination: of the target by itself.
        tables: environment path → what each fix does to each database, where it is forked.
        recent: environment path → rows and what becomes of such a database, where it is not.
        crashes: Alembic's complaints that were reported.
        elsewhere: revision id → where it stands that is not the target ("#5", "branch oauth"), as Markdown.
        repair: the open repair pull request ("#7"); empty where there is none.
    """

    examination: Examination
    tables: Mapping[str, tuple[StateTable, ...]]
    recent: Mapping[str, Sequence[ForkOutcomes]]
    crashes: tuple[Crash, ...] = ()
    elsewhere: Mapping[str, str] = {}
    repair: str = ""


def reply(answers: Iterable[Answer]) -> str:
    """The comment that answers all commands of one comment."""
    values = [{"asked": code(answer.asked[:200]), "text": answer.text.strip()} for answer in answers]
    return environment().get_template("answer/reply.md.j2").render(answers=values).strip() + "\n"


def help_text() -> str:
    """Every command, from the table that they are read by."""
    rows = [{"usage": usage(verb), "meaning": kind.meaning, "who": kind.who} for verb, kind in COMMANDS.items()]
    return environment().get_template("answer/help.md.j2").render(rows=rows)


def explanation(explained: Explained) -> str:
    """The state of a target: heads, graph, what becomes of each database, and what a reported crash means."""
    examination = explained.examination
    values = {
        "environments": [_environment(explained, each) for each in examination.environments],
        "target": code(short_ref(examination.target.ref)),
        "next": _next(explained),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return environment().get_template("answer/explain.md.j2").render(**values)


def _share(graph: Graph, rows: Sequence[str]) -> str:
    """How much of the chain a database has run."""
    done = len(graph.ancestors(*rows))
    return f"{done} of {len(graph)} revisions"


def _environment(explained: Explained, examined: Examined) -> dict[str, Any]:
    facts = examined.facts
    path = facts.environment.path
    target = short_ref(explained.examination.target.ref)
    forks = forks_of(facts)
    picture = fork_picture(facts, Nothing(())) if forks else recent_picture(facts.target)
    tables = explained.tables.get(path, ())
    if tables:
        columns = ["has run", *(COLUMNS[fix] for fix in tables[0].fixes)]
        rows = [row for table in tables for row in _fork_rows(facts, table)]
    else:
        columns = ["has run", "the next `alembic upgrade head` runs"]
        rows = [_recent_row(facts, account) for account in explained.recent.get(path, ())]
    return {
        "path": code(path),
        "summary": _summary(target, facts, examined.plan, crashed=bool(explained.crashes)),
        "crashes": [
            {
                "line": code(crash.line),
                "text": meaning(
                    crash, Background(facts, explained.examination.target, explained.elsewhere.get(crash.subject, ""))
                ),
            }
            for crash in explained.crashes
            if concerns(crash, facts, explained.examination)
        ],
        "mermaid": mermaid(picture) if picture.nodes else "",
        "columns": columns,
        "rows": rows,
    }


def _summary(target: str, facts: Facts, plan: Plan, *, crashed: bool) -> str:
    heads = facts.target.heads
    named = listed([code(shortened(head)) for head in heads], last=", ")
    if forks_of(facts):
        return (
            f"**{code(target)} has {len(heads)} heads ({named}) where one is meant to be.** "
            'The next `alembic upgrade head` stops with "Multiple head revisions are present", whatever the database '
            "holds."
        )
    if not heads:
        return f"**{code(target)} has no revision yet.**"
    joined = [inline_code(reason.message) for reason in plan.reasons if reason.code == ReasonCode.REJOINED]
    if len(heads) == 1:
        walks = joined[0] if joined else "`alembic upgrade head` walks the whole chain to it."
        if joined and crashed:
            walks += f" {ANOTHER_CAUSE}"
        return f"**{code(target)} is at one head, {named}.** {walks}"
    return f"**{code(target)} has the heads {named}, which are meant.** Deploys need `alembic upgrade heads`."


def _recent_row(facts: Facts, account: ForkOutcomes) -> dict[str, Any]:
    [under] = account.fixes
    [state] = under.states
    text = inline(spoken(state.outcome), 200)
    share = "nothing" if not state.rows else _share(facts.merged, state.rows)
    if any(row not in facts.merged for row in state.rows):
        share = "nobody knows"
    rows = " and ".join(code(row, in_table=True) for row in state.rows) or "nothing (fresh)"
    return {
        "databases": rows + here_mark(state.here),
        "cells": [share, MARKS[state.outcome.kind].format(text)],
    }


def _fork_rows(facts: Facts, table: StateTable) -> list[dict[str, Any]]:
    """Lines of a fork's table, each with what its databases have run."""
    rows = table_rows(table)
    for row, state in zip(rows, table.states, strict=False):
        row["cells"].insert(0, _sides_run(facts, table, state.rows))
    return rows


def _sides_run(facts: Facts, table: StateTable, databases: tuple[tuple[str, ...], ...]) -> str:
    """Which sides of a fork some databases have run anything of; all are alike, or nothing is said."""
    graph, heads = facts.merged, table.fork.heads
    sides = [graph.ancestors(head) for head in heads[:MAX_SIDES]]
    shared = graph.ancestors(*table.fork.points)
    run = [graph.ancestors(*rows) - shared for rows in databases]
    found = {tuple(head for head, side in zip(heads, sides, strict=False) if side & applied) for applied in run}
    if len(heads) > MAX_SIDES:
        return ""
    if len(found) > 1:
        return ""
    [touched] = found
    if not touched:
        return "nothing of either side" if len(heads) == 2 else "nothing of any side"
    if len(touched) == len(heads):
        return "something of both sides" if len(heads) == 2 else "something of every side"
    return f"something of the side of {' and '.join(code(head, in_table=True) for head in touched)}"


def _next(explained: Explained) -> str:
    if explained.repair:
        return f"merge {explained.repair}; until then deploys can use `alembic upgrade heads`."
    if explained.examination.verdict != "ok":
        return "see the reason in the checks of the branch; onehead repairs what it can by itself."
    if explained.crashes:
        return "find out which commit the crashing deploy was built from, before you change anything in a database."
    return "`/onehead doctor ROW…` says what becomes of a database with other rows."
