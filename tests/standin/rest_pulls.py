"""REST: pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.standin import gitside, issue_shapes, shapes
from tests.standin.merging import STYLES, NotMergedError
from tests.standin.pulls import already_exists, cut_title
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.rest_commits import paged_commits
from tests.standin.world import ACTIONS, ZERO_SHA, now

if TYPE_CHECKING:
    from tests.standin.world import Issue, Pull, Repository

routes = Routes("repository", not_when_empty=True)
PULLS = "/repos/{owner}/{repo}/pulls"
PULL = PULLS + "/{index}"


def _shape(call: Call, issue: Issue) -> dict[str, Any]:
    return call.forge.announcer.pull_shape(call.repo, issue, call.caller.user)


@routes.get(PULLS)
def pulls(call: Call) -> Answer:
    """List pull requests. Without `state` all of them come, although the documentation says the open ones."""
    state, sort = call.query.get("state", ""), call.query.get("sort", "")
    found = [issue for issue in call.repo.issues.values() if issue.pull is not None]
    if state in {"open", "closed"}:
        found = [issue for issue in found if issue.is_closed == (state == "closed")]
    if poster := call.query.get("poster"):
        if call.forge.world.user(poster) is None:
            raise RefusedError(400, f"user does not exist [uid: 0, name: {poster}]")
        found = [issue for issue in found if issue.poster.name.lower() == poster.lower()]
    if sort in {"recentupdate", "leastupdate"}:
        found.sort(key=lambda issue: (issue.updated, issue.number), reverse=sort == "recentupdate")
    else:
        found.sort(key=lambda issue: issue.number, reverse=sort != "oldest")
    return call.paged(found, lambda issue: _shape(call, issue))


@routes.post(PULLS, changes=True, required=("head", "base", "title"))
def create(call: Call) -> Answer:
    body, repo = call.body, call.repo
    if repo.private and call.doer is ACTIONS:
        # CreatePullRequest asks for the rights of the account anew, without those of the job.
        not_found("Can't read pulls or can't read UnitTypeCode")
    if body["head"] == body["base"]:
        raise RefusedError(422, "Invalid PullRequest: There are no changes between the head and the base")
    head, head_branch = _head(call, body["head"])
    for repository, branch in ((repo, body["base"]), (head, head_branch)):
        if not gitside.resolve(repository.path, branch):
            words = (
                f"could not find '{branch}' to be a commit, branch or tag in the {{}} repository {repository.full_name}"
            )
            not_found(words.format("base" if repository is repo and branch == body["base"] else "head"))
    if (existing := call.forge.pulls.same_targets(repo, body["base"], head, head_branch)) is not None:
        raise RefusedError(409, already_exists(repo, head, existing))
    issue = call.forge.pulls.open(
        repo, body["base"], head, head_branch, call.doer, body["title"], body.get("body") or ""
    )
    issue.labels = [repo.labels[key] for key in body.get("labels") or [] if key in repo.labels]
    return Answer(201, _shape(call, issue))


def _head(call: Call, text: str) -> tuple[Repository, str]:
    owner, colon, branch = text.rpartition(":")
    if colon and call.forge.world.user(owner) is None:
        not_found(f"the owner {owner} does not exist")
    if not colon or owner.lower() == call.repo.owner.name.lower():
        return call.repo, branch
    for repository in call.forge.world.repositories.values():
        if repository.parent is call.repo and repository.owner.name.lower() == owner.lower():
            if not call.caller.can(repository, "read"):
                raise RefusedError(404, "Can't read headRepo UnitTypeCode", [])
            return repository, branch
    base = call.repo.full_name
    return not_found(f"{owner} does not have a fork of {base} and {base} is not a fork of a repository from {owner}")


@routes.get(PULLS + "/{base}/{head:path}")
def by_branches(call: Call) -> Answer:
    """Find a pull request by its branches, in whatever state it is."""
    for issue in call.repo.issues.values():
        pull = issue.pull
        if pull is not None and (pull.base_branch, pull.head_branch) == (call.path["base"], call.path["head"]):
            return Answer(200, _shape(call, issue))
    return not_found()


@routes.get(PULL + ".diff")
def diff(call: Call) -> Answer:
    issue, pull = call.pull()
    return Answer(
        200, gitside.run(call.repo.path, "diff", pull.merge_base, issue_shapes.head_sha(call.repo, issue, pull))
    )


@routes.get(PULL + ".patch")
def patch(call: Call) -> Answer:
    issue, pull = call.pull()
    selection = f"{pull.merge_base}..{issue_shapes.head_sha(call.repo, issue, pull)}"
    return Answer(200, gitside.run(call.repo.path, "format-patch", "--stdout", selection))


@routes.get(PULL)
def get(call: Call) -> Answer:
    issue, _ = call.pull()
    return Answer(200, _shape(call, issue))


@routes.patch(PULL)
def edit(call: Call) -> Answer:
    """Change a pull request. The forge answers 201 here, not 200."""
    issue, pull = call.pull()
    if issue.poster is not call.doer and not call.can("write"):
        return Answer(403)
    edit_text(call, issue)
    if call.body.get("labels") is not None and call.can("write"):
        issue.labels = [call.repo.labels[key] for key in call.body["labels"] if key in call.repo.labels]
        call.forge.announcer.pull(call.repo, issue, "label_updated", call.doer, fine="pull_request_label")
    if call.body.get("state") is not None:
        if pull.merged_at is not None:
            raise RefusedError(412, "cannot change state of this pull request, it was already merged")
        call.forge.pulls.set_closed(call.repo, issue, call.doer, closed=call.body["state"] == "closed")
    if call.body.get("base") and pull.merged_at is None and call.body["base"] != pull.base_branch:
        _retarget(call, issue, pull, call.body["base"])
    if call.body.get("allow_maintainer_edit") is not None:
        if issue.poster is not call.doer:
            raise RefusedError(403, "SetAllowEdits: user not allowed to do this action")
        pull.allow_maintainer_edit = bool(call.body["allow_maintainer_edit"])
    return Answer(201, _shape(call, issue))


def edit_text(call: Call, issue: Issue) -> None:
    """Change title and body of an issue or pull request, each with an event of its own."""
    announce = call.forge.announcer.issue if issue.pull is None else call.forge.announcer.pull
    title, body = call.body.get("title"), call.body.get("body")
    for name, new in (("title", cut_title(title) if title else None), ("body", body)):
        old = getattr(issue, name)
        if new is None or old == new:
            continue
        setattr(issue, name, new)
        issue.updated = now()
        announce(call.repo, issue, "edited", call.doer, changes={name: {"from": old}})


def _retarget(call: Call, issue: Issue, pull: Pull, base: str) -> None:
    if not call.repo.tip(base):
        raise RefusedError(404, f"new base '{base}' not exist")
    if issue.is_closed:
        raise RefusedError(422, f"issue is closed [id: {issue.id}, repo_id: {call.repo.id}, index: {issue.number}]")
    head = pull.head_repository
    if head is not None and (other := call.forge.pulls.same_targets(call.repo, base, head, pull.head_branch)):
        raise RefusedError(409, already_exists(call.repo, head, other))
    call.forge.pulls.retarget(call.repo, issue, call.doer, base)


def _span(call: Call) -> tuple[str, str]:
    issue, pull = call.pull()
    head = issue_shapes.head_sha(call.repo, issue, pull)
    if pull.merged_at is not None:
        return pull.merge_base, head
    return gitside.merge_base(call.repo.path, call.repo.tip(pull.base_branch), head) or pull.merge_base, head


@routes.get(PULL + "/commits")
def commits(call: Call) -> Answer:
    start, head = _span(call)
    return paged_commits(call, gitside.log(call.repo.path, head, f"^{start}"))


@routes.get(PULL + "/files")
def files(call: Call) -> Answer:
    start, head = _span(call)
    found = _changed_files(call, start, head)
    page = call.paged(found, lambda item: item)
    return Answer(200, page.value, page.headers | call.page_headers(len(found)))


def _changed_files(call: Call, start: str, head: str) -> list[dict[str, Any]]:
    path = call.repo.path
    states = gitside.run(path, "diff", "-z", "--name-status", "-M", start, head).decode().split("\0")
    page, found = f"{call.forge.world.url}/{call.repo.full_name}", []
    names = {"A": "added", "D": "deleted", "M": "changed", "R": "renamed", "T": "changed", "C": "copied"}
    while states and states[0]:
        letter, old = states.pop(0)[0], states.pop(0)
        new = states.pop(0) if letter in "RC" else old
        numbers = gitside.text(path, "diff", "--numstat", "-M", start, head, "--", old, new).splitlines()
        plus, minus = numbers[0].split("\t")[:2] if numbers else ("0", "0")
        added, removed = (int(value) if value != "-" else 0 for value in (plus, minus))
        entry: dict[str, Any] = {"filename": new}
        if new != old:
            entry["previous_filename"] = old
        entry |= {
            "status": names[letter],
            "additions": added,
            "deletions": removed,
            "changes": added + removed,
            "html_url": f"{page}/src/commit/{head}/{shapes.escaped(new)}",
            "contents_url": f"{call.forge.world.url}/api/v1/repos/{call.repo.full_name}/contents/{new}?ref={head}",
            "raw_url": f"{page}/raw/commit/{head}/{shapes.escaped(new)}",
        }
        found.append(entry)
    return found


@routes.get(PULL + "/merge")
def is_merged(call: Call) -> Answer:
    _, pull = call.pull()
    return Answer(204) if pull.merged_at is not None else not_found()


@routes.post(PULL + "/merge", changes=True, required=("Do",))
def merge(call: Call) -> Answer:
    if call.body["Do"] not in (*STYLES, "manually-merged"):
        raise RefusedError(422, "[Do]: In")
    issue, pull = call.pull()
    title, more = call.body.get("MergeTitleField") or "", call.body.get("MergeMessageField") or ""
    message = "\n\n".join(part.strip() for part in (title, more) if part.strip())
    merger = call.forge.merger
    try:
        merger.refuse_unless_mergeable(call.repo, issue, call.doer, force=bool(call.body.get("force_merge")))
        merger.merge(call.repo, issue, call.doer, call.body["Do"], message, call.body.get("head_commit_id") or "")
    except NotMergedError as error:
        errors: list[str] | None = [] if error.status == 404 else None
        raise RefusedError(error.status, error.message, errors) from error
    if call.body.get("delete_branch_after_merge") and pull.head_repository is not None:
        _delete_head_branch(call, pull.head_repository, pull.head_branch)
    return Answer(200)


def _delete_head_branch(call: Call, head: Repository, branch: str) -> None:
    if not head.tip(branch) or branch == head.default_branch or not call.caller.can(head, "write"):
        return
    change = gitside.Received(head.tip(branch), ZERO_SHA, f"refs/heads/{branch}")
    gitside.run(head.path, "update-ref", "-d", change.ref)
    call.forge.pushes.received(head, call.doer, [change])


@routes.post(PULL + "/update")
def update(call: Call) -> Answer:
    issue, pull = call.pull()
    if pull.head_repository is None or not call.caller.can(pull.head_repository, "write"):
        raise RefusedError(403, "")
    try:
        call.forge.merger.update(call.repo, issue, call.doer, call.query.get("style") or "merge")
    except NotMergedError as error:
        raise RefusedError(error.status, error.message) from error
    return Answer(200)
