"""The paths of one tree, indexed once; every question costs what its answer is long."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

from onehead.revisions.environment import Environment
from onehead.revisions.signs import is_revision_file

# Directories that tools fill with other people's code: what is there is never deployed from here.
_VENDORED = frozenset(
    {
        *("node_modules", "bower_components", "site-packages", "dist-packages", "__pypackages__"),
        *("__pycache__", ".venv", "venv", ".tox", ".nox", ".eggs", ".git"),
    }
)
# The same name in more directories than this is noise (or an attack on our time), not a place to search.
_MOST_NAMESAKES = 100
# What an operating system follows for one path; a circle of links ends here.
_MOST_LINKS = 40


def join(folder: str, *names: str) -> str:
    """Join path components; `""` is the top of the repository."""
    return "/".join(part for part in (folder, *names) if part)


def parent(path: str) -> str:
    """The directory of a path, `""` at the top."""
    return path.rpartition("/")[0]


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many leading components two directories, given in components, have in common."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def is_vendored(path: str) -> bool:
    """Whether a path lies in a directory that holds installed packages or a tool's cache."""
    return not _VENDORED.isdisjoint(path.split("/"))


class Tree:
    """The files of one tree.

    Attributes:
        paths: every file, sorted.
        files: the same, as a set.
        folders: directory → the revision files directly in it (by name only), both sorted.
        links: path of a symbolic link → its text, path of a submodule → `None`; both are files of the tree too.
    """

    def __init__(self, paths: Iterable[str], links: Mapping[str, str | None] = MappingProxyType({})) -> None:
        self.files = frozenset(paths)
        self.links = links
        self.paths = sorted(self.files)
        self.folders: dict[str, list[str]] = {}
        for path in self.paths:
            folder, _, name = path.rpartition("/")
            if is_revision_file(name):
                self.folders.setdefault(folder, []).append(path)

    @cached_property
    def sorted_folders(self) -> list[str]:
        """The directories that hold revision files by name, sorted."""
        return sorted(self.folders)

    @cached_property
    def script_directories(self) -> list[str]:
        """The directories, sorted, that hold an `env.py`, the mark of every Alembic environment."""
        return [parent(path) for path in self.paths if path.rpartition("/")[2] == "env.py"]

    def follow(self, folder: str) -> tuple[str, str]:
        """A directory's own path, where symbolic links lead to it.

        Returns:
            The path; and the link or submodule on the way that leads out of the tree, empty where there is none. With
            one, the path is as it was given.
        """
        if not self.links:
            return folder, ""
        done, followed, last = "", 0, ""
        todo = folder.split("/")[::-1]
        while todo:
            path = join(done, todo.pop())
            if path not in self.links:
                done = path
                continue
            text, last = self.links[path], path
            there = "" if text is None else posixpath.normpath(posixpath.join(parent(path), text))
            followed += 1
            if text is None or there.startswith(("/", "..")) or followed > _MOST_LINKS:
                return folder, path
            done, todo = "", [*todo, *(part for part in there.split("/")[::-1] if part != ".")]
        return (folder, last) if last and not self._is_there(done) else (done, "")

    def is_blocked(self, folder: str) -> bool:
        """Whether a submodule, or a link that leads out of the tree, hides what is in this directory."""
        return bool(self.follow(folder)[1])

    def is_directory(self, folder: str) -> bool:
        """Whether anything lies in this directory, links followed."""
        place, blocked = self.follow(folder)
        return not blocked and self._is_there(place)

    def _is_there(self, folder: str) -> bool:
        return next(_below(self.paths, folder), None) is not None

    def holds_revisions(self, folder: str) -> bool:
        """Whether a file at or below this directory may be a revision, by its name; links followed."""
        place, blocked = self.follow(folder)
        return not blocked and (place in self.folders or next(_below(self.sorted_folders, place), None) is not None)

    def is_script_directory(self, folder: str) -> bool:
        """Whether this looks like what `script_location` names."""
        place, blocked = self.follow(folder)
        return not blocked and (
            join(place, "env.py") in self.files
            or join(place, "script.py.mako") in self.files
            or self.holds_revisions(join(place, "versions"))
        )

    def submodules_below(self, folder: str) -> list[str]:
        """The submodules somewhere below a directory, sorted."""
        prefix = f"{folder}/" if folder else ""
        return sorted(path for path, text in self.links.items() if text is None and path.startswith(prefix))

    def covered(self, environments: Iterable[Environment]) -> set[str]:
        """The directories with revision files that are a location of an environment, or below one."""
        found: set[str] = set()
        for location in {place for environment in environments for place in environment.locations}:
            found.add(location.path)
            # The top of the repository is above everything: it only covers what it really loads.
            if location.path or location.recursive:
                found.update(_below(self.sorted_folders, location.path))
        return found

    def namesakes(self, name: str) -> list[str]:
        """The directories with this last component, whatever its case, that may matter to Alembic."""
        return self._by_name.get(name.casefold(), [])

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        folders = set(self.folders).union(self.script_directories)
        folders.update(parent(folder) for folder in self.folders if folder.endswith("/versions"))
        named: dict[str, list[str]] = {}
        for folder in sorted(folders, key=lambda folder: (folder.count("/"), folder)):
            same = named.setdefault(folder.rpartition("/")[2].casefold(), [])
            if len(same) < _MOST_NAMESAKES and not is_vendored(folder):
                same.append(folder)
        return named


def files_of(environments: Iterable[Environment], paths: Tree | Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The revision files of each environment, by Alembic's own rules, sorted by path.

    A location whose `recursive` is `None` gives everything below it: that is what `settle` wants to see.

    Args:
        environments: of one tree.
        paths: every file of that tree, in any order; or the tree, for who asks about it several times.

    Returns:
        `Environment.path` → paths. An environment without files has an empty tuple.
    """
    tree = paths if isinstance(paths, Tree) else Tree(paths)
    return {environment.path: tuple(sorted(_files(environment, tree))) for environment in environments}


def _files(environment: Environment, tree: Tree) -> set[str]:
    found: set[str] = set()
    for location in environment.locations:
        if location.blocked:
            found.add(location.blocked)
            continue
        found.update(tree.folders.get(location.path, ()))
        if location.recursive is not False:
            for folder in _below(tree.sorted_folders, location.path):
                # Alembic's walk passes over these, and over nothing else.
                if not folder.endswith("__pycache__"):
                    found.update(tree.folders[folder])
    return found


def _below(ordered: list[str], folder: str) -> Iterator[str]:
    """The entries below a directory; they stand together in a sorted list."""
    prefix = f"{folder}/" if folder else ""
    for index in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[index].startswith(prefix):
            return
        yield ordered[index]
