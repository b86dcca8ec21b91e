"""`onehead pre-receive` against starting Python and asking git one thing, in one run on one machine.

    make bench

prints the table of benchmarks/README.md. CPU seconds are the robust figure where other work shares the machine.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Case, Cost, measure
from benchmarks.place import DOOR, TIMES, installed, machine
from benchmarks.synthetic import ENVIRONMENT, make_pushes

_NO_MORE = 3.0

PASS, DIFFERENCE = "`python -c pass`", "`git diff-tree -r`"
HOOK = ("pre-receive", "--on-error", "allow", "--timeout", "30")

PUSHES = {
    # Branch → what its push is, whether it touches a migration, and the exit code.
    "docs": ("documents", False, 0),
    "code": ("Python files, no migration", False, 0),
    "dependencies": ("`pyproject.toml` without Alembic", False, 0),
    "grown": ("a migration on top", True, 0),
    "rival": ("a migration that forks: refused", True, 1),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds, interleaved (default: 15)")
    parser.add_argument("--revisions", type=int, default=1_000, help="revisions (default: 1000)")
    parser.add_argument("--files", type=int, default=5_000, help="other files (default: 5000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onehead-bench-") as name:
        place = Path(name)
        costs = _measured(place, installed(place), options.revisions, options.files, options.rounds)
        print(machine(options.rounds))
        print(f"\n### {options.revisions:,} revisions, {options.files:,} other files\n\n{_table(costs)}")


def _measured(place: Path, package: Path, revisions: int, files: int, rounds: int) -> dict[str, Cost]:
    bare = make_pushes(place, revisions, files)
    env = {**ENVIRONMENT, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    env["ONEHEAD_CACHE_DIR"] = str(place / "filled")
    git = shutil.which("git") or "git"

    def sha(branch: str) -> str:
        command = [git, "-C", str(bare), "rev-parse", f"pushed/{branch}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    main_tip = subprocess.run(
        [git, "-C", str(bare), "rev-parse", "main"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    cases = [
        Case(PASS, [sys.executable, "-c", "pass"], bare, env),
        Case(DIFFERENCE, [git, "diff-tree", "-r", "-z", "--raw", main_tip, sha("code")], bare, env),
    ]
    for branch, (words, _, expected) in PUSHES.items():
        lines = place / f"{branch}.txt"
        lines.write_text(f"{main_tip} {sha(branch)} refs/heads/main\n")
        command = [sys.executable, "-c", DOOR, *HOOK]
        cases.append(Case(words, command, bare, env, (expected,), stdin=lines))
    measure(cases, 1)  # fills the caches: ours and the kernel's
    return measure(cases, rounds)


def _table(costs: dict[str, Cost]) -> str:
    floor = costs[PASS].cpu + costs[DIFFERENCE].cpu
    lines = [
        f"| push of | CPU ms | wall ms | RSS MB | {TIMES} (`python -c pass` + `git diff-tree`) | aim |",
        "|---|--:|--:|--:|--:|---|",
    ]
    aims = {words: not touches for words, touches, _ in PUSHES.values()}
    for name, cost in costs.items():
        ratio = cost.cpu / floor
        more = f"{ratio:.1f}{TIMES}" if name in aims else ""
        aim = (
            f"≤ {_NO_MORE:g}{TIMES}: {'reached' if ratio <= _NO_MORE else '**not reached**'}" if aims.get(name) else ""
        )
        lines.append(
            f"| {name} | {cost.cpu * 1000:.0f} | {cost.wall * 1000:.0f} | {cost.memory / 1e6:.0f} | {more} | {aim} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
