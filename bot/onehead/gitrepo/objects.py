"""A conversation with one `git cat-file` process: what is behind a name, and what is in it.

Asking costs microseconds, starting git costs milliseconds; so whoever has more than one question asks them here, and
who judges hundreds of branches keeps one conversation open for all of them (`kept_open`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from onehead.gitrepo.command import Git, end
from onehead.gitrepo.errors import GitFailed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

_AT_ONCE = 512
"""Questions per round. Git holds its answers back until the round is complete (`--buffer`, `flush`), so however long
they are, neither side ever waits for the other to empty a pipe."""


class Info(NamedTuple):
    """An object: its id, its type (`blob`, `tree`, `commit`, `tag`) and its size in bytes."""

    oid: str
    kind: str
    size: int


class TooLarge(NamedTuple):
    """A blob that was not read because it has more bytes than allowed."""

    size: int


class Objects:
    """Objects of one repository. Use as a context manager; for one thread; the time limit is that of its door."""

    def __init__(self, git: Git, *, keep: bool = False) -> None:
        """Name the door.

        Args:
            git: the door.
            keep: do not end git when the context is left, but when `hang_up` is called, or after an error.
        """
        self._git = git
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self._expired = False

    def __enter__(self) -> Self:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch-command", "-z", "--buffer")
        self._timer = threading.Timer(self._git.timeout, self._expire)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._keep or error is not None or self._expired:
            self.hang_up()

    def hang_up(self) -> None:
        """End git; the next question starts it anew. What is left of an answer goes with it."""
        if self._process is not None:
            end(self._process)
        self._process, self._expired = None, False

    def look_up(self, names: Sequence[str]) -> list[Info | None]:
        """What each name (`SHA`, `SHA:path`, `SHA^{tree}` …) stands for; `None` where there is nothing.

        Raises:
            OneheadError: no repository, a damaged one, or out of time.
        """
        found: list[Info | None] = []
        for start in range(0, len(names), _AT_ONCE):
            batch = [_bytes(name) for name in names[start : start + _AT_ONCE]]
            out = self._ask([b"info " + name for name in batch], names[start])
            found += [self._header(out, name) for name in batch]
        return found

    def contents(self, oids: Iterable[str], limit: int) -> Iterator[tuple[str, bytes | TooLarge]]:
        """The content of each object, in the given order; larger ones than `limit` bytes are not read.

        Consume it to the end, or leave the context.

        Raises:
            MissingObjects: an object is not in the repository.
            OneheadError: no repository, a damaged one, or out of time.
        """
        wanted = list(oids)
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            small = []
            for oid, info in zip(batch, self.look_up(batch), strict=True):
                if info is None:
                    raise self._trouble(oid)
                if info.size <= limit:
                    small.append(oid)
                else:
                    yield oid, TooLarge(info.size)
            if small:
                yield from self._read(small)

    def _read(self, oids: list[str]) -> Iterator[tuple[str, bytes]]:
        out = self._ask([b"contents " + _bytes(oid) for oid in oids], oids[0])
        for oid in oids:
            info = self._header(out, _bytes(oid))
            if info is None:
                raise self._trouble(oid)
            data = out.read(info.size + 1)
            if len(data) != info.size + 1:
                raise self._trouble(oid)
            yield oid, data[:-1]

    def _ask(self, questions: list[bytes], first: str) -> IO[bytes]:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("Objects is a context manager: ask inside `with`.")
        try:
            self._process.stdin.write(b"\0".join([*questions, b"flush\0"]))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._trouble(first) from None
        return self._process.stdout

    def _header(self, out: IO[bytes], name: bytes) -> Info | None:
        line = out.readline()
        fields = line.split()
        if len(fields) == 3 and fields[2].isdigit() and fields[1] in (b"blob", b"tree", b"commit", b"tag"):
            return Info(fields[0].decode("ascii"), fields[1].decode("ascii"), int(fields[2]))
        # "NAME missing" or "NAME ambiguous": the name is repeated, with every line feed it has.
        for _ in range(name.count(b"\n")):
            line += out.readline()
        if line in (name + b" missing\n", name + b" ambiguous\n"):
            return None
        raise self._trouble(name.decode("utf-8", "surrogateescape"))

    def _trouble(self, name: str) -> Exception:
        """Why git stopped answering. It is asked again alone, because only then its complaint is at hand."""
        if self._expired:
            return self._git.too_slow("cat-file", self._git.timeout)
        self._git.run("rev-parse", "--git-dir")
        self._git.run("cat-file", "-t", name)
        self._git.run("cat-file", "-p", name)
        return GitFailed("cat-file --batch-command", self._git.directory, -1, "it stopped answering")

    def _expire(self) -> None:
        self._expired = True
        if self._process is not None:
            self._process.kill()


def conversation(git: Git) -> Objects:
    """The conversation that is kept open at a door, or one of its own."""
    return git.kept_open or Objects(git)


@contextmanager
def kept_open(git: Git) -> Iterator[None]:
    """Let all questions that are asked at a door meanwhile, by one thread, be one conversation."""
    git.kept_open = Objects(git, keep=True)
    try:
        yield
    finally:
        git.kept_open.hang_up()
        git.kept_open = None


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
