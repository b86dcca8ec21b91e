"""A real Forgejo behind the tests' port: one binary, SQLite, loopback only, everything in a temporary folder."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.forgejos.administration import PASSWORD, Administration
from tests.forgejos.port import Account, SentDelivery, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE = "ONEHEAD_TEST_FORGEJO"
QUIET = 3.0  # seconds
_SETTINGS = """\
APP_NAME = Forgejo
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {work}

[database]
DB_TYPE = sqlite3
PATH = {work}/forgejo.db

[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
DISABLE_GIT_HOOKS = false
PASSWORD_HASH_ALGO = pbkdf2_v1

[webhook]
ALLOWED_HOST_LIST = loopback

[service]
DISABLE_REGISTRATION = true

[repository]
ROOT = {work}/repositories
DEFAULT_BRANCH = main

[log]
LEVEL = Warn
ROOT_PATH = {work}/log

[actions]
ENABLED = false

[mailer]
ENABLED = false
"""


class RealForgejo:
    """A Forgejo binary, started for the tests.

    Raises:
        RuntimeError: the binary did not start; its own words are in the message.
    """

    def __init__(self, binary: Path) -> None:
        self.work = Path(tempfile.mkdtemp(prefix="real-forgejo-"))
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._binary, self._config = binary, self.work / "app.ini"
        settings = _SETTINGS.format(user=getpass.getuser(), work=self.work, port=port, secret=secrets.token_hex(32))
        self._config.write_text(settings)
        self._cli("migrate")
        token = self._create_boss()
        self._log = (self.work / "output.log").open("wb")
        command = [str(binary), "web", "--config", str(self._config)]
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT, cwd=self.work, env=self._environment()
        )
        try:
            self.version = self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        self.name = "forgejo-" + self.version.split(".", 1)[0]
        boss = Account(1, "boss", "boss@example.org", PASSWORD, token)
        self.admin = Administration(self.url, boss)

    def _environment(self) -> dict[str, str]:
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "USER": getpass.getuser(),
            "TZ": "UTC",
            "GITEA_WORK_DIR": str(self.work),
            "FORGEJO_WORK_DIR": str(self.work),
            # Containers run tests as root, which Forgejo refuses without this.
            "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
        }

    def _cli(self, *arguments: str) -> str:
        command = [str(self._binary), *arguments, "--config", str(self._config)]
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=self.work, env=self._environment(), timeout=120, check=False
        )
        if result.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{result.stdout}\n{result.stderr}")
        return result.stdout

    def type(self, command: str, folder: Path) -> None:
        """Run a line as somebody at a shell on the server would, for whom `forgejo` knows its configuration."""
        programs = self.work / "bin"
        programs.mkdir(exist_ok=True)
        program = programs / "forgejo"
        program.write_text(f'#!/bin/sh\nexec "{self._binary}" "$@" --config "{self._config}"\n')
        program.chmod(0o755)
        env = self._environment()
        env["PATH"] = f"{programs}{os.pathsep}{env['PATH']}"
        subprocess.run(["sh", "-c", command], cwd=folder, env=env, timeout=120, check=True)

    def _create_boss(self) -> str:
        who = ["--username", "boss", "--password", PASSWORD, "--email", "boss@example.org", "--admin"]
        self._cli("admin", "user", "create", *who, "--must-change-password=false")
        token = ["--username", "boss", "--token-name", "tests", "--scopes", "all", "--raw"]
        lines = self._cli("admin", "user", "generate-access-token", *token).split()
        return next(line for line in reversed(lines) if re.fullmatch("[0-9a-f]{40}", line))

    def _wait_until_ready(self) -> str:
        def version() -> str:
            if self._process.poll() is not None:
                raise RuntimeError(f"Forgejo ended at once:\n{(self.work / 'output.log').read_text()}")
            try:
                return str(httpx.get(f"{self.url}/api/v1/version", trust_env=False).json()["version"])
            except (httpx.HTTPError, ValueError, KeyError):
                return ""

        return eventually(version, within=60)

    def deliveries(self) -> list[SentDelivery]:
        rows = self._query("SELECT uuid, event_type, payload_content, response_content FROM hook_task ORDER BY id")
        return [SentDelivery(uuid, kind, body.encode(), _status(answer)) for uuid, kind, body, answer in rows]

    def lose_webhooks(self, lost: bool) -> None:
        # No API does this for all hooks at once; the server reads the table anew for every event.
        self._query("UPDATE webhook SET is_active = ?", (0 if lost else 1,))

    def wait_until_quiet(self) -> None:
        # Its queues poll with pauses of up to two seconds, and nothing outside tells how much is in them.
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET:
            rows = self._query("SELECT COUNT(*), SUM(NOT is_delivered) FROM hook_task")
            if rows[0][0] != seen or rows[0][1]:
                seen, since = rows[0][0], time.monotonic()
            time.sleep(0.1)

    def _query(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        connection = sqlite3.connect(self.work / "forgejo.db", timeout=20)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def bare_repository(self, owner: str, name: str) -> Path:
        return self.work / "repositories" / owner.lower() / f"{name.lower()}.git"

    def server_hooks(self) -> Path | None:
        if int(self.version.split(".", 1)[0]) < 16:
            return None
        return self.work / "data" / "home" / "hooks" / "pre-receive.d"

    def stop(self) -> None:
        self.admin.close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._log.close()
        shutil.rmtree(self.work, ignore_errors=True)


def _status(answer: str | None) -> int:
    """Read the code out of the JSON that Forgejo keeps of an answer."""
    found = re.search(r'"status":\s*(\d+)', answer or "")
    return int(found.group(1)) if found else 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
