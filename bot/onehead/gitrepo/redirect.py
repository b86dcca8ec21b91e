"""Redirects of a server that git talks to: they are never followed, and this says where one leads.

Git would follow, with the token for the first server in the header of every later request to the second one, and take
that one's content for the repository's.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from onehead.gitrepo.errors import GitTimeout
from onehead.gitrepo.remote import RemoteUnreachable

if TYPE_CHECKING:
    from onehead.gitrepo.command import Git
    from onehead.gitrepo.process import Answer

SOMEWHERE = "another address"
_REDIRECTED = re.compile(r"(?:returned error:|HTTP) 30[0-35-8]\b")
_LONGEST_WAIT = 30.0


class RemoteRedirects(RemoteUnreachable):
    """The forge answered that the repository is at another address. The token is never taken there."""


def refuse_redirect(git: Git, remote: str, answer: Answer) -> None:
    """Say where a redirect of the forge leads that git has not followed.

    Args:
        git: the door that was used.
        remote: name or URL of the remote.
        answer: how git ended.

    Raises:
        RemoteRedirects: it ended because of a redirect.
    """
    where = destination(git, remote, answer)
    if where is not None:
        named = "" if where == SOMEWHERE else f", {where}"
        raise RemoteRedirects(
            f"The forge sends git to another address{named}. No redirect is followed: the token would go there too.",
            "If that is your forge, set ONEHEAD_FORGEJO_URL to the address that it answers at itself.",
        )


def destination(git: Git, remote: str, answer: Answer) -> str | None:
    """Where the server wanted git to go: an address without credentials and query, or `SOMEWHERE`.

    Git itself does not tell, so the same server is asked once more, in a way that shows its headers.

    Args:
        git: the door that was used.
        remote: name or URL of the remote.
        answer: how git ended.

    Returns:
        `None` where there was no redirect.
    """
    if answer.code == 0 or not _REDIRECTED.search(answer.err):
        return None
    told = ""
    with suppress(GitTimeout):
        door = git.variant(environment={"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"})
        told = door.ask("ls-remote", "--", remote, "HEAD", timeout=min(git.timeout, _LONGEST_WAIT)).err
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
