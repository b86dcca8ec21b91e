"""Whether the service can do its work now, and why not: what `/readyz` answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from onehead.service.engine import EngineState

FORGE_SILENCE = timedelta(minutes=3)  # How old the forge's last answer may be. It is asked every minute.

_PROBE = bytes(64 * 1024)
"""More than a file system keeps beside the name of a file: on a full one an empty file can still be made."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Health:
    """Written by the threads that find out, read by whoever asks. Each field is replaced as a whole: no lock."""

    def __init__(
        self,
        engine: Callable[[], EngineState],
        now: Callable[[], datetime] = utc_now,
        places: Sequence[Path] = (),
        exposed: str | None = None,
    ) -> None:
        """Report on an engine with this state.

        Every job writes to the `places`; `exposed`: what of the analyzer's isolation this system does not allow.
        """
        self._engine = engine
        self._places = places
        self._exposed = exposed
        self._now = now
        self._forge_seen: datetime | None = None
        self._forge_trouble: str | None = "not asked yet"
        self._token_refused = False
        self._swept: datetime | None = None
        self._sweep_trouble: str | None = None
        self._canary_passed: datetime | None = None
        self._canary_trouble: str | None = None

    def forge_answered(self) -> None:
        """The forge knows our token."""
        self._forge_seen = self._now()
        self._forge_trouble = None
        self._token_refused = False

    def forge_failed(self, trouble: str, *, token_refused: bool = False) -> None:
        """The forge gave no answer, or a bad one; where it refuses the token, nothing can be done from now on."""
        self._forge_trouble = trouble
        self._token_refused = token_refused

    def sweep_done(self, at: datetime) -> None:
        """A sweep came to its end then."""
        self._swept = at
        self._sweep_trouble = None

    def sweep_failed(self, trouble: str) -> None:
        """A sweep broke off."""
        self._sweep_trouble = trouble

    def canary_passed(self, at: datetime) -> None:
        """The canary was judged right then."""
        self._canary_passed = at
        self._canary_trouble = None

    def canary_failed(self, trouble: str) -> None:
        """The canary was judged wrong, or not at all."""
        self._canary_trouble = trouble

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether work can be done now, and why.

        A failed sweep or canary does not count: turning webhooks away would only lose more.
        """
        passed = self._canary_passed
        seen = self._forge_seen
        is_reachable = seen is not None and self._now() - seen <= FORGE_SILENCE
        engine = self._engine()
        disk_trouble = next(filter(None, map(_trouble_writing, self._places)), None)
        is_ready = is_reachable and not self._token_refused and engine.running and disk_trouble is None
        return is_ready, {
            "ready": is_ready,
            "forge": {
                "reachable": is_reachable,
                "token_refused": self._token_refused,
                "last_answer": _written(seen),
                "trouble": self._forge_trouble,
            },
            "engine": {
                "running": engine.running,
                "waiting": engine.waiting,
                "busy": engine.busy,
                "trouble": engine.trouble,
            },
            "disk": {"writable": disk_trouble is None, "trouble": disk_trouble},
            "sweep": {"last_success": _written(self._swept), "trouble": self._sweep_trouble},
            "canary": {
                "last_success": _written(passed),
                "seconds_ago": None if passed is None else round((self._now() - passed).total_seconds()),
                "trouble": self._canary_trouble,
            },
            "analyzer": {"isolated": self._exposed is None, "trouble": self._exposed},
        }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _trouble_writing(place: Path) -> str | None:
    """Why nothing can be written to a directory, a sentence."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(prefix="onehead-probe-", dir=place) as probe:
            probe.write(_PROBE)
            probe.flush()
    except OSError as error:
        return f"Nothing can be written to {place}: {error.strerror or error}. Every job fails until that is corrected."
    return None
