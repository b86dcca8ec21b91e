"""Files of a commit in a folder, and a work tree as git would commit it; neither leaves a trace in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onehead.errors import UsageError
from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import list_tree, read
from onehead.gitrepo.worktree import export, top_of, work_tree
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A checkout of two files, a program and a link."""
    repo = Repository(tmp_path / "repo", bare=False)
    files = {"a.py": "a\r\n", "deep/b.py": "b\n", "run": "#!/bin/sh\n", "link": "a.py", ".gitignore": "*.log\n"}
    repo.commit("main", dict(files), modes={"run": "100755", "link": "120000"})
    repo.git("checkout", "--quiet", "--force", "main")
    return repo


def snapshot(repo: Repository) -> tuple[str, ...]:
    """What must not change: index, refs, objects and the work tree."""
    objects = sorted(str(file) for file in (repo.path / ".git" / "objects").rglob("*"))
    return (repo.git("ls-files", "--stage"), repo.git("for-each-ref"), repo.git("status", "--porcelain"), *objects)


def test_a_commit_is_written_as_a_checkout_would(repo: Repository, tmp_path: Path) -> None:
    (repo.path / "a.py").write_text("not committed\n")
    before, folder = snapshot(repo), tmp_path / "out"
    folder.mkdir()

    export(Git(repo.path), repo.sha("main"), folder)

    assert (folder / "a.py").read_bytes() == b"a\r\n"
    assert (folder / "deep" / "b.py").read_bytes() == b"b\n"
    assert os.access(folder / "run", os.X_OK)
    assert (folder / "link").readlink() == Path("a.py")
    assert sorted(entry.name for entry in folder.iterdir()) == [".gitignore", "a.py", "deep", "link", "run"]
    assert snapshot(repo) == before


def test_a_filter_of_the_project_is_not_run(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "filter.evil.smudge", f"touch {tmp_path}/ran")
    repo.git("config", "filter.evil.clean", f"touch {tmp_path}/ran")
    repo.commit("main", {".gitattributes": "*.py filter=evil\n"})
    (tmp_path / "out").mkdir()
    (repo.path / "new.py").write_text("new\n")

    export(Git(repo.path), repo.sha("main"), tmp_path / "out")
    with work_tree(Git(repo.path)):
        pass

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("where", ["", "deep"])
def test_a_work_tree_is_read_with_what_is_not_committed(repo: Repository, where: str) -> None:
    (repo.path / "a.py").write_text("changed\n")
    (repo.path / "deep" / "b.py").unlink()
    (repo.path / "new.py").write_text("new\n")
    (repo.path / "some.log").write_text("noise\n")
    (repo.path / "staged.py").write_text("staged\n")
    repo.git("add", "staged.py")
    before = snapshot(repo)

    with work_tree(Git(repo.path / where)) as (door, tree):
        entries = list_tree(door, tree).entries
        data = read(door, [entry.oid for entry in entries.values()]).data

    contents = {path: data[entry.oid] for path, entry in entries.items()}
    assert contents == {
        ".gitignore": b"*.log\n",
        "a.py": b"changed\n",
        "link": b"a.py",
        "new.py": b"new\n",
        "run": b"#!/bin/sh\n",
        "staged.py": b"staged\n",
    }
    assert entries["run"].mode == "100755"
    assert snapshot(repo) == before


def test_a_work_tree_without_a_commit(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "young", bare=False)
    (repo.path / "a.py").write_text("a\n")

    with work_tree(Git(repo.path)) as (door, tree):
        assert list(list_tree(door, tree).entries) == ["a.py"]


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "bare.git")
    repo.commit("main", {"a": "a\n"})

    assert top_of(Git(repo.path)) is None
    with pytest.raises(UsageError, match="has no work tree"), work_tree(Git(repo.path)):
        pass
