"""onehead as `onehead serve` composes it, beside the stand-in: a door over HTTP, the engine, the handler.

Unlike the real one it can be asked whether it is at rest, counts what it writes, and can be killed and started again.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import uvicorn

from onehead.errors import OneheadError
from onehead.forge.api import ForgejoApi
from onehead.forge.client import ApiAnswer, Connection
from onehead.forge.webhooks import HOOK_PATH
from onehead.gitrepo.mirror import Mirrors
from onehead.service.context import ServiceContext
from onehead.service.engine import EmbeddedEngine, Engine, Everything, Job
from onehead.service.handler import handle
from onehead.service.sweep import in_scope
from onehead.service.web import DoorMetrics, HookDoor, build_app
from tests.service.doors import Beside, no_reports
from tests.standin.world import Token

SECRET = "a-secret-for-tests"
_ATTEMPTS = 12


class CountingConnection(Connection):
    """Remembers every request that writes."""

    writes: list[str]

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        if method != "GET":
            self.writes.append(f"{method} {path} {dict(fields or {})}")
        return super().send(method, path, fields, query)


class Service:
    """One onehead process, and the next one after it was killed."""

    def __init__(self, forgejo_url: str, token: Token, folder: Path, covered: Collection[str]) -> None:
        self._forgejo_url = forgejo_url
        self._token = token
        self._folder = folder
        self._covered = frozenset(covered)
        self.connection = CountingConnection(forgejo_url, token.secret, sleep=lambda seconds: time.sleep(seconds / 10))
        self.connection.writes = []
        self.defects: list[BaseException] = []
        self.troubles: list[str] = []
        self.runs = 0
        self.seconds = 0.0
        self.engine = self._engine()
        self._door = self._open_door()

    def _engine(self) -> Engine:
        """A new process state: nothing is remembered but what lies in the cache directory."""
        self.context = context = ServiceContext(
            api=ForgejoApi(self.connection),
            mirrors=Mirrors(self._folder / "mirrors"),
            forgejo_url=self._forgejo_url,
            token=self._token.secret,
            cache=self._folder / "parsed",
        )

        def work(job: Job) -> None:
            started = time.monotonic()
            try:
                handle(job, context)
            finally:
                self.runs += 1
                self.seconds += time.monotonic() - started

        engine = EmbeddedEngine(work, concurrency=2, retry=self._retry)
        engine.start()
        return engine

    def _retry(self, error: BaseException, attempt: int) -> float | None:
        """Quicker than in earnest; a defect is never retried, it ends the walk."""
        if isinstance(error, OneheadError) and attempt < _ATTEMPTS:
            self.troubles.append(f"{type(error).__name__}: {error.message}")
            return 0.02 * attempt
        self.defects.append(error)
        return None

    def _open_door(self) -> uvicorn.Server:
        metrics, behind = DoorMetrics(), Beside(self._submit, account=self._token.user.id)
        door = HookDoor(
            secrets=[SECRET],
            covers=lambda name: name in self._covered,
            behind=behind,
            metrics=metrics,
        )
        app = build_app(door, no_reports(metrics), behind, metrics)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        while not server.started:
            time.sleep(0.005)
        return server

    def _submit(self, job: Job) -> None:
        """To the engine of the present process."""
        self.engine.submit(job)

    @property
    def hook_url(self) -> str:
        port = self._door.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}{HOOK_PATH}"

    @property
    def writes(self) -> list[str]:
        return self.connection.writes

    @property
    def idle(self) -> bool:
        return self.engine.state()[1:3] == (0, 0)

    def sweep(self, names: Collection[str] | None = None) -> None:
        """Submit what the scheduled sweep submits: for all repositories in scope, or some."""
        everything = self.context.api.repositories(self.context.me)
        for repository in in_scope(everything, lambda each: str(each.name) in self._covered):
            if names is None or str(repository.name) in names:
                self.engine.submit(Job(str(repository.name), frozenset({Everything()})))

    def restart(self, *, empty: bool) -> None:
        """Kill the process: what waited is lost. The new one begins with a sweep."""
        assert self.engine.stop(60)
        if empty:
            shutil.rmtree(self._folder / "mirrors", ignore_errors=True)
            shutil.rmtree(self._folder / "parsed", ignore_errors=True)
        self.engine = self._engine()
        self.sweep()

    def stop(self) -> None:
        self.engine.stop(10)
        self._door.should_exit = True
        self._thread.join(10)
        self.connection.close()
