"""The first-parent line of a branch: the commits that were its tip, one after the other, and what each one changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.refs import COMMIT_FIELDS, COMMIT_FORMAT, LATEST, LOG, Commit, parse_commit
from onehead.gitrepo.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onehead.gitrepo.git import Git

_RECORD = "//commit//"
"""Marks the beginning of a record; no path looks like this."""
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

    They are read while git goes on, so that no history is too long for the memory. Errors are those of `Git.fields`.
    """
    if not commits:
        return
    what = ("--raw", "--no-renames", "--no-abbrev", "--diff-merges=first-parent", "--root")
    order = ("--first-parent", "--reverse", f"--max-count={commits}")
    yield from _changes_in(git.fields(*LOG, *order, *what, f"--format=%x00{_RECORD}%x00%H", "--end-of-options", tip))


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
