from __future__ import annotations

from pathlib import Path

import pytest

from onehead.gitrepo.remote import PushOutcome, PushStatus, RemoteRefused, RemoteUnreachable, delete_refs
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp
from tests.repositories import Repository


def refs(repo: Repository) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)").split()


def test_what_is_chosen_goes_and_the_rest_stays(repo: Repository) -> None:
    tip = repo.commit("main", {"a": "1\n"})
    for name in ("onehead/merge/pr-1", "onehead/reparent/pr-2", "onehead/databases", "other/x"):
        repo.git("update-ref", f"refs/{name}", tip)
    gone = ["refs/onehead/merge/pr-1", "refs/onehead/reparent/pr-2"]
    url = f"file://{repo.path}"
    assert delete_refs(url, "", "refs/onehead/*", lambda ref: "/pr-" in ref) == [
        PushOutcome(ref, PushStatus.OK) for ref in gone
    ]
    assert refs(repo) == ["refs/heads/main", "refs/onehead/databases", "refs/other/x"]
    assert delete_refs(url, "", "refs/onehead/*", lambda ref: "/pr-" in ref) == []


def test_a_forge_is_reached_with_the_token_and_says_no_in_words(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "shop.git")
    repo.git("update-ref", "refs/onehead/databases", repo.commit("main", {"a": "1\n"}))
    with ForgeOverHttp(tmp_path) as forge:
        url = f"{forge.url}/shop.git"
        with pytest.raises(RemoteRefused):
            delete_refs(url, "wrong", "refs/onehead/*", lambda _: True)
        forge.writable = False
        [outcome] = delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True)
        assert outcome.status in (PushStatus.REFUSED, PushStatus.FORBIDDEN)
        forge.writable = True
        assert delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True) == [
            PushOutcome("refs/onehead/databases", PushStatus.OK)
        ]
        forge.broken = True
        with pytest.raises(RemoteUnreachable):
            delete_refs(url, TOKEN, "refs/onehead/*", lambda _: True)
    assert refs(repo) == ["refs/heads/main"]
