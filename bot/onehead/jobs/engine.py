"""The port: what every engine promises, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from onehead.jobs.job import Job

Handler = Callable[[Job], None]
"""Does one job, start to end, in the calling thread; raises when it could not."""

Retry = Callable[[BaseException, int], float | None]
"""(error, failed attempts in a row) → seconds until the next attempt, or `None` to give up."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of one job, for logs and metrics.

    Attributes:
        job: what was run.
        seconds: how long it took.
        attempt: 1 for the first attempt, counting up while attempts fail in a row.
        error: what it raised, or `None`.
        retry_in: seconds until the next attempt; `None` after a success and when it was given up.
    """

    job: Job
    seconds: float
    attempt: int
    error: BaseException | None = None
    retry_in: float | None = None

    @property
    def outcome(self) -> str:
        """`done`, `retried` or `given-up`."""
        if self.error is None:
            return "done"
        return "given-up" if self.retry_in is None else "retried"


class Engine(Protocol):
    """Runs jobs soon, and never two of one repository at once.

    The promises, each of which is a test in `tests/jobs/test_engine_contract.py`:

    - Jobs of one repository that wait are merged into one run; jobs of different repositories are not.
    - What arrives for a repository while it runs makes one more run afterwards, however much arrives.
    - A run that raises keeps its subjects and is tried again when its `Retry` says so, merged with whatever
      arrived meanwhile. A new event does not wait for that delay. A success resets the count of attempts.
    - Jobs that somebody waits for are started before routine ones of the sweep.
    - Nothing here is needed for correctness: what is lost with the process, the sweep finds.
    """

    def start(self) -> None:
        """Begin to run jobs. Jobs submitted earlier have waited for this."""

    def submit(self, job: Job) -> None:
        """Remember a job. Returns at once and is safe to call from any thread."""

    def stop(self, timeout: float) -> bool:
        """Start no further run and wait at most `timeout` seconds for those that run.

        Returns:
            Whether every run had ended. Jobs that still waited are not run any more by this process.
        """

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until nothing waits, runs or is to be tried again."""

    @property
    def is_running(self) -> bool:
        """Whether jobs submitted now would be run."""

    @property
    def waiting(self) -> int:
        """How many repositories have something to do and are not running, those to be tried again included."""

    @property
    def running(self) -> int:
        """How many repositories are being worked on."""
