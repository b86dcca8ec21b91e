"""Bare, disposable mirrors of the forge's repositories, for the service.

A mirror can be deleted at any moment and is cloned anew on the next use. Whatever stands in its place and is no mirror
of that repository (a file, a link, half a clone, somebody else's directory), or is a damaged one, is replaced without
a question.

Where the server lets it, a mirror does without files that are too large to be revision files: it is a partial clone.
Git fetches nothing behind our back, for no process but those that fetch knows that anything was left out. What a merge
or a push needs after all is fetched in one go (`left_out.py`). A mirror that was cloned whole stays so.

GitPython keeps the repository itself (creating and opening it, its configuration, remote and HEAD) and words the
commands; the processes are started by our own `Git` ("Two ways to git" in docs/decisions.md). It takes a tenth of a
second to import, which is why nothing on the way of `check` or `pre-receive` imports this module.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import math
import os
import re
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from onehead.child_process import OursHidden

with OursHidden():  # it asks git for its version, with all variables that there are
    import git as gitpython

from onehead.errors import CannotJudge, OneheadError
from onehead.gitrepo.eviction import DEFAULT_SIZE, StoredMirror, evict, limit_of, size_of
from onehead.gitrepo.git import LEAVES_OUT, Git, kept_open
from onehead.gitrepo.left_out import FilesLeftOut, lacking
from onehead.gitrepo.process import GitResult, MissingObjects, explain
from onehead.gitrepo.remote import (
    ALONE,
    NO_REFS,
    PushOutcome,
    PushStatus,
    RefUpdate,
    access,
    push_arguments,
    read_push,
    refuse_redirect,
    remote_trouble,
)
from onehead.revisions.model import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_REFSPECS = (
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    "+refs/pull/*/head:refs/pull/*/head",
    "+refs/onehead/*:refs/onehead/*",
)
_REFUSED = (PushStatus.REFUSED, PushStatus.FORBIDDEN)

_FILTER_IGNORED = "filtering not recognized by server"
_FILTER_REFUSED = re.compile(r"filter '\S+' not supported")

_GONE = ".gone"
"""What ends the name of a mirror that is being removed."""

Done = TypeVar("Done")


class MirrorBusy(CannotJudge):
    """Somebody else has held the mirror for longer than we may wait."""


class Mirrors:
    """The mirrors of one cache directory, which several threads and processes may share."""

    def __init__(
        self,
        directory: Path,
        *,
        timeout: float = 300.0,
        observe: Callable[[str, float], None] = lambda _command, _seconds: None,
        largest: int = MAX_BYTES,
        size: int | float = DEFAULT_SIZE,  # noqa: PYI041 - a whole number means another thing
    ) -> None:
        """Keep mirrors in a directory.

        `timeout` is for one git command, and for the wait for a mirror in use; `observe` hears of each command of git
        that talks to the forge (`fetch`, `push`, `ls-remote`), and its seconds; `largest`: bytes of the largest file
        that a mirror has in any case; `size`: what all mirrors may take, in bytes or as a share (`DEFAULT_SIZE`).
        """
        self._directory = directory
        self._timeout = timeout
        self._observe = observe
        self._largest = largest
        self._size = size
        self._making_room = threading.Lock()
        self._made_room = -math.inf
        self._known: dict[str, StoredMirror] = {}

    @contextmanager
    def hold(self, url: str, token: str = "") -> Iterator[Mirror]:
        """Have the mirror of a repository, by its clone URL, to oneself; it is empty until it was fetched once.

        Raises:
            ValueError: the URL or token can't be one.
            MirrorBusy: it stays in use.
        """
        reach = access(url, token)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # which is no directory
            _clear(self._directory)
            self._directory.mkdir(exist_ok=True)
        place = self._directory / _name(url)
        with _lock_file(place.with_suffix(".lock")) as lock:
            _wait_for(lock, url, self._timeout)
            os.utime(lock.fileno())
            reading = Git.of_our_own(place, timeout=self._timeout, secrets=reach.secrets)
            talking = reading.variant(environment={"GIT_ALLOW_PROTOCOL": reach.protocols}, config=reach.config)
            try:
                with kept_open(reading):
                    yield Mirror(place, url, reading, talking, self._largest, self._observe)
            finally:
                os.utime(lock.fileno())  # its size may be another one now

    def size(self) -> int:
        """Bytes of all mirrors, when room was last made."""
        return sum(mirror.size for mirror in [*self._known.values()])

    def idle(self, url: str) -> float | None:
        """Seconds since the mirror of a repository was last held by anybody; `None` where there is none."""
        place = self._directory / _name(url)
        try:
            return time.time() - place.with_suffix(".lock").stat().st_mtime if place.is_dir() else None
        except OSError:
            return None

    def make_room(self, *, at_most_every: float = 60.0) -> list[str]:
        """Remove the mirrors that were not used for longest, until the rest takes no more than it may; their names.

        One that is in use stays. It looks at most once in so many seconds: ten thousand mirrors take a moment.

        Raises:
            CannotJudge: something can't be removed.
        """
        if not self._making_room.acquire(blocking=False):
            return []  # another thread does it
        try:
            if time.monotonic() - self._made_room < at_most_every or not self._directory.is_dir():
                return []
            self._made_room = time.monotonic()
            troubles: list[CannotJudge] = []
            for left_over in self._directory.glob(f"*{_GONE}"):  # by a process that was killed
                with _kept(troubles):
                    _delete(left_over)
            self._known = {mirror.name: mirror for mirror in self._stored()}
            taken = sum(mirror.size for mirror in self._known.values())
            limit = limit_of(self._size, taken, shutil.disk_usage(self._directory).free)
            gone = evict(self._known.values(), limit, lambda mirror: self._remove_idle(mirror, troubles))
            for mirror in gone:
                del self._known[mirror.name]
            if troubles:
                raise troubles[0]
            return [mirror.name for mirror in gone]
        finally:
            self._making_room.release()

    def _stored(self) -> Iterator[StoredMirror]:
        for path in self._directory.glob("*.git"):
            if path.is_dir() and not path.is_symlink():
                known, used = self._known.get(path.name), _last_used(path)
                yield known if known and known.used == used else StoredMirror(path.name, used, size_of(str(path)))

    def _remove_idle(self, mirror: StoredMirror, troubles: list[CannotJudge]) -> bool:
        place = self._directory / mirror.name
        with _kept(troubles), _lock_file(place.with_suffix(".lock")) as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not mirror.used or _last_used(place) == mirror.used:
                _clear(place)
                return True
        return False


class Mirror:
    """One mirror, while it is held. Its `git` reads and writes commits, has no token and can't reach the network."""

    def __init__(
        self,
        place: Path,
        url: str,
        reading: Git,
        talking: Git,
        largest: int,
        observe: Callable[[str, float], None],
    ) -> None:
        self.git = reading
        self._observe = observe
        self._place = place
        self._url = url
        self._talking = talking
        self._largest = largest
        # In the mirror's own configuration, this would make every git process fetch what it misses, one by one. Here
        # too, a server may send how a file differs from a larger one of old: git asks for all of these together.
        self._filtering = talking.variant(
            environment={"GIT_NO_LAZY_FETCH": "0"},
            config=(
                ("remote.origin.promisor", "true"),
                ("remote.origin.partialCloneFilter", f"blob:limit={largest + 1}"),
            ),
        )

    def fetch(self) -> None:
        """Make the mirror equal to the forge: branches, tags and the heads of pull requests; what is gone there goes.

        A mirror that does not exist is made, and a damaged one is replaced.

        Raises:
            RemoteUnreachable: the forge does not answer; worth trying again.
            RemoteRefused: no such repository for this token.
            CannotJudge: what stands in the mirror's place can't be removed.
            GitTimeout: it takes too long.
        """
        if not self._is_usable():
            self.rebuild()
            return
        answer = self._run_fetch()
        trouble = remote_trouble(answer.err) if answer.code != 0 else None
        if trouble is not None:
            raise trouble
        # Not the forge, so the mirror: a lock left by a process that was killed, a damaged pack, a full disk.
        if answer.code != 0 or self._complains_of_damage(answer):
            self.rebuild()

    def rebuild(self) -> None:
        """Delete the mirror and clone it anew: for when reading it raised `MissingObjects`."""
        self._rebuild(whole=False)

    def remove(self) -> None:
        """Delete the mirror: the next fetch makes it anew.

        Raises:
            CannotJudge: it can't be removed.
        """
        _clear(self._place)

    def default_branch(self) -> str | None:
        """Ask the forge for its default branch, point the mirror's HEAD to it and return its full name.

        `None` when the repository is empty. (A fetch doesn't tell; the forge's API does, mostly.)
        """
        answer = self._ask("ls_remote", "--symref", "origin", "HEAD")
        if answer.code != 0:
            raise self._trouble("ls-remote", answer)
        found = re.search(rb"^ref: (\S+)\tHEAD$", answer.out, re.MULTILINE)
        if found is None:
            return None
        name = found.group(1).decode("utf-8", "surrogateescape")
        with self._repository() as repository:
            repository.head.set_reference(gitpython.Reference(repository, name))
        return name

    def push(self, updates: Sequence[RefUpdate], elsewhere: str | None = None) -> list[PushOutcome]:
        """Change refs of the repository, or of another one of the same forge, such as a fork, by its clone URL.

        The token is sent to the mirror's own host only. Files that the mirror was cloned without, and that a fork does
        not have either, are fetched first.

        Raises:
            RemoteUnreachable: the forge does not answer or breaks off; what became of the refs is not known.
            RemoteRefused: no such repository for this token.
            GitTimeout: it takes too long.
            MissingObjects: a commit is not in the mirror.
        """
        if not updates:
            return []
        if elsewhere is not None:
            access(elsewhere, "")  # refuses what is no clone URL
            self._bring_for(elsewhere, updates)
        return self._push(updates, elsewhere or "origin")

    def with_files(self, work: Callable[[], Done]) -> Done:
        """Do something in the mirror; where that needs files that were left out, fetch them in one go and do it again.

        Raises what the work raises, and:
            RemoteUnreachable: the forge does not answer.
            RemoteRefused: no such repository for this token.
        """
        try:
            return work()
        except FilesLeftOut as lack:
            self._bring(lack.oids)
            return work()

    def _bring_for(self, elsewhere: str, updates: Sequence[RefUpdate]) -> None:
        """Have the files that another repository lacks of what is to be pushed there."""
        if not self.git.leaves_out():
            return
        commits = [update.sha for update in updates if update.sha is not None]
        known = [update.expected for update in updates if update.expected is not None]
        if lacking(self.git, commits, known):
            answer = self._ask("ls_remote", "--", elsewhere, remote=elsewhere)
            if answer.code != 0:
                raise self._trouble("ls-remote", answer)
            known += [line.split(b"\t")[0].decode("ascii") for line in answer.out.splitlines()]
            self._bring(lacking(self.git, commits, known))

    def _bring(self, oids: Collection[str]) -> None:
        if not oids:
            return
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", *NO_REFS, "--stdin")
        fetching = self._filtering.variant(config=ALONE)
        answer = fetching.ask("fetch", *options, "--", "origin", data="\n".join((*oids, "")).encode("ascii"))
        refuse_redirect(self._talking, "origin", answer)
        if "unadvertised object" in answer.err:  # a server that gives all or nothing
            self._rebuild(whole=True)
        elif answer.code != 0:
            raise self._trouble("fetch", answer)

    def _push(self, updates: Sequence[RefUpdate], remote: str) -> list[PushOutcome]:
        answer = self._ask("push", *push_arguments(updates, remote), remote=remote)
        if "src refspec" in answer.err or "bad object" in answer.err:
            raise explain("push", str(self._place), answer.code, answer.err)
        outcomes = read_push(answer, updates)
        refused = [update for update, found in zip(updates, outcomes, strict=True) if found.status in _REFUSED]
        if len(refused) < 2 or b"pre-receive hook declined" not in answer.out:
            return outcomes
        halves = refused[: len(refused) // 2], refused[len(refused) // 2 :]
        again = {found.ref: found for half in halves for found in self._push(half, remote)}
        return [again.get(found.ref, found) for found in outcomes]

    def _rebuild(self, *, whole: bool) -> None:
        answer = self._clone("sha1", whole=whole)
        if answer.code != 0 and "mismatched algorithms" in answer.err:
            answer = self._clone("sha256", whole=whole)
        if answer.code != 0 and _FILTER_REFUSED.search(answer.err):
            self._rebuild(whole=True)
            return
        if answer.code != 0:
            raise self._trouble("fetch", answer)
        if _FILTER_IGNORED in answer.err:
            self.git.run("config", "--unset", LEAVES_OUT)
        self.default_branch()

    def _is_usable(self) -> bool:
        if self._place.is_symlink():
            return False  # it leads out of the cache
        try:
            with self._repository() as repository:
                is_ours = repository.bare and repository.remote("origin").config_reader.get("url") == self._url
            return is_ours and (self.git.leaves_out() or self._largest) >= self._largest
        except (gitpython.InvalidGitRepositoryError, configparser.Error, OSError, ValueError):
            return False

    def _clone(self, object_format: str, *, whole: bool) -> GitResult:
        if self.git.kept_open is not None:
            self.git.kept_open.hang_up()
        _clear(self._place)
        _MirrorRepo.init(self._place, bare=True, object_format=object_format).close()
        with self._repository() as repository:
            with repository.config_writer() as config:
                # Collecting garbage must not outlive the lock on the mirror.
                config.set_value("gc", "autoDetach", "false")
                config.set_value("maintenance", "autoDetach", "false")
                if not whole:
                    config.set_value(*LEAVES_OUT.split("."), self._largest)
            with repository.create_remote("origin", self._url).config_writer as config:
                # Otherwise git keeps a second copy of all branches below refs/remotes.
                config.remove_option("fetch")
        return self._run_fetch()

    def _run_fetch(self) -> GitResult:
        options = ("--prune", "--no-tags", "--no-write-fetch-head", "--quiet")
        git = self._talking if self.git.leaves_out() is None else self._filtering
        return self._ask("fetch", *options, "--", "origin", *_REFSPECS, git=git)

    def _complains_of_damage(self, answer: GitResult) -> bool:
        """Whether git has fetched all the same, past a damaged pack; what the server says has `remote:` before it."""
        errors = "\n".join(line for line in answer.err.splitlines() if line.startswith("error:"))
        return isinstance(explain("fetch", str(self._place), answer.code, errors), MissingObjects)

    def _ask(self, verb: str, *args: str, remote: str = "origin", git: Git | None = None) -> GitResult:
        begun = time.monotonic()
        try:
            with self._repository(git) as repository:
                ended: Any = getattr(repository.git, verb)(*args, with_extended_output=True, with_exceptions=False)
        finally:
            self._observe(verb.replace("_", "-"), time.monotonic() - begun)
        code, out, err = ended
        answer = GitResult(code, out.encode("utf-8", "surrogateescape"), err)
        refuse_redirect(self._talking, remote, answer)
        return answer

    def _trouble(self, command: str, answer: GitResult) -> OneheadError:
        return remote_trouble(answer.err) or explain(command, str(self._place), answer.code, answer.err)

    @contextmanager
    def _repository(self, git: Git | None = None) -> Iterator[_MirrorRepo]:
        repository = _MirrorRepo(self._place)
        repository.git.runner = git or self._talking
        try:
            yield repository
        finally:
            repository.close()


class _Commands(gitpython.Git):
    """GitPython's commands, run by our own `Git`. It has no network and no token unless a mirror gives it its own."""

    def __init__(self, working_dir: str | Path | None = None) -> None:
        super().__init__(working_dir)
        self.runner = Git.of_our_own(working_dir or ".")

    def execute(  # type: ignore[override]
        self, command: Sequence[str], *, with_extended_output: bool = False, with_exceptions: bool = True, **more: Any
    ) -> str | tuple[int, str, str]:
        """Run a command that GitPython has worded. Those that keep a process open are not offered."""
        if more.get("as_process") or more.get("istream"):
            raise RuntimeError("The mirror runs git to its end; conversations are held in onehead.gitrepo.git.")
        answer = self.runner.ask(*command[1:])
        out = answer.out.decode("utf-8", "surrogateescape").removesuffix("\n")
        if answer.code != 0 and with_exceptions:
            raise explain(command[1], self.runner.directory, answer.code, answer.err)
        return (answer.code, out, answer.err) if with_extended_output else out


class _MirrorRepo(gitpython.Repo):
    GitCommandWrapperType = _Commands  # type: ignore[assignment]

    git: _Commands


@contextmanager
def _kept(troubles: list[CannotJudge]) -> Iterator[None]:
    try:
        yield
    except CannotJudge as trouble:
        troubles.append(trouble)


def _clear(place: Path) -> None:
    """Remove whatever stands at a path; a link goes, not what it leads to.

    Raises:
        CannotJudge: it can't be removed.
    """
    try:
        if place.is_symlink() or not place.is_dir():
            place.unlink(missing_ok=True)
        else:
            # At once, for what is left of it where this process is killed could be taken for a mirror.
            gone = place.rename(place.with_suffix(f".{time.time_ns()}{_GONE}"))
            with suppress(CannotJudge):  # its place is free; who makes room tries again
                _delete(gone)
    except OSError as trouble:
        raise _immovable(place, trouble) from trouble


def _delete(folder: Path) -> None:
    try:
        try:
            shutil.rmtree(folder)
        except PermissionError:
            _open_up(folder)
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # another process does it
    except OSError as trouble:
        raise _immovable(folder, trouble) from trouble


def _immovable(place: Path, trouble: OSError) -> CannotJudge:
    return CannotJudge(
        f"{trouble.filename or place} is in the place of a mirror and can't be removed: {trouble.strerror}.",
        "Remove it, or give it to the account that onehead runs as; the mirror is then cloned again.",
    )


def _last_used(place: Path) -> int:
    """When a mirror was last held, in nanoseconds; 0 where nobody knows."""
    try:
        return place.with_suffix(".lock").stat().st_mtime_ns
    except OSError:
        return 0


def _open_up(place: Path) -> None:
    """A directory of ours that may not be written to, or looked into, still is ours to remove."""
    place.chmod(0o700)
    for folder, below, _ in os.walk(place):
        for inner in (Path(folder, name) for name in below):
            if not inner.is_symlink():
                inner.chmod(0o700)


def _lock_file(path: Path) -> IO[str]:
    """The file whose lock is the mirror's; what else stands there goes, a link unseen."""
    if path.is_symlink() or path.is_dir():
        _clear(path)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "w")


def _name(url: str) -> str:
    """Readable and unique, whatever the URL holds."""
    words = re.sub(r"[^a-z0-9]+", "-", urlsplit(url).path.lower().removesuffix(".git")).strip("-")
    return f"{words[-60:]}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"


def _wait_for(lock: IO[str], url: str, timeout: float) -> None:
    """Take a lock that also excludes other threads, because each of them has opened the file itself."""
    deadline = time.monotonic() + timeout
    pause = 0.01
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MirrorBusy(
                    f"The mirror of {url} has been in use for more than {timeout:g} seconds.",
                    "It is tried again with the next event or sweep.",
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        else:
            return
