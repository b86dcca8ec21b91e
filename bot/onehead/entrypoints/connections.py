"""Connections to the HTTP door, within limits of number and time: strangers who say nothing keep nobody else out.

uvicorn bounds neither how many connections there are nor how long the head of a request may take. Both run into the
limit of open files, at which nothing is accepted any more.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 512
"""At once. Beyond that, the one that has been sending its request for longest is closed."""

MAX_WAITING = 128
"""Connections that the system holds until they are accepted: all of them in one go, before any is closed."""

SECONDS_FOR_HEAD = 10.0
"""From the beginning of a connection, or the last answer on it, until the head of a request is complete."""

SECONDS_BETWEEN_WARNINGS = 60.0

_FILES = 2 * (MAX_CONNECTIONS + MAX_WAITING)
"""Open files: as many again for git, the forge and everything else."""

log = structlog.get_logger(__name__)


def allow_files() -> None:
    """Raise the limit of open files to what the connections may need, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class BoundedConnections(H11Protocol):
    """One connection, which knows of the others of its server.

    It is incomplete from its first moment, or the last answer, until all of a request has arrived.
    """

    _incomplete: dict[BoundedConnections, None] = {}  # noqa: RUF012 - of all connections, the longest incomplete first
    _last_warning = float("-inf")
    _has_head = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept it, in the place of another where there are too many."""
        super().connection_made(transport)
        self._expect()
        if len(self.connections) > MAX_CONNECTIONS:
            oldest = next(iter(self._incomplete))
            oldest.close()
            BoundedConnections._warn(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._has_arrived()
        self._stop_clock()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come, and see how far the request is."""
        cycle = self.cycle
        super().handle_events()
        if self.cycle is not cycle:
            self._stop_clock()
            self._has_head = True
        if self._has_head and not self.cycle.more_body:
            self._has_arrived()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if not self.transport.is_closing():
            self._expect()
        super().on_response_complete()

    def _expect(self) -> None:
        self._incomplete[self] = None
        self._has_head = False
        self._stop_clock()
        self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, self.close)

    def _has_arrived(self) -> None:
        self._incomplete.pop(self, None)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def close(self) -> None:
        """End it without an answer: nothing was asked yet."""
        self._has_arrived()
        self.transport.abort()

    @classmethod
    def _warn(cls, now: float) -> None:
        if now - cls._last_warning >= SECONDS_BETWEEN_WARNINGS:
            cls._last_warning = now
            log.warning(
                "There are too many connections at once; those that have been sending their request for longest are "
                "closed. Put a proxy before the service that only Forgejo and deploy jobs can reach.",
                most=MAX_CONNECTIONS,
            )


def limits() -> dict[str, Any]:
    """The arguments of uvicorn's configuration that bound connections."""
    return {"http": BoundedConnections, "backlog": MAX_WAITING, "timeout_keep_alive": 5}
