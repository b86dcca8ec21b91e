"""What people and administrators do on a forge, over its REST API, for tests: the same for every Forgejo."""

from __future__ import annotations

import itertools
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from tests.forgejos.port import BOT_SCOPES, Account, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "correct horse battery"
_counter = itertools.count(1)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP to this machine: loading the world's certificates takes longer than a request."""


class Api:
    """The REST API as one account sees it. `call` asserts the code, so that a test fails where the forge refuses."""

    def __init__(self, url: str, account: Account | None) -> None:
        self.url = url
        headers = {"Authorization": f"token {account.token}"} if account else {}
        self._client = httpx.Client(
            base_url=f"{url}/api/v1", headers=headers, timeout=30, trust_env=False, verify=NO_TLS
        )

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send a request and give whatever comes back."""
        return self._client.request(method, path, json=body, **options)

    def call(self, method: str, path: str, body: Any = None, *, expect: int, **options: Any) -> Any:
        """Send a request that must be answered with `expect`, and give its JSON (None when there is none)."""
        response = self.ask(method, path, body, **options)
        assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content and "json" in response.headers.get("content-type", "") else None

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, expect=200, **options)

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class HostedRepository:
    """A repository on the forge."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """The start of its API paths."""
        return f"/repos/{self.owner}/{self.name}"

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


class Administration:
    """Acts as the site administrator; makes accounts and repositories with names of their own."""

    def __init__(self, url: str, account: Account) -> None:
        self.url = url
        self.account = account
        self.api = Api(url, account)
        self._nobody = Api(url, None)

    def create_user(self, name: str, scopes: Sequence[str] = ("all",), *, site_admin: bool = False) -> Account:
        """Make a user with a token. A number is added to the name: the forge lives longer than a test."""
        name = f"{name}{next(_counter)}"
        email = f"{name}@example.org"
        body = {
            "username": name,
            "email": email,
            "password": PASSWORD,
            "full_name": name.title(),
            "must_change_password": False,
        }
        user = self.api.call("POST", "/admin/users", body, expect=201)
        if site_admin:
            change = {"admin": True, "source_id": 0, "login_name": name}
            self.api.call("PATCH", f"/admin/users/{name}", change, expect=200)
        token = self.create_token(name, scopes)
        return Account(user["id"], name, email, PASSWORD, token)

    def create_bot(self, name: str = "bot") -> Account:
        """Make a user whose token has the least a bot needs."""
        return self.create_user(name, BOT_SCOPES)

    def create_token(self, user: str, scopes: Sequence[str], only: Sequence[HostedRepository] | None = None) -> str:
        """Make one more token for a user, perhaps for some repositories only."""
        body: dict[str, object] = {"name": f"token-{next(_counter)}", "scopes": list(scopes)}
        if only is not None:
            body["repositories"] = [{"owner": each.owner, "name": each.name} for each in only]
        response = self._nobody.ask("POST", f"/users/{user}/tokens", body, auth=(user, PASSWORD))
        assert response.status_code == 201, response.text
        return str(response.json()["sha1"])

    def create_repository(self, owner: Account, name: str = "repository", *, private: bool = False) -> HostedRepository:
        """Make an empty repository, its name made unique by a number."""
        name = f"{name}-{next(_counter)}"
        body = {"name": name, "private": private, "default_branch": "main"}
        self.api.call("POST", f"/admin/users/{owner.name}/repos", body, expect=201)
        return HostedRepository(owner.name, name)

    def add_collaborator(self, repository: HostedRepository, account: Account, permission: str) -> None:
        """Give an account `read`, `write` or `admin` access."""
        path = f"{repository.path}/collaborators/{account.name}"
        self.api.call("PUT", path, {"permission": permission}, expect=204)

    def add_hook(self, repository: HostedRepository, url: str, secret: str, events: Sequence[str]) -> int:
        """Make an active webhook and give its number."""
        body = {
            "type": "forgejo",
            "active": True,
            "events": list(events),
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        return int(self.api.call("POST", f"{repository.path}/hooks", body, expect=201)["id"])

    def fork(self, repository: HostedRepository, account: Account) -> HostedRepository:
        """Fork a repository for an account, and wait until the fork has its branches."""
        api = Api(self.url, account)
        try:
            made = api.call("POST", f"{repository.path}/forks", {}, expect=202)
            fork = HostedRepository(account.name, made["name"])
            eventually(lambda: api.get(f"{fork.path}/branches"))
        finally:
            api.close()
        return fork

    def close(self) -> None:
        self.api.close()
        self._nobody.close()


def clone_url(url: str, repository: HostedRepository, account: Account) -> str:
    """Give the address to clone and push with an account's token."""
    parts = urlsplit(f"{url}/{repository.full_name}.git")
    return urlunsplit(parts._replace(netloc=f"{quote(account.name)}:{account.token}@{parts.netloc}"))
