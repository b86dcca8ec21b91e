"""`onehead serve --role web` and `--role worker` as processes, over a real PostgreSQL and a forge that is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.postgres import Postgres, postgres
from tests.service.deliveries import SECRET, recorded
from tests.service.test_engine_contract import database

__all__ = ["postgres"]

pytestmark = pytest.mark.slow

PATIENCE = 30.0
PAGE_TOKEN = "a-token-for-the-page-of-both"


def settings(folder: Path, url: str) -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("ONEHEAD_")} | {
        "ONEHEAD_FORGEJO_URL": "http://127.0.0.1:9/forge",
        "ONEHEAD_TOKEN": "t0ken",
        "ONEHEAD_WEBHOOK_SECRET": SECRET,
        "ONEHEAD_LISTEN": "127.0.0.1:0",
        "ONEHEAD_PAGE_TOKEN": PAGE_TOKEN,
        "ONEHEAD_CACHE_DIR": str(folder / "cache"),
        "ONEHEAD_DATABASE_URL": url,
        "ONEHEAD_LOG": "json",
    }


class Serving:
    """One process of the service."""

    def __init__(self, folder: Path, url: str, role: str) -> None:
        self._log = folder / f"{role}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "onehead", "serve", "--role", role], env=settings(folder, url), stderr=log
            )
        self.root = self._said("Listening for webhooks." if role == "web" else "Working;")

    def _said(self, words: str) -> str:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for line in self._log.read_text().splitlines():
                if words in line:
                    return str(json.loads(line)["url"]).removesuffix("/hooks/forgejo")
            time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return database(postgres)


@pytest.fixture
def serving(tmp_path: Path, url: str) -> Iterator[dict[str, Serving]]:
    found = {role: Serving(tmp_path, url, role) for role in ("web", "worker")}
    yield found
    for each in found.values():
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_what_web_takes_a_worker_tries(url: str, serving: dict[str, Serving]) -> None:
    body, headers = recorded("push")
    sent = {
        role: httpx.post(f"{each.root}/hooks/forgejo", content=body, headers=headers) for role, each in serving.items()
    }

    assert {role: answer.status_code for role, answer in sent.items()} == {"web": 202, "worker": 404}
    until = time.monotonic() + PATIENCE
    error = None
    with psycopg.connect(url, autocommit=True) as connection:
        while error is None and time.monotonic() < until:
            row = connection.execute("SELECT error FROM onehead_inbox").fetchone()
            error = row[0] if row else None
            time.sleep(0.1)
    assert error is not None
    assert "Unavailable" in error  # the forge is away, so it is tried again
    seen = {
        role: httpx.get(f"{each.root}/repositories/courtside/basketball-api", auth=("ann", PAGE_TOKEN))
        for role, each in serving.items()
    }
    assert {role: answer.status_code for role, answer in seen.items()} == {"web": 200, "worker": 404}
    assert "The last look could not be finished." in seen["web"].text
    assert httpx.get(f"{serving['web'].root}/repositories", auth=("ann", SECRET)).status_code == 401
    for each in serving.values():
        assert httpx.get(f"{each.root}/healthz").status_code == 200
        assert httpx.get(f"{each.root}/readyz").status_code == 503
        # While it is tried again, it does not wait.
        while "onehead_jobs_waiting 1.0" not in (text := httpx.get(f"{each.root}/metrics").text):
            assert time.monotonic() < until, text
            time.sleep(0.1)
    assert [each.end() for each in serving.values()] == [0, 0]


def test_without_its_tables_it_does_not_start(postgres: Postgres, tmp_path: Path) -> None:
    empty = postgres.fresh().replace("postgresql+psycopg", "postgresql")
    done = subprocess.run(
        [sys.executable, "-m", "onehead", "serve", "--role", "worker"],
        env=settings(tmp_path, empty),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 2
    assert "Run `onehead database upgrade`" in done.stderr


def test_a_role_needs_a_database(tmp_path: Path) -> None:
    environment = settings(tmp_path, "")
    done = subprocess.run(
        [sys.executable, "-m", "onehead", "serve", "--role", "web"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 2
    assert "--role web needs a database" in done.stderr
