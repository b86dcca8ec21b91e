"""Starts processes of onehead by forking one that has loaded it; see `tests.chaos.hasty`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

PATIENCE = 120.0


class Forked:
    """A process that was forked, as `subprocess.Popen` shows one."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        """Its exit code; `None` while it runs."""
        return self._nursery.ended.get(self.pid)

    def wait(self, timeout: float) -> int:
        """Wait for its end; its exit code, negative where a signal ended it."""
        with self._nursery.changed:
            if not self._nursery.changed.wait_for(lambda: self.pid in self._nursery.ended, timeout):
                raise TimeoutError(f"process {self.pid} does not end within {timeout} s")
        return self._nursery.ended[self.pid]

    def send_signal(self, number: int) -> None:
        """Send it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The process that forks."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        self.changed = threading.Condition()
        self._began: list[int] = []
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.hasty"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with self.changed:
            assert self.changed.wait_for(lambda: self._began, PATIENCE), "onehead can't be loaded"

    def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> Forked:
        """Fork a process that runs `onehead` and logs into this pipe."""
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        assert self._process.stdin is not None
        with self._lock:
            known = len(self._began)
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            with self.changed:
                assert self.changed.wait_for(lambda: len(self._began) > known, PATIENCE), "nothing is started"
                return Forked(self, self._began[-1])

    def stop(self) -> None:
        """End it; what it has forked was ended before."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                told = json.loads(line)
                with self.changed:
                    if "began" in told:
                        self.ended.pop(told["began"], None)  # numbers come round again
                        self._began.append(told["began"])
                    else:
                        self.ended[told["ended"]] = told["code"]
                    self.changed.notify_all()
