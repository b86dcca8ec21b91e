"""Bare repositories that a push has put into a checkout.

`backend/HEAD`, `backend/config`, `backend/objects/…` and `backend/refs/…` are ordinary files to whoever pushes them,
and a repository to git as soon as it runs in `backend/`, whose configuration names programs for git to start. Nothing
but the place tells them from others: inside a work tree, and not below a `.git`, which no commit can hold. (Git's own
answer, `safe.bareRepository=explicit`, refuses all that are not named with `--git-dir`, the wanted ones included.)

Only the file system is asked: git would have read the configuration before it could answer.
"""

# pathlib takes 6 ms to load, and this runs before every verdict.
# ruff: noqa: PTH112, PTH118, PTH120, PTH123, PTH206

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from onehead.gitrepo.errors import PlantedRepository

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 4096
"""Bytes of a `.git` file that are read; a path is no longer."""


def refuse_planted(directory: str) -> None:
    """Refuse a repository that lies in the work tree of another one.

    Args:
        directory: where git would run.

    Raises:
        PlantedRepository: git would open such a one there.
    """
    repository = _found_from(os.path.realpath(directory))
    if repository is None:
        return
    for folder in _upwards(os.path.dirname(repository)):
        outer = _of_work_tree(folder)
        if outer is None:
            continue
        below = repository[len(folder) :].split(os.sep)
        # `proj/.git` may say that the repository is `proj/.bare`: its own work tree, not another one's.
        if ".git" in below or repository == outer or repository.startswith(outer + os.sep):
            return
        raise PlantedRepository(repository, folder)


def _found_from(directory: str) -> str | None:
    """The repository that git finds from a directory, in git's order."""
    for folder in _upwards(directory):
        found = _of_work_tree(folder) or (folder if _is_repository(folder) else None)
        if found is not None:
            return found
    return None


def _of_work_tree(folder: str) -> str | None:
    """The repository of the work tree that begins at a folder, if one does."""
    link = os.path.join(folder, ".git")
    if _is_repository(link):
        return os.path.realpath(link)
    try:
        with open(link, "rb") as file:
            told = os.fsdecode(file.read(_LONGEST)).rstrip("\r\n")
    except OSError:
        return None
    if not told.startswith("gitdir: "):
        return None
    return os.path.realpath(os.path.join(folder, told.removeprefix("gitdir: ")))


def _is_repository(folder: str) -> bool:
    """Whether git might take a folder for a repository; what it does not take after all is no loss."""
    if not os.path.lexists(os.path.join(folder, "HEAD")):
        return False
    if os.path.lexists(os.path.join(folder, "commondir")):
        return True
    return all(os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs"))


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above
