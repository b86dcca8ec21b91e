"""What every git process sees, a quick way to start one, and what its errors mean.

What makes a git process safe stands in one place:

- nothing of the repository or of its configuration is run: no hooks, no fsmonitor, no pager, no askpass, no
  credential helper;
- nothing is fetched behind our back: a partial clone would download missing objects while it is read, so all
  transports are forbidden unless a caller names some (`mirror.py` and `remote.py` do);
- no variable leaks in that git does not need: none of onehead's own, which hold secrets, and none of an outer git
  process (`GIT_DIR`, `GIT_INDEX_FILE` …). Three of these do on purpose: in a pre-receive hook they show the pushed
  objects, which wait in quarantine and are not in the repository yet;
- no server leads it elsewhere: a redirect would take the token along, and another server's content would be judged;
- the system's configuration, replace refs and grafts are not consulted: what is judged is what is pushed.

Recognition rests on git's untranslated messages: every command runs with `LC_ALL=C`.

Git waits for the pre-receive hook in every push, and most pushes are let through after one or two questions. Loading
`subprocess` costs more than asking them. What git sees is the same as by `git.py`.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, NamedTuple

from onehead.child_process import all_but_our_own, needed
from onehead.errors import CannotJudge, OneheadError, UsageError

if TYPE_CHECKING:
    from typing import Protocol

    class Door(Protocol):
        """Where git is asked: `Git`, or `Quick` for who is in a hurry."""

        directory: str

        def ask(self, *args: str) -> GitResult:
            """Run `git ARGS` and say how it ended."""


_QUARANTINE = ("GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
_KEPT = {*_QUARANTINE, "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL"}

NOBODYS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_TEMPLATE_DIR": ""}
"""For repositories that onehead has made itself: no configuration of a person counts there, and none gets the 60 kB of
sample hooks of the system."""

_REACHING = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_PROXY_COMMAND")
"""How a person's own git reaches a server and proves who it is; honoured only by `Git.as_the_person`."""

_FIXED = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}

_CONFIG = (
    # Pointing the graft file elsewhere would otherwise be commented on in every error message.
    ("advice.graftFileDeprecated", "false"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.warnAmbiguousRefs", "true"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    # `explicit` would forbid every bare one that is found from its own directory; what is dangerous about them is
    # refused in `git.py`.
    ("safe.bareRepository", "all"),
)


_HEX = frozenset("0123456789abcdef")


def is_oid(text: str) -> bool:
    """Whether it is an object id in full."""
    return len(text) in (40, 64) and _HEX.issuperset(text)


class GitResult(NamedTuple):
    """How a git command ended: exit code, standard output, and standard error (redacted)."""

    code: int
    out: bytes
    err: str


def surroundings(config: tuple[tuple[str, str], ...] = (), *, personal: bool = False) -> dict[str, str]:
    """All variables of a git process; `personal` as in `Git.as_the_person`."""
    # GIT_SSL_* names the person's own authority.
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("GIT_SSL_")}
    inherited = kept | needed()
    fixed, entries = _FIXED, (*_CONFIG, *config)
    if personal:
        theirs = all_but_our_own().items()
        inherited |= {name: value for name, value in theirs if not name.startswith("GIT_") or name in _REACHING}
        # Without a program that answers, git must find nobody to ask.
        fixed = {**_FIXED, "GIT_CONFIG_NOSYSTEM": "0", "GIT_ASKPASS": os.environ.get("GIT_ASKPASS") or "false"}
        entries = (*_given_config(), *(entry for entry in entries if entry[0] != "credential.helper"))
    configured = {"GIT_CONFIG_COUNT": str(len(entries))}
    for number, (key, value) in enumerate(entries):
        configured[f"GIT_CONFIG_KEY_{number}"] = key
        configured[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**inherited, **fixed, **configured}


def _given_config() -> list[tuple[str, str]]:
    """The configuration that `GIT_CONFIG_COUNT` and its pairs hand over, as some CI systems do with their token."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    numbers = range(int(count) if count.isdecimal() and len(count) < 4 else 0)
    pairs = [(os.environ.get(f"GIT_CONFIG_KEY_{n}"), os.environ.get(f"GIT_CONFIG_VALUE_{n}")) for n in numbers]
    return [(key, value) for key, value in pairs if key and value is not None]


# Compiled by those who need them: where nothing goes wrong, nobody does.
_CREDENTIALS_IN_URL = r"(?<=://)[^/@\s'\"]+@"
_AUTHORIZATION = r"(?i)(authorization:[ \t]*(?:(?:basic|bearer|token)[ \t]+)?)[^\s'\"]+"


class NotARepository(UsageError):
    """The directory is no git repository (or does not exist)."""


class UntrustedRepository(UsageError):
    """The repository belongs to another user and git refuses to open it."""


class PlantedRepository(UsageError):
    """The repository lies in the work tree of another one, where a push can have put it."""

    def __init__(self, repository: str, work_tree: str) -> None:
        from shlex import quote  # noqa: PLC0415 - as `re` below

        super().__init__(
            f"{repository} is a repository inside the work tree of another one, {work_tree}. A push can have put it "
            "there, with a configuration that makes git run programs, so it is not opened.",
            f"Name the checkout itself: `--repo {quote(work_tree)}`. If the inner repository is yours and is meant, "
            "move it out of the work tree.",
        )


class UnknownRef(UsageError):
    """A name resolves to no commit. Attribute `ref`: the name as given."""

    def __init__(self, ref: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.ref = ref


class AmbiguousRef(UnknownRef):
    """A name stands for several different commits."""


class EmptyRepository(CannotJudge):
    """The repository has no commit yet."""


class ShallowHistory(CannotJudge):
    """The answer lies in history that this shallow clone does not have."""


class MissingObjects(CannotJudge):
    """Objects that the history names are not there: a partial clone, or a damaged repository."""


class GitTooOld(CannotJudge):
    """There is no git on the path, or it is older than 2.38 (`git merge-tree --write-tree`)."""


class GitTimeout(CannotJudge):
    """A git command took longer than allowed and was ended."""


class OriginSilent(CannotJudge):
    """Origin could not be asked, or did not give what was asked for."""


class GitFailed(CannotJudge):
    """Git failed in a way that has no name of its own; its exit code is negative when a signal ended it."""

    def __init__(self, command: str, directory: str, code: int, output: str) -> None:
        said = output.strip() or "nothing"
        super().__init__(
            f"`git {command}` failed with exit code {code} and said: {said}",
            f"Run `{as_typed(directory, 'fsck')}`; if it finds nothing wrong, report this message.",
        )
        self.code = code
        self.output = output


def as_typed(directory: str, *words: str) -> str:
    """A git command for the repository in a directory, as a person types it where they are now."""
    from shlex import join  # noqa: PLC0415 - as `re` below

    place = os.path.realpath(directory)
    return join(("git", *(() if place == os.path.realpath(os.curdir) else ("-C", place)), *words))


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Text without credentials: known secrets, user information in URLs and Authorization headers."""
    if not text:
        return text
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    import re  # noqa: PLC0415 - where nothing goes wrong, nobody needs it, and start-up counts

    return re.sub(_AUTHORIZATION, r"\1***", re.sub(_CREDENTIALS_IN_URL, "***@", text))


def explain(command: str, directory: str, code: int, output: str) -> OneheadError:
    """The error that fits what git said on its standard error, which is redacted already."""
    import re  # noqa: PLC0415 - as above
    from shlex import quote  # noqa: PLC0415

    if "dubious ownership" in output:
        return UntrustedRepository(
            f"Git refuses to read {directory}: it belongs to another user.",
            f"If you trust it, run `git config --global --add safe.directory {quote(_owned(output) or directory)}` "
            "as the user that runs onehead (the system-wide git configuration is not read).",
        )
    if "not a git repository" in output or "invalid gitfile format" in output:
        return NotARepository(
            f"{directory} is not a git repository.",
            "Name a checkout or a bare repository with `--repo DIR`.",
        )
    if "promisor remote" in output:
        return MissingObjects(
            f"The repository in {directory} is a partial clone, and files that are needed have not been fetched.",
            "Clone without `--filter`, or fetch them with "
            f"`{as_typed(directory, 'fetch', '--refetch', '--no-filter', 'origin')}`.",
        )
    if re.search(_DAMAGE, output):
        return MissingObjects(
            f"Objects are missing from the repository in {directory}, or damaged. Git said: {output.strip()}",
            f"Run `{as_typed(directory, 'fsck')}`, and clone it again if that reports errors.",
        )
    return GitFailed(command, directory, code, output)


_DAMAGE = (
    r"(?i)unable to read|could not read|bad object|bad tree|object file .* is empty|corrupt|missing blob|bad pack"
    r"|cannot be accessed|not a valid (?:object|commit)|not a tree object|could not get object info"
    r"|index file .* is too small|index not opened"
    r"|inflate: data stream error|did not match index|unable to unpack|not something we can merge"
)


def _owned(output: str) -> str:
    import re  # noqa: PLC0415 - as above

    found = re.search(r"dubious ownership in repository at '(.+)'", output)
    return found.group(1) if found else ""


_CHUNK = 1 << 16


class OutOfTime(CannotJudge):
    """The time that a push may wait is over."""

    def __init__(self) -> None:
        super().__init__(
            "The time that a push may wait for its verdict was over before there was one.",
            "The server may be overloaded, or the push is very large.",
        )


class Quick:
    """Git in the present directory, until a point in time (of `time.monotonic`)."""

    def __init__(self, until: float) -> None:
        self.directory = os.curdir
        self._until = until

    def ask(self, *args: str) -> GitResult:
        """Run `git ARGS` and say how it ended.

        Raises:
            GitTooOld: there is no git.
            OutOfTime: it took too long; it and all it started were ended.
        """
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        try:
            process = os.posix_spawnp(
                "git",
                [b"git", *(arg.encode("utf-8", "surrogateescape") for arg in args)],
                surroundings(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out_end, 1),
                    (os.POSIX_SPAWN_DUP2, err_end, 2),
                ],
                setpgroup=0,
            )
        except OSError:
            os.close(out)
            os.close(err)
            raise GitTooOld("Git was not found.", "Install git 2.38 or newer and put it on PATH.") from None
        finally:
            os.close(out_end)
            os.close(err_end)
        said = {out: bytearray(), err: bytearray()}
        try:
            self._listen(said)
        except BaseException:
            from signal import SIGKILL  # noqa: PLC0415 - rarely needed, and as costly to load as this module

            os.killpg(process, SIGKILL)
            raise
        finally:
            os.close(out)
            os.close(err)
            _, status = os.waitpid(process, 0)
        return GitResult(
            os.waitstatus_to_exitcode(status), bytes(said[out]), redact(said[err].decode("utf-8", "replace"))
        )

    def _listen(self, said: dict[int, bytearray]) -> None:
        """Take in all that is said, on all ends at once, until they are closed."""
        ends = select.poll()
        for end in said:
            ends.register(end, select.POLLIN)
        open_ends = len(said)
        while open_ends:
            left = self._until - time.monotonic()
            if left <= 0:
                raise OutOfTime
            for end, _ in ends.poll(left * 1000):
                chunk = os.read(end, _CHUNK)
                said[end] += chunk
                if not chunk:
                    ends.unregister(end)
                    open_ends -= 1
