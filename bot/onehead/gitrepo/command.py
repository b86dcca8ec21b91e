"""The door to the git binary. Whoever is in a hurry with a few questions takes the side door, `quick.py`.

Every git process of onehead is started at one of the two, with the same surroundings (`process.py`). Every call has a
time limit, after which git and everything it started are ended, and what git says is redacted before it can reach a
log or a comment.

Start-up counts (`check` runs in every commit): this module imports neither GitPython (0.1 s) nor pathlib nor
dataclasses.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from onehead.gitrepo.errors import GitTimeout, GitTooOld, NotARepository, explain, redact
from onehead.gitrepo.planted import refuse_planted
from onehead.gitrepo.process import NOBODYS, Answer, surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onehead.gitrepo.objects import Objects

DEFAULT_TIMEOUT = 60.0
"""Seconds that one git command may take."""


class Git:
    """Git in one directory: a checkout (or any directory of it), a linked worktree or a bare repository.

    Opening costs nothing and checks nothing: the first command tells whether there is a repository.

    Attributes:
        directory: where git runs.
        timeout: seconds that one command may take.
        kept_open: the conversation about objects that is shared by all who ask here (see `objects.kept_open`).
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

        Args:
            directory: where git runs.
            timeout: seconds one command may take.
            environment: variables set on top of the safe ones.
            config: git configuration on top of the safe one, handed over in the environment, so that a token
                appears neither among the arguments nor on disk.
            secrets: texts to cut out of everything git says.
            personal: reach servers as the person's own git would (see `as_the_person`).
            trusted: it may lie in the work tree of another repository: git itself has opened it, or onehead made it.
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
        secrets: tuple[str, ...] = (),
    ) -> Git:
        """The same repository with more variables, configuration or secrets."""
        return Git(
            self.directory,
            timeout=self.timeout,
            environment={**self._own, **(environment or {})},
            config=(*self._config, *config),
            secrets=(*self._secrets, *secrets),
            personal=self._personal,
            trusted=self._trusted,
        )

    def as_the_person(self, protocols: str) -> Git:
        """The same repository for a fetch that a person asked for: it reaches the server as their own git would.

        Their credential helpers, keys, proxies and certificates count, the system's configuration included. Hooks
        stay off, and nothing asks a question.

        Args:
            protocols: value of `GIT_ALLOW_PROTOCOL`.
        """
        own = {**self._own, "GIT_ALLOW_PROTOCOL": protocols}
        return Git(
            self.directory,
            timeout=self.timeout,
            environment=own,
            config=self._config,
            secrets=self._secrets,
            personal=True,
            trusted=self._trusted,
        )

    def environment(self) -> dict[str, str]:
        """All variables a git process of this door sees."""
        return surroundings(self._config, personal=self._personal) | self._own

    def run(self, *args: str, data: bytes = b"", timeout: float | None = None) -> bytes:
        """Standard output of `git ARGS`.

        Args:
            args: subcommand and arguments; undecodable bytes of paths are surrogate-escaped UTF-8.
            data: standard input.
            timeout: seconds; the door's own limit when not given.

        Raises:
            OneheadError: the kind that fits (see `onehead.gitrepo.errors`) when git does not exit with 0.
        """
        answer = self.ask(*args, data=data, timeout=timeout)
        if answer.code != 0:
            raise explain(args[0], self.directory, answer.code, answer.err)
        return answer.out

    def ask(self, *args: str, data: bytes = b"", timeout: float | None = None) -> Answer:
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
        return Answer(process.returncode, out, redact(err.decode("utf-8", "replace"), self._secrets))

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
        """Absolute paths of the object store and of the file that names where a shallow history ends; asked once.

        Raises:
            OneheadError: there is no repository.
        """
        if self._places is None:
            out = self.run("rev-parse", "--path-format=absolute", "--git-path", "objects", "--git-path", "shallow")
            objects, shallow = (os.fsdecode(line) for line in out.split(b"\n")[:2])
            self._places = objects, shallow
        return self._places

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
    """End a process started by the door together with everything it started, and collect it."""
    if process.poll() is None:  # a process that was collected may have left its number to somebody else
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()
