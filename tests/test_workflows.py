"""What this project's own CI runs, and its own hook on itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repositories import environment

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".forgejo" / "workflows").iterdir())
HOOK = ROOT / ".pre-commit-config.yaml"


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=place,
        env=environment() | {"PRE_COMMIT_HOME": str(place.parent / "pre-commit"), "HOME": str(place.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in WORKFLOWS:
        found |= yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(job: str) -> list[str]:
    return [step["run"] for step in jobs()[job]["steps"] if "run" in step]


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_is_what_forgejo_reads(file: Path, schema: str) -> None:
    """Forgejo reads what GitHub does. A job without a limit of time can hold a runner for hours."""
    done = run(ROOT, sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_jobs_run_the_linters_both_tiers_and_the_hook() -> None:
    assert "make lint" in steps("lint")
    assert "make test" in steps("test")
    assert ".ci/run" in steps("test-all")
    assert re.search(r"^make test-all\b", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert any("pre-commit run --hook-stage pre-push" in step for step in steps("lint"))
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_pythons_that_are_declared_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))

    assert jobs()["test"]["strategy"]["matrix"]["python"] == declared
    assert project["requires-python"] == f">={declared[0]}"


def test_our_own_hook_is_the_one_that_we_offer() -> None:
    [offered] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    [repository] = yaml.safe_load(HOOK.read_text(encoding="utf-8"))["repos"]
    [ours] = repository["hooks"]

    assert ours.pop("entry") == f".venv/bin/{offered['entry']}"
    assert ours.pop("language") == "unsupported"
    assert ours.items() <= offered.items()


def test_our_own_hook_finds_nothing_to_judge_here(tmp_path: Path) -> None:
    place = tmp_path / "onehead"
    made = shutil.ignore_patterns(".git", ".venv", ".*cache*", ".hypothesis", "__pycache__", "demo-out", "fuzz-out")
    shutil.copytree(ROOT, place, ignore=made)
    (place / ".venv").symlink_to(sys.prefix)
    for command in ("init --initial-branch=main", "add --all", "commit --message=all"):
        run(place, "git", *command.split()).check_returncode()

    done = run(place, sys.executable, "-m", "pre_commit", "run", "--hook-stage", "pre-push", "--all-files", "--verbose")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No Alembic environment found" in done.stdout
    assert "nothing to judge" in done.stdout
