"""`onehead history` on a thousand commits, with and without a cache, against `git log` of the same range.

    .venv/bin/python -m benchmarks.history

prints the table of benchmarks/README.md. CPU seconds are the robust figure where other work shares the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Case, Cost, measure
from benchmarks.place import DOOR, TIMES, installed, machine
from benchmarks.synthetic import ENVIRONMENT, make_past

_MOST_COLD, _MOST_WARM = 60.0, 10.0
"""Seconds of CPU: the aims."""

LOG, COLD, WARM, SVG = "`git log --first-parent --raw`", "`history`, cold", "`history`, warm", "`--format svg`, warm"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved (default: 3)")
    parser.add_argument("--commits", type=int, default=1_000, help="commits of the branch (default: 1,000)")
    parser.add_argument("--revisions", type=int, default=1_000, help="revisions at its end (default: 1,000)")
    parser.add_argument("--touching", type=int, default=300, help="commits that bring one of them (default: 300)")
    parser.add_argument("--files", type=int, default=2_000, help="other files (default: 2,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onehead-bench-") as name:
        place = Path(name)
        package = installed(place)
        bare = make_past(place, options.commits, options.revisions, options.touching, options.files)
        print(machine(options.rounds))
        costs = _measured(place, package, bare, options.rounds)
        print(f"\n{_table(costs)}\n\n{_verdicts(costs)}")


def _measured(place: Path, package: Path, bare: Path, rounds: int) -> dict[str, Cost]:
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(package)}
    empty, filled = place / "empty", place / "filled"

    def history(name: str, cache: Path, *args: str) -> Case:
        command = [sys.executable, "-c", DOOR, "history", "--repo", str(bare), *args]
        forget = (lambda: shutil.rmtree(empty, ignore_errors=True)) if cache == empty else (lambda: None)
        return Case(name, command, place, {**environment, "ONEHEAD_CACHE_DIR": str(cache)}, (0,), forget)

    git = shutil.which("git") or "git"
    log = ("log", "--first-parent", "--raw", "--no-renames", "--no-abbrev", "--diff-merges=first-parent", "main")
    cases = [
        Case(LOG, [git, "-C", str(bare), *log], place, ENVIRONMENT),
        history(COLD, empty),
        history(WARM, filled),
        history(SVG, filled, "--format", "svg"),
    ]
    measure(cases, 1)  # fills the caches: ours and the kernel's
    return measure(cases, rounds)


def _table(costs: dict[str, Cost]) -> str:
    lines = [f"| command | CPU s | wall s | RSS MB | {TIMES} `git log` |", "|---|--:|--:|--:|--:|"]
    for name, cost in costs.items():
        times = f"{cost.cpu / costs[LOG].cpu:.0f}{TIMES}"
        lines.append(f"| {name} | {cost.cpu:.2f} | {cost.wall:.2f} | {cost.memory / 1e6:.0f} | {times} |")
    return "\n".join(lines)


def _verdicts(costs: dict[str, Cost]) -> str:
    aims = ((COLD, _MOST_COLD), (WARM, _MOST_WARM))
    return "\n".join(
        f"- {name}: {costs[name].cpu:.1f} s of CPU; aim ≤ {most:g} s: "
        f"{'reached' if costs[name].cpu <= most else '**not reached**'}"
        for name, most in aims
    )


if __name__ == "__main__":
    main()
