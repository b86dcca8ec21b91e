"""What a process loads: `check` runs in every commit and `pre-receive` in every push, so what is heavy stays asleep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository, environment

HEAVY = {
    *("alembic", "mako", "sqlalchemy", "httpx", "jinja2", "git", "starlette", "uvicorn", "pydantic"),
    *("prometheus_client", "croniter", "structlog", "rich", "markdown_it"),
}
SLOW = {"argparse", "subprocess", "threading", "dataclasses", "pathlib", "inspect", "shlex", "tempfile"}
"""Of the standard library, what a push that touches no migration must not wait for, unless Python itself loads it."""

RUN = """
import json, sys
from onehead.cli.main import main
code = main(sys.argv[1:])
loaded = {name.partition(".")[0] for name in sys.modules}
# Reading what revisions do is for forks alone.
loaded |= {name for name in sys.modules if name == "onehead.operations"}
json.dump([code, sorted(loaded)], sys.stderr)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`main` at 002; `fine` on top of it; `torn` collides with it."""
    repo = Repository(tmp_path_factory.mktemp("imports") / "shop.git")
    repo.commit("main", merged(project(), chain(("001", None))))
    repo.branch("torn", "main")
    repo.commit("main", revision("002", "001"))
    repo.branch("fine", "main")
    repo.commit("fine", revision("003", "002"))
    repo.commit("torn", revision("004", "001"))
    return repo.path


def loaded(shop: Path, cache: Path, *args: str) -> tuple[int, set[str], str]:
    """Run one verb in a process of its own: exit code, top-level packages in memory at the end, standard output."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *args, "--repo", str(shop)],
        env=environment() | {"ONEHEAD_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, names = json.loads(done.stderr)
    return code, set(names), done.stdout


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_a_healthy_check_loads_nothing_heavy(shop: Path, tmp_path: Path, form: str) -> None:
    args = ("check", "--target", "main", "--head", "fine", "--format", form)
    code, names, printed = loaded(shop, tmp_path, *args)
    assert (code, (HEAVY | {"onehead.operations"}) & names) == (0, set())
    assert printed
    # The second run reads its memory instead of the files.
    again = loaded(shop, tmp_path, *args)
    assert (again[0], again[1] - names, again[2]) == (code, set(), printed)


@pytest.mark.parametrize("side", ["main", "fine"])
def test_one_branch_by_itself_loads_nothing_heavy(shop: Path, tmp_path: Path, side: str) -> None:
    code, names, _ = loaded(shop, tmp_path, "check", "--target", side)
    assert (code, (HEAVY | {"onehead.operations"}) & names) == (0, set())


def test_a_collision_is_found_without_anything_heavy(shop: Path, tmp_path: Path) -> None:
    code, names, printed = loaded(shop, tmp_path, "check", "--target", "main", "--head", "torn")
    assert (code, (HEAVY | {"onehead.operations", "dataclasses", "inspect"}) & names) == (1, {"onehead.operations"})
    assert "Plan: re-parent." in printed


def test_a_reparent_asks_alembic_what_its_authors_own_database_needs(shop: Path, tmp_path: Path) -> None:
    """And loads nothing of the forge; Mako comes with Alembic."""
    code, names, printed = loaded(shop, tmp_path, "fix", "--target", "main", "--head", "torn")
    assert (code, HEAVY & names) == (1, {"alembic", "mako", "sqlalchemy"})
    assert "branch onehead/reparent/torn" in printed


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_comes_next_is_answered_without_anything_heavy(shop: Path, tmp_path: Path, form: str) -> None:
    """Neither Alembic, for nothing moves, nor what talks to a forge, for there is no token."""
    code, names, printed = loaded(shop, tmp_path, "next", "--target", "main", "--format", form)
    assert (code, HEAVY & names) == (0, set())
    assert "002" in printed


def test_a_merge_is_written_without_anything_heavy(shop: Path, tmp_path: Path) -> None:
    code, names, printed = loaded(shop, tmp_path, "fix", "--target", "main", "--head", "torn", "--strategy", "merge")
    assert (code, HEAVY & names) == (1, set())
    assert "branch onehead/merge/torn" in printed


def pushed(shop: Path, cache: Path, update: str) -> tuple[int, set[str]]:
    """The same for the hook, as `install hook` calls it: exit code and packages."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, "pre-receive", "--on-error", "refuse", "--timeout", "30"],
        cwd=shop,
        input=update,
        env=environment() | {"ONEHEAD_CACHE_DIR": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize("file", ["README.md", "app/models.py", "pyproject.toml"])
def test_a_push_that_touches_no_migration_loads_next_to_nothing(shop: Path, tmp_path: Path, file: str) -> None:
    repo = Repository(shop)
    repo.branch("plain", "main")
    new = repo.commit("plain", {file: "x = 1\n"})
    code, names = pushed(shop, tmp_path, f"{repo.sha('main')} {new} refs/heads/main\n")
    start = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    names -= set(subprocess.run(start, capture_output=True, text=True, check=True, timeout=60).stdout.split())
    assert (code, (HEAVY | SLOW) & names) == (0, set())


@pytest.mark.parametrize(("branch", "expected"), [("fine", 0), ("torn", 1)])
def test_a_push_that_is_judged_loads_nothing_heavy(shop: Path, tmp_path: Path, branch: str, expected: int) -> None:
    repo = Repository(shop)
    if branch == "torn":
        repo.branch("both", "main")
        repo.merge("both", "torn")
        branch = "both"
    update = f"{repo.sha('main')} {repo.sha(branch)} refs/heads/main\n"
    assert pushed(shop, tmp_path, update)[0] == expected
    assert HEAVY & pushed(shop, tmp_path, update)[1] == set()


def test_the_heavy_ones_would_be_noticed(shop: Path, tmp_path: Path) -> None:
    """The measuring itself: importing Alembic shows up."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import onehead.databases.upgrade\n" + RUN,
            "check",
            "--target",
            "main",
            "--repo",
            str(shop),
        ],
        env=environment() | {"ONEHEAD_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {"alembic", "sqlalchemy"} <= set(json.loads(done.stderr)[1])
