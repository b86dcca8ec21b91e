"""The short comments: how the story of a comment ends, what rivals read, and warnings of a healthy verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from onehead.databases.model import StateTable
from onehead.plan.findings import Code
from onehead.plan.rivals import MAX_RIVALS, Rival, RivalConflict
from onehead.plan.verdict import Examination
from onehead.render import environment
from onehead.reports.states import columns_and_rows
from onehead.reports.terminal import coverage_line, short_ref
from onehead.text import code, cut_bytes, inline, inline_code, listed, plain, shortened


class Ending(NamedTuple):
    """What became of a problem.

    Attributes:
        icon: an emoji by its short name.
        title: a word or two.
        sentence: what happened.
        next: what to do now, without a full stop.
        footer: what was looked at; may be empty.
    """

    icon: str
    title: str
    sentence: str
    next: str = "nothing to do here"
    footer: str = ""


class Mended(NamedTuple):
    """A repair that was taken.

    Attributes:
        number: of its pull request.
        by_git: whether its commits came in without that being merged.
    """

    number: int
    by_git: bool


def ending_text(ending: Ending) -> str:
    """The comment."""
    return environment().get_template("comment/ended.md.j2").render(**ending._asdict()).strip() + "\n"


def resolved(
    examination: Examination, mended: Mended | None = None, gone: str = "There is no collision any more."
) -> Ending:
    """There is nothing left to repair; `mended` is the repair of ours that was taken, if one was."""
    heads = sorted({head for examined in examination.environments for head in examined.facts.merged.heads})
    named = listed([code(shortened(head)) for head in heads], last=", ")
    found_text = {0: "no revision yet", 1: f"one head, {named}"}.get(len(heads), f"the heads {named}")
    finds = f"`alembic upgrade head` finds {found_text}."
    footer = f"{coverage_line(examination)} {compared(examination)}"
    if mended is not None:
        how = f"The commits of #{mended.number} are in." if mended.by_git else f"#{mended.number} is merged."
        return Ending(":tada:", "Repaired", f"{how} {finds}", footer=footer)
    return Ending(":white_check_mark:", "Resolved", f"{gone} {finds}", footer=footer)


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
    return Ending(
        ":white_check_mark:", "Resolved", f"This pull request is merged, and {code(target)} is not forked by it."
    )


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
    return Ending(":white_check_mark:", "Resolved", sentence, "nothing; it is judged again if it is reopened")


def retargeted(base: str) -> Ending:
    """The pull request goes somewhere else now."""
    sentence = f"This pull request now goes into {code(base)}, which is not deployed."
    return Ending(
        ":white_check_mark:", "Resolved", sentence, "nothing; it is judged again once it goes into a deployed branch"
    )


def draft() -> Ending:
    """The pull request is being worked on."""
    sentence = "This is a draft now, so onehead only sets the commit status."
    return Ending(":zzz:", "Paused", sentence, "mark it as ready when it is; the repair is offered again then")


def left() -> Ending:
    """The repository is not looked after any more."""
    sentence = "This repository is out of onehead's scope now, so nothing in it is judged or repaired any more."
    return Ending(
        ":wave:",
        "No longer looked after",
        sentence,
        "nothing; it is judged again once settings or topics bring it back",
    )


def ignored(by: str, reason: str) -> Ending:
    """Somebody has decided to live with it."""
    why = f": {inline(reason, 200)}" if reason else ""
    sentence = f"{inline(by, 60)} has accepted this{why}. The next deploy still meets the problem."
    return Ending(":mute:", "Ignored", sentence, "`/onehead unignore` undoes this; new problems are still reported")


def compared(examination: Examination) -> str:
    """What was judged against what, for the last line of a comment."""
    target = f"{code(short_ref(examination.target.ref))} at {examination.target.sha[:10]}"
    if examination.head is None:
        return f"Judged {target} by itself."
    return f"Judged {examination.head.sha[:10]} as if merged into {target}."


MAX_NAMED = MAX_RIVALS - 1
"""Rivals that are named. Of more it only says that there are others: how many, nobody counts beyond `MAX_RIVALS`."""


def waits(number: int, rivals: Sequence[Rival]) -> tuple[Rival, ...]:
    """Those that a pull request has to let go first: older ones with another revision under the same id."""
    return tuple(rival for rival in rivals if rival.clash is RivalConflict.ID and rival.number < number)


def heads_up(number: int, rivals: Sequence[Rival], examination: Examination) -> str:
    """The comment on a pull request that is well but for its rivals."""
    shown = rivals[:MAX_NAMED]
    order = sorted({number, *(rival.number for rival in shown)})
    values = {
        "waits": [f"#{rival.number}" for rival in waits(number, rivals)[:MAX_NAMED]],
        "id": next((code(rival.what) for rival in waits(number, rivals)), ""),
        "rivals": clashes(rivals),
        "order": " → ".join(
            [*(f"#{each}" + (" (this one)" if each == number else "") for each in order), *_others(rivals)]
        ),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return environment().get_template("comment/heads-up.md.j2").render(**values).strip() + "\n"


def rivals_line(number: int, rivals: Sequence[Rival]) -> str:
    """What the commit status says; it stays green, but for the younger of two with the same id."""
    blocking = waits(number, rivals)
    if blocking:
        first = blocking[0]
        return (
            f"#{first.number} carries another revision with the id {plain(first.what)}; merge that first, or give this "
            "one an id of its own."
        )
    named = " and ".join(f"#{rival.number}" for rival in rivals[:2])
    more = " and others" if len(rivals) > 2 else ""
    return f"One head. Heads-up: {named}{more} would collide with this once both land; the second is repaired then."


def clashes(rivals: Sequence[Rival]) -> list[str]:
    """What each rival shares with a pull request: a clause per thing, with everybody who shares it."""
    sharing: dict[tuple[RivalConflict, str], list[str]] = {}
    for rival in rivals[:MAX_NAMED]:
        sharing.setdefault((rival.clash, rival.what), []).append(f"#{rival.number}")
    clauses = [
        f"{listed(numbers, MAX_NAMED)} {_shared(clash, what, many=len(numbers) > 1)}"
        for (clash, what), numbers in sharing.items()
    ]
    return [*clauses, *_others(rivals)]


def _others(rivals: Sequence[Rival]) -> list[str]:
    return ["others"] if len(rivals) > MAX_NAMED else []


def _shared(clash: RivalConflict, what: str, *, many: bool) -> str:
    s = "" if many else "s"
    match clash:
        case RivalConflict.ID:
            return f"{'carry' if many else 'carries'} another revision with the id {code(what)}"
        case RivalConflict.PARENT:
            return (
                f"also add{s} a revision after {code(what)}"
                if what
                else f"also start{s} a chain of {'their' if many else 'its'} own"
            )
        case RivalConflict.NUMBER:
            return f"also use{s} the number {code(what)}"


MAX_LENGTH = 60_000
"""Bytes of a comment or of the body of a pull request. Of a longer one, what explains goes: the patch, the change, the
tables, the pictures."""

_EXPLAINS = ("patch", "diff", "tables", "mermaid", "outline", "both_sides", "sides", "findings")
"""Parts of a comment that it can do without, the most dispensable first."""


def fitted(template: str, values: dict[str, Any]) -> str:
    """Render a template, without the parts that explain where the text would be too long."""
    text = _tidy(environment().get_template(template).render(values))
    for part in _EXPLAINS:
        if len(text.encode()) <= MAX_LENGTH:
            break
        if part in values:
            values = {**values, part: type(values[part])()}
        values["environments"] = [
            {**each, part: type(each[part])()} if part in each else each for each in values["environments"]
        ]
        values["shortened"] = True
        text = _tidy(environment().get_template(template).render(values))
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
    number: int, rivals: Sequence[Rival], examination: Examination, tables: Mapping[str, StateTable]
) -> str:
    """The comment on it.

    Args:
        number: of the pull request.
        rivals: other open pull requests that would collide with it.
        examination: the verdict.
        tables: environment path → the databases that do not get well through the next upgrade.
    """
    warnings = examination.own_warnings()
    rest = len(warnings) - _MAX_TOLD
    values = {
        "target": code(short_ref(examination.target.ref)),
        "warnings": [inline_code(finding.message) for finding in warnings[:_MAX_TOLD]],
        "more": max(0, rest),
        "environments": [
            {"path": code(path) if len(tables) > 1 else "", "tables": [columns_and_rows(table)]}
            for path, table in sorted(tables.items())
        ],
        "waits": [f"#{rival.number}" for rival in waits(number, rivals)[:MAX_NAMED]],
        "rivals": clashes(rivals),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return fitted("comment/warned.md.j2", values)
