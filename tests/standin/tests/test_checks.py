from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forgejos.port import eventually
from tests.standin import bare, gitside
from tests.standin.checks import Checker
from tests.standin.later import Later
from tests.standin.world import Issue, Pull, Repository, Timing, User, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANN = User(1, "ann", "ann@example.org")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(1, ANN, "r", tmp_path / "r.git")
    bare.create_bare(made.path, "main")
    return made


def commit(repository: Repository, branch: str, content: str, parent: str = "") -> str:
    """Write a commit with one file straight into the repository."""
    path = repository.path
    blob = gitside.text(path, "hash-object", "-w", "--stdin", stdin=content.encode())
    tree = gitside.text(path, "mktree", stdin=f"100644 blob {blob}\tfile\n".encode())
    who = gitside.identity(("a", "a@b"), ("a", "a@b"))
    parents = ["-p", parent] if parent else []
    sha = gitside.text(path, "commit-tree", tree, *parents, "-m", "m", env=who)
    gitside.run(path, "update-ref", f"refs/heads/{branch}", sha)
    repository.refs[f"refs/heads/{branch}"] = sha
    return sha


def pull_request(repository: Repository, number: int, head: str) -> Issue:
    issue = Issue(number, number, ANN, "T", "", Pull(number, repository, "topic", "main"))
    repository.issues[number] = issue
    repository.refs[f"refs/pull/{number}/head"] = head
    return issue


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "http://127.0.0.1:1", Timing(conflict_check=0.05))


@pytest.fixture
def later() -> Iterator[Later]:
    running = Later("test")
    yield running
    running.stop()


def test_three_verdicts(repository: Repository, world: World, later: Later) -> None:
    checker = Checker(world, later)
    base = commit(repository, "main", "1\n2\n3\n4\n5\n")
    clean = pull_request(repository, 1, commit(repository, "one", "1\n2\n3\n4\nfive\n", base))
    clash = pull_request(repository, 2, commit(repository, "two", "ONE\n2\n3\n4\n5\n", base))
    empty = pull_request(repository, 3, base)
    commit(repository, "main", "one\n2\n3\n4\n5\n", base)

    for issue in (clean, clash, empty):
        checker.now(repository, issue)

    pulls = [issue.pull for issue in (clean, clash, empty) if issue.pull is not None]
    assert [pull.check for pull in pulls] == ["mergeable", "conflict", "ancestor"]
    assert {pull.merge_base for pull in pulls} == {base}


def test_a_check_in_line_is_not_put_there_twice_and_closed_ones_are_left_out(
    repository: Repository, world: World, later: Later
) -> None:
    checker = Checker(world, later)
    base = commit(repository, "main", "1\n")
    issue = pull_request(repository, 1, commit(repository, "one", "2\n", base))
    closed = pull_request(repository, 2, base)
    closed.is_closed = True

    with world.lock:
        checker.all_onto(repository, "main")
        checker.all_onto(repository, "main")
        checker.soon(repository, closed)
        assert (issue.pull and issue.pull.check, len(later._due)) == ("checking", 2)

    eventually(lambda: later.idle)
    assert (issue.pull and issue.pull.check, closed.pull and closed.pull.check) == ("mergeable", "checking")
