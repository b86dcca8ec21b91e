"""What a checkout holds beside its commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import list_tree
from onehead.gitrepo.worktree import checked_out, uncommitted
from tests.repositories import Repository

FILES = {"v/a.py": "a = 1\n", "v/b.py": "b = 1\n", "v/sub/c.py": "c = 1\n", "v/README": "x\n", "other.py": "x\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "repo", bare=False)
    repo.commit("main", FILES)
    repo.git("reset", "--quiet", "--hard", "main")
    return repo


def found(repo: Repository, folders: dict[str, bool]) -> list[str]:
    git = Git(str(repo.path))
    here = checked_out(git)
    assert here == (str(repo.path), repo.sha("main"))
    entries = list_tree(git, here[1]).entries
    return uncommitted(here[0], entries, folders, lambda name: name.endswith(".py"))


def test_what_is_as_it_was_committed(repo: Repository) -> None:
    assert found(repo, {"v": True}) == []
    (repo.path / "v/a.py").write_bytes(b"a = 1\r\n")  # as git writes it with core.autocrlf
    assert found(repo, {"v": True, "nowhere": True}) == []


def test_new_staged_and_edited_files_are_not_committed(repo: Repository) -> None:
    (repo.path / "v/new.py").write_text("n = 1\n")
    (repo.path / "v/notes").write_text("no Python\n")
    (repo.path / "v/sub/staged.py").write_text("s = 1\n")
    repo.git("add", "v/sub/staged.py")
    (repo.path / "v/b.py").write_text("b = 2\n")
    (repo.path / "other.py").write_text("y\n")
    assert found(repo, {"v": False}) == ["v/b.py", "v/new.py"]
    assert found(repo, {"v": True}) == ["v/b.py", "v/new.py", "v/sub/staged.py"]
    assert found(repo, {"": False}) == ["other.py"]


def test_links_are_not_followed_and_no_filter_is_run(repo: Repository) -> None:
    trace = repo.path / "ran"
    repo.git("config", "filter.x.clean", f"touch {trace}; cat")
    (repo.path / ".gitattributes").write_text("*.py filter=x\n")
    (repo.path / "v/link.py").symlink_to("a.py")
    (repo.path / "v/loop").symlink_to("..")
    (repo.path / "v/b.py").write_text("b = 2\n")
    assert found(repo, {"v": True}) == ["v/b.py"]
    assert not trace.exists()


def test_what_was_edited_last_is_compared_first(repo: Repository) -> None:
    many = {f"w/{n:03}.py": f"{n}\n" for n in range(60)}
    repo.commit("main", many)
    repo.git("reset", "--quiet", "--hard", "main")
    for number in range(60):
        os.utime(repo.path / f"w/{number:03}.py", (1000 + number, 1000 + number))
    (repo.path / "w/000.py").write_text("edited\n")
    assert found(repo, {"w": False}) == ["w/000.py"]


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    bare = Repository(tmp_path / "bare.git")
    bare.commit("main", FILES)
    assert checked_out(Git(str(bare.path))) is None
