"""The same burst of pushes for one, two and four workers: how long it takes, and who takes the CPU.

    .venv/bin/python -m benchmarks.scaling

prints the tables of benchmarks/README.md. One web process, the workers, PostgreSQL and the tests' stand-in of a forge
are processes of this machine, so what is shown is also who takes its cores from whom.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.door import Seen, deliver, delivery
from benchmarks.large_host import Database, Host, Push, database, populate, push, worker
from benchmarks.place import machine
from benchmarks.serving import Samples, Service, cpu, machine_cpu, onehead, own_cpu, whole_cpu
from benchmarks.standin import RunningForge, running_forge
from tests.standin.forge import Forge

SECONDS_TO_END = 3600.0


def wait_until_idle(database: Database, forge: RunningForge) -> float:
    """Wait until nothing waits or runs; the seconds that took."""
    begun = time.monotonic()
    while not (database.is_idle() and forge.ask(is_quiet)):
        if time.monotonic() - begun > SECONDS_TO_END:
            raise SystemExit(f"It has not come to rest: {database.depth()}.")
        time.sleep(0.25)
    return time.monotonic() - begun


def is_quiet(forge: Forge) -> bool:
    """Whether the forge has nothing left to do."""
    return forge.idle


def told_at(forge: Forge, pushes: list[Push]) -> list[datetime | None]:
    """When each commit first got a status, in whole seconds."""
    found: list[datetime | None] = []
    for each in pushes:
        repository = forge.world.repository(*each.repository.split("/"))
        statuses = [] if repository is None else repository.statuses.get(each.sha, [])
        found.append(min((status.created for status in statuses), default=None))
    return found


def outcomes(forge: Forge) -> Counter[str]:
    """What has come of it: statuses by state, and pull requests of ours."""
    found: Counter[str] = Counter()
    for repository in forge.world.repositories.values():
        for statuses in repository.statuses.values():
            found[f"last status {statuses[-1].state}"] += 1
        found["repairs"] += sum(pull.head_branch.startswith("onehead/") for _, pull in repository.open_pulls())
        found["comments"] += sum(len(issue.comments) for issue in repository.issues.values())
    return found


async def burst(forge: RunningForge, port: int, pushes: list[Push], rate: float) -> tuple[list[datetime], Seen]:
    """Push and deliver at an even rate, whatever becomes of it; when each was pushed, and how long answers took."""
    seen, tasks, at = Seen(), [], []
    begun = time.monotonic()
    for number, each in enumerate(pushes):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.to_thread(forge.ask, partial(push, pushes=[each]))
        at.append(datetime.now(UTC))
        sent = delivery(each.repository, each.branch)
        tasks.append(asyncio.create_task(deliver(port, sent, time.monotonic(), seen)))
    await asyncio.gather(*tasks)
    return at, seen


def last_of_each(pushes: list[Push]) -> list[int]:
    """The numbers of the pushes after which none came to the same branch."""
    return sorted({(each.repository, each.branch): number for number, each in enumerate(pushes)}.values())


class Spending:
    """Seconds of CPU that everybody takes, from now on; in brackets what is none of the service's, nor for it."""

    def __init__(self, forge: RunningForge, database: Database, services: list[Service]) -> None:
        self._forge, self._database, self._services = forge, database, services
        self._before = self._now()

    def so_far(self) -> dict[str, float]:
        """By who takes them."""
        return {name: used - self._before.get(name, 0.0) for name, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        own = own_cpu(self._forge.number)
        used: dict[str, float] = defaultdict(float)
        for service in self._services:
            for kind, seconds in cpu(service.process).items():
                used["web" if service.name == "web" else f"workers: {kind}"] += seconds
        used |= {
            "stand-in": own,
            "git of the stand-in": whole_cpu(self._forge.number) - own,
            "PostgreSQL": whole_cpu(self._database.process),
        }
        busy, idle = machine_cpu()
        return used | {"(others on this machine)": busy - sum(used.values()), "(idle)": idle}


def cpu_rows(used: dict[str, float]) -> dict[str, float]:
    """Rows of a table."""
    ours = sum(seconds for name, seconds in used.items() if not name.startswith("("))
    return {f"CPU s, {name}": used[name] for name in sorted(used, reverse=True)} | {"CPU s, all of ours": ours}


def run(workers: int, options: argparse.Namespace) -> dict[str, float]:
    """One burst."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onehead-bench-")))
        forge, store = stack.enter_context(running_forge()), stack.enter_context(database())
        host: Host = forge.ask(
            partial(populate, repositories=options.repositories, alembic_every=options.alembic_every)
        )
        url = forge.admin.url
        names = [f"worker-{number + 1}" for number in range(workers)]
        services = [stack.enter_context(worker(url, host.token, place, store, name)) for name in names]
        settings = {"ONEHEAD_DATABASE_URL": store.url}
        web = stack.enter_context(onehead(url, host.token, place, "--role", "web", name="web", **settings))
        store.wait_for_sweep()
        first = wait_until_idle(store, forge)
        print(f"\n{workers} workers: the first look at everything took {first:.0f} s.", flush=True)
        pushes = host.some_pushes(
            options.pushes, alembic_every=options.alembic_every, repositories=options.repositories
        )
        spending = Spending(forge, store, [web, *services])
        asked = forge.requests()
        runs = sum(each.counter("onehead_job_seconds_count") for each in services)
        busy = sum(each.counter("onehead_job_seconds_sum") for each in services)
        statements = store.figure("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        begun = time.monotonic()
        with Samples(lambda: store.depth() | store.connections(), 1.0).going() as samples:
            at, seen = asyncio.run(burst(forge, web.port, pushes, options.rate))
            wait_until_idle(store, forge)
            wall = time.monotonic() - begun
        used = spending.so_far()
        asked = forge.requests() - asked
        runs = sum(each.counter("onehead_job_seconds_count") for each in services) - runs
        busy = sum(each.counter("onehead_job_seconds_sum") for each in services) - busy
        statements = (
            store.figure("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()") - statements
        )
        last = last_of_each(pushes)
        told = forge.ask(partial(told_at, pushes=[pushes[number] for number in last]))
        waits = sorted(
            (when - at[number]).total_seconds() + 0.5
            for number, when in zip(last, told, strict=True)
            if when is not None
        )
        print(f"Pushes {len(pushes)}, not told {len(last) - len(waits)}; {dict(forge.ask(outcomes))}")
        print(f"Left in PostgreSQL: {store.depth()}; connections: {store.connections()}")
        print(f"Answers: p50 {seen.at(50):.0f} ms, p99 {seen.at(99):.0f} ms, failed {seen.failed}.")
        figures = {
            "seconds": wall,
            "pushes a minute": 60 * len(pushes) / wall,
            "median wait, s": statistics.median(waits) if waits else 0.0,
            "p95 wait, s": waits[int(0.95 * len(waits))] if waits else 0.0,
            "runs": runs,
            "seconds of one run": busy / runs,
            "most that waited": samples.most("repositories"),
            "requests, API": sum(number for kind, number in asked.items() if kind != "git"),
            "requests, git": asked["git"],
            "transactions": statements,
        }
        return figures | cpu_rows(used)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--alembic-every", type=int, default=1, help="one in so many has migrations (default: 1)")
    parser.add_argument("--pushes", type=int, default=500)
    parser.add_argument("--rate", type=float, default=25.0, help="pushes per second (default: 25)")
    options = parser.parse_args()
    print(machine(1))
    found = [run(workers, options) for workers in options.workers]
    print(f"\n| workers | {' | '.join(map(str, options.workers))} |\n|---|{'--:|' * len(found)}")
    for name in dict.fromkeys(name for each in found for name in each):
        print(f"| {name} | {' | '.join(f'{each.get(name, 0.0):,.1f}' for each in found)} |")


if __name__ == "__main__":
    main()
