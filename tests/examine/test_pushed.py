"""What a push changes, as git tells a hook."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.examine.touched import Change, Update, changed, mentions, read_updates
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import GitFailed, MissingObjects
from tests.repositories import Repository

ZERO = "0" * 40
ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop.git")


def test_the_lines_of_a_push() -> None:
    assert read_updates(f"{ZERO} {ONE} refs/heads/a b\n{ONE} {TWO} refs/tags/v1\n") == [
        Update(ZERO, ONE, "refs/heads/a b"),
        Update(ONE, TWO, "refs/tags/v1"),
    ]
    assert read_updates("") == []


@pytest.mark.parametrize("text", ["hello", f"{ONE} {TWO}", f"{ONE} {TWO} main", f"{ONE} --all refs/heads/main"])
def test_what_is_no_line_of_a_push(text: str) -> None:
    with pytest.raises(ValueError, match="no line of a push"):
        read_updates(text)


@pytest.mark.parametrize(
    ("update", "creates", "deletes", "branch"),
    [
        (Update(ZERO, ONE, "refs/heads/release/2.1"), True, False, "release/2.1"),
        (Update(ONE, TWO, "refs/heads/main"), False, False, "main"),
        (Update("1" * 64, "0" * 64, "refs/heads/main"), False, True, "main"),
        (Update(ONE, TWO, "refs/tags/heads/main"), False, False, ""),
    ],
)
def test_what_a_line_says(update: Update, creates: bool, deletes: bool, branch: str) -> None:
    assert (update.creates, update.deletes, update.branch) == (creates, deletes, branch)


def test_the_paths_that_differ(repo: Repository) -> None:
    old = repo.commit("main", {"kept.py": "1\n", "edited.py": "1\n", "deleted.py": "1\n", "turned.py": "1\n"})
    files = {"edited.py": "2\n", "deleted.py": None, "new \udcff\n.py": "1\n", "turned.py": "kept.py", "sub": old}
    new = repo.commit("main", files, modes={"turned.py": "120000", "sub": "160000"})
    assert changed(Git(repo.path), Update(old, new, "refs/heads/main")) == [
        Change("deleted.py", False),
        Change("edited.py", False),
        Change("new \udcff\n.py", False),
        Change("sub", True),
        Change("turned.py", True),
    ]
    assert changed(Git(repo.path), Update(old, old, "refs/heads/main")) == []


def test_of_a_new_branch_what_it_changed_itself(repo: Repository) -> None:
    repo.commit("main", {"a.py": "1\n"})
    repo.branch("topic", "main")
    repo.commit("main", {"b.py": "1\n"})
    new = repo.commit("topic", {"c.py": "1\n"})
    assert changed(Git(repo.path), Update(ZERO, new, "refs/heads/topic")) == [Change("c.py", False)]


def test_of_a_new_branch_without_a_default_one_or_without_common_history_nobody_can_tell(repo: Repository) -> None:
    alone = repo.commit("topic", {"a.py": "1\n"})
    assert changed(Git(repo.path), Update(ZERO, alone, "refs/heads/topic")) is None
    repo.commit("main", {"b.py": "1\n"})
    assert changed(Git(repo.path), Update(ZERO, alone, "refs/heads/topic")) is None


def test_a_commit_that_is_not_there_is_an_error_and_no_empty_difference(repo: Repository) -> None:
    old = repo.commit("main", {"a.py": "1\n"})
    with pytest.raises(MissingObjects):
        changed(Git(repo.path), Update(old, TWO, "refs/heads/main"))
    with pytest.raises(MissingObjects):
        changed(Git(repo.path), Update(TWO, old, "refs/heads/main"))


def test_what_some_files_mention(repo: Repository) -> None:
    ini = "[alembic]\n# version_locations = x\n"
    sha = repo.commit("main", {"alembic.ini": ini, "a/b/pyproject.TOML": "x = 1\n", "c/[d]/e.py": "down\n"})
    git = Git(repo.path)
    assert mentions(git, r"\[alembic]", [sha], ["*.ini"])
    assert mentions(git, "x = 1", [sha], [":(icase)*.toml"])
    assert not mentions(git, "x = 1", [sha], ["*.ini", "*.toml"])
    assert not mentions(git, "^[^#;]*version_locations", [sha], ["*.ini"])
    assert mentions(git, "down", [sha], [r":(glob)c/\[d\]/*.py"])
    assert not mentions(git, "down", [sha], [":(glob)c/*.py"])


def test_a_binary_file_is_looked_into_all_the_same(repo: Repository) -> None:
    sha = repo.commit("main", {"a.py": b"\0\xff\ndown_revision = '1'\n"})
    assert mentions(Git(repo.path), "down_revision", [sha], ["*.py"])


def test_what_can_not_be_looked_into_is_an_error_and_no_answer(repo: Repository) -> None:
    sha = repo.commit("main", {"a.py": "1\n"})
    with pytest.raises(GitFailed):
        mentions(Git(repo.path), "x", [TWO], ["*.py"])
    blob = repo.git("rev-parse", f"{sha}:a.py").strip()
    (repo.path / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(MissingObjects):
        mentions(Git(repo.path), "x", [sha], ["*.py"])
