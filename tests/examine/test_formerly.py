"""What became of an id that no file declares any more: told only where it is certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.databases.states import Former
from onehead.examine.evidence import Others
from onehead.examine.locations import formerly
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from tests.examine.end_to_end import judged
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.repositories import Repository


def made(id_: str, parent: str | None, table: str) -> dict[str, str]:
    [source] = revision(id_, parent, table).values()
    return {f"{VERSIONS}/{id_}.py": source}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """`old` has 003 and 004 on 002; main has the same two on 009, as 010 and 011."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("001", None), ("002", "001")))
    repo.branch("old", "main")
    repo.commit("old", merged(made("003", "002", "phone"), made("004", "003", "fax")))
    repo.commit("main", merged(chain(("009", "002")), made("010", "009", "phone"), made("011", "010", "fax")))
    return repo


def told(repo: Repository, *rows: str) -> dict[str, Former]:
    examination, _, _ = judged(repo, None)
    [examined] = examination.environments
    return formerly(Others(Git(repo.path), Memory(None)), examined.facts, rows)


def test_the_same_operations_under_the_same_message(repo: Repository) -> None:
    assert told(repo, "003") == {"003": Former("010", ("002",))}
    assert told(repo, "002", "004") == {"003": Former("010", ("002",)), "004": Former("011", ("003",))}


def test_a_file_that_is_only_in_history(repo: Repository) -> None:
    repo.commit("old", {f"{VERSIONS}/003.py": None, f"{VERSIONS}/004.py": None})
    assert told(repo, "003") == {"003": Former("010", ("002",))}


def test_other_operations_are_another_revision(repo: Repository) -> None:
    [source] = made("010", "009", "phone").values()
    repo.commit("main", {f"{VERSIONS}/010.py": source.replace('create_table("phone"', 'create_table("phones"')})
    assert told(repo, "003") == {}
    assert told(repo, "004") == {}  # nobody knows what it followed


def test_of_two_that_do_the_same_none_is_it(repo: Repository) -> None:
    repo.commit("main", made("012", "011", "phone"))
    assert told(repo, "003") == {}


def test_what_was_never_here(repo: Repository) -> None:
    assert told(repo, "999", "", "a/b") == {}
