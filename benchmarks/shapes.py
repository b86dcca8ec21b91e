"""What chains of unusual shapes cost, and how that grows: `check` and `states` of each at one size, and at half of it.

    .venv/bin/python -m benchmarks.shapes

prints a table of benchmarks/README.md, beside a straight chain of 2,000 revisions.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Case, Cost, measure
from benchmarks.place import DOOR, TIMES, installed, machine
from benchmarks.synthetic import ENVIRONMENT
from tests.shapes import SHAPES, Shape, chain, make

CHAIN = "straight chain of 2,000"
_GROWTH = 2.2
"""How many times the CPU of half the size a size may take."""

_VERBS = ("check", "states")
_JUDGED = (0, 1, 3)
"""The exit codes of a verdict, whatever it is."""


def main() -> None:
    """Measure every shape, and print the table and which of them grow too fast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1000, help="of a shape; see tests/shapes.py for what it counts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="default: all")
    options = parser.parse_args()
    names = options.shapes or sorted(SHAPES)
    print(f"{machine(options.rounds)} Size {options.size:,}.\n")
    with tempfile.TemporaryDirectory(prefix="onehead-shapes-") as folder:
        place = Path(folder)
        package = installed(place)

        def costs(at: str, shape: Shape) -> dict[str, Cost]:
            return _costs(place / at, package, shape, options.rounds)

        straight = costs("straight", Shape(chain(2000)))
        print(f"| shape | `check`, CPU s | MB | {TIMES} {CHAIN} | {TIMES} half the size | `states`, CPU s | MB |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        print(_row(CHAIN, straight, straight, None))
        steep = []
        for number, name in enumerate(names):
            half = costs(f"{number}-half", SHAPES[name](options.size // 2))
            whole = costs(f"{number}", SHAPES[name](options.size))
            print(_row(name, whole, straight, half), flush=True)
            growth = whole["check"].cpu / half["check"].cpu
            steep += [f"{name} ({growth:.1f}{TIMES})"] if growth > _GROWTH else []
    print(f"\nGrowth of `check`, at most {_GROWTH}{TIMES}: {'not of ' + ', '.join(steep) if steep else 'reached'}.")


def _costs(place: Path, package: Path, shape: Shape, rounds: int) -> dict[str, Cost]:
    place.mkdir()
    repo = make(place / "repo.git", shape)
    sides = ("--target", "main", *(("--head", "side") if shape.side is not None else ()))
    cache = place / "cache"
    environment = {**ENVIRONMENT, "PYTHONPATH": str(package), "ONEHEAD_CACHE_DIR": str(cache)}
    cases = [
        Case(
            verb,
            [sys.executable, "-c", DOOR, verb, "--repo", str(repo.path), *sides],
            place,
            environment,
            _JUDGED,
            lambda: shutil.rmtree(cache, ignore_errors=True),
        )
        for verb in _VERBS
    ]
    return measure(cases, rounds)


def _row(name: str, costs: dict[str, Cost], straight: dict[str, Cost], half: dict[str, Cost] | None) -> str:
    check, states = (costs[verb] for verb in _VERBS)
    growth = f"{check.cpu / half['check'].cpu:.1f}{TIMES}" if half else ""
    cells = (
        f"{check.cpu:.2f}",
        f"{check.memory / 1e6:.0f}",
        f"{check.cpu / straight['check'].cpu:.1f}{TIMES}",
        growth,
        f"{states.cpu:.2f}",
        f"{states.memory / 1e6:.0f}",
    )
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
