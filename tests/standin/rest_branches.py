"""REST: branches, their protection, tags and commits."""

from __future__ import annotations

import re
from typing import Any

from tests.standin import gitside, shapes
from tests.standin.access import can, writable_as_maintainer
from tests.standin.merging import latest_statuses, worst
from tests.standin.pushes import hook_environment, may_merge, may_push, protection_of
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.world import ZERO_SHA, Protection, Status, now

routes = Routes("repository")


def _branch(call: Call, name: str) -> dict[str, Any]:
    repo, doer = call.repo, call.caller.user
    rule = protection_of(repo, name)
    commit = gitside.log(repo.path, "-1", repo.tip(name))[0]
    options = rule.options if rule else shapes.PROTECTION_DEFAULTS
    if doer is None:
        push = merge = False
    else:
        merge = may_merge(rule, repo, doer)
        maintained = name in writable_as_maintainer(call.forge.world, repo, doer)
        push = may_push(rule, repo, doer) if rule else can(repo, doer, "write") or maintained
    return {
        "name": name,
        "commit": shapes.payload_commit(call.forge.world, repo, commit, with_files=False),
        "protected": rule is not None,
        "required_approvals": options["required_approvals"],
        "enable_status_check": options["enable_status_check"],
        "status_check_contexts": options["status_check_contexts"],
        "user_can_push": push,
        "user_can_merge": merge,
        "effective_branch_protection_name": rule.rule_name if rule and call.can("admin") else "",
    }


@routes.get("/repos/{owner}/{repo}/branches")
def branches(call: Call) -> Answer:
    return call.paged(list(call.repo.branches()), lambda name: _branch(call, name))


@routes.get("/repos/{owner}/{repo}/branches/{name:path}")
def branch(call: Call) -> Answer:
    name = call.path["name"]
    if not call.repo.tip(name):
        not_found(f"branch does not exist [name: {name}]")
    return Answer(200, _branch(call, name))


@routes.post("/repos/{owner}/{repo}/branches", "write", changes=True, required=("new_branch_name",))
def create_branch(call: Call) -> Answer:
    repo, name = call.repo, call.body["new_branch_name"]
    if repo.is_empty:
        raise RefusedError(404, "Git Repository is empty.")
    old = call.body.get("old_ref_name") or ""
    old_branch = call.body.get("old_branch_name") or repo.default_branch
    if not old and not repo.tip(old_branch):
        raise RefusedError(404, "The old branch does not exist")
    sha = gitside.resolve(repo.path, old or old_branch)
    if not sha:
        raise RefusedError(500, "")
    if repo.tip(name):
        raise RefusedError(409, "The branch already exists.")
    if f"refs/tags/{name}" in repo.refs:
        raise RefusedError(409, "The branch with the same tag already exists.")
    with gitside.workshop(repo) as shop:
        changes = shop.push(sha, name, hook_environment(call.forge.world, repo, call.doer))
    call.forge.pushes.received(repo, call.doer, changes)
    return Answer(201, _branch(call, name))


@routes.delete("/repos/{owner}/{repo}/branches/{name:path}", "write", changes=True)
def delete_branch(call: Call) -> Answer:
    repo, name = call.repo, call.path["name"]
    if repo.is_empty:
        raise RefusedError(404, "Git Repository is empty.")
    if name == repo.default_branch:
        raise RefusedError(403, "can not delete default branch")
    if protection_of(repo, name) is not None:
        raise RefusedError(403, "branch protected")
    if not repo.tip(name):
        raise RefusedError(500, "")
    change = gitside.Received(repo.tip(name), ZERO_SHA, f"refs/heads/{name}")
    gitside.run(repo.path, "update-ref", "-d", change.ref, change.before)
    call.forge.pushes.received(repo, call.doer, [change])
    return Answer(204)


PROTECTIONS = "/repos/{owner}/{repo}/branch_protections"


@routes.get(PROTECTIONS, "admin")
def protections(call: Call) -> Answer:
    return Answer(200, [shapes.protection(rule) for rule in call.repo.protections.values()])


@routes.post(PROTECTIONS, "admin", changes=True)
def create_protection(call: Call) -> Answer:
    name = call.body.get("rule_name") or call.body.get("branch_name")
    if not name:
        raise RefusedError(400, "both rule_name and branch_name are empty")
    if name in call.repo.protections:
        raise RefusedError(403, "Branch protection already exist")
    rule = call.repo.protections[name] = Protection(name, {**shapes.PROTECTION_DEFAULTS})
    _set_options(rule, call.body)
    return Answer(201, shapes.protection(rule))


@routes.get(PROTECTIONS + "/{name:path}", "admin")
def protection(call: Call) -> Answer:
    return Answer(200, shapes.protection(call.repo.protections.get(call.path["name"]) or not_found()))


@routes.patch(PROTECTIONS + "/{name:path}", "admin", changes=True)
def edit_protection(call: Call) -> Answer:
    rule = call.repo.protections.get(call.path["name"]) or not_found()
    _set_options(rule, call.body)
    return Answer(200, shapes.protection(rule))


@routes.delete(PROTECTIONS + "/{name:path}", "admin", changes=True)
def delete_protection(call: Call) -> Answer:
    if call.repo.protections.pop(call.path["name"], None) is None:
        not_found()
    return Answer(204)


def _set_options(rule: Protection, body: dict[str, Any]) -> None:
    for option in shapes.PROTECTION_DEFAULTS:
        if body.get(option) is not None:
            rule.options[option] = body[option]
    rule.updated = now()


@routes.get("/repos/{owner}/{repo}/tags")
def tags(call: Call) -> Answer:
    names = sorted(ref.removeprefix("refs/tags/") for ref in call.repo.refs if ref.startswith("refs/tags/"))

    def shape(name: str) -> dict[str, Any]:
        sha, page = (
            gitside.resolve(call.repo.path, f"refs/tags/{name}"),
            f"{call.forge.world.url}/{call.repo.full_name}",
        )
        return {
            "name": name,
            "message": "",
            "id": call.repo.refs[f"refs/tags/{name}"],
            "commit": shapes.commit_meta(call.forge.world, call.repo, sha),
            "zipball_url": f"{page}/archive/{name}.zip",
            "tarball_url": f"{page}/archive/{name}.tar.gz",
            "archive_download_count": {"zip": 0, "tar_gz": 0},
        }

    return call.paged(names, shape)


def _resolved(call: Call, name: str) -> str:
    return gitside.resolve(call.repo.path, name) or not_found(f"object does not exist [id: {name}, rel_path: ]")


@routes.get("/repos/{owner}/{repo}/commits")
def commits(call: Call) -> Answer:
    if call.repo.is_empty:
        raise RefusedError(409, "Git Repository is empty.")
    start = _resolved(call, call.query.get("sha") or call.repo.default_branch)
    limits = ["--", call.query["path"]] if call.query.get("path") else []
    found = gitside.log(call.repo.path, start, *limits)
    return call.paged(found, lambda item: shapes.commit(call.forge.world, call.repo, item))


@routes.get("/repos/{owner}/{repo}/git/commits/{sha}")
def commit(call: Call) -> Answer:
    if not re.fullmatch("[0-9a-f]{4,40}", call.path["sha"]):
        raise RefusedError(422, f"no valid ref or sha: {call.path['sha']}")
    found = gitside.log(call.repo.path, "-1", _resolved(call, call.path["sha"]))[0]
    return Answer(200, shapes.commit(call.forge.world, call.repo, found))


@routes.get("/repos/{owner}/{repo}/commits/{sha}/pull")
def pull_of_commit(call: Call) -> Answer:
    """Find the merged pull request whose merge made this commit."""
    for issue in call.repo.issues.values():
        if issue.pull is not None and issue.pull.merge_commit == call.path["sha"]:
            return Answer(200, call.forge.announcer.pull_shape(call.repo, issue, call.caller.user))
    return not_found()


def _status(call: Call, item: Status) -> dict[str, Any]:
    return shapes.status(call.forge.world, call.repo, item)


@routes.post("/repos/{owner}/{repo}/statuses/{sha}", "write", required=("state",))
def create_status(call: Call) -> Answer:
    sha = call.path["sha"]
    if not re.fullmatch("[0-9a-f]{40}", sha):
        raise RefusedError(500, "")
    if not gitside.succeeds(call.repo.path, "cat-file", "-e", f"{sha}^{{commit}}"):
        not_found()
    kept = call.repo.statuses.setdefault(sha, [])
    item = Status(
        id=len(kept) + 1,
        sha=sha,
        state=call.body["state"],
        context=call.body.get("context") or "default",
        description=call.body.get("description") or "",
        target_url=call.body.get("target_url") or "",
        creator=call.doer,
    )
    kept.append(item)
    return Answer(201, _status(call, item))


@routes.get("/repos/{owner}/{repo}/statuses/{ref:path}")
def statuses(call: Call) -> Answer:
    return _statuses(call)


@routes.get("/repos/{owner}/{repo}/commits/{ref}/statuses")
def statuses_of_ref(call: Call) -> Answer:
    return _statuses(call)


def _statuses(call: Call) -> Answer:
    sha = gitside.resolve(call.repo.path, call.path["ref"]) or call.path["ref"]
    newest_first = call.repo.statuses.get(sha, [])[::-1]
    return call.paged(newest_first, lambda item: _status(call, item), all_without_page=True)


@routes.get("/repos/{owner}/{repo}/commits/{ref}/status")
def combined_status(call: Call) -> Answer:
    sha = _resolved(call, call.path["ref"])
    found = latest_statuses(call.repo, sha)
    state = worst([item.state for item in found])
    empty = {
        "state": "",
        "sha": "",
        "total_count": 0,
        "statuses": None,
        "repository": None,
        "commit_url": "",
        "url": "",
    }
    if not found:
        return Answer(200, empty)
    shown = {
        "state": "failure" if state == "error" else state,
        "sha": sha,
        "total_count": len(found),
        "statuses": [_status(call, item) for item in found],
        "repository": shapes.repository(call.forge.world, call.repo, call.level),
    }
    return Answer(200, empty | shown, {"X-Total-Count": str(len(found))})
