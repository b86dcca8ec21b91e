"""Which pushes are let through on the word of their paths, and that none of these changes what an environment holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from onehead.examine.read import Listing, Memory, read_trees, survey
from onehead.examine.touched import Update, touches
from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import list_tree, read
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

ZERO = "0" * 40
HEX = revision("3f2a9c1d4b5e", None)["alembic/versions/3f2a9c1d4b5e_t3f2a9c1d4b5e.py"]
BASE: dict[str, str] = {
    **merged(project(), chain(("001", None), ("002", "001"))),
    "pyproject.toml": "[project]\nname = 'shop'\n",
    "app/models.py": "class Player: ...\n",
    "app/[x]/views.py": "x = 1\n",
    "schema/changes/3f2a9c1d4b5e_first.py": HEX,
    "README.md": "# Shop\n",
    "setup.cfg": "[flake8]\nmax-line-length = 120\n",
}
PLACES = "[alembic]\nscript_location = alembic\nversion_locations = alembic/versions app/steps\n"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop.git")
    made.commit("main", BASE)
    return made


def touched(repo: Repository, files: dict[str, str | None], **modes: str) -> bool:
    """Whether a push with these changes to `main` is looked at; also as a new branch."""
    old = repo.sha("main")
    repo.branch("topic", "main")
    new = repo.commit("topic", files, modes={path: mode for path in files if (mode := modes.get("all"))})
    git = Git(repo.path)
    moved = touches(git, Update(old, new, "refs/heads/main"))
    assert touches(git, Update(ZERO, new, "refs/heads/topic")) == moved
    return moved


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "# More\n"},
        {"alembic/README": "Generic single-database configuration.\n", "alembic/versions/notes.sql": "select 1;\n"},
        {"app/models.py": "class Team: ...\n", "app/new.py": "x = 1\n"},
        {"app/models.py": None},
        {"app/[x]/views.py": "x = 2\n"},
        {"top.py": "x = 1\n"},
        {"pyproject.toml": "[project]\nname = 'shop'\nversion = '2'\n", "poetry.lock": "x\n"},
        {"setup.cfg": "[flake8]\nmax-line-length = 100\n", "Cargo.toml": "[package]\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_concerns_no_environment(repo: Repository, files: dict[str, str | None]) -> None:
    assert not touched(repo, files)


@pytest.mark.parametrize(
    "files",
    [
        revision("003", "002"),
        {"alembic/versions/001_t001.py": None},
        {"alembic/versions/helpers.py": "x = 1\n"},
        {"alembic/versions/2025/helpers.py": "x = 1\n"},
        {"other/Versions/x.py": "x = 1\n"},
        {"db/migrations/x.py": "x = 1\n"},
        {"alembic/env.py": "x = 1\n"},
        {"other/env.py": "x = 1\n"},
        {"other/script.py.mako": "x\n"},
        {"alembic.ini": "[alembic]\nscript_location = elsewhere\n"},
        {"alembic.ini": None},
        {"conf/development.ini": "[alembic]\nscript_location = alembic\n"},
        {"pyproject.toml": "[project]\nname = 'shop'\n\n[tool.alembic]\nscript_location = 'alembic'\n"},
        {"pyproject.toml": "[project]\nname = 'shop'\n\n[tool.onehead]\ntargets = ['release/*']\n"},
        {".onehead.toml": ""},
        {"schema/changes/helpers.py": "x = 1\n"},
        {"schema/changes/3f2a9c1d4b5e_first.py": "x = (\n"},
        {"schema/changes/3f2a9c1d4b5e_first.py": None},
        {"anywhere/3f2a9c1d4b5f_second.py": HEX},
        {"anywhere/second.py": HEX},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_may_concern_one(repo: Repository, files: dict[str, str | None]) -> None:
    assert touched(repo, files)


def test_a_link_or_a_submodule_may_be_anything(repo: Repository) -> None:
    assert touched(repo, {"app/models.txt": "README.md"}, all="120000")
    assert touched(repo, {"lib": repo.sha("main")}, all="160000")


def test_where_a_configuration_names_places_of_its_own_every_module_may_be_in_one(repo: Repository) -> None:
    repo.commit("main", {"alembic.ini": PLACES, "app/steps/one.py": "x = 1\n"})
    assert touched(repo, {"app/steps/two.py": "x = 1\n"})
    repo.commit("main", {"alembic.ini": PLACES.replace("version_loc", "# version_loc")})
    assert not touched(repo, {"app/steps/two.py": "x = 1\n"})


def test_a_push_that_changes_very_much_is_looked_at(repo: Repository) -> None:
    assert not touched(repo, {f"app/p{number}/x.py": "x = 1\n" for number in range(50)})
    assert touched(repo, {f"app/p{number}/x.py": "x = 1\n" for number in range(51)})


def test_the_first_push_is_looked_at(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "new.git", default_branch="trunk")
    new = repo.commit("main", {"README.md": "# Shop\n"})
    assert touches(Git(repo.path), Update(ZERO, new, "refs/heads/main"))


FOLDERS = ("", "app", "app/db", "alembic", "alembic/versions", "alembic/versions/old", "schema/changes", "steps")
NAMES = (
    *("x.py", "y.py", "__init__.py", "README", "conf.ini", "pyproject.toml"),
    *("env.py", "3f2a9c1d4b5e_x.py", "alembic.ini"),
)
TEXTS = (
    "x = 1\n",
    "x = (\n",
    "revision = make()\n",
    "revision = 'a1'\ndown_revision = None\n",
    "revision = 'a2'\ndown_revision = 'a1'\n",
    "revision = 'a3'\ndown_revision = 'a1'\n",
    "[alembic]\nscript_location = alembic\n",
    "[alembic]\nscript_location = app/db\n# version_locations = steps\n",
    "[alembic]\nscript_location = alembic\nversion_locations =\n    steps\n    app\n",
    "[tool.alembic]\nscript_location = 'alembic'\nversion_locations = ['schema/changes']\n",
)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_let_through_changes_no_environment(tmp_path: Path, seed: int) -> None:
    """Random trees and random changes: where `touches` says no, each chain is the same before and after.

    A directory that a configuration names may come to be by any file in it; that adds no revision to any chain.
    """
    chance = random.Random(seed)
    repo, git, passed = Repository(tmp_path / "any.git"), Git(tmp_path / "any.git"), 0

    def some(number: int) -> dict[str, str | None]:
        return {
            "/".join(filter(None, (chance.choice(FOLDERS), chance.choice(NAMES)))): chance.choice(TEXTS)
            for _ in range(number)
        }

    old = repo.commit("main", some(6))
    for _ in range(20):
        there = repo.files("main")
        gone = dict.fromkeys(chance.sample(there, min(len(there), chance.choice((0, 0, 1)))))
        new = repo.commit("main", {**some(chance.choice((1, 1, 2))), **gone})
        if not touches(git, Update(old, new, "refs/heads/main")):
            passed += 1
            before, after = (Listing(list_tree(git, sha).entries) for sha in (old, new))
            assert _judged(git, before) == _judged(git, after), git.run("diff", "--stat", old, new).decode()
        old = new
    assert passed >= 3


def _judged(git: Git, listing: Listing) -> object:
    [found] = survey(read_trees([listing], lambda oids: read(git, oids), Memory(None)))
    return {
        path: (chain.environment.locations, list(chain.graph), chain.graph.unreadable)
        for path, chain in found.chains.items()
        if chain.files
    }
