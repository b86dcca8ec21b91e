"""The open pull requests of the repository that a clone came from, where its forge can be asked.

A token is only sent where a setting names the forge, or where git itself sends it: in the address of the remote.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from onehead.errors import OneheadError, UsageError
from onehead.examine import naming
from onehead.examine.evidence import bare_name
from onehead.examine.next_revision import OpenPull, OpenPulls
from onehead.forge.models import PullRequest, RepositoryName
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import OriginSilent
from onehead.gitrepo.refs import HEADS, Ref, is_here, list_refs
from onehead.settings import read_url, secret_told, told
from onehead.text import listed, mask_urls

_LONGEST_PAUSE = 1.0
"""Seconds between two tries: somebody waits for the answer."""

MAX_FETCHED = 500
"""Pull requests whose commits are fetched where they are not here."""


class ForgeAccess(NamedTuple):
    """Where a forge is, what opens it, and which repository is meant."""

    url: str
    token: str
    repository: RepositoryName


class AskedForge(NamedTuple):
    """What the forge says; `pulls` is `None` where it could not be asked, and `trouble` says why, as a clause.

    Where it could, `trouble` says what is missing nevertheless. `reports` is what databases have reported of
    themselves, where any has.
    """

    pulls: OpenPulls | None
    trouble: str = ""
    reports: Ref | None = None


class NoAccess(Exception):
    """Why the forge can't be asked: a clause."""


def ask_forge(git: Git, branches: Collection[str], remote: str = "origin") -> AskedForge:
    """Ask for the open pull requests, and have their commits in the repository.

    `branches` are short names of what is checked out, so that its own pull request is known; `remote` is the one of the
    repository into which it is proposed.
    """
    try:
        access = access_to(_address_of(git, remote), remote)
        listed_pulls = _listed(access)
    except NoAccess as reason:
        return AskedForge(None, str(reason))
    except UsageError:
        raise
    except OneheadError as error:
        return AskedForge(None, error.message[0].lower() + error.message[1:].rstrip("."))
    tips = {ref.sha for ref in list_refs(git, HEADS, "refs/remotes") if bare_name(ref.name) in branches}
    mine = [pull for pull in listed_pulls if _is_mine(pull, branches, tips)]
    others = [
        OpenPull(pull.number, pull.head.sha, pull.author.login, pull.head.ref if pull.is_local else "")
        for pull in listed_pulls
        if pull not in mine and not pull.head.ref.startswith(naming.BRANCHES)
    ]
    unread = _bring(git, others, remote)
    numbers = listed([f"#{each.number}" for each in others if each.number in unread])
    troubles = [f"{numbers} could not be read: {next(iter(unread.values()))}"] if unread else []
    reports = None
    try:
        reports = _reports(git, remote)
    except OriginSilent as silence:
        troubles.append(f"what databases have reported could not be read: {_silent(silence, remote)}")
    here = tuple(each for each in others if each.number not in unread)
    mine_first = min((pull.number for pull in mine), default=None)
    return AskedForge(OpenPulls(here, mine_first), "; ".join(troubles), reports)


def _reports(git: Git, remote: str) -> Ref | None:
    """What databases have reported, fetched where it is not here: none of that may be moved."""
    from onehead.gitrepo.remote import Origin  # noqa: PLC0415 - as below

    origin = Origin(git, remote=remote)
    sha = origin.tip(naming.DATABASES)
    if sha is None:
        return None
    if not is_here(git, sha):
        origin.bring_refs(naming.DATABASES)
    return Ref(naming.DATABASES, sha)


def _silent(silence: OriginSilent, remote: str) -> str:
    return f"{remote} could not be asked ({silence.message})"


def access_to(address: str, remote: str = "origin") -> ForgeAccess:
    """How to ask the forge about the repository that is at this address.

    Raises:
        NoAccess: nothing says where the forge is, or there is no token for it.
        UsageError: a setting is wrong.
    """
    place = _address(address)
    path = place.path.strip("/").removesuffix(".git").split("/")
    if place.scheme not in ("http", "https", "ssh") or len(path) < 2:
        raise NoAccess(f"{remote} is at no forge" if address else f"there is no remote named {remote}")
    repository = RepositoryName(unquote(path[-2]), unquote(path[-1]))
    try:
        url = read_url(told("FORGEJO_URL")) or ""
    except ValueError as reason:
        raise UsageError(f"ONEHEAD_FORGEJO_URL {reason}") from reason
    token = secret_told("TOKEN")
    if url and token:
        if place.scheme != "ssh" and place.hostname != urlsplit(url).hostname:
            raise NoAccess(f"{remote} is at {place.hostname}, and not at ONEHEAD_FORGEJO_URL")
        return ForgeAccess(url, token, repository)
    secret = place.password or place.username
    if place.scheme != "ssh" and secret:
        where = place.netloc.rpartition("@")[2]
        below = "".join(f"/{part}" for part in path[:-2])
        return ForgeAccess(f"{place.scheme}://{where}{below}", unquote(secret), repository)
    raise NoAccess("ONEHEAD_FORGEJO_URL and ONEHEAD_TOKEN are not both set")


def _address(text: str) -> SplitResult:
    """An address as git takes it, also in the form `git@host:owner/name`."""
    short = re.fullmatch(r"(?:[^@/\s]+@)?([^:/\s]+):(?!//)(\S+)", text)
    try:
        return urlsplit(f"ssh://{short[1]}/{short[2]}" if short else text)
    except ValueError:
        return urlsplit("")


def _address_of(git: Git, remote: str) -> str:
    answer = git.ask("remote", "get-url", "--", remote)
    return answer.out.decode("utf-8", "replace").strip() if answer.code == 0 else ""


def _listed(access: ForgeAccess) -> list[PullRequest]:
    # Only here: most who ask have no token, and httpx takes a while to load.
    from onehead.forge.api import ForgejoApi  # noqa: PLC0415
    from onehead.forge.client import Connection  # noqa: PLC0415

    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, _LONGEST_PAUSE))

    try:
        with ForgejoApi(Connection(access.url, access.token, sleep=sleep)) as api:
            return list(api.open_pulls(access.repository))
    except UsageError as error:
        raise UsageError(mask_urls(error.message), error.hint) from error


def _is_mine(pull: PullRequest, branches: Collection[str], tips: Collection[str]) -> bool:
    """Whether it proposes what is checked out; of a fork, its commit decides."""
    if not {pull.head.ref, pull.head.label.rpartition(":")[2]}.intersection(branches):
        return False
    return pull.is_local or pull.head.sha in tips


def _bring(git: Git, pulls: list[OpenPull], remote: str) -> dict[int, str]:
    """Fetch the commits that are not here; number → why it can't be read."""
    missing = [pull for pull in pulls if not is_here(git, pull.sha)]
    if not missing:
        return {}
    from onehead.gitrepo.remote import Origin  # noqa: PLC0415 - mostly all of them are here

    why = f"{remote} does not have what the forge names; ask again"
    try:
        Origin(git, remote=remote).bring_refs(*(pull.ref for pull in missing[:MAX_FETCHED]))
    except OriginSilent as trouble:
        why = _silent(trouble, remote)
    return {pull.number: why for pull in missing if not is_here(git, pull.sha)}
