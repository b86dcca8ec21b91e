"""How git proves who it is to Forgejo over HTTP."""

from __future__ import annotations

from base64 import b64encode


def git_authorization(token: str) -> str:
    """The header line for git's `http.<url>.extraHeader`: Basic with the token as the password.

    Forgejo accepts any user name beside a token. The value is a secret: hand it to git through `GIT_CONFIG_*`
    environment variables and bind it to the forge's own URL, so that it is never sent elsewhere.
    """
    return "Authorization: Basic " + b64encode(f"onehead:{token}".encode()).decode("ascii")
