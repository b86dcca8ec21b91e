"""REST: issues, comments, reactions and labels (of pull requests as well)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.standin import issue_shapes
from tests.standin.pulls import cut_title
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.rest_pulls import edit_text
from tests.standin.world import Comment, Issue, now

if TYPE_CHECKING:
    from collections.abc import Iterable

routes = Routes("issue")
ISSUES = "/repos/{owner}/{repo}/issues"
ISSUE = ISSUES + "/{index}"
COMMENT = ISSUES + "/comments/{id}"


def _shape(call: Call, issue: Issue) -> dict[str, Any]:
    return issue_shapes.issue(call.forge.world, call.repo, issue, call.caller.user)


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


@routes.get("/repos/issues/search")
def search(call: Call) -> Answer:
    """Search the issues and pull requests of an owner's repositories; without `owner`, of all that may be read."""
    state, owner, since = call.query.get("state") or "open", call.query.get("owner", ""), _time(call.query.get("since"))
    world = call.forge.world
    if owner and world.user(owner) is None:
        raise RefusedError(400, "Owner not found")
    found = [
        (repo, issue)
        for repo in world.repositories.values()
        if call.caller.can(repo, "read") and owner.lower() in ("", repo.owner.name.lower())
        for issue in repo.issues.values()
        # Times are compared as they are told, without fractions of a second.
        if since is None or issue.updated.replace(microsecond=0) >= since
        if state == "all" or issue.is_closed == (state == "closed")
    ]
    found.sort(key=lambda pair: (pair[1].created.replace(microsecond=0), pair[1].id), reverse=True)
    return call.paged(found, lambda pair: issue_shapes.issue(world, pair[0], pair[1], call.caller.user))


# The two fixed words come before `{index}`, or they would be taken for one.
@routes.get(ISSUES + "/comments")
def all_comments(call: Call) -> Answer:
    """List the comments of all issues and pull requests, oldest first, in pages."""
    pairs = [(issue, note) for issue in call.repo.issues.values() for note in issue.comments]
    kept = {note.id for note in _in_time(call, (note for _, note in pairs))}
    found = sorted((pair for pair in pairs if pair[1].id in kept), key=lambda pair: (pair[1].created, pair[1].id))
    shape = issue_shapes.comment
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
        form = "2006-01-02T15:04:05Z07:00"
        raise RefusedError(422, f'parsing time "{text}" as "{form}": cannot parse "{text}" as "2006"') from error


def find_comment(call: Call) -> tuple[Issue, Comment]:
    wanted = call.number("id")
    for issue in call.repo.issues.values():
        for note in issue.comments:
            if note.id == wanted:
                return issue, note
    return not_found(f"comment does not exist [id: {wanted}, issue_id: 0]")


@routes.get(COMMENT)
def comment(call: Call) -> Answer:
    return Answer(200, issue_shapes.comment(call.forge.world, call.repo, *find_comment(call)))


@routes.patch(COMMENT, changes=True, required=("body",))
def edit_comment(call: Call) -> Answer:
    issue, note = find_comment(call)
    if note.poster is not call.doer and not call.can("write"):
        return Answer(403)
    # The very same text is an edit too, with an event of its own.
    old, note.body = note.body, call.body["body"]
    note.updated = now()
    call.forge.announcer.comment(call.repo, issue, note, "edited", call.doer, old_body=old)
    return Answer(200, issue_shapes.comment(call.forge.world, call.repo, issue, note))


@routes.delete(COMMENT)
def delete_comment(call: Call) -> Answer:
    issue, note = find_comment(call)
    if note.poster is not call.doer and not call.can("write"):
        return Answer(403)
    # The event still counts the comment that is gone.
    call.forge.announcer.comment(call.repo, issue, note, "deleted", call.doer)
    issue.comments.remove(note)
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
    issue = _commented(call)
    notes = _in_time(call, issue.comments)
    shown = [issue_shapes.comment(call.forge.world, call.repo, issue, note) for note in notes]
    return Answer(200, shown, {"X-Total-Count": str(len(notes))})


@routes.post(ISSUE + "/comments", changes=True, required=("body",))
def create_comment(call: Call) -> Answer:
    issue = _commented(call)
    if issue.is_locked and not call.can("write"):
        raise RefusedError(403, "This issue is locked. Only collaborators may comment.")
    call.refuse_the_blocked(issue.poster)
    note = Comment(call.forge.world.next_id("comment"), call.doer, call.body["body"])
    issue.updated = now()
    # The event does not count the new comment yet.
    call.forge.announcer.comment(call.repo, issue, note, "created", call.doer)
    issue.comments.append(note)
    return Answer(201, issue_shapes.comment(call.forge.world, call.repo, issue, note))


def _commented(call: Call) -> Issue:
    found = call.repo.issues.get(call.number("index"))
    if found is None:
        words = f"issue does not exist [id: 0, repo_id: {call.repo.id}, index: {call.path['index']}]"
        raise RefusedError(404, "IsErrIssueNotExist", [words])
    return found
