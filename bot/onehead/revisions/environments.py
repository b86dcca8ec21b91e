"""Which directories form one environment, where no configuration decides it: the ids in them do.

Directories belong together when their revisions are linked by `down_revision` or `depends_on`: Alembic could not load
one without the other.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from onehead.revisions.graph import Groups
from onehead.revisions.model import Environment, Location, Revision, Unreadable
from onehead.revisions.path_hints import is_revision_file

# Directories that tools fill with other people's code: what is there is never deployed from here.
_VENDORED = frozenset(
    {
        *("node_modules", "bower_components", "site-packages", "dist-packages", "__pypackages__"),
        *("__pycache__", ".venv", "venv", ".tox", ".nox", ".eggs", ".git"),
    }
)
# The same name in more directories than this is noise (or an attack on our time), not a place to search.
_MAX_NAMESAKES = 100
# What an operating system follows for one path; a circle of links ends here.
_MAX_LINKS = 40


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


class FileIndex:
    """The files of one tree; links and submodules are files of it too.

    `folders`: directory → the revision files directly in it (by name only), both sorted. `links`: path of a symbolic
    link → its text, path of a submodule → `None`.
    """

    def __init__(self, paths: Iterable[str], links: Mapping[str, str | None] = MappingProxyType({})) -> None:
        self.paths = sorted(dict.fromkeys(paths))  # from git they come nearly sorted, which is quick
        self.files = frozenset(self.paths)
        self.links = links
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

        And the link or submodule on the way that leads out of the tree, if any; with one, the path is as it was given.
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
            if text is None or there.startswith(("/", "..")) or followed > _MAX_LINKS:
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

    def files_of(self, environment: Environment) -> list[str]:
        """The revision files of an environment, by Alembic's own rules, sorted.

        A location whose `recursive` is `None` gives everything below it: that is what `settle` wants to see.
        """
        folders: set[str] = set()
        for place in environment.locations:
            if not place.blocked:
                folders.add(place.path)
                below = _below(self.sorted_folders, place.path) if place.recursive is not False else ()
                # Alembic skips these, and nothing else.
                folders.update(folder for folder in below if not folder.endswith("__pycache__"))
        blocked = {place.blocked for place in environment.locations if place.blocked}
        return sorted([*blocked, *(path for folder in folders for path in self.folders.get(folder, ()))])

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
            if len(same) < _MAX_NAMESAKES and not is_vendored(folder):
                same.append(folder)
        return named


def _below(ordered: list[str], folder: str) -> Iterator[str]:
    """The entries below a directory; they are neighbours in a sorted list."""
    prefix = f"{folder}/" if folder else ""
    for index in range(bisect_left(ordered, prefix), len(ordered)):
        if not ordered[index].startswith(prefix):
            return
        yield ordered[index]


# What is in these is for tests and readers; a guess would take it for something deployed.
_NOT_DEPLOYED = frozenset(
    {
        *("test", "tests", "testing", "testdata", "fixtures", "doc", "docs"),
        *("example", "examples", "sample", "samples", "templates"),
    }
)
# Directories where a first, single revision is believed.
_TELLING_NAMES = ("versions", "alembic")
# Looking for a root above a directory stops at this depth, so that absurd paths cost no time.
_MAX_ROOT_DEPTH = 32


class Settled(NamedTuple):
    """A declared environment after a look at its ids; no `Location.recursive` is `None` any more.

    Usually one, under the same path; several when sub-folders are copies for different databases
    (`versions/postgresql`, `versions/sqlite`). What is `left_out` below its locations holds revisions of another chain.
    """

    environments: tuple[Environment, ...]
    left_out: tuple[str, ...]


def may_be_guessed(folder: str) -> bool:
    """Whether a directory can be an environment on the word of its files alone."""
    return not is_vendored(folder) and _NOT_DEPLOYED.isdisjoint(folder.lower().split("/"))


def settle(environment: Environment, found: Iterable[Revision | Unreadable]) -> Settled:
    """Decide which sub-folders belong to an environment, where its configuration does not decide it.

    With revisions directly in the location, a sub-folder belongs when its revisions are linked with theirs, through
    other sub-folders or not. Without, all sub-folders belong, unless unlinked ones carry the same ids or are whole
    chains, each with a base: those are environments of their own. What cannot be read for its parents belongs, to be
    on the safe side.

    `found` is what the files of `files_of` declare. Settle each tree by itself: in a union of two trees a moved file
    would look like a copy.
    """
    if all(place.recursive is not None for place in environment.locations):
        return Settled((environment,), ())
    folders = _by_folder(found)
    locations: list[Location] = []
    left_out: list[str] = []
    for place in environment.locations:
        if place.recursive is not None:
            locations.append(place)
            continue
        below = {folder: folders[folder] for folder in folders if _is_within(folder, place.path)}
        groups = _linked(below)
        if place.path in below:
            own = next(group for group in groups if place.path in group)
            unknown = {folder for folder in below if any(isinstance(item, Unreadable) for item in below[folder])}
            left_out += sorted(set(below) - own - unknown)
            members = own | unknown
        elif len(environment.locations) == 1 and len(groups) > 1 and _are_chains(groups, below):
            return Settled(_apart(environment, groups), ())
        else:
            members = set(below)
        locations.append(Location(place.path, recursive=False))
        locations += [Location(folder, recursive=False) for folder in sorted(members - {place.path})]
    return Settled((environment._replace(locations=tuple(locations)),), tuple(sorted(left_out)))


def unconfigured(found: Iterable[Revision | Unreadable]) -> tuple[Environment, ...]:
    """The environments that nothing but their revision files declares.

    A directory tree needs two files that declare a revision, or a lone base in a directory named `versions` or
    `alembic`. All sub-folders of one `versions` are judged together, as `settle` does.

    `found` is what the files outside of all environments declare, but only those that mention `down_revision`: many a
    program has a variable named `revision`.
    """
    folders = {folder: items for folder, items in _by_folder(found).items() if may_be_guessed(folder)}
    roots: dict[str, list[str]] = {}
    for folder in sorted(folders):
        roots.setdefault(_root(folder, roots), []).append(folder)
    environments = []
    for root, members in roots.items():
        rest = {folder: folders[folder] for folder in members}
        guess = Environment(root, None, None, None, (Location(root, None),), certain=False)
        settled = settle(guess, [item for items in rest.values() for item in items])
        apart = [
            Environment(folder, None, None, None, (Location(folder, recursive=False),), certain=False)
            for folder in settled.left_out
        ]
        environments += [one for one in (*settled.environments, *apart) if _is_believed(one, rest)]
    return tuple(sorted(environments, key=lambda one: one.path))


def _by_folder(found: Iterable[Revision | Unreadable]) -> dict[str, list[Revision | Unreadable]]:
    """What counts as a revision, by its directory: also what declares one in a way that must be run to be known."""
    folders: dict[str, list[Revision | Unreadable]] = {}
    for item in found:
        if isinstance(item, Revision) or item.kind == "dynamic":
            folders.setdefault(parent(item.path), []).append(item)
    return {folder: folders[folder] for folder in sorted(folders)}


def _is_within(folder: str, root: str) -> bool:
    return folder == root or not root or folder.startswith(f"{root}/")


def _root(folder: str, roots: Mapping[str, list[str]]) -> str:
    """The directory that names an undeclared environment: its `versions`, else its topmost one."""
    parts = folder.split("/")
    if "versions" in parts:
        return "/".join(parts[: len(parts) - parts[::-1].index("versions")])
    for end in range(1, min(len(parts), _MAX_ROOT_DEPTH)):
        # The top of the repository, as a root, would swallow everything.
        if "/".join(parts[:end]) in roots:
            return "/".join(parts[:end])
    return folder


def _is_believed(environment: Environment, folders: Mapping[str, list[Revision | Unreadable]]) -> bool:
    items = [item for place in environment.locations for item in folders.get(place.path, [])]
    if len(items) == 1:
        alone = isinstance(items[0], Revision) and not items[0].parents
        return alone and environment.path.rpartition("/")[2].lower() in _TELLING_NAMES
    ids = {item.id for item in items}
    # Several are a chain and not just odd ones out where one starts it, or follows another, or may do so.
    return any(isinstance(item, Unreadable) or not item.parents or not ids.isdisjoint(item.parents) for item in items)


def _linked(folders: Mapping[str, list[Revision | Unreadable]]) -> list[set[str]]:
    """The directories in groups that are linked by their revisions' parents, in the order of their paths."""
    if len(folders) < 2:
        return [set(folders)] if folders else []
    owners: dict[str, list[list[str]]] = {}
    for folder in sorted(folders, key=lambda folder: folder.split("/")):
        for name in _names(folders[folder]):
            owners.setdefault(name, []).append(folder.split("/"))
    groups = Groups(folders)
    for folder, items in folders.items():
        own = _names(items)
        needed = {name for item in items if isinstance(item, Revision) for name in (*item.parents, *item.depends_on)}
        for name in needed - own:
            if name in owners:
                groups.join(_nearest(folder, owners[name]), folder)
    return [set(group) for group in groups.all()]


def _names(items: Iterable[Revision | Unreadable]) -> set[str]:
    names: set[str] = set()
    for item in items:
        if isinstance(item, Revision):
            names.update((item.id, *item.branch_labels))
        elif item.id is not None:
            names.add(item.id)
    return names


def _nearest(folder: str, owners: Sequence[list[str]]) -> str:
    """Of the directories with the same id, the one that shares most of the path: a copy links with its own kind."""
    parts = folder.split("/")
    # In sorted order the longest common beginning is beside the place of the directory itself.
    place = bisect_left(owners, parts)
    beside = owners[max(place - 1, 0) : place + 1]
    shared = [common(owner, parts) for owner in beside]
    return "/".join(beside[shared.index(max(shared))])


def _are_chains(groups: list[set[str]], folders: Mapping[str, list[Revision | Unreadable]]) -> bool:
    """Whether unlinked sub-folders are environments: copies or whole chains; not where a link may go unread."""
    chains = [[item for folder in group for item in folders[folder]] for group in groups]
    ids = [{item.id for item in chain if item.id is not None} for chain in chains]
    if len(set().union(*ids)) < sum(map(len, ids)):
        return True
    if any(isinstance(item, Unreadable) for chain in chains for item in chain):
        return False
    return all(
        len(chain) > 1 and any(not item.parents for item in chain if isinstance(item, Revision)) for chain in chains
    )


def _apart(environment: Environment, groups: list[set[str]]) -> tuple[Environment, ...]:
    """An environment for each group, named by the directory that holds all of it, if that is its alone."""
    tops = ["/".join(_top(group)) for group in groups]
    by_path = sorted(set(tops), key=lambda top: top.split("/"))
    crowded = {top for top, after in pairwise(by_path) if _is_within(after, top)}
    crowded.update(top for top, count in Counter(tops).items() if count > 1)
    folders = set().union(*groups)
    apart = []
    for group, top in zip(groups, tops, strict=True):
        own = top not in crowded and (top in group or top not in folders)
        path = top if own else min(group)
        locations = tuple(Location(place, recursive=False) for place in [path, *sorted(group - {path})])
        apart.append(environment._replace(path=path, locations=locations))
    return tuple(apart)


def _top(group: set[str]) -> list[str]:
    parts = [folder.split("/") for folder in group]
    first, last = min(parts), max(parts)
    return first[: common(first, last)]
