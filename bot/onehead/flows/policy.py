"""The policy of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onehead.flows.reading import ReadBlobs
from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Entry, parse_listing, read
from onehead.plan.policy import FILES, PolicyRead, read_policy_files

_LARGEST = 1024 * 1024
"""Bytes; a configuration of this size is none."""
_DIRECTORY = "040000"


def read_policy(git: Git, sha: str) -> PolicyRead:
    """What a commit says that its repository wants.

    Raises:
        OneheadError: there is no such commit.
    """
    entries = parse_listing(git.run("ls-tree", "-z", "--full-tree", "--end-of-options", sha, *FILES))
    return policies_in([entries], lambda oids: read(git, oids, _LARGEST))[0]


def policies_in(trees: Sequence[Mapping[str, Entry]], read_blobs: ReadBlobs) -> list[PolicyRead]:
    """The policies of trees whose listing is known, read at once."""
    found = [{path: tree[path] for path in FILES if path in tree} for tree in trees]
    oids = {entry.oid for entries in found for entry in entries.values() if _is_file(entry)}
    data = read_blobs(oids).data if oids else {}
    return [_policy(entries, data) for entries in found]


def _policy(entries: Mapping[str, Entry], data: Mapping[str, bytes]) -> PolicyRead:
    """A link is not followed: what it stands for may lie outside of what the target's people look at."""
    plain = {path: entry.oid for path, entry in entries.items() if _is_file(entry)}
    unread = {path: "is too large" for path, oid in plain.items() if oid not in data}
    unread |= {path: "is a symbolic link" for path, entry in entries.items() if entry.mode == SYMLINK}
    return read_policy_files({path: data[oid] for path, oid in plain.items() if oid in data}, unread)


def _is_file(entry: Entry) -> bool:
    return entry.mode not in (SYMLINK, SUBMODULE, _DIRECTORY)
