"""The service to measure, as real processes: started, asked for its counters, watched in `/proc`, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.place import DOOR
from onehead.child_process import family

SECRET = "benchmark"  # noqa: S105

_TICKS = os.sysconf("SC_CLK_TCK")
_KINDS = {"service.door": "door", "service.analyzer": "analyzer", "git ": "git", "git-": "git"}


@dataclass(frozen=True, slots=True)
class Service:
    """One `onehead serve`: its name, where it answers, and the number of its first process."""

    name: str
    port: int
    process: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counter(self, name: str) -> float:
        """The sum of a counter over its labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@contextmanager
def onehead(
    forgejo: str, token: str, place: Path, *options: str, name: str = "onehead", **settings: str
) -> Iterator[Service]:
    """`onehead serve` with these options and settings, from when it listens; its folder is `place/name`.

    It has a session of its own, for the kernel shares time by sessions.
    """
    port = free_port()
    home = place / name
    home.mkdir(exist_ok=True)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ONEHEAD_")} | {
        "ONEHEAD_FORGEJO_URL": forgejo,
        "ONEHEAD_TOKEN": token,
        "ONEHEAD_WEBHOOK_SECRET": SECRET,
        "ONEHEAD_LISTEN": f"127.0.0.1:{port}",
        "ONEHEAD_CACHE_DIR": str(home / "cache"),
        "ONEHEAD_SWEEP": "off",
        "ONEHEAD_LOG": "json",
        "ONEHEAD_WORKER": name,
        "PGAPPNAME": name,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    environ |= settings
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", DOOR, "serve", *options], env=environ, stderr=log, cwd=home, start_new_session=True
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            yield Service(name, port, process.pid)
        finally:
            begun = time.monotonic()
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                print((home / "log").read_text()[-3000:])
            print(f"{name} ended within {time.monotonic() - begun:.1f} s.")


def held(process: int) -> list[tuple[str, float]]:
    """The processes of a service, and the MB (PSS) of each."""
    found = []
    for member in family(process):
        with suppress(OSError):  # git's processes come and go
            pss = Path(f"/proc/{member.number}/smaps_rollup").read_text().partition("Pss:")[2].split()[0]
            found.append((_kind(member.number), int(pss) * 1024 / 1e6))
    return found


def cpu(process: int) -> dict[str, float]:
    """Seconds of CPU that the processes of a service have taken so far, by kind.

    A program that has ended counts for what started it, so what the children of others took is git's: nothing else is
    started often.
    """
    used: dict[str, float] = defaultdict(float)
    for member in family(process):
        with suppress(OSError):
            own, children = _times(member.number)
            used[_kind(member.number)] += own
            used["git"] += children
    return used


def whole_cpu(process: int) -> float:
    """Seconds of CPU that a process and all below it have taken so far."""
    return sum(member.cpu for member in family(process))


def own_cpu(process: int) -> float:
    """The same of the process alone."""
    return _times(process)[0]


def machine_cpu() -> tuple[float, float]:
    """Seconds for which the cores have worked so far, for whomever, and seconds for which they had nothing to do."""
    user, nice, system, idle, waiting, *more = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + sum(more[:3])) / _TICKS, (idle + waiting) / _TICKS


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@dataclass
class Samples:
    """What `take` gave again and again, beside the seconds since the beginning."""

    take: Callable[[], dict[str, float]]
    every: float
    taken: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    @contextmanager
    def going(self) -> Iterator[Samples]:
        """Take them beside whatever is done meanwhile."""
        ended = threading.Event()
        begun = time.monotonic()

        def keep() -> None:
            while not ended.wait(max(0.0, begun + len(self.taken) * self.every - time.monotonic())):
                self.taken.append((time.monotonic() - begun, self.take()))

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join(30)

    def most(self, name: str) -> float:
        """The largest figure of a name."""
        return max((each.get(name, 0.0) for _, each in self.taken), default=0.0)

    def rows(self, names: list[str], number: int) -> list[str]:
        """So many of them, evenly spread, as rows of a table."""
        step = max(1, len(self.taken) // number)
        return [
            f"| {at:.0f} | {' | '.join(f'{each.get(name, 0.0):.0f}' for name in names)} |"
            for at, each in self.taken[::step]
        ]


def _kind(process: int) -> str:
    words = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return next((kind for mark, kind in _KINDS.items() if mark in words), "engine")


def _times(process: int) -> tuple[float, float]:
    """Seconds of CPU of a process, and of its children that have ended."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS, (int(words[13]) + int(words[14])) / _TICKS


def _wait_for(url: str) -> None:
    for _ in range(1000):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise SystemExit("The service did not start.")
