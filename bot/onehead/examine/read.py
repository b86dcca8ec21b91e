"""Read every environment of one or more trees, each file once; what was parsed before is cached by its blob.

One JSON file per repository in a cache directory. It may vanish or be spoiled at any moment: then everything is read
anew. Nothing but speed rests on it.
"""

# `check` runs in every commit, and pathlib takes as long to load as a hundred revisions to read.
# ruff: noqa: PTH103, PTH105, PTH118, PTH120, PTH123

from __future__ import annotations

import json
import os
import posixpath
import sys
from binascii import crc32
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Contents, Differing, Entry
from onehead.revisions.config import MAX_CONFIGS, config_paths
from onehead.revisions.environments import FileIndex, is_vendored, settle, unconfigured
from onehead.revisions.graph import Graph
from onehead.revisions.locate import Located, locate, modules_near
from onehead.revisions.model import (
    MAX_BYTES,
    ConfigProblem,
    Declared,
    Dynamic,
    Environment,
    Refusal,
    Revision,
    Unreadable,
)
from onehead.revisions.parse import check, parse, revision_of
from onehead.revisions.parsers import SPENT, examination, pieces
from onehead.revisions.path_hints import is_revision_file

_FORMAT = [6, list(sys.version_info[:2])]
"""Part of every file: another reader, or another Python (whose parser knows other syntax), starts afresh."""

_MAX_REMEMBERED = 50_000
"""Files remembered per repository; beyond that only those of the last run are kept."""

_WORTH_WRITING = 50
"""What is new is written when it is this part of all: less is read again as fast as all is written."""


class Memory:
    """Blob id → what the file declares, for one repository."""

    def __init__(self, file: str | None) -> None:
        """Remember in `file`; `None` remembers nothing beyond this process."""
        self._file = file
        self._known: dict[str, list[Any]] = {}
        self._used: set[str] = set()
        self._learned = 0
        self.hits = 0  # blobs that were asked for and known
        self.misses = 0
        if file is not None:
            with suppress(OSError, ValueError, TypeError, KeyError, RecursionError), open(file, "rb") as stored:
                content = json.loads(stored.read())
                if content["format"] == _FORMAT and isinstance(content["blobs"], dict):
                    self._known = content["blobs"]

    def recall(self, blobs: Collection[str]) -> dict[str, Declared]:
        """What is known about some blobs."""
        found = {}
        for blob in blobs:
            record = self._known.get(blob)
            if record is not None:
                try:
                    found[blob] = _unpacked(*record)
                except (TypeError, ValueError):
                    continue  # spoiled: it is read anew
        self._used.update(found)
        self.hits += len(found)
        self.misses += len(blobs) - len(found)
        return found

    def learn(self, parsed: Mapping[str, Declared]) -> None:
        """Remember parsed blobs; not those for which the examination had nothing left, as the next one may have."""
        records = {blob: _record(declared) for blob, declared in parsed.items() if declared.broken != SPENT}
        self._known |= records
        self._used.update(records)
        self._learned += len(records)

    def save(self) -> None:
        """Write to disk what is new; a cache that can't be written is no trouble."""
        if self._file is None or not self._learned or self._learned < len(self._known) // _WORTH_WRITING:
            return
        kept = self._known
        if len(kept) > _MAX_REMEMBERED:
            kept = {blob: record for blob, record in kept.items() if blob in self._used}
        text = json.dumps({"format": _FORMAT, "blobs": kept}, separators=(",", ":"))
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            draft = f"{self._file}.{os.getpid()}"
            with open(draft, "w", encoding="ascii") as file:
                file.write(text)
            os.replace(draft, self._file)
            self._learned = 0


def memory_for(repository: str, cache: str | os.PathLike[str] | None = None) -> Memory:
    """The memory of one repository, named by its absolute path, in the user's cache directory."""
    root = os.fspath(cache) if cache else _cache_directory()
    if root is None:
        return Memory(None)
    # Two repositories may share a name: what a blob declares is the same everywhere.
    return Memory(os.path.join(root, f"{crc32(os.fsencode(repository)):08x}.json"))


def _cache_directory() -> str | None:
    own = os.environ.get("ONEHEAD_CACHE_DIR")
    if own:
        return os.path.join(own, "parsed")
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return os.path.join(base, "onehead", "parsed")
    home = os.environ.get("HOME")
    return os.path.join(home, ".cache", "onehead", "parsed") if home else None


def _record(declared: Declared) -> list[Any]:
    """What most files say comes first; what most don't say is left out at the end."""
    revision, parents, needs, labels, doc, revises, *rare = declared
    record: list[Any] = [revision, parents, doc, revises]
    return [*record, needs, labels, *rare] if needs or labels or any(rare) else record


def _unpacked(  # noqa: PLR0913, PLR0917 - the record, unpacked
    revision: str | None,
    parents: list[str] | None,
    doc: str,
    revises: list[str] | None,
    depends_on: Collection[str] = (),
    labels: Collection[str] = (),
    dynamic: Collection[list[Any]] = (),
    broken: str = "",
    line: int = 0,
    checked: bool = False,
    refusal: list[Any] | None = None,
) -> Declared:
    return Declared(
        revision,
        None if parents is None else tuple(parents),
        tuple(depends_on),
        tuple(labels),
        doc,
        None if revises is None else tuple(revises),
        tuple(Dynamic(*item) for item in dynamic),
        broken,
        line,
        checked,
        None if refusal is None else Refusal(*refusal),
    )


ReadBlobs = Callable[[Iterable[str]], Contents]
"""Object ids in, contents out; blobs over the size limit are named in `too_large`."""


class Chain(NamedTuple):
    """The revisions of one environment at one tree; `files` is how many files stand where they are."""

    environment: Environment
    graph: Graph
    files: int


class Survey(NamedTuple):
    """What one tree holds: its environments by path, and what of their configuration can't be understood.

    `unloaded`: environment → the revisions in sub-folders of its version directories, which Alembic does not read.
    """

    chains: dict[str, Chain]
    problems: tuple[ConfigProblem, ...]
    unloaded: Mapping[str, tuple[Revision, ...]] = MappingProxyType({})


_SET_IN_CODE = b"version_locations"
"""What code mentions that sets `version_locations` or `recursive_version_locations` by itself."""

MAX_CHECKED = 250_000
"""Words and signs of new files that are read to their end: some 700 migrations as Alembic writes them."""

_LINKS = (SYMLINK, SUBMODULE)
_MAX_LINKS = 2000
"""Links and submodules of one tree that are followed."""

_Outcomes = dict[str, list["Revision | Unreadable"]]
"""Path → what its file declares; both sides' where they conflict as text."""


class TreeReading(NamedTuple):
    """One tree as it was read by itself: path → entry, and the environments as far as this tree alone shows them.

    `files` are the same without what they hold; of another tree where that has the same directories and links.
    `located` is what names and configurations show, `outcomes` what its files declare.
    """

    entries: Mapping[str, Entry]
    files: FileIndex
    located: Located
    outcomes: _Outcomes
    survey: Survey


class Listing(NamedTuple):
    """The files of a tree to read; `rivals` are the other side's files under paths in conflict."""

    entries: Mapping[str, Entry]
    rivals: tuple[Entry, ...] = ()


@examination()
def read_trees(
    listings: Collection[Listing], read: ReadBlobs, memory: Memory, old: TreeReading | None = None
) -> list[TreeReading]:
    """Read the environments of several trees of one repository; what they share is read once.

    `old` is a tree that these are compared with: files that are new beside it are read to their end, for whether Python
    loads them. All others were loaded before.
    """
    distinct: list[Listing] = []
    for listing in listings:
        # A branch that contains its target makes the merge equal to itself.
        if listing not in distinct:
            distinct.append(listing)
    before = {} if old is None else old.outcomes
    places = [_to_read(listing, read, old) for listing in distinct]
    oids = {entry.oid for place in places for entry in place.wanted if _as_before(entry, before) is None}
    known = {item.blob for items in before.values() for item in items}
    declared = _declared(oids, read, memory, set() if old is None else oids - known)
    memory.save()
    readings = [
        _reading(listing, place, _outcomes(place.wanted, declared, before), old)
        for listing, place in zip(distinct, places, strict=True)
    ]
    return [readings[distinct.index(listing)] for listing in listings]


class _ToRead(NamedTuple):
    """Where the revisions of a tree are.

    Where it differs from the old one in nothing but files that may hold one, `wanted` are those that differ, and `gone`
    the old ones that it lacks; elsewhere `wanted` are all, and `gone` is `None`.
    """

    files: FileIndex
    located: Located
    wanted: list[Entry]
    gone: Collection[str] | None = None


def _to_read(listing: Listing, read: ReadBlobs, old: TreeReading | None) -> _ToRead:
    if old is not None:
        entries = listing.entries
        if isinstance(entries, Differing) and not listing.rivals and only_revisions_differ(entries, old):
            return _ToRead(old.files, old.located, [*entries.changed.values()], entries.gone)
    configs, links = _config_entries(listing, read), _links(listing)
    wanted = [*[*configs.values()][:MAX_CONFIGS], *links]
    contents = read({entry.oid for entry in wanted if entry.mode != SUBMODULE}).data
    files = FileIndex(listing.entries, {link.path: _text(contents.get(link.oid)) for link in links})
    found = locate(files, {path: contents.get(entry.oid) for path, entry in configs.items()})
    # What Alembic would load: where neither the configuration nor code beside it speaks, no sub-folder.
    code = {path: _code(listing.entries, modules, read) for path, modules in found.modules.items()}
    found = found.pinned([path for path, texts in code.items() if sets_directories(texts)])
    return _ToRead(files, found, _unlinked(listing, _revision_files(listing, files, found), read))


def only_revisions_differ(entries: Differing, old: TreeReading) -> bool:
    """Whether a tree differs from the old one in nothing but files beside revisions that stay.

    Then its names and configurations show the same environments. Most branches are like that, and hundreds of them are
    judged against one target.
    """
    places = [place for environment in old.located.environments for place in environment.locations]
    folders = {place.path for place in places if place.path in old.files.folders}
    folders -= {posixpath.dirname(path) for modules in old.located.modules.values() for path in modules}
    folders -= {posixpath.dirname(link) for link in old.files.links}
    names = [path.rpartition("/") for path in (*entries.changed, *entries.gone)]
    return (
        entries.base is old.entries
        and all(place.recursive is not None for place in places)
        and all(folder in folders and is_revision_file(name) and name != "env.py" for folder, _, name in names)
        and not any(entry.mode in _LINKS for entry in entries.changed.values())
        and not any(entries.gone.issuperset(old.files.folders[folder]) for folder in {name[0] for name in names})
    )


def _reading(listing: Listing, places: _ToRead, outcomes: _Outcomes, old: TreeReading | None) -> TreeReading:
    found = places.located
    if old is not None and places.gone is not None:
        chains = {path: _changed(chain, outcomes, places.gone) for path, chain in old.survey.chains.items()}
        whole = {path: items for path, items in {**old.outcomes, **outcomes}.items() if path not in places.gone}
        seen = old.survey._replace(chains=chains)
    else:
        blocked = {place.blocked for environment in found.environments for place in environment.locations}
        unreachable: _Outcomes = {path: [_unreachable(listing.entries[path])] for path in sorted(filter(None, blocked))}
        whole = outcomes | unreachable
        seen = _assemble(found, places.files, whole)
    return TreeReading(listing.entries, places.files, found, whole, seen)


def _changed(chain: Chain, outcomes: _Outcomes, gone: Collection[str]) -> Chain:
    """The chain with what some files, new ones or others, declare in its directories."""
    folders = {place.path for place in chain.environment.locations}
    own = {path: outcomes.get(path, []) for path in (*outcomes, *gone) if posixpath.dirname(path) in folders}
    if not own:
        return chain
    kept = [item for item in (*chain.graph, *chain.graph.unreadable) if item.path not in own]
    return _chain(chain.environment, [*kept, *(item for items in own.values() for item in items)])


def code_near(entries: Mapping[str, Entry], environment: Environment, read: ReadBlobs) -> list[bytes]:
    """The Python code beside an environment, which may configure it as well."""
    return _code(entries, modules_near(FileIndex(entries), environment), read)


def sets_directories(code: Iterable[bytes]) -> bool:
    """Whether code may give an environment other directories than its configuration does."""
    return any(_SET_IN_CODE in text for text in code)


def _code(entries: Mapping[str, Entry], modules: Iterable[str], read: ReadBlobs) -> list[bytes]:
    found = [entries[path] for path in modules if path in entries]
    return [*read({entry.oid for entry in found if entry.mode not in _LINKS}).data.values()]


def _links(listing: Listing) -> list[Entry]:
    """The links and submodules that may lie on the way to a version directory."""
    linked = (entry for entry in listing.entries.values() if entry.mode in _LINKS)
    return [entry for entry in linked if not is_vendored(entry.path)][:_MAX_LINKS]


def _text(link: bytes | None) -> str | None:
    """Where a link leads; `None` for a submodule, which leads nowhere."""
    return None if link is None else link.decode("utf-8", "surrogateescape")


def _unreachable(entry: Entry) -> Unreadable:
    reason = (
        "it is a submodule, so the revisions in it are not part of this repository and were not read"
        if entry.mode == SUBMODULE
        else "it is a link to no directory of this repository, so the revisions in it were not read"
    )
    return Unreadable(entry.path, entry.oid, 0, reason, None, "unreachable")


def _config_entries(listing: Listing, read: ReadBlobs) -> dict[str, Entry]:
    """Files that may declare environments. A link is a configuration of its own: it works from where it stands."""
    entries = {path: listing.entries[path] for path in config_paths(listing.entries)}
    entries |= _followed(listing, entries.values(), read)
    return {path: entry for path, entry in entries.items() if entry.mode != SUBMODULE}


def _revision_files(listing: Listing, files: FileIndex, found: Located) -> list[Entry]:
    # Sub-folders that Alembic does not read as well: whoever put a revision there should know.
    paths = {path for environment in found.environments for path in files.files_of(environment.widened())}
    paths.update(path for folder in found.candidates for path in files.folders[folder])
    paths -= {place.blocked for environment in found.environments for place in environment.locations}
    entries = [listing.entries[path] for path in sorted(paths)]
    return [entry for entry in (*entries, *listing.rivals) if entry.mode != SUBMODULE and entry.path in paths]


def _unlinked(listing: Listing, wanted: list[Entry], read: ReadBlobs) -> list[Entry]:
    """The same with symbolic links replaced by the files they stand for.

    Alembic drops what it reaches twice, so a link to another revision file of the tree goes; one that leads out of
    the repository stays as it is and is reported as unreadable.
    """
    followed = _followed(listing, wanted, read)
    if not followed:
        return wanted
    blobs = {entry.oid for entry in wanted if entry.mode != SYMLINK}
    return [
        followed.get(entry.path, entry)
        for entry in wanted
        if entry.path not in followed or followed[entry.path].oid not in blobs
    ]


def _followed(listing: Listing, entries: Collection[Entry], read: ReadBlobs) -> dict[str, Entry]:
    """Path of a symbolic link → an entry under that path with the content of the file it leads to in this tree."""
    links = [entry for entry in entries if entry.mode == SYMLINK]
    if not links:
        return {}
    texts = read({link.oid for link in links}).data
    found = {}
    for link in links:
        text = texts.get(link.oid, b"").decode("utf-8", "surrogateescape")
        there = listing.entries.get(posixpath.normpath(posixpath.join(posixpath.dirname(link.path), text)))
        if there is not None and there.mode not in _LINKS:
            found[link.path] = Entry(link.path, there.mode, there.oid)
    return found


def _declared(oids: Collection[str], read: ReadBlobs, memory: Memory, new: Collection[str]) -> dict[str, Declared]:
    known = memory.recall(oids)
    contents = read([oid for oid in oids if oid not in known or (oid in new and not known[oid].checked)])
    left = MAX_CHECKED
    # In one order always: which ones are left when the examination has parsed all that it may must be no accident.
    for oid in sorted(contents.data):
        data = contents.data[oid]
        declared = known.get(oid) or parse(data)
        if oid in new:
            left -= pieces(data) if left > 0 else 0
            declared = check(declared, data) if left > 0 else declared
        known[oid] = declared
    memory.learn({oid: known[oid] for oid in contents.data})
    for oid in contents.too_large:
        known[oid] = Declared(broken=f"it is larger than {MAX_BYTES // (1024 * 1024)} MiB, so it was not read")
    return known


def _as_before(entry: Entry, old: _Outcomes) -> Revision | None:
    """The revision that a file of the old tree declares, where the same one stands under the same path."""
    for each in old.get(entry.path, ()):
        if each.blob == entry.oid and isinstance(each, Revision):
            return each
    return None


def _outcomes(entries: list[Entry], declared: Mapping[str, Declared], old: _Outcomes) -> _Outcomes:
    """What every file is.

    Where both sides have a file under one path, in conflict, and it declares the same id on both, it is one revision
    whatever a person makes of it (a migration that was carried over by hand is like that); the target's side, which
    comes first, counts.
    """
    outcomes: _Outcomes = {}
    for entry in entries:
        outcome = (old and _as_before(entry, old)) or revision_of(entry.path, entry.oid, declared[entry.oid])
        known = outcomes.setdefault(entry.path, [])
        if not known or all(outcome.id != other.id for other in known):
            known.append(outcome)
    return outcomes


def _assemble(found: Located, files: FileIndex, outcomes: _Outcomes) -> Survey:
    def declared(environment: Environment) -> list[Revision | Unreadable]:
        return [item for path in files.files_of(environment) for item in outcomes.get(path, ())]

    settled: list[Environment] = []
    inside: set[str] = set()
    for environment in found.environments:
        items = declared(environment)
        inside.update(item.path for item in items)
        settled += settle(environment, items).environments
    unloaded: dict[str, tuple[Revision, ...]] = {}
    for environment in settled:
        below = [item for item in declared(environment.widened()) if item.path not in inside]
        inside.update(item.path for item in below)
        unloaded[environment.path] = tuple(item for item in below if isinstance(item, Revision))
    beside = (item for path in sorted(outcomes.keys() - inside) for item in outcomes[path])
    # Many a program has a variable `revision`: what lies outside of all environments has to look like one.
    settled += unconfigured(item for item in beside if isinstance(item, Revision) or item.kind == "dynamic")
    chains = {environment.path: _chain(environment, declared(environment)) for environment in settled}
    return Survey(chains, found.problems, {path: items for path, items in unloaded.items() if items})


def survey(readings: Sequence[TreeReading]) -> list[Survey]:
    """The environments of compared trees: what one tree makes an environment is one in the others too."""
    guessed = {
        chain.environment.path: chain.environment
        for reading in readings
        for chain in reading.survey.chains.values()
        if not chain.environment.certain
    }
    result = []
    for reading in readings:
        known, outcomes = reading.survey.chains, reading.outcomes
        taken = {place.path for chain in known.values() for place in chain.environment.locations}
        missing = [e for path, e in guessed.items() if path not in known and path not in taken]
        tree = FileIndex(outcomes if missing else ())
        more = {e.path: _chain(e, [item for path in tree.files_of(e) for item in outcomes[path]]) for e in missing}
        result.append(reading.survey._replace(chains=known | {p: chain for p, chain in more.items() if chain.files}))
    return result


def _chain(environment: Environment, items: Iterable[Revision | Unreadable]) -> Chain:
    revisions, unreadable = [], []
    for item in items:
        if isinstance(item, Revision):
            revisions.append(item)
        # Where the files alone made an environment, what is no revision is just another module beside them.
        elif environment.certain or item.kind != "not-a-revision":
            unreadable.append(item)
    return Chain(environment, Graph(revisions, unreadable), len(revisions) + len(unreadable))
