"""What the service does again and again: ask the forge for a sign of life, and sweep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from croniter import croniter

from onehead.entrypoints.health import Health, utc_now
from onehead.entrypoints.metrics import Metrics
from onehead.errors import OneheadError
from onehead.forge.errors import Unauthorised
from onehead.jobs.retry import LONGEST_DELAY, delay_after

SECONDS_BETWEEN_SIGNS = 60.0

log = structlog.get_logger(__name__)


def next_time(cron: str, after: datetime) -> datetime:
    """The first moment after `after` that a cron expression names, in the time zone of `after`. Pure."""
    moment: datetime = croniter(cron, after).get_next(datetime)
    return moment


def pause_after(error: Exception, attempt: int) -> float:
    """Seconds until a round is tried again. Unlike a job, a round is never given up: nothing else would do it."""
    delay = delay_after(error, attempt)
    return LONGEST_DELAY if delay is None else delay


def is_refusal(error: BaseException | None) -> bool:
    """Whether the forge refuses our token."""
    return isinstance(error, Unauthorised)


class Rounds:
    """Two threads, from `start` to `stop`. A forge that is away is waited for; it never ends the service."""

    def __init__(
        self,
        *,
        account: Callable[[], int],
        sweep: Callable[[], None],
        cron: str | None,
        health: Health,
        metrics: Metrics,
        doubt: threading.Event | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Compose the rounds; nothing happens before `start`.

        Args:
            account: asks the forge whose token ours is, and returns the account's id.
            sweep: looks after every repository; runs again after a failure.
            cron: when to sweep, in UTC; `None` for only at start-up and when the forge has been away.
            health: told what was found.
            metrics: told what was found.
            doubt: set by whoever has met with a refusal of the token: then the forge is asked at once.
            now: the clock.
        """
        self._account = account
        self._sweep = sweep
        self._cron = cron
        self._health = health
        self._metrics = metrics
        self._now = now
        self._stopping = threading.Event()
        self._sweep_wanted = threading.Event()
        self._doubt = doubt or threading.Event()
        # Daemons: a sweep in the middle of a thousand repositories does not hold up the end of the process.
        self._threads = [
            threading.Thread(target=loop, name=f"onehead-{name}", daemon=True)
            for name, loop in (("forge", self._watch_forge), ("sweep", self._keep_sweeping))
        ]

    def start(self) -> None:
        """Begin both rounds."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no further round."""
        self._stopping.set()
        self._sweep_wanted.set()
        self._doubt.set()

    def _watch_forge(self) -> None:
        failures = 0
        is_known = False
        while not self._stopping.is_set():
            try:
                account = self._account()
            except Exception as error:  # whatever it is, the service must not go blind for it
                failures += 1
                pause = min(SECONDS_BETWEEN_SIGNS, pause_after(error, failures))
                self._health.forge_failed(_told(error), token_refused=is_refusal(error))
                self._metrics.forge(reachable=False)
                is_known = False
                log.warning("Forgejo can't be used now; asking again.", error=_told(error), retry_in=pause)
            else:
                failures = 0
                pause = SECONDS_BETWEEN_SIGNS
                self._health.forge_answered(account)
                self._metrics.forge(reachable=True)
                if not is_known:
                    is_known = True
                    log.info("Forgejo answers; looking after everything that was missed.", account=account)
                    # Start-up and the end of an outage are alike: webhooks are sent once, and those were lost.
                    self._sweep_wanted.set()
            self._doubt.wait(pause)
            self._doubt.clear()

    def _keep_sweeping(self) -> None:
        # Nothing is swept before the forge has answered once.
        pause: float | None = None
        failures = 0
        while True:
            self._sweep_wanted.wait(pause)
            self._sweep_wanted.clear()
            if self._stopping.is_set():
                return
            try:
                self._sweep()
            except Exception as error:  # the next sweep must come, whatever ended this one
                failures += 1
                pause = pause_after(error, failures)
                self._health.sweep_failed(_told(error))
                trace = None if isinstance(error, OneheadError) else error
                log.warning("A sweep broke off; sweeping again.", error=_told(error), retry_in=pause, exc_info=trace)
            else:
                failures = 0
                pause = self._until_next_sweep()
                self._health.sweep_done()
                self._metrics.swept(self._now().timestamp())
                log.info("A sweep is done.", next_in=pause)

    def _until_next_sweep(self) -> float | None:
        if self._cron is None:
            return None
        now = self._now()
        return max(0.0, (next_time(self._cron, now) - now).total_seconds())


def _told(error: Exception) -> str:
    """An error as a person should read it, with what to do next."""
    if isinstance(error, OneheadError):
        return f"{error.message} {error.hint}".strip()
    return f"{type(error).__name__}: {error}"
