"""What can go wrong between Forgejo and us, one type for each thing that a caller may want to handle."""

from __future__ import annotations

from onehead.errors import OneheadError

BOT_SCOPES = ("write:repository", "write:issue", "read:user")
"""What the bot's token needs: code, pull requests and statuses; comments; its own name."""


class ForgeError(OneheadError):
    """Forgejo did not do what was asked.

    Attributes:
        status: the HTTP status, 0 where there was no answer.
    """

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
    """403: the account may, its token may not.

    Attributes:
        scopes: the scopes that Forgejo names; one of them is enough.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "", *, scopes: tuple[str, ...], status: int = 403) -> None:
        super().__init__(message, hint, status=status)
        self.scopes = scopes


class NotFound(ForgeError):
    """404: it does not exist, or the account may not see it (Forgejo tells no difference)."""


class Conflict(ForgeError):
    """409 or 412: the state of the forge is another than the caller thought."""


class TooSoon(ForgeError):
    """Forgejo is still working on something we caused: the same request will pass in a moment."""


class Archived(ForgeError):
    """423: the repository is archived, nothing can be written."""


class Refused(ForgeError):
    """Forgejo understood and declined: 400, 405, 413, 422 and whatever else has no type of its own."""


class Unavailable(ForgeError):
    """No answer, 429 or 5xx, also after several tries: worth another try later.

    Attributes:
        retry_after: seconds that Forgejo, or a proxy before it, asks us to wait.
    """

    def __init__(self, message: str, hint: str = "", *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint, status=status)
        self.retry_after = retry_after


class NotUnderstood(ForgeError):
    """What came from Forgejo is not what Forgejo sends: an answer or a webhook delivery (HTTP 400 for its sender)."""


class BadSignature(ForgeError):
    """A webhook delivery that nobody who knows the secret has signed (HTTP 401 for its sender)."""
