"""What the tests may ask of a Forgejo, whichever it is: the stand-in, or a real one.

Everything a user could do is done over the forge's own REST API (administration.py); only what no API offers is
in this protocol: the list of deliveries, losing webhooks, and places on disk.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.forgejos.administration import Administration

Result = TypeVar("Result")

BOT_SCOPES = ("write:repository", "write:issue", "read:user")


@dataclass(frozen=True, slots=True)
class Account:
    """A user with a token. `password` also opens the API (Basic), without any scopes."""

    id: int
    name: str
    email: str
    password: str
    token: str


@dataclass(frozen=True, slots=True)
class SentDelivery:
    """One attempt to deliver a webhook, as the forge's own page of a hook shows it."""

    uuid: str
    event_type: str  # the fine name, such as pull_request_sync
    body: bytes
    status: int  # 0 when nobody answered, or when it was never sent


class Forgejo(Protocol):
    """A running Forgejo."""

    name: str  # for test ids: "stand-in", "forgejo-15", …
    url: str  # without a slash at the end
    admin: Administration  # acts as the site administrator

    def deliveries(self) -> list[SentDelivery]:
        """Give all deliveries so far, oldest first."""
        ...

    def lose_webhooks(self, lost: bool) -> None:
        """Stop (or resume) sending webhooks: what happens meanwhile is never delivered."""
        ...

    def wait_until_quiet(self) -> None:
        """Wait until what was done so far has had its effects: pushes followed, conflicts looked for, webhooks sent.

        Only the stand-in knows for sure; a real Forgejo is watched until nothing has happened for a while.
        """
        ...

    def bare_repository(self, owner: str, name: str) -> Path:
        """Say where a repository lies on disk, to put hooks there."""
        ...

    def server_hooks(self) -> Path | None:
        """Name the folder whose pre-receive scripts run for every repository; None before version 16."""
        ...

    def stop(self) -> None:
        """End the forge and leave nothing behind."""
        ...


def eventually(look: Callable[[], Result], *, within: float = 15.0) -> Result:
    """Ask again and again until the answer is true in Python's sense, and give it.

    Raises:
        AssertionError: it did not become true in time; the last answer is in the message.
    """
    deadline = time.monotonic() + within
    pause = 0.01
    while not (result := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {result!r} after {within} seconds")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return result
