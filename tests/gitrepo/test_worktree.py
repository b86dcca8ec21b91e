"""What a checkout holds beside its commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import list_tree
from onehead.gitrepo.worktree import checked_out, uncommitted, work_commit
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


def test_the_work_tree_as_a_commit_that_leaves_nothing_behind(repo: Repository) -> None:
    (repo.path / "v/new.py").write_text("n = 1\n")
    (repo.path / "v/sub/staged.py").write_text("s = 1\n")
    repo.git("add", "v/sub/staged.py")
    (repo.path / "v/b.py").write_text("b = 2\n")
    (repo.path / "v/a.py").unlink()
    (repo.path / "far").mkdir()
    (repo.path / "far/untracked.py").write_text("far from the folders that count\n")
    (repo.path / ".gitignore").write_text("v/ignored.py\n")
    (repo.path / "v/ignored.py").write_text("i = 1\n")
    before = repo.git("ls-files", "--stage"), repo.git("count-objects", "-v"), repo.git("for-each-ref")

    with work_commit(Git(str(repo.path)), ["v", "nowhere"]) as (git, sha):
        assert sha is not None
        assert git.run("rev-parse", f"{sha}^").decode().strip() == repo.sha("main")
        assert sorted(list_tree(git, sha).entries) == [
            *("other.py", "v/README", "v/b.py", "v/new.py", "v/sub/c.py", "v/sub/staged.py"),
        ]
        assert git.run("cat-file", "blob", f"{sha}:v/b.py") == b"b = 2\n"
        # Refs are those of the person.
        assert git.run("rev-parse", "main").decode().strip() == repo.sha("main")
    assert Git(str(repo.path)).ask("cat-file", "-e", sha).code != 0
    assert (repo.git("ls-files", "--stage"), repo.git("count-objects", "-v"), repo.git("for-each-ref")) == before


def test_a_bare_repository_has_no_such_commit(tmp_path: Path) -> None:
    bare = Repository(tmp_path / "bare.git", object_format="sha256")
    bare.commit("main", FILES)
    with work_commit(Git(str(bare.path)), ["v"]) as (git, sha):
        assert (sha, git.run("rev-parse", "main").decode().strip()) == (None, bare.sha("main"))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_before_the_first_commit_it_has_no_parent(tmp_path: Path, object_format: str) -> None:
    fresh = Repository(tmp_path / "fresh", bare=False, object_format=object_format)
    (fresh.path / "indexed").write_text("so there is an index\n")
    fresh.git("add", "indexed")
    (fresh.path / "v").mkdir()
    (fresh.path / "v/a.py").write_text("a = 1\n")
    with work_commit(Git(str(fresh.path)), ["v"]) as (git, sha):
        assert git.run("log", "--format=%P|%an", f"{sha}").decode() == "|nobody\n"
