"""REST: the labels of a repository, and those of its issues and pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import issue_shapes
from tests.standin.rest import Answer, Call, RefusedError, Routes
from tests.standin.rest_issues import ISSUE
from tests.standin.world import Label, now

if TYPE_CHECKING:
    from tests.standin.world import Issue

routes = Routes("issue")


@routes.get("/repos/{owner}/{repo}/labels")
def labels(call: Call) -> Answer:
    found = sorted(call.repo.labels.values(), key=lambda item: item.name)
    return call.paged(found, lambda item: issue_shapes.label(call.forge.world, call.repo, item))


@routes.post("/repos/{owner}/{repo}/labels", "write", changes=True, required=("name", "color"))
def create_label(call: Call) -> Answer:
    color = call.body["color"].lstrip("#").lower()
    if len(color) not in {3, 6} or not set(color) <= set("0123456789abcdef"):
        raise RefusedError(422, f"bad color code: {call.body['color']}")
    color = "".join(sign * 2 for sign in color) if len(color) == 3 else color
    label = Label(call.forge.world.next_id("label"), call.body["name"], color, call.body.get("description") or "")
    call.repo.labels[label.id] = label
    return Answer(201, issue_shapes.label(call.forge.world, call.repo, label))


@routes.delete("/repos/{owner}/{repo}/labels/{id}", "write", changes=True)
def delete_label(call: Call) -> Answer:
    gone = call.repo.labels.pop(call.number("id"), None)
    for issue in call.repo.issues.values():
        issue.labels = [label for label in issue.labels if label is not gone]
    return Answer(204)


def _label_list(call: Call, issue: Issue) -> Answer:
    return Answer(200, [issue_shapes.label(call.forge.world, call.repo, label) for label in issue.labels])


@routes.get(ISSUE + "/labels")
def issue_labels(call: Call) -> Answer:
    return _label_list(call, call.issue())


@routes.post(ISSUE + "/labels")
def add_labels(call: Call) -> Answer:
    return _set_labels(call, keep=True)


@routes.put(ISSUE + "/labels")
def replace_labels(call: Call) -> Answer:
    return _set_labels(call, keep=False)


def _set_labels(call: Call, *, keep: bool) -> Answer:
    """Set labels by number or by name. Names that do not exist are dropped without a word."""
    issue, wanted = call.issue(), call.body.get("labels") or []
    if not call.can("write"):
        raise RefusedError(403, "write permission is required")
    if len({type(item) for item in wanted}) > 1:
        raise RefusedError(400, "labels should be an array of strings or integers")
    chosen = [label for label in call.repo.labels.values() if label.id in wanted or label.name in wanted]
    before = issue.labels if keep else []
    issue.labels = [*before, *(label for label in chosen if label not in before)]
    _announce_labels(call, issue)
    return _label_list(call, issue)


@routes.delete(ISSUE + "/labels/{id}")
def remove_label(call: Call) -> Answer:
    issue, wanted = call.issue(), call.path["id"]
    if not call.can("write"):
        raise RefusedError(403, "write permission is required")
    found = [label for label in call.repo.labels.values() if wanted in {str(label.id), label.name}]
    if not found:
        raise RefusedError(422, "label does not exist [label_id: 0]")
    issue.labels = [label for label in issue.labels if label not in found]
    _announce_labels(call, issue)
    return Answer(204)


def _announce_labels(call: Call, issue: Issue) -> None:
    issue.updated = now()
    if issue.pull is None:
        call.forge.announcer.issue(call.repo, issue, "label_updated", call.doer)
    else:
        call.forge.announcer.pull(call.repo, issue, "label_updated", call.doer, fine="pull_request_label")
