"""A running onehead beside a Forgejo: the composition of `onehead serve`, with a door on a free port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from onehead import logs
from onehead.child_process import cut_off
from onehead.examine.naming import DATABASES
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.gitrepo.mirror import Mirrors
from onehead.service.analyzer import Analyzers
from onehead.service.context import ServiceContext
from onehead.service.engine import EmbeddedEngine, Engine, Everything, Job
from onehead.service.handler import handle
from onehead.service.health import Health
from onehead.service.setup import EVENTS
from onehead.service.web import DoorMetrics, HookDoor, ReportDoor, build_app
from tests.forgejos.administration import Api
from tests.forgejos.fixtures import Project
from tests.forgejos.port import Account, eventually
from tests.service.doors import Beside

SECRET = "a-secret-for-tests"
REPORT_SECRET = "another-secret-for-tests-of-reports"


@dataclass
class Service:
    """onehead at work for one project."""

    project: Project
    bot: Account
    engine: Engine
    context: ServiceContext
    url: str
    runs: list[Job] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until every webhook sent so far has been worked off, and those that this set off.

        A forge hands on what happened before it rests, and onehead has a job in line before it answers a webhook. So
        both rest once the forge was quiet while onehead had nothing to do, before and after, and did nothing between.
        """

        def calm() -> bool:
            begun = len(self.runs)
            rested = self.engine.wait_until_idle(20)
            self.project.forgejo.wait_until_quiet()
            return rested and self.engine.wait_until_idle(0) and begun == len(self.runs)

        eventually(calm, within=60)

    def sweep(self) -> None:
        """Look at everything, as the scheduled sweep does."""
        self.engine.submit(Job(self.project.repository.full_name, frozenset({Everything()})))
        self.engine.wait_until_idle(30)

    def tell_everything(self) -> None:
        """The same, in the calling thread: what it raises reaches the test."""
        handle(Job(self.project.repository.full_name, frozenset({Everything()})), self.context)

    def comments(self, number: int) -> list[dict[str, Any]]:
        """The bot's own comments on a pull request."""
        found = self.project.api.get(f"{self.project.repository.path}/issues/{number}/comments")
        return [comment for comment in found if comment["user"]["id"] == self.bot.id]

    def say(self, number: int, text: str, by: Api | None = None) -> int:
        """Comment on a pull request or issue (as the owner, unless told otherwise), and give the comment's id."""
        path = f"{self.project.repository.path}/issues/{number}/comments"
        return int((by or self.project.api).call("POST", path, {"body": text}, expect=201)["id"])

    def edit(self, comment: int, text: str, by: Api | None = None) -> None:
        """Change the text of a comment."""
        path = f"{self.project.repository.path}/issues/comments/{comment}"
        (by or self.project.api).call("PATCH", path, {"body": text}, expect=200)

    def answers(self, number: int) -> list[str]:
        """The bot's replies to commands on a page, without their hidden first line."""
        return [
            each["body"].partition("\n")[2]
            for each in self.comments(number)
            if each["body"].startswith("<!-- onehead:answer ")
        ]

    def ask(self, number: int, text: str, by: Api | None = None) -> str:
        """Comment, wait, and give the one reply to it."""
        before = self.answers(number)
        self.say(number, text, by)
        self.settle()
        [*old, new] = self.answers(number)
        assert old == before
        return new

    def reactions(self, comment: int) -> list[str]:
        """The bot's reactions on a comment."""
        found = self.project.api.get(f"{self.project.repository.path}/issues/comments/{comment}/reactions") or []
        return [each["content"] for each in found if each["user"]["id"] == self.bot.id]

    def verdicts(self, number: int) -> list[dict[str, Any]]:
        """The bot's comments that say how a pull request stands: there should never be two."""
        return [each for each in self.comments(number) if each["body"].startswith("<!-- onehead:verdict ")]

    def closing_words(self, number: int) -> str:
        """What the bot said when it closed a pull request of its own."""
        [words] = [each["body"] for each in self.comments(number) if each["body"].startswith("<!-- onehead:closed ")]
        return str(words)

    def onehead_branches(self) -> list[str]:
        """Repair branches on the forge."""
        found = self.project.api.get(f"{self.project.repository.path}/branches?limit=50") or []
        return sorted(branch["name"] for branch in found if branch["name"].startswith("onehead/"))

    def laid_ready(self) -> list[str]:
        """Refs with repairs for branches in forks."""
        lines = self.project.copy.git("ls-remote", "origin", "refs/onehead/*").splitlines()
        return sorted(ref for line in lines if (ref := line.partition("\t")[2]) != DATABASES)

    def statuses(self, sha: str) -> list[dict[str, Any]]:
        """Every onehead status of a commit."""
        found = self.project.api.get(f"{self.project.repository.path}/commits/{sha}/statuses")
        return [status for status in found if status["context"] == "onehead"]

    def status(self, sha: str) -> tuple[str, str]:
        """State and description of the newest onehead status of a commit."""
        newest = max(self.statuses(sha), key=lambda status: int(status["id"]))
        return newest["status"], newest["description"]

    def repairs(self, state: str = "open") -> list[dict[str, Any]]:
        """Pull requests of the bot."""
        found = self.project.api.get(f"{self.project.repository.path}/pulls?state={state}")
        return [pull for pull in found if pull["user"]["id"] == self.bot.id]


@pytest.fixture
def log(tmp_path: Path, logging_as_before: None) -> Iterator[None]:
    """Log as the service does, into a file that pytest keeps where a test fails."""
    del logging_as_before
    with (tmp_path / "service.log").open("w") as stream:
        logs.configure("console", stream=stream)
        yield


@pytest.fixture(scope="session")
def analyzers() -> Iterator[Analyzers]:
    """The processes that judge, as for `onehead serve`."""
    processes = Analyzers(cut_off(apart=True))
    yield processes
    processes.close()


@pytest.fixture
def bot(project: Project) -> Account:
    """The account of onehead."""
    return project.forgejo.admin.create_bot()


@pytest.fixture
def engines() -> Callable[..., Engine]:
    """Makes the engine of the service from its handler; the embedded one, unless a file of tests says otherwise."""
    return EmbeddedEngine


@pytest.fixture
def service(
    project: Project,
    bot: Account,
    tmp_path: Path,
    log: None,
    analyzers: Analyzers,
    engines: Callable[..., Engine],
) -> Iterator[Service]:
    """A bot with write access, a webhook with a secret, and onehead listening to it."""
    del log
    admin, repository = project.forgejo.admin, project.repository
    admin.add_collaborator(repository, bot, "write")
    connection = Connection(project.forgejo.url, bot.token)
    context = ServiceContext(
        api=ForgejoApi(connection),
        mirrors=Mirrors(tmp_path / "mirrors"),
        forgejo_url=project.forgejo.url,
        token=bot.token,
        cache=tmp_path / "parsed",
        analyzers=analyzers,
    )
    runs: list[Job] = []

    def handler(job: Job) -> None:
        runs.append(job)
        handle(job, context)

    metrics = DoorMetrics()
    engine = engines(handler, retry=lambda _error, attempt: 0.2 if attempt < 20 else None)
    health = Health(engine.state)
    health.forge_answered()
    behind = Beside(engine.submit, health, account=bot.id)
    door = HookDoor(
        secrets=[SECRET],
        covers=lambda name: name == repository.full_name,
        behind=behind,
        metrics=metrics,
    )
    reports = ReportDoor(
        secrets=[REPORT_SECRET],
        covers=lambda name: name == repository.full_name,
        behind=behind,
        metrics=metrics,
    )
    app = build_app(door, reports, behind, metrics)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    # The very list that `onehead install` subscribes to.
    admin.add_hook(repository, f"http://127.0.0.1:{port}/hooks/forgejo", SECRET, EVENTS)
    engine.start()
    yield Service(project, bot, engine, context, f"http://127.0.0.1:{port}", runs)
    engine.stop(5)
    server.should_exit = True
    thread.join(10)
    connection.close()
