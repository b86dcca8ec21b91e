"""Whatever the forge refuses about one pull request, the other one gets its status, its comment and its repair.

Each call of the client is refused in each way, for what concerns one of two colliding pull requests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress

import pytest

from onehead.forge.api import ForgejoApi
from onehead.forge.errors import NotUnderstood, Unavailable, refusal
from onehead.service.troubles import Unfinished
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.port import eventually
from tests.migrations import chain
from tests.stories.colliding import BASE
from tests.stories.conftest import Service
from tests.stories.test_trouble import collide_twice

OF_NO_SUBJECT = {
    *("wait", "me", "version", "repository", "repositories", "unarchived", "touched"),
    *("open_pulls", "recent_comments"),
}
"""Calls that concern a whole repository, or the server: without their answer there is nothing to do for anybody."""

CALLS = sorted(name for name, call in inspect.getmembers(ForgejoApi, inspect.isfunction) if not name.startswith("_"))

REFUSALS: dict[str, Callable[[], Exception]] = {
    "blocked": lambda: refusal(403, "POST x", "user is blocked by the repository owner or poster"),
    "locked": lambda: refusal(403, "POST x", "cannot comment on a locked issue"),
    "scope": lambda: refusal(403, "GET x", "token does not have at least one of required scope(s): [write:issue]"),
    "404": lambda: refusal(404, "GET x", ""),
    "409": lambda: refusal(409, "POST x", "conflict"),
    "422": lambda: refusal(422, "POST x", "no"),
    "423": lambda: refusal(423, "POST x", "archived"),
    "429": lambda: refusal(429, "GET x", "", 1.0),
    "500": lambda: refusal(500, "GET x", ""),
    "502": lambda: refusal(502, "GET x", "Bad Gateway"),
    "time-out": lambda: Unavailable("Forgejo did not answer in time."),
    "nonsense": lambda: NotUnderstood("The answer to GET x is not JSON."),
    "defect": lambda: RuntimeError("something that nobody thought of"),
}

EVERY = [
    # Every second call once in a quick run, and each call with each refusal in a full one.
    pytest.param(call, kind, marks=[] if number / 2 % len(REFUSALS) == place else [pytest.mark.slow])
    for number, call in enumerate(each for each in CALLS if each not in OF_NO_SUBJECT)
    for place, kind in enumerate(REFUSALS)
]


@pytest.mark.parametrize(("call", "kind"), EVERY)
def test_a_refusal_concerns_one_pull_request_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch, call: str, kind: str
) -> None:
    (refusing, first), (other, second) = collide_twice(service)
    real, make = getattr(ForgejoApi, call), REFUSALS[kind]

    def refuse(api: ForgejoApi, *args: object, **named: object) -> object:
        given = [*args, *named.values()]
        if refusing in given or first in given or any(isinstance(each, str) and "oauth" in each for each in given):
            raise make()
        return real(api, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(ForgejoApi, call, refuse)
        with suppress(Unfinished, type(make())):
            service.tell_everything()
    assert service.status(second)[0] == "failure"
    assert len(service.verdicts(other)) == 1
    assert "roles" in {pull["base"]["ref"] for pull in service.repairs()}
    assert service.status(first)[0] == "failure" or call == "create_status"

    service.tell_everything()
    assert (service.status(first)[0], service.status(second)[0]) == ("failure", "failure")
    assert (len(service.verdicts(refusing)), len(service.verdicts(other))) == (1, 1)
    assert sorted(pull["base"]["ref"] for pull in service.repairs()) == ["oauth", "roles"]


def test_every_call_is_known() -> None:
    assert set(CALLS) >= OF_NO_SUBJECT


def test_a_stranger_who_blocks_the_bot_keeps_nobody_from_a_red_status(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    """On a Forgejo that let it through, Ann merged past the required check, and main had two heads."""
    project = service.project
    project.copy.commit(BASE, "Start")
    project.copy.push()
    service.settle()
    bob = project.forgejo.admin.create_user("bob")
    theirs = work_copy(project.forgejo.admin.fork(project.repository, bob), bob)
    api = api_of(bob)
    api.call("PUT", f"/user/block/{service.bot.name}", expect=204)
    theirs.branch("oauth")
    blocked = theirs.commit(chain(("020", "018")), "OAuth tokens")
    theirs.push()
    of_bob = project.open_pull(f"{bob.name}:oauth", title="OAuth tokens", by=api)["number"]
    ours = project.push_branch("roles", chain(("021", "018")))
    of_ann = project.open_pull("roles")["number"]
    service.settle()
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    # The job ends with trouble and is tried again and again, so onehead does not come to rest.
    note = "its author or the owner has blocked onehead"
    red = ["failure", "failure"]
    eventually(lambda: [service.status(sha)[0] for sha in (ours, blocked)] == red, within=20)
    eventually(lambda: note in service.status(blocked)[1], within=20)
    assert len(service.verdicts(of_ann)) == 1
    assert service.verdicts(of_bob) == []

    api.call("PUT", f"/user/unblock/{service.bot.name}", expect=204)
    service.sweep()
    assert len(service.verdicts(of_bob)) == 1
    assert "blocked" not in service.status(blocked)[1]


def test_without_pull_requests_branches_are_judged_and_the_status_names_the_repair(service: Service) -> None:
    project = service.project
    project.api.call("PATCH", project.repository.path, {"has_pull_requests": False}, expect=200)
    project.copy.commit(BASE, "Start")
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    sha = project.push_branch("oauth", chain(("020", "018")), start="main~1")
    service.settle()

    state, text = service.status(sha)
    assert state == "failure"
    assert "Pull requests are switched off; merge onehead/reparent/oauth, which repairs it." in text
    assert service.onehead_branches() == ["onehead/reparent/oauth"]
    written = len(service.statuses(sha))
    service.tell_everything()
    assert len(service.statuses(sha)) == written

    project.api.call("PATCH", project.repository.path, {"has_pull_requests": True}, expect=200)
    service.sweep()
    assert [pull["base"]["ref"] for pull in service.repairs()] == ["oauth"]
