"""Deliveries as a forge really makes and signs them, the stand-in and a real one alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onehead.forge.models import Permissions, RepositoryName, User
from onehead.forge.webhooks import BranchCreated, BranchDeleted, Commented, PullRequestChanged, Push, parse, verify
from tests.forgejos.administration import Api
from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from tests.forgejos.fixtures import Project
    from tests.forgejos.receiver import Receiver

SECRET = "correct horse battery staple"
EVENTS = ["push", "create", "delete", "pull_request", "issue_comment"]


def events(receiver: Receiver, kind: type) -> list[Any]:
    """What has come in of one kind, every signature checked."""
    found = []
    for arrival in list(receiver.arrivals):
        verify(["an older secret", SECRET], arrival.headers, arrival.body)
        found.append(parse(arrival.headers, arrival.body))
    return [event for event in found if isinstance(event, kind)]


def test_story_of_a_branch(project: Project, receiver: Receiver) -> None:
    where = RepositoryName.parse(project.repository.full_name)
    admin = project.forgejo.admin
    admin.add_hook(project.repository, receiver.url, SECRET, EVENTS)
    reader = admin.create_user("eve")
    project.push_branch("feature/x", {"a.txt": "a\n"})
    eventually(lambda: len(events(receiver, Push)) == 1 and events(receiver, BranchCreated))
    owner = events(receiver, Push)[0].sender
    assert owner == User(project.owner.id, project.owner.name)
    sha = project.copy.git("rev-parse", "feature/x")
    assert events(receiver, Push) == [Push(where, owner, "feature/x", "0" * 40, sha)]
    assert events(receiver, BranchCreated) == [BranchCreated(where, owner, "feature/x", sha)]

    number = project.open_pull("feature/x", title="WIP: work")["number"]
    eventually(lambda: events(receiver, PullRequestChanged))
    project.api.call("PATCH", f"{project.repository.path}/pulls/{number}", {"title": "Work"}, expect=201)
    project.copy.switch("feature/x")
    after = project.copy.commit({"b.txt": "b\n"}, "More")
    project.copy.push()
    eventually(lambda: len(events(receiver, PullRequestChanged)) == 3)
    changes = {event.action: event for event in events(receiver, PullRequestChanged)}
    assert set(changes) == {"opened", "edited", "synchronized"}
    assert changes["opened"].pull.draft
    assert changes["edited"].changed == ("title",)
    assert not changes["edited"].pull.draft
    assert changes["synchronized"].pull.head.sha == after
    assert {(event.repository, event.sender, event.pull.number) for event in changes.values()} == {
        (where, owner, number)
    }

    issue = project.api.call("POST", f"{project.repository.path}/issues", {"title": "It crashes"}, expect=201)["number"]
    for place in (number, issue):
        project.api.call("POST", f"{project.repository.path}/issues/{place}/comments", {"body": "/onehead"}, expect=201)
    from_outside = Api(project.forgejo.url, reader)
    from_outside.call("POST", f"{project.repository.path}/issues/{number}/comments", {"body": "/onehead"}, expect=201)
    from_outside.close()
    eventually(lambda: len(events(receiver, Commented)) == 3)
    said = {(event.number, event.sender.login): event for event in events(receiver, Commented)}
    all_of_it, look = Permissions(admin=True, push=True, pull=True), Permissions(admin=False, push=False, pull=True)
    assert {key: event.permissions for key, event in said.items()} == {
        (number, project.owner.name): all_of_it,
        (issue, project.owner.name): all_of_it,
        (number, reader.name): look,
    }
    assert {(event.action, event.comment.body) for event in said.values()} == {("created", "/onehead")}

    project.copy.git("push", "-q", "origin", ":feature/x")
    eventually(lambda: events(receiver, BranchDeleted) and len(events(receiver, PullRequestChanged)) == 4)
    assert events(receiver, BranchDeleted) == [BranchDeleted(where, owner, "feature/x")]
    closed = events(receiver, PullRequestChanged)[-1]
    assert (closed.action, closed.pull.is_open, closed.pull.merged) == ("closed", False, False)
    assert len(events(receiver, Push)) == 2
