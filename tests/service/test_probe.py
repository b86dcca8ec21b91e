"""What is remembered of repositories without Alembic, and where a look at one falls back to a mirror."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from onehead.gitrepo.probe import Probe
from onehead.gitrepo.process import GitFailed
from onehead.gitrepo.remote import RemoteUnreachable
from onehead.service import context, probe
from onehead.service.context import Recollection
from onehead.service.memory import OwnShelf
from onehead.service.probe import refs_without_alembic
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repo.git")
    made.git("config", "uploadpack.allowFilter", "true")
    made.commit("main", {"README.md": "# Shop\n", "setup.cfg": "[flake8]\n"})
    made.branch("topic", "main")
    made.commit("topic", {"setup.cfg": "[tox]\n"})
    return made


@pytest.fixture
def url(repo: Repository) -> Iterator[str]:
    with ForgeOverHttp(repo.path.parent) as forge:
        yield f"{forge.url}/repo.git"


def look(url: str, known: Collection[str] = ()) -> list[str] | None:
    """The refs of a repository without Alembic, that has no pull request from elsewhere."""
    found = refs_without_alembic(url, TOKEN, (), known)
    return None if found is None else sorted(found)


def test_only_what_is_new_is_fetched(repo: Repository, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Collection[str]] = []
    real = Probe.fetch_trees

    def fetch(self: Probe, commits: Collection[str]) -> None:
        fetched.append(commits)
        real(self, commits)

    monkeypatch.setattr(Probe, "fetch_trees", fetch)
    assert look(url) == ["refs/heads/main", "refs/heads/topic"]
    assert look(url, [repo.sha("main")]) == ["refs/heads/main", "refs/heads/topic"]
    assert look(url, [repo.sha("main"), repo.sha("topic")]) == ["refs/heads/main", "refs/heads/topic"]
    assert fetched == [{repo.sha("main"), repo.sha("topic")}, {repo.sha("topic")}]


@pytest.mark.parametrize(
    "ref", ["refs/heads/onehead/merge/main", "refs/onehead/databases", "refs/onehead/reparent/pr-1"]
)
def test_where_onehead_has_refs_nothing_is_taken_for_granted(repo: Repository, url: str, ref: str) -> None:
    repo.git("update-ref", ref, repo.sha("main"))
    assert look(url, [repo.sha("main"), repo.sha("topic")]) is None


def test_of_too_many_new_commits_none_is_fetched(repo: Repository, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MAX_TIPS", 1)
    assert look(url) is None
    assert look(url, [repo.sha("main")]) == ["refs/heads/main", "refs/heads/topic"]


def test_what_git_does_not_manage_is_left_to_a_mirror(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_probe: Probe, _oids: Collection[str]) -> None:
        raise GitFailed("fetch", "/tmp", 128, "fatal: write error: No space left on device")

    monkeypatch.setattr(Probe, "fetch_blobs", fail)
    assert look(url) is None


def test_a_forge_that_is_away_is_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_probe: Probe, _oids: Collection[str]) -> None:
        raise RemoteUnreachable("The forge could not be reached.")

    monkeypatch.setattr(Probe, "fetch_trees", fail)
    with pytest.raises(RemoteUnreachable):
        look(url)


def test_what_is_remembered_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_MAX_PROBED", 2)
    monkeypatch.setattr(context, "_MAX_TIPS_OF_ONE", 3)
    known = Recollection(OwnShelf())
    for name in ("a", "b", "a", "c"):
        known.learn_without_alembic(name, {"1", "2", "3", "4"})
    assert dict(known.without_alembic) == {"a": ("1", "2", "3"), "c": ("1", "2", "3")}
