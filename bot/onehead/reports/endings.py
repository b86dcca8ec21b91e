"""How the story of a comment ends: values in, the text of `templates/comment/ended.md.j2` out."""

from __future__ import annotations

from typing import NamedTuple

from onehead.plan.verdict import Examination
from onehead.quoting import code, inline
from onehead.render import environment
from onehead.reports.text import coverage_line, short_ref
from onehead.wording import listed, shortened


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
