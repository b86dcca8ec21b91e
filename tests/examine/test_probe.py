"""Which repositories are passed over on the word of their paths, and that no examination would find anything there."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from onehead.examine.probe import MAX_CONFIGURATION_BYTES, MAX_CONFIGURATIONS, may_hold_environments
from onehead.examine.read import Listing, Memory, read_trees, survey
from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import Contents, Entry, list_tree, read
from tests.examine.end_to_end import is_suspected, judged
from tests.examine.test_touched import FOLDERS, HEX, NAMES, TEXTS
from tests.migrations import chain, merged, project
from tests.repositories import Repository

PLAIN: dict[str, str] = {
    "README.md": "# Shop\n\nscript_location, onehead, alembic and migrations are only spoken of.\n",
    "pyproject.toml": "[project]\nname = 'shop'\n",
    "setup.cfg": "[flake8]\nmax-line-length = 120\n",
    "service/tox.ini": "[tox]\nenvlist = py311\n",
    "Cargo.toml": "[package]\nname = 'alembic'\n",
    "app/models.py": "revision = '1'\ndown_revision = None\n",
    "app/versioned.py": "x = 1\n",
    "db/migrations/0001_start.sql": "create table players ();\n",
    "node_modules/x/setup.cfg": "[alembic]\nscript_location = x\n",
    "migrations/__init__.py": "",
}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop.git")
    made.commit("main", PLAIN)
    return made


def suspected(repo: Repository, *branches: str) -> bool:
    return is_suspected(Git(repo.path), *(repo.sha(branch) for branch in branches or ("main",)))


def test_what_holds_no_environment_is_passed_over(repo: Repository) -> None:
    assert not suspected(repo)
    assert judged(repo, None)[0].environments == ()


@pytest.mark.parametrize(
    "files",
    [
        merged(project(), chain(("001", None))),
        {"alembic.ini": "[alembic]\n"},
        {"conf/development.ini": "[app:main]\n[alembic]\nscript_location = shop:migrations\n"},
        {"api/pyproject.toml": "[tool.alembic]\nscript_location = 'alembic'\n"},
        {"setup.cfg": "[core]\nversion_locations = app\n"},
        {"pyproject.toml": "[project]\nname = 'shop'\n\n[tool.onehead]\ntargets = ['release/*']\n"},
        {".onehead.toml": ""},
        {"db/env.py": "x = 1\n"},
        {"db/script.py.mako": "x\n"},
        {"db/versions/start.py": "x = 1\n"},
        {"db/Migrations/start.py": "x = 1\n"},
        {"anywhere/3f2a9c1d4b5e_start.py": HEX},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_may_hold_one_is_not(repo: Repository, files: dict[str, str]) -> None:
    repo.commit("main", files)
    assert suspected(repo)


def test_a_branch_alone_may_bring_it(repo: Repository) -> None:
    repo.branch("topic", "main")
    repo.commit("topic", {"pyproject.toml": "[tool.alembic]\nscript_location = 'db'\n", "db/start.py": "x = 1\n"})
    assert not suspected(repo, "main")
    assert suspected(repo, "main", "topic")


def test_a_link_in_the_place_of_a_configuration_may_stand_for_any_file(repo: Repository) -> None:
    repo.commit("main", {"docs": "README.md", "app/readme.py": "README.md"}, modes={"docs": "120000"})
    assert not suspected(repo)
    repo.commit("main", {"alembic.ini": "deploy/settings"}, modes={"alembic.ini": "120000"})
    assert suspected(repo)


def test_a_submodule_in_the_place_of_a_configuration_may_too(repo: Repository) -> None:
    repo.commit("main", {"lib": repo.sha("main")}, modes={"lib": "160000"})
    assert not suspected(repo)
    repo.commit("main", {"alembic.ini": repo.sha("main")}, modes={"alembic.ini": "160000"})
    assert suspected(repo)


def test_what_is_not_known_may_hold_anything() -> None:
    assert may_hold_environments(None, lambda _oids: Contents({}, {}))


def test_of_many_configurations_none_is_read() -> None:
    def made(number: int) -> list[Entry]:
        return [Entry(f"{n}/setup.cfg", "100644", str(n)) for n in range(number)]

    def read_all(oids: object) -> Contents:
        return Contents(dict.fromkeys(map(str, oids), b""), {})  # type: ignore[call-overload]

    assert not may_hold_environments(made(MAX_CONFIGURATIONS), read_all)
    assert may_hold_environments(made(MAX_CONFIGURATIONS + 1), read_all)
    # The same file in many places is one.
    same = [Entry(f"{n}/setup.cfg", "100644", "1") for n in range(MAX_CONFIGURATIONS + 1)]
    assert not may_hold_environments(same, read_all)


def test_a_configuration_that_is_too_large_to_be_read_may_say_anything(repo: Repository) -> None:
    repo.commit("main", {"tox.ini": "#" * MAX_CONFIGURATION_BYTES})
    assert not suspected(repo)
    repo.commit("main", {"tox.ini": "#" * (MAX_CONFIGURATION_BYTES + 1)})
    assert suspected(repo)


@pytest.mark.parametrize("seed", range(3))
def test_in_what_is_passed_over_no_examination_finds_anything(tmp_path: Path, seed: int) -> None:
    """Random trees, links among them, of one branch and of two: alone and merged."""
    chance = random.Random(seed)
    repo, passed = Repository(tmp_path / "any.git"), 0
    names = [*NAMES, "a.py", "b.txt", "c.txt", "versions", "tox.ini"]
    texts = [*TEXTS, "x = 1\n", "[tox]\n", "# onehead\n", "app/b.txt"]
    for round_ in range(25):
        for branch in ("main", "topic"):
            files: dict[str, str | None] = {
                "/".join(filter(None, (chance.choice(FOLDERS), str(round_), chance.choice(names)))): chance.choice(
                    texts
                )
                for _ in range(chance.choice((1, 1, 2)))
            }
            modes = {path: "120000" for path in files if chance.random() < 0.2}
            parents = ["main"] if branch == "topic" else []
            repo.commit(branch, {**files, "top.txt": "x"}, parents=parents, modes=modes)
        if not suspected(repo, "main", "topic"):
            passed += 1
            assert judged(repo)[0].environments == judged(repo, None)[0].environments == ()
            assert judged(repo)[0].findings == ()
            git = Git(repo.path)
            listing = Listing(list_tree(git, repo.sha("topic")).entries)
            [found] = survey(read_trees([listing], partial(read, git), Memory(None)))
            assert (found.chains, found.problems) == ({}, ())
    assert passed >= 3
