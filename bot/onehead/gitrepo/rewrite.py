"""Change files of a person's work tree, who may be editing them: all of them, each as a whole, or none at all.

Nothing that git does not hold may be lost here: a file is replaced only while it still is what the change was worked
out from, and none is ever written over. The index is left alone.

Where it ends half-way, what was done is undone. A process that is killed undoes nothing, so the last file is written
first: revisions whose new parent is not there yet are an error that everybody sees, while a revision that has lost its
own parent's id to somebody else's would pass for one that follows theirs.
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

_AGAIN = "Run the command again. If it says the same, run it without `--write`: it shows what to change by hand."


class NotRewritten(OneheadError):
    """A file that was left as it is, and why."""

    exit_code = 1

    def __init__(self, path: str, reason: str, done: Sequence[str] = ()) -> None:
        self.path = path
        self.reason = reason
        already = f" Written, and not undone: {', '.join(done)}." if done else " Nothing was written."
        super().__init__(f"`{path}` {reason}, so it was left as it is.{already}", _AGAIN)


class _Draft(NamedTuple):
    """A new content, waiting beside the file that it is to replace; `seen` is that file, and `made` the new one."""

    change: FileChange
    old: Path
    new: Path
    waiting: Path
    seen: os.stat_result
    made: os.stat_result
    content: bytes


def rewrite(top: Path, changes: Sequence[FileChange], before: Mapping[str, bytes]) -> None:
    r"""Give files of a work tree other contents, and other names.

    `before` is what git has of each, by path: a file may also hold that with `\r\n` for each `\n`, as git writes it
    where it is told to, and gets its new content in the same way. Modes stay.

    Raises:
        NotRewritten: a file is not what it was, no ordinary file, or can't be written.
    """
    drafts: list[_Draft] = []
    begun: list[_Draft] = []
    try:
        for change in changes:
            with _told(change.path):
                drafts.append(_draft(top, change, before.get(change.path)))
        for draft in reversed(drafts):
            begun.append(draft)
            with _told(draft.change.path):
                _put(draft)
    except BaseException as error:
        left = [draft.change.path for draft in reversed(begun) if not _undone(draft)]
        if isinstance(error, NotRewritten) and (left := [path for path in left if path != error.path]):
            raise NotRewritten(error.path, error.reason, left) from error
        raise
    finally:
        for draft in drafts:
            with suppress(OSError):
                draft.waiting.unlink()


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turns what the system refuses into what a person reads."""
    try:
        yield
    except _Obstacle as obstacle:
        raise NotRewritten(path, str(obstacle)) from None
    except FileNotFoundError as error:
        raise NotRewritten(path, "is not in the work tree (`git sparse-checkout add` brings its folder)") from error
    except OSError as error:
        raise NotRewritten(path, f"can't be changed ({error.strerror})") from error


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
    waiting, made = _written(new.parent, data, seen)
    return _Draft(change, old, new, waiting, seen, made, content)


def _written(folder: Path, data: bytes, like: os.stat_result) -> tuple[Path, os.stat_result]:
    """A new file with a name of its own and the mode of another."""
    handle, name = tempfile.mkstemp(".tmp", ".onehead-", folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, stat.S_IMODE(like.st_mode))
            os.fsync(handle)
            return Path(name), os.fstat(handle)
    except BaseException:
        Path(name).unlink()
        raise


def _put(draft: _Draft) -> None:
    now = draft.old.lstat()
    if _identity(now) != _identity(draft.seen) or draft.old.read_bytes() != draft.content:
        raise _Obstacle("has changed meanwhile")
    draft.waiting.replace(draft.old)
    if draft.new == draft.old:
        return
    try:
        # Under both names it is one revision twice, and never two.
        os.link(draft.old, draft.new)
    except FileExistsError:
        raise _Obstacle(f"would become `{draft.change.new_path}`, which exists already") from None
    draft.old.unlink()


def _undone(draft: _Draft) -> bool:
    """Give a file its old content and name back, as far as nobody else has changed it; whether it has them."""
    try:
        places = [place for place in dict.fromkeys((draft.old, draft.new)) if _is(place, draft.made)]
        if not places:
            return _is(draft.old, draft.seen)
        back, _ = _written(draft.old.parent, draft.content, draft.seen)
        try:
            if draft.old in places:
                back.replace(draft.old)
            else:
                os.link(back, draft.old)
        finally:
            back.unlink(missing_ok=True)
        if draft.new != draft.old and draft.new in places:
            draft.new.unlink()
    except OSError:
        return False
    return True


def _is(place: Path, seen: os.stat_result) -> bool:
    return os.path.lexists(place) and _identity(place.lstat()) == _identity(seen)


def _identity(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
