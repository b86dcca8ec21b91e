"""From what a person wrote to a value, or to a sentence about what is wrong with it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from croniter import croniter


class BadValueError(ValueError):
    """A bad value; the text goes on after the setting's name: what is wrong, and what to do."""


class Secret:
    """Text that does not appear by accident: not in a repr, a log line, a message or a copy as a dict."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call it only where it is used."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_url(text: str) -> str | None:
    """An http(s) address without a trailing slash, its sub-path kept; `None` for none."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_address = urlsplit(""), False
    # First, because every other message repeats the value.
    if "@" in (parts.netloc or text):
        msg = "contains a user name or password. Take it out of the address; the token has its own setting."
        raise BadValueError(msg)
    if not is_address or re.search(r"\s", text):
        msg = f"is {_shown(text)}, which is not an http or https address. Write it like https://forgejo.example.org."
        raise BadValueError(msg)
    if parts.query or parts.fragment:
        msg = f"is {_shown(text)}, which has a query or a fragment. End the address before the ? or #."
        raise BadValueError(msg)
    path = parts.path.rstrip("/")
    if path.endswith("/api/v1"):
        msg = f"is {_shown(text)}, the address of the API. Leave out /api/v1; it is added where needed."
        raise BadValueError(msg)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def read_secret(text: str) -> Secret:
    """One secret, a single word."""
    if not text:
        msg = "is empty. Put the secret there."
        raise BadValueError(msg)
    if re.search(r"\s", text):
        msg = "contains a space or a line break. Give the secret alone."
        raise BadValueError(msg)
    return Secret(text)


def read_account(text: str) -> str:
    """A name as Forgejo gives to accounts, or none."""
    if text and not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        msg = f"is {_shown(text)}, which is no account's name. Write it as in the address of its page."
        raise BadValueError(msg)
    return text


def read_secrets(text: str) -> tuple[Secret, ...]:
    """Secrets separated by commas or line breaks; at least one, for an empty one would accept any signature."""
    secrets = tuple(Secret(part.strip()) for part in re.split(r"[,\n]", text) if part.strip())
    if not secrets:
        msg = "holds no secret. Give the one that the webhook was created with."
        raise BadValueError(msg)
    return secrets


_SHORTEST_REPORT_SECRET = 24


def read_report_secrets(text: str) -> tuple[Secret, ...]:
    """As above, or none; a short one could be guessed by whoever holds a key that was derived from it."""
    secrets = tuple(Secret(part.strip()) for part in re.split(r"[,\n]", text) if part.strip())
    if any(len(secret.reveal()) < _SHORTEST_REPORT_SECRET for secret in secrets):
        msg = f"is shorter than {_SHORTEST_REPORT_SECRET} characters. Make a random one: openssl rand -hex 32"
        raise BadValueError(msg)
    return secrets


def read_address(text: str) -> tuple[str, int]:
    """`host:port`, `[ipv6]:port` or `:port` for every interface; port 0 lets the system choose."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]*)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        msg = f"is {_shown(text)}, which is not host:port. Write it like 127.0.0.1:8686 or [::1]:8686."
        raise BadValueError(msg)
    return match[1] or match[2] or "0.0.0.0", int(match[3])  # noqa: S104 - only when asked for with ":port"


TOPIC = "topic:"
"""What stands before the name of a topic, among patterns for repositories."""


def read_globs(text: str) -> tuple[str, ...]:
    """Patterns for `owner/name`, or `topic:NAME`, separated by commas."""
    globs = tuple(part.strip() for part in text.split(",") if part.strip())
    bad = [glob for glob in globs if not re.fullmatch(rf"[^/\s]+/[^/\s]+|{TOPIC}[^/\s]+", glob)]
    if bad or not globs:
        shown = _shown(", ".join(bad) or text)
        msg = f"has {shown}, which is not a pattern for owner/name. Write it like acme/*, acme/shop or topic:alembic."
        raise BadValueError(msg)
    return globs


def read_sweep(text: str) -> str | None:
    """A cron expression of five fields (or `@hourly` and its kin) that has a next time; `None` for `off`."""
    if text.lower() == "off":
        return None
    try:
        if len(text.split()) not in {1, 5}:
            raise ValueError(text)
        croniter(text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (ValueError, KeyError, AttributeError, IndexError) as error:
        msg = (
            f"is {_shown(text)}, which is no cron expression that ever comes true. "
            "Write five fields like */15 * * * *, or off."
        )
        raise BadValueError(msg) from error
    return text


def read_cache_dir(text: str) -> Path:
    """A directory; need not exist yet."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        msg = f"is {_shown(text)}, but there is no such home directory. Name a directory by its full path."
        raise BadValueError(msg) from error
    if path.exists() and not path.is_dir():
        msg = f"is {_shown(text)}, which is a file. Name a directory; it is created when missing."
        raise BadValueError(msg)
    return path.absolute()


def read_database_url(text: str) -> Secret | None:
    """Address of a PostgreSQL database, kept like a secret because it usually holds a password."""
    if not text:
        return None
    if not re.match(r"postgres(ql)?://", text):
        msg = "does not begin with postgresql://. Give the address of a PostgreSQL database, or leave it empty."
        raise BadValueError(msg)
    return Secret(text)


def read_log(text: str) -> str:
    """`console` or `json`."""
    if text.lower() not in {"console", "json"}:
        msg = f"is {_shown(text)}. Choose console or json."
        raise BadValueError(msg)
    return text.lower()


def _shown(text: str) -> str:
    """A value short enough to be read in a message."""
    return repr(text if len(text) <= 80 else text[:79] + "…")
