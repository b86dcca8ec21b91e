"""Repositories without Alembic: pull requests get their status, and there is no mirror until something brings it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from onehead.gitrepo.probe import Probe
from onehead.service.decide import LEFT
from onehead.service.engine import Job, ScopeLeft
from onehead.service.handler import handle
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.migrations import chain, merged
from tests.stories.colliding import BASE
from tests.stories.conftest import Service

NONE_HERE = ("success", "No Alembic environment here.")
FORKED = merged(BASE, chain(("019", "018"), ("020", "018")))


@pytest.fixture
def mirrors(service: Service, tmp_path: Path) -> Path:
    """Where mirrors are; nothing was heard of the repository's first push."""
    del service
    return tmp_path / "mirrors"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Collection[str]]:
    """The commits of each fetch of trees."""
    seen: list[Collection[str]] = []
    real = Probe.fetch_trees

    def fetch(probe: Probe, commits: Collection[str]) -> None:
        seen.append(sorted(commits))
        real(probe, commits)

    monkeypatch.setattr(Probe, "fetch_trees", fetch)
    return seen


def are_made(mirrors: Path) -> bool:
    return any(mirrors.glob("*.git"))


def test_what_is_proposed_gets_its_status_and_nothing_else_is_written(
    service: Service, mirrors: Path, fetched: list[Collection[str]]
) -> None:
    project = service.project
    first = project.copy.git("rev-parse", "main").strip()
    alone = project.push_branch("idea", {"idea.md": "# Idea\n"})
    proposed = project.push_branch("docs", {"docs.md": "# Docs\n", "setup.cfg": "[flake8]\n"})
    number = project.open_pull("docs")["number"]
    service.settle()
    assert service.status(proposed) == NONE_HERE
    assert service.comments(number) == []
    service.sweep()
    # Nobody waits for these: no branch protection asks for a status before there is a pull request.
    assert service.statuses(first) == service.statuses(alone) == []
    assert sorted({sha for commits in fetched for sha in commits}) == sorted([first, alone, proposed])

    fetched.clear()
    project.edit_pull(number, title="Documents")
    service.settle()
    service.sweep()
    assert fetched == []
    assert not are_made(mirrors)

    project.merge(number)
    service.settle()
    assert service.comments(number) == []
    assert len(fetched) == 1
    assert not are_made(mirrors)


def test_what_is_proposed_to_a_branch_that_is_not_deployed_says_so(service: Service, mirrors: Path) -> None:
    project = service.project
    project.push_branch("next", {"next.md": "# Next\n"})
    sha = project.push_branch("docs", {"docs.md": "# Docs\n"}, "next")
    project.open_pull("docs", base="next")
    service.settle()
    assert service.status(sha) == (
        "success",
        "Goes into next, which is not deployed; judged once it goes into main.",
    )
    assert not are_made(mirrors)


def test_a_pull_request_may_bring_alembic(service: Service, mirrors: Path) -> None:
    fine = service.project.push_branch("start", BASE)
    service.project.open_pull("start")
    torn = service.project.push_branch("torn", FORKED)
    number = service.project.open_pull("torn")["number"]
    service.settle()
    assert service.status(fine)[0] == "success"
    assert service.status(fine)[1].startswith("One head. ")
    assert service.status(torn)[0] == "failure"
    assert len(service.verdicts(number)) == 1
    assert are_made(mirrors)


def test_a_pull_request_of_a_fork_may_bring_it(
    service: Service, mirrors: Path, work_copy: WorkCopies, api_of: Apis
) -> None:
    project = service.project
    stranger = project.forgejo.admin.create_user("eve")
    theirs = work_copy(project.forgejo.admin.fork(project.repository, stranger), stranger)
    api = api_of(stranger)

    def propose(branch: str, files: dict[str, str]) -> str:
        theirs.branch(branch, "main")
        sha = theirs.commit(files, f"Work on {branch}")
        theirs.push()
        project.open_pull(f"{stranger.name}:{branch}", by=api)
        service.settle()
        return sha

    assert service.status(propose("docs", {"docs.md": "# Docs\n"})) == NONE_HERE
    assert not are_made(mirrors)
    assert service.status(propose("start", FORKED))[0] == "failure"
    assert are_made(mirrors)


def test_a_push_may_bring_it_later(service: Service, mirrors: Path) -> None:
    copy = service.project.copy
    service.sweep()
    assert not are_made(mirrors)
    copy.commit(merged({"pyproject.toml": "[tool.alembic]\nscript_location = 'alembic'\n"}), "Prepare")
    copy.push()
    service.settle()
    assert are_made(mirrors)
    copy.commit(FORKED, "Two at once")
    copy.push()
    service.settle()
    assert service.status(copy.git("rev-parse", "main").strip())[0] == "failure"
    assert [each["base"]["ref"] for each in service.repairs()] == ["main"]


@pytest.mark.parametrize("policy", [{}, {".onehead.toml": 'targets = ["main", "release/*"]\n'}])
def test_a_release_branch_may_have_it_while_main_has_none(
    service: Service, mirrors: Path, policy: dict[str, str]
) -> None:
    project = service.project
    if policy:
        project.copy.commit(policy, "Deploy releases too")
        project.copy.push()
    sha = project.push_branch("release/1", FORKED)
    service.settle()
    assert service.status(sha)[0] == "failure"
    assert [each["base"]["ref"] for each in service.repairs()] == ["release/1"]
    assert are_made(mirrors)


@pytest.mark.timeout(300)  # a real Forgejo takes seconds for each comment
def test_commands_are_answered_all_the_same(service: Service, mirrors: Path) -> None:
    service.project.push_branch("docs", {"docs.md": "# Docs\n"})
    number = service.project.open_pull("docs")["number"]
    service.settle()
    commands = ("help", "check", "explain", "apply", "merge", "reparent", "auto", "doctor 018", "ignore", "unignore")
    answers = [service.ask(number, f"/onehead {command}") for command in commands]
    assert "Judged again: No Alembic environment here." in answers[1]
    assert not are_made(mirrors)
    with service.context.mirrors.hold(
        f"{service.project.forgejo.url}/{service.project.repository.full_name}.git", service.bot.token
    ) as mirror:
        mirror.fetch()
    assert [service.ask(number, f"/onehead {command}") for command in commands] == answers


def test_a_repository_that_is_not_looked_after_any_more_is_left_green(service: Service, mirrors: Path) -> None:
    sha = service.project.push_branch("docs", {"docs.md": "# Docs\n"})
    service.project.open_pull("docs")
    service.settle()
    path = f"{service.project.repository.path}/statuses/{sha}"
    red = {"context": "onehead", "state": "failure", "description": "Cannot judge."}
    service.project.api.call("POST", path, red, expect=201)
    context = replace(service.context, covers=lambda _repository: False)
    handle(Job(service.project.repository.full_name, frozenset({ScopeLeft()})), context)
    assert service.status(sha) == ("success", LEFT)
    assert not are_made(mirrors)


def test_where_a_database_has_reported_there_is_a_mirror(service: Service, mirrors: Path) -> None:
    copy = service.project.copy
    copy.git("push", "-q", "origin", "main:refs/onehead/databases")
    service.sweep()
    assert are_made(mirrors)
