"""The first-parent line of a branch, and what each of its commits changed."""

from __future__ import annotations

import pytest

from onehead.gitrepo.first_parent import LineChange, first_parent_line, line_changes
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import GitFailed, MissingObjects
from onehead.gitrepo.tree import Entry
from tests.repositories import START, Repository


def blob(repo: Repository, at: str, path: str, mode: str = "100644") -> Entry:
    return Entry(path, mode, repo.git("rev-parse", f"{at}:{path}").strip())


def test_the_line_is_that_of_the_branch_itself(git: Git, repo: Repository) -> None:
    first = repo.commit("main", {"a": "1\n"}, "One\n\nmore")
    side = repo.commit("topic", {"b": "1\n"}, parents=[first])
    second = repo.commit("main", {"c": "1\n"}, "Two")
    both = repo.merge("main", "topic", "Merge pull request 'B' (#2) from topic into main")
    line = first_parent_line(git, both, 10)
    assert [each.commit.sha for each in line] == [both, second, first]
    assert [each.parents for each in line] == [(second, side), (first,), ()]
    assert [each.commit.subject for each in line][1:] == ["Two", "One"]
    assert [each.committed for each in line] == [START + 3 * 3600, START + 2 * 3600, START]
    assert [each.commit.sha for each in first_parent_line(git, both, 2)] == [both, second]


def test_changes_are_against_the_first_parent_and_come_oldest_first(git: Git, repo: Repository) -> None:
    first = repo.commit("main", {"a": "1\n", "b": "1\n"})
    repo.commit("topic", {"d/c.py": "1\n", "b": None}, parents=[first])
    second = repo.commit("main", {"a": "2\n"})
    both = repo.merge("main", "topic")
    link = repo.commit("main", {"a": "b"}, modes={"a": "120000"})
    empty = repo.commit("main", {})
    found = list(line_changes(git, empty, 4))
    assert found == [
        (second, [LineChange("a", blob(repo, first, "a"), blob(repo, second, "a"))]),
        (
            both,
            [
                LineChange("b", blob(repo, first, "b"), None),
                LineChange("d/c.py", None, blob(repo, both, "d/c.py")),
            ],
        ),
        (link, [LineChange("a", blob(repo, both, "a"), blob(repo, link, "a", "120000"))]),
        (empty, []),
    ]
    assert list(line_changes(git, empty, 2)) == found[2:]
    assert list(line_changes(git, empty, 0)) == []
    [whole, *_] = line_changes(git, empty, 99)
    assert (whole[0], [change.path for change in whole[1]]) == (first, ["a", "b"])


@pytest.mark.parametrize("path", ["a b", ":x", "é\n\t", "caf\udce9", '"q"', "deep/er/x.py"])
def test_paths_are_taken_as_they_are(git: Git, repo: Repository, path: str) -> None:
    sha = repo.commit("main", {path: "1\n", "z": "1\n"})
    [(_, changes)] = line_changes(git, sha, 1)
    assert {change.path for change in changes} == {path, "z"}


def test_a_renamed_file_is_gone_and_new(git: Git, repo: Repository) -> None:
    repo.commit("main", {"a": "1\n" * 50})
    sha = repo.commit("main", {"a": None, "b": "1\n" * 50})
    [(_, changes)] = line_changes(git, sha, 1)
    assert [(change.path, change.old is None, change.new is None) for change in changes] == [
        ("a", False, True),
        ("b", True, False),
    ]


def test_what_git_can_not_read_is_an_error(git: Git, repo: Repository) -> None:
    sha = repo.commit("main", {"a": "1\n"})
    with pytest.raises((GitFailed, MissingObjects)):
        list(line_changes(git, "1" * len(sha), 1))


def test_fields_may_be_left_early(git: Git, repo: Repository) -> None:
    for number in range(3):
        repo.commit("main", {f"{number}": "x\n"})
    changes = line_changes(git, repo.sha("main"), 3)
    next(changes)
    changes.close()  # type: ignore[attr-defined]  # a generator
    assert len(list(line_changes(git, repo.sha("main"), 3))) == 3


def test_a_long_history_goes_through(git: Git, repo: Repository) -> None:
    """More than a pipe holds."""
    sha = repo.commit("main", {f"folder/with-a-long-name/{number:06}.py": "x\n" for number in range(3000)})
    [(_, changes)] = line_changes(git, sha, 1)
    assert len(changes) == 3000
