"""What the service does by itself: it asks the forge whether it is there, sweeps on a schedule, and checks itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from croniter import croniter

from onehead.errors import OneheadError
from onehead.forge.errors import Unauthorised
from onehead.service.engine import MAX_DELAY, delay_after
from onehead.service.health import Health, utc_now
from onehead.service.metrics import Metrics

SECONDS_BETWEEN_SIGNS = 60.0

SECONDS_UNTIL_SWEPT = 10.0
"""Before it is asked again whether another process has ended its sweep."""

SECONDS_BETWEEN_CANARIES = 300.0

log = structlog.get_logger(__name__)

Sweep = Callable[[datetime], datetime | None]
"""Looks after every repository, unless that was begun since the time that it is given: then it was wanted.

Returns when such a sweep came to its end; `None` while another process sweeps.
"""


def next_time(cron: str, after: datetime) -> datetime:
    """The first moment after `after` that a cron expression names, in the time zone of `after`. Pure."""
    moment: datetime = croniter(cron, after).get_next(datetime)
    return moment


def pause_after(error: Exception, attempt: int) -> float:
    """Seconds until a round is tried again. Unlike a job, a round is never given up: nothing else would do it."""
    delay = delay_after(error, attempt)
    return MAX_DELAY if delay is None else delay


def is_refusal(error: BaseException | None) -> bool:
    """Whether the forge refuses our token."""
    return isinstance(error, Unauthorised)


class Rounds:
    """Threads, from `start` to `stop`. A forge that is away is waited for; it never ends the service."""

    def __init__(
        self,
        *,
        account: Callable[[], int],
        sweep: Sweep,
        cron: str | None,
        health: Health,
        metrics: Metrics,
        canary: Callable[[], None] | None = None,
        doubt: threading.Event | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Do nothing before `start`.

        `account` asks the forge whose token ours is; `sweep` looks after every repository, at the times of `cron` (in
        UTC; `None` for only at start-up and when the forge has been away).
        `canary` raises where something is judged wrong.
        `doubt` is set by whoever has met with a refusal of the token: then the forge is asked at once.
        """
        self._account = account
        self._cron = cron
        self._health = health
        self._metrics = metrics
        self._now = now
        self._stopping = threading.Event()
        self._sweep_wanted = threading.Event()
        self._doubt = doubt or threading.Event()
        # Daemons: a sweep in the middle of a thousand repositories does not hold up the end of the process.
        self._threads = [
            threading.Thread(target=self._watch_forge, name="onehead-forge", daemon=True),
            threading.Thread(target=self._keep_sweeping, args=(sweep,), name="onehead-sweep", daemon=True),
        ]
        if canary is not None:
            metrics.canary.set(0)
            self._threads.append(
                threading.Thread(target=self._keep_checking, args=(canary,), name="onehead-canary", daemon=True)
            )

    def start(self) -> None:
        """Begin all rounds."""
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
                self._metrics.forge.set(False)
                is_known = False
                log.warning("Forgejo can't be used now; asking again.", error=_told(error), retry_in=pause)
            else:
                failures = 0
                pause = SECONDS_BETWEEN_SIGNS
                self._health.forge_answered()
                self._metrics.forge.set(True)
                if not is_known:
                    is_known = True
                    log.info("Forgejo answers; looking after everything that was missed.", account=account)
                    # Start-up and the end of an outage are alike: webhooks are sent once, and those were lost.
                    self._sweep_wanted.set()
            self._doubt.wait(pause)
            self._doubt.clear()

    def _keep_sweeping(self, sweep: Sweep) -> None:
        # Nothing is swept before the forge has answered once.
        pause: float | None = None
        due: datetime | None = None
        wanted: datetime | None = None
        failures = 0
        while True:
            is_called = self._sweep_wanted.wait(pause)
            self._sweep_wanted.clear()
            if self._stopping.is_set():
                return
            if is_called or wanted is None:
                wanted = self._now() if is_called or due is None else due
            try:
                ended = sweep(wanted)
            except Exception as error:  # the next sweep must come, whatever ended this one
                failures += 1
                pause = pause_after(error, failures)
                self._health.sweep_failed(_told(error))
                trace = None if isinstance(error, OneheadError) else error
                log.warning("A sweep broke off; sweeping again.", error=_told(error), retry_in=pause, exc_info=trace)
                continue
            failures = 0
            if ended is None:
                pause = SECONDS_UNTIL_SWEPT
                continue
            wanted, now = None, self._now()
            due = None if self._cron is None else next_time(self._cron, now)
            pause = None if due is None else max(0.0, (due - now).total_seconds())
            self._health.sweep_done(ended)
            self._metrics.sweep.set(ended.timestamp())
            log.info("A sweep is done.", next_in=pause)

    def _keep_checking(self, canary: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                canary()
            except Exception as error:  # whatever it is, it would meet a repository too
                self._health.canary_failed(_told(error))
                trace = None if isinstance(error, OneheadError) else error
                log.error("The canary was not judged right.", error=_told(error), exc_info=trace)
            else:
                now = self._now()
                self._health.canary_passed(now)
                self._metrics.canary.set(now.timestamp())
            self._stopping.wait(SECONDS_BETWEEN_CANARIES)


def _told(error: Exception) -> str:
    """An error as a person should read it, with what to do next."""
    if isinstance(error, OneheadError):
        return f"{error.message} {error.hint}".strip()
    return f"{type(error).__name__}: {error}"
