"""What a forge answers to fetch and push, read from git's words. Pure: text in, values out."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from onehead.errors import CannotJudge, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onehead.gitrepo.process import Answer


class RemoteUnreachable(CannotJudge):
    """The forge did not answer, or broke off. Worth trying again later."""


class RemoteRefused(UsageError):
    """The forge answered and said no: no such repository for this token, or no permission. Trying again won't help."""


class PushStatus(StrEnum):
    """What became of one ref.

    `STALE`: it is not where it was expected to be, so it was left alone. `REFUSED`: a hook or a rule of the forge
    said no. `FORBIDDEN`: the token may not write.
    """

    OK = "ok"
    UP_TO_DATE = "up to date"
    STALE = "stale"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """What to do with a ref of the forge.

    Attributes:
        ref: full name.
        sha: where it shall point; `None` deletes it.
        expected: where it was last seen; `None`: it must not exist.
    """

    ref: str
    sha: str | None
    expected: str | None


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What became of one update; `text` is what git and the forge said about it, for people, empty on success."""

    ref: str
    status: PushStatus
    text: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """How a remote is reached: what goes into git's environment, and what must never be seen outside of it.

    Attributes:
        protocols: value of `GIT_ALLOW_PROTOCOL`.
        config: git configuration: the token as a header for this host only, and limits for connections that stall.
        secrets: texts to redact.
    """

    protocols: str
    config: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]


def access(url: str, token: str) -> Access:
    """How to reach a clone URL with an access token (Forgejo takes it as the password of any user name).

    Raises:
        ValueError: not http, https or file; credentials in the URL, where logs and process lists would show them;
            or a token that could not be one.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file") or not parts.path.strip("/") or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("A clone URL begins with http://, https:// or file:// and names a repository.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("A clone URL must not carry credentials; they are given separately.")
    if re.search(r"\s", token):
        raise ValueError("An access token has no white space in it.")
    # A stalled connection is given up after 30 s below 1 kB/s, long before the time limit of the whole command.
    config = [("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "30")]
    encoded = b64encode(f"onehead:{token}".encode()).decode("ascii")
    if token:
        config.append((f"http.{parts.scheme}://{parts.netloc}/.extraHeader", f"Authorization: Basic {encoded}"))
    protocols = "http:https" if parts.scheme == "http" else parts.scheme
    return Access(protocols, tuple(config), (encoded, token) if token else ())


def push_arguments(updates: Sequence[RefUpdate], remote: str = "origin") -> list[str]:
    """The arguments of `git push` for these updates, each only from where its ref is expected to be."""
    leases = [f"--force-with-lease={update.ref}:{update.expected or ''}" for update in updates]
    return ["--porcelain", *leases, "--", remote, *(f"{update.sha or ''}:{update.ref}" for update in updates)]


def read_push(answer: Answer, updates: Sequence[RefUpdate]) -> list[PushOutcome]:
    """What became of each update, in their order.

    Raises:
        RemoteUnreachable: the forge did not answer or broke off, so nothing is known.
        RemoteRefused: there is no such repository for this token.
    """
    said = remote_text(answer.err)
    found = {}
    for line in answer.out.decode("utf-8", "replace").split("\n"):
        fields = line.split("\t")
        if len(fields) == 3:
            ref = fields[1].rpartition(":")[2]
            found[ref] = _outcome(ref, fields[0], fields[2], said)
    missing = [update.ref for update in updates if update.ref not in found]
    if not missing:
        return [found[update.ref] for update in updates]
    trouble = remote_trouble(answer.err)
    if isinstance(trouble, RemoteRefused) and _FORBIDDEN.search(answer.err):
        return [PushOutcome(update.ref, PushStatus.FORBIDDEN, said or trouble.message) for update in updates]
    raise trouble or RemoteUnreachable(
        f"The push broke off before the forge said what became of {', '.join(missing)}: {_last_line(answer.err)}",
        "It is tried again with the next event or sweep.",
    )


def remote_text(err: str) -> str:
    """What the forge and its hooks said during a push: the lines git marks with `remote:`, without the mark."""
    lines = [line.removeprefix("remote:").strip() for line in err.split("\n") if line.startswith("remote:")]
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|[^\S\n]|[\x00-\x09\x0b-\x1f\x7f]", " ", "\n".join(lines)).strip()


def remote_trouble(err: str) -> RemoteUnreachable | RemoteRefused | None:
    """What the forge has to do with a failed fetch or push; `None` when the trouble seems to be on our side."""
    if _FORBIDDEN.search(err) or _NOT_FOUND.search(err):
        return RemoteRefused(
            f"The forge refused access to the repository: {_last_line(err)}",
            "Check the clone URL, that the token is valid, that it has the scope `write:repository`, "
            "and that its user may write to this repository.",
        )
    if _UNREACHABLE.search(err):
        return RemoteUnreachable(
            f"The forge could not be reached, or broke off: {_last_line(err)}",
            "It is tried again with the next event or sweep.",
        )
    return None


_FORBIDDEN = re.compile(
    r"(?i)returned error: 40[13]|HTTP 40[13]|authentication failed|terminal prompts disabled|could not read username"
)
_NOT_FOUND = re.compile(r"(?i)returned error: 404|repository '.*' not found|does not appear to be a git repository")
_UNREACHABLE = re.compile(
    r"(?i)could not resolve|failed to connect|couldn't connect|connection (?:refused|timed out|reset|was reset)"
    r"|returned error: (?:429|5\d\d)|HTTP (?:429|5\d\d)|operation too slow|empty reply|early eof|rpc failed"
    r"|unexpected disconnect|hung up|SSL|gnutls|certificate|unable to access"
)
_STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|needs force|cannot lock ref|failed to update ref"
    r"|reference already exists|remote ref updated since checkout"
)


def _outcome(ref: str, flag: str, summary: str, said: str) -> PushOutcome:
    if flag == "=":
        return PushOutcome(ref, PushStatus.UP_TO_DATE)
    if flag != "!":
        return PushOutcome(ref, PushStatus.OK)
    text = said or summary
    if "permission denied" in said.lower():
        return PushOutcome(ref, PushStatus.FORBIDDEN, text)
    if _STALE.search(summary):
        return PushOutcome(ref, PushStatus.STALE, summary)
    return PushOutcome(ref, PushStatus.REFUSED, text)


def _last_line(err: str) -> str:
    lines = [line for line in err.strip().split("\n") if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (telling or lines or ["git said nothing"])[0]
