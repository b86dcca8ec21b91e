"""What commands are answered: values in, the texts of `templates/answer/` out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from onehead.commands.grammar import COMMANDS, usage
from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Nothing
from onehead.plan.verdict import Examination
from onehead.quoting import code, inline
from onehead.render import environment
from onehead.reports.comment import COLUMNS, table_rows
from onehead.reports.endings import compared
from onehead.reports.mermaid import mermaid
from onehead.reports.picture import fork_picture, recent_picture
from onehead.reports.text import coverage_line, short_ref
from onehead.states.crash import Crash, Trouble
from onehead.states.outcome import Account, StateTable, spoken


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
    recent: Mapping[str, Sequence[Account]]
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
        "environments": [_environment(explained, each.facts) for each in examination.environments],
        "target": code(short_ref(examination.target.ref)),
        "next": _next(explained),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return environment().get_template("answer/explain.md.j2").render(**values)


def diagnosis(path: str, rows: tuple[str, ...], accounts: Sequence[Account], unknown: Mapping[str, str]) -> str:
    """What a database with these rows is, and what `alembic upgrade head` does to it, under each fix.

    Args:
        path: of the environment.
        rows: content of `alembic_version`.
        accounts: see `onehead.states.table.accounts`.
        unknown: rows that no file of the target declares → where they stand otherwise, as Markdown; may be empty.
    """
    named = " and ".join(code(row) for row in rows)
    lines = [f"A database of {code(path)} whose `alembic_version` holds {named}:", ""]
    for row, place in unknown.items():
        where = f"it stands on {place}" if place else "no branch or pull request here has it"
        lines.append(f"- {code(row)} is not on the target: {where}.")
    remedies: list[str] = []
    for account in accounts:
        for fix, states in account.fixes:
            for state in states:
                title = {"none": "as it is", "merge": "after a merge", "reparent": "after a re-parent"}[fix.kind]
                moved = f" of {code(fix.moved[0])} onto {code(fix.onto or '')}" if fix.moved else ""
                mark = {"ok": ":white_check_mark:", "error": ":x:", "loss": ":warning:"}[state.outcome.kind]
                lines.append(f"- {mark} {title}{moved}: {inline(spoken(state.outcome), 300)}")
                remedies += [line for line in state.remedy if fix.kind == "none"]
    if remedies:
        lines += ["", "A way out as it is: " + ", then ".join(code(line) for line in remedies) + "."]
    return "\n".join(lines)


def _environment(explained: Explained, facts: Facts) -> dict[str, Any]:
    path = facts.environment.path
    target = short_ref(explained.examination.target.ref)
    forks = forks_of(facts)
    picture = fork_picture(facts, Nothing(())) if forks else recent_picture(facts.target)
    tables = explained.tables.get(path, ())
    if tables:
        columns = [COLUMNS[fix] for fix in tables[0].fixes]
        rows = [row for table in tables for row in table_rows(table)]
    else:
        columns = ["`alembic upgrade head`"]
        rows = [_recent_row(account) for account in explained.recent.get(path, ())]
    return {
        "path": code(path),
        "summary": _summary(target, facts),
        "crashes": [
            {"line": code(crash.line), "text": _meaning(explained, facts, crash)} for crash in explained.crashes
        ],
        "mermaid": mermaid(picture, target=target) if picture.nodes else "",
        "columns": columns,
        "rows": rows,
    }


def _summary(target: str, facts: Facts) -> str:
    heads = [code(head) for head in facts.target.heads]
    if forks_of(facts):
        return (
            f"**{code(target)} has {len(heads)} heads ({', '.join(heads)}) where one is meant to be.** "
            'The next `alembic upgrade head` stops with "Multiple head revisions are present".'
        )
    if len(heads) == 1:
        return f"**{code(target)} is at one head, {heads[0]}.** `alembic upgrade head` walks the whole chain to it."
    if not heads:
        return f"**{code(target)} has no revision yet.**"
    return (
        f"**{code(target)} has the heads {', '.join(heads)}, which are meant.** Deploys need `alembic upgrade heads`."
    )


def _recent_row(account: Account) -> dict[str, Any]:
    [(_, [state, *_])] = account.fixes
    text = inline(spoken(state.outcome), 200)
    return {
        "databases": " and ".join(code(row, in_table=True) for row in state.rows) or "nothing (fresh)",
        "cells": [{"ok": text, "error": f":x: {text}", "loss": f":warning: **{text}**"}[state.outcome.kind]],
    }


def _meaning(explained: Explained, facts: Facts, crash: Crash) -> str:
    """What a complaint means for this repository, and how to tell."""
    at = explained.examination.target
    main, sha = code(short_ref(at.ref)), at.sha[:10]
    subject = code(crash.subject) if crash.subject else ""
    match crash.trouble:
        case Trouble.MULTIPLE_HEADS if forks_of(facts):
            return f"That is this very fork of {main}. Every deploy of it stops here, whatever the database holds."
        case Trouble.MULTIPLE_HEADS:
            joints = [revision.id for revision in facts.target if len(revision.parents) > 1]
            before = f" Every commit from before {code(joints[-1])} says exactly this." if joints else ""
            return (
                f"{main} at {sha} has no fork, so the crashing image was built from another commit.{before} Run "
                "`alembic heads` inside the image: if it shows two, deploy a newer image. Nothing has to be deleted or "
                "stamped."
            )
        case Trouble.CANNOT_LOCATE if crash.subject in facts.target:
            return (
                f"{subject} is on {main}, so the image is older than the database: it was built before {subject} came. "
                f"Deploy an image of {main} at {sha} or newer; do not stamp."
            )
        case Trouble.CANNOT_LOCATE:
            place = explained.elsewhere.get(crash.subject)
            where = (
                f"it stands on {place}: somebody has run that branch on this database."
                if place
                else "no open branch has it: it was removed or renamed after a database had run it "
                f"({code(f'git log --all --oneline -S{crash.subject}')} finds the commit)."
            )
            return f"{subject} is not on {main}; {where} A `stamp` would hide which tables are really there."
        case Trouble.OVERLAPS:
            return (
                f"`alembic_version` holds {subject} together with a revision that already stands on it. One of the two "
                "rows is too many; `/onehead doctor ROW ROW` with both says which."
            )
        case Trouble.MISSING_PARENT if crash.subject in facts.target:
            return f"{subject} is on {main}, so the image lacks some of its revision files: look at how it is built."
        case Trouble.MISSING_PARENT:
            return f"A revision in the image follows {subject}, which no file on {main} declares."
        case Trouble.DUPLICATE_OBJECT:
            return (
                f"{subject} is there already although its revision has not been recorded: an earlier run was cut off "
                "half-way, or something else created it. Compare the tables with the rows before anything is repeated."
            )


def _next(explained: Explained) -> str:
    if explained.repair:
        return f"merge {explained.repair}; until then deploys can use `alembic upgrade heads`."
    if explained.examination.verdict != "ok":
        return "see what stands against this in the checks of the branch; onehead repairs what it can by itself."
    return "`/onehead doctor ROW…` says what becomes of a database with other rows."
