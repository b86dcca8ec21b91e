"""Refs of a forge's repository, listed and deleted without a copy of it."""

from __future__ import annotations

from collections.abc import Callable

from onehead.gitrepo.command import Git
from onehead.gitrepo.errors import explain
from onehead.gitrepo.redirect import refuse_redirect
from onehead.gitrepo.remote import PushOutcome, RefUpdate, access, push_arguments, read_push, remote_trouble
from onehead.throwaway import throwaway

_TIMEOUT = 60.0


def delete_refs(url: str, token: str, pattern: str, chosen: Callable[[str], bool]) -> list[PushOutcome]:
    """Delete some refs, each only as it was seen, and say what became of each.

    Args:
        url: clone URL (http, https or file) without credentials.
        token: access token; used in memory only.
        pattern: which refs are looked at: full names, `*` for the rest of one (`refs/onehead/*`).
        chosen: which of these are to go, by full name.

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
