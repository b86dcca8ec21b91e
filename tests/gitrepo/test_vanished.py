"""Texts that files once held: who took them away, and what the file holds since then."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.history import vanished
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "repo.git")
    repo.commit("main", {"versions/a.py": "revision = '018'\n", "versions/b.py": "x = 1\n", "notes/018.md": "018\n"})
    return repo


def found(repo: Repository, text: str, *directories: str) -> list[tuple[str, str, bool]]:
    return [(e.commit.sha, e.path, e.after is None) for e in vanished(Git(repo.path), text, directories)]


def test_what_is_still_there_has_not_vanished(repo: Repository) -> None:
    assert found(repo, "018", "versions") == []


def test_a_deleted_file(repo: Repository) -> None:
    sha = repo.commit("main", {"versions/a.py": None, "notes/018.md": None}, "Tidy up")
    assert found(repo, "018", "versions") == [(sha, "versions/a.py", True)]
    assert found(repo, "018", "") == [(sha, "versions/a.py", True)]
    [only] = vanished(Git(repo.path), "018", ["versions"])
    assert repo.git("cat-file", "blob", only.before) == "revision = '018'\n"
    assert (only.commit.subject, only.commit.author_name) == ("Tidy up", "Ann Author")


def test_a_text_that_was_replaced_on_another_branch(repo: Repository) -> None:
    repo.branch("topic", "main")
    sha = repo.commit("topic", {"versions/a.py": "revision = '018_step'\n"})
    assert found(repo, "'018'", "versions") == [(sha, "versions/a.py", False)]


@pytest.mark.parametrize("text", ["", "a\0b", "--all", "-Gx", "(", "\n", "x" * 500, "$(touch x)", "ä"])
def test_a_text_is_only_a_text(repo: Repository, text: str) -> None:
    assert found(repo, text, "versions", "not there", ":(exclude)versions", "*") == []


def test_a_directory_whose_name_has_signs_of_a_pattern(repo: Repository) -> None:
    for folder in ("a[b]c", "a*", "a\\b?", "below/it"):
        repo.commit("main", {f"{folder}/deep/x.py": "revision = '7'\n", f"{folder}/y.py": "revision = '7'\n"})
        sha = repo.commit("main", {f"{folder}/deep/x.py": None, f"{folder}/y.py": None})
        wanted = [(sha, f"{folder}/deep/x.py", True), (sha, f"{folder}/y.py", True)]
        assert found(repo, "'7'", folder) == wanted
