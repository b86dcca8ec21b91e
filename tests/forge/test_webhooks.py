"""Webhook deliveries: signatures over the very bytes, and what they tell."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.forge.errors import BadSignature, NotUnderstood
from onehead.forge.models import Permissions, RepositoryName, User
from onehead.forge.webhooks import (
    BranchCreated,
    BranchDeleted,
    Commented,
    IgnoredDelivery,
    PullRequestChanged,
    Push,
    parse,
    verify,
)

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
KNOWN = json.loads((PAYLOADS / "headers.json").read_text(encoding="utf-8"))
SECRET = KNOWN["secret"]
SAMPLES = sorted(KNOWN["headers"])
REPO = RepositoryName("courtside", "basketball-api")
ALICE = User(3, "alice")


def delivery(name: str) -> tuple[dict[str, str], bytes]:
    return dict(KNOWN["headers"][name]), (PAYLOADS / name).read_bytes()


def changed(name: str, kind: str | None = None, **changes: Any) -> tuple[dict[str, str], bytes]:
    headers, body = delivery(name)
    payload = json.loads(body) | changes
    return headers | ({"X-Forgejo-Event-Type": kind} if kind else {}), json.dumps(payload).encode()


def signed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_signed(name: str) -> None:
    verify([SECRET], *delivery(name))


@pytest.mark.parametrize("name", SAMPLES)
def test_one_changed_byte_is_noticed(name: str) -> None:
    headers, body = delivery(name)
    with pytest.raises(BadSignature):
        verify([SECRET], headers, body + b"\n")


def test_every_secret_of_a_rotation_is_good() -> None:
    verify(["new", SECRET], *delivery("push.json"))
    verify([SECRET, "new"], *delivery("push.json"))
    with pytest.raises(BadSignature) as caught:
        verify(["new", "newer"], *delivery("push.json"))
    assert "ONEHEAD_WEBHOOK_SECRET" in caught.value.hint


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_no_secret_lets_nothing_in(secrets: list[str]) -> None:
    for signature in (signed(b"{}", ""), ""):
        with pytest.raises(BadSignature):
            verify(secrets, {"X-Forgejo-Signature": signature}, b"{}")


def test_empty_secret_beside_a_good_one_matches_nothing() -> None:
    with pytest.raises(BadSignature):
        verify(["", SECRET], {"X-Forgejo-Signature": signed(b"{}", "")}, b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        # What Forgejo sends when its webhook has no secret.
        {"X-Forgejo-Signature": "", "X-Gitea-Signature": "", "X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()},
        {"X-Hub-Signature-256": signed(b"{}")},
    ],
)
def test_unsigned(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature, match="is not signed"):
        verify([SECRET], headers, b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forgejo-signature": signed(b"{}")},
        {"X-Gitea-Signature": signed(b"{}")},
        {"X-Hub-Signature-256": "sha256=" + signed(b"{}")},
        {"X-Forgejo-Signature": "", "X-Gitea-Signature": signed(b"{}")},
    ],
)
def test_every_header_of_sha256_is_read(headers: dict[str, str]) -> None:
    verify([SECRET], headers, b"{}")


@pytest.mark.parametrize("signature", ["é", "0" * 64, signed(b"{}")[:-1], signed(b"{}") + "0", signed(b"{}", "other")])
def test_forged(signature: str) -> None:
    with pytest.raises(BadSignature, match="not signed with our secret"):
        verify([SECRET], {"X-Forgejo-Signature": signature}, b"{}")


def test_form_is_signed_over_its_decoded_text() -> None:
    headers, body = delivery("push.json")
    form = urlencode({"payload": body.decode()}).encode()
    headers |= {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    verify([SECRET], headers, form)
    assert parse(headers, form) == parse(*delivery("push.json"))
    with pytest.raises(BadSignature):
        verify([SECRET], headers | {"X-Forgejo-Signature": signed(form)}, form)


@pytest.mark.parametrize(
    "body", [b"", b"payload", b"payload=", b"other=1", b"payload=%ff", b"\xff", b"payload=1&" * 50]
)
def test_broken_form(body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forgejo-Signature": signed(body)}
    with pytest.raises(NotUnderstood, match="form without a readable field payload"):
        verify([SECRET], headers, body)


def test_push() -> None:
    payload = json.loads(delivery("push.json")[1])
    assert parse(*delivery("push.json")) == Push(
        REPO, _user(payload["sender"]), payload["ref"].removeprefix("refs/heads/"), payload["before"], payload["after"]
    )


def _user(data: dict[str, Any]) -> User:
    return User(data["id"], data["login"])


def test_push_of_a_branch_with_slashes() -> None:
    event = parse(*changed("push.json", ref="refs/heads/feature/refs/heads/x"))
    assert isinstance(event, Push)
    assert event.branch == "feature/refs/heads/x"


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/notes/commits", "refs/for/main"])
def test_push_of_something_else(ref: str) -> None:
    assert parse(*changed("push.json", ref=ref)) == IgnoredDelivery(f"{ref} is no branch")


@pytest.mark.parametrize("ref", ["refs/heads/feature/x", "feature/x"])
def test_branch_comes_and_goes(ref: str) -> None:
    sender = _user(json.loads(delivery("push.json")[1])["sender"])
    created = parse(*changed("push.json", "create", ref=ref, ref_type="branch", sha="ab12"))
    assert created == BranchCreated(REPO, sender, "feature/x", "ab12")
    deleted = parse(*changed("push.json", "delete", ref=ref, ref_type="branch", pusher_type="user"))
    assert deleted == BranchDeleted(REPO, sender, "feature/x")


@pytest.mark.parametrize("kind", ["create", "delete"])
def test_tag_comes_and_goes(kind: str) -> None:
    assert parse(*changed("push.json", kind, ref="v1", ref_type="tag", sha="ab12")) == IgnoredDelivery(
        f"{kind} of a tag"
    )


@pytest.mark.parametrize(
    ("name", "action"), [("pull_request_opened.json", "opened"), ("pull_request_synchronized.json", "synchronized")]
)
def test_pull_request(name: str, action: str) -> None:
    payload = json.loads(delivery(name)[1])
    event = parse(*delivery(name))
    assert isinstance(event, PullRequestChanged)
    assert (event.repository, event.sender, event.action, event.changed) == (REPO, ALICE, action, ())
    sent = payload["pull_request"]
    assert (event.pull.number, event.pull.title, event.pull.is_open) == (sent["number"], sent["title"], True)
    assert (event.pull.head.ref, event.pull.head.sha) == (sent["head"]["ref"], sent["head"]["sha"])
    assert (event.pull.base.ref, event.pull.base.sha) == (sent["base"]["ref"], sent["base"]["sha"])
    assert event.pull.base.repository is not None
    assert event.pull.base.repository.name == REPO


def test_edited_pull_request_says_what_was_edited() -> None:
    changes = {"ref": {"from": "main"}, "title": {"from": "WIP: x"}}
    event = parse(*changed("pull_request_opened.json", action="edited", changes=changes))
    assert isinstance(event, PullRequestChanged)
    assert event.changed == ("ref", "title")


@pytest.mark.parametrize("action", ["assigned", "label_updated", "reviewed", "synchronize"])
def test_other_action_of_a_pull_request(action: str) -> None:
    event = parse(*changed("pull_request_opened.json", action=action))
    assert event == IgnoredDelivery(f"pull request {action}")


@pytest.mark.parametrize(
    "kind", ["pull_request_label", "pull_request_review_approved", "issues", "package", "action_run_failure", "wiki"]
)
def test_other_events(kind: str) -> None:
    assert parse({"X-Forgejo-Event-Type": kind}, b"{}") == IgnoredDelivery(f"{kind} changes nothing for onehead")


def test_comment_on_a_pull_request() -> None:
    payload = json.loads(delivery("issue_comment_created_on_pr.json")[1])
    event = parse(*delivery("issue_comment_created_on_pr.json"))
    assert isinstance(event, Commented)
    assert (event.repository, event.action, event.number) == (REPO, "created", 23)
    assert event.sender == _user(payload["sender"])
    assert (event.comment.id, event.comment.body) == (payload["comment"]["id"], payload["comment"]["body"])
    granted = payload["repository"]["permissions"]
    assert event.permissions == Permissions(granted["admin"], granted["push"], granted["pull"])


def test_number_comes_from_the_issue_where_the_pull_request_is_left_out() -> None:
    headers, body = delivery("issue_comment_created_on_pr.json")
    payload = json.loads(body)
    del payload["pull_request"]
    event = parse(headers, json.dumps(payload).encode())
    assert isinstance(event, Commented)
    assert event.number == 23


def test_comment_on_an_issue() -> None:
    event = parse(*changed("issue_comment_created_on_pr.json", "issue_comment", pull_request=None))
    assert isinstance(event, Commented)


def test_nobody_named_may_do_nothing() -> None:
    _, body = delivery("issue_comment_created_on_pr.json")
    repository = json.loads(body)["repository"] | {"permissions": None}
    event = parse(*changed("issue_comment_created_on_pr.json", repository=repository))
    assert isinstance(event, Commented)
    assert event.permissions == Permissions(admin=False, push=False, pull=False)


def test_gitea_header_is_enough() -> None:
    headers, body = delivery("push.json")
    only = {"X-Gitea-Event-Type": headers["X-Gitea-Event-Type"]}
    assert parse(only, body) == parse(headers, body)


def test_delivery_without_event_type() -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse({"X-Forgejo-Event": "push"}, b"{}")
    assert caught.value.message == "The delivery does not say what has happened (no X-Forgejo-Event-Type)."
    assert caught.value.hint == "Check the webhook's settings in Forgejo: type Forgejo, method POST."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The delivery of 'push' is not JSON."),
        (b"{", "The delivery of 'push' is not JSON."),
        (b"\xff\xfe\x00", "The delivery of 'push' is not JSON."),
        (b"[" * 200_000, "The delivery of 'push' is not JSON."),
        (b'{"ref": ' + b"1" * 6000 + b"}", "The delivery of 'push' is not JSON."),
        (b"null", "push should be an object and is missing."),
        (b"[]", "push should be an object and is a list."),
        (b"{}", "push.ref should be a text and is missing."),
        (b'{"ref": 7}', "push.ref should be a text and is a number."),
        (b'{"ref": "refs/heads/x"}', "push.repository should be an object and is missing."),
        (
            b'{"ref": "refs/heads/x", "repository": {"owner": {"login": "a"}, "name": "b"}, "sender": {"id": true}}',
            "push.sender.id should be a whole number and is true or false.",
        ),
    ],
)
def test_payload_that_is_none(body: bytes, message: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse({"X-Forgejo-Event-Type": "push"}, body)
    assert caught.value.message == message


@given(
    st.sampled_from(["push", "create", "delete", "pull_request", "issue_comment", "pull_request_comment"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "ref",
                        "ref_type",
                        "action",
                        "repository",
                        "sender",
                        "owner",
                        "login",
                        "id",
                        "pull_request",
                        "issue",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=12,
    ),
)
def test_any_json_is_understood_or_refused(kind: str, payload: object) -> None:
    body = json.dumps(payload).encode()
    # None of these is whole, so the only answers are "does not matter" and a sentence about what is missing.
    with contextlib.suppress(NotUnderstood):
        assert isinstance(
            parse({"X-Forgejo-Event-Type": kind}, body), (IgnoredDelivery, Push, BranchCreated, BranchDeleted)
        )


@pytest.mark.parametrize("text", [r'"\ud800"', "1e999", "NaN", r'{"\udfff": 1}'])
def test_what_can_be_read_and_not_written_again_is_not_understood(text: str) -> None:
    body = f'{{"ref": "refs/heads/main", "commits": [{text}]}}'.encode()
    with pytest.raises(NotUnderstood):
        parse({"X-Forgejo-Event-Type": "push"}, body)


def test_a_large_form_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onehead.forge.webhooks.parse_qs", lambda *_, **__: pytest.fail("decoded"))
    form = b"payload=" + b"%41" * 100_000
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forgejo-Signature": signed(form)}
    with pytest.raises(NotUnderstood, match="a form of more than 256 KiB"):
        verify([SECRET], headers, form)
