"""How the service is: what it last heard from the forge, from its engine and from its sweep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from onehead.jobs.engine import Engine

FORGE_SILENCE = timedelta(minutes=3)
"""How old the forge's last answer may be. It is asked every minute."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Health:
    """Written by the threads that find out, read by whoever asks. Each field is replaced as a whole: no lock."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._now = now
        self._forge_seen: datetime | None = None
        self._forge_trouble: str | None = "not asked yet"
        self._swept: datetime | None = None
        self._sweep_trouble: str | None = None
        self.account: int | None = None
        """The forge's id of the bot's own account, by which its own events are known; `None` until it is known."""

    def forge_answered(self, account: int) -> None:
        """The forge knows our token and says whose it is."""
        self.account = account
        self._forge_seen = self._now()
        self._forge_trouble = None

    def forge_failed(self, trouble: str) -> None:
        """The forge gave no answer, or a bad one."""
        self._forge_trouble = trouble

    def sweep_done(self) -> None:
        """A sweep came to its end."""
        self._swept = self._now()
        self._sweep_trouble = None

    def sweep_failed(self, trouble: str) -> None:
        """A sweep broke off."""
        self._sweep_trouble = trouble

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether work can be done now, and why.

        A failed sweep does not count: turning webhooks away because one was missed would only lose more.
        """
        seen = self._forge_seen
        is_reachable = seen is not None and self._now() - seen <= FORGE_SILENCE
        is_running = self._engine.is_running
        is_ready = is_reachable and is_running
        return is_ready, {
            "ready": is_ready,
            "forge": {"reachable": is_reachable, "last_answer": _written(seen), "trouble": self._forge_trouble},
            "engine": {"running": is_running, "waiting": self._engine.waiting, "busy": self._engine.running},
            "sweep": {"last_success": _written(self._swept), "trouble": self._sweep_trouble},
        }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
