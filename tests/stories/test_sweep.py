"""One sweep from the terminal: everything that webhooks would have set off, without any webhook."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forgejos.fixtures import Project
from tests.forgejos.port import Account
from tests.migrations import chain
from tests.repositories import environment
from tests.stories.colliding import BASE, collision


@dataclass
class Sweeps:
    """A bot that sweeps and listens to nothing."""

    project: Project
    bot: Account
    cache: Path

    def run(self, *options: str, repositories: str = "", bot: str = "") -> subprocess.CompletedProcess[str]:
        settings = {
            "ONEHEAD_FORGEJO_URL": self.project.forgejo.url,
            "ONEHEAD_TOKEN": self.bot.token,
            "ONEHEAD_BOT": bot,
            "ONEHEAD_CACHE_DIR": str(self.cache),
            "ONEHEAD_REPOSITORIES": repositories or self.project.repository.full_name,
            "COLUMNS": "200",
        }
        return subprocess.run(
            [sys.executable, "-m", "onehead", "sweep", *options],
            env=environment() | settings,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def written(self) -> tuple[list[Any], list[Any]]:
        """Comments and pull requests of the bot."""
        path = self.project.repository.path
        comments = self.project.api.get(f"{path}/issues/comments?limit=50")
        pulls = self.project.api.get(f"{path}/pulls?state=all")
        return tuple([each for each in found if each["user"]["id"] == self.bot.id] for found in (comments, pulls))  # type: ignore[return-value]


@pytest.fixture
def sweeps(project: Project, tmp_path: Path) -> Sweeps:
    bot = project.forgejo.admin.create_bot()
    project.forgejo.admin.add_collaborator(project.repository, bot, "write")
    return Sweeps(project, bot, tmp_path / "cache")


def collide(project: Project) -> None:
    collision(project)
    project.forgejo.wait_until_quiet()


@pytest.mark.slow
def test_a_token_for_named_repositories_is_enough_where_the_bot_is_named(sweeps: Sweeps) -> None:
    project, bot = sweeps.project, sweeps.bot
    other = project.forgejo.admin.create_repository(project.owner)
    project.forgejo.admin.add_collaborator(other, bot, "write")
    scopes = ("write:repository", "write:issue")
    token = project.forgejo.admin.create_token(bot.name, scopes, [project.repository])
    sweeps.bot = Account(bot.id, bot.name, bot.email, bot.password, token)
    collide(project)

    nameless = sweeps.run(repositories="*/*")
    rehearsed = sweeps.run("--dry-run", repositories="*/*", bot=bot.name)
    done = sweeps.run(repositories="*/*", bot=bot.name)

    assert nameless.returncode == 2
    assert "The token lacks the scope read:user." in nameless.stderr
    assert "set ONEHEAD_BOT to the account's name" in nameless.stderr
    assert (rehearsed.returncode, done.returncode) == (0, 0)
    assert "Looked at 1 repository" in rehearsed.stdout
    assert "Looked at 1 repository" in done.stdout
    comments, pulls = sweeps.written()
    assert (len(comments), len(pulls)) == (1, 1)
    again = sweeps.run(repositories="*/*", bot=bot.name)
    assert "made 0 writes" in again.stdout


def row(done: subprocess.CompletedProcess[str], name: str) -> str:
    [line] = [line for line in done.stdout.splitlines() if line.startswith(name)]
    return " ".join(line.split()).removeprefix(f"{name} ")


@pytest.mark.slow
def test_it_does_what_webhooks_would_have_done_and_then_nothing_more(sweeps: Sweeps) -> None:
    collide(sweeps.project)
    first = sweeps.run()
    assert (first.returncode, first.stderr) == (0, "")
    told = row(first, sweeps.project.repository.full_name)
    assert told.startswith("main: one head 0 fine, 1 collision branch pushed: 1, pull request opened: 1, comment")
    comments, [repair] = sweeps.written()
    assert "both add a migration after `018`" in comments[0]["body"]
    assert (repair["number"], repair["base"]["ref"]) == (2, "oauth")

    sweeps.project.forgejo.wait_until_quiet()
    sweeps.run()  # judges the repair that it has just opened
    sweeps.project.forgejo.wait_until_quiet()
    third = sweeps.run()
    assert row(third, sweeps.project.repository.full_name) == "main: one head 0 fine, 1 collision nothing"
    assert third.stdout.endswith("Looked at 1 repository; made 0 writes.\n")


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(sweeps: Sweeps) -> None:
    collide(sweeps.project)
    done = sweeps.run("--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Would do" in done.stdout
    told = row(done, sweeps.project.repository.full_name)
    assert "branch pushed: 1, pull request opened: 1, comment written: 1" in told
    assert done.stdout.endswith("would be made, none was.\n")
    assert sweeps.written() == ([], [])
    branches = sweeps.project.api.get(f"{sweeps.project.repository.path}/branches")
    assert sorted(each["name"] for each in branches) == ["main", "oauth"]
    tip = sweeps.project.copy.git("rev-parse", "main").strip()
    assert sweeps.project.api.get(f"{sweeps.project.repository.path}/commits/{tip}/statuses") == []


def test_a_forked_target_is_an_exit_code(sweeps: Sweeps) -> None:
    project = sweeps.project
    project.copy.commit(BASE, "Start")
    project.copy.commit(chain(("019", "018"), ("020", "018")), "Two at once")
    project.copy.push()
    project.forgejo.wait_until_quiet()
    done = sweeps.run()
    assert done.returncode == 1
    assert "main: fork" in done.stdout
    assert f"A deployed branch is not at one head in {project.repository.full_name}" in done.stdout


def test_a_topic_chooses_repositories(sweeps: Sweeps) -> None:
    collide(sweeps.project)
    topic = f"topic:{sweeps.project.repository.name}"
    left_out = sweeps.run("--dry-run", repositories=topic)
    assert left_out.returncode == 0
    assert left_out.stdout == (
        "No repository is in scope: the token can write to none that the settings name "
        f"(ONEHEAD_REPOSITORIES is {topic}).\n"
    )
    topics = {"topics": [sweeps.project.repository.name]}
    sweeps.project.api.call("PUT", f"{sweeps.project.repository.path}/topics", topics, expect=204)
    assert "Looked at 1 repository" in sweeps.run("--dry-run", repositories=topic).stdout
