"""The files of one commit, and their content, without a work tree."""

# pathlib takes 6 ms to load, and this runs before every verdict.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import filterfalse
from typing import TYPE_CHECKING, NamedTuple

from onehead.gitrepo.git import BlobTooLarge, conversation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from onehead.gitrepo.git import Git, Objects

SYMLINK = "120000"
SUBMODULE = "160000"
_DIRECTORY = "040000"

_RECORD = re.compile(r"([0-7]{6}) [a-z]+ ([0-9a-f]+)\t([^\0]+)\0")
_COMMIT = re.compile(rb"tree ([0-9a-f]+)\n")
_SHA1_RECORD, _SHA256_RECORD = (
    re.compile(rb"(?:40000|100644|100755|120000|160000) [^\0]+\0.{%d}" % size, re.DOTALL) for size in (20, 32)
)
"""What a tree object holds, in the modes that git writes today."""

_MAX_HEADER = 32
"""Bytes in a loose object before its content."""
_LOOSE_BLOB = re.compile(rb"blob ([0-9]{1,18})")

DEFAULT_LIMIT = 1 << 20
"""Bytes of the largest file that is read."""


class Entry(NamedTuple):
    """One file of a tree.

    A tuple, because a repository has tens of thousands, and frozen dataclasses take twice as long to make. Undecodable
    bytes of the path are surrogate-escaped. The mode is git's six octal digits: `100644`, `100755`, `120000` (a
    symlink; its content is where it points to) or `160000` (a submodule; there is no content to read).
    """

    path: str
    mode: str
    oid: str


class Differing(Mapping[str, Entry]):
    """A listing told by how it differs from another one: as small as the difference, however large the repository.

    Hundreds of branches are judged against one target in one run, and each needs two listings.
    """

    __slots__ = ("_size", "base", "changed", "gone")

    def __init__(self, base: Mapping[str, Entry], changed: dict[str, Entry], gone: Collection[str] = ()) -> None:
        """Tell it; the base must not change any more."""
        self.base = base
        self.changed = changed
        self.gone = {path for path in gone if path in base and path not in changed}
        self._size = len(base) - len(self.gone) + sum(path not in base for path in changed)

    def __getitem__(self, path: str) -> Entry:
        found = self.changed.get(path)
        if found is not None:
            return found
        if path in self.gone:
            raise KeyError(path)
        return self.base[path]

    def __iter__(self) -> Iterator[str]:
        hidden = self.gone | (self.changed.keys() & self.base.keys())
        yield from filterfalse(hidden.__contains__, self.base) if hidden else self.base
        yield from self.changed

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Differing) and other.base is self.base:
            return (self.changed, self.gone) == (other.changed, other.gone)
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


class Tree(NamedTuple):
    """The files of a commit or tree, by path."""

    treeish: str
    entries: Mapping[str, Entry]


class Contents(NamedTuple):
    """Object id → content, and object id → size in bytes of each that exceeds the limit and was not read.

    Of a file that was left out of a mirror, the size is the least that it has.
    """

    data: dict[str, bytes]
    too_large: dict[str, int]


def list_tree(git: Git, treeish: str) -> Tree:
    """List the files of a commit or tree."""
    return Tree(treeish, parse_listing(git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", treeish)))


def difference(git: Git, known: Tree, treeish: str) -> Differing:
    """List another commit or tree by what differs from one that is fully listed already.

    As cheap as the difference is small, where `list_tree` costs as much as the repository is large.
    """
    found = changes(git, known.treeish, treeish)
    changed = {path: entry for path, entry in found.items() if entry is not None}
    return Differing(known.entries, changed, found.keys() - changed.keys())


def changes(git: Git, old: str, new: str) -> dict[str, Entry | None]:
    """Path → what it is in a new commit or tree, for each that is not so in an old one; `None`: it is gone."""
    if git.kept_open is not None:
        found = _changes(git.kept_open, old, new)
        if found is not None:
            return found
    out = git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--end-of-options", old, new)
    fields = out.decode("utf-8", "surrogateescape").split("\0")
    found = {}
    for about, path in zip(fields[:-1:2], fields[1::2], strict=True):
        _, mode, _, oid, status = about.split(" ")
        found[path] = None if status == "D" else Entry(path, mode, oid)
    return found


def folders_of(paths: Iterable[str]) -> set[str]:
    """All directories that some paths lie in, the top not counted."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


_MAX_COMPARED = 1000
"""Directories and files that are compared here; what differs in more is git's business, and so are odd trees."""


def _changes(conversation: Objects, old: str, new: str) -> dict[str, Entry | None] | None:
    """The same from a conversation that is open already: of two large trees only what differs is looked at."""
    found: dict[str, Entry | None] = {}
    with conversation as objects:
        before, after = tree_of(objects, old), tree_of(objects, new)
        if before is None or after is None:
            return None
        todo = [("", before, after)]
        for folder, *sides in todo:  # grows while it is walked
            if len(todo) + len(found) > _MAX_COMPARED:
                return None
            trees = objects.history(filter(None, sides))
            one, other = (_records(trees, oid) for oid in sides)
            if one is None or other is None:
                return None
            gone, come = _named(one - other), _named(other - one)
            for name in gone.keys() | come.keys():
                entries = [side.get(name) for side in (gone, come)]
                was_folder, is_folder = (each.oid if each and each.mode == _DIRECTORY else "" for each in entries)
                if was_folder or is_folder:
                    todo.append((f"{folder}{name}/", was_folder, is_folder))
                was, is_now = (each if each and each.mode != _DIRECTORY else None for each in entries)
                if was or is_now:
                    found[folder + name] = is_now and is_now._replace(path=folder + name)
    return dict(sorted(found.items()))


_MAX_TREES = 64
"""Directories that are read at once: each may have `MAX_REMEMBERED_OBJECT` bytes."""
_MAX_PATH = 4096
"""Bytes; no operating system takes a longer path, and a directory may name so many others that its paths never end."""


def files_in(git: Git, commits: Collection[str], most: int) -> set[Entry] | None:
    """The files of several commits; what several have under one path is there once.

    `None` where there are more than so many, directories included, and of trees that it takes git to read. A few
    trees that name each other stand for more files than any disk holds.
    """
    found: set[Entry] = set()
    with conversation(git) as objects:
        roots = {tree_of(objects, commit) for commit in commits}
        todo = [("", root) for root in roots if root is not None]
        if len(todo) < len(roots):
            return None
        known, start = set(todo), 0
        while batch := todo[start : start + _MAX_TREES]:
            start += len(batch)
            trees = objects.history(oid for _, oid in batch)
            for folder, oid in batch:
                records = _records(trees, oid)
                if records is None or len(folder) > _MAX_PATH:
                    return None
                for name, entry in _named(records).items():
                    below = (f"{folder}{name}/", entry.oid)
                    if entry.mode != _DIRECTORY:
                        found.add(entry._replace(path=folder + name))
                    elif below not in known:
                        known.add(below)
                        todo.append(below)
            if len(found) + len(known) > most:
                return None
    return found


def tree_of(objects: Objects, treeish: str) -> str | None:
    """The tree of a commit, or the one that is named; `None` where it takes git to tell."""
    kind, data = objects.history([treeish]).get(treeish, ("", b""))
    header = _COMMIT.match(data) if kind == "commit" else None
    if header is not None:
        return header[1].decode("ascii")
    return treeish if kind == "tree" else None


def _records(trees: Mapping[str, tuple[str, bytes]], oid: str) -> set[bytes] | None:
    """What a tree holds, as it stands there; `None` of one that is too large, or not written as git writes them."""
    if not oid:
        return set()
    kind, data = trees.get(oid, ("", b""))
    records = (_SHA256_RECORD if len(oid) == 64 else _SHA1_RECORD).findall(data)
    return set(records) if kind == "tree" and sum(map(len, records)) == len(data) else None


def _named(records: Iterable[bytes]) -> dict[str, Entry]:
    """Name → entry under that name alone."""
    found = {}
    for record in records:
        about, _, oid = record.partition(b"\0")
        mode, name = about.decode("utf-8", "surrogateescape").split(" ", 1)
        found[name] = Entry(name, mode.zfill(6), oid.hex())
    return found


def parse_listing(out: bytes) -> dict[str, Entry]:
    """Read the output of `ls-tree -r -z`: path → entry."""
    return {path: Entry(path, mode, oid) for mode, oid, path in _RECORD.findall(out.decode("utf-8", "surrogateescape"))}


def read(git: Git, oids: Iterable[str], limit: int = DEFAULT_LIMIT) -> Contents:
    """Read blobs through one git process, each once, however often it is named; larger ones than `limit` bytes are not.

    Raises:
        MissingObjects: a blob is not there (partial clone, damage).
    """
    wanted = dict.fromkeys(oids)
    found: dict[str, bytes | BlobTooLarge] = dict(_loose(git.directory, wanted, limit))
    left = [oid for oid in wanted if oid not in found]
    if left:
        with conversation(git) as objects:
            found.update(objects.contents(left, limit, of_files=True))
    return sorted_out(found)


def sorted_out(found: Mapping[str, bytes | BlobTooLarge]) -> Contents:
    """What was read, and what was too large, apart."""
    data = {oid: content for oid, content in found.items() if not isinstance(content, BlobTooLarge)}
    return Contents(data, {oid: content.size for oid, content in found.items() if isinstance(content, BlobTooLarge)})


def _loose(directory: str, oids: Iterable[str], limit: int) -> Iterator[tuple[str, bytes]]:
    """The blobs that lie in files of their own, as those of a fresh commit do: git takes six times as long for them.

    Whatever is not as git writes it is left to git, and so is all that a repository keeps in another place.
    """
    stores = (os.path.join(directory, *place) for place in (("objects",), (".git", "objects")))
    store = next(filter(os.path.isdir, stores), None)
    folders = set(os.listdir(store)) if store else set()
    there: dict[str, set[str]] = {}
    for oid in oids:
        folder, name = oid[:2], oid[2:]
        if store is None or folder not in folders:
            continue
        if folder not in there:
            there[folder] = set(os.listdir(os.path.join(store, folder)))
        if name in there[folder]:
            with suppress(OSError, ValueError):
                content = loose_blob(os.path.join(store, folder, name), limit)
                if not isinstance(content, BlobTooLarge):
                    yield oid, content


def loose_blob(path: str, limit: int) -> bytes | BlobTooLarge:
    """The blob in a file of its own.

    Raises:
        OSError, ValueError: it is no such file.
    """
    import zlib  # noqa: PLC0415 - few repositories have such files

    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # What can't be compressed is a little longer than its content.
        packed = os.read(file, min(os.fstat(file).st_size, limit + limit // 1000 + 1024))
    finally:
        os.close(file)
    reader = zlib.decompressobj()
    try:
        header, _, data = reader.decompress(packed, limit + _MAX_HEADER).partition(b"\0")
    except zlib.error as error:
        raise ValueError(path) from error
    named = _LOOSE_BLOB.fullmatch(header)
    if named is not None and int(named[1]) > limit:
        return BlobTooLarge(int(named[1]))
    if named is None or not reader.eof or int(named[1]) != len(data):
        raise ValueError(path)
    return data
