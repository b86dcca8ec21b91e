"""The tree that git would make by merging one commit into another, without a work tree and without a trace.

It is made in a repository of its own that sees the objects of the real one. That has two effects that no option of git
gives. Nothing is left behind: the trees and blobs that a merge writes land in a directory that is deleted. And nothing
interferes: merge drivers, attributes, rename limits and promisor remotes of a person's configuration don't exist there,
so everybody gets the same verdict, and a merge driver (a program) is never run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.git import conversation
from onehead.gitrepo.process import GitTooOld, MissingObjects, explain
from onehead.gitrepo.refs import merge_bases
from onehead.gitrepo.tree import (
    DEFAULT_LIMIT,
    SUBMODULE,
    Contents,
    Differing,
    Entry,
    Tree,
    changes,
    difference,
    folders_of,
    list_tree,
    loose_blob,
    sorted_out,
    tree_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from onehead.gitrepo.git import BlobTooLarge, Git

_CONFIG = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = {}\n"


class Scratch(NamedTuple):
    """Where a merge happens: `git` works there, and sees the objects of the real repository too."""

    git: Git
    written: Path


@contextmanager
def scratch(git: Git, commit: str, *, keep: bool) -> Iterator[Scratch]:
    """Open a throw-away repository beside a real one; in a pre-receive hook its quarantined objects are seen too.

    The length of a commit's SHA tells in which format objects are named. To `keep` new ones, they are written into the
    real repository.
    """
    # Loaded only here: most merges need none, and loading tempfile and pathlib costs more than their judgement.
    import shutil  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from onehead.throwaway import throwaway  # noqa: PLC0415

    objects, shallow = map(Path, git.places())
    with throwaway("merge") as top:
        (top / "objects").mkdir()
        (top / "refs").mkdir()
        (top / "HEAD").write_text("ref: refs/heads/none\n")
        (top / "config").write_text(_CONFIG.format("sha256" if len(commit) == 64 else "sha1"))
        if shallow.exists():
            shutil.copyfile(shallow, top / "shallow")
        others = [_quoted(objects), *filter(None, [git.environment().get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")])]
        inside = git.variant(
            environment={
                "GIT_DIR": str(top),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_OBJECT_DIRECTORY": str(objects if keep else top / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(others),
            }
        )
        yield Scratch(inside, top / "objects")


def _quoted(path: object) -> str:
    """A path for git's colon-separated list, in which a quoted entry may hold colons."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


class PathConflict(NamedTuple):
    """A path on which the two sides don't agree as text.

    A side that deleted the file, or has it under another name, is `None`; a file that both renamed differently
    therefore gives three conflicts: its old name with `base` only, and each new name with one side only. Where one
    side has a file and the other a directory, git invents a name for the file (`versions~<SHA>`).
    """

    path: str
    base: Entry | None
    target: Entry | None
    head: Entry | None


class MergedTree(NamedTuple):
    """What merging `head` into `target` gives.

    A path is either in `entries`, where it merged cleanly, or in `conflicts`. Unrelated histories have no merge base.
    `fresh` are files that neither side has and that can't be read from the repository: git put both sides' edits
    together.
    """

    merge_base: str | None
    entries: Mapping[str, Entry]
    conflicts: dict[str, PathConflict]
    fresh: Contents


def merge_trees(
    git: Git,
    target: str,
    head: str,
    *,
    listed: Mapping[str, Tree] | None = None,
    limit: int = DEFAULT_LIMIT,
) -> MergedTree:
    """Merge `head` into `target` in memory, the way a forge would: `ort`, renames followed, no configuration.

    Several merge bases are git's business (it merges them first); unrelated histories are merged from nothing. Full
    listings that are known already are `listed` by SHA; `fresh` holds no file of more than `limit` bytes.

    Raises:
        ShallowHistory: the clone is shallow and the common history is missing.
        FilesLeftOut: git has to read files that a mirror was cloned without.
        GitTooOld: git has no `merge-tree --write-tree`.
    """
    known = dict(listed or {})
    bases = merge_bases(git, target, head)
    base = bases[0] if bases else None
    if base in (head, target):
        whole = head if base == target else target
        tree = known.get(whole) or list_tree(git, whole)
        return MergedTree(base, tree.entries, {}, Contents({}, {}))
    before = known.get(target) or list_tree(git, target)
    apart = _apart(git, base, target, head) if base is not None and len(bases) == 1 else None
    if apart is not None:
        return MergedTree(base, Differing(before.entries, apart), {}, Contents({}, {}))
    with scratch(git, target, keep=False) as place:
        oid, conflicts = _merge(git, place, target, head)
        if conflicts:
            other = known.get(head) or list_tree(git, head)
            conflicts = {path: _with_own_files(each, before, other) for path, each in conflicts.items()}
        merged = difference(place.git, before, oid)
        made = [entry for path, entry in merged.changed.items() if path not in conflicts]
        made += [entry for each in conflicts.values() for entry in (each.target, each.head) if entry is not None]
        clean = Differing(merged, {}, conflicts) if conflicts else merged
        return MergedTree(base, clean, conflicts, _fresh(place, made, limit))


def _apart(git: Git, base: str, target: str, head: str) -> dict[str, Entry] | None:
    """What the head brings where the two sides touch different files and neither takes one away; `None` elsewhere.

    Then the merge is both changes together: without a file that is gone there is no rename, and git merges path by
    path. It is what two branches with a migration each do, and saves the merge itself.
    """
    theirs, ours = changes(git, base, target), changes(git, base, head)
    brought = {path: entry for path, entry in ours.items() if entry is not None}
    if len(brought) < len(ours) or None in theirs.values():
        return None
    if any(theirs.get(path, entry) != entry for path, entry in brought.items()):
        return None
    # One side may have made a file where the other made a directory.
    if folders_of(theirs) & ours.keys() or folders_of(ours) & theirs.keys():
        return None
    return brought


class WrittenTree(NamedTuple):
    """What merging gives, to make a commit of it: a tree that is in the repository, and files that come on top."""

    oid: str
    more: tuple[Entry, ...] = ()


def write_merged_tree(git: Git, target: str, head: str) -> WrittenTree:
    """The tree of the same merge.

    Raises:
        FilesLeftOut: git has to read files that a mirror was cloned without.
        GitTooOld: git has no `merge-tree --write-tree`.
    """
    return _written_merge(git, target, head)[0]


def write_clean_merge(git: Git, target: str, head: str) -> WrittenTree | None:
    """The same, where git can merge the two by itself; `None` where it can't."""
    tree, conflicts = _written_merge(git, target, head)
    return None if conflicts else tree


def _written_merge(git: Git, target: str, head: str) -> tuple[WrittenTree, dict[str, PathConflict]]:
    if git.kept_open is not None:
        bases = merge_bases(git, target, head)
        with git.kept_open as objects:
            top = tree_of(objects, target)
        apart = _apart(git, bases[0], target, head) if len(bases) == 1 and top is not None else None
        if apart is not None and top is not None and _are_here(git, apart.values()):
            return WrittenTree(top, tuple(apart.values())), {}
    with scratch(git, target, keep=True) as place:
        oid, conflicts = _merge(git, place, target, head)
        return WrittenTree(oid), conflicts


def taken_over(head: Tree) -> MergedTree:
    """What a push leaves of a target: the pushed commit as it is, whether or not it contains what was there before."""
    return MergedTree(None, head.entries, {}, Contents({}, {}))


def _are_here(git: Git, entries: Iterable[Entry]) -> bool:
    """Whether no file was left out: `fast-import` takes none that is not here, and git's own merge does."""
    with conversation(git) as objects:
        return None not in objects.look_up([entry.oid for entry in entries if entry.mode != SUBMODULE])


def _merge(git: Git, place: Scratch, target: str, head: str) -> tuple[str, dict[str, PathConflict]]:
    answer = place.git.ask("merge-tree", "--write-tree", "-z", "--allow-unrelated-histories", target, head)
    if answer.code in (0, 1) and answer.out:
        return _parse_merge(answer.out)
    if answer.code == 129 and git.version() < (2, 38):
        found = ".".join(map(str, git.version()))
        raise GitTooOld(f"Git {found} can't merge without a work tree.", "Install git 2.38 or newer.")
    trouble = explain("merge-tree", git.directory, answer.code, answer.err)
    if isinstance(trouble, MissingObjects):
        from onehead.gitrepo.left_out import refuse_left_out  # noqa: PLC0415 - hardly any merge lacks something

        refuse_left_out(git, target, head)
    raise trouble


def _parse_merge(out: bytes) -> tuple[str, dict[str, PathConflict]]:
    """Read the output of `git merge-tree --write-tree -z`: tree, and conflicts by path."""
    fields = iter(out.decode("utf-8", "surrogateescape").split("\0")[:-1])
    oid = next(fields)
    stages: dict[str, dict[str, Entry]] = {}
    for record in fields:
        if not record:
            break
        about, _, path = record.partition("\t")
        mode, blob, stage = about.split(" ")
        stages.setdefault(path, {})[stage] = Entry(path, mode, blob)
    conflicts = {path: PathConflict(path, s.get("1"), s.get("2"), s.get("3")) for path, s in stages.items()}
    return oid, conflicts


def _with_own_files(conflict: PathConflict, target: Tree, head: Tree) -> PathConflict:
    """A conflict that shows what the two sides have.

    Of a file that both renamed and edited, git shows what it made of the two contents, with markers where they clash.
    """
    path = conflict.path
    return conflict._replace(
        target=conflict.target and target.entries.get(path, conflict.target),
        head=conflict.head and head.entries.get(path, conflict.head),
    )


def _fresh(place: Scratch, made: list[Entry], limit: int) -> Contents:
    """Those of some files that the merge has written."""
    found: dict[str, bytes | BlobTooLarge] = {}
    for oid in (entry.oid for entry in made if entry.mode != SUBMODULE):
        with suppress(OSError, ValueError):
            found[oid] = loose_blob(f"{place.written}/{oid[:2]}/{oid[2:]}", limit)
    return sorted_out(found)
