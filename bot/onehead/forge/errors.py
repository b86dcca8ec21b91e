"""The errors of talking to Forgejo, and which answer becomes which error. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from onehead.errors import OneheadError

BOT_SCOPES = ("write:repository", "write:issue", "read:user")
"""What the bot's token needs: code, pull requests and statuses; comments; its own name."""


class ForgeError(OneheadError):
    """Forgejo did not do what was asked; the HTTP `status` is 0 where there was no answer."""

    def __init__(self, message: str, hint: str = "", *, status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


class Unauthorised(ForgeError):
    """401: the token is wrong, expired or missing."""

    exit_code = 2


class Forbidden(ForgeError):
    """403: the account or its token may not do this."""

    lasting = True


class Blocked(Forbidden):
    """403: the author of the page, of the comment, or the owner of the repository has blocked the account."""


class Locked(Forbidden):
    """403: the conversation is locked, and the account may not write there all the same."""


class MissingScope(Forbidden):
    """403: the account may, its token may not; Forgejo names `scopes`, one of which is enough."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "", *, scopes: tuple[str, ...], status: int = 403) -> None:
        super().__init__(message, hint, status=status)
        self.scopes = scopes


class NotFound(ForgeError):
    """404: it does not exist, or the account may not see it (Forgejo tells no difference)."""


class StateConflict(ForgeError):
    """409 or 412: the state of the forge is another than the caller thought."""


class TooSoon(ForgeError):
    """Forgejo is still working on something we caused: the same request will pass in a moment."""


class Archived(ForgeError):
    """423: the repository is archived, nothing can be written."""


class Refused(ForgeError):
    """Forgejo understood and declined: 400, 405, 413, 422 and whatever else has no type of its own."""


class Unavailable(ForgeError):
    """No answer, 429 or 5xx, also after several tries: worth another try later.

    `retry_after`: seconds that Forgejo, or a proxy before it, asks us to wait.
    """

    def __init__(self, message: str, hint: str = "", *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint, status=status)
        self.retry_after = retry_after


class NotUnderstood(ForgeError):
    """What came from Forgejo is not what Forgejo sends: an answer or a webhook delivery (HTTP 400 for its sender)."""


class BadSignature(ForgeError):
    """A webhook delivery that nobody who knows the secret has signed (HTTP 401 for its sender)."""


_SCOPES = re.compile(r"required scope\(s\):?\s*\[([^\]]*)\]")
_TOKENS_PAGE = "Forgejo → Settings → Applications → Access tokens"
_NEW_TOKEN = (
    f"Make a new token for the bot's account ({_TOKENS_PAGE}; the scopes of an existing one can't be changed) "
    f"with {', '.join(BOT_SCOPES)}, and give it to onehead as ONEHEAD_TOKEN."
)

_LATER = "onehead tries again later; if it stays so, look at Forgejo's log and at the proxy before it."
_MOVED_ON = "Something has changed meanwhile: look at the current state and try again."
_MAY_NOT = (
    "Forgejo's answer says why. Most often the bot's account lacks write access to the repository "
    "(Settings → Collaborators)."
)
_UNBLOCK = (
    "Whoever wrote that page or comment, or owns the repository, has blocked the bot's account; only they can lift it "
    "(their Settings → Blocked users). Statuses and repairs don't depend on it."
)
_UNLOCK = "Unlock the conversation, or let the bot's account write issues and pull requests, not only code."
# Forgejo's own words: models/user/block.go, `issues.comment_on_locked`, routers/api/v1/repo/issue_reaction.go.
_WORDS_OF_403: tuple[tuple[str, type[Forbidden], str], ...] = (
    ("is blocked by", Blocked, _UNBLOCK),
    ("comment on a locked issue", Locked, _UNLOCK),
    ("no permission to change reaction", Locked, _UNLOCK),
)
_PLAIN: dict[int, tuple[type[ForgeError], str]] = {
    404: (
        NotFound,
        "Check the name and the rights of the bot's account: for what is private or switched off it is 404 as well.",
    ),
    409: (StateConflict, _MOVED_ON),
    412: (StateConflict, _MOVED_ON),
    423: (Archived, "Unarchive the repository in its settings, or take it out of onehead's scope."),
}


def refusal(
    status: int, request: str, answer: str, retry_after: float | None = None, forge: str = "Forgejo"
) -> ForgeError:
    """The error that stands for an answer of 4xx or 5xx to a request such as `GET /user`.

    Forgejo's message may be empty: its 5xx answers are blank for everybody but administrators.
    """
    said = f"{forge} answered {status} to {request}" + (f": {answer.rstrip('. ')}." if answer else ".")
    if status == 401:
        return Unauthorised(f"{said} It does not accept the token.", _NEW_TOKEN, status=status)
    if status == 403:
        return _forbidden(said, answer)
    if status == 429 or status >= 500:
        return Unavailable(said, _LATER, status=status, retry_after=retry_after)
    if status == 405 and "try again later" in answer.lower():
        return TooSoon(said, "Forgejo is still checking for conflicts; try again in a second.", status=status)
    kind, hint = _PLAIN.get(status, (Refused, "Forgejo understood the request and declined it."))
    return kind(said, hint, status=status)


def _forbidden(said: str, answer: str) -> ForgeError:
    scopes = _SCOPES.search(answer)
    if scopes:
        named = tuple(re.findall(r"[^\s,]+", scopes[1]))
        return MissingScope(f"{said} The token lacks the scope {' or '.join(named)}.", _NEW_TOKEN, scopes=named)
    if "limited to public" in answer:
        return Forbidden(f"{said} The token is for public repositories only.", _NEW_TOKEN, status=403)
    for words, kind, hint in _WORDS_OF_403:
        if words in answer.lower():
            return kind(said, hint, status=403)
    return Forbidden(said, _MAY_NOT, status=403)


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """The value of `Retry-After`, given as seconds or as a date; `None` when it is absent or makes no sense."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    moment = http_date(header)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment that a header such as `Date` names; `None` when it makes no sense."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
