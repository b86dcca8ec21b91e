"""Make commits without a work tree and without touching anybody's index.

Everything that goes into a commit is given, dates included, so making it twice gives the same SHA: two makers (a
redelivered webhook, the sweep) meet instead of competing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onehead.errors import CannotJudge
from onehead.gitrepo.errors import explain
from onehead.gitrepo.snapshot import parse_listing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from onehead.gitrepo.command import Git
    from onehead.revisions.source import FileChange

_NEW_FILE = "100644"


class StaleRef(CannotJudge):
    """A ref is not where it was expected to be: somebody moved it meanwhile."""


class BranchInUse(CannotJudge):
    """A branch is checked out somewhere, so moving it would change a person's work tree under their hands."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who makes a commit and when. `when` must be aware of its time zone; git keeps whole seconds."""

    name: str
    email: str
    when: datetime

    def variables(self, role: str) -> dict[str, str]:
        """The variables git reads for `AUTHOR` or `COMMITTER`."""
        if self.when.tzinfo is None:
            raise ValueError("A signature needs a date with a time zone, or its commit would depend on the machine.")
        date = f"@{int(self.when.timestamp())} {self.when:%z}"
        return {f"GIT_{role}_NAME": self.name, f"GIT_{role}_EMAIL": self.email, f"GIT_{role}_DATE": date}


def commit(
    git: Git,
    parents: Sequence[str],
    changes: Sequence[FileChange],
    message: str,
    author: Signature,
    committer: Signature | None = None,
) -> str:
    """Make a commit of the first parent's tree with some files changed, and return its SHA. No ref is moved.

    Files keep their mode (a new one is `100644`); a renamed file takes its mode along.

    Args:
        git: the repository.
        parents: SHAs; without any, the commit is a root and the tree starts empty.
        changes: what to create, replace, delete or rename.
        message: the message, as it will stand in the commit.
        author: who and when.
        committer: the author unless given.

    Raises:
        ValueError: a change contradicts the tree or itself (deletes or renames what is not there, renames onto
            another file, deletes and renames at once).
        OneheadError: no repository, unknown parents, or git refused.
    """
    tree = changed_tree(git, parents[0] if parents else None, changes)
    return _commit_tree(git, tree, parents, message, author, committer or author)


def merge_commit(
    git: Git, ours: str, theirs: str, tree: str, message: str, author: Signature, committer: Signature | None = None
) -> str:
    """Make the commit that merges `theirs` into `ours`, and return its SHA. No ref is moved.

    `tree` comes from `write_merged_tree(git, ours, theirs)`.

    Raises:
        OneheadError: no repository, or one of the three is not in it.
    """
    return _commit_tree(git, tree, (ours, theirs), message, author, committer or author)


def update_ref(git: Git, ref: str, sha: str, expected_old: str | None) -> None:
    """Point a ref to a commit, if it still is where it was last seen.

    Args:
        git: the repository.
        ref: full name, such as `refs/heads/onehead/merge/topic`.
        sha: where it shall point.
        expected_old: where it points now; `None`: it must not exist.

    Raises:
        StaleRef: it points elsewhere.
        BranchInUse: the branch is checked out in a work tree.
        ValueError: the name is not a full one; git would make a stray file of it.
        OneheadError: no repository, not a valid name, or git refused.
    """
    if not ref.startswith("refs/"):
        raise ValueError(f"{ref!r} is not the full name of a ref.")
    place = _work_tree_of(git, ref)
    if place:
        raise BranchInUse(
            f"`{ref}` is checked out in {place}, and moving it would make that work tree look edited.",
            "Write to another branch and merge it there.",
        )
    old = expected_old if expected_old is not None else "0" * len(sha)
    answer = git.ask("update-ref", "--no-deref", "--end-of-options", ref, sha, old)
    if answer.code == 0:
        return
    if "but expected" in answer.err or "reference already exists" in answer.err or "unable to resolve" in answer.err:
        raise StaleRef(
            f"`{ref}` was changed by somebody else meanwhile, so it was left alone.",
            "Judge the repository again: the repair may look different now.",
        )
    raise explain("update-ref", git.directory, answer.code, answer.err)


def _work_tree_of(git: Git, ref: str) -> str | None:
    """Where a branch is checked out, if anywhere."""
    for record in git.run("worktree", "list", "--porcelain", "-z").decode("utf-8", "surrogateescape").split("\0\0"):
        about = dict(line.split(" ", 1) for line in record.split("\0") if " " in line)
        if about.get("branch") == ref:
            return about["worktree"]
    return None


def changed_tree(git: Git, parent: str | None, changes: Sequence[FileChange]) -> str:
    """The tree of a commit (or a tree itself) with some files changed, written to the object store.

    Raises:
        ValueError: a change contradicts the tree or itself.
        OneheadError: no repository, an unknown parent, or git refused.
    """
    modes = _modes(git, parent, changes)
    with tempfile.TemporaryDirectory(prefix="onehead-write-", ignore_cleanup_errors=True) as name:
        blobs = _write_blobs(git, Path(name), [change.data for change in changes if change.data is not None])
        index = git.variant(environment={"GIT_INDEX_FILE": str(Path(name) / "index")})
        index.run("read-tree", parent or "--empty")
        index.run("update-index", "-z", "--index-info", data=_index_lines(changes, modes, blobs, parent or ""))
        return index.run("write-tree").decode("ascii").strip()


def _modes(git: Git, parent: str | None, changes: Sequence[FileChange]) -> dict[str, str]:
    """Path → mode of the files that the changes are about and that exist; refuses contradictory changes."""
    paths = [path for change in changes for path in (change.path, change.new_path) if path is not None]
    existing = {}
    if parent is not None and paths:
        out = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", parent, *paths)
        existing = {path: entry.mode for path, entry in parse_listing(out).items()}
    for change in changes:
        moves = change.new_path is not None and change.new_path != change.path
        if change.data is None and change.new_path is not None:
            raise ValueError(f"{change.path!r} can't be deleted and renamed at once.")
        if (change.data is None or moves) and change.path not in existing:
            raise ValueError(f"{change.path!r} can't be deleted or renamed: it is not in {parent}.")
        if moves and change.new_path in existing:
            raise ValueError(f"{change.path!r} can't be renamed to {change.new_path!r}: that exists in {parent}.")
    return existing


def _write_blobs(git: Git, place: Path, contents: Sequence[bytes]) -> list[str]:
    if not contents:
        return []
    files = [place / str(number) for number in range(len(contents))]
    for file, data in zip(files, contents, strict=True):
        file.write_bytes(data)
    names = "".join(f"{file}\n" for file in files).encode("utf-8", "surrogateescape")
    # Without filters: the bytes are final, whatever line endings or filters a person has configured.
    return git.run("hash-object", "-w", "--no-filters", "--stdin-paths", data=names).decode("ascii").split()


def _index_lines(changes: Sequence[FileChange], modes: dict[str, str], blobs: list[str], parent: str) -> bytes:
    """Input of `update-index --index-info`: removals first, so that a file can give way to a directory."""
    gone, there = [], []
    zero = "0" * len(parent)
    written = iter(blobs)
    for change in changes:
        if change.data is None or change.new_path is not None:
            gone.append(f"0 {zero}\t{change.path}\0")
        if change.data is not None:
            path = change.new_path or change.path
            there.append(f"{modes.get(change.path, _NEW_FILE)} {next(written)}\t{path}\0")
    return "".join([*gone, *there]).encode("utf-8", "surrogateescape")


def _commit_tree(
    git: Git, tree: str, parents: Sequence[str], message: str, author: Signature, committer: Signature
) -> str:
    signed = git.variant(environment={**author.variables("AUTHOR"), **committer.variables("COMMITTER")})
    lineage = [word for parent in parents for word in ("-p", parent)]
    out = signed.run("commit-tree", tree, *lineage, "-F", "-", data=message.encode("utf-8"))
    return out.decode("ascii").strip()
