"""What onehead relies on about webhooks: what is sent when, signed how, and with which keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forgejos.fixtures import Project
    from tests.forgejos.receiver import Receiver


PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"
SECRET = "a secret of this test"
EVENTS = ("push", "create", "delete", "pull_request", "issues")
ZERO = "0" * 40


@pytest.fixture
def hook(project: Project, receiver: Receiver) -> int:
    """A hook of the project that sends everything to the receiver, from now on."""
    # The first push is announced only after the repository has stopped being empty.
    project.forgejo.wait_until_quiet()
    return project.forgejo.admin.add_hook(project.repository, receiver.url, SECRET, EVENTS)


def signature(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def sample(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


def differences(sample: Any, got: Any, where: str = "") -> list[str]:
    """List the places where two payloads differ in keys or in kind of value. null fits everything."""
    if sample is None or got is None:
        return []
    if isinstance(sample, dict) and isinstance(got, dict):
        missing = [f"{where}.{key} is missing" for key in sample if key not in got]
        extra = [f"{where}.{key} is not in the sample" for key in got if key not in sample]
        inside = [
            found for key in sample if key in got for found in differences(sample[key], got[key], f"{where}.{key}")
        ]
        return [*missing, *extra, *inside]
    if isinstance(sample, list) and isinstance(got, list):
        return differences(sample[0], got[0], f"{where}[0]") if sample and got else []
    kinds = (type(sample), type(got))
    return [] if kinds[0] is kinds[1] else [f"{where} is {kinds[1].__name__}, not {kinds[0].__name__}"]


@pytest.mark.usefixtures("hook")
def test_a_delivery_is_signed_over_its_exact_bytes(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a<b>&c.txt": "a\n"})

    arrival = receiver.wait_for("push")

    expected = signature(arrival.body)
    assert arrival.headers["x-forgejo-signature"] == expected
    assert arrival.headers["x-hub-signature-256"] == f"sha256={expected}"
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.body.startswith(b'{\n  "ref": "refs/heads/topic",\n  "before"')
    assert b"a\\u003cb\\u003e\\u0026c.txt" in arrival.body
    names = set(sample("headers.json")["headers"]["push.json"])
    assert {name.lower() for name in names} <= set(arrival.headers)


@pytest.mark.usefixtures("hook")
def test_a_new_branch_sends_create_and_push(project: Project, receiver: Receiver) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})

    created, pushed = receiver.wait_for("create").payload, receiver.wait_for("push").payload

    assert {key: created[key] for key in ("ref", "ref_type", "sha")} == {
        "ref": "refs/heads/topic",
        "ref_type": "branch",
        "sha": sha,
    }
    assert created["repository"]["permissions"] == {"admin": False, "push": False, "pull": False}
    assert (pushed["before"], pushed["after"], pushed["ref"]) == (ZERO, sha, "refs/heads/topic")
    assert [commit["id"] for commit in pushed["commits"]] == [sha]
    assert (pushed["head_commit"]["id"], pushed["total_commits"]) == (sha, 1)
    assert pushed["commits"][0]["added"] == ["a.txt"]
    assert pushed["sender"]["id"] == pushed["pusher"]["id"] == project.owner.id
    assert not {"forced", "created", "deleted"} & set(pushed)


@pytest.mark.usefixtures("hook")
def test_a_push_has_the_keys_of_the_sample(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})

    assert differences(sample("push.json"), receiver.wait_for("push").payload) == []


@pytest.mark.usefixtures("hook")
def test_the_commits_of_a_push_are_newest_first_and_at_most_fifteen(project: Project, receiver: Receiver) -> None:
    shas = [project.copy.commit({"a.txt": f"{number}\n"}) for number in range(17)]
    project.copy.push()

    payload = receiver.wait_for("push").payload

    assert [commit["id"] for commit in payload["commits"]] == shas[::-1][:15]
    assert payload["total_commits"] == 17
    assert payload["commits"][0]["modified"] == ["a.txt"]


@pytest.mark.usefixtures("hook")
def test_a_renamed_file_is_removed_and_added(project: Project, receiver: Receiver) -> None:
    project.copy.git("mv", "README.md", "READ.md")
    project.copy.commit({}, "Rename")
    project.copy.push()

    commit = receiver.wait_for("push").payload["head_commit"]

    assert (commit["added"], commit["removed"], commit["modified"]) == (["READ.md"], ["README.md"], [])


@pytest.mark.usefixtures("hook")
def test_a_deleted_branch_sends_only_delete(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    receiver.wait_for("push")
    project.copy.push(":topic")

    deleted = receiver.wait_for("delete").payload
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    receiver.wait_for("push", lambda payload: payload["ref"] == "refs/heads/main")

    assert (deleted["ref"], deleted["ref_type"], deleted["pusher_type"]) == ("refs/heads/topic", "branch", "user")
    assert sorted(receiver.events()) == ["create", "delete", "push", "push"]


@pytest.mark.usefixtures("hook")
def test_a_new_tag_sends_create_and_an_empty_push(project: Project, receiver: Receiver) -> None:
    project.copy.git("tag", "v1")
    project.copy.push("v1")

    pushed = receiver.wait_for("push").payload

    assert (pushed["ref"], pushed["before"], pushed["commits"]) == ("refs/tags/v1", ZERO, [])
    assert receiver.wait_for("create").payload["ref_type"] == "tag"


@pytest.mark.usefixtures("hook")
def test_an_opened_pull_request(project: Project, receiver: Receiver) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic", title="Add a")

    payload = receiver.wait_for("pull_request").payload

    assert (payload["action"], payload["number"]) == ("opened", 1)
    assert payload["pull_request"]["head"]["sha"] == sha
    assert payload["sender"]["email"].startswith(f"{project.owner.name}@noreply.")
    assert differences(sample("pull_request_opened.json"), payload) == []


@pytest.mark.usefixtures("hook")
def test_a_push_to_its_branch_synchronizes_a_pull_request(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.switch("topic")
    sha = project.copy.commit({"a.txt": "b\n"})
    project.copy.push()

    arrival = receiver.wait_for("pull_request_sync")

    payload = arrival.payload
    assert arrival.headers["x-forgejo-event"] == "pull_request"
    assert (payload["action"], payload["pull_request"]["head"]["sha"]) == ("synchronized", sha)
    assert payload["pull_request"]["mergeable"] is False
    assert differences(sample("pull_request_synchronized.json"), payload) == []
    receiver.wait_for("push", lambda pushed: pushed["after"] == sha)


@pytest.mark.usefixtures("hook")
def test_a_moved_target_says_nothing_about_its_pull_requests(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    receiver.wait_for("push", lambda payload: payload["ref"] == "refs/heads/main")
    eventually(lambda: project.pull(1)["mergeable"])

    assert sorted(receiver.events()) == ["create", "pull_request", "push", "push"]


@pytest.mark.usefixtures("hook")
def test_the_life_of_a_pull_request(project: Project, receiver: Receiver) -> None:
    project.copy.push("main:refs/heads/release")
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic", title="WIP: old", body="old body")
    path = f"{project.repository.path}/pulls/1"

    def sent(action: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        return receiver.wait_for("pull_request", lambda got: got["action"] == action and wanted(got)).payload

    project.api.call("PATCH", path, {"title": "new"}, expect=201)
    assert sent("edited", lambda got: "title" in got["changes"])["changes"] == {"title": {"from": "WIP: old"}}
    project.api.call("PATCH", path, {"body": "new body"}, expect=201)
    assert sent("edited", lambda got: "body" in got["changes"])["changes"] == {"body": {"from": "old body"}}
    project.api.call("PATCH", path, {"base": "release"}, expect=201)
    moved = sent("edited", lambda got: "ref" in got["changes"])
    assert (moved["changes"], moved["pull_request"]["base"]["ref"]) == ({"ref": {"from": "release"}}, "release")
    project.api.call("PATCH", path, {"state": "closed"}, expect=201)
    assert sent("closed")["pull_request"]["merged"] is False
    project.api.call("PATCH", path, {"state": "open"}, expect=201)
    sent("reopened")
    project.merge(1)
    assert (
        sent("closed", lambda got: got["pull_request"]["merged"])["pull_request"]["merged_by"]["id"] == project.owner.id
    )


@pytest.mark.usefixtures("hook")
def test_a_deleted_head_branch_closes_with_an_event(project: Project, receiver: Receiver) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    project.copy.push(":topic")

    payload = receiver.wait_for("pull_request", lambda got: got["action"] == "closed").payload

    assert payload["pull_request"]["merged"] is False


@pytest.mark.usefixtures("hook")
def test_a_push_to_a_fork_tells_the_base_repository(
    project: Project,
    receiver: Receiver,
    api_of: Apis,
    work_copy: WorkCopies,
) -> None:
    author = project.forgejo.admin.create_user("fay")
    fork = project.forgejo.admin.fork(project.repository, author)
    copy = work_copy(fork, author)
    copy.branch("topic")
    copy.commit({"a.txt": "a\n"})
    copy.push()
    project.open_pull(f"{author.name}:topic", by=api_of(author))
    sha = copy.commit({"a.txt": "b\n"})
    copy.push()

    payload = receiver.wait_for("pull_request_sync").payload

    assert payload["pull_request"]["head"]["sha"] == sha
    assert payload["pull_request"]["head"]["repo"]["full_name"] == fork.full_name
    assert payload["repository"]["full_name"] == project.repository.full_name
    project.api.call("POST", f"{project.repository.path}/statuses/{sha}", {"state": "success"}, expect=201)


@pytest.mark.usefixtures("hook")
def test_a_comment_on_a_pull_request(project: Project, receiver: Receiver, api_of: Apis) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    reader = project.forgejo.admin.create_user("rita")
    body = {"body": "/onehead check <!-- & -->"}
    made = api_of(reader).call("POST", f"{project.repository.path}/issues/1/comments", body, expect=201)

    arrival = receiver.wait_for("pull_request_comment")

    payload = arrival.payload
    assert arrival.headers["x-forgejo-event"] == "issue_comment"
    assert (payload["action"], payload["is_pull"], payload["issue"]["number"]) == ("created", True, 1)
    assert (payload["comment"]["id"], payload["comment"]["body"]) == (made["id"], body["body"])
    assert payload["repository"]["permissions"] == {"admin": False, "push": False, "pull": True}
    assert payload["sender"]["id"] == reader.id
    assert differences(sample("issue_comment_created_on_pr.json"), payload) == []


@pytest.mark.usefixtures("hook")
def test_editing_and_deleting_a_comment_on_an_issue(project: Project, receiver: Receiver) -> None:
    path = f"{project.repository.path}/issues"
    project.api.call("POST", path, {"title": "Crash"}, expect=201)
    made = project.api.call("POST", f"{path}/1/comments", {"body": "same"}, expect=201)
    project.api.call("PATCH", f"{path}/comments/{made['id']}", {"body": "same"}, expect=200)
    project.api.call("DELETE", f"{path}/comments/{made['id']}", expect=204)

    created = receiver.wait_for("issue_comment", lambda got: got["action"] == "created").payload
    edited = receiver.wait_for("issue_comment", lambda got: got["action"] == "edited").payload
    receiver.wait_for("issue_comment", lambda got: got["action"] == "deleted")

    assert (created["is_pull"], "pull_request" in created) == (False, False)
    assert edited["changes"] == {"body": {"from": "same"}}
    assert receiver.wait_for("issues").payload["action"] == "opened"


@pytest.mark.usefixtures("hook")
def test_statuses_and_other_refs_send_nothing(project: Project, receiver: Receiver) -> None:
    sha = project.copy.git("rev-parse", "HEAD")
    project.copy.push("main:refs/onehead/state")
    project.api.call("POST", f"{project.repository.path}/statuses/{sha}", {"state": "success"}, expect=201)
    project.copy.commit({"b.txt": "b\n"})
    project.copy.push()
    receiver.wait_for("push")

    assert receiver.events() == ["push"]


@pytest.mark.usefixtures("hook")
def test_the_bots_own_doings_are_sent_too(project: Project, receiver: Receiver, api_of: Apis) -> None:
    bot = project.forgejo.admin.create_bot()
    project.api.call("POST", f"{project.repository.path}/issues", {"title": "Crash"}, expect=201)
    api_of(bot).call("POST", f"{project.repository.path}/issues/1/comments", {"body": "mine"}, expect=201)

    assert receiver.wait_for("issue_comment").payload["sender"]["id"] == bot.id


def test_a_new_hook_is_inactive_unless_told_otherwise(project: Project, receiver: Receiver) -> None:
    config = {"url": receiver.url, "content_type": "json", "secret": "x"}
    path = f"{project.repository.path}/hooks"

    made = project.api.call("POST", path, {"type": "forgejo", "config": config}, expect=201)

    assert (made["active"], made["events"]) == (False, ["push"])
    assert "secret" not in made["config"]
    assert made["config"]["url"] == receiver.url


def test_the_events_of_a_hook(project: Project, receiver: Receiver) -> None:
    config = {"url": receiver.url, "content_type": "json"}
    same = ["push", "create", "delete", "pull_request_sync", "issue_comment", "pull_request_comment"]
    wanted = [*same, "pull_request_only"]
    body = {"type": "forgejo", "config": config, "events": wanted}

    made = project.api.call("POST", f"{project.repository.path}/hooks", body, expect=201)

    assert set(made["events"]) == {*same, "pull_request", "pull_request_review_comment"}


def test_editing_a_hook_resets_what_is_left_out(project: Project, receiver: Receiver) -> None:
    config = {"url": receiver.url, "content_type": "json", "secret": SECRET}
    path = f"{project.repository.path}/hooks"
    body = {"type": "forgejo", "config": config, "events": ["create"], "branch_filter": "main", "active": True}
    made = project.api.call("POST", path, body, expect=201)

    change = {"active": True, "config": {"secret": "another"}}
    edited = project.api.call("PATCH", f"{path}/{made['id']}", change, expect=200)

    assert (edited["events"], edited["branch_filter"], edited["active"]) == (["push"], "", True)
    project.copy.commit({"a.txt": "a\n"})
    project.copy.push()
    arrival = receiver.wait_for("push")
    assert arrival.headers["x-forgejo-signature"] == signature(arrival.body)
    project.api.call("DELETE", f"{path}/{made['id']}", expect=204)
    project.api.call("GET", f"{path}/{made['id']}", expect=404)


@pytest.mark.parametrize(
    "change", [{"url": "no address"}, {"content_type": "text"}, {"type": "nonsense"}, {"url": None}]
)
def test_a_hook_that_makes_no_sense_is_refused(project: Project, change: dict[str, Any]) -> None:
    config: dict[str, Any] = {"url": "http://127.0.0.1:9/", "content_type": "json"}
    body: dict[str, Any] = {"type": "forgejo", "config": config}
    for key, value in change.items():
        place = body if key == "type" else config
        place[key] = value
    if config["url"] is None:
        del config["url"]

    project.api.call("POST", f"{project.repository.path}/hooks", body, expect=422)


def test_testing_a_hook_sends_a_made_up_push(project: Project, receiver: Receiver, hook: int) -> None:
    sha = project.copy.git("rev-parse", "HEAD")

    project.api.call("POST", f"{project.repository.path}/hooks/{hook}/tests", expect=204)

    payload = receiver.wait_for("push").payload
    assert (payload["before"], payload["after"], len(payload["commits"])) == (sha, sha, 1)


def test_an_empty_repository_takes_hooks_rules_and_labels_but_tries_no_hook(project: Project) -> None:
    empty = project.forgejo.admin.create_repository(project.owner)
    made = project.forgejo.admin.add_hook(empty, "http://127.0.0.1:9/", SECRET, EVENTS)
    rule = {"rule_name": "main", "enable_push": True, "enable_status_check": True, "status_check_contexts": ["x"]}

    project.api.call("POST", f"{empty.path}/hooks/{made}/tests", expect=404)
    project.api.call("GET", f"{empty.path}/branches/main", expect=404)
    project.api.call("POST", f"{empty.path}/branch_protections", rule, expect=201)
    project.api.call("POST", f"{empty.path}/labels", {"name": "x", "color": "#ff0000"}, expect=201)

    assert [each["rule_name"] for each in project.api.get(f"{empty.path}/branch_protections")] == ["main"]


def test_a_form_is_signed_over_the_json_inside(project: Project, receiver: Receiver) -> None:
    config = {"url": receiver.url, "content_type": "form", "secret": SECRET}
    body = {"type": "forgejo", "config": config, "active": True}
    project.api.call("POST", f"{project.repository.path}/hooks", body, expect=201)
    project.copy.commit({"a.txt": "a\n"})
    project.copy.push()

    eventually(lambda: receiver.arrivals)
    arrival = receiver.arrivals[0]

    text = parse_qs(arrival.body.decode())["payload"][0]
    assert arrival.headers["content-type"] == "application/x-www-form-urlencoded"
    assert arrival.headers["x-forgejo-signature"] == signature(text.encode())


def test_without_a_secret_the_signature_is_sent_empty(project: Project, receiver: Receiver) -> None:
    project.forgejo.admin.add_hook(project.repository, receiver.url, "", ["push"])
    project.copy.commit({"a.txt": "a\n"})
    project.copy.push()

    headers = receiver.wait_for("push").headers

    assert (headers["x-forgejo-signature"], headers["x-hub-signature-256"]) == ("", "sha256=")


@pytest.mark.usefixtures("hook")
def test_a_failed_delivery_is_not_tried_again(project: Project, receiver: Receiver) -> None:
    receiver.status = 500
    project.copy.commit({"a.txt": "a\n"})
    project.copy.push()
    uuid = receiver.wait_for("push").headers["x-forgejo-delivery"]

    kept = eventually(lambda: [one for one in project.forgejo.deliveries() if one.uuid == uuid and one.status])

    assert [(one.event_type, one.status) for one in kept] == [("push", 500)]
    assert receiver.events() == ["push"]


@pytest.mark.usefixtures("hook")
def test_what_happens_while_webhooks_are_lost_is_never_sent(project: Project, receiver: Receiver) -> None:
    project.forgejo.lose_webhooks(True)
    try:
        project.copy.push("main:refs/heads/lost")
        project.copy.commit({"a.txt": "a\n"})
        project.copy.push()
        project.forgejo.wait_until_quiet()
    finally:
        project.forgejo.lose_webhooks(False)
    project.copy.push("main:refs/heads/found")

    assert receiver.wait_for("create").payload["ref"] == "refs/heads/found"
    assert [arrival.payload["ref"] for arrival in receiver.arrivals if arrival.event == "create"] == [
        "refs/heads/found"
    ]
