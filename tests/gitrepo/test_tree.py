from __future__ import annotations

import os
import time
import zlib
from itertools import product
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo import git as git_module
from onehead.gitrepo import tree
from onehead.gitrepo.git import BlobTooLarge, Git, Info, Objects, kept_open
from onehead.gitrepo.process import GitFailed, GitTimeout, MissingObjects, NotARepository
from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Contents, Entry, changes, difference, files_in, list_tree, read
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path


WEIRD = [
    "two words.py",
    'quo"te.py',
    "line\nfeed.py",
    "tab\there.py",
    "caf\udce9.py",
    "naïve.py",
    "-dash.py",
    ":(top)x",
]


def blob(git: Git, text: bytes) -> str:
    return git.run("hash-object", "--stdin", data=text).decode().strip()


def test_a_listing_has_every_file_with_its_mode(git: Git, repo: Repository) -> None:
    sha = repo.commit(
        "main",
        {"a.py": "x\n", "bin/run": "#!\n", "link.py": "a.py", "sub": "1" * len(git.run("hash-object", "--stdin")[:-1])},
        modes={"bin/run": "100755", "link.py": SYMLINK, "sub": SUBMODULE},
    )
    tree = list_tree(git, sha)
    assert tree.treeish == sha
    assert tree.entries == {
        "a.py": Entry("a.py", "100644", blob(git, b"x\n")),
        "bin/run": Entry("bin/run", "100755", blob(git, b"#!\n")),
        "link.py": Entry("link.py", "120000", blob(git, b"a.py")),
        "sub": Entry("sub", "160000", "1" * len(sha)),
    }


def test_weird_names_survive_listing_and_reading(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {name: f"{number}\n" for number, name in enumerate(WEIRD)})
    entries = list_tree(git, sha).entries
    assert sorted(entries) == sorted(WEIRD)
    data = read(git, [entry.oid for entry in entries.values()]).data
    assert {name: data[entries[name].oid] for name in WEIRD} == {
        name: b"%d\n" % number for number, name in enumerate(WEIRD)
    }


def test_the_listing_does_not_depend_on_where_git_runs(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo", bare=False)
    sha = repo.commit("main", {"deep/a.py": "x\n", "b.py": "y\n"})
    repo.git("reset", "--quiet", "--hard")
    inside = Git(repo.path / "deep")
    assert list(list_tree(inside, sha).entries) == ["b.py", "deep/a.py"]


def test_an_empty_tree_and_an_unknown_one(git: Git, repo: Repository) -> None:
    repo.commit("main", {"a": "1"})
    assert list_tree(git, repo.commit("main", {"a": None})).entries == {}
    with pytest.raises(MissingObjects):
        list_tree(git, "1" * 40)


def test_a_listing_is_derived_from_another_one(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"same": "1", "edited": "1", "gone": "1", "mode": "1", "file": "1", "dir/a": "1"})
    two = repo.commit(
        "main",
        {"edited": "2", "gone": None, "mode": "1", "new\nname": "1", "file": None, "file/x": "1", "dir/a": None},
        modes={"mode": "100755"},
    )
    known = list_tree(git, one)
    assert difference(git, known, two) == list_tree(git, two).entries
    assert difference(git, known, one) == known.entries
    assert known == list_tree(git, one)


def test_reading_reports_what_is_too_large(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {"small": "x" * 10, "large": "x" * 11, "empty": "", "same": "x" * 10})
    entries = list_tree(git, sha).entries
    found = read(git, [entry.oid for entry in entries.values()], limit=10)
    assert found == Contents({entries["small"].oid: b"x" * 10, entries["empty"].oid: b""}, {entries["large"].oid: 11})


def test_objects_in_files_of_their_own_are_read_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repository(tmp_path / "shop.git")
    texts = [b"", b"x = 1\n", b"\0\xff" * 5_000, b"y" * 5_000]
    oids = [repo.git("hash-object", "-w", "--stdin", data=text).strip() for text in texts]
    monkeypatch.setattr(tree, "conversation", lambda _git: pytest.fail("git was asked"))
    assert read(Git(repo.path), oids, 10_000) == Contents(dict(zip(oids, texts, strict=True)), {})


def test_objects_that_are_not_as_git_writes_them_are_left_to_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repository(tmp_path / "shop.git")
    large = repo.git("hash-object", "-w", "--stdin", data=b"b" * 2_000).strip()
    spoiled = [
        b"no such thing",
        zlib.compress(b"tree 1\0d"),
        zlib.compress(b"blob 2\0d"),
        zlib.compress(b"blob 1\0d")[:-3],
    ]
    oids = [large, "0" * 40]
    for number, content in enumerate([*spoiled, None], 1):
        oids.append(f"{number:040x}")
        place = repo.path / "objects" / oids[-1][:2] / oids[-1][2:]
        place.parent.mkdir(exist_ok=True)
        if content is None:
            os.mkfifo(place)
        else:
            place.write_bytes(content)
    monkeypatch.setattr(Objects, "contents", lambda _self, oids, _limit, **_: ((oid, BlobTooLarge(1)) for oid in oids))
    assert read(Git(repo.path), oids, 1_000) == Contents({}, dict.fromkeys(oids, 1))


def test_reading_nothing_starts_no_git(tmp_path: Path) -> None:
    assert read(Git(tmp_path / "nowhere"), []) == Contents({}, {})


def test_reading_what_is_not_there(git: Git, repo: Repository) -> None:
    repo.commit("main", {"a": "1"})
    with pytest.raises(MissingObjects):
        read(git, ["1" * 40])


def test_reading_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(NotARepository):
        read(Git(tmp_path), ["1" * 40])


def test_reading_a_partial_clone(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    sha = origin.commit("main", {"a.py": "x = 1\n"})
    origin.git("config", "uploadpack.allowFilter", "true")
    origin.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{origin.path}", str(tmp_path / "clone.git"))
    clone = Git(tmp_path / "clone.git")
    entries = list_tree(clone, sha).entries
    with pytest.raises(MissingObjects, match="partial clone"):
        read(clone, [entry.oid for entry in entries.values()])


def test_many_and_large_files_do_not_block(git: Git, repo: Repository) -> None:
    # Far more than a pipe holds, in both directions and within one round of questions.
    files = {f"f/{number:05}.py": f"{number}\n" * (1 + number % 50) for number in range(3000)}
    files["big"] = "y" * 900_000
    sha = repo.commit("main", files)
    entries = list_tree(git, sha).entries
    data = read(git, [entry.oid for entry in entries.values()]).data
    assert {path: data[entry.oid].decode() for path, entry in entries.items()} == files


def test_what_differs_is_what_git_says(git: Git, repo: Repository) -> None:
    names = {name: f"{number}\n" for number, name in enumerate(WEIRD)}
    states = [
        repo.commit("main", {**names, "a.py": "1\n", "d/e/f.py": "1\n", "d/g.py": "1\n"}),
        repo.commit("main", {"a.py": "2\n", "a/b.py": "1\n", "naïve.py": None}),
        repo.commit("main", {"d/e": "a file\n", "d/e/f.py": None, "two words.py": "changed\n"}),
        repo.commit("main", {"a.py": "2\n", "d/g.py": "a.py"}, modes={"a.py": "100755", "d/g.py": SYMLINK}),
        repo.commit("main", {"d": "1" * len(blob(git, b"")), "d/e": None, "d/g.py": None}, modes={"d": SUBMODULE}),
        repo.commit("other", {"z/y/x.py": "1\n"}),
    ]
    states.append(repo.git("rev-parse", f"{states[0]}^{{tree}}").strip())
    expected = [changes(git, old, new) for old, new in product(states, repeat=2)]
    door = Git(repo.path)
    with kept_open(door):
        found = [
            tree._changes(conversation, *pair) for pair in product(states, repeat=2) if (conversation := door.kept_open)
        ]
        assert found == expected
        assert [list(each) for each in found if each] == [list(each) for each in expected if each]


def test_what_is_not_as_git_writes_it_and_what_differs_in_much_is_left_to_git(
    git: Git, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = repo.commit("main", {"a.py": "1\n"})
    many = repo.commit("main", {f"{number}.py": "1\n" for number in range(9)})
    entry = bytes.fromhex(blob(git, b"1\n"))
    odd = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=b"100664 a.py\0" + entry).strip()
    broken = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=b"10x644 a.py\0").strip()
    monkeypatch.setattr(tree, "_MAX_COMPARED", 5)
    with kept_open(git):
        assert changes(git, plain, odd) == {}
        assert len(changes(git, plain, many)) == 9
        with pytest.raises(GitFailed, match="tree"):
            changes(git, plain, broken)
        monkeypatch.setattr(git_module, "MAX_REMEMBERED_OBJECT", 20)
        assert len(changes(git, many, plain)) == 9
        assert changes(git, plain, plain) == {}


def test_looking_up_names(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {"a b/c": "12345", "line\nfeed": "1"})
    tree = git.run("rev-parse", f"{sha}:a b").decode().strip()
    with Objects(git) as objects:
        found = objects.look_up([f"{sha}:a b/c", f"{sha}:a b", f"{sha}:no\nsuch\nfile", f"{sha}:line\nfeed", sha])
        assert [info and (info.kind, info.size) for info in found[:1]] == [("blob", 5)]
        assert found[1] is not None
        assert found[1].oid == tree
        assert found[2] is None
        assert found[3] == Info(blob(git, b"1"), "blob", 1)
        assert found[4] is not None
        assert (found[4].oid, found[4].kind) == (sha, "commit")
        assert list(objects.contents([blob(git, b"1")], 0)) == [(blob(git, b"1"), BlobTooLarge(1))]


def test_a_conversation_has_a_time_limit(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    start = time.monotonic()
    with pytest.raises(GitTimeout), Objects(Git(repo.path, timeout=0.4)) as objects:
        objects.look_up(["HEAD"])
    assert time.monotonic() - start < 10


def test_asking_outside_of_the_context(git: Git) -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        Objects(git).look_up(["HEAD"])


def test_the_files_of_several_commits_are_those_of_each(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a/b/x.py": "1", "a/y.py": "2", "link": "a/y.py"}, modes={"link": SYMLINK})
    two = repo.commit("topic", {**dict.fromkeys(WEIRD, "3"), "a/b/x.py": "1", "a/y.py": "other"})
    files = files_in(git, [one, two], 100)
    assert files == {entry for commit in (one, two) for entry in list_tree(git, commit).entries.values()}


def test_of_more_files_and_directories_than_are_wanted_none_is_told(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {"a/b/x.py": "1", "a/y.py": "2"})
    assert len(files_in(git, [sha], 5) or ()) == 2  # with three directories
    assert files_in(git, [sha], 4) is None


def test_trees_that_name_each_other_without_end_are_left_alone(git: Git, repo: Repository) -> None:
    """Twenty small trees that stand for more files than there are atoms."""
    repo.commit("main", {"x": "1"})
    tree = repo.git("rev-parse", "main^{tree}").strip()
    for _ in range(20):
        entries = "".join(f"040000 tree {tree}\t{number:03}\n" for number in range(100))
        tree = git.run("mktree", data=entries.encode()).decode().strip()
    assert files_in(git, [tree], 10_000) is None
