"""The repairs of one run are pushed together; one that is refused keeps back no other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.remote import PushOutcome, RefUpdate
from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

BRANCHES = ("assists", "oauth", "roles", "scouts")


def test_one_forbidden_repair_costs_only_itself(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.project.forgejo.lose_webhooks(True)
    copy = service.project.copy
    copy.commit(merged(alembic_project(), chain(("018", None))), "Start")
    copy.push()
    numbers = {}
    for at, branch in enumerate(BRANCHES):
        service.project.push_branch(branch, chain((f"{at + 20:03}", "018")))
        numbers[branch] = service.project.open_pull(branch)["number"]
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    rules = f"{service.project.repository.path}/branch_protections"
    rule = {"rule_name": "onehead/*/roles", "enable_push": False}
    service.project.api.call("POST", rules, rule, expect=201)

    pushes: list[int] = []
    real = Mirror.push

    def count(mirror: Mirror, updates: Sequence[RefUpdate], elsewhere: str | None = None) -> list[PushOutcome]:
        pushes.append(len(updates))
        return real(mirror, updates, elsewhere)

    monkeypatch.setattr(Mirror, "push", count)
    service.tell_everything()
    assert pushes == [4]
    assert service.onehead_branches() == [f"onehead/reparent/{name}" for name in BRANCHES if name != "roles"]
    for branch, number in numbers.items():
        [comment] = service.verdicts(number)
        assert ("a branch rule keeps" in comment["body"]) is (branch == "roles")
        assert ("A repair is ready: #" in comment["body"]) is (branch != "roles")
