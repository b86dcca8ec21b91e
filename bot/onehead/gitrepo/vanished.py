"""Files that once held some text and do not any more, on any branch or tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import COMMIT_FIELDS, COMMIT_FORMAT, LOG, Commit, parse_commit

_RECORD = "//commit//"
"""Marks the beginning of a record of `git log`; no path looks like this."""
_MOST_COMMITS = 50


class Vanished(NamedTuple):
    """A commit that took a text out of a file.

    Attributes:
        commit: which.
        path: the file.
        before: object id of the file before.
        after: object id of the file afterwards; `None` where it was deleted.
    """

    commit: Commit
    path: str
    before: str
    after: str | None


def vanished(git: Git, text: str, directories: Sequence[str]) -> list[Vanished]:
    """Commits that removed a text from files in some directories, the newest first; merges are passed over.

    Args:
        git: the repository.
        text: looked for as it stands; nothing in it has a meaning.
        directories: paths from the top; `""` is the top.
    """
    if not text or "\0" in text:
        return []
    paths = [] if "" in directories else [f":(top,literal){directory}" for directory in directories]
    form = f"--format={_RECORD}%x00{COMMIT_FORMAT}"
    options = ("--all", "--no-renames", "--diff-filter=DM", "--raw", "--no-abbrev", f"--max-count={_MOST_COMMITS}")
    out = git.run(*LOG, *options, f"-S{text}", form, "--", *paths)
    fields = out.decode("utf-8", "surrogateescape").split("\0")
    found: list[Vanished] = []
    commit: Commit | None = None
    at = 0
    while at < len(fields):
        field = fields[at].lstrip("\n")
        if field == _RECORD:
            commit = parse_commit(fields[at + 1 : at + 1 + COMMIT_FIELDS])
            at += 1 + COMMIT_FIELDS
        elif field.startswith(":") and commit is not None:
            _, _, before, after, _ = field.split(" ")
            found.append(Vanished(commit, fields[at + 1], before, after if after.strip("0") else None))
            at += 2
        else:
            at += 1
    return found
