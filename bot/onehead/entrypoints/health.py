"""How the service is: what it last heard from the forge, its engine and its sweep, and whether it can write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from onehead.jobs.engine import Engine

FORGE_SILENCE = timedelta(minutes=3)
"""How old the forge's last answer may be. It is asked every minute."""


_PROBE = bytes(64 * 1024)
"""More than a file system keeps beside the name of a file: on a full one an empty file can still be made."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Health:
    """Written by the threads that find out, read by whoever asks. Each field is replaced as a whole: no lock."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utc_now, places: Sequence[Path] = ()) -> None:
        """Nothing is known yet.

        Args:
            engine: asked when somebody wants to know.
            now: the clock.
            places: directories that every job writes to.
        """
        self._engine = engine
        self._places = places
        self._now = now
        self._forge_seen: datetime | None = None
        self._forge_trouble: str | None = "not asked yet"
        self._token_refused = False
        self._swept: datetime | None = None
        self._sweep_trouble: str | None = None
        self.account: int | None = None
        """The forge's id of the bot's own account, by which its own events are known; `None` until it is known."""

    def forge_answered(self, account: int) -> None:
        """The forge knows our token and says whose it is."""
        self.account = account
        self._forge_seen = self._now()
        self._forge_trouble = None
        self._token_refused = False

    def forge_failed(self, trouble: str, *, token_refused: bool = False) -> None:
        """The forge gave no answer, or a bad one; where it refuses the token, nothing can be done from now on."""
        self._forge_trouble = trouble
        self._token_refused = token_refused

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
        disk_trouble = next(filter(None, map(_trouble_writing, self._places)), None)
        is_ready = is_reachable and not self._token_refused and is_running and disk_trouble is None
        return is_ready, {
            "ready": is_ready,
            "forge": {
                "reachable": is_reachable,
                "token_refused": self._token_refused,
                "last_answer": _written(seen),
                "trouble": self._forge_trouble,
            },
            "engine": {"running": is_running, "waiting": self._engine.waiting, "busy": self._engine.running},
            "disk": {"writable": disk_trouble is None, "trouble": disk_trouble},
            "sweep": {"last_success": _written(self._swept), "trouble": self._sweep_trouble},
        }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _trouble_writing(place: Path) -> str | None:
    """Why nothing can be written to a directory, a sentence."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix="onehead-probe-", dir=place) as probe:
            probe.write(_PROBE)
            probe.flush()
    except OSError as error:
        return f"Nothing can be written to {place}: {error.strerror or error}. Every job fails until that is corrected."
    return None
