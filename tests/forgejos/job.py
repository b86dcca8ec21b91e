"""Jobs of Forgejo Actions: what a step finds, and, on the stand-in alone, the automatic token.

That exists only while a runner works on the job, so a real Forgejo has none to give.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.ci_jobs import Job
from tests.forgejos.fixtures import Project
from tests.forgejos.port import Account
from tests.forgejos.standin import StandinForgejo
from tests.repositories import Repository
from tests.standin.world import ACTIONS


@pytest.fixture(scope="module")
def forgejo() -> Iterator[StandinForgejo]:
    """The stand-in, in the place of every Forgejo that takes part otherwise."""
    running = StandinForgejo()
    yield running
    running.stop()


JobTokens = Callable[..., Account]
"""Gives the account of a job, `from_fork` or not."""


@pytest.fixture
def job_of(forgejo: StandinForgejo, project: Project) -> JobTokens:
    """The account of a job of the project's repository, with its automatic token."""
    forge = forgejo.server.forge

    def make(*, from_fork: bool = False) -> Account:
        found = forge.world.repository(*project.repository.full_name.split("/"))
        assert found is not None
        token = forge.add_job_token(found, from_fork=from_fork)
        return Account(ACTIONS.id, ACTIONS.name, ACTIONS.email, "", token.secret)

    return make


def checkout(project: Project, number: int, place: Path, *options: str, token: str = "", event: str = "") -> Job:
    """One commit of a pull request, and the variables of the job's steps.

    It is fetched with the job's token, with the owner's where none is given. The event is `pull_request`, unless
    another is named; of `pull_request_target` the base is checked out.
    """
    event = event or "pull_request"
    repository = Repository(place, bare=False)
    told = project.pull(number)
    is_head = event == "pull_request"
    sha = told["head" if is_head else "base"]["sha"]
    ref = f"refs/pull/{number}/head" if is_head else f"refs/heads/{told['base']['ref']}"
    local = f"refs/remotes/pull/{number}/head" if is_head else f"refs/remotes/origin/{told['base']['ref']}"
    shown = b64encode(f"x-access-token:{token or project.owner.token}".encode()).decode()
    repository.git("remote", "add", "origin", f"{project.forgejo.url}/{project.repository.full_name}")
    repository.git("config", f"http.{project.forgejo.url}/.extraheader", f"AUTHORIZATION: basic {shown}")
    repository.git("fetch", "--quiet", "--no-tags", *options, "--depth=1", "origin", f"+{sha}:{local}")
    repository.git("checkout", "--quiet", "--force", local)
    file = place.with_suffix(".json")
    file.write_text(json.dumps({"pull_request": told, "repository": told["base"]["repo"]}), encoding="utf-8")
    return Job(
        place,
        {
            "CI": "true",
            "FORGEJO_ACTIONS": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": f"{project.forgejo.url}/api/v1",
            "GITHUB_SERVER_URL": project.forgejo.url,
            "GITHUB_REPOSITORY": project.repository.full_name,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_REF": ref,
            "GITHUB_SHA": sha,
            "GITHUB_BASE_REF": told["base"]["ref"],
            "GITHUB_HEAD_REF": told["head"]["ref"],
            "GITHUB_WORKSPACE": str(place),
            **({"GITHUB_TOKEN": token} if token else {}),
        },
    )
