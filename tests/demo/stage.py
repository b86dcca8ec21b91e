"""Everything that runs while the demo is played: a Forgejo, a project on it, and onehead beside them."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.demo.service import Service
from tests.demo.telling import DemoFailedError
from tests.forgejos.administration import PASSWORD, Administration, Api, HostedRepository
from tests.forgejos.fixtures import Project
from tests.forgejos.port import BOT_SCOPES, Account, Forgejo, eventually
from tests.forgejos.real import VARIABLE
from tests.forgejos.start import STANDIN, binaries, start
from tests.forgejos.workcopy import WorkCopy
from tests.migrations import merged, project, revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

HOOK_EVENTS = ("push", "create", "delete", "pull_request")
INI = """\
[alembic]
script_location = alembic
sqlalchemy.url = sqlite:///%(here)s/../production.db
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on. `folder` is temporary, `out` stays."""

    project: Project
    bot: Account
    service: Service
    webhook_secret: str
    page_token: str
    folder: Path
    out: Path

    def wait_for(self, what: str, look: Callable[[], Result | None], within: float = 60) -> Result:
        """Ask until the answer is true, and give it.

        Raises:
            DemoFailedError: it did not come in time, or onehead has ended.
        """
        deadline = time.monotonic() + within
        while not (result := look()):
            self.service.check_alive()
            if time.monotonic() > deadline:
                raise DemoFailedError(f"Waited {within:g} seconds for {what}, in vain. onehead's log is service.log.")
            time.sleep(0.1)
        return result

    def comments(self, number: int) -> list[dict[str, Any]]:
        """The bot's own comments on a pull request."""
        found = self.project.api.get(f"{self.project.repository.path}/issues/{number}/comments")
        return [comment for comment in found if comment["user"]["id"] == self.bot.id]

    def repairs(self) -> list[dict[str, Any]]:
        """Open pull requests of the bot."""
        found = self.project.api.get(f"{self.project.repository.path}/pulls?state=open")
        return [pull for pull in found if pull["user"]["id"] == self.bot.id]

    def status(self, sha: str) -> tuple[str, str]:
        """State and description of the newest `onehead` status of a commit; empty when there is none."""
        found = self.project.api.get(f"{self.project.repository.path}/commits/{sha}/statuses")
        mine = [status for status in found if status["context"] == "onehead"]
        newest = max(mine, key=lambda status: status["id"], default={"status": "", "description": ""})
        return newest["status"], newest["description"]


def open_forgejo() -> Forgejo:
    """The stand-in, or the first of the binaries that ONEHEAD_TEST_FORGEJO names.

    Raises:
        DemoFailedError: the binary can't be used.
    """
    kind = next(iter(binaries()), STANDIN)
    if kind != STANDIN and shutil.which(kind) is None:
        raise DemoFailedError(f"{VARIABLE} names {kind}, which is not a program. Name a Forgejo binary.")
    return start(kind)


@contextmanager
def open_stage(out: Path) -> Iterator[Stage]:
    """Start everything, and end and remove it again, whatever happens between."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="onehead-demo-")))
        forgejo = open_forgejo()
        ending.callback(forgejo.stop)
        ann = _account(forgejo.admin, "ann", ("all",))
        bot = _account(forgejo.admin, "onehead-bot", BOT_SCOPES)
        api = Api(forgejo.url, ann)
        ending.callback(api.close)
        place = _project(forgejo, ann, api, folder / "clone")
        forgejo.admin.add_collaborator(place.repository, bot, "write")
        secret, page_token = secrets.token_hex(16), secrets.token_hex(16)
        settings = {
            "ONEHEAD_FORGEJO_URL": forgejo.url,
            "ONEHEAD_TOKEN": bot.token,
            "ONEHEAD_WEBHOOK_SECRET": secret,
            "ONEHEAD_PAGE_TOKEN": page_token,
            "ONEHEAD_LISTEN": "127.0.0.1:0",
            "ONEHEAD_REPOSITORIES": place.repository.full_name,
            # Webhooks alone must do here, so that nobody wonders who noticed.
            "ONEHEAD_SWEEP": "off",
            "ONEHEAD_CACHE_DIR": str(folder / "cache"),
        }
        service = Service(settings, out / "service.log")
        ending.callback(service.stop)
        forgejo.admin.add_hook(place.repository, f"{service.url}/hooks/forgejo", secret, HOOK_EVENTS)
        yield Stage(place, bot, service, secret, page_token, folder, out)


def _account(admin: Administration, name: str, scopes: tuple[str, ...]) -> Account:
    email = f"{name}@example.org"
    body = {"username": name, "email": email, "password": PASSWORD, "must_change_password": False}
    user = admin.api.call("POST", "/admin/users", body, expect=201)
    return Account(user["id"], name, email, PASSWORD, admin.create_token(name, scopes))


def _project(forgejo: Forgejo, owner: Account, api: Api, clone: Path) -> Project:
    repository = HostedRepository(owner.name, "league")
    body = {"name": repository.name, "private": False, "default_branch": "main"}
    forgejo.admin.api.call("POST", f"/admin/users/{owner.name}/repos", body, expect=201)
    copy = WorkCopy(clone, forgejo.url, repository, owner)
    migrations = merged(revision("017", None, "games"), revision("018", "017", "seasons"))
    copy.commit(merged(project(), {"alembic.ini": INI}, migrations), "Games and seasons")
    copy.push()
    # The forge refuses pull requests until it has dealt with the first push.
    eventually(lambda: api.get(repository.path)["empty"] is False)
    return Project(forgejo, repository, owner, api, copy)
