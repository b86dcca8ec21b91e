"""A repository looked at over HTTP without a mirror: what comes, what does not, and what is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.probe import probing
from onehead.gitrepo.process import GitFailed
from onehead.gitrepo.remote import RemoteRedirects, RemoteRefused, RemoteUnreachable
from onehead.gitrepo.tree import files_in, read
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp, Listener
from tests.repositories import Repository

FILES = {"README.md": "# Shop\n", "setup.cfg": "[flake8]\n", "app/models.py": "class Player: ...\n"}


@pytest.fixture
def forge(repo: Repository) -> Iterator[ForgeOverHttp]:
    """A forge with one repository: three commits on `main`, one more on `topic`, a pull request and a tag."""
    repo.git("config", "uploadpack.allowFilter", "true")
    for number in range(3):
        repo.commit("main", {**FILES, "app/state.txt": str(number)})
    repo.branch("topic", "main")
    repo.commit("topic", {"setup.cfg": "[tox]\n"})
    repo.git("update-ref", "refs/pull/7/head", repo.sha("topic"))
    repo.tag("v1", "main", "First")
    with ForgeOverHttp(repo.path.parent) as server:
        yield server


def present(git: Git) -> dict[str, int]:
    """Kind of object → how many of it are here."""
    kinds = git.run("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").decode().split()
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def test_the_refs_are_those_of_the_forge(repo: Repository, forge: ForgeOverHttp) -> None:
    with probing(f"{forge.url}/repo.git", TOKEN) as probe:
        assert probe.refs == {
            "refs/heads/main": repo.sha("main"),
            "refs/heads/topic": repo.sha("topic"),
            "refs/pull/7/head": repo.sha("topic"),
            "refs/tags/v1": repo.git("rev-parse", "refs/tags/v1").strip(),
        }


def test_only_trees_come_and_of_content_what_is_asked_for(repo: Repository, forge: ForgeOverHttp) -> None:
    commits = [repo.sha("main"), repo.sha("topic")]
    with probing(f"{forge.url}/repo.git", TOKEN) as probe:
        probe.fetch_trees(commits)
        assert present(probe.git) == {"commit": 2, "tree": 3}
        files = files_in(probe.git, commits, 100)
        assert files == files_in(Git(repo.path), commits, 100)
        wanted = {entry.oid for entry in files or () if entry.path == "setup.cfg"}
        probe.fetch_blobs(wanted)
        assert present(probe.git) == {"blob": 2, "commit": 2, "tree": 3}
        assert sorted(read(probe.git, wanted).data.values()) == [b"[flake8]\n", b"[tox]\n"]


def test_where_the_forge_allows_no_filter_content_comes_but_no_history(repo: Repository, forge: ForgeOverHttp) -> None:
    repo.git("config", "uploadpack.allowFilter", "false")
    with probing(f"{forge.url}/repo.git", TOKEN) as probe:
        probe.fetch_trees([repo.sha("main")])
        assert present(probe.git) == {"blob": 4, "commit": 1, "tree": 2}
        [oid] = {e.oid for e in files_in(probe.git, [repo.sha("main")], 100) or () if e.path == "setup.cfg"}
        probe.fetch_blobs([oid])
        assert read(probe.git, [oid]).data == {oid: b"[flake8]\n"}


def test_nothing_is_left_behind(repo: Repository, forge: ForgeOverHttp) -> None:
    with probing(f"{forge.url}/repo.git", TOKEN) as probe:
        probe.fetch_trees([repo.sha("main")])
        place = Path(probe.git.directory)
        assert place.parent == Path(tempfile.gettempdir())
        written = b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert not place.exists()
    assert TOKEN.encode() not in written


def test_what_a_forge_does_not_give_is_a_reason(repo: Repository, forge: ForgeOverHttp) -> None:
    url = f"{forge.url}/repo.git"
    with probing(url, "wrong") as probe, pytest.raises(RemoteRefused):
        _ = probe.refs
    with probing(url, TOKEN) as probe, pytest.raises(GitFailed, match="not our ref"):
        probe.fetch_trees(["1" * len(repo.sha("main"))])
    forge.broken = True
    with probing(url, TOKEN) as probe, pytest.raises(RemoteUnreachable):
        _ = probe.refs
    with probing(url, TOKEN) as probe, pytest.raises(RemoteUnreachable):
        probe.fetch_trees([repo.sha("main")])


@pytest.mark.parametrize("part", ["info/refs", "POST"])
def test_no_redirect_is_followed(repo: Repository, forge: ForgeOverHttp, part: str) -> None:
    with Listener() as elsewhere, probing(f"{forge.url}/repo.git", TOKEN) as probe:
        forge.moved = (part, f"http://{elsewhere.host}", 307)
        with pytest.raises(RemoteRedirects, match=elsewhere.host):
            _ = probe.refs
        with pytest.raises(RemoteRedirects, match=elsewhere.host):
            probe.fetch_trees([repo.sha("main")])
        assert elsewhere.heard == []
