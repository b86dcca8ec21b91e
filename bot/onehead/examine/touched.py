"""What a push changes, and whether it may concern an environment at all.

Git waits for the answer in every push. It is found in the changed paths, with one command per question, so that most
pushes wait for nothing more.

Whatever can't be excluded counts as touched and is judged. Excluded is a push whose changed files are neither

- configuration that speaks of Alembic or of onehead, before or after;
- `env.py` or `script.py.mako`, which make a directory an environment;
- Python files where revisions are: in a directory whose name promises them (`versions`, which is where Alembic itself
  puts them, `migrations` …), in one that holds a revision, or anywhere when a configuration names places of its own;
- symbolic links or submodules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.process import explain, is_oid
from onehead.revisions.path_hints import CONCERNS_US, is_revision_file, may_configure, suffices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onehead.gitrepo.process import Door

_LINKS = {"120000", "160000"}


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
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else ""


class Change(NamedTuple):
    """A path that differs; `linked` when it is a symbolic link or a submodule on either side."""

    path: str
    linked: bool


def read_updates(text: str) -> list[Update]:
    """The lines that git writes to a pre-receive hook; raises `ValueError` for any other line."""
    updates = []
    for line in text.split("\n"):
        if line:
            words = line.split(" ", 2)
            if len(words) < 3 or not (is_oid(words[0]) and is_oid(words[1]) and words[2].startswith("refs/")):
                raise ValueError(f"no line of a push: {line!r}")
            updates.append(Update(*words))
    return updates


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


MAX_LOOKED_AT = 20
"""Branches of one push that are looked at one by one; of more only the deployed ones are."""
_MAX_ASKED = 50
"""Directories or configurations that git is asked about; a push that changes more is simply judged."""

_CONFIGURATIONS = (":(icase)*.ini*", ":(icase)*.cfg*", ":(icase)*.toml")
# Alembic's own alembic.ini explains version_locations in a comment: that names no place.
_REVISIONS_ANYWHERE = "^[^#;]*version_locations|down_revision"
_LITERAL = {ord(letter): f"\\{letter}" for letter in "*?[\\"}
"""What has a meaning in a pathspec → what has none."""


def touches(git: Door, update: Update) -> bool:
    """Whether an update of a branch may concern an environment."""
    changes = changed(git, update)
    if changes is None:
        return True
    configurations, folders = [], set()
    for path, linked in changes:
        if linked or suffices(path):
            return True
        folder, _, name = path.rpartition("/")
        if may_configure(path):
            configurations.append(path)
        elif is_revision_file(name):
            folders.add(folder)
    if len(configurations) > _MAX_ASKED or len(folders) > _MAX_ASKED:
        return True
    before = "HEAD" if update.creates else update.old
    if configurations and mentions(
        git, CONCERNS_US, [before, update.new], [f":(literal){path}" for path in configurations]
    ):
        return True
    above = [f"{folder}/".translate(_LITERAL) if folder else "" for folder in sorted(folders)]
    places = [*_CONFIGURATIONS, *(f":(glob){folder}*.py" for folder in above)]
    return bool(folders) and mentions(git, _REVISIONS_ANYWHERE, [update.new], places)
