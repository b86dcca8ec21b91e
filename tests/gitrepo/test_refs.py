from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from onehead.gitrepo import refs
from onehead.gitrepo.git import Git, kept_open
from onehead.gitrepo.process import (
    AmbiguousRef,
    EmptyRepository,
    GitResult,
    MissingObjects,
    NotARepository,
    ShallowHistory,
    UnknownRef,
)
from onehead.gitrepo.refs import Commit, Ref
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path


def test_everything_git_resolves(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"})
    two = repo.commit("main", {"a": "2"})
    repo.tag("light", one)
    repo.tag("annotated", one, "A release")
    repo.git("update-ref", "refs/remotes/origin/topic", one)
    repo.git("update-ref", "refs/pull/7/head", one)
    for name, sha in [
        ("main", two),
        ("HEAD", two),
        ("HEAD~1", one),
        ("main^", one),
        ("refs/heads/main", two),
        ("heads/main", two),
        ("light", one),
        ("annotated", one),
        ("origin/topic", one),
        ("refs/pull/7/head", one),
        (two, two),
        (two[:12], two),
    ]:
        assert refs.resolve(git, name) == sha, name


def test_a_branch_that_only_a_remote_has(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"})
    two = repo.commit("main", {"a": "2"})
    repo.git("update-ref", "refs/remotes/fork/feature/x", one)
    assert refs.resolve(git, "feature/x") == one
    repo.git("update-ref", "refs/remotes/other/feature/x", two)
    with pytest.raises(UnknownRef):  # two remotes disagree
        refs.resolve(git, "feature/x")
    repo.git("update-ref", "refs/remotes/origin/feature/x", two)
    assert refs.resolve(git, "feature/x") == two


@pytest.mark.parametrize(
    "name", ["nosuch", "--all", "-n1", "^main", "main..main", "main:a", "main^{tree}", "1" * 40, "", "a\0b", "*", "a b"]
)
def test_what_names_no_commit(git: Git, repo: Repository, name: str) -> None:
    repo.commit("main", {"a": "1"})
    with pytest.raises(UnknownRef) as caught:
        refs.resolve(git, name)
    assert caught.value.ref == name
    assert caught.value.exit_code == 2
    assert caught.value.message == f"`{name}` names no commit of the repository in {repo.path}."


def test_a_branch_and_a_tag_of_the_same_name(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"})
    repo.tag("main", one)
    assert refs.resolve(git, "main") == one  # they agree
    two = repo.commit("main", {"a": "2"})
    with pytest.raises(AmbiguousRef) as caught:
        refs.resolve(git, "main")
    assert caught.value.message == (
        f"`main` is ambiguous: `refs/heads/main` ({two[:10]}) and `refs/tags/main` ({one[:10]}) differ."
    )
    assert caught.value.hint == "Write the full name, such as `refs/heads/main`."
    assert refs.resolve(git, "refs/heads/main") == two


def test_an_ambiguous_short_sha(git: Git, repo: Repository) -> None:
    commits = b"".join(
        b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0\n\n" % number for number in range(1000)
    )
    repo.git("fast-import", "--quiet", data=commits)
    digits = [line[:4] for line in repo.git("rev-list", "main").split()]
    short = next(four for four in digits if digits.count(four) > 1)  # among 1000 SHAs, two share four digits
    with pytest.raises(AmbiguousRef) as caught:
        refs.resolve(git, short)
    assert caught.value.message == f"Several commits begin with `{short}`."


def test_an_empty_repository(git: Git) -> None:
    for name in ("HEAD", "main", "1" * 40):
        with pytest.raises(EmptyRepository) as caught:
            refs.resolve(git, name)
        assert caught.value.exit_code == 3
    assert refs.list_refs(git) == []
    assert refs.destination(git) is None
    assert refs.current_branch(git) == "refs/heads/main"


def test_no_repository(tmp_path: Path) -> None:
    git = Git(tmp_path)
    for question in (refs.current_branch, refs.destination, refs.list_refs, refs.is_shallow):
        with pytest.raises(NotARepository):
            question(git)
    with pytest.raises(NotARepository):
        refs.resolve(git, "HEAD")


def test_the_list_of_refs(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"})
    two = repo.commit("topic/ü\u2028x", {"a": "2"}, parents=["main"])
    repo.tag("light", one)
    repo.tag("annotated", two, "A release")
    repo.git("tag", "of-a-file", "main:a")
    repo.git("update-ref", "refs/remotes/origin/main", one)
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert refs.list_refs(git) == [
        Ref("refs/heads/main", one),
        Ref("refs/heads/topic/ü\u2028x", two),
        Ref("refs/remotes/origin/main", one),
        Ref("refs/tags/annotated", two),
        Ref("refs/tags/light", one),
    ]
    assert refs.list_refs(git, "refs/tags", "refs/remotes") == refs.list_refs(git)[2:]


def test_the_current_branch(git: Git, repo: Repository) -> None:
    sha = repo.commit("topic", {"a": "1"})
    repo.git("symbolic-ref", "HEAD", "refs/heads/topic")
    assert refs.current_branch(git) == "refs/heads/topic"
    repo.git("update-ref", "--no-deref", "HEAD", sha)
    assert refs.current_branch(git) is None


class TestDestination:
    def test_the_default_branch_of_the_remote(self, git: Git, repo: Repository) -> None:
        repo.commit("topic", {"a": "1"})
        trunk = repo.commit("main", {"a": "2"})
        repo.git("update-ref", "refs/remotes/origin/trunk", trunk)
        repo.git("update-ref", "refs/remotes/origin/main", repo.sha("topic"))
        repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
        assert refs.destination(git) == Ref("refs/remotes/origin/trunk", trunk)

    @pytest.mark.parametrize("name", ["main", "master", "develop"])
    def test_the_usual_names_on_the_remote(self, git: Git, repo: Repository, name: str) -> None:
        sha = repo.commit("main", {"a": "1"})
        repo.git("update-ref", f"refs/remotes/origin/{name}", sha)
        assert refs.destination(git) == Ref(f"refs/remotes/origin/{name}", sha)

    @pytest.mark.parametrize("name", ["main", "master", "develop"])
    def test_the_usual_names_here(self, git: Git, repo: Repository, name: str) -> None:
        repo.commit("topic", {"a": "1"})
        sha = repo.commit(name, {"a": "2"})
        assert refs.destination(git) == Ref(f"refs/heads/{name}", sha)

    def test_the_remote_that_the_branch_follows(self, git: Git, repo: Repository) -> None:
        sha = repo.commit("topic", {"a": "1"})
        repo.git("update-ref", "refs/remotes/origin/main", sha)
        repo.git("update-ref", "refs/remotes/company/main", sha)
        repo.git("symbolic-ref", "HEAD", "refs/heads/topic")
        assert refs.destination(git) == Ref("refs/remotes/origin/main", sha)
        for key, value in [
            ("remote.company.url", "x"),
            ("remote.company.fetch", "+refs/heads/*:refs/remotes/company/*"),
            ("branch.topic.remote", "company"),
            ("branch.topic.merge", "refs/heads/topic"),
        ]:
            repo.git("config", key, value)
        assert refs.destination(git) == Ref("refs/remotes/company/main", sha)

    def test_the_only_remote_whatever_its_name(self, git: Git, repo: Repository) -> None:
        sha = repo.commit("topic", {"a": "1"})
        repo.git("update-ref", "refs/remotes/up/main", sha)
        assert refs.destination(git) == Ref("refs/remotes/up/main", sha)

    def test_nothing_to_go_by(self, git: Git, repo: Repository) -> None:
        repo.commit("topic", {"a": "1"})
        assert refs.destination(git) is None


class Asked(Git):
    """Counts the commands that it starts."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.commands: Counter[str] = Counter()

    def ask(self, *args: str, data: bytes = b"", timeout: float | None = None) -> GitResult:
        self.commands[args[0]] += 1
        return super().ask(*args, data=data, timeout=timeout)


@pytest.mark.parametrize("seed", range(6))
def test_common_ancestors_are_those_that_git_finds_whatever_the_dates_are(repo: Repository, seed: int) -> None:
    chance = Random(seed)
    tree = repo.git("mktree").strip()
    made: list[str] = []
    for _ in range(14):
        parents = chance.sample(made, min(len(made), chance.choice((0, 1, 1, 1, 2, 2, 3)))) if made else []
        date = f"{chance.randrange(10**9, 2 * 10**9)} +0000"
        named = [word for parent in parents for word in ("-p", parent)]
        variables = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        sha = repo.git(
            "commit-tree", tree, *named, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date, **variables, data=b"parent x\n"
        )
        made.append(sha.strip())
    git, door = Git(repo.path), Asked(repo.path)
    pairs = list(product(made, repeat=2))
    with kept_open(door):
        assert [sorted(refs.merge_bases(door, *pair)) for pair in pairs] == [
            sorted(refs.merge_bases(git, *pair)) for pair in pairs
        ]
    assert door.commands["merge-base"] < len(pairs) / 2


def test_a_long_way_to_the_common_ancestor_is_left_to_git(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs, "_MAX_WALKED", 3)
    root = repo.commit("main", {"a": "1"})
    near = repo.commit("near", {"b": "1"}, parents=[root])
    for number in range(4):
        far = repo.commit("main", {"a": f"{number}"})
    door = Asked(repo.path)
    with kept_open(door):
        assert refs.merge_bases(door, root, near) == [root]
        asked = door.commands.copy()
        assert refs.merge_bases(door, near, far) == [root]
    assert door.commands - asked == {"merge-base": 1}
    assert "merge-base" not in asked


def test_common_ancestors(git: Git, repo: Repository) -> None:
    root = repo.commit("main", {"a": "1"})
    left = repo.commit("main", {"a": "2"})
    right = repo.commit("right", {"b": "1"}, parents=[root])
    alone = repo.commit("alone", {"c": "1"})
    assert refs.merge_base(git, left, right) == root
    assert refs.merge_base(git, left, root) == root
    assert refs.merge_base(git, left, alone) is None
    assert refs.is_ancestor(git, root, left)
    assert refs.is_ancestor(git, left, left)
    assert not refs.is_ancestor(git, left, right)


def test_many_ancestors_are_asked_for_at_once(git: Git, repo: Repository) -> None:
    root = repo.commit("main", {"a": "1"})
    left = repo.commit("main", {"a": "2"})
    right = repo.commit("right", {"b": "1"}, parents=[root])
    both = repo.commit("both", {"a": "2", "b": "1"}, parents=[left, right])
    alone = repo.commit("alone", {"c": "1"})
    everything = [root, left, right, both, alone]
    for one in everything:
        assert refs.reached(git, everything, one) == {each for each in everything if refs.is_ancestor(git, each, one)}
        assert refs.reaching(git, everything, one) == {each for each in everything if refs.is_ancestor(git, one, each)}
    assert not refs.reached(git, [], root)
    assert not refs.reaching(git, [], root)


def test_commits_that_do_not_exist(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {"a": "1"})
    nowhere = "1" * len(sha)
    for question in (refs.merge_base, refs.is_ancestor):
        with pytest.raises(MissingObjects) as caught:
            question(git, sha, nowhere)
        assert caught.value.message == (
            f"Objects are missing from the repository in {repo.path}, or damaged. "
            f"Git said: fatal: Not a valid commit name {nowhere}"
        )
    with pytest.raises(MissingObjects):
        refs.describe(git, [nowhere])


def test_a_shallow_clone(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    root = origin.commit("main", {"a": "1"})
    left = origin.commit("main", {"a": "2"})
    right = origin.commit("right", {"b": "1"}, parents=[root])
    origin.git(
        "clone",
        "--quiet",
        "--bare",
        "--depth=1",
        "--no-single-branch",
        f"file://{origin.path}",
        str(tmp_path / "s.git"),
    )
    git = Git(tmp_path / "s.git")
    assert refs.is_shallow(git)
    assert not refs.is_shallow(Git(origin.path))
    assert refs.resolve(git, "right") == right
    with pytest.raises(UnknownRef) as unknown:
        refs.resolve(git, "HEAD~1")
    for question in (refs.merge_base, refs.is_ancestor):
        with pytest.raises(ShallowHistory) as caught:
            question(git, left, right)
        for said in (unknown.value.hint, caught.value.hint):
            assert "git fetch --unshallow" in said
            assert "fetch-depth: 0" in said
        assert caught.value.exit_code == 3


def test_who_made_a_commit(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"}, "Add a\nreally\n\nBody", author="Bob Ü <bob@example.com>")
    two = repo.commit("main", {"a": "2"}, "")
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "log.mailmap", "true")
    assert refs.describe(git, [two, one, two]) == {
        one: Commit(one, "Bob Ü", "bob@example.com", datetime(2024, 1, 1, 12, tzinfo=UTC), "Add a really"),
        two: Commit(two, "Ann Author", "ann@example.com", datetime(2024, 1, 1, 13, tzinfo=UTC), ""),
    }
    assert refs.describe(git, []) == {}


def test_a_hostile_commit_is_described_all_the_same(git: Git, repo: Repository) -> None:
    tree = repo.git("mktree", data=b"").strip()
    raw = f"tree {tree}\nauthor B\x01\xff <> 99999999999999 +9999\ncommitter x <y> -5 +0000\n\n\xff\x01\n"
    sha = repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw.encode("latin-1")).strip()
    assert refs.describe(git, [sha]) == {
        sha: Commit(sha, "B\x01\ufffd", "", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "\ufffd\x01")
    }


def test_pull_requests_are_listed_by_number(git: Git, repo: Repository) -> None:
    one = repo.commit("main", {"a": "1"})
    for number in (10, 9, 100):
        repo.git("update-ref", f"refs/pull/{number}/head", one)
    assert [ref.name.split("/")[2] for ref in refs.list_refs(git, "refs/pull")] == ["9", "10", "100"]


@pytest.mark.parametrize(
    ("subject", "pull"),
    [
        ("Merge pull request 'Add games' (#12) from games into main", 12),
        ("Merge pull request 'Correct (#7) again' (#12) from a/b into main", 12),
        ("Merge pull request 'Add (#3) from x' (#12) from ann:games", 12),
        ("Merge pull request 'Add games' (#12) from games(#4)", 12),
        ("Add games (#12)", 12),
        ('Revert "Add games (#12)" (#13)', 13),
        ("Merge pull request #12 from ann/games", 12),
        ("Merged in games (pull request #12)", 12),
        ("Add games, as in (#12) before", None),
        ("Merge branch 'games'", None),
        ("Fix #12", None),
        ("", None),
        ("x" * 1_000_000 + " (#12)", None),
    ],
)
def test_the_pull_request_that_a_commit_brings(subject: str, pull: int | None) -> None:
    assert Commit("1" * 40, "Ann", "", datetime(2024, 1, 1, tzinfo=UTC), subject).pull == pull
