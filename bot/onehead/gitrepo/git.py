"""Run git: commands, and a conversation with one `git cat-file` process.

`backend/HEAD`, `backend/config`, `backend/objects/…` and `backend/refs/…` are ordinary files to whoever pushes them,
and a repository to git as soon as it runs in `backend/`, whose configuration names programs for git to start. Nothing
but the place tells them from others: inside a work tree, and not below a `.git`, which no commit can hold. (Git's own
answer, `safe.bareRepository=explicit`, refuses all that are not named with `--git-dir`, the wanted ones included.)

Only the file system is asked: git would have read the configuration before it could answer.

Every git process of onehead is started here or by `Quick`, with the same surroundings (`process.py`). Every call has a
time limit, after which git and everything it started are ended, and what git says is redacted before it can reach a
log or a comment.

Start-up counts (`check` runs in every commit): this module imports neither GitPython (0.1 s) nor pathlib nor
dataclasses.

Asking costs microseconds, starting git costs milliseconds; so whoever has more than one question asks them here, and
who judges hundreds of branches keeps one conversation open for all of them (`kept_open`).
"""

# pathlib takes 6 ms to load, and this runs before every verdict.
# ruff: noqa: PTH112, PTH118, PTH120, PTH123, PTH206

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from onehead.gitrepo.process import (
    NOBODYS,
    GitFailed,
    GitResult,
    GitTimeout,
    GitTooOld,
    NotARepository,
    PlantedRepository,
    explain,
    is_oid,
    redact,
    surroundings,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

_MAX_LENGTH = 4096
"""Bytes of a `.git` file that are read; a path is no longer."""


def refuse_planted(directory: str) -> None:
    """Refuse a repository that lies in the work tree of another one.

    Raises:
        PlantedRepository: git would open such a one there.
    """
    repository = _found_from(os.path.realpath(directory))
    if repository is None:
        return
    for folder in _upwards(os.path.dirname(repository)):
        outer = _of_work_tree(folder)
        if outer is None:
            continue
        below = repository[len(folder) :].split(os.sep)
        # `proj/.git` may say that the repository is `proj/.bare`: its own work tree, not another one's.
        if ".git" in below or repository == outer or repository.startswith(outer + os.sep):
            return
        raise PlantedRepository(repository, folder)


def has_work_tree(directory: str) -> bool:
    """Whether the repository that git finds from a directory has a work tree there; a bare one has none."""
    for folder in _upwards(os.path.realpath(directory)):
        if _of_work_tree(folder) is not None:
            return True
        if _is_repository(folder):
            return False
    return False


def _found_from(directory: str) -> str | None:
    """The repository that git finds from a directory, in git's order."""
    for folder in _upwards(directory):
        found = _of_work_tree(folder) or (folder if _is_repository(folder) else None)
        if found is not None:
            return found
    return None


def _of_work_tree(folder: str) -> str | None:
    """The repository of the work tree that begins at a folder, if one does."""
    link = os.path.join(folder, ".git")
    if _is_repository(link):
        return os.path.realpath(link)
    try:
        with open(link, "rb") as file:
            told = os.fsdecode(file.read(_MAX_LENGTH)).rstrip("\r\n")
    except OSError:
        return None
    if not told.startswith("gitdir: "):
        return None
    return os.path.realpath(os.path.join(folder, told.removeprefix("gitdir: ")))


def _is_repository(folder: str) -> bool:
    """Whether git might take a folder for a repository; what it does not take after all is no loss."""
    if not os.path.lexists(os.path.join(folder, "HEAD")):
        return False
    if os.path.lexists(os.path.join(folder, "commondir")):
        return True
    return all(os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs"))


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


LEAVES_OUT = "onehead.leavesOut"
"""The key of a mirror's configuration that says so (see `Git.leaves_out`)."""

DEFAULT_TIMEOUT = 60.0
"""Seconds that one git command may take."""


class Git:
    """Git in one directory: a checkout (or any directory of it), a linked worktree or a bare repository.

    Opening costs nothing and checks nothing: the first command tells whether there is a repository. One command may
    take `timeout` seconds. The conversation that is `kept_open` is shared by all who ask here (see below).
    """

    kept_open: Objects | None = None

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        environment: Mapping[str, str] | None = None,
        config: tuple[tuple[str, str], ...] = (),
        secrets: tuple[str, ...] = (),
        personal: bool = False,
        trusted: bool = False,
    ) -> None:
        """Name the repository.

        `environment` holds variables and `config` git's configuration on top of the safe ones; both are handed over in
        the environment, so that a token appears neither among the arguments nor on disk. `secrets` are cut out of
        everything git says. `personal`: reach servers as the person's own git would (see `as_the_person`). `trusted`:
        it may lie in the work tree of another repository: git itself has opened it, or onehead made it.
        """
        self.directory = os.fspath(directory)
        self.timeout = timeout
        self._own = dict(environment or {})
        self._config = config
        self._secrets = secrets
        self._personal = personal
        self._trusted = trusted
        self._places: tuple[str, str] | None = None

    @classmethod
    def of_our_own(
        cls, directory: str | os.PathLike[str], *, timeout: float = DEFAULT_TIMEOUT, secrets: tuple[str, ...] = ()
    ) -> Git:
        """A repository that onehead makes for itself: no configuration of a person counts there."""
        return cls(directory, timeout=timeout, environment=NOBODYS, secrets=secrets, trusted=True)

    def variant(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        config: tuple[tuple[str, str], ...] = (),
        personal: bool | None = None,
    ) -> Git:
        """The same repository with more variables or configuration."""
        return Git(
            self.directory,
            timeout=self.timeout,
            environment={**self._own, **(environment or {})},
            config=(*self._config, *config),
            secrets=self._secrets,
            personal=self._personal if personal is None else personal,
            trusted=self._trusted,
        )

    def as_the_person(self, protocols: str) -> Git:
        """The same repository for a fetch that a person asked for: it reaches the server as their own git would.

        Their credential helpers, keys, proxies and certificates count, the system's configuration included. Hooks
        stay off, and nothing asks a question. `protocols` is a value of `GIT_ALLOW_PROTOCOL`.
        """
        return self.variant(environment={"GIT_ALLOW_PROTOCOL": protocols}, personal=True)

    def environment(self) -> dict[str, str]:
        """All variables that its git processes see."""
        return surroundings(self._config, personal=self._personal) | self._own

    def run(self, *args: str, data: bytes = b"", timeout: float | None = None) -> bytes:
        """Standard output of `git ARGS`; undecodable bytes of paths are surrogate-escaped UTF-8.

        Raises:
            OneheadError: the kind that fits (see `onehead.gitrepo.process`) when git does not exit with 0.
        """
        answer = self.ask(*args, data=data, timeout=timeout)
        if answer.code != 0:
            raise explain(args[0], self.directory, answer.code, answer.err)
        return answer.out

    def ask(self, *args: str, data: bytes = b"", timeout: float | None = None) -> GitResult:
        """Run `git ARGS` and say how it ended, for commands whose exit code is an answer.

        Raises:
            NotARepository: the directory does not exist.
            GitTooOld: there is no git.
            GitTimeout: it took too long; it and all it started were ended.
        """
        limit = self.timeout if timeout is None else timeout
        process = self.start(*args, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(data, timeout=limit)
        except subprocess.TimeoutExpired:
            end(process)
            raise self.too_slow(args[0], limit) from None
        except BaseException:
            end(process)
            raise
        return GitResult(process.returncode, out, redact(err.decode("utf-8", "replace"), self._secrets))

    def fields(self, *args: str) -> Iterator[str]:
        """What `git ARGS` says, at each zero byte, while it goes on; it is ended when the iterator is.

        Raises:
            GitTimeout: nothing more came for as long as one command may take.
            OneheadError: the kind that fits, when git does not exit with 0, or a field is unreasonably long.
        """
        process = self.start(*args, stderr=subprocess.PIPE)
        try:
            if process.stdout is None or process.stderr is None:
                raise RuntimeError("Git was started without pipes.")
            pipe, ready, rest = process.stdout.fileno(), select.poll(), b""
            ready.register(pipe, select.POLLIN)
            while ready.poll(self.timeout * 1000):
                chunk = os.read(pipe, _CHUNK)
                *whole, rest = (rest + chunk).split(b"\0")
                yield from (field.decode("utf-8", "surrogateescape") for field in whole)
                if len(rest) > _MAX_FIELD:
                    raise GitFailed(args[0], self.directory, 0, "a text that is too long to be read")
                if not chunk:
                    break
            else:
                raise self.too_slow(args[0], self.timeout)
            if process.wait() != 0:
                said = redact(process.stderr.read().decode("utf-8", "replace"), self._secrets)
                raise explain(args[0], self.directory, process.returncode, said)
        finally:
            end(process)

    def start(self, *args: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start `git ARGS` with pipes at both ends; the caller ends it with `end`.

        It leads a process group of its own, so that a time limit also ends the helpers git starts (a transport
        that hangs would otherwise keep the pipes open forever).

        Raises:
            PlantedRepository: the repository lies in the work tree of another one.
            NotARepository: the directory does not exist.
            GitTooOld: there is no git.
        """
        if not self._trusted:
            refuse_planted(self.directory)
        try:
            return subprocess.Popen(
                [b"git", *(arg.encode("utf-8", "surrogateescape") for arg in args)],
                cwd=self.directory,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                process_group=0,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as trouble:
            if trouble.filename in (b"git", "git"):
                raise GitTooOld("Git was not found.", "Install git 2.38 or newer and put it on PATH.") from None
            raise NotARepository(
                f"{self.directory} can't be opened as a directory: {trouble.strerror}.",
                "Name a checkout or a bare repository with `--repo DIR`.",
            ) from None

    def places(self) -> tuple[str, str]:
        """Absolute paths of the object store and of the file that names where a shallow history ends; asked once."""
        if self._places is None:
            out = self.run("rev-parse", "--path-format=absolute", "--git-path", "objects", "--git-path", "shallow")
            objects, shallow = (os.fsdecode(line) for line in out.split(b"\n")[:2])
            self._places = objects, shallow
        return self._places

    def leaves_out(self) -> int | None:
        """Bytes of the largest file that the repository was told to have, in a mirror of the service.

        Whatever is larger may be absent. `None`: nothing may be.
        """
        answer = self.ask("config", "--get", LEAVES_OUT)
        return int(answer.out) if answer.out.strip().isdigit() else None

    def too_slow(self, command: str, limit: float) -> GitTimeout:
        """The error for a command that was ended after `limit` seconds."""
        return GitTimeout(
            f"`git {command}` in {self.directory} took longer than {limit:g} seconds and was ended.",
            "Try again; if it happens again, see whether the disk or the server is overloaded.",
        )

    def version(self) -> tuple[int, int]:
        """Major and minor version of git."""
        words = self.run("version").decode("ascii", "replace").split()
        major, minor = (words[2] if len(words) > 2 else "0.0").split(".")[:2]
        return int(major), int(minor)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that `Git.start` has started, together with everything it started, and collect it."""
    if process.poll() is None:  # a process that was collected may have left its number to somebody else
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


_AT_ONCE = 512
"""Questions per round. Git holds its answers back until the round is complete (`--buffer`, `flush`), so however long
they are, neither side ever waits for the other to empty a pipe."""


_CHUNK = 1 << 16

_MAX_FIELD = 1 << 20
"""Bytes up to a zero byte; no path and no subject that a person reads comes near."""

MAX_REMEMBERED_OBJECT = 1 << 20
"""Bytes of a commit or tree that is remembered."""

_MAX_REMEMBERED = 1 << 24
"""Bytes of all that are, before they are forgotten."""


class Info(NamedTuple):
    """An object: its id, its type (`blob`, `tree`, `commit`, `tag`) and its size in bytes."""

    oid: str
    kind: str
    size: int


class BlobTooLarge(NamedTuple):
    """A blob that was not read because it has more bytes than allowed; at least so many where a mirror lacks it."""

    size: int


class Objects:
    """Objects of one repository. Use as a context manager; for one thread; the time limit is that of its `Git`."""

    def __init__(self, git: Git, *, keep: bool = False) -> None:
        """Name the repository. Git is ended when the context is left; to `keep` it, by `hang_up` or an error."""
        self._git = git
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._said = bytearray()
        self._until = 0.0
        self._history: dict[str, tuple[str, bytes]] = {}
        self._remembered = 0

    def __enter__(self) -> Self:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch-command", "-z", "--buffer")
            os.set_blocking(self._stdin, False)
        self._until = time.monotonic() + self._git.timeout
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._keep or error is not None:
            self.hang_up()

    def hang_up(self) -> None:
        """End git; the next question starts it anew. What is left of an answer goes with it."""
        if self._process is not None:
            end(self._process)
        self._process = None
        self._said.clear()
        self._history.clear()
        self._remembered = 0

    def look_up(self, names: Sequence[str]) -> list[Info | None]:
        """What each name (`SHA`, `SHA:path`, `SHA^{tree}` …) stands for; `None` where there is nothing."""
        found: list[Info | None] = []
        for start in range(0, len(names), _AT_ONCE):
            batch = [_bytes(name) for name in names[start : start + _AT_ONCE]]
            self._ask([b"info " + name for name in batch], names[start])
            found += [self._header(name) for name in batch]
        return found

    def contents(
        self, oids: Iterable[str], limit: int, *, of_files: bool = False
    ) -> Iterator[tuple[str, bytes | BlobTooLarge]]:
        """The content of each object, in the given order; larger ones than `limit` bytes are not read.

        A file that was left out of a mirror, because it is larger, is such a one. Consume it to the end, or leave the
        context.

        Raises:
            MissingObjects: an object is not in the repository, and was not left out.
        """
        left_out = None
        wanted = list(oids)
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            small = []
            for oid, info in zip(batch, self.look_up(batch), strict=True):
                if info is None:
                    left_out = self._git.leaves_out() if of_files and left_out is None else left_out
                    if left_out is None or left_out < limit:
                        raise self._trouble(oid)
                    yield oid, BlobTooLarge(left_out + 1)
                elif info.size <= limit:
                    small.append(oid)
                else:
                    yield oid, BlobTooLarge(info.size)
            if small:
                self._ask([b"contents " + _bytes(oid) for oid in small], small[0])
                for oid in small:
                    _, data = self._content(oid, limit)
                    yield oid, data

    def history(self, oids: Iterable[str]) -> dict[str, tuple[str, bytes]]:
        """The type and content of commits and trees, remembered while the conversation lasts.

        One that is larger than `MAX_REMEMBERED_OBJECT` is absent, and so is what is named by anything but its full id:
        another name may mean something else soon.

        Raises:
            MissingObjects: an object is not in the repository.
        """
        wanted = list(dict.fromkeys(oids))
        found = {oid: self._history[oid] for oid in wanted if oid in self._history}
        missing = [oid for oid in wanted if oid not in found and is_oid(oid)]
        for start in range(0, len(missing), _AT_ONCE):
            batch = missing[start : start + _AT_ONCE]
            self._ask([b"contents " + _bytes(oid) for oid in batch], batch[0])
            for oid in batch:
                kind, data = self._content(oid, MAX_REMEMBERED_OBJECT)
                if isinstance(data, BlobTooLarge):
                    continue
                if self._remembered > _MAX_REMEMBERED:
                    self._history.clear()
                    self._remembered = 0
                found[oid] = self._history[oid] = kind, data
                self._remembered += len(data)
        return found

    @property
    def _stdin(self) -> int:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("Objects is a context manager: ask inside `with`.")
        return self._process.stdin.fileno()

    def _ask(self, questions: list[bytes], first: str) -> None:
        left = memoryview(b"\0".join([*questions, b"flush\0"]))
        try:
            while left:
                self._wait_for(self._stdin, select.POLLOUT)
                left = left[os.write(self._stdin, left) :]
        except BrokenPipeError:
            raise self._trouble(first) from None

    def _hear(self) -> bool:
        """Take in more of what git says; whether it said anything before it ended."""
        if self._process is None or self._process.stdout is None:
            return False
        self._wait_for(self._process.stdout.fileno(), select.POLLIN)
        chunk = os.read(self._process.stdout.fileno(), _CHUNK)
        self._said += chunk
        return bool(chunk)

    def _wait_for(self, pipe: int, event: int) -> None:
        left = self._until - time.monotonic()
        ready = select.poll()
        ready.register(pipe, event)
        if left <= 0 or not ready.poll(left * 1000):
            raise self._git.too_slow("cat-file", self._git.timeout)

    def _take(self, size: int, name: str) -> bytes:
        while len(self._said) < size:
            if not self._hear():
                raise self._trouble(name)
        taken = bytes(self._said[:size])
        del self._said[:size]
        return taken

    def _line(self, name: str) -> bytes:
        while (at := self._said.find(b"\n")) < 0:
            if not self._hear():
                raise self._trouble(name)
        return self._take(at + 1, name)

    def _header(self, asked: bytes) -> Info | None:
        name = asked.decode("utf-8", "surrogateescape")
        line = self._line(name)
        fields = line.split()
        if len(fields) == 3 and fields[2].isdigit() and fields[1] in (b"blob", b"tree", b"commit", b"tag"):
            return Info(fields[0].decode("ascii"), fields[1].decode("ascii"), int(fields[2]))
        # "NAME missing" or "NAME ambiguous": the name is repeated, with every line feed it has.
        for _ in range(asked.count(b"\n")):
            line += self._line(name)
        if line in (asked + b" missing\n", asked + b" ambiguous\n"):
            return None
        raise self._trouble(name)

    def _content(self, oid: str, limit: int) -> tuple[str, bytes | BlobTooLarge]:
        """The type and content that come next; what is over the limit is let pass."""
        info = self._header(_bytes(oid))
        if info is None:
            raise self._trouble(oid)
        if info.size <= limit:
            return info.kind, self._take(info.size + 1, oid)[:-1]
        left = info.size + 1
        while left:
            left -= len(self._take(min(left, _CHUNK), oid))
        return info.kind, BlobTooLarge(info.size)

    def _trouble(self, name: str) -> Exception:
        """Why git stopped answering. It is asked again alone, because only then its complaint is at hand."""
        self._git.run("rev-parse", "--git-dir")
        self._git.run("cat-file", "-t", name)
        self._git.run("cat-file", "-p", name)
        return GitFailed("cat-file --batch-command", self._git.directory, -1, "it stopped answering")


def conversation(git: Git) -> Objects:
    """The conversation that is kept open with a repository, or one of its own."""
    return git.kept_open or Objects(git)


@contextmanager
def kept_open(git: Git) -> Iterator[None]:
    """Let all questions to a repository meanwhile, by one thread, be one conversation."""
    git.kept_open = Objects(git, keep=True)
    try:
        yield
    finally:
        git.kept_open.hang_up()
        git.kept_open = None


def _bytes(name: str) -> bytes:
    if "\0" in name:
        raise ValueError("What git is asked for can't hold a zero byte.")
    return name.encode("utf-8", "surrogateescape")
