"""A forge that sends git elsewhere: nobody goes, so nobody else gets the token or is taken for the repository."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirrors
from onehead.gitrepo.process import OriginSilent
from onehead.gitrepo.remote import Origin, RefUpdate, RemoteRedirects, delete_refs
from tests.gitrepo.forge_over_http import TOKEN, ForgeOverHttp, Listener
from tests.repositories import Repository, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onehead.gitrepo.mirror import Mirror


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "forge" / "shop.git")
    repo.commit("main", {"a.py": "1\n"})
    repo.git("update-ref", "refs/onehead/databases", "main")
    return repo


@pytest.fixture
def forge(repo: Repository) -> Iterator[ForgeOverHttp]:
    with ForgeOverHttp(repo.path.parent) as forge:
        yield forge


@pytest.fixture
def stranger() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener
        assert listener.heard == []


@pytest.fixture
def mirror(forge: ForgeOverHttp, tmp_path: Path) -> Iterator[Mirror]:
    with Mirrors(tmp_path / "cache", timeout=30).hold(f"{forge.url}/shop.git", TOKEN) as held:
        held.fetch()
        yield held


def fetch(mirror: Mirror, _: RefUpdate) -> None:
    mirror.fetch()


def clone(mirror: Mirror, _: RefUpdate) -> None:
    mirror.rebuild()


def default_branch(mirror: Mirror, _: RefUpdate) -> None:
    mirror.default_branch()


def push(mirror: Mirror, update: RefUpdate) -> None:
    mirror.push([update])


CALLS = (fetch, clone, default_branch, push)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_a_mirror_stays_with_its_forge(
    call: object, status: int, mirror: Mirror, repo: Repository, forge: ForgeOverHttp, stranger: Listener
) -> None:
    assert callable(call)
    forge.moved = ("info/refs", f"http://bob:hunter2@{stranger.host}/new", status)
    repo.commit("main", {"a.py": "2\n"})
    with pytest.raises(RemoteRedirects) as caught:
        call(mirror, RefUpdate("refs/heads/x", repo.sha("main~1"), None))
    assert caught.value.message == (
        f"The forge sends git to another address, http://{stranger.host}/new/shop.git. No redirect is followed: "
        "the token would go there too."
    )
    assert "ONEHEAD_FORGEJO_URL" in caught.value.hint


def test_a_redirect_within_the_forge_is_named_too(mirror: Mirror, forge: ForgeOverHttp) -> None:
    forge.moved = ("info/refs", "/renamed", 307)
    with pytest.raises(RemoteRedirects, match=f"another address, {forge.url}/renamed/shop.git. "):
        mirror.fetch()


@pytest.mark.parametrize("location", ["http://[::1", "", "\x1b[31m"])
def test_a_location_that_is_none(mirror: Mirror, forge: ForgeOverHttp, location: str) -> None:
    forge.moved = ("info/refs", location, 302)
    with pytest.raises(RemoteRedirects):
        mirror.fetch()


@pytest.mark.parametrize(
    ("call", "part"), [(fetch, "POST /shop.git/git-upload-pack"), (push, "POST /shop.git/git-receive-pack")]
)
def test_a_redirect_in_the_middle(
    call: object, part: str, mirror: Mirror, repo: Repository, forge: ForgeOverHttp, stranger: Listener
) -> None:
    assert callable(call)
    before = repo.sha("main")
    repo.commit("main", {"a.py": "2\n"})
    forge.moved = (part, f"http://{stranger.host}", 307)
    with pytest.raises(RemoteRedirects):
        call(mirror, RefUpdate("refs/heads/x", before, None))


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_refs_are_deleted_at_the_forge_only(
    service: str, repo: Repository, forge: ForgeOverHttp, stranger: Listener
) -> None:
    forge.moved = (f"info/refs?service={service}", f"http://{stranger.host}", 301)
    with pytest.raises(RemoteRedirects):
        delete_refs(f"{forge.url}/shop.git", TOKEN, "refs/onehead/*", lambda _: True)
    assert repo.ref("refs/onehead/databases")


@pytest.mark.parametrize("name", ["origin", "upstream"])
def test_a_clone_in_ci_keeps_its_credentials_to_itself(
    repo: Repository, forge: ForgeOverHttp, stranger: Listener, tmp_path: Path, name: str
) -> None:
    work = tmp_path / "work"
    repo.git("clone", "--quiet", "--origin", name, f"file://{repo.path}", str(work))
    url = forge.url.replace("://", f"://ci:{TOKEN}@")
    subprocess.run(
        ["git", "remote", "set-url", name, f"{url}/shop.git"], cwd=work, env=environment(), check=True, timeout=60
    )
    assert Origin(Git(work), remote=name).advertised.tip("main") == repo.sha("main")
    forge.moved = ("info/refs", f"http://{stranger.host}", 302)
    with pytest.raises(OriginSilent) as caught:
        _ = Origin(Git(work), remote=name).advertised
    assert caught.value.message == (
        f"{name} redirects to http://{stranger.host}/shop.git; git would send credentials there, so onehead does not "
        f"follow; if {name} has moved, run `git remote set-url {name} NEW-ADDRESS`"
    )
    with pytest.raises(OriginSilent, match="redirects to"):
        Origin(Git(work), remote=name).bring("0" * 39 + "1")


def test_a_persons_configuration_leads_a_mirror_nowhere_else(
    repo: Repository, forge: ForgeOverHttp, stranger: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose account the service runs as may have rewritten addresses, proxies and cookies for their own work."""
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(
        f'[url "http://{stranger.host}/"]\n\tinsteadOf = {forge.url}/\n[http]\n\tproxy = http://{stranger.host}\n'
        f"\tfollowRedirects = true\n\tcookieFile = {tmp_path}/cookies\n\tsaveCookies = true\n"
    )
    with Mirrors(tmp_path / "cache", timeout=30).hold(f"{forge.url}/shop.git", TOKEN) as held:
        held.fetch()
        assert held.git.run("rev-parse", "main").decode().strip() == repo.sha("main")
    assert delete_refs(f"{forge.url}/shop.git", TOKEN, "refs/onehead/*", lambda _: True)
    assert not (tmp_path / "cookies").exists()
