"""Files that a stranger wrote to take the machine, through every door: in a process that may not take much."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.migrations import VERSIONS, chain, merged, project
from tests.repositories import Repository, environment
from tests.service.bare_server import Server

MEMORY = 640 * 1024 * 1024
"""Bytes of address space, threads and libraries included; before there were bounds, each of these took gigabytes."""
SECONDS = 20
"""Of CPU."""

BASE = merged(project(), chain(("001", None), ("002", "001")))
MEGABYTES = "1 + " * 1_250_000 + "1"
KEY = "a" + ".a" * 100_000


def _fork(before: str = "", body: str = "    pass\n") -> dict[str, str]:
    """A revision beside 002."""
    header = 'revision = "003"\ndown_revision = "001"\nbranch_labels = None\ndepends_on = None\n'
    return {
        f"{VERSIONS}/003_x.py": f'"""x"""\n{before}{header}\n\ndef upgrade():\n{body}\n\ndef downgrade():\n    pass\n'
    }


COLLIDES = "chain forks after `001`"
NO_POLICY = "so no policy was read"


@dataclass(frozen=True)
class Hostile:
    """What a branch adds, how `check` ends with it and what it says, and how `states` ends."""

    files: dict[str, str]
    check: int
    said: tuple[str, ...]
    states: int = 0


CASES = {
    "a key of a policy": Hostile({".onehead.toml": f"{KEY} = 1\n"}, 1, ("`.onehead.toml`", NO_POLICY)),
    "a short file with a key of a policy": Hostile(
        {".onehead.toml": f"{KEY[:31_000]} = 1\n"}, 1, ("a key of more than 32 parts", NO_POLICY)
    ),
    "a key of a project file": Hostile(
        {"pyproject.toml": f"[tool.onehead]\n{KEY} = 1\n"}, 1, ("`pyproject.toml`", NO_POLICY)
    ),
    "a key beside Alembic's": Hostile(
        {"pyproject.toml": f"[tool.alembic]\nscript_location = 'x'\n{KEY} = 1\n"},
        3,
        ("`pyproject.toml`", "environments that it declares may be missed"),
        3,
    ),
    "an ini file": Hostile(
        {"more/alembic.ini": f"[alembic]\nscript_location = x\n{'a=b' * 50_000}\n"},
        3,
        ("`more/alembic.ini`", "environments that it declares may be missed"),
        3,
    ),
    "an expression in a body": Hostile(_fork(body=f"    x = {MEGABYTES}\n"), 1, (COLLIDES, "too large to be read")),
    "an expression above the ids": Hostile(_fork(before=f"x = {MEGABYTES}\n"), 1, (COLLIDES, "too large to be read")),
    "an expression for an id": Hostile(
        _fork(before=f"revision = {MEGABYTES}\n"),
        3,
        ("Could not judge", f"`{VERSIONS}/003_x.py`: it is larger than 1024 KiB", "its header is not plain"),
        3,
    ),
    "brackets": Hostile(_fork(body=f"    x = {'[' * 90_000}\n"), 1, (COLLIDES, "can't be read as Python")),
    "an f-string": Hostile(_fork(body=f"    x = f'{'{a}' * 30_000}'\n"), 1, (COLLIDES,)),
    "SQL": Hostile(
        _fork(before="from alembic import op\n", body=f"    op.execute('{'/*' * 40_000}')\n"),
        1,
        (COLLIDES, "SQL that is not recognised"),
    ),
    "branches over names": Hostile(
        _fork(before="".join(f"v{n} = 1\n" for n in range(8_000)), body="    if x: pass\n" * 8_000),
        1,
        (COLLIDES, "there is more in this file than is read"),
    ),
    "many files": Hostile(
        {
            f"{VERSIONS}/f{n:02}.py": f"X = [{'1, ' * 49_000}]\nrevision = 'f{n}' + ''\n"
            f"down_revision = '{f'f{n - 1}' if n else '002'}'\n"
            for n in range(30)
        },
        3,
        ("Could not judge", "2,000,000 words and signs together"),
        3,
    ),
}


def _narrow() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "onehead", *args],
        env=environment() | {"ONEHEAD_CACHE_DIR": str(folder / "cache")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=_narrow,
    )


QUICK = {"a key beside Alembic's", "an expression for an id", "brackets"}


@pytest.fixture(params=[pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CASES])
def case(request: pytest.FixtureRequest) -> Hostile:
    return CASES[request.param]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space hold on Linux only")
def test_it_is_judged_within_bounds_and_the_file_is_named(case: Hostile, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "shop.git")
    repo.commit("main", BASE)
    repo.branch("topic", "main")
    repo.commit("topic", case.files)
    sides = ("--repo", str(repo.path), "--target", "main", "--head", "topic")

    checked = run(tmp_path, "check", *sides)
    assert (checked.returncode, checked.stderr) == (case.check, "")
    assert [words for words in case.said if words not in checked.stdout] == []
    assert len(checked.stdout) < 64 * 1024

    fixed = run(tmp_path / "another", "fix", *sides)
    assert (fixed.returncode, fixed.stderr) == (case.check, "")
    assert len(fixed.stdout) < 128 * 1024

    shown = run(tmp_path / "elsewhere", "states", *sides)
    assert (shown.returncode, shown.stderr) == (case.states, "")
    assert len(shown.stdout) < 64 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space hold on Linux only")
def test_a_push_of_it_is_judged_within_bounds(case: Hostile, tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.commit("main", BASE)
    assert server.push("main") == (True, "")
    server.commit("main", case.files)
    # The hook inherits the limits of the push, as both are of one machine.
    done = subprocess.run(
        ["git", "push", "--quiet", f"file://{server.bare.path}", "main"],
        cwd=server.developer.path,
        env=environment() | {"ONEHEAD_CACHE_DIR": str(server.cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=_narrow,
    )
    words = done.stderr
    # A hook that is ended from outside lets a push in, and says so.
    assert done.returncode == 1
    assert "remote: onehead: push refused." in words
    assert any(said in words for said in ("2 heads (002, 003)", *case.files)), words
