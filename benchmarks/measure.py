"""What one process costs: itself and all it waited for, such as the git processes of onehead."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """CPU (user and system) and wall time in seconds, and the largest resident set in bytes."""

    cpu: float
    wall: float
    memory: int


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        name: how it is called in the table.
        command: the program, by its full path, and its arguments.
        directory: where it runs.
        environment: all of its variables.
        expected: its exit codes; any other one stops the benchmark.
        prepare: runs before each round, and is not measured.
        stdin: the file that it reads.
    """

    name: str
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    expected: tuple[int, ...] = (0,)
    prepare: Callable[[], None] = lambda: None
    stdin: Path = Path(os.devnull)


def measure(cases: Sequence[Case], rounds: int) -> dict[str, Cost]:
    """Medians per case. The rounds are interleaved, so that whatever else the machine does meets every case."""
    found: dict[str, list[Cost]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            case.prepare()
            found[case.name].append(_run(case))
    return {
        name: Cost(
            statistics.median(cost.cpu for cost in costs),
            statistics.median(cost.wall for cost in costs),
            max(cost.memory for cost in costs),
        )
        for name, costs in found.items()
    }


# In a process of its own, because a process is born with the peak memory of the one that starts it.
_RUNNER = """
import os, sys, time
places = sys.argv[1], os.devnull, os.devnull
files = [(os.POSIX_SPAWN_OPEN, number, place, os.O_RDWR, 0) for number, place in enumerate(places)]
began = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=files)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - began
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024)
"""


def _run(case: Case) -> Cost:
    runner = [sys.executable, "-I", "-S", "-c", _RUNNER, str(case.stdin), *case.command]
    told = subprocess.run(
        runner, cwd=case.directory, env=dict(case.environment), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    code, cpu, wall, memory = told.split()
    if int(code) not in case.expected:
        raise SystemExit(f"{case.name}: {' '.join(case.command)} ended with {code}, not with one of {case.expected}.")
    return Cost(float(cpu), float(wall), int(memory))
