"""Files that a mirror was cloned without, and which of them a merge or a push needs after all.

The service mirrors a repository without what is too large to be a revision file (`mirror.py`). Clean merges, and pushes
to where the files came from, do without them; git ends where it has to read one. These functions name all that is
needed, so that it is fetched in one go.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.git import conversation
from onehead.gitrepo.process import MissingObjects
from onehead.gitrepo.refs import merge_bases
from onehead.gitrepo.tree import SUBMODULE, Entry, changes, folders_of, list_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from onehead.gitrepo.git import Git


class FilesLeftOut(MissingObjects):
    """Files are needed that the mirror was cloned without; `oids` are all of them, to be fetched in one go."""

    def __init__(self, oids: Collection[str]) -> None:
        super().__init__(
            f"{len(oids)} large file(s) are needed that the mirror was cloned without.",
            "They are fetched with the next event or sweep.",
        )
        self.oids = tuple(oids)


class PathChange(NamedTuple):
    """What a path was and is; `None` where it did not exist, or does not any more."""

    old: Entry | None
    new: Entry | None


def refuse_left_out(git: Git, target: str, head: str) -> None:
    """Say which files a merge of two commits needs that the mirror was cloned without.

    Raises:
        FilesLeftOut: it needs some.
    """
    if git.leaves_out() is None:
        return
    bases = merge_bases(git, target, head)
    if len(bases) < 2:
        base = bases[0] if bases else None
        needed = read_by_merge(_changed(git, base, target), _changed(git, base, head))
    else:
        needed = _all_that_differs(git, _with_their_bases(git, bases), (target, head))
    with conversation(git) as objects:
        infos = objects.look_up(sorted(needed))
    _refuse([oid for oid, info in zip(sorted(needed), infos, strict=True) if info is None])


def refuse_left_out_of_history(git: Git, paths: Iterable[str]) -> None:
    """Say which versions of some paths, on all refs, the mirror was cloned without.

    Raises:
        FilesLeftOut: there are some.
    """
    if git.leaves_out() is not None:
        _refuse(_missing(git, "--all", "--", *paths))


def _refuse(absent: Collection[str]) -> None:
    if absent:
        raise FilesLeftOut(absent)


def read_by_merge(one: Mapping[str, PathChange], other: Mapping[str, PathChange]) -> set[str]:
    """Object ids of the files whose content git may read to merge what two sides have changed since their merge base.

    It reads all versions of a path that both sides have changed. Where one side has taken a path away, git looks for
    its new name among all that this side has brought: if the other side has changed that path, or has put something
    where it was, so that a directory may have moved.
    """
    found = set()
    for path in one.keys() & other.keys():
        if one[path].new != other[path].new:
            found |= {one[path].old, one[path].new, other[path].new}
    found |= _compared_for_renames(one, other) | _compared_for_renames(other, one)
    return {entry.oid for entry in found if entry is not None and entry.mode != SUBMODULE}


def _compared_for_renames(side: Mapping[str, PathChange], other: Mapping[str, PathChange]) -> set[Entry | None]:
    gone = [change.old for change in side.values() if change.old is not None and change.new is None]
    come = [change.new for change in side.values() if change.new is not None and change.old is None]
    # A file that only has another name is found by its id.
    ids = Counter(entry.oid for entry in gone), Counter(entry.oid for entry in come)
    gone = [entry for entry in gone if ids[0][entry.oid] > ids[1][entry.oid]]
    come = [entry for entry in come if ids[1][entry.oid] > ids[0][entry.oid]]
    filled = folders_of(path for path, change in other.items() if change.old is None)
    relevant = [entry for entry in gone if entry.path in other or not filled.isdisjoint(folders_of([entry.path]))]
    return {*relevant, *come} if relevant and come else set()


def lacking(git: Git, commits: Iterable[str], known: Iterable[str]) -> list[str]:
    """Files that the mirror was cloned without, in the history of commits and not in that of `known` ones.

    What is known elsewhere need not be here.
    """
    asked = "\n".join((*commits, *(f"^{sha}" for sha in known), ""))
    return _missing(git, "--ignore-missing", "--stdin", data=asked.encode("ascii"))


def _missing(git: Git, *args: str, data: bytes = b"") -> list[str]:
    out = git.run("rev-list", "--objects", "--missing=print", *args, data=data)
    return [line[1:].decode("ascii") for line in out.splitlines() if line.startswith(b"?")]


def _changed(git: Git, base: str | None, commit: str) -> dict[str, PathChange]:
    if base is None:
        return {path: PathChange(None, entry) for path, entry in list_tree(git, commit).entries.items()}
    before = changes(git, commit, base)
    return {path: PathChange(before[path], entry) for path, entry in changes(git, base, commit).items()}


def _with_their_bases(git: Git, bases: Iterable[str]) -> list[str]:
    """Merge bases of crossing histories, and theirs: git merges them with each other first."""
    found = dict.fromkeys(bases)
    pairs = [*combinations(found, 2)]
    while pairs:
        beneath = merge_bases(git, *pairs.pop())
        if not found.keys() >= set(beneath):
            pairs += combinations(beneath, 2)
            found |= dict.fromkeys(beneath)
    return list(found)


def _all_that_differs(git: Git, bases: Iterable[str], sides: Iterable[str]) -> set[str]:
    first, *others = (*bases, *sides)
    found = [entry for each in others for change in _changed(git, first, each).values() for entry in change]
    return {entry.oid for entry in found if entry is not None and entry.mode != SUBMODULE}
