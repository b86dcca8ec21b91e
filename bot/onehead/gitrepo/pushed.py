"""What a push changes, asked of git with one command per question: the hook of every push waits for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.process import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onehead.gitrepo.process import Door

HEADS = "refs/heads/"
"""What the full names of branches begin with."""
_LINKS = {"120000", "160000"}
_HEX = frozenset("0123456789abcdef")


class Update(NamedTuple):
    """One ref of a push, as git gives it to a pre-receive hook; zeros stand for no object."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        """Whether there was no such ref."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """Whether there is to be no such ref any more."""
        return not self.new.strip("0")

    @property
    def branch(self) -> str:
        """Short name of the branch; empty for a tag or any other ref."""
        return self.ref.removeprefix(HEADS) if self.ref.startswith(HEADS) else ""


class Change(NamedTuple):
    """A path that differs; `linked` when it is a symbolic link or a submodule on either side."""

    path: str
    linked: bool


def read_updates(text: str) -> list[Update]:
    """The lines that git writes to a pre-receive hook.

    Raises:
        ValueError: a line is none of these.
    """
    updates = []
    for line in text.split("\n"):
        if line:
            words = line.split(" ", 2)
            if len(words) < 3 or not (_is_oid(words[0]) and _is_oid(words[1]) and words[2].startswith("refs/")):
                raise ValueError(f"no line of a push: {line!r}")
            updates.append(Update(*words))
    return updates


def _is_oid(text: str) -> bool:
    return len(text) in (40, 64) and _HEX.issuperset(text)


def changed(git: Door, update: Update) -> list[Change] | None:
    """What an update of a branch changes; of a new branch what it has changed since it left the default one.

    `None` where that can't be told: there is no default branch yet, or no common history.
    """
    sides = ("--merge-base", "HEAD") if update.creates else (update.old,)
    answer = git.ask("diff-tree", "-r", "-z", "--raw", "--no-renames", *sides, update.new)
    if answer.code != 0:
        if update.creates:
            return None
        raise explain("diff-tree", git.directory, answer.code, answer.err)
    fields = answer.out.decode("utf-8", "surrogateescape").split("\0")
    return [
        Change(path, linked=not _LINKS.isdisjoint(about[1:].split(" ", 2)[:2]))
        for about, path in zip(fields[:-1:2], fields[1::2], strict=True)
    ]


def mentions(git: Door, pattern: str, commits: Sequence[str], places: Sequence[str]) -> bool:
    """Whether a line of some files (pathspecs) matches an extended regular expression at any of some commits."""
    # One thread: starting more costs more than they save. Text, because an old encoding looks binary to git.
    options = ("--quiet", "--text", "--threads=1", "--no-recurse-submodules", "--extended-regexp", "-e", pattern)
    answer = git.ask("grep", *options, *commits, "--", *places)
    # A file that can't be read is to git one without a match; it only mentions it.
    if answer.code not in (0, 1) or (answer.code == 1 and answer.err):
        raise explain("grep", git.directory, answer.code, answer.err)
    return answer.code == 0
