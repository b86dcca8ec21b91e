"""The comments beside that of a verdict: answers to commands, warnings about rivals, and how a problem has ended.

Values in, the texts of `templates/answer/` and `templates/comment/` out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from onehead.commands import COMMANDS, usage
from onehead.databases.crash_catalogue import Crash
from onehead.databases.model import Diagnosis, ForkOutcomes, Remedy, StateTable
from onehead.databases.states import MAX_RUNS, THE_MERGE, Outcome, RevisionLocation, spoken
from onehead.plan.findings import Code, Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Nothing, ReasonCode
from onehead.plan.rivals import MAX_RIVALS, Rival, RivalConflict
from onehead.plan.verdict import Examination, Examined, Point
from onehead.render import rendered
from onehead.reports.crash import ANOTHER_CAUSE, Background, broken_by, concerns, meaning, messages_of
from onehead.reports.doctor import NO_WAY, complaint_text
from onehead.reports.formats import mermaid
from onehead.reports.graph import fork_picture, recent_picture
from onehead.reports.states import COLUMNS, MARKS, columns_and_rows, here_mark, table_rows
from onehead.reports.terminal import coverage_line, number_of, short_ref
from onehead.text import code, cut_bytes, inline, inline_code, listed, plain, shortened

MAX_SIDES = 8
"""Sides of a fork that a comment tells of."""

_PULL = re.compile(r"pull request (#\d+)")


def doctor_answer(
    diagnoses: Mapping[str, Diagnosis],
    places: Mapping[str, RevisionLocation],
    merged: Mapping[str, Outcome],
    target: Point,
) -> str:
    """The answer to `/onehead doctor`, from what each environment (by its path) says of the database.

    `places`: rows that the files don't declare → where they stand otherwise; `merged`: what an upgrade does once the
    heads of a forked environment are merged; `target`: the deployed branch whose files were read.
    """
    branch = short_ref(target.ref)
    values = [_diagnosed(path, each, places, merged.get(path), branch) for path, each in diagnoses.items()]
    return rendered("answer/doctor.md.j2", environments=values, read=f"{code(branch)} at {target.sha[:10]}")


def _document(template: str, **values: Any) -> str:
    return rendered(template, **values) + "\n"


def footer(examination: Examination) -> dict[str, str]:
    """The last line of a comment: what was looked at, and what was judged against what."""
    target = f"{code(short_ref(examination.target.ref))} at {examination.target.sha[:10]}"
    head = examination.head
    judged = f"{target} by itself" if head is None else f"{head.sha[:10]} as if merged into {target}"
    return {"coverage": coverage_line(examination), "compared": f"Judged {judged}."}


def _diagnosed(
    path: str, diagnosis: Diagnosis, places: Mapping[str, RevisionLocation], merged: Outcome | None, target: str
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
                "code": str(complaint.problem),
                "message": inline_code(words.message),
                "next": inline_code(words.next),
                "question": inline_code(words.question),
                "see": _pulls([ref for name in complaint.names if name in places for ref in places[name].refs]),
            }
            for complaint in diagnosis.complaints
            for words in [complaint_text(complaint, diagnosis, places, target)]
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


def _way(way: Remedy) -> dict[str, Any]:
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
    return " and ".join(dict.fromkeys(match[1] for match in map(_PULL.fullmatch, refs) if match))


class Answer(NamedTuple):
    """The answer to one command: as it was given, and Markdown."""

    asked: str
    text: str


class Explained(NamedTuple):
    """What an explanation of a target is made from; its examination is that of the target by itself.

    `tables`: environment path → what each fix does to each database, where it is forked. `recent`: environment path →
    rows and what becomes of such a database, where it is not. `elsewhere`: revision id → where it stands that is not
    the target ("#5", "branch oauth"), as Markdown. `repair`: the open repair pull request ("#7").
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
    return _document("answer/reply.md.j2", answers=values)


def help_text() -> str:
    """Every command, from the table that they are read by."""
    rows = [{"usage": usage(verb), "meaning": kind.meaning, "who": kind.who} for verb, kind in COMMANDS.items()]
    return _document("answer/help.md.j2", rows=rows)


def explanation(explained: Explained) -> str:
    """The state of a target: heads, graph, what becomes of each database, and what a reported crash means."""
    examination = explained.examination
    return _document(
        "answer/explain.md.j2",
        environments=[_environment(explained, each) for each in examination.environments],
        target=code(short_ref(examination.target.ref)),
        next=_next(explained),
        **footer(examination),
    )


def _environment(explained: Explained, examined: Examined) -> dict[str, Any]:
    facts = examined.facts
    path = facts.environment.path
    target = explained.examination.target
    picture = fork_picture(facts, Nothing(())) if forks_of(facts) else recent_picture(facts.target)
    tables = explained.tables.get(path, ())
    if tables:
        columns = [COLUMNS[fix] for fix in tables[0].fixes]
        rows = [row for table in tables for row in _fork_rows(facts, table)]
    else:
        columns = ["the next `alembic upgrade head` runs"]
        rows = [_recent_row(facts, account) for account in explained.recent.get(path, ())]
    return {
        "path": code(path),
        "summary": _summary(short_ref(target.ref), examined, crashed=bool(explained.crashes)),
        "crashes": [
            {
                "line": code(crash.line),
                "text": meaning(crash, Background(facts, target, explained.elsewhere.get(crash.subject, ""))),
            }
            for crash in explained.crashes
            if concerns(crash, facts, explained.examination)
        ],
        "mermaid": mermaid(picture) if picture.nodes else "",
        "columns": ["has run", *columns],
        "rows": rows,
    }


def _summary(target: str, examined: Examined, *, crashed: bool) -> str:
    facts, plan = examined.facts, examined.plan
    heads = facts.target.heads
    named = listed([code(shortened(head)) for head in heads], last=", ")
    errors = broken_by(examined)
    if errors:
        found = f"{number_of(len(heads), 'head')} ({named})" if heads else "no head"
        but = "not all of it can be read" if all(each.blinds for each in errors) else "its chain is broken"
        return f"**{code(target)} has {found}, and {but}.** {' '.join(map(inline_code, messages_of(errors)))}"
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
    share = "nothing"
    if any(row not in facts.merged for row in state.rows):
        share = "nobody knows"
    elif state.rows:
        share = f"{len(facts.merged.ancestors(*state.rows))} of {len(facts.merged)} revisions"
    rows = " and ".join(code(row, in_table=True) for row in state.rows) or "nothing (fresh)"
    cell = MARKS[state.outcome.kind].format(inline(spoken(state.outcome), 200))
    return {"databases": rows + here_mark(state.here), "cells": [share, cell]}


def _fork_rows(facts: Facts, table: StateTable) -> list[dict[str, Any]]:
    """Lines of a fork's table, each with what its databases have run."""
    rows = table_rows(table)
    for row, state in zip(rows, table.states, strict=False):
        row["cells"].insert(0, _sides_run(facts, table, state.rows))
    return rows


def _sides_run(facts: Facts, table: StateTable, databases: tuple[tuple[str, ...], ...]) -> str:
    """Which sides of a fork some databases have run anything of; all are alike, or nothing is said."""
    graph, heads = facts.merged, table.fork.heads
    if len(heads) > MAX_SIDES:
        return ""
    shared = graph.ancestors(*table.fork.points)
    sides = {head: graph.ancestors(head) - shared for head in heads}
    run = [graph.ancestors(*rows) for rows in databases]
    found = {tuple(head for head, side in sides.items() if side & applied) for applied in run}
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


class Ending(NamedTuple):
    """What became of a problem, and what to do next (without a full stop); `icon`: an emoji by its short name."""

    icon: str
    title: str
    sentence: str
    next: str = "nothing to do here"
    footer: str = ""


class Mended(NamedTuple):
    """A repair that was taken; `by_git`: its commits came in without its pull request being merged."""

    number: int
    by_git: bool


def ending_text(ending: Ending) -> str:
    """The comment."""
    return _document("comment/ended.md.j2", **ending._asdict())


def resolved(
    examination: Examination, mended: Mended | None = None, gone: str = "There is no collision any more."
) -> Ending:
    """There is nothing left to repair; `mended` is the repair of ours that was taken, if one was."""
    heads = sorted({head for examined in examination.environments for head in examined.facts.merged.heads})
    named = listed([code(shortened(head)) for head in heads], last=", ")
    found_text = {0: "no revision yet", 1: f"one head, {named}"}.get(len(heads), f"the heads {named}")
    finds = f"`alembic upgrade head` finds {found_text}."
    looked_at = " ".join(footer(examination).values())
    if mended is not None:
        how = f"The commits of #{mended.number} are in." if mended.by_git else f"#{mended.number} is merged."
        return Ending(":tada:", "Repaired", f"{how} {finds}", footer=looked_at)
    return _resolved(f"{gone} {finds}")._replace(footer=looked_at)


def _resolved(sentence: str, following: str = "nothing to do here") -> Ending:
    return Ending(":white_check_mark:", "Resolved", sentence, following)


def but_not(ending: Ending, red: str) -> Ending:
    """The same, where the commit's status stays red because of something else that is judged of it (as Markdown)."""
    return ending._replace(
        icon=":hourglass_flowing_sand:",
        title=f"{ending.title} here, but not for {red}",
        sentence=f"{ending.sentence} {red_because_of(red)}",
        next=f"look at {red}; nothing is left to repair on this page",
    )


def red_because_of(red: str) -> str:
    """Why the check is red on a page that has nothing against it."""
    return f"The check stays red: a commit has one status, and {red} is judged at the same commit."


def merged(target: str) -> Ending:
    """The pull request has landed, and its target is well."""
    return _resolved(f"This pull request is merged, and {code(target)} is not forked by it.")


def merged_all_the_same(target: str) -> Ending:
    """The pull request has landed, and with it a change by which databases lose."""
    return Ending(
        ":warning:",
        "Merged, with a warning",
        f"This pull request has changed migrations that {code(target)} had already. A database that has run them does "
        "not follow that change by itself.",
        "if such a database matters, comment `/onehead doctor ROW` with what its `alembic_version` holds: the reply "
        "has the way out",
    )


def closed() -> Ending:
    """The pull request was closed without being merged."""
    sentence = "This pull request is closed, so there is nothing it could collide with."
    return _resolved(sentence, "nothing; it is judged again if it is reopened")


def retargeted(base: str) -> Ending:
    """The pull request goes somewhere else now."""
    sentence = f"This pull request now goes into {code(base)}, which is not deployed."
    return _resolved(sentence, "nothing; it is judged again once it goes into a deployed branch")


def draft() -> Ending:
    """The pull request is being worked on."""
    sentence = "This is a draft now, so onehead only sets the commit status."
    return Ending(":zzz:", "Paused", sentence, "mark it as ready when it is; the repair is offered again then")


def left() -> Ending:
    """The repository is not looked after any more."""
    sentence = "This repository is out of onehead's scope now, so nothing in it is judged or repaired any more."
    following = "nothing; it is judged again once settings or topics bring it back"
    return Ending(":wave:", "No longer looked after", sentence, following)


def ignored(by: str, reason: str) -> Ending:
    """Somebody has decided to live with it."""
    why = f": {inline(reason, 200)}" if reason else ""
    sentence = f"{inline(by, 60)} has accepted this{why}. The next deploy still meets the problem."
    return Ending(":mute:", "Ignored", sentence, "`/onehead unignore` undoes this; new problems are still reported")


MAX_NAMED = MAX_RIVALS - 1
"""Rivals that are named. Of more it only says that there are others: how many, nobody counts beyond `MAX_RIVALS`."""


def waits(number: int, rivals: Sequence[Rival]) -> tuple[Rival, ...]:
    """Those that a pull request has to let go first: older ones with another revision under the same id."""
    return tuple(rival for rival in rivals if rival.clash is RivalConflict.ID and rival.number < number)


def heads_up(number: int, rivals: Sequence[Rival], examination: Examination) -> str:
    """The comment on a pull request that is well but for its rivals."""
    order = sorted({number, *(rival.number for rival in rivals[:MAX_NAMED])})
    named = (f"#{each}" + (" (this one)" if each == number else "") for each in order)
    return _document(
        "comment/heads-up.md.j2",
        waits=[f"#{rival.number}" for rival in waits(number, rivals)[:MAX_NAMED]],
        id=next((code(rival.what) for rival in waits(number, rivals)), ""),
        rivals=clashes(rivals),
        order=" → ".join([*named, *_others(rivals)]),
        **footer(examination),
    )


def rivals_line(number: int, rivals: Sequence[Rival]) -> str:
    """What the commit status says; it stays green, but for the younger of two with the same id."""
    blocking = waits(number, rivals)
    if blocking:
        first = blocking[0]
        other = f"#{first.number} carries another revision with the id {plain(first.what)}"
        return f"{other}; merge that first, or give this one an id of its own."
    named = " and ".join(f"#{rival.number}" for rival in rivals[:2])
    more = " and others" if len(rivals) > 2 else ""
    return f"One head. Heads-up: {named}{more} would collide with this once both land; the second is repaired then."


def clashes(rivals: Sequence[Rival]) -> list[str]:
    """What each rival shares with a pull request: a clause per thing, with everybody who shares it."""
    sharing: dict[tuple[RivalConflict, str], list[str]] = {}
    for rival in rivals[:MAX_NAMED]:
        sharing.setdefault((rival.clash, rival.what), []).append(f"#{rival.number}")
    clauses = (f"{listed(numbers, MAX_NAMED)} {_shared(*shared, len(numbers))}" for shared, numbers in sharing.items())
    return [*clauses, *_others(rivals)]


def _others(rivals: Sequence[Rival]) -> list[str]:
    return ["others"] if len(rivals) > MAX_NAMED else []


def _shared(clash: RivalConflict, what: str, number: int) -> str:
    s, carries, its = ("s", "carries", "its") if number == 1 else ("", "carry", "their")
    match clash:
        case RivalConflict.ID:
            return f"{carries} another revision with the id {code(what)}"
        case RivalConflict.PARENT if not what:
            return f"also start{s} a chain of {its} own"
        case RivalConflict.PARENT:
            return f"also add{s} a revision after {code(what)}"
        case RivalConflict.NUMBER:
            return f"also use{s} the number {code(what)}"


MAX_LENGTH = 60_000
"""Bytes of a comment or of the body of a pull request. Of a longer one, what explains goes: the patch, the change, the
tables, the pictures."""

_EXPLAINS = ("patch", "diff", "tables", "mermaid", "outline", "both_sides", "sides", "findings")
"""Parts of a comment that it can do without, the most dispensable first."""


def fitted(template: str, values: dict[str, Any]) -> str:
    """Render a template, without the parts that explain where the text would be too long."""
    text = _tidy(rendered(template, **values))
    for part in _EXPLAINS:
        if len(text.encode()) <= MAX_LENGTH:
            break
        if part in values:
            values = {**values, part: type(values[part])()}
        values["environments"] = [
            {**each, part: type(each[part])()} if part in each else each for each in values["environments"]
        ]
        values["shortened"] = True
        text = _tidy(rendered(template, **values))
    return cut_bytes(text, MAX_LENGTH)


def _tidy(text: str) -> str:
    """At most one blank line in a row, and one newline at the end."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.strip() or (lines and lines[-1].strip()):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip() + "\n"


_MAX_TOLD = 6
"""Warnings that are told one by one."""


def harms_databases(examination: Examination) -> bool:
    """Whether a healthy verdict comes with something by which databases may lose: a status alone is not enough."""
    return any(finding.code is Code.HISTORY_EDITED for finding in examination.own_warnings())


def warning_comment(
    number: int,
    rivals: Sequence[Rival],
    examination: Examination,
    tables: Mapping[str, StateTable],
    *,
    commands: bool = True,
) -> str:
    """The comment on it.

    `tables`: environment path → the databases that do not get well through the next upgrade; `commands`: whether
    somebody answers commands there.
    """
    warnings = examination.own_warnings()
    values = {
        "target": code(short_ref(examination.target.ref)),
        "warnings": [inline_code(finding.message) for finding in warnings[:_MAX_TOLD]],
        "more": max(0, len(warnings) - _MAX_TOLD),
        "environments": [
            {"path": code(path) if len(tables) > 1 else "", "tables": [columns_and_rows(table, commands=commands)]}
            for path, table in sorted(tables.items())
        ],
        "waits": [f"#{rival.number}" for rival in waits(number, rivals)[:MAX_NAMED]],
        "rivals": clashes(rivals),
        **footer(examination),
    }
    return fitted("comment/warned.md.j2", values)
