"""REST: issues, comments, reactions and labels (of pull requests as well)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.standin import shapes
from tests.standin.pulls import cut_title
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.rest_pulls import edit_text
from tests.standin.world import Comment, Issue, Label, User, now

if TYPE_CHECKING:
    from collections.abc import Iterable

routes = Routes("issue")
ISSUES = "/repos/{owner}/{repo}/issues"
ISSUE = ISSUES + "/{index}"
COMMENT = ISSUES + "/comments/{id}"
REACTIONS = frozenset({"+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"})


def _shape(call: Call, issue: Issue) -> dict[str, Any]:
    return shapes.issue(call.forge.world, call.repo, issue, call.caller.user)


@routes.get(ISSUES)
def issues(call: Call) -> Answer:
    state, kind = call.query.get("state") or "open", call.query.get("type", "")
    names = {name for name in call.query.get("labels", "").split(",") if name}
    found = [issue for issue in call.repo.issues.values() if state == "all" or issue.is_closed == (state == "closed")]
    if kind in {"issues", "pulls"}:
        found = [issue for issue in found if (issue.pull is not None) == (kind == "pulls")]
    if names:
        found = [issue for issue in found if names <= {label.name for label in issue.labels}]
    return call.paged(sorted(found, key=lambda issue: -issue.number), lambda issue: _shape(call, issue))


@routes.post(ISSUES, changes=True, required=("title",))
def create(call: Call) -> Answer:
    repo = call.repo
    number = max(repo.issues, default=0) + 1
    title = cut_title(call.body["title"])
    issue = Issue(call.forge.world.next_id("issue"), number, call.doer, title, call.body.get("body") or "")
    if call.can("write"):
        issue.labels = [repo.labels[key] for key in call.body.get("labels") or [] if key in repo.labels]
    repo.issues[number] = issue
    call.forge.announcer.issue(repo, issue, "opened", call.doer)
    return Answer(201, _shape(call, issue))


# The two fixed words come before `{index}`, or they would be taken for one.
@routes.get(ISSUES + "/comments")
def all_comments(call: Call) -> Answer:
    """List the comments of all issues and pull requests, oldest first, in pages."""
    pairs = [(issue, note) for issue in call.repo.issues.values() for note in issue.comments]
    kept = {note.id for note in _in_time(call, (note for _, note in pairs))}
    found = sorted((pair for pair in pairs if pair[1].id in kept), key=lambda pair: (pair[1].created, pair[1].id))
    shape = shapes.comment
    return call.paged(found, lambda pair: shape(call.forge.world, call.repo, *pair), link=False)


def _in_time(call: Call, notes: Iterable[Comment]) -> list[Comment]:
    """Keep the comments last changed within `since` and `before`, both included."""
    since, before = (_time(call.query.get(name)) for name in ("since", "before"))
    return [
        note
        for note in notes
        if (since is None or note.updated >= since) and (before is None or note.updated <= before)
    ]


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)
    except ValueError as error:
        raise RefusedError(422, f'parsing time "{text}": cannot parse') from error


def _find_comment(call: Call) -> tuple[Issue, Comment]:
    wanted = call.number("id")
    for issue in call.repo.issues.values():
        for note in issue.comments:
            if note.id == wanted:
                return issue, note
    return not_found(f"comment does not exist [id: {wanted}, issue_id: 0]")


@routes.get(COMMENT)
def comment(call: Call) -> Answer:
    return Answer(200, shapes.comment(call.forge.world, call.repo, *_find_comment(call)))


@routes.patch(COMMENT, required=("body",))
def edit_comment(call: Call) -> Answer:
    issue, note = _find_comment(call)
    if note.poster is not call.doer and not call.can("write"):
        return Answer(403)
    # The very same text is an edit too, with an event of its own.
    old, note.body = note.body, call.body["body"]
    note.updated = issue.updated = now()
    call.forge.announcer.comment(call.repo, issue, note, "edited", call.doer, old_body=old)
    return Answer(200, shapes.comment(call.forge.world, call.repo, issue, note))


@routes.delete(COMMENT)
def delete_comment(call: Call) -> Answer:
    issue, note = _find_comment(call)
    if note.poster is not call.doer and not call.can("write"):
        return Answer(403)
    issue.comments.remove(note)
    call.forge.announcer.comment(call.repo, issue, note, "deleted", call.doer)
    return Answer(204)


@routes.get(ISSUE)
def get(call: Call) -> Answer:
    return Answer(200, _shape(call, call.issue()))


@routes.patch(ISSUE)
def edit(call: Call) -> Answer:
    issue = call.issue()
    if issue.poster is not call.doer and not call.can("write"):
        return Answer(403)
    edit_text(call, issue)
    if call.body.get("state") is not None:
        if issue.pull is not None and issue.pull.merged_at is not None:
            raise RefusedError(412, "cannot change state of this pull request, it was already merged")
        call.forge.pulls.set_closed(call.repo, issue, call.doer, closed=call.body["state"] == "closed")
    return Answer(201, _shape(call, issue))


@routes.get(ISSUE + "/comments")
def comments(call: Call) -> Answer:
    """List every comment of one issue, oldest first. This list has no pages."""
    issue = call.issue()
    notes = _in_time(call, issue.comments)
    shown = [shapes.comment(call.forge.world, call.repo, issue, note) for note in notes]
    return Answer(200, shown, {"X-Total-Count": str(len(notes))})


@routes.post(ISSUE + "/comments", changes=True, required=("body",))
def create_comment(call: Call) -> Answer:
    issue = call.issue()
    if issue.is_locked and not call.can("write"):
        raise RefusedError(403, "This issue is locked. Only collaborators may comment.")
    note = Comment(call.forge.world.next_id("comment"), call.doer, call.body["body"])
    issue.comments.append(note)
    issue.updated = now()
    call.forge.announcer.comment(call.repo, issue, note, "created", call.doer)
    return Answer(201, shapes.comment(call.forge.world, call.repo, issue, note))


Reactions = list[tuple[str, User, datetime]]


def _add_reaction(call: Call, issue: Issue, reactions: Reactions) -> Answer:
    content = call.body["content"]
    if issue.is_locked and not call.can("write"):
        raise RefusedError(403, "change issue reaction: no permission")
    if content not in REACTIONS:
        raise RefusedError(403, f"'{content}' is not an allowed reaction")
    for entry in reactions:
        if entry[:2] == (content, call.doer):
            return Answer(200, shapes.reaction(call.forge.world, entry, call.doer))
    reactions.append((content, call.doer, now()))
    return Answer(201, shapes.reaction(call.forge.world, reactions[-1], call.doer))


def _drop_reaction(call: Call, reactions: Reactions) -> Answer:
    reactions[:] = [entry for entry in reactions if entry[:2] != (call.body["content"], call.doer)]
    return Answer(200)


def _list_reactions(call: Call, reactions: Reactions) -> Answer:
    return Answer(200, [shapes.reaction(call.forge.world, entry, call.caller.user) for entry in reactions])


@routes.get(COMMENT + "/reactions")
def comment_reactions(call: Call) -> Answer:
    return _list_reactions(call, _find_comment(call)[1].reactions)


@routes.post(COMMENT + "/reactions", changes=True, required=("content",))
def react_to_comment(call: Call) -> Answer:
    issue, note = _find_comment(call)
    return _add_reaction(call, issue, note.reactions)


@routes.delete(COMMENT + "/reactions", changes=True, required=("content",))
def unreact_to_comment(call: Call) -> Answer:
    return _drop_reaction(call, _find_comment(call)[1].reactions)


@routes.get(ISSUE + "/reactions")
def issue_reactions(call: Call) -> Answer:
    return _list_reactions(call, call.issue().reactions)


@routes.post(ISSUE + "/reactions", changes=True, required=("content",))
def react_to_issue(call: Call) -> Answer:
    return _add_reaction(call, call.issue(), call.issue().reactions)


@routes.delete(ISSUE + "/reactions", changes=True, required=("content",))
def unreact_to_issue(call: Call) -> Answer:
    return _drop_reaction(call, call.issue().reactions)


@routes.get("/repos/{owner}/{repo}/labels")
def labels(call: Call) -> Answer:
    found = sorted(call.repo.labels.values(), key=lambda item: item.name)
    return call.paged(found, lambda item: shapes.label(call.forge.world, call.repo, item))


@routes.post("/repos/{owner}/{repo}/labels", "write", changes=True, required=("name", "color"))
def create_label(call: Call) -> Answer:
    color = call.body["color"].lstrip("#").lower()
    if len(color) not in {3, 6} or not set(color) <= set("0123456789abcdef"):
        raise RefusedError(422, "bad color code")
    color = "".join(sign * 2 for sign in color) if len(color) == 3 else color
    label = Label(call.forge.world.next_id("label"), call.body["name"], color, call.body.get("description") or "")
    call.repo.labels[label.id] = label
    return Answer(201, shapes.label(call.forge.world, call.repo, label))


@routes.delete("/repos/{owner}/{repo}/labels/{id}", "write", changes=True)
def delete_label(call: Call) -> Answer:
    gone = call.repo.labels.pop(call.number("id"), None)
    for issue in call.repo.issues.values():
        issue.labels = [label for label in issue.labels if label is not gone]
    return Answer(204)


def _label_list(call: Call, issue: Issue) -> Answer:
    return Answer(200, [shapes.label(call.forge.world, call.repo, label) for label in issue.labels])


@routes.get(ISSUE + "/labels")
def issue_labels(call: Call) -> Answer:
    return _label_list(call, call.issue())


@routes.post(ISSUE + "/labels", changes=True)
def add_labels(call: Call) -> Answer:
    return _set_labels(call, keep=True)


@routes.put(ISSUE + "/labels", changes=True)
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


@routes.delete(ISSUE + "/labels/{id}", changes=True)
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
    if issue.pull is None:
        call.forge.announcer.issue(call.repo, issue, "label_updated", call.doer)
    else:
        call.forge.announcer.pull(call.repo, issue, "label_updated", call.doer, fine="pull_request_label")
