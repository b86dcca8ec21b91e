"""Change files of a person's work tree, who may be editing them: each as a whole, or not at all.

Nothing that git does not hold may be lost here: a file is replaced only while it still is what the change was worked
out from, and none is ever written over. The index is left alone.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from onehead.errors import OneheadError
from onehead.revisions.model import FileChange


class NotRewritten(OneheadError):
    """A file that was left as it is, and why."""

    exit_code = 1

    def __init__(self, path: str, reason: str, done: Sequence[str] = ()) -> None:
        already = f" Written before that: {', '.join(done)}." if done else " Nothing was written."
        super().__init__(f"`{path}` {reason}, so it was left as it is.{already}", "Run the command again.")


class _Draft(NamedTuple):
    """A new content, waiting beside the file that it is to replace."""

    change: FileChange
    old: Path
    new: Path
    waiting: Path
    seen: os.stat_result
    content: bytes


def rewrite(top: Path, changes: Sequence[FileChange], before: Mapping[str, bytes]) -> None:
    r"""Give files of a work tree other contents, and other names.

    `before` is what git has of each, by path: a file may also hold that with `\r\n` for each `\n`, as git writes it
    where it is told to, and gets its new content in the same way. Modes stay.

    Raises:
        NotRewritten: a file is not what it was, no ordinary file, or can't be written.
    """
    drafts: list[_Draft] = []
    done: list[str] = []
    try:
        for change in changes:
            with _told(change.path):
                drafts.append(_draft(top, change, before.get(change.path)))
        for draft in drafts:
            with _told(draft.change.path, tuple(done)):
                _put(draft)
            done.append(draft.change.path)
    finally:
        for draft in drafts:
            with suppress(OSError):
                draft.waiting.unlink()


@contextmanager
def _told(path: str, done: Sequence[str] = ()) -> Iterator[None]:
    """Turns what the system refuses into what a person reads."""
    try:
        yield
    except _Obstacle as obstacle:
        raise NotRewritten(path, str(obstacle), done) from None
    except OSError as error:
        raise NotRewritten(path, f"can't be changed ({error.strerror})", done) from error


class _Obstacle(Exception):
    """Why a file is not touched; goes on after its name."""


def _draft(top: Path, change: FileChange, before: bytes | None) -> _Draft:
    old = top / change.path
    new = top / (change.new_path or change.path)
    if change.data is None or before is None:
        raise _Obstacle("would be deleted or created, which only you should do")
    for folder in {old.parent, new.parent}:
        if folder.resolve() != top.resolve() / folder.relative_to(top):
            raise _Obstacle("lies behind a symbolic link")
    seen = old.lstat()
    if not stat.S_ISREG(seen.st_mode):
        raise _Obstacle("is a symbolic link" if stat.S_ISLNK(seen.st_mode) else "is no ordinary file")
    content = old.read_bytes()
    data = change.data
    if content != before:
        if b"\r" in before or content != before.replace(b"\n", b"\r\n"):
            raise _Obstacle("is not what was read: it has changed meanwhile, or git stores it in another form")
        data = data.replace(b"\n", b"\r\n")
    if new != old and os.path.lexists(new):
        raise _Obstacle(f"would become `{change.new_path}`, which exists already")
    handle, name = tempfile.mkstemp(".tmp", ".onehead-", new.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, stat.S_IMODE(seen.st_mode))
            os.fsync(handle)
    except BaseException:
        Path(name).unlink()
        raise
    return _Draft(change, old, new, Path(name), seen, content)


def _put(draft: _Draft) -> None:
    now = draft.old.lstat()
    if _identity(now) != _identity(draft.seen) or draft.old.read_bytes() != draft.content:
        raise _Obstacle("has changed meanwhile")
    if draft.new == draft.old:
        draft.waiting.replace(draft.old)
        return
    try:
        os.link(draft.waiting, draft.new)
    except FileExistsError:
        raise _Obstacle(f"would become `{draft.change.new_path}`, which exists already") from None
    draft.old.unlink()


def _identity(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
