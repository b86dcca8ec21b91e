"""Trees in, chains out: read every environment of one or more trees, each file once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from onehead.flows.memory import Memory
from onehead.gitrepo.snapshot import SUBMODULE, SYMLINK, Contents, Entry
from onehead.revisions.config_files import config_paths
from onehead.revisions.declared import Declared
from onehead.revisions.environment import ConfigProblem, Environment, is_revision_file
from onehead.revisions.graph import Graph
from onehead.revisions.locate import Located, locate
from onehead.revisions.parse import MAX_BYTES, parse
from onehead.revisions.reading import revision_of
from onehead.revisions.revision import Revision, Unreadable
from onehead.revisions.settle import settle, unconfigured
from onehead.revisions.tree import files_of

ReadBlobs = Callable[[Iterable[str]], Contents]
"""Object ids in, contents out; blobs over the size limit are named in `too_large`."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One environment at one tree.

    Attributes:
        environment: where it is and how it is configured.
        graph: its revisions, and what could not be read.
        files: how many files stand where its revisions are.
    """

    environment: Environment
    graph: Graph
    files: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What one tree holds: its environments by path, and what of their configuration can't be understood."""

    chains: dict[str, Chain]
    problems: tuple[ConfigProblem, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a tree to survey.

    Attributes:
        entries: path → entry.
        rivals: further files under paths that `entries` may hold too: both sides of a textual conflict.
    """

    entries: Mapping[str, Entry]
    rivals: tuple[Entry, ...] = ()

    def all(self) -> list[Entry]:
        """Every file, those in conflict once per side."""
        return [*self.entries.values(), *self.rivals]


def survey(listings: Collection[Listing], read: ReadBlobs, memory: Memory) -> list[Survey]:
    """Read all environments of several trees of one repository; what they share is read once."""
    configs = read({entry.oid for listing in listings for entry in _config_entries(listing)}).data
    located = [
        locate(
            [entry.path for entry in listing.all()],
            {entry.path: configs[entry.oid] for entry in _config_entries(listing) if entry.oid in configs},
        )
        for listing in listings
    ]
    wanted = [_revision_files(listing, found) for listing, found in zip(listings, located, strict=True)]
    links = {entry.oid for entries in wanted for entry in entries if entry.mode == SYMLINK}
    if links:
        texts = read(links).data
        wanted = [_unlinked(listing, entries, texts) for listing, entries in zip(listings, wanted, strict=True)]
    declared = _declared({entry.oid for entries in wanted for entry in entries}, read, memory)
    memory.save()
    return [_assemble(found, entries, declared) for found, entries in zip(located, wanted, strict=True)]


def _config_entries(listing: Listing) -> list[Entry]:
    entries = [listing.entries[path] for path in config_paths(listing.entries)]
    return [entry for entry in entries if entry.mode not in (SUBMODULE, SYMLINK)]


def _revision_files(listing: Listing, found: Located) -> list[Entry]:
    """Files that stand where revisions are, or may be; symbolic links followed, as Alembic does."""
    inside = {path for paths in files_of(found.environments, listing.entries).values() for path in paths}
    candidates = set(found.candidates)
    wanted = []
    for entry in listing.all():
        folder, _, name = entry.path.rpartition("/")
        beside = folder in candidates and is_revision_file(name)
        if entry.mode != SUBMODULE and (beside or entry.path in inside):
            wanted.append(entry)
    return wanted


def _unlinked(listing: Listing, wanted: list[Entry], texts: Mapping[str, bytes]) -> list[Entry]:
    """Symbolic links replaced by the files they stand for.

    Alembic drops what it reaches twice, so a link to another revision file of the tree goes; one that leads out of
    the repository stays as it is and is reported as unreadable.
    """
    names = {entry.path for entry in wanted}
    result = []
    for entry in wanted:
        if entry.mode != SYMLINK:
            result.append(entry)
            continue
        text = texts.get(entry.oid, b"").decode("utf-8", "surrogateescape")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), text))
        if place not in names:
            there = listing.entries.get(place)
            result.append(entry if there is None else Entry(entry.path, there.mode, there.oid))
    return result


def _declared(oids: Collection[str], read: ReadBlobs, memory: Memory) -> dict[str, Declared]:
    known = memory.recall(oids)
    contents = read([oid for oid in oids if oid not in known])
    for oid, data in contents.data.items():
        known[oid] = parse(data)
        memory.learn(oid, known[oid])
    for oid in contents.too_large:
        known[oid] = Declared(broken=f"it is larger than {MAX_BYTES // (1024 * 1024)} MiB, so it was not read")
    return known


def _assemble(found: Located, entries: list[Entry], declared: Mapping[str, Declared]) -> Survey:
    """Put every file into its environment."""
    outcomes: dict[str, list[Revision | Unreadable]] = {}
    for entry in entries:
        outcomes.setdefault(entry.path, []).append(revision_of(entry.path, entry.oid, declared[entry.oid]))
    settled: list[Environment] = []
    inside: set[str] = set()
    for environment in found.environments:
        paths = files_of([environment], outcomes)[environment.path]
        inside.update(paths)
        settled += settle(environment, [item for path in paths for item in outcomes[path]]).environments
    mentions = {entry.path for entry in entries if _speaks_of_a_chain(declared[entry.oid])} - inside
    settled += unconfigured([item for path in sorted(mentions) for item in outcomes[path]])
    chains = {}
    for environment in settled:
        paths = files_of([environment], outcomes)[environment.path]
        chains[environment.path] = _chain(environment, [item for path in paths for item in outcomes[path]])
    return Survey(chains, found.problems)


def _speaks_of_a_chain(declared: Declared) -> bool:
    """Whether a file names a parent: many a program has a variable `revision`, but no `down_revision`."""
    return declared.parents is not None or any(dynamic.name == "down_revision" for dynamic in declared.dynamic)


def _chain(environment: Environment, items: list[Revision | Unreadable]) -> Chain:
    revisions = [item for item in items if isinstance(item, Revision)]
    unreadable = [item for item in items if isinstance(item, Unreadable)]
    if not environment.certain:
        # Where the files alone made an environment, what is no revision is just another module beside them.
        unreadable = [item for item in unreadable if item.kind != "not-a-revision"]
    return Chain(environment, Graph(_agreed(revisions), unreadable), len(revisions) + len(unreadable))


def _agreed(revisions: list[Revision]) -> list[Revision]:
    """One revision where both sides of a textual conflict declare the same id under the same path.

    Whatever a person makes of such a file, it will be one file; until then the target's side (it comes first) counts.
    """
    kept: dict[tuple[str, str], Revision] = {}
    for revision in revisions:
        kept.setdefault((revision.path, revision.id), revision)
    return list(kept.values())
