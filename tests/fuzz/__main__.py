"""Hand each reader a hundred thousand inputs, found by what they make the reader do: `python -m tests.fuzz sql`.

Every target runs in a process of its own, with a limit of time for each input and of memory for all. An input that
breaks a law or a limit is kept in `fuzz-out/`; it belongs into the corpus with its repair.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus import CORPUS

MAX_SECONDS = 5
"""For one input."""

MAX_MEGABYTES = 512
"""Resident memory of the process, the coverage counters and the corpus included."""

MAX_BYTES = 4096
"""Of one input: what costs more than its share shows here already, and far sooner than in megabytes."""

OUT = Path("fuzz-out")


def main() -> int:
    """Run the targets that are named, or all; the exit code says whether all held."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads strangers' input.")
    options.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(CORPUS)}; all where none is named"
    )
    options.add_argument("--runs", type=int, default=100_000, help="inputs for each target (%(default)s)")
    asked = options.parse_args()
    unknown = set(asked.targets) - CORPUS.keys()
    if unknown:
        options.error(f"no such target: {', '.join(sorted(unknown))}")
    failed = [target for target in asked.targets or CORPUS if not _holds(target, asked.runs)]
    print(f"fuzz: {'all held' if not failed else 'failed: ' + ', '.join(failed) + f'; the inputs are in {OUT}/'}")
    return 1 if failed else 0


def _holds(target: str, runs: int) -> bool:
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="onehead-fuzz-") as folder:
        for number, seed in enumerate(CORPUS[target]):
            Path(folder, str(number)).write_bytes(seed)
        limits = [f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MEGABYTES}", f"-max_len={MAX_BYTES}"]
        kept = [f"-artifact_prefix={OUT / target}-", f"-runs={runs}", "-print_final_stats=1", folder]
        command = [sys.executable, "-m", "tests.fuzz.one", target, *limits, *kept]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    log = OUT / f"{target}.log"
    log.write_text(ended.stdout + ended.stderr, encoding="utf-8")
    done = next((line.rsplit(":", 1)[1].strip() for line in ended.stderr.splitlines() if "executed_units" in line), "?")
    print(f"{target}: {done} inputs, {'held' if ended.returncode == 0 else f'FAILED, see {log}'}", flush=True)
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
