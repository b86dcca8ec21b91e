"""What `onehead verify` keeps from a project's code, and what it leaves behind: nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from onehead.child_process import cut_off
from tests.cli.terminal_runs import Run
from tests.migrations import chain, merged, project
from tests.postgres import Postgres, postgres
from tests.repositories import Repository, environment
from tests.trying import Verify, one, repository

__all__ = ["postgres"]
"""The fixture, for pytest to find here."""

pytestmark = pytest.mark.slow


def test_the_code_sees_no_variable_of_the_caller_and_an_empty_home(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter22")
    monkeypatch.setenv("WANTED", "yes")
    body = f"""import os
own = {{"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}}
assert set(os.environ) <= own | {{"WANTED", "MORE"}}, sorted(os.environ)
assert (os.environ["WANTED"], os.environ["MORE"]) == ("yes", "a=b")
assert os.environ["HOME"] != {os.environ["HOME"]!r}
assert os.listdir(os.environ["HOME"]) == []"""

    [way] = Verify(run, one(tmp_path, body), "--dialect", "sqlite", "--env", "WANTED", "--env", "MORE=a=b").ways()

    assert way["result"] == "ok"


def test_the_code_has_no_network(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        port = listening.getsockname()[1]
        body = f'import socket; socket.create_connection(("127.0.0.1", {port}), timeout=5).close()'
        repo = one(tmp_path, body)
        verify = Verify(run, repo, "--dialect", "sqlite")

        assert verify.ways("--network")[0]["result"] == "ok"
        listening.accept()[0].close()
        done = verify.done()
        if not cut_off().prefix:
            assert "The network stays open" in done.out
            return
        assert done.code == 1
        assert "The network is cut off." in done.out
        assert "Network is unreachable" in done.out
        assert "`--network` leaves it open" in done.out
        with pytest.raises(TimeoutError):
            listening.accept()


def test_where_the_network_cannot_be_cut_off_it_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = one(tmp_path / "repo", "pass")
    weak = tmp_path / "bin"
    weak.mkdir()
    (weak / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (weak / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{weak}:{os.environ['PATH']}")

    done = Verify(run, repo, "--dialect", "sqlite").done()

    assert done.code == 0
    assert "The network stays open: this system does not let `unshare` cut it off." in done.out


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_no_secret_is_repeated(run: Run, tmp_path: Path, postgres: Postgres, form: str) -> None:
    body = """import os
url = op.get_bind().engine.url.render_as_string(hide_password=False)
print(url, os.environ["API_TOKEN"])
op.execute(f"SELECT nothing /* {url} {os.environ['API_TOKEN']} */")"""
    url = postgres.uri.replace("postgres:@", "postgres:hunter22@")
    verify = Verify(run, one(tmp_path, body), "--database-url", url, "--env", "API_TOKEN=s3cr3t-enough")

    done = verify.done("--format", form)

    assert (done.code, "SELECT nothing" in done.out) == (1, True)
    assert "hunter22" not in done.out + done.err
    assert "s3cr3t-enough" not in done.out + done.err


def test_junit_has_one_case_for_each_way(run: Run, tmp_path: Path) -> None:
    files = merged(project(), chain(("001", None), ("002", "001"), ("003", "001"), ("004", ("002", "003"))))
    verify = Verify(run, repository(tmp_path, files), "--dialect", "sqlite")
    broken = Verify(run, one(tmp_path / "broken", 'op.drop_table("nowhere")'), "--dialect", "sqlite")

    suite = ET.fromstring(verify.done("--format", "junit").out)  # noqa: S314 - our own output
    failed = ET.fromstring(broken.done("--format", "junit").out)  # noqa: S314 - our own output

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "0")
    assert [case.get("name") for case in suite.iter("testcase")] == [
        "alembic/versions: from fresh to head",
        "alembic/versions: from 002 (002) to head",
    ]
    [case] = failed.iter("testcase")
    [failure] = case.iter("failure")
    assert (failure.get("type"), case.get("file")) == ("failed", "alembic/versions/001_t001.py")
    assert "SQL: DROP TABLE nowhere" in (failure.text or "")


# --- nothing is left ----------------------------------------------------------------------------------------------


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory for everything temporary, with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="v"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def started(repo: Repository, temporary: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "onehead", "verify", "--repo", str(repo.path), "--at", "main", *options],
        env=environment() | {"TMPDIR": str(temporary), "ONEHEAD_CACHE_DIR": str(temporary / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_with(text: str) -> list[str]:
    """Command lines of running processes that name something."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found


def left_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} - {"cache"}


def test_a_private_postgresql_is_gone_afterwards(tmp_path: Path, temporary: Path) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None))))
    process = started(repo, temporary)
    out, err = process.communicate(timeout=110)

    assert (process.returncode, err) == (0, "")
    assert "On PostgreSQL 18" in out
    assert "(private)" in out
    assert left_in(temporary) == set()
    assert processes_with(str(temporary)) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "cancelled"])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, temporary: Path, ending: signal.Signals) -> None:
    mark = f"sleeps-{os.getpid()}-{ending}"
    sleeper = f"""import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{mark}"], start_new_session=True)
op.execute("SELECT pg_sleep(600)")"""
    process = started(one(tmp_path, sleeper), temporary)
    try:
        end = time.monotonic() + 80
        while not processes_with(mark):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(ending)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()

    assert (process.returncode, err) == (130, "onehead: interrupted.\n")
    assert left_in(temporary) == set()
    assert processes_with(str(temporary)) == []
    if "--kill-child" in cut_off().prefix:
        # Even what has left the run's own session.
        assert processes_with(mark) == []


# --- wrong usage --------------------------------------------------------------------------------------------------
