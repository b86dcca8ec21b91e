"""Onehead as real processes: one that does everything, or one that takes webhooks and two that work.

A process that ends is started again, as systemd and Kubernetes do. Each start has a token of its own, so that the gate
knows whose request it sees, and what it logs is kept.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from onehead.forge.webhooks import HOOK_PATH
from tests.chaos.database import waiting
from tests.chaos.nursery import Forked, Nursery
from tests.simulation.place import SCOPES
from tests.simulation.service import SECRET
from tests.standin.server import StandinServer
from tests.standin.world import User

PACE = 10
PATIENCE = 120.0
_ENDS = {"A job is done.", "A job failed and will be tried again."}
_GIVEN_UP = "A job failed and is given up; the next sweep takes it up again."
_MAX_LAST = 250


class Stuck(AssertionError):
    """A process does not do what it is told to; the text holds what it has logged, and what its threads do."""


@dataclass(eq=False)
class Life:
    """One start of a process.

    Attributes:
        who: name of its token.
        ended: when it was killed, in seconds since 1970; `None` while it lives.
        runs: (repository, when it began, when it had ended) of each run that came to an end.
    """

    who: str
    process: Forked
    pipe: Path
    began: float
    ended: float | None = None
    runs: list[tuple[str, float, float]] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_LAST))
    reader: threading.Thread | None = None

    def read(self, log: Path) -> None:
        """Keep what it logs, until it and all that it has started have ended."""
        with log.open("ab") as kept, self.pipe.open("rb") as lines:
            for line in lines:
                kept.write(line)
                kept.flush()
                self._learn(line.decode(errors="replace"))

    def is_over(self) -> None:
        """It has ended; where that was before it could log anything, nobody waits for that any more."""
        self.ended = self.ended or time.time()
        with suppress(OSError):
            os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))

    def _learn(self, text: str) -> None:
        self.last.append(text.rstrip()[:600])
        try:
            line: dict[str, Any] = json.loads(text)
        except ValueError:
            if "Traceback" in text:
                self.defects.append(text.rstrip())
            return
        message = line.get("message", "")
        if message in _ENDS or message == _GIVEN_UP:
            ended = _seconds(line["timestamp"])
            self.runs.append((line["repository"], ended - line["seconds"], ended))
        if message == _GIVEN_UP:
            self.given_up.append(f"{line['repository']}: {line['error']}")
        if "exception" in line:
            self.defects.append(f"{message} {line['exception']}"[-2000:])


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


class Member:
    """A process that is kept running."""

    def __init__(self, fleet: Fleet, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.cache = fleet.folder / name
        self.clock = fleet.folder / f"{name}.clock"
        self.log = fleet.folder / f"{name}.log"
        self.port = _free_port()
        self.lives: list[Life] = []
        self._fleet = fleet

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it may need a moment to answer, and ends at once where something is missing."""
        fleet = self._fleet
        who = f"{self.name}/{len(self.lives) + 1}"
        token = fleet.server.forge.add_token(fleet.bot, who, SCOPES)
        environ = {name: text for name, text in os.environ.items() if not name.startswith("ONEHEAD_")} | {
            "CHAOS_PACE": str(fleet.pace),
            "CHAOS_CLOCK": str(self.clock),
            "ONEHEAD_FORGEJO_URL": fleet.server.url,
            "ONEHEAD_TOKEN": token.secret,
            "ONEHEAD_WEBHOOK_SECRET": SECRET,
            "ONEHEAD_LISTEN": f"127.0.0.1:{self.port}",
            "ONEHEAD_REPOSITORIES": ",".join(fleet.covered),
            "ONEHEAD_CACHE_DIR": str(self.cache),
            "ONEHEAD_LOG": "json",
        }
        if fleet.database_url:
            environ["ONEHEAD_DATABASE_URL"] = f"{fleet.database_url}&application_name={self.name}"
            environ["ONEHEAD_WORKER"] = self.name
        pipe = fleet.folder / f"{self.name}-{len(self.lives) + 1}.pipe"
        os.mkfifo(pipe)
        process = fleet.nursery.start(["serve", "--role", self.role], environ, pipe)
        life = Life(who, process, pipe, time.time())
        life.reader = threading.Thread(target=life.read, args=(self.log,), daemon=True)
        life.reader.start()
        self.lives.append(life)

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; its exit code.

        Raises:
            Stuck: it does not end.
        """
        life = self.life
        with suppress(ProcessLookupError):
            life.process.send_signal(number)
        try:
            code = life.process.wait(PATIENCE)
        except TimeoutError:
            life.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
            story = [*life.last]
            life.process.send_signal(signal.SIGKILL)
            life.is_over()
            raise Stuck("\n".join([f"{life.who} does not end after signal {number}:", *story])) from None
        life.is_over()
        return code

    def figure(self, name: str) -> float | None:
        """A figure of its metrics; `None` while it does not answer."""
        with suppress(httpx.HTTPError):
            answer = self._fleet.http.get(f"{self.url}/metrics")
            if found := re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE):
                return float(found[1])
        return None

    @property
    def is_calm(self) -> bool:
        """Whether it runs, has swept where it sweeps, and has nothing to do."""
        if self.life.process.poll() is not None:
            return False
        if self.role != "web" and not self.figure("onehead_last_sweep_success_timestamp_seconds"):
            return False
        return self.figure("onehead_jobs_waiting") == 0 and self.figure("onehead_jobs_running") == 0

    def limit_files(self, size: int) -> None:
        """Let it and what it starts from now on write no file longer than this."""
        hard = resource.RLIM_INFINITY
        for number in [self.life.process.pid, *children(self.life.process.pid)]:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(number, resource.RLIMIT_FSIZE, (size, hard))


class Fleet:
    """All processes of one onehead."""

    def __init__(
        self, server: StandinServer, bot: User, folder: Path, covered: list[str], database_url: str, pace: int = PACE
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.server, self.bot, self.folder, self.covered, self.pace = server, bot, folder, covered, pace
        self.database_url = database_url
        self.http = httpx.Client(timeout=4, trust_env=False)
        self.nursery = Nursery()
        wanted = [("all", "all")]
        if database_url:
            wanted = [("web", "web"), ("worker-1", "worker"), ("worker-2", "worker")]
        self.members = {name: Member(self, name, role) for name, role in wanted}
        self.restarts = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        for member in self.members.values():
            member.start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    # What a place asks for

    @property
    def hook_url(self) -> str:
        return next(iter(self.members.values())).url + HOOK_PATH

    @property
    def idle(self) -> bool:
        if not all(member.is_calm for member in self.members.values()):
            return False
        try:
            return not self.database_url or waiting(self.database_url) == 0
        except psycopg.Error:
            return False

    @property
    def runs(self) -> int:
        return sum(len(life.runs) for life in self.lives())

    @property
    def defects(self) -> list[BaseException]:
        return []

    @property
    def writes(self) -> list[str]:
        raise NotImplementedError

    def sweep(self, names: Collection[str] | None = None) -> None:
        """Stop one that sweeps, as an operator does: each sweeps when it starts."""
        del names
        member = self.workers()[0]
        with self._lock:
            code = member.end(signal.SIGTERM)
            if code != 0:
                raise Stuck("\n".join([f"{member.life.who} ended with {code} after SIGTERM:", *member.life.last]))
            member.start()

    def restart(self, *, empty: bool) -> None:
        """Kill all of them."""
        for member in self.members.values():
            self.kill(member)
            if empty:
                shutil.rmtree(member.cache, ignore_errors=True)

    def stop(self) -> None:
        """For good."""
        self._stopping.set()
        self._keeper.join()
        for member in self.members.values():
            member.end()
        for life in self.lives():
            assert life.reader is not None
            life.reader.join(PATIENCE)
        self.nursery.stop()
        self.http.close()

    # What chaos does to it

    def lives(self) -> Iterator[Life]:
        for member in self.members.values():
            yield from member.lives

    def workers(self) -> list[Member]:
        return [member for member in self.members.values() if member.role != "web"]

    def member_of(self, who: str) -> Member:
        """The process with this token, or the one that has taken its place."""
        return self.members[who.partition("/")[0]]

    def kill(self, member: Member, who: str = "") -> bool:
        """SIGKILL, unless the one that is meant has ended already; it is started again."""
        with self._lock:
            if who and member.life.who != who:
                return False
            member.end()
            member.start()
            return True

    def is_up(self) -> bool:
        """Whether each process answers."""
        return all(member.figure("onehead_jobs_running") is not None for member in self.members.values())

    def wait_until_up(self) -> None:
        """Raises `Stuck` where that takes too long."""
        until = time.monotonic() + PATIENCE
        while not self.is_up():
            if time.monotonic() > until:
                raise Stuck("\n".join(["onehead does not come up", *self.story()]))
            time.sleep(0.02)

    def story(self) -> Iterator[str]:
        """The last lines of each process that ran lately."""
        for member in self.members.values():
            for life in member.lives[-2:]:
                yield from (f"{life.who}: {line}" for line in [*life.last][-12:])

    def _keep(self) -> None:
        """Start again what has ended by itself, like what supervises it in earnest."""
        while not self._stopping.wait(0.2):
            with self._lock:
                for member in self.members.values():
                    if member.life.process.poll() is not None:
                        member.life.is_over()
                        self.restarts += 1
                        member.start()


def children(number: int) -> list[int]:
    """The processes that a process has started, theirs included."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(place.read_text().rpartition(")")[2].split()[1]), []).append(int(place.parent.name))
    found = parents.get(number, [])[:]
    for each in found:
        found += parents.get(each, [])
    return found


def _free_port() -> int:
    """One that no client is given meanwhile, since the same one is needed at each start."""
    while True:
        number = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", number)):
            return number
