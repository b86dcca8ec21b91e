"""`make simulate`: long walks. `python -m tests.simulation [--seed N] [--moves N] [--only NAME]`."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import structlog

from tests.simulation.twins import Astray, Twins
from tests.simulation.walk import REPOSITORIES

SEEDS = range(1, 11)
_SECONDS_BETWEEN_LINES = 20.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", type=int, nargs="*", default=[], help="default: 1 to 10")
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--only", choices=sorted(REPOSITORIES), help="walk in this repository alone")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = 0
    for seed in options.seed or SEEDS:
        failed += not walk(seed, options.moves, options.only)
    return 1 if failed else 0


def walk(seed: int, moves: int, only: str | None) -> bool:
    """Walk once, in view of whoever waits; whether every promise was kept."""
    started = time.monotonic()
    chosen = {name: policy for name, policy in REPOSITORIES.items() if only in (None, name)}
    with tempfile.TemporaryDirectory(prefix="onehead-simulation-") as folder:
        twins = Twins(seed, Path(folder), chosen)
        try:
            progress = _Progress()
            twins.go(moves, progress)
            twins.finish(progress)
        except Astray as astray:
            print(f"\n{astray}\n", flush=True)
            return False
        finally:
            twins.stop()
    print(f"\r{twins.line()}, {time.monotonic() - started:.0f} s: every promise kept.", flush=True)
    for line in twins.late:
        print(f"  late {line}")
    return True


class _Progress:
    """A line that is written over on a terminal, and a new one now and then elsewhere."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def __call__(self, line: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{line}", end="", flush=True)
        elif time.monotonic() - self._shown > _SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
