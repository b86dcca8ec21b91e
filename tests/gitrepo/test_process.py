"""The side door: the same git as at the main one, with the same limits."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.process import GitTooOld, OutOfTime, Quick
from tests.forgejos.port import eventually
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "shop.git")
    monkeypatch.chdir(made.path)
    return made


def soon(seconds: float = 30) -> Quick:
    return Quick(time.monotonic() + seconds)


def test_it_answers_as_the_main_door_does(repo: Repository) -> None:
    repo.commit("main", {"a \udcff.py": "x\n"})
    for args in (("ls-tree", "-z", "main"), ("rev-parse", "nothing"), ("cat-file", "blob", "main:a \udcff.py")):
        assert soon().ask(*args) == Git(repo.path).ask(*args)


@pytest.mark.usefixtures("repo")
def test_however_much_is_said_on_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "#!/bin/sh\nhead -c 3000000 /dev/zero >&2\nhead -c 5000000 /dev/zero\nhead -c 9 /dev/zero >&2\nexit 7\n"
    fake_git(tmp_path / "bin", script, monkeypatch)
    answer = soon().ask("any")
    assert (answer.code, len(answer.out), len(answer.err)) == (7, 5_000_000, 3_000_009)


def test_it_sees_what_is_seen_at_the_main_door(
    tmp_path: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_QUARANTINE_PATH", "/q")
    fake_git(tmp_path / "bin", "#!/bin/sh\nenv | grep ^GIT_ | sort\n", monkeypatch)
    seen = soon().ask("any").out
    assert seen == Git(repo.path).ask("any").out
    assert b"GIT_QUARANTINE_PATH=/q" in seen
    assert b"GIT_DIR" not in seen


@pytest.mark.usefixtures("repo")
def test_secrets_are_cut_out_of_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_git(tmp_path / "bin", "#!/bin/sh\necho https://me:hush@example.org/ >&2\nexit 1\n", monkeypatch)
    assert soon().ask("any").err == "https://***@example.org/\n"


@pytest.mark.usefixtures("repo")
def test_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitTooOld):
        soon().ask("version")


@pytest.mark.usefixtures("repo")
def test_when_the_time_is_over_everything_that_was_started_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    fake_git(tmp_path / "bin", f"#!/bin/sh\nsleep 60 &\necho $! > {note}\nwait\n", monkeypatch)
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        soon(0.5).ask("any")
    assert time.monotonic() - began < 10
    eventually(lambda: has_ended(int(note.read_text())))


def has_ended(process: int) -> bool:
    """Whether it runs no more; whoever inherits it may not have collected it yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.usefixtures("repo")
def test_no_time_at_all() -> None:
    with pytest.raises(OutOfTime):
        soon(-1).ask("version")


@pytest.mark.usefixtures("repo")
def test_nothing_stays_open() -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    soon().ask("version")
    with pytest.raises(OutOfTime):
        soon(-1).ask("version")
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def fake_git(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
