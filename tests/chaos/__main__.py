"""`make chaos`: kill and kill. `python -m tests.chaos [--engine embedded|postgresql] [--kills N] [--seed N]`."""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tests.chaos.database import Database, running_database
from tests.chaos.director import ROUNDS_OF_A_WORLD, Broken, Tally, World
from tests.chaos.fleet import Stuck

MAX_SECONDS_A_KILL = 20.0
"""What takes longer is ended, and fails."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--engine", choices=("embedded", "postgresql"), help="default: one after the other")
    parser.add_argument("--kills", type=int, default=500, help="of each engine")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--pace", type=int, default=10, help="how many times as fast waits are; 1: as in earnest")
    parser.add_argument("--minutes", type=float, help="end after so long; default: 20 seconds for each kill")
    parser.add_argument("--verbose", action="store_true", help="say what happens as it happens")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # what was started is ended first
    failed = False
    for engine in [options.engine] if options.engine else ["embedded", "postgresql"]:
        print(f"{engine}: --seed {options.seed}", flush=True)
        limit = 60 * options.minutes if options.minutes else options.kills * MAX_SECONDS_A_KILL
        tally = chaos(engine, options.kills, options.seed, options.pace, limit, tell=options.verbose)
        failed |= bool(tally.violations) or tally.killed < options.kills
    return 1 if failed else 0


def chaos(engine: str, kills: int, seed: int, pace: int, limit: float, *, tell: bool) -> Tally:
    """Kill so often, in view of whoever waits, and say what came of it."""
    started, tally, number = time.monotonic(), Tally(tell=tell), 0
    with running_database() if engine == "postgresql" else nullcontext() as database:
        while tally.killed < kills and time.monotonic() < started + limit:
            number += 1
            _one_world(f"{seed}/{engine}/{number}", database, tally, kills, pace, started + limit)
            print(
                f"{engine}: {tally.killed} kills in {tally.rounds} rounds, {tally.runs} runs, slowest recovery "
                f"{tally.slowest:.1f} s, {len(tally.violations)} violations, {time.monotonic() - started:.0f} s",
                flush=True,
            )
    print(report(engine, tally), flush=True)
    return tally


def _one_world(seed: str, database: Database | None, tally: Tally, kills: int, pace: int, until: float) -> None:
    with tempfile.TemporaryDirectory(prefix="onehead-chaos-", ignore_cleanup_errors=True) as folder:
        world: World | None = None
        try:
            world = World(seed, Path(folder), database, tally, pace)
            for _ in range(ROUNDS_OF_A_WORLD):
                if tally.killed < kills and time.monotonic() < until:
                    world.go(kills - tally.killed)
        except (Broken, Stuck) as broken:
            tally.violations.append(str(broken))
            print(f"\nA promise was not kept (world {seed}):\n{broken}\n", flush=True)
        finally:
            if world is not None:
                world.stop()


def report(engine: str, tally: Tally) -> str:
    """The figures, as a table."""
    rows = [
        *(f"| killed: {what} | {count} |" for what, count in sorted(tally.kills.items())),
        *(f"| rounds in which {what} | {count} |" for what, count in sorted(tally.troubles.items())),
        f"| wrong answers of the forge | {tally.faults} |",
        f"| rounds · runs of onehead | {tally.rounds} · {tally.runs} |",
        f"| requests of what a killed process had left behind | {tally.orphans} |",
        f"| statuses written again where the database or the forge was away | {tally.again} |",
        f"| slowest recovery | {tally.slowest:.1f} s |",
        f"| **kills · violations** | **{tally.killed} · {len(tally.violations)}** |",
    ]
    return "\n".join([f"| {engine} | |", "|---|--:|", *rows])


if __name__ == "__main__":
    sys.exit(main())
