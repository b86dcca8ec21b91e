"""How much mirrors may take on the disk, and in which order they give way."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_SIZE = 0.8
"""What mirrors may take: this share of what they take already and what is free beside them."""


class StoredMirror(NamedTuple):
    """A mirror on the disk: when it was last held, in nanoseconds (0: nobody knows), and how many bytes it takes."""

    name: str
    used: int
    size: int


def limit_of(size: float, taken: int, free: int) -> int:
    """How many bytes mirrors may take, which take so many now: a number of bytes, or a share (see `DEFAULT_SIZE`)."""
    return size if isinstance(size, int) else int(size * (taken + free))


def evict(mirrors: Iterable[StoredMirror], limit: int, remove: Callable[[StoredMirror], bool]) -> list[StoredMirror]:
    """Let mirrors give way, the one that was not used for longest first, until the rest fits; those that did.

    `remove` says whether one could be removed: one that is in use can't.
    """
    ordered = sorted(mirrors, key=lambda mirror: (mirror.used, mirror.name))
    taken = sum(mirror.size for mirror in ordered)
    gone = []
    for mirror in ordered:
        if taken <= limit:
            break
        if remove(mirror):
            gone.append(mirror)
            taken -= mirror.size
    return gone


def size_of(folder: str) -> int:
    """Bytes that a folder takes on the disk; what vanishes meanwhile counts for nothing."""
    size = 0
    with suppress(OSError):
        size += os.stat(folder).st_blocks * 512  # noqa: PTH116 - thousands of mirrors have a quarter million files
        with os.scandir(folder) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    size += size_of(item.path)
                else:
                    with suppress(OSError):
                        size += item.stat(follow_symlinks=False).st_blocks * 512
    return size
