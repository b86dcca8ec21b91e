"""After an hour in which onehead was down: how long until everything that was missed is done, and what that asks.

    .venv/bin/python -m benchmarks.outage

prints the tables of benchmarks/README.md. On a host of 10,000 repositories, of which one in ten has Alembic, 2,000
people push once each in that hour, to 1,000 of the repositories. No webhook of it arrives, so the sweep at the start
has to find it. Before that, the service starts for the first time, and looks at everything.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.large_host import ALEMBIC_EVERY, Database, Host, Push, database, populate, push, worker
from benchmarks.place import machine
from benchmarks.scaling import Spending, cpu_rows, last_of_each, outcomes, told_at, wait_until_idle
from benchmarks.standin import RunningForge, running_forge

PUSHES_OF_TEN = 2
"""In an hour, of ten repositories; over one of them on average."""

SECONDS_DOWN = 75.0
"""Instead of an hour. What has changed within the last minute is looked at twice: the forge names whole seconds."""


def start(
    workers: int, forge: RunningForge, store: Database, host: Host, place: Path, then: Callable[[], None]
) -> dict[str, float]:
    """Start workers, let them do all there is to do, and stop them; what it took."""
    last = store.last_sweep()
    asked, begun = forge.requests(), time.monotonic()
    with ExitStack() as stack:
        names = [f"worker-{number + 1}" for number in range(workers)]
        services = [stack.enter_context(worker(forge.admin.url, host.token, place, store, name)) for name in names]
        spending = Spending(forge, store, services)
        store.wait_for_sweep(last)
        swept = time.monotonic() - begun
        found = store.depth()["repositories"]
        wait_until_idle(store, forge)
        lasted = time.monotonic() - begun
        used, asked = spending.so_far(), forge.requests() - asked
        runs = sum(each.counter("onehead_job_seconds_count") for each in services)
        then()
    return {
        "until the sweep was done, s": swept,
        "waiting then": found,
        "until idle, s": lasted,
        "runs": runs,
        "requests, API": sum(number for kind, number in asked.items() if kind != "git"),
        "requests, git": asked["git"],
        **cpu_rows(used),
        "PostgreSQL, MB": store.figure("SELECT pg_database_size(current_database())") / 1e6,
        "mirrors": sum(1 for _ in place.glob("*/cache/mirrors/*.git")),
        "disk, MB": sum(each.lstat().st_blocks * 512 for each in place.rglob("*")) / 1e6,
    }


def say_when_told(forge: RunningForge, pushes: list[Push], began: datetime) -> None:
    """Print when the commits were judged that were pushed meanwhile."""
    last = [pushes[number] for number in last_of_each(pushes)]
    told = forge.ask(partial(told_at, pushes=last))
    after = sorted((each - began).total_seconds() for each in told if each is not None)
    parts = ", ".join(f"{percent} % after {after[len(after) * percent // 101]:.0f} s" for percent in (50, 95, 100))
    print(f"Of {len(last)} branches that were pushed, {len(after)} got a status: {parts}.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(machine(1))
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onehead-bench-")))
        forge, store = stack.enter_context(running_forge()), stack.enter_context(database())
        begun = time.monotonic()
        host: Host = forge.ask(partial(populate, repositories=options.repositories))
        print(f"{options.repositories:,} repositories made in {time.monotonic() - begun:.0f} s.", flush=True)

        def done(name: str) -> None:
            print(f"{name}: {dict(forge.ask(outcomes))}; left: {store.depth()}", flush=True)

        first = start(options.workers, forge, store, host, place, lambda: done("First start"))
        pushes = host.some_pushes(
            options.repositories * PUSHES_OF_TEN // 10,
            alembic_every=ALEMBIC_EVERY,
            repositories=options.repositories // 10,
        )
        forge.ask(partial(push, pushes=pushes))
        print("\n".join(f"{name}: {figure:,.0f}" for name, figure in first.items()), flush=True)
        print(f"Down; meanwhile {len(pushes)} pushes to {len({each.repository for each in pushes})} repositories.")
        time.sleep(SECONDS_DOWN)
        began = datetime.now(UTC)
        second = start(options.workers, forge, store, host, place, lambda: done("After the outage"))
        say_when_told(forge, pushes, began)
        print("\n| | first start | after an hour down |\n|---|--:|--:|")
        for name in first | second:
            print(f"| {name} | {first.get(name, 0.0):,.0f} | {second.get(name, 0.0):,.0f} |")


if __name__ == "__main__":
    main()
