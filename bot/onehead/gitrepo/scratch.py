"""A throw-away repository that sees the objects of a real one.

Merging inside it has two effects that no option of git gives. Nothing is left behind: the trees and blobs a merge
writes land in a directory that is deleted. And nothing interferes: merge drivers, attributes, rename limits and
promisor remotes of a person's configuration don't exist there, so everybody gets the same verdict, and a merge driver
(a program) is never run.
"""

from __future__ import annotations

import os
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onehead.throwaway import throwaway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onehead.gitrepo.command import Git

_CONFIG = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = {}\n"


class Scratch:
    """Where a merge happens: `git` is the door to it, for objects of `git` and of the real repository."""

    def __init__(self, git: Git, written: Path) -> None:
        self.git = git
        self._written = written

    def new_blob(self, oid: str, limit: int) -> tuple[int, bytes | None] | None:
        """Size and content of a blob that was written here; no content above `limit` bytes; `None` if not ours."""
        try:
            packed = (self._written / oid[:2] / oid[2:]).read_bytes()
        except FileNotFoundError:
            return None
        # A loose object is a zlib stream of "TYPE SIZE\0CONTENT".
        raw = zlib.decompressobj().decompress(packed, limit + 64)
        header, _, data = raw.partition(b"\0")
        kind, size = header.split(b" ")
        if kind != b"blob":
            return None
        return int(size), data if int(size) <= limit else None


@contextmanager
def scratch(git: Git, commit: str, *, keep: bool) -> Iterator[Scratch]:
    """Open a throw-away repository beside a real one.

    Args:
        git: the real repository; in a pre-receive hook its quarantined objects are seen too.
        commit: SHA of a commit of the real repository; its length tells in which format objects are named.
        keep: write new objects into the real repository.

    Raises:
        OneheadError: there is no repository.
    """
    objects, shallow = map(Path, git.places())
    with throwaway("merge") as top:
        (top / "objects").mkdir()
        (top / "refs").mkdir()
        (top / "HEAD").write_text("ref: refs/heads/none\n")
        (top / "config").write_text(_CONFIG.format("sha256" if len(commit) == 64 else "sha1"))
        if shallow.exists():
            shutil.copyfile(shallow, top / "shallow")
        others = [_quoted(objects), *filter(None, [git.environment().get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")])]
        inside = git.variant(
            environment={
                "GIT_DIR": str(top),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_OBJECT_DIRECTORY": str(objects if keep else top / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(others),
            }
        )
        yield Scratch(inside, top / "objects")


def _quoted(path: Path) -> str:
    """A path for git's colon-separated list, in which a quoted entry may hold colons."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
