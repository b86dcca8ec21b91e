"""The first-parent line of a branch: the commits that were its tip, one after the other, and what each one changed."""

from __future__ import annotations

import os
import select
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import CannotJudge
from onehead.gitrepo.git import end
from onehead.gitrepo.process import explain, redact
from onehead.gitrepo.refs import COMMIT_FIELDS, COMMIT_FORMAT, LATEST, LOG, Commit, parse_commit
from onehead.gitrepo.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onehead.gitrepo.git import Git

_RECORD = "//commit//"
"""Marks the beginning of a record; no path looks like this."""
_CHUNK = 1 << 16
_MAX_FIELD = 1 << 16
"""Bytes of one path; no operating system takes a longer one."""
_TOO_LONG = "Look at a part of the history that does not have it, with `--since` or `--commits`."
_ABSENT = "000000"


class LineCommit(NamedTuple):
    """A commit of the line, when it was committed (seconds since 1970, as git recorded it), and all of its parents."""

    commit: Commit
    committed: int
    parents: tuple[str, ...]


class LineChange(NamedTuple):
    """One path that a commit changed against its first parent, and what it was before and is now, if anything."""

    path: str
    old: Entry | None
    new: Entry | None


def first_parent_line(git: Git, tip: str, most: int) -> list[LineCommit]:
    """So many commits of the line at most, the newest first."""
    form = f"--format={COMMIT_FORMAT}%x00%ct%x00%P"
    out = git.run(*LOG, "--first-parent", f"--max-count={most}", form, "--end-of-options", tip)
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    found = []
    for at in range(0, len(fields), COMMIT_FIELDS + 2):
        seconds, parents = fields[at + COMMIT_FIELDS : at + COMMIT_FIELDS + 2]
        when = min(int(seconds), LATEST) if seconds.isdigit() else 0
        found.append(LineCommit(parse_commit(fields[at : at + COMMIT_FIELDS]), when, tuple(parents.split())))
    return found


def line_changes(git: Git, tip: str, commits: int) -> Iterator[tuple[str, list[LineChange]]]:
    """The SHA of each of the newest commits of the line, the oldest first, and what it changed; renames are not sought.

    They are read while git goes on, so that no history is too long for the memory. Consume it to the end, or close it.

    Raises:
        GitTimeout: nothing more came for as long as one command may take.
        OneheadError: git could not read the history (see `onehead.gitrepo.process`).
    """
    if not commits:
        return
    what = ("--raw", "--no-renames", "--no-abbrev", "--diff-merges=first-parent", "--root")
    order = ("--first-parent", "--reverse", f"--max-count={commits}")
    process = git.start(
        *LOG, *order, *what, f"--format=%x00{_RECORD}%x00%H", "--end-of-options", tip, stderr=subprocess.PIPE
    )
    try:
        yield from _changes_in(_fields(git, process))
        if process.wait() != 0:
            said = process.stderr.read() if process.stderr else b""
            raise explain("log", git.directory, process.returncode, redact(said.decode("utf-8", "replace")))
    finally:
        end(process)


def _fields(git: Git, process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What git says, at each zero byte."""
    if process.stdout is None:
        raise RuntimeError("The process was started without a pipe.")
    pipe, rest = process.stdout.fileno(), b""
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while ready.poll(git.timeout * 1000):
        chunk = os.read(pipe, _CHUNK)
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (field.decode("utf-8", "surrogateescape") for field in whole)
        if not chunk:
            return
        if len(rest) > _MAX_FIELD:
            raise CannotJudge("The history holds a path that is too long to be read.", _TOO_LONG)
    raise git.too_slow("log", git.timeout)


def _changes_in(fields: Iterator[str]) -> Iterator[tuple[str, list[LineChange]]]:
    sha, found = "", list[LineChange]()
    for field in fields:
        if field == _RECORD:
            if sha:
                yield sha, found
            sha, found = next(fields), []
        elif field.lstrip("\n").startswith(":"):
            # Git puts a line feed before the first field of an ordinary commit.
            old_mode, new_mode, old, new, _ = field.lstrip("\n")[1:].split(" ")
            path = next(fields)
            found.append(LineChange(path, _entry(path, old_mode, old), _entry(path, new_mode, new)))
    if sha:
        yield sha, found


def _entry(path: str, mode: str, oid: str) -> Entry | None:
    return None if mode == _ABSENT else Entry(path, mode, oid)
