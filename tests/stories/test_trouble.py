"""What goes wrong between onehead and the forge, and how it heals."""

from __future__ import annotations

import tracemalloc

import pytest

from onehead.child_process import cut_off
from onehead.errors import CannotJudge
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import Forbidden, MissingScope, Unavailable
from onehead.forge.models import Repository, RepositoryName
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Point
from onehead.service import analyzer
from onehead.service.analyzer import Analyzers, RemoteAnalysis
from onehead.service.engine import Everything, Job, delay_after
from onehead.service.judge import Judged
from onehead.service.troubles import Unfinished
from tests.forgejos.port import eventually
from tests.migrations import chain
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def collide(service: Service) -> tuple[int, str]:
    """A colliding pull request of which no webhook tells."""
    service.project.forgejo.lose_webhooks(True)
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    sha = service.project.push_branch("oauth", chain(("020", "018")), start="main~1")
    number = service.project.open_pull("oauth")["number"]
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    return number, sha


def test_a_forge_that_is_away_is_asked_again_and_the_status_is_set_when_it_returns(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, sha = collide(service)
    asked = []
    real = ForgejoApi.repository

    def away_twice(api: ForgejoApi, name: RepositoryName) -> Repository:
        asked.append(name)
        if len(asked) < 3:
            raise Unavailable("Forgejo does not answer.", "Wait until it is back.")
        return real(api, name)

    monkeypatch.setattr(ForgejoApi, "repository", away_twice)
    service.engine.submit(Job(service.project.repository.full_name, frozenset({Everything()})))

    assert eventually(lambda: service.comments(number), within=30)
    assert service.status(sha)[0] == "failure"
    assert len(asked) >= 3


def test_a_token_without_a_scope_still_sets_the_red_status_and_the_error_names_the_scope(service: Service) -> None:
    number, sha = collide(service)
    token = service.project.forgejo.admin.create_token(service.bot.name, ["write:repository", "read:user"])
    whole = service.context.api
    with ForgejoApi(Connection(service.project.forgejo.url, token)) as lesser:
        service.context.api = lesser
        with pytest.raises(MissingScope) as trouble:
            service.tell_everything()
    service.context.api = whole

    assert trouble.value.message.endswith("The token lacks the scope read:issue.")
    assert "with write:repository, write:issue, read:user" in trouble.value.hint
    assert service.status(sha)[0] == "failure"
    assert service.comments(number) == []


def test_a_repository_without_any_environment_is_healthy_and_gets_no_comment(service: Service) -> None:
    sha = service.project.push_branch("docs", {"docs.md": "# Docs\n"})
    number = service.project.open_pull("docs")["number"]
    service.settle()

    assert service.status(sha) == ("success", "No Alembic environment here.")
    assert service.comments(number) == []


def test_a_repository_that_the_token_may_only_read_is_left_alone(service: Service) -> None:
    number, _ = collide(service)
    service.project.forgejo.admin.add_collaborator(service.project.repository, service.bot, "read")
    service.sweep()

    assert service.comments(number) == []
    assert service.repairs() == []


def collide_twice(service: Service) -> list[tuple[int, str]]:
    """Two colliding pull requests whose statuses are green, from before main had its 019."""
    service.project.forgejo.lose_webhooks(True)
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    found = []
    for branch, id_ in (("oauth", "020"), ("roles", "021")):
        sha = service.project.push_branch(branch, chain((id_, "018")))
        found.append((service.project.open_pull(branch)["number"], sha))
        path = f"{service.project.repository.path}/statuses/{sha}"
        service.project.api.call("POST", path, {"context": "onehead", "state": "success"}, expect=201)
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    return found


def test_the_status_says_what_could_not_be_done_until_it_is(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of refusals (test_refusals.py) shows the same of every call and refusal, but not what is said."""
    (refusing, first), (_, second) = collide_twice(service)
    trouble = Forbidden("Forgejo answered 403 to POST comments: user is blocked by the poster.", status=403)
    real = ForgejoApi.create_comment

    def refuse(api: ForgejoApi, name: RepositoryName, number: int, body: str) -> object:
        if number == refusing:
            raise trouble
        return real(api, name, number, body)

    with monkeypatch.context() as patch:
        patch.setattr(ForgejoApi, "create_comment", refuse)
        with pytest.raises(Unfinished, match=f"Everything succeeded except: #{refusing}: ") as caught:
            service.tell_everything()
    assert caught.value.__cause__ is trouble
    assert "could not be" in service.status(first)[1]
    assert "could not be" not in service.status(second)[1]

    service.tell_everything()
    assert "could not be" not in service.status(first)[1]


def test_a_pull_request_that_can_not_be_judged_does_not_stay_green(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, first), (other, second) = collide_twice(service)
    real = RemoteAnalysis.judge

    def refuse(analysis: RemoteAnalysis, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        if head is not None and head.sha == first:
            raise CannotJudge("An object of the branch can't be read.")
        return real(analysis, target, head, strategy)

    monkeypatch.setattr(RemoteAnalysis, "judge", refuse)
    with pytest.raises(Unfinished, match="it could not be judged"):
        service.tell_everything()
    state, text = service.status(first)
    assert state == "failure"
    assert text == "Cannot judge: An object of the branch can't be read. Next: nothing; it is tried again."
    assert service.status(second)[0] == "failure"
    assert len(service.verdicts(other)) == 1


def test_an_analysis_that_is_ended_is_shown_and_left_to_the_sweep(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, first), (_, second) = collide_twice(service)
    before, rogues = service.context.analyzers, Analyzers(cut_off(apart=True))
    service.context.analyzers = rogues
    with monkeypatch.context() as patch:
        patch.setattr(analyzer, "MODULE", "tests.service.rogue")
        with pytest.raises(Unfinished, match="it could not be judged") as caught:
            service.tell_everything()
    rogues.close()

    assert delay_after(caught.value, 1) is None
    for sha in (first, second):
        assert service.status(sha) == (
            "failure",
            "Cannot judge: The analysis ended before it was done (3). Next: nothing; it is tried again.",
        )
    service.context.analyzers = before
    service.tell_everything()
    assert "Cannot judge" not in service.status(first)[1] + service.status(second)[1]


def test_a_hostile_text_is_a_finding_on_its_own_pull_request(service: Service) -> None:
    """One key with thousands of dots made TOML's reader take a gigabyte, again at every start."""
    (_, first), (other, second) = collide_twice(service)
    key = ".".join("a" * 15_000)
    sha = service.project.push_branch("policy", {".onehead.toml": f"{key} = 1\n"})
    number = service.project.open_pull("policy")["number"]
    service.settle()
    tracemalloc.start()
    service.tell_everything()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 64 * 1024 * 1024
    assert [service.status(each)[0] for each in (sha, first, second)] == ["failure"] * 3
    [told] = service.verdicts(number)
    assert "`.onehead.toml`" in told["body"]
    assert "`.onehead.toml`" not in service.verdicts(other)[0]["body"]
