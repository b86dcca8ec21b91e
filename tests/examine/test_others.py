"""The refs of a repository, in an order that numbers of several lengths don't upset."""

from __future__ import annotations

from pathlib import Path

from onehead.examine.evidence import Others
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from tests.repositories import Repository


def test_pull_requests_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "shop.git")
    sha = repo.commit("main", {"README.md": "x\n"})
    repo.tag("v1", sha)
    for number in (100, 9, 10):
        repo.git("update-ref", f"refs/pull/{number}/head", sha)
    names = [ref.name for ref in Others(Git(repo.path), Memory(None)).refs]
    assert names == [
        "refs/heads/main",
        "refs/pull/9/head",
        "refs/pull/10/head",
        "refs/pull/100/head",
        "refs/tags/v1",
    ]
