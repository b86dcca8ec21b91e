"""`onehead check` against `alembic heads` and `git ls-tree`, in one run on one machine.

    make bench

prints the tables of benchmarks/README.md. CPU seconds are the robust figure where other work shares the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Case, Cost, measure
from benchmarks.place import DOOR, TIMES, installed, machine
from benchmarks.synthetic import ENVIRONMENT, make_repository

_FASTER = {1_000: 4.0, 5_000: 6.0}
_NO_MORE = 2.0

PASS, LIST, HEADS = "`python -c pass`", "`git ls-tree -r`", "`alembic heads`"
COLD, UNCHANGED = "`check --target main`, cold", "`check --target main`, unchanged"
FORK = "`check --target forked`, cold"
PAIR_COLD, PAIR_UNCHANGED = "`check --target main --head rival`, cold", "`check --target main --head rival`, unchanged"


def main() -> None:
    """Measure every size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds per size, interleaved (default: 9)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 5_000], help="revisions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onehead-bench-") as name:
        place = Path(name)
        package = installed(place)
        print(machine(options.rounds))
        for size in options.sizes:
            costs = _measured(place / str(size), package, size, options.rounds)
            print(f"\n### {size:,} revisions\n\n{_table(costs)}\n\n{_verdicts(size, costs)}", flush=True)


def _measured(place: Path, package: Path, size: int, rounds: int) -> dict[str, Cost]:
    place.mkdir()
    bare, checkout = make_repository(place, size)
    # No bytecode is written, so the migrations are compiled in every run of Alembic, as in a fresh checkout.
    base = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"}
    ours = {**base, "PYTHONPATH": str(package)}
    empty, filled = place / "empty", place / "filled"

    def check(name: str, cache: Path, expected: int, *args: str) -> Case:
        command = [sys.executable, "-c", DOOR, "check", "--repo", str(bare), *args]
        environment = {**ours, "ONEHEAD_CACHE_DIR": str(cache)}
        forget = (lambda: shutil.rmtree(empty, ignore_errors=True)) if cache == empty else (lambda: None)
        return Case(name, command, place, environment, (expected,), forget)

    alembic = str(Path(sys.executable).with_name("alembic"))
    git = shutil.which("git") or "git"
    pair = ("--target", "main", "--head", "rival")
    cases = [
        Case(PASS, [sys.executable, "-c", "pass"], place, base),
        Case(LIST, [git, "-C", str(bare), "ls-tree", "-r", "-z", "--full-tree", "main"], place, base),
        Case(HEADS, [alembic, "heads"], checkout, base),
        check(COLD, empty, 0, "--target", "main"),
        check(UNCHANGED, filled, 0, "--target", "main"),
        check(FORK, empty, 1, "--target", "forked"),
        check(PAIR_COLD, empty, 1, *pair),
        check(PAIR_UNCHANGED, filled, 1, *pair),
    ]
    measure(cases, 1)  # fills the caches: ours and the kernel's
    return measure(cases, rounds)


def _table(costs: dict[str, Cost]) -> str:
    heads, floor = costs[HEADS], costs[PASS].cpu + costs[LIST].cpu
    lines = [
        f"| command | CPU ms | wall ms | RSS MB | less CPU than `alembic heads` | {TIMES} (`git ls-tree` + start) |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, cost in costs.items():
        less = f"{heads.cpu / cost.cpu:.1f}{TIMES}" if name.startswith("`check") else ""
        more = f"{cost.cpu / floor:.1f}{TIMES}" if name.startswith("`check") else ""
        lines.append(
            f"| {name} | {cost.cpu * 1000:.0f} | {cost.wall * 1000:.0f} | {cost.memory / 1e6:.0f} | {less} | {more} |"
        )
    return "\n".join(lines)


def _verdicts(size: int, costs: dict[str, Cost]) -> str:
    floor = costs[PASS].cpu + costs[LIST].cpu
    less, more = costs[HEADS].cpu / costs[COLD].cpu, costs[UNCHANGED].cpu / floor
    lines = []
    if size in _FASTER:
        aim = _FASTER[size]
        lines.append(
            f"- cold: {less:.1f}{TIMES} less CPU than `alembic heads`; aim ≥ {aim:g}{TIMES}: {_met(less >= aim)}"
        )
    lines.append(
        f"- unchanged: {more:.1f}{TIMES} (`git ls-tree` + start); aim ≤ {_NO_MORE:g}{TIMES}: {_met(more <= _NO_MORE)}"
    )
    return "\n".join(lines)


def _met(good: bool) -> str:
    return "reached" if good else "**not reached**"


if __name__ == "__main__":
    main()
