from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo import history
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.history import Holding, Presence, introduced, presence, published_refs
from onehead.gitrepo.refs import Commit, Ref
from tests.gitrepo.test_refs import Asked
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path

LINES = "".join(f"line {number}\n" for number in range(20))


def tree(repo: Repository, at: str, directory: str) -> str:
    return repo.git("rev-parse", f"{at}:{directory}").strip()


def names(found: dict[str, Commit]) -> dict[str, str]:
    return {path: commit.sha for path, commit in found.items()}


def along_a_line(git: Git, paths: list[str], head: str, target: str) -> dict[str, Commit]:
    """As read in an open conversation, which must be enough."""
    door = Git(git.directory)
    with kept_open(door):
        found = history._along_a_line(door, set(paths), head, target)
    assert found is not None
    return found


class TestIntroduced:
    @pytest.mark.parametrize(
        "message",
        ["One", "", "\n\nOne\ntwo  \n three\n  \nfour\n", "  x\n\n", "caf\udce9", "é\tx\n", "a\r\nb\r\n\r\nc"],
    )
    def test_a_line_of_commits_is_read_as_git_tells_it(self, git: Git, repo: Repository, message: str) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        text = message.encode("utf-8", "surrogateescape")
        repo.commit("topic", {"v/2.py": "2\n", "v/3.py": "3\n"}, parents=[base], author="Bo\tB <b>")
        repo.commit("topic", {"v/2.py": None})
        repo.commit("topic", {"v/2.py": "2\n", "v/3.py": "x\n"})
        header = repo.git("cat-file", "commit", "topic").partition("\n\n")[0].encode()
        header = header.replace(b"Ann Author <ann@example.com> ", b"\xe9 <\xe9> ")
        head = repo.git("hash-object", "-t", "commit", "-w", "--stdin", data=header + b"\n\n" + text).strip()
        target = repo.commit("main", {"v/4.py": "4\n"})
        paths = ["v/1.py", "v/2.py", "v/3.py", "v/4.py"]
        expected = introduced(git, paths, head, [target])
        assert sorted(expected) == ["v/2.py", "v/3.py"]
        assert along_a_line(git, paths, head, target) == expected

    def test_what_is_no_line_of_ordinary_commits_is_left_to_git(
        self, git: Git, repo: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        mine = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        target = repo.commit("main", {"v/3.py": "3\n"})
        repo.merge("topic", "main")
        head = repo.commit("topic", {"v/5.py": "5\n"})
        raw = repo.git("cat-file", "commit", mine).encode()
        odd = raw.replace(b"\n\n", b"\nencoding latin-1\n\n\xe9", 1)
        odd_one = repo.git("hash-object", "-t", "commit", "-w", "--stdin", data=odd).strip()
        with kept_open(git):
            for each in (head, odd_one, f"{mine}^0"):
                assert history._along_a_line(git, {"v/2.py"}, each, target) is None
                assert list(introduced(git, ["v/2.py"], each, [target])) == ["v/2.py"]
            assert introduced(git, ["v/2.py"], odd_one, [target])["v/2.py"].subject.startswith("é")
            monkeypatch.setattr(history, "_MAX_LINE", 0)
            assert history._along_a_line(git, {"v/2.py"}, mine, target) is None

    def test_who_added_each_file(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n", "top.py": "1\n"})
        two = repo.commit("topic", {"v/2.py": "2\n"}, "Add two", parents=[base], author="Bob <bob@example.com>")
        three = repo.commit("topic", {"v/3\nx.py": "3\n", "new.py": "1\n"}, "Add three")
        head = repo.commit("topic", {"v/2.py": "edited\n", "v/1.py": "edited\n"}, "Edit")
        found = introduced(git, ["v/1.py", "v/2.py", "v/3\nx.py", "new.py", "nosuch.py"], head, [base])
        assert found == {
            "v/2.py": Commit(two, "Bob", "bob@example.com", datetime(2024, 1, 1, 13, tzinfo=UTC), "Add two"),
            "v/3\nx.py": Commit(
                three, "Ann Author", "ann@example.com", datetime(2024, 1, 1, 14, tzinfo=UTC), "Add three"
            ),
            "new.py": found["v/3\nx.py"],
        }
        assert introduced(git, [], head, [base]) == {}

    def test_a_rename_and_a_return_count_as_the_newest(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"top": "1\n"})
        repo.commit("topic", {"v/old.py": LINES, "v/back.py": "1\n"}, parents=[base])
        repo.commit("topic", {"v/back.py": None})
        renamed = repo.commit("topic", {"v/old.py": None, "v/new.py": LINES})
        again = repo.commit("topic", {"v/back.py": "1\n"})
        assert names(introduced(git, ["v/new.py", "v/back.py"], again, [base])) == {
            "v/new.py": renamed,
            "v/back.py": again,
        }

    def test_merging_the_target_brings_nothing_of_its_own(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        mine = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        target = repo.commit("main", {"v/3.py": "3\n"})
        head = repo.merge("topic", "main")
        assert names(introduced(git, ["v/1.py", "v/2.py", "v/3.py"], head, [target])) == {"v/2.py": mine}

    def test_a_file_that_only_the_merge_commit_brought(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        topic = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        target = repo.commit("main", {"v/3.py": "3\n"})
        evil = repo.commit("topic", {"v/3.py": "3\n", "v/evil.py": "4\n"}, parents=[topic, target])
        assert names(introduced(git, ["v/2.py", "v/evil.py"], evil, [target])) == {"v/2.py": topic, "v/evil.py": evil}

    def test_an_open_conversation_tells_the_same(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        repo.commit("topic", {"v/2.py": "2\n"}, "One\ntwo \n\nbody", parents=[base], author="Bö <b@x.org>")
        repo.commit("topic", {"v/3.py": "3\n", "v/2.py": None}, "\n  Three")
        head = repo.commit("topic", {"v/2.py": "2\n", "v/a\nb.py": "1\n", "v/1.py": "other\n"}, "Back")
        target = repo.commit("main", {"v/9.py": "9\n"})
        paths = ["v/1.py", "v/2.py", "v/3.py", "v/a\nb.py", "v/9.py", "nosuch.py"]
        told = introduced(git, paths, head, [target])
        assert set(told) == {"v/2.py", "v/3.py", "v/a\nb.py"}
        door = Asked(repo.path)
        with kept_open(door):
            assert introduced(door, paths, head, [target]) == told
        assert "log" not in door.commands

    @pytest.mark.parametrize("name", ["<Ann", " Ann", ""])
    def test_a_name_that_git_writes_otherwise_is_read_by_git(self, name: str, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n"})
        listing = repo.git("rev-parse", repo.commit("topic", {"v/2.py": "2\n"}, parents=[base]) + "^{tree}").strip()
        who = f"{name} <ann@example.com> 1700000000 +0000"
        data = f"tree {listing}\nparent {base}\nauthor {who}\ncommitter {who}\n\nOdd\n".encode()
        head = repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=data).strip()
        told = introduced(git, ["v/2.py"], head, [base])
        door = Git(repo.path)
        with kept_open(door):
            assert introduced(door, ["v/2.py"], head, [base]) == told

    def test_the_place_where_git_runs_does_not_matter(self, tmp_path: Path) -> None:
        repo = Repository(tmp_path / "repo", bare=False)
        head = repo.commit("main", {"v/:(top)x/1.py": "1\n", "other/2.py": "2\n"})
        repo.git("reset", "--quiet", "--hard")
        found = introduced(Git(repo.path / "other"), ["v/:(top)x/1.py"], head, [])
        assert names(found) == {"v/:(top)x/1.py": head}

    def test_where_history_was_cut_off_nobody_is_blamed(self, tmp_path: Path) -> None:
        origin = Repository(tmp_path / "origin.git")
        origin.commit("main", {"v/1.py": "1\n"})
        origin.commit("main", {"v/2.py": "2\n"})
        head = origin.commit("main", {"v/3.py": "3\n"})
        origin.git("clone", "--quiet", "--bare", "--depth=2", f"file://{origin.path}", str(tmp_path / "s.git"))
        found = introduced(Git(tmp_path / "s.git"), ["v/1.py", "v/2.py", "v/3.py"], head, [])
        assert names(found) == {"v/3.py": head}


def others(git: Git, head: str, *own: str) -> list[Ref]:
    return [ref for ref in published_refs(git) if ref.sha != head and ref.name not in own]


class TestPresence:
    def test_nobody_holds_anything(self, git: Git) -> None:
        assert presence(git, [], ["v"]) == Presence((), {})

    def test_who_else_holds_what(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n", "v/sub/x.py": "x\n", "w/a.py": "a\n"})
        head = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        copy = repo.commit("copied", {"v/2.py": "2\n", "w/a.py": None}, parents=[base])
        without = repo.commit("without", {"README": "1\n"}, parents=[])
        repo.branch("same", head)
        repo.tag("v1", copy, "Release")
        repo.git("update-ref", "refs/remotes/origin/topic", base)
        repo.git("update-ref", "refs/pull/7/head", base)
        repo.git("update-ref", "refs/notes/x", copy)
        found = presence(git, others(git, head, "refs/remotes/origin/topic"), ["v", "w/", "nosuch"])
        v, w, v_copy = tree(repo, base, "v"), tree(repo, base, "w"), tree(repo, copy, "v")
        blob = {path: repo.git("rev-parse", f"{copy}:v/{path}").strip() for path in ("1.py", "2.py")}
        assert found == Presence(
            (
                Holding("refs/heads/copied", copy, {"v": v_copy}),
                Holding("refs/heads/main", base, {"v": v, "w/": w}),
                Holding("refs/pull/7/head", base, {"v": v, "w/": w}),
                Holding("refs/tags/v1", copy, {"v": v_copy}),
            ),
            {
                v: {"1.py": blob["1.py"]},
                v_copy: blob,
                w: {"a.py": repo.git("rev-parse", f"{base}:w/a.py").strip()},
            },
        )
        assert without not in {holding.sha for holding in found.holdings}

    def test_subdirectories(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v/1.py": "1\n", "v/a b/x.py": "x\n", "v/a b/c/y\n.py": "y\n", "top": "1\n"})
        head = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        found = presence(git, others(git, head), ["v"], recursive=True)
        (files,) = found.trees.values()
        assert sorted(files) == ["1.py", "a b/c/y\n.py", "a b/x.py"]
        assert files["a b/x.py"] == repo.git("rev-parse", f"{base}:v/a b/x.py").strip()
        whole = presence(git, others(git, head), [""], recursive=True)
        assert sorted(whole.trees[whole.holdings[0].directories[""]]) == [
            "top",
            "v/1.py",
            "v/a b/c/y\n.py",
            "v/a b/x.py",
        ]

    def test_what_is_no_directory_and_what_is_no_file(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {"v": "a file\n"})
        repo.commit("other", {"v/sub": base, "v/1.py": "1\n"}, parents=[], modes={"v/sub": "160000"})
        found = presence(git, published_refs(git), ["v"])
        assert [(holding.ref, list(found.trees[holding.directories["v"]])) for holding in found.holdings] == [
            ("refs/heads/other", ["1.py"])
        ]

    def test_a_thousand_refs_that_share_trees(self, git: Git, repo: Repository) -> None:
        base = repo.commit("main", {f"v/{number}.py": f"{number}\n" for number in range(50)})
        head = repo.commit("topic", {"v/2.py": "2\n"}, parents=[base])
        lines = "".join(f"create refs/heads/b{number} {base}\n" for number in range(1000))
        repo.git("update-ref", "--stdin", data=lines.encode())
        found = presence(git, others(git, head), ["v"])
        assert len(found.holdings) == 1001
        assert [len(files) for files in found.trees.values()] == [50]
