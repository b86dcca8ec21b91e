"""Folders in the system's directory for temporary files that go away, also after the process that made one was killed.

Whoever uses such a folder holds a lock on it, which ends with the process, however that ends. So a folder that nobody
holds is left over, and the next process that makes one removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_OURS = re.compile(r"onehead-(?:canary|merge|pg|probe|refs|verify)-[a-z0-9_]+")


@contextmanager
def throwaway(kind: str) -> Iterator[Path]:
    """A fresh folder, readable by nobody else, and gone afterwards; its kind is one of those that `_OURS` names."""
    remove_left_over(tempfile.gettempdir())
    folder, lock = _made(f"onehead-{kind}-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@cache
def remove_left_over(directory: str) -> None:
    """Remove what processes of this account have left there when they were killed. Once per process is enough.

    Nothing that goes wrong here is a reason not to do what the folder is for.
    """
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_free(entry.path)


def _made(prefix: str) -> tuple[Path, int]:
    """A new folder and the lock on it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # it was taken for left over
            continue
        # Shared: that is all it takes to keep others from an exclusive one, and NFS gives no other for a directory.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.path.samestat(folder.stat(), os.fstat(lock)):
                return folder, lock
        os.close(lock)  # the same, before it was locked


def _remove_if_free(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid == os.geteuid():
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(folder)
