"""What stands on another branch or tag: names at the judged commit, which itself does not tell which is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run, clone, story
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return story(tmp_path / "shop.git")


def plan(run: Run, repo: Path, head: str) -> tuple[str, str]:
    """The kind of the plan, and its first reason."""
    told = run("check", "--repo", repo, "--target", "main", "--head", head, "--format", "json").json
    [environment] = told["environments"]
    return environment["plan"]["kind"], environment["plan"]["reasons"][0]["message"]


def test_a_bare_commit_that_one_branch_has_is_that_branchs(repo: Repository, run: Run) -> None:
    assert plan(run, repo.path, repo.sha("oauth"))[0] == "reparent"
    repo.git("update-ref", "refs/remotes/origin/oauth", "oauth")
    assert plan(run, repo.path, repo.sha("oauth"))[0] == "reparent"
    repo.branch("onehead/reparent/oauth", "oauth")
    assert plan(run, repo.path, repo.sha("oauth"))[0] == "reparent"


@pytest.mark.parametrize("other", ["refs/heads/staging", "refs/remotes/origin/staging"])
def test_of_a_bare_commit_that_two_branches_have_one_at_least_is_not_its_own(
    repo: Repository, run: Run, other: str
) -> None:
    repo.git("update-ref", other, "oauth")
    kind, why = plan(run, repo.path, repo.sha("oauth"))
    assert kind == "merge"
    assert "`004` is also on branch oauth and branch " in why
    assert plan(run, repo.path, "oauth~0")[0] == "merge"


@pytest.mark.parametrize("head", ["oauth", "refs/heads/oauth", "v1", "refs/tags/v1", ""])
def test_what_is_tagged_is_published_by_whatever_name_it_is_judged(repo: Repository, run: Run, head: str) -> None:
    repo.tag("v1", "oauth", "A release")
    kind, why = plan(run, repo.path, head or repo.sha("oauth"))
    assert kind == "merge"
    assert "`004` is also on tag v1, " in why


@pytest.mark.parametrize("head", ["origin/oauth", "refs/remotes/origin/oauth"])
def test_a_branch_of_a_remote_is_the_local_one_too(repo: Repository, run: Run, tmp_path: Path, head: str) -> None:
    place = clone(repo, tmp_path / "work")
    told = run("check", "--repo", place, "--target", "origin/main", "--head", head, "--format", "json").json
    assert told["environments"][0]["plan"]["kind"] == "reparent"
    repo.branch("staging", "oauth")
    place = clone(repo, tmp_path / "more")
    done = run("check", "--repo", place, "--target", "origin/main", "--head", head)
    assert "`004` is also on branch origin/staging, " in done.out


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("remote.origin.fetch", "+refs/heads/oauth:refs/remotes/origin/oauth", "does not hold every branch"),
        ("remote.origin.fetch", "+refs/heads/o*:refs/remotes/origin/o*", "does not hold every branch"),
        ("remote.origin.tagOpt", "--no-tags", "holds no tags"),
    ],
)
def test_a_clone_that_is_told_to_leave_names_out_can_not_know_them(
    repo: Repository, run: Run, tmp_path: Path, key: str, value: str, why: str
) -> None:
    place = clone(repo, tmp_path / "work")
    repo.git("-C", str(place), "config", key, value)
    told = run("check", "--repo", place, "--target", "origin/main", "--head", "origin/oauth", "--format", "json").json
    [environment] = told["environments"]
    assert environment["plan"]["kind"] == "merge"
    assert why in environment["plan"]["reasons"][0]["message"]
