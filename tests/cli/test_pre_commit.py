"""The hook for the pre-commit framework: the framework itself runs it, on real pushes.

Only the installation is left out: the framework would build a package and fetch its dependencies for every run, which
says nothing about the hook. So its definition is taken from the manifest word for word, but for the language: the
program is the one that these tests run in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.terminal_runs import clone, story
from tests.migrations import revision
from tests.repositories import Repository, environment

MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"


def written() -> dict[str, Any]:
    """What the manifest says, without the framework's defaults."""
    [hook] = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    return dict(hook)


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    """main at 003; `oauth` collides with it, `fine` stands on it."""
    repo = story(tmp_path / "origin.git")
    repo.branch("fine", "main")
    repo.commit("fine", revision("006", "003"))
    return repo


@pytest.fixture
def work(origin: Repository, tmp_path: Path) -> Path:
    """A checkout of `fine` with the hook installed, which pushes to a copy that has only main."""
    place = clone(origin, tmp_path / "work", "--branch", "fine")
    git(place, "branch", "oauth", "origin/oauth")
    server = tmp_path / "server.git"
    origin.git("clone", "--quiet", "--bare", "--single-branch", "--branch", "main", str(origin.path), str(server))
    git(place, "remote", "set-url", "origin", f"file://{server}")
    git(place, "fetch", "--quiet", "--prune", "origin")
    configuration = {"repos": [{"repo": "local", "hooks": [written() | {"language": "unsupported"}]}]}
    (place / ".pre-commit-config.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    framework(place, "install", "--hook-type", "pre-push").check_returncode()
    return place


def variables(place: Path) -> dict[str, str]:
    return environment() | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place.parent),
        "PRE_COMMIT_HOME": str(place.parent / "framework"),
        "ONEHEAD_CACHE_DIR": str(place.parent / "cache"),
    }


def git(place: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place, env=variables(place), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def push(place: Path, branch: str) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    done = subprocess.run(
        ["git", "push", "origin", branch],
        cwd=place,
        env=variables(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout


def framework(place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *args],
        cwd=place,
        env=variables(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_framework_accepts_the_manifest(tmp_path: Path) -> None:
    done = framework(tmp_path, "validate-manifest", str(MANIFEST))
    assert (done.returncode, done.stdout) == (0, "")
    hook = written()
    assert (hook["id"], hook["entry"], hook["language"]) == ("onehead", "onehead check", "python")
    assert (hook["stages"], hook["pass_filenames"], hook["always_run"]) == (["pre-push"], False, True)


def test_a_push_that_would_collide_is_refused(work: Path) -> None:
    """Also one of a branch that is not checked out: that one is fine."""
    code, said = push(work, "oauth")
    assert code != 0
    assert "one Alembic head" in said
    assert "Collision. Judged oauth (" in said
    assert "as if merged into origin/main (" in said
    assert "Next: onehead fix --target origin/main --head oauth" in said
    assert git(work, "ls-remote", "origin", "oauth") == ""


def test_a_push_that_is_fine_goes_through(work: Path) -> None:
    code, said = push(work, "fine")
    assert (code, "Passed" in said) == (0, True), said
    assert git(work, "ls-remote", "origin", "fine").split()[0] == git(work, "rev-parse", "fine").strip()


def test_committing_is_left_alone(work: Path) -> None:
    """At that moment the new migration is in no commit yet, so a verdict would be about the one before."""
    done = framework(work, "run", "--hook-stage", "pre-commit", "--all-files")
    assert (done.returncode, done.stdout) == (0, "")
