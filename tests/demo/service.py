"""`onehead serve` as a process of its own, told everything by its environment, as in a container."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.demo.telling import DemoFailedError
from tests.machine import neutral

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COMMAND = (sys.executable, "-m", "onehead", "serve")
_LISTENING = re.compile(r"Listening for webhooks\..*?url=(http://\S+)/hooks/forgejo")


class Service:
    """The running service. Its log is a file, which the story reads as a person would.

    Raises:
        DemoFailedError: it did not start; its own last words are in the message.
    """

    def __init__(self, settings: Mapping[str, str], log: Path, command: Sequence[str] = COMMAND) -> None:
        self._log = log
        environment = {**neutral(os.environ, log.parent), **settings}
        with log.open("wb") as output:
            # A session of its own: Ctrl-C ends the demo, and the demo ends the service.
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
        try:
            self.url = self._wait_until_listening()
        except BaseException:
            self.stop()
            raise

    def log(self, since: int = 0) -> list[str]:
        """The lines of its log from line number `since` on."""
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[since:]

    def check_alive(self) -> None:
        """Make sure that it still runs.

        Raises:
            DemoFailedError: it has ended.
        """
        code = self.process.poll()
        if code is not None:
            last = "\n".join(self.log()[-20:]) or "(it printed nothing)"
            raise DemoFailedError(f"onehead ended with exit code {code}. Its last lines:\n{last}")

    def stop(self) -> None:
        """End it as a container runtime does: ask, wait, insist."""
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)

    def _wait_until_listening(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if found := _LISTENING.search("\n".join(self.log())):
                return found[1]
            self.check_alive()
            time.sleep(0.05)
        raise DemoFailedError("onehead did not listen within 60 seconds. Its log is in service.log.")
