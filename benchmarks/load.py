"""Two hundred signed webhooks a second for a minute, on PostgreSQL: how long answers take, what waits, what is held.

    .venv/bin/python -m benchmarks.load

prints the tables of benchmarks/README.md. One web process and two workers serve a host of which every repository has
migrations and a pull request with one. Deliveries come at an even rate whatever becomes of them, each on a connection
of its own; beside them people push, so that repairs are made. A bare Starlette app that only checks the signature is
asked in the same moments, so that what the machine does to it, it does to both.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.door import Seen, bare, deliver, delivery, load, row
from benchmarks.large_host import Database, Host, database, populate, push, worker
from benchmarks.place import machine
from benchmarks.scaling import Spending, outcomes, wait_until_idle
from benchmarks.serving import Samples, Service, held, onehead
from benchmarks.standin import RunningForge, running_forge

SECONDS_BEFORE = 20.0
"""For which everything is watched while it is idle."""

SECONDS_BETWEEN_SAMPLES = 2.0


def watched(database: Database, services: list[Service]) -> dict[str, float]:
    """What waits in the database, and MB (PSS) by process; those of one kind together, git's left out."""
    found: dict[str, float] = defaultdict(float)
    for service in services:
        for kind, size in held(service.process):
            if kind != "git":
                found[f"{service.name}, {kind}"] += size
    return found | database.depth() | {f"connections, {name}": each for name, each in database.connections().items()}


async def pushing(forge: RunningForge, port: int, host: Host, rate: float, seconds: float) -> Seen:
    """Push at an even rate, each with its delivery."""
    seen, begun = Seen(), time.monotonic()
    for number, each in enumerate(host.some_pushes(int(rate * seconds), repositories=len(host.with_alembic))):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        await asyncio.to_thread(forge.ask, partial(push, pushes=[each]))
        await deliver(port, delivery(each.repository, each.branch), time.monotonic(), seen)
    return seen


async def deliver_all(
    forge: RunningForge, ports: tuple[int, int], host: Host, options: argparse.Namespace
) -> tuple[Seen, Seen, Seen]:
    """Deliver to onehead and to the bare app at once; the answers of both, and those to what was really pushed."""
    sent = [delivery(name, branch) for branch in ("main", "work") for name in host.with_alembic]
    ours, theirs = Seen(), Seen()
    pushes, *_ = await asyncio.gather(
        pushing(forge, ports[0], host, options.pushes, options.seconds),
        load(ports[0], sent, options.rate, options.seconds, ours),
        load(ports[1], sent, options.bare_rate, options.seconds, theirs),
    )
    return ours, theirs, pushes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="deliveries per second (default: 200)")
    parser.add_argument("--bare-rate", type=float, default=200.0, help="of those to the bare app (default: 200)")
    parser.add_argument("--pushes", type=float, default=8.0, help="real pushes per second (default: 8)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(machine(1))
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onehead-bench-")))
        forge, store = stack.enter_context(running_forge()), stack.enter_context(database())
        host: Host = forge.ask(partial(populate, repositories=options.repositories, alembic_every=1))
        url, settings = forge.admin.url, {"ONEHEAD_DATABASE_URL": store.url}
        web = stack.enter_context(onehead(url, host.token, place, "--role", "web", name="web", **settings))
        names = [f"worker-{number + 1}" for number in range(options.workers)]
        services = [web, *(stack.enter_context(worker(url, host.token, place, store, name)) for name in names)]
        bare_port = stack.enter_context(bare())
        store.wait_for_sweep()
        wait_until_idle(store, forge)
        spending = Spending(forge, store, services)
        generator = time.process_time()
        with Samples(lambda: watched(store, services), SECONDS_BETWEEN_SAMPLES).going() as samples:
            time.sleep(SECONDS_BEFORE)
            idle = spending.so_far()
            begun = time.monotonic()
            ours, theirs, pushes = asyncio.run(deliver_all(forge, (web.port, bare_port), host, options))
            lasted = time.monotonic() - begun
            used, generator = spending.so_far(), time.process_time() - generator
            drained = wait_until_idle(store, forge)
            time.sleep(SECONDS_BEFORE)
        runs = sum(each.counter("onehead_job_seconds_count") for each in services[1:])
        print(f"\n{len(ours.times) / lasted:.0f} deliveries a second for {lasted:.0f} s.")
        print("\n| app | deliveries | p50 ms | p99 ms | longest ms | not 202 |\n|---|--:|--:|--:|--:|--:|")
        for name, seen in (("onehead", ours), ("onehead, real pushes", pushes), ("the bare app", theirs)):
            print(row(name, windows(seen, lasted)))
        print(f"\nIdle {drained:.0f} s after the last delivery; {runs:.0f} runs in all; {dict(forge.ask(outcomes))}.")
        print(f"CPU while idle, % of a core: {share(idle, {}, SECONDS_BEFORE)}.")
        print(f"CPU under load, % of a core: {share(used, idle, lasted)}, generator {100 * generator / lasted:.0f}.")
        names = sorted({name for _, each in samples.taken for name in each if ", " in name and "conn" not in name})
        names = ["repositories", "inbox", "jobs", "events", *names]
        print(f"\n| s | {' | '.join(names)} |\n|--:|{'--:|' * len(names)}")
        print("\n".join(samples.rows(names, 16)))
        most = {name: samples.most(name) for _, each in samples.taken for name in each if name.startswith("conn")}
        print(f"\nMost connections: {most}. Left: {store.depth()}.")


def windows(seen: Seen, lasted: float) -> list[Seen]:
    """What was answered within two seconds each, so that a moment in which the machine stood still counts once."""
    size = max(100, int(2 * len(seen.times) / lasted))
    parts = [Seen(seen.times[start : start + size]) for start in range(0, len(seen.times) - size + 1, size)]
    parts[0].failed = seen.failed
    return parts


def share(used: dict[str, float], before: dict[str, float], seconds: float) -> str:
    """CPU by who took it."""
    shares = {name: 100 * (spent - before.get(name, 0.0)) / seconds for name, spent in sorted(used.items())}
    return ", ".join(f"{name} {each:.1f}" for name, each in shares.items())


if __name__ == "__main__":
    main()
