"""Where the forge of a clone is, and to whom a token is sent: only where a setting or the clone itself says so."""

from __future__ import annotations

import pytest

from onehead.cli.open_pulls import ForgeAccess, NoAccess, access_to
from onehead.errors import UsageError
from onehead.forge.models import RepositoryName

SHOP = RepositoryName("acme", "shop")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGEJO_URL", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"ONEHEAD_{name}", raising=False)


@pytest.mark.parametrize(
    "origin",
    [
        "https://git.example.org/acme/shop.git",
        "https://git.example.org/acme/shop",
        "https://git.example.org:8443/acme/shop/",
        "ssh://git@ssh.example.org:2222/acme/shop.git",
        "git@git.example.org:acme/shop.git",
        "git.example.org:acme/shop",
    ],
)
def test_the_settings_name_forge_and_token(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", "https://git.example.org/")
    monkeypatch.setenv("ONEHEAD_TOKEN", "t0ken")
    assert access_to(origin) == ForgeAccess("https://git.example.org", "t0ken", SHOP)


@pytest.mark.parametrize(
    ("origin", "url", "token"),
    [
        ("https://ann:s3cret@git.example.org/acme/shop.git", "https://git.example.org", "s3cret"),
        ("https://s3cret@git.example.org/acme/shop.git", "https://git.example.org", "s3cret"),
        ("http://ann:s%3A3@127.0.0.1:3000/code/acme/shop.git", "http://127.0.0.1:3000/code", "s:3"),
    ],
)
def test_the_address_of_the_clone_may_hold_the_token(origin: str, url: str, token: str) -> None:
    assert access_to(origin) == ForgeAccess(url, token, SHOP)


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("", "there is no remote named origin"),
        ("/srv/git/shop.git", "origin is at no forge"),
        ("file:///srv/git/shop.git", "origin is at no forge"),
        ("https://git.example.org/shop.git", "origin is at no forge"),
        ("https://[broken/acme/shop", "origin is at no forge"),
        ("https://git.example.org/acme/shop.git", "ONEHEAD_FORGEJO_URL and ONEHEAD_TOKEN are not both set"),
        ("git@git.example.org:acme/shop.git", "ONEHEAD_FORGEJO_URL and ONEHEAD_TOKEN are not both set"),
    ],
)
def test_without_either_nobody_is_asked(origin: str, reason: str) -> None:
    with pytest.raises(NoAccess, match=reason):
        access_to(origin)


def test_the_token_of_the_settings_goes_to_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_TOKEN", "t0ken")
    with pytest.raises(NoAccess, match="not both set"):
        access_to("https://evil.example.com/acme/shop.git")
    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", "https://git.example.org")
    with pytest.raises(NoAccess, match=r"origin is at evil\.example\.com, and not at ONEHEAD_FORGEJO_URL"):
        access_to("https://evil.example.com/acme/shop.git")


def test_a_wrong_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_FORGEJO_URL", "git.example.org")
    with pytest.raises(UsageError, match="ONEHEAD_FORGEJO_URL"):
        access_to("https://git.example.org/acme/shop.git")
