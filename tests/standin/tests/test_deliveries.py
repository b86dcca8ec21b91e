from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.forgejos.port import eventually
from tests.standin.deliveries import Postman, chosen_events, go_json, headers, request_body
from tests.standin.world import Hook, Repository, Timing, User, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forgejos.receiver import Receiver

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
SAMPLES = [
    "push.json",
    "pull_request_opened.json",
    "pull_request_synchronized.json",
    "issue_comment_created_on_pr.json",
]


@pytest.mark.parametrize("name", SAMPLES)
def test_json_is_written_byte_for_byte_as_in_the_samples(name: str) -> None:
    sample = (PAYLOADS / name).read_bytes()

    assert go_json(json.loads(sample), indent=2) == sample


@pytest.mark.parametrize("name", SAMPLES)
def test_headers_are_those_of_the_samples(name: str) -> None:
    about = json.loads((PAYLOADS / "headers.json").read_text())
    expected: dict[str, str] = about["headers"][name]

    made = headers(
        expected["X-Forgejo-Event-Type"],
        (PAYLOADS / name).read_bytes(),
        about["secret"],
        expected["X-Forgejo-Delivery"],
    )

    assert made | {"Content-Type": "application/json"} == expected


def test_without_a_secret_the_signatures_are_empty() -> None:
    made = headers("push", b"{}", "", "some-uuid")

    assert (made["X-Forgejo-Signature"], made["X-Hub-Signature"], made["X-Hub-Signature-256"]) == (
        "",
        "sha1=",
        "sha256=",
    )


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ([], ["push"]),
        (["push", "create"], ["create", "push"]),
        (["issues_only"], ["issues"]),
        (["issues"], ["issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"]),
        (["pull_request_only", "pull_request_sync"], ["pull_request", "pull_request_sync"]),
        (["pull_request_comment"], ["pull_request_comment", "pull_request_review_comment"]),
        (["pull_request_review"], ["pull_request_review_approved", "pull_request_review_rejected"]),
        (
            ["pull_request"],
            [
                "pull_request",
                "pull_request_assign",
                "pull_request_label",
                "pull_request_milestone",
                "pull_request_comment",
                "pull_request_review_approved",
                "pull_request_review_rejected",
                "pull_request_review_comment",
                "pull_request_sync",
                "pull_request_review_request",
            ],
        ),
    ],
)
def test_names_of_events_stand_for_families_or_for_one(asked: list[str], chosen: list[str]) -> None:
    assert chosen_events(asked) == chosen


def test_a_form_carries_the_json() -> None:
    hook = Hook(1, "http://127.0.0.1:1/", "form", "s")

    assert request_body(hook, b'{"a": 1}') == (b"payload=%7B%22a%22%3A+1%7D", "application/x-www-form-urlencoded")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "http://127.0.0.1:1", Timing(delivery=(0.0, 0.0), delivery_timeout=0.5))


@pytest.fixture
def postman(world: World) -> Iterator[Postman]:
    running = Postman(world)
    yield running
    running.stop()


@pytest.fixture
def repository(world: World) -> Repository:
    return Repository(1, User(7, "ann", "ann@example.org"), "r", world.root)


def add_hook(repository: Repository, url: str, **options: Any) -> Hook:
    hook = Hook(len(repository.hooks) + 1, url, "json", "s", events=["push"], active=True)
    for name, value in options.items():
        setattr(hook, name, value)
    repository.hooks[hook.id] = hook
    return hook


def test_only_active_hooks_that_want_the_event_and_the_branch_get_it(
    world: World, postman: Postman, repository: Repository, receiver: Receiver
) -> None:
    wanted = add_hook(repository, receiver.url, branch_filter="rel*")
    add_hook(repository, receiver.url, active=False)
    add_hook(repository, receiver.url, events=["create"])
    add_hook(repository, receiver.url, branch_filter="main")
    world.owner_hooks[7] = {9: Hook(9, receiver.url, "json", "s", events=["push"], active=True)}
    world.owner_hooks[0] = {10: Hook(10, receiver.url, "json", "s", events=["push"], active=True)}
    world.owner_hooks[8] = {11: Hook(11, receiver.url, "json", "s", events=["push"], active=True)}

    postman.announce(repository, "push", {"ref": "refs/heads/release"})

    assert [delivery.hook_id for delivery in world.deliveries] == [wanted.id, 9, 10]
    eventually(lambda: postman.idle)
    assert [delivery.status for delivery in world.deliveries] == [204, 204, 204]


def test_an_authorization_header_is_sent_as_configured(
    postman: Postman, repository: Repository, receiver: Receiver
) -> None:
    add_hook(repository, receiver.url, authorization_header="Bearer abc")

    postman.announce(repository, "push", {"ref": "refs/tags/v1"})

    assert receiver.wait_for("push").headers["authorization"] == "Bearer abc"


def test_a_lost_delivery_is_listed_but_never_sent(
    world: World, postman: Postman, repository: Repository, receiver: Receiver
) -> None:
    add_hook(repository, receiver.url)
    world.timing.lose_webhooks = True

    postman.announce(repository, "push", {"ref": "refs/heads/main"})

    assert postman.idle
    assert [(delivery.lost, delivery.status) for delivery in world.deliveries] == [(True, 0)]
    assert receiver.arrivals == []


def test_nobody_at_home_is_tried_once(world: World, postman: Postman, repository: Repository) -> None:
    add_hook(repository, "http://127.0.0.1:9/nobody")

    postman.announce(repository, "push", {"ref": "refs/heads/main"})

    eventually(lambda: postman.idle)
    assert [delivery.status for delivery in world.deliveries] == [0]


def test_deliveries_do_not_keep_their_order(
    world: World, postman: Postman, repository: Repository, receiver: Receiver
) -> None:
    world.timing.delivery = (0.0, 0.3)
    add_hook(repository, receiver.url)

    for number in range(12):
        postman.announce(repository, "push", {"ref": "refs/heads/main", "number": number})

    eventually(lambda: len(receiver.arrivals) == 12)
    arrived = [arrival.payload["number"] for arrival in receiver.arrivals]
    assert sorted(arrived) == list(range(12))
    assert arrived != list(range(12))
    assert all(re.fullmatch("[0-9a-f-]{36}", delivery.uuid) for delivery in world.deliveries)
