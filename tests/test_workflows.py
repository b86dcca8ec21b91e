"""What this project's own CI runs, its hooks on itself, and what it asks of whoever reports something."""

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
HOOKS = ROOT / ".pre-commit-config.yaml"


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


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_job_has_a_limit_of_time(file: Path) -> None:
    """One without can hold a runner for hours."""
    schema = "custom.github-workflows-require-timeout"
    done = run(ROOT, sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file))

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_jobs_run_the_linters_both_tiers_and_the_hook() -> None:
    assert {"make lint", "make docs"} <= {*steps("lint")}
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


def hooks() -> dict[str, dict[str, Any]]:
    [repository] = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"]
    return {each.pop("id"): each for each in repository["hooks"]}


def test_our_own_hook_is_the_one_that_we_offer() -> None:
    [offered] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    ours = hooks()[offered["id"]]

    assert ours.pop("entry") == f".venv/bin/{offered['entry']}"
    assert ours.pop("language") == "unsupported"
    assert ours.items() <= offered.items()


def test_a_commit_is_held_to_what_make_lint_says() -> None:
    told = run(ROOT, "make", "--dry-run", "lint").stdout
    asked = {name: hook["entry"].replace(" --force-exclude", "") for name, hook in hooks().items()}

    assert asked["mypy"] in told
    assert asked["ruff"] in told
    assert f"{asked['ruff-format']} --check" in told


@pytest.mark.parametrize("hook", ["schemas", "workflows", "issue-forms"])
def test_a_hook_finds_its_files_and_takes_them(hook: str) -> None:
    """Forgejo reads workflows and forms as GitHub does."""
    _, *arguments = hooks()[hook]["entry"].split()
    places = (ROOT / "docs", ROOT / ".forgejo")
    paths = [path.relative_to(ROOT) for place in places for path in place.rglob("*")]
    found = [str(path) for path in paths if re.search(hooks()[hook]["files"], path.as_posix())]
    done = run(ROOT, sys.executable, "-m", "check_jsonschema", *arguments, *found)

    assert found
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_tells_what_onehead_and_alembic_say() -> None:
    fields = yaml.safe_load((ROOT / ".forgejo" / "issue_template" / "bug.yml").read_text(encoding="utf-8"))["body"]
    asked = {field["id"]: field for field in fields}

    assert "`onehead check --format json`" in asked["check"]["attributes"]["label"]
    assert "`alembic heads`" in asked["heads"]["attributes"]["label"]
    assert asked["check"]["validations"]["required"]
    assert asked["heads"]["validations"]["required"]


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
