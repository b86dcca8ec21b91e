"""A service with stand-ins for the forge and for the work, run as a process of its own by test_serve.py.

Settings come from the environment. Files in the working directory are its world: `forge` exists while the forge
answers; `job-may-end` lets jobs end; `page-may-come` lets pages be made; what happens is appended to `events`.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path

from onehead import logs
from onehead.errors import OneheadError
from onehead.service import serve as service
from onehead.service.engine import EmbeddedEngine, Everything, Job
from onehead.service.health import utc_now
from onehead.service.metrics import Metrics
from onehead.settings import load


def note(line: str) -> None:
    """One line, whole even when threads write at once."""
    with Path("events").open("a", encoding="utf-8") as events:
        events.write(line + "\n")


def work(job: Job) -> None:
    """A job that lasts until the test says so."""
    note(f"begin {job.repository}")
    while not Path("job-may-end").exists():
        time.sleep(0.01)
    note(f"end {job.repository}")


def account() -> int:
    """The bot's account, while the forge is there."""
    if not Path("forge").exists():
        raise OneheadError("Forgejo does not answer.", "Look whether it runs.")
    return 99


def show(path: str, query: str) -> tuple[int, str]:
    """A page that is made once the test says so; a large one where it is asked for."""
    note(f"page {path}")
    while not Path("page-may-come").exists():
        time.sleep(0.01)
    return 200, "ä" * int(query) if query else f"<p>{path}"


def main() -> None:
    """Compose and run."""
    settings = load(os.environ)
    logs.configure(settings.log, [settings.token.reveal(), *(each.reveal() for each in settings.webhook_secret)])
    metrics = Metrics()
    engine = EmbeddedEngine(work, concurrency=1, on_run=metrics.run)

    def sweep(_wanted: datetime) -> datetime:
        note("sweep")
        if "swept" in sys.argv:
            engine.submit(Job("acme/swept", frozenset({Everything()})))
        return utc_now()

    if "hasty" in sys.argv:
        service.SECONDS_TO_FINISH = 0.1
    service.serve(settings, engine=engine, metrics=metrics, account=account, sweep=sweep, page=show)


if __name__ == "__main__":
    main()
