"""The commands that a comment may hold: one table, from which they are read and the help is made. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_LENGTH = 64 * 1024
"""Characters; nobody gives commands in a longer comment, and reading it would cost time."""

_SHOWN = "\0"
"""Stands for what is displayed and not said; no command begins with it."""


def spoken_lines(text: str) -> tuple[str, ...]:
    """The lines of plain paragraphs, those of list items included.

    Left out are quotes, code blocks (fenced and indented), headings, tables, HTML and HTML comments. Inline code is
    kept inside a line (`/onehead doctor `018``), but a line that begins with it is shown, not said; so is one that
    begins with a link, an image or a backslash.
    """
    if len(text) > MAX_LENGTH:
        return ()
    lines: list[str] = []
    quotes = 0
    tokens = _reader().parse(text.replace("\0", ""))
    for number, token in enumerate(tokens):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "inline" and not quotes and tokens[number - 1].type == "paragraph_open":
            lines += _lines(token.children or [])
    return tuple(line.strip() for line in lines if line.strip())


@cache
def _reader() -> MarkdownIt:
    # Without joining, an escaped character stays a token of its own: `\/onehead` shows a command and gives none.
    return MarkdownIt("commonmark").enable("table").disable("text_join")


def _lines(children: Sequence[Token]) -> list[str]:
    lines = [""]
    depth = 0
    for token in children:
        if token.type in ("softbreak", "hardbreak"):
            lines.append("")
        elif (token.type == "text" and depth == 0) or (token.type == "code_inline" and lines[-1].strip()):
            lines[-1] += token.content
        else:
            depth += token.nesting if token.type in ("link_open", "link_close") else 0
            lines[-1] += _SHOWN
    return lines


CALL = "/onehead"
MAX_COMMANDS = 10
"""Commands that one comment may hold; further ones are a mistake."""

_MAX_ROWS = 20
_ROW = re.compile(r"[^\s,`'\"<>]{1,64}")
_LINE = re.compile(rf"{re.escape(CALL)}(?:\s+(?P<name>\S+)(?:\s+(?P<rest>.*))?)?", re.IGNORECASE)


class CommandName(StrEnum):
    """The names of the commands."""

    HELP = "help"
    CHECK = "check"
    EXPLAIN = "explain"
    MERGE = "merge"
    REPARENT = "reparent"
    AUTO = "auto"
    APPLY = "apply"
    DOCTOR = "doctor"
    NEXT = "next"
    IGNORE = "ignore"
    UNIGNORE = "unignore"


class Who(StrEnum):
    """Who may give a command."""

    ANYBODY = "everybody"
    AUTHOR = "whoever may push, and the author of the pull request"
    WRITER = "whoever may push to the repository"
    PUSHER = "whoever may push to the branch"


class Takes(StrEnum):
    """What follows the name."""

    NOTHING = ""
    ROWS = "ROW…"
    REASON = "[reason]"


class CommandKind(NamedTuple):
    """What a command does, in one sentence; who may give it, what follows its name, whether an issue takes it too."""

    meaning: str
    who: Who = Who.ANYBODY
    takes: Takes = Takes.NOTHING
    on_issues: bool = False


COMMANDS: dict[CommandName, CommandKind] = {
    CommandName.HELP: CommandKind("Shows this list.", on_issues=True),
    CommandName.CHECK: CommandKind("Judges the pull request again and replies with the verdict."),
    CommandName.EXPLAIN: CommandKind(
        "Explains the chain: its heads, what each database would do, and which repair is right. In an issue it answers "
        "to the crash that is reported there.",
        on_issues=True,
    ),
    CommandName.MERGE: CommandKind("Repairs with a merge revision, and says what that costs.", Who.AUTHOR),
    CommandName.REPARENT: CommandKind(
        "Repairs by moving this branch's revisions, and says which databases lose by it.", Who.AUTHOR
    ),
    CommandName.AUTO: CommandKind(
        "Undoes `merge` or `reparent`: the repository's policy chooses the repair again.", Who.AUTHOR
    ),
    CommandName.APPLY: CommandKind("Pushes the proposed repair straight onto the branch, forward only.", Who.PUSHER),
    CommandName.DOCTOR: CommandKind(
        "Diagnoses a database whose `alembic_version` holds these rows, and shows the ways out.",
        takes=Takes.ROWS,
        on_issues=True,
    ),
    CommandName.NEXT: CommandKind(
        "Says which parent, id and number a new migration takes, and where those of the pull request belong, with all "
        "open pull requests in view.",
        on_issues=True,
    ),
    CommandName.IGNORE: CommandKind(
        "Turns the check green despite the present problems; new problems still count.", Who.WRITER, Takes.REASON
    ),
    CommandName.UNIGNORE: CommandKind("Undoes `ignore`.", Who.WRITER),
}
"""Every command, in the order of the help."""


class CommentCommand(NamedTuple):
    """A command as it was given, with the rows for `doctor` (named twice: twice in the database) or a reason."""

    verb: CommandName
    rows: tuple[str, ...] = ()
    reason: str = ""


class Mistake(NamedTuple):
    """A line that looks like a command and is none; the message says what is wrong and what to write instead."""

    line: str
    message: str


def commands_in(text: str) -> tuple[CommentCommand | Mistake, ...]:
    """The commands of a comment, in their order: lines that begin with `/onehead`."""
    found: list[CommentCommand | Mistake] = []
    for line in spoken_lines(text):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        if len(found) == MAX_COMMANDS:
            found.append(
                Mistake(line, f"A comment may hold {MAX_COMMANDS} commands; this one and what follows was not read.")
            )
            break
        found.append(_command(line, (match["name"] or CommandName.HELP).lower(), (match["rest"] or "").strip()))
    return tuple(found)


def usage(verb: CommandName) -> str:
    """How a command is written."""
    return f"{CALL} {verb} {COMMANDS[verb].takes}".rstrip()


def _command(line: str, name: str, rest: str) -> CommentCommand | Mistake:
    if name not in list(CommandName):
        close = get_close_matches(name, list(CommandName), n=1)
        advice = f"Did you mean `{CALL} {close[0]}`?" if close else f"`{CALL} help` lists them all."
        return Mistake(line, f"There is no such command. {advice}")
    verb = CommandName(name)
    match COMMANDS[verb].takes:
        case Takes.NOTHING:
            if rest:
                return Mistake(line, f"`{usage(verb)}` takes nothing after it. Write it on a line of its own.")
            return CommentCommand(verb)
        case Takes.REASON:
            return CommentCommand(verb, reason=" ".join(rest.split())[:500])
        case Takes.ROWS:
            rows = tuple(_ROW.findall(rest))
            if not rows or len(rows) > _MAX_ROWS:
                return Mistake(
                    line,
                    f"Name the rows of `alembic_version`, at most {_MAX_ROWS}: `{CALL} doctor 018` or "
                    f"`{CALL} doctor 019 020`.",
                )
            return CommentCommand(verb, rows=rows)
