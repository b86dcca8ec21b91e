"""The remote of a repository: what it answers, what it has and this clone lacks, and its refs.

No redirect is followed: git would take the token along, and the other server's content for the repository's.

A person's clone is completed only where they or a CI job asked for it (`cli/sides.py`). Nothing but objects is added,
and the note of where history is cut off is moved back: no ref, no work tree and no configuration changes.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from onehead.errors import CannotJudge, UsageError
from onehead.gitrepo.git import Git, conversation
from onehead.gitrepo.process import GitTimeout, OriginSilent, ShallowHistory, explain
from onehead.gitrepo.refs import Ref, is_here, is_shallow, merge_base
from onehead.throwaway import throwaway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onehead.gitrepo.process import GitResult


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


class RefUpdate(NamedTuple):
    """Where a ref shall point (`None` deletes it), and where it was last seen (`None`: it must not exist)."""

    ref: str
    sha: str | None
    expected: str | None


class PushOutcome(NamedTuple):
    """What became of one update; `text` is what git and the forge said about it, for people, empty on success."""

    ref: str
    status: PushStatus
    text: str = ""


_STALLED = (("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "30"))
"""A connection below 1 kB/s for 30 seconds is given up, long before the time limit of the whole command."""


class Access(NamedTuple):
    """How a remote is reached: the value of `GIT_ALLOW_PROTOCOL`, and texts to redact.

    The configuration holds the token as a header for this host only, and limits for connections that stall.
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
    config = [*_STALLED]
    encoded = b64encode(f"onehead:{token}".encode()).decode("ascii")
    if token:
        config.append((f"http.{parts.scheme}://{parts.netloc}/.extraHeader", f"Authorization: Basic {encoded}"))
    protocols = "http:https" if parts.scheme == "http" else parts.scheme
    return Access(protocols, tuple(config), (encoded, token) if token else ())


def push_arguments(updates: Sequence[RefUpdate], remote: str = "origin") -> list[str]:
    """The arguments of `git push` for these updates, each only from where its ref is expected to be."""
    leases = [f"--force-with-lease={update.ref}:{update.expected or ''}" for update in updates]
    return ["--porcelain", *leases, "--", remote, *(f"{update.sha or ''}:{update.ref}" for update in updates)]


def read_push(answer: GitResult, updates: Sequence[RefUpdate]) -> list[PushOutcome]:
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


SOMEWHERE = "another address"
_REDIRECTED = re.compile(r"(?:returned error:|HTTP) 30[0-35-8]\b")
_MAX_WAIT = 30.0


class RemoteRedirects(RemoteUnreachable):
    """The forge answered that the repository is at another address. The token is never taken there."""


def refuse_redirect(git: Git, remote: str, answer: GitResult) -> None:
    """Say where a redirect of the forge leads that git has not followed.

    Raises:
        RemoteRedirects: git ended because of a redirect.
    """
    where = destination(git, remote, answer)
    if where is not None:
        named = "" if where == SOMEWHERE else f", {where}"
        raise RemoteRedirects(
            f"The forge sends git to another address{named}. No redirect is followed: the token would go there too.",
            "If that is your forge, set ONEHEAD_FORGEJO_URL to the address that it answers at itself.",
        )


def destination(git: Git, remote: str, answer: GitResult) -> str | None:
    """Where the server wanted git to go: an address without credentials and query, or `SOMEWHERE`; `None`: nowhere.

    Git itself does not tell, so the same server is asked once more, in a way that shows its headers.
    """
    if answer.code == 0 or not _REDIRECTED.search(answer.err):
        return None
    told = ""
    with suppress(GitTimeout):
        traced = git.variant(environment={"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"})
        told = traced.ask("ls-remote", "--", remote, "HEAD", timeout=min(git.timeout, _MAX_WAIT)).err
    location = re.search(r"(?im)recv header: location: *(\S+)", told)
    asked = re.search(r"unable to access '([^']+)'", answer.err)
    if location is None:
        return SOMEWHERE
    try:
        parts = urlsplit(urljoin(asked[1] if asked else "", location[1]))
    except ValueError:
        return SOMEWHERE
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.removesuffix('/info/refs')}" if host else SOMEWHERE


_TIMEOUT = 60.0


def delete_refs(url: str, token: str, pattern: str, chosen: Callable[[str], bool]) -> list[PushOutcome]:
    """Delete some refs, each only as it was seen, and say what became of each.

    Looked at are those of a pattern, such as `refs/onehead/*`; those that are `chosen` by their full name go.

    Raises:
        ValueError: the URL or token can't be one.
        RemoteUnreachable: the forge does not answer.
        RemoteRefused: no such repository for this token.
    """
    reach = access(url, token)
    with throwaway("refs") as place:
        git = Git.of_our_own(place, timeout=_TIMEOUT, secrets=reach.secrets)
        git = git.variant(environment={"GIT_ALLOW_PROTOCOL": reach.protocols}, config=reach.config)
        answer = git.ask("ls-remote", "--refs", "--", url, pattern)
        refuse_redirect(git, url, answer)
        if answer.code != 0:
            raise remote_trouble(answer.err) or explain("ls-remote", url, answer.code, answer.err)
        lines = [line.split("\t") for line in answer.out.decode("utf-8", "surrogateescape").splitlines()]
        updates = [RefUpdate(ref, None, sha) for sha, ref in lines if chosen(ref)]
        if not updates:
            return []
        # A repository whose ids have another length would be refused.
        form = "sha256" if any(len(sha) == 64 for sha, _ in lines) else "sha1"
        git.run("init", "--quiet", "--bare", f"--object-format={form}")
        answer = git.ask("push", *push_arguments(updates, url))
        refuse_redirect(git, url, answer)
        return read_push(answer, updates)


PATIENCE = 300.0
"""Seconds that everything asked of origin may take together."""
_PROTOCOLS = "file:git:http:https:ssh"
"""Those that git itself allows by default; the others start a program that the configuration names."""
QUIETLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
NO_REFS = ("--refmap=", "--no-prune", "--no-prune-tags")
"""For a fetch of objects that changes no ref."""
ALONE = (("fetch.negotiationAlgorithm", "noop"),)
"""For a fetch of single objects, as git itself fetches one that is missing: what is here says nothing about them."""
_FIRST_STEP = 50
"""Commits. Most branches are younger; each further step is ten times as deep, and the third is all there is."""
_ALL = 2147483647
"""What git itself takes for an endless depth."""
_MAX_ROUNDS = 4
"""One fetch brings all that is missing, as far as it can be seen; trees that come with it may show more."""


class Advertised(NamedTuple):
    """What origin has; no default branch where HEAD names none, and a tag is followed to what it tags."""

    default_branch: str
    refs: dict[str, str]

    def tip(self, branch: str) -> str | None:
        """Where a branch is now."""
        return self.refs.get(f"refs/heads/{branch}")


class Origin:
    """A remote of a checkout, `origin` unless another is named, reached with the credentials that the checkout has."""

    def __init__(self, git: Git, *, seconds: float = PATIENCE, remote: str = "origin") -> None:
        """Name the checkout; nothing is asked yet."""
        self._git = git
        self._remote = remote
        self._talking = git.as_the_person(_PROTOCOLS).variant(config=_STALLED)
        self._end = time.monotonic() + seconds
        self._seconds = seconds

    @cached_property
    def advertised(self) -> Advertised:
        """What origin has now; asked once.

        Raises:
            OriginSilent: it can't be asked.
        """
        out = self._talk("ls-remote", "--symref", "--", self._remote, "HEAD", "refs/heads/*", "refs/tags/*")
        default, refs = "", {}
        for line in out.decode("utf-8", "surrogateescape").split("\n")[:-1]:
            value, _, name = line.partition("\t")
            if name == "HEAD" and value.startswith("ref: "):
                default = value.removeprefix("ref: refs/heads/")
            elif name.startswith(("refs/heads/", "refs/tags/")):
                # The commit of an annotated tag comes after the tag itself.
                refs[name.removesuffix("^{}")] = value
        return Advertised(default, refs)

    def bring(self, *commits: str) -> None:
        """Have one commit, or two and their common history, in the clone, as far as origin has them.

        Raises:
            OriginSilent: origin can't be asked, or has no such commit.
        """
        for depth in self._depths():
            if self._is_known(*commits):
                break
            self._talk("fetch", *QUIETLY, *NO_REFS, *depth, "--", self._remote, *commits)
        self._complete(commits)

    def tip(self, name: str) -> str | None:
        """What a ref of origin points to, by its full name; `None` where there is none.

        Raises:
            OriginSilent: it can't be asked.
        """
        out = self._talk("ls-remote", "--refs", "--", self._remote, name).decode("utf-8", "surrogateescape")
        return next((sha for sha, _, ref in (line.partition("\t") for line in out.splitlines()) if ref == name), None)

    def bring_refs(self, *names: str) -> None:
        """Have what refs of origin point to, such as `refs/pull/12/head`; no ref of the clone changes.

        Raises:
            OriginSilent: origin can't be asked, or lacks one of them.
        """
        self._talk("fetch", *QUIETLY, *NO_REFS, "--", self._remote, *names)

    def elsewhere(self) -> tuple[list[Ref], list[str]]:
        """Branches and tags of origin, whatever this clone calls them or has no name for.

        A checkout step fetches commits and hardly any names: a commit that is here may be on other branches all the
        same. Those whose commit is here come first, as a clone of everything would call them; then the full names,
        as on origin, of those whose commit is not.

        Raises:
            OriginSilent: it can't be asked.
        """
        refs = self.advertised.refs
        shas = sorted(set(refs.values()))
        with conversation(self._git) as objects:
            found = dict(zip(shas, objects.look_up(shas), strict=True))
        here, absent = [], []
        for name, sha in refs.items():
            info = found[sha]
            if info is None:
                absent.append(name)
            elif info.kind == "commit":
                here.append(Ref(name.replace("refs/heads/", "refs/remotes/origin/", 1), sha))
        return here, absent

    def _depths(self) -> Iterator[tuple[str, ...]]:
        """How deep to fetch, from step to step."""
        if not is_shallow(self._git):
            yield ()
            return
        # Deeper than all that is there, so that no step cuts off what the clone has.
        depth = _FIRST_STEP + int(self._git.run("rev-list", "--count", "--all"))
        yield (f"--depth={depth}",)
        yield (f"--depth={10 * depth}",)
        yield (f"--depth={_ALL}",)

    def _is_known(self, *commits: str) -> bool:
        if not all(is_here(self._git, sha) for sha in commits):
            return False
        try:
            if len(commits) > 1:
                merge_base(self._git, *commits)
        except ShallowHistory:
            return False
        return True

    def _complete(self, commits: tuple[str, ...]) -> None:
        """Fetch what a partial clone has left out of the trees that are to be compared."""
        if self._git.ask("config", "--get", "remote.origin.promisor").out.strip() != b"true":
            return
        base = merge_base(self._git, *commits) if len(commits) > 1 else None
        roots = (*commits, *([base] if base else []))
        for _ in range(_MAX_ROUNDS):
            out = self._git.run("rev-list", "--objects", "--no-walk", "--missing=print", *roots)
            missing = [line[1:] for line in out.splitlines() if line.startswith(b"?")]
            if not missing:
                return
            # All of them at once, and trees with all that is in them: what the clone has of a tree can't be told to
            # origin.
            alone = self._talking.variant(config=ALONE)
            options = (*QUIETLY, *NO_REFS, "--no-filter", "--stdin")
            self._talk("fetch", *options, "--", self._remote, data=b"\n".join([*missing, b""]), git=alone)

    def _talk(self, *args: str, data: bytes = b"", git: Git | None = None) -> bytes:
        left = max(self._end - time.monotonic(), 0.01)
        talking = git or self._talking
        try:
            answer = talking.ask(*args, data=data, timeout=left)
        except GitTimeout:
            raise OriginSilent(f"{self._remote} did not answer within {self._seconds:g} seconds") from None
        if answer.code != 0:
            where = destination(talking, self._remote, answer)
            if where is not None:
                raise OriginSilent(
                    f"{self._remote} redirects to {where}; git would send credentials there, so onehead does not "
                    f"follow; if {self._remote} has moved, run `git remote set-url {quote(self._remote)} NEW-ADDRESS`"
                )
            lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
            telling = sorted(lines, key=lambda line: (not line.startswith("fatal:"), not line.startswith("error:")))
            raise OriginSilent((telling or [f"git {args[0]} failed and said nothing"])[0])
        return answer.out
