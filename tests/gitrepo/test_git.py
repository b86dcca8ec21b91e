"""Git as a program: what is asked, what its complaints mean, and a conversation about objects that is kept open."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onehead.gitrepo.git import Git, conversation, end, kept_open
from onehead.gitrepo.process import (
    GitFailed,
    GitTimeout,
    GitTooOld,
    MissingObjects,
    NotARepository,
    UntrustedRepository,
    explain,
    redact,
)
from onehead.gitrepo.tree import read
from tests.repositories import Repository


def put_git(place: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program named git that stands before the real one."""
    place.mkdir()
    program = place / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


def test_a_command_returns_what_git_prints(git: Git, repo: Repository) -> None:
    repo.commit("main", {"a.py": "x = 1\n"})
    assert git.run("cat-file", "blob", "main:a.py") == b"x = 1\n"
    assert git.run("hash-object", "--stdin", data=b"x = 1\n") == git.run("rev-parse", "main:a.py")


def test_a_failure_says_command_code_and_what_git_said(git: Git) -> None:
    with pytest.raises(GitFailed) as caught:
        git.run("check-ref-format", "--branch", "not..valid")
    assert caught.value.code == 128
    assert caught.value.message == (
        "`git check-ref-format` failed with exit code 128 and said: fatal: 'not..valid' is not a valid branch name"
    )


def test_a_directory_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(NotARepository) as caught:
        Git(tmp_path).run("rev-parse", "HEAD")
    assert caught.value.message == f"{tmp_path} is not a git repository."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["nowhere", "a-file"])
def test_a_directory_that_can_not_be_entered(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(NotARepository, match="can't be opened as a directory"):
        Git(tmp_path / name).run("rev-parse", "HEAD")


def test_no_git_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitTooOld) as caught:
        Git(tmp_path).run("version")
    assert caught.value.message == "Git was not found."


def test_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Git(tmp_path).version() >= (2, 38)
    put_git(tmp_path / "bin", "echo git version 2.17.1.windows.2", monkeypatch)
    assert Git(tmp_path).version() == (2, 17)


def test_a_command_that_takes_too_long_is_ended_with_everything_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The helper holds the pipes open, as a hanging transport would after only git itself was killed.
    put_git(tmp_path / "bin", f"(sleep 2; touch {tmp_path}/survived) & wait", monkeypatch)
    start = time.monotonic()
    with pytest.raises(GitTimeout) as caught:
        Git(tmp_path).run("fetch", timeout=0.5)
    assert time.monotonic() - start < 1.9
    assert caught.value.message == f"`git fetch` in {tmp_path} took longer than 0.5 seconds and was ended."
    time.sleep(2.5)
    assert not (tmp_path / "survived").exists()


def test_variables_of_an_outer_git_do_not_leak_in(
    git: Git, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(tmp_path / "other.git")
    other.commit("main", {"other": "other"})
    sha = repo.commit("main", {"a.py": "x = 1\n"})
    monkeypatch.setenv("GIT_DIR", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'broken")
    assert git.run("rev-parse", "HEAD").decode().strip() == sha


def test_variables_of_a_quarantine_and_of_a_private_authority_are_kept(
    git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {
        "GIT_QUARANTINE_PATH": "/q",
        "GIT_OBJECT_DIRECTORY": "/q/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/o",
        "GIT_SSL_CAINFO": "/ca.pem",
    }
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    environment = git.environment()
    assert {name: environment[name] for name in kept} == kept


def test_neither_hooks_nor_fsmonitor_of_the_repository_run(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo", bare=False)
    sha = repo.commit("main", {"a.py": "x = 1\n"})
    repo.git("reset", "--quiet", "--hard")
    trace = tmp_path / "trace"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {trace}\n")
    trap.chmod(0o755)
    hooks = repo.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "reference-transaction").symlink_to(trap)
    git = Git(repo.path)
    repo.git("config", "core.fsmonitor", str(trap))
    git.run("status", "--porcelain")
    git.run("update-ref", "refs/heads/new", sha)
    assert not trace.exists()
    subprocess.run(["git", "update-ref", "refs/heads/two", sha], cwd=repo.path, check=True)
    assert trace.exists()  # the trap itself works


def test_reading_a_partial_clone_fetches_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    origin.commit("main", {"a.py": "x = 1\n"})
    origin.git("config", "uploadpack.allowFilter", "true")
    origin.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{origin.path}", str(tmp_path / "clone.git"))
    with pytest.raises(MissingObjects) as caught:
        Git(tmp_path / "clone.git").run("cat-file", "blob", "HEAD:a.py")
    assert "partial clone" in caught.value.message
    assert "git fetch --refetch" in caught.value.hint


@pytest.mark.parametrize("bare", [True, False])
def test_a_repository_of_somebody_else(bare: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repository(tmp_path / "theirs", bare=bare)
    repo.commit("main", {"a.py": "x = 1\n"})
    monkeypatch.setenv("HOME", str(tmp_path))
    # Git's own switch for testing this; changing the owner would need root.
    theirs = Git(repo.path, environment={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    with pytest.raises(UntrustedRepository) as caught:
        theirs.run("rev-parse", "HEAD")
    assert caught.value.message == f"Git refuses to read {repo.path}: it belongs to another user."
    assert f"`git config --global --add safe.directory {repo.path}" in caught.value.hint
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repo.path}\n")
    assert theirs.run("rev-parse", "HEAD").decode().strip() == repo.sha("main")


def test_a_bare_repository_is_found_even_if_only_explicit_ones_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repository(tmp_path / "repo.git")
    sha = repo.commit("main", {"a.py": "x = 1\n"})
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[safe]\n\tbareRepository = explicit\n")
    assert Git(repo.path).run("rev-parse", "HEAD").decode().strip() == sha


def test_checkouts_their_directories_and_linked_worktrees(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo", bare=False)
    sha = repo.commit("main", {"deep/down/a.py": "x = 1\n"})
    repo.git("reset", "--quiet", "--hard")
    topic = repo.commit("topic", {"b.py": "y = 2\n"}, parents=["main"])
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "topic")
    for directory, expected in [
        (repo.path, sha),
        (repo.path / "deep" / "down", sha),
        (repo.path / ".git", sha),
        (tmp_path / "linked", topic),
    ]:
        assert Git(directory).run("rev-parse", "HEAD").decode().strip() == expected


def test_secrets_are_cut_out_of_what_git_says(tmp_path: Path) -> None:
    git = Git(tmp_path, secrets=("s3cret",))
    with pytest.raises(GitFailed) as caught:
        git.run("clone", "--", "https://bob:hunter2@127.0.0.1:9/s3cret", "x")
    assert "hunter2" not in caught.value.message
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fatal: https://bob:pw@host/o/r.git: no", "fatal: https://***@host/o/r.git: no"),
        ("http://token@host/", "http://***@host/"),
        ("Authorization: Basic Ym9iOnB3", "Authorization: Basic ***"),
        ("> authorization: token abc'", "> authorization: token ***'"),
        ("mail ann@example.com", "mail ann@example.com"),
        ("see https://host/@ann", "see https://host/@ann"),
        ("the key is KEY", "the key is ***"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text, ("KEY", "")) == expected


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: bad object 1234", MissingObjects),
        ("error: object file .git/objects/12/34 is empty", MissingObjects),
        ("fatal: not a git repository: (null)", NotARepository),
        ("fatal: something else", GitFailed),
    ],
)
def test_what_git_says_has_a_meaning(said: str, kind: type[Exception]) -> None:
    assert type(explain("log", "/repo", 128, said)) is kind


def test_the_read_path_loads_nothing_expensive() -> None:
    code = (
        "import sys; from onehead.gitrepo import git, refs, tree; "
        "print(sorted({'git', 'pathlib', 'tempfile', 'dataclasses', 'asyncio'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=_path())
    assert (found.stdout, found.stderr) == ("[]\n", "")


def _path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_arguments_may_hold_any_bytes(git: Git, repo: Repository) -> None:
    repo.commit("main", {"caf\udce9.py": "x = 1\n"})
    assert git.run("cat-file", "blob", "main:caf\udce9.py") == b"x = 1\n"


def test_ending_collects_the_process(git: Git) -> None:
    process = git.start("cat-file", "--batch")
    end(process)
    assert process.returncode is not None
    assert process.stdin is not None
    assert process.stdin.closed
    end(process)  # once more does no harm


def test_git_sees_no_setting_of_ours(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONEHEAD_TOKEN", "ONEHEAD_WEBHOOK_SECRET", "ONEHEAD_REPORT_SECRET", "ONEHEAD_TOKEN_FILE"):
        monkeypatch.setenv(name, "s3cret")
    put_git(tmp_path / "bin", "env", monkeypatch)
    for door in (git, git.as_the_person("https")):
        assert b"s3cret" not in door.run("status")


# A conversation about objects that is kept open.


class Counting(Git):
    """Counts the processes that it starts."""

    started = 0

    def start(self, *args: str, **more: Any) -> subprocess.Popen[bytes]:
        self.started += 1
        return super().start(*args, **more)


@pytest.fixture
def door(repo: Repository) -> Iterator[Counting]:
    git = Counting(repo.path)
    with kept_open(git):
        yield git


def blob_of(repo: Repository, path: str, text: str) -> str:
    """The id of a file that was just committed, and packed: only of such files git is asked."""
    sha = repo.commit("main", {path: text})
    repo.git("repack", "-a", "-d", "--quiet")
    return repo.git("rev-parse", f"{sha}:{path}").strip()


def test_all_questions_are_one_conversation(door: Counting, repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1\n")
    for _ in range(5):
        assert read(door, [blob]).data == {blob: b"1\n"}
        with conversation(door) as objects:
            [found] = objects.look_up(["main:a.py"])
            assert found is not None
            assert found.oid == blob
    assert door.started == 1


def test_what_is_written_meanwhile_is_seen(door: Counting, repo: Repository) -> None:
    read(door, [blob_of(repo, "a.py", "1")])
    blob = blob_of(repo, "b.py", "2")
    assert read(door, [blob]).data == {blob: b"2"}
    assert door.started == 1


def test_after_an_error_it_begins_anew(door: Counting, repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    with pytest.raises(MissingObjects):
        read(door, [blob, "1" * 40])
    assert read(door, [blob]).data == {blob: b"1"}


def test_an_answer_that_nobody_heard_disturbs_nobody(door: Counting, repo: Repository) -> None:
    one, two = blob_of(repo, "a.py", "1"), blob_of(repo, "b.py", "2")
    with pytest.raises(ZeroDivisionError), conversation(door) as objects:
        1 / (next(objects.contents([one, two], 100)) is None)  # the second content is never fetched
    assert read(door, [two]).data == {two: b"2"}


def test_the_time_limit_is_that_of_one_round_of_questions(repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    git = Git(repo.path, timeout=0.3)
    with kept_open(git):
        for _ in range(4):
            assert read(git, [blob]).data == {blob: b"1"}
            time.sleep(0.15)
        with conversation(git) as objects:
            time.sleep(0.5)
            with pytest.raises(GitTimeout):
                objects.look_up([blob])
        assert read(git, [blob]).data == {blob: b"1"}


def test_nothing_runs_on_when_it_is_left(repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    git = Counting(repo.path)
    with kept_open(git):
        read(git, [blob])
    assert git.kept_open is None
    read(git, [blob])
    assert git.started == 2
