"""Pytest fixtures: a `forgejo`, once per session and kind, and what tests do with it.

tests/conftest.py imports these. The stand-in always takes part; a real Forgejo when ONEHEAD_TEST_FORGEJO names
one or several binaries (separated by the path separator).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.forgejos.administration import Api, HostedRepository
from tests.forgejos.port import Account, Forgejo, eventually
from tests.forgejos.receiver import Receiver
from tests.forgejos.standin import StandinForgejo
from tests.forgejos.start import STANDIN, binaries, start
from tests.forgejos.workcopy import WorkCopy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx


Apis = Callable[[Account | None], Api]
"""Opens the REST API as an account, or as nobody."""
WorkCopies = Callable[[HostedRepository, Account], WorkCopy]
"""Clones a repository as an account."""


@dataclass(frozen=True, slots=True)
class Project:
    """A repository on a forge and its owner at work."""

    forgejo: Forgejo
    repository: HostedRepository
    owner: Account
    api: Api  # the owner's
    copy: WorkCopy  # the owner's clone

    def push_branch(self, name: str, files: Mapping[str, str | None], start: str = "main") -> str:
        """Push a new branch with one commit, go back to main, and give the commit."""
        self.copy.branch(name, start)
        sha = self.copy.commit(files, f"Work on {name}")
        self.copy.push()
        self.copy.switch("main")
        return sha

    def open_pull(
        self, head: str, base: str = "main", title: str = "A change", body: str = "", *, by: Api | None = None
    ) -> dict[str, Any]:
        """Open a pull request (as the owner, unless told otherwise)."""
        wanted = {"head": head, "base": base, "title": title, "body": body}
        result: dict[str, Any] = (by or self.api).call("POST", f"{self.repository.path}/pulls", wanted, expect=201)
        return result

    def open_issue(self, title: str, body: str = "", *, by: Api | None = None) -> int:
        """Open an issue (as the owner, unless told otherwise), and give its number."""
        wanted = {"title": title, "body": body}
        return int((by or self.api).call("POST", f"{self.repository.path}/issues", wanted, expect=201)["number"])

    def pull(self, number: int) -> dict[str, Any]:
        result: dict[str, Any] = self.api.get(f"{self.repository.path}/pulls/{number}")
        return result

    def edit_pull(self, number: int, **fields: Any) -> None:
        """Change title, base or state of a pull request."""
        self.api.call("PATCH", f"{self.repository.path}/pulls/{number}", fields, expect=201)

    def close_pull(self, number: int, state: str = "closed") -> None:
        """Close a pull request, or open it again."""
        self.edit_pull(number, state=state)

    def merge(self, number: int, style: str = "merge", **options: Any) -> None:
        """Merge a pull request. While the forge looks for conflicts it says "try again later": do."""

        def ask() -> httpx.Response | None:
            body = {"Do": style, **options}
            response = self.api.ask("POST", f"{self.repository.path}/pulls/{number}/merge", body)
            return None if "try again later" in response.text else response

        response = eventually(ask)
        assert response is not None
        assert response.status_code == 200, response.text


REAL = [pytest.param(binary, marks=pytest.mark.slow, id=Path(binary).name) for binary in binaries()]


@pytest.fixture(scope="session", params=[STANDIN, *REAL])
def forgejo(request: pytest.FixtureRequest) -> Iterator[Forgejo]:
    """A running Forgejo of each kind. Tests share it, so they make users and repositories of their own."""
    running = start(request.param)
    yield running
    running.stop()


def major_version(forgejo: Forgejo) -> int:
    """Tell which Forgejo it says to be."""
    return int(forgejo.admin.api.get("/version")["version"].partition(".")[0])


@pytest.fixture
def since_16(forgejo: Forgejo) -> Iterator[None]:
    """For what Forgejo 16 brought: the stand-in behaves like one, a real one has to be one."""
    if isinstance(forgejo, StandinForgejo):
        world = forgejo.server.forge.world
        before, world.version = world.version, "16.0.0+gitea-1.22.0"
        yield
        world.version = before
        return
    if major_version(forgejo) < 16:
        pytest.skip("needs a Forgejo 16 or newer: name one in ONEHEAD_TEST_FORGEJO")
    yield


@pytest.fixture
def before_16(forgejo: Forgejo) -> None:
    """For what a Forgejo older than 16 lacks."""
    if major_version(forgejo) >= 16:
        pytest.skip("needs a Forgejo 15: name one in ONEHEAD_TEST_FORGEJO")


@pytest.fixture
def api_of(forgejo: Forgejo) -> Iterator[Apis]:
    """Open the REST API as an account, or as nobody (None)."""
    opened: list[Api] = []

    def open_api(account: Account | None) -> Api:
        opened.append(Api(forgejo.url, account))
        return opened[-1]

    yield open_api
    for api in opened:
        api.close()


@pytest.fixture
def work_copy(forgejo: Forgejo, tmp_path: Path) -> WorkCopies:
    """Clone a repository as an account."""
    numbers = itertools.count(1)

    def clone(repository: HostedRepository, account: Account) -> WorkCopy:
        return WorkCopy(tmp_path / f"clone-{next(numbers)}", forgejo.url, repository, account)

    return clone


@pytest.fixture
def project(
    forgejo: Forgejo,
    api_of: Apis,
    work_copy: WorkCopies,
) -> Project:
    """A public repository with one commit on `main`, its owner, and the owner's clone."""
    owner = forgejo.admin.create_user("ann")
    repository = forgejo.admin.create_repository(owner)
    copy = work_copy(repository, owner)
    copy.commit({"README.md": "# Project\n"}, "First commit")
    copy.push()
    api = api_of(owner)
    # The forge calls a repository empty, and refuses pull requests, until it has dealt with the first push.
    eventually(lambda: api.get(repository.path)["empty"] is False)
    return Project(forgejo, repository, owner, api, copy)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A place that webhooks can be sent to."""
    running = Receiver()
    yield running
    running.stop()
