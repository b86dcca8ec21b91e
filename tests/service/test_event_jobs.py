from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from onehead.forge.models import Comment, Permissions, RepositoryName, User
from onehead.forge.webhooks import BranchCreated, BranchDeleted, Commented, Event, IgnoredDelivery, Push, parse
from onehead.service import engine
from onehead.service.engine import Job, Subject
from onehead.service.web import KINDS, job_for
from tests.service.deliveries import payload, recorded, signed

SHOP = RepositoryName("acme", "shop")
ALICE = User(3, "alice")
BOB = User(4, "bob")
THEN = datetime(2026, 6, 30, tzinfo=UTC)
WRITER = Permissions(push=True, pull=True)


def asked(*subjects: Subject, repository: str = "acme/shop") -> Job:
    return Job(repository, frozenset(subjects))


def comment(body: str, *, action: str = "created", sender: User = ALICE, may: Permissions = WRITER) -> Commented:
    written = Comment(412, body, ALICE, "http://forge/acme/shop/pulls/23#c412", THEN, THEN)
    return Commented(SHOP, sender, action, 23, comment=written, permissions=may)


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        (Push(SHOP, ALICE, "feature/a", "0" * 40, "1" * 40), engine.BranchMoved("refs/heads/feature/a")),
        (BranchCreated(SHOP, ALICE, "feature/a", "1" * 40), engine.BranchMoved("refs/heads/feature/a")),
        (BranchDeleted(SHOP, ALICE, "feature/a"), engine.BranchGone("refs/heads/feature/a")),
    ],
)
def test_branches(event: Event, subject: Subject) -> None:
    assert job_for(event) == asked(subject)


def test_recorded_deliveries() -> None:
    def looked_at(name: str) -> Job | str:
        body, headers = recorded(name)
        return job_for(parse(headers, body))

    api = "courtside/basketball-api"
    assert looked_at("push") == asked(engine.BranchMoved("refs/heads/feature/standings"), repository=api)
    assert looked_at("pull_request_opened") == asked(engine.PullChanged(23), repository=api)
    assert looked_at("pull_request_synchronized") == asked(engine.PullChanged(23), repository=api)
    assert looked_at("issue_comment_created_on_pr") == "the comment does not mention /onehead"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"body": {"from": "old"}}, "only the text of the pull request has changed"),
        ({"title": {"from": "WIP: old"}}, engine.PullChanged(23)),
        ({"ref": {"from": "main"}}, engine.PullChanged(23)),
        ({"body": {"from": "old"}, "title": {"from": "old"}}, engine.PullChanged(23)),
    ],
)
def test_an_edited_pull_request_matters_unless_only_its_text_changed(
    changes: dict[str, Any], expected: Subject | str
) -> None:
    body, headers = signed("pull_request", payload("pull_request_opened") | {"action": "edited", "changes": changes})

    result = job_for(parse(headers, body))

    assert result == (expected if isinstance(expected, str) else asked(expected, repository="courtside/basketball-api"))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (comment("/onehead merge"), engine.CommandGiven(412, 23, may_write=True)),
        (comment("please\n/OneHead help"), engine.CommandGiven(412, 23, may_write=True)),
        (comment("/onehead merge", may=Permissions(admin=True)), engine.CommandGiven(412, 23, may_write=True)),
        (comment("/onehead merge", may=Permissions(pull=True)), engine.CommandGiven(412, 23, may_write=False)),
        (comment("/onehead merge", action="edited"), engine.CommandGiven(412, 23, may_write=True)),
        (comment("/onehead merge", action="edited", sender=BOB), engine.CommandGiven(412, 23, may_write=None)),
    ],
)
def test_a_comment_that_may_hold_a_command(event: Commented, expected: Subject) -> None:
    assert job_for(event) == asked(expected)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (comment("onehead is nice"), "the comment does not mention /onehead"),
        (comment("/onehead merge", action="deleted"), "the comment was deleted"),
        (IgnoredDelivery("issues changes nothing for onehead"), "issues changes nothing for onehead"),
    ],
)
def test_what_asks_for_nothing_says_why(event: Event, reason: str) -> None:
    assert job_for(event) == reason


def test_every_kind_of_event_has_a_name_of_its_own() -> None:
    assert set(KINDS) == set(get_args(Event))
    assert len(set(KINDS.values())) == len(KINDS)
