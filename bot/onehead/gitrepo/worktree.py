"""What a checkout holds beside its commit.

Names and content are compared here, for git's own comparison may run filters that the configuration names.
"""

# `check` runs in every commit, and pathlib takes as long to load as a hundred revisions to read.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from onehead.gitrepo.snapshot import SUBMODULE, SYMLINK

if TYPE_CHECKING:
    from onehead.gitrepo.command import Git
    from onehead.gitrepo.snapshot import Entry

_MOST_COMPARED = 50
"""Files whose content is compared, those changed last first: what was just edited is among them."""
_LARGEST = 8 * 1024 * 1024


def checked_out(git: Git) -> tuple[str, str] | None:
    """The top of the work tree and the commit that is checked out there; `None` for a bare repository."""
    answer = git.ask("rev-parse", "--show-toplevel", "--verify", "HEAD")
    lines = os.fsdecode(answer.out).split("\n")
    return (lines[0], lines[1]) if answer.code == 0 and len(lines) > 1 else None


def uncommitted(
    top: str,
    entries: Mapping[str, Entry],
    folders: Mapping[str, bool],
    counts: Callable[[str], bool],
) -> list[str]:
    """Files of some directories of the work tree that are not in the commit, or not as they are there; sorted.

    Args:
        top: the top of the work tree.
        entries: what the commit holds.
        folders: directory → whether its sub-folders count too.
        counts: whether a file of this name is looked at.
    """
    found, known = [], []
    for path, changed in _files(top, folders, counts):
        if path in entries:
            known.append((-changed, path))
        else:
            found.append(path)
    found += [path for _, path in sorted(known)[:_MOST_COMPARED] if _differs(os.path.join(top, path), entries[path])]
    return sorted(found)


def _files(top: str, folders: Mapping[str, bool], counts: Callable[[str], bool]) -> Iterator[tuple[str, int]]:
    """Path and time of the last change."""
    todo = dict(folders)
    while todo:
        folder, deep = todo.popitem()
        with suppress(OSError), os.scandir(os.path.join(top, folder)) as items:
            for item in items:
                path = f"{folder}/{item.name}" if folder else item.name
                if item.is_file(follow_symlinks=False):
                    if counts(item.name):
                        yield path, item.stat(follow_symlinks=False).st_mtime_ns
                elif deep and item.is_dir(follow_symlinks=False) and item.name not in (".git", "__pycache__"):
                    todo[path] = True


def _differs(file: str, entry: Entry) -> bool:
    """Whether a file is not what the commit holds; other line ends are no difference, for git may write them."""
    from hashlib import sha1, sha256  # noqa: PLC0415 - only where there is a work tree

    if entry.mode in (SYMLINK, SUBMODULE):
        return False
    try:
        with open(file, "rb") as opened:
            data = opened.read(_LARGEST)
    except OSError:
        return False
    make = sha1 if len(entry.oid) == 40 else sha256
    forms = (data, data.replace(b"\r\n", b"\n"))
    return entry.oid not in {make(b"blob %d\0%b" % (len(form), form)).hexdigest() for form in forms}
