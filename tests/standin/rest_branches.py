"""REST: branches, their protection, tags and commits."""

from __future__ import annotations

from typing import Any

from tests.standin import commit_shapes, gitside, shapes
from tests.standin.access import can, writable_as_maintainer
from tests.standin.pushes import hook_environment, may_merge, may_push, protection_of
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.world import ZERO_SHA, Protection, now

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
        "commit": commit_shapes.payload_commit(call.forge.world, repo, commit, with_files=False),
        "protected": rule is not None,
        "required_approvals": options["required_approvals"],
        "enable_status_check": options["enable_status_check"],
        "status_check_contexts": options["status_check_contexts"] or ([] if rule is None else None),
        "user_can_push": push,
        "user_can_merge": merge,
        "effective_branch_protection_name": rule.rule_name if rule and call.is_admin else "",
    }


@routes.get("/repos/{owner}/{repo}/branches")
def branches(call: Call) -> Answer:
    if call.repo.is_empty:
        return Answer(200, None, {"X-Total-Count": "0"})
    # The newest commit first, and by name where that is the same.
    order = ["--sort=refname", "--sort=-committerdate", "--format=%(refname:strip=2)"]
    names = gitside.text(call.repo.path, "for-each-ref", *order, "refs/heads").splitlines()
    return call.paged(names, lambda name: _branch(call, name))


@routes.get("/repos/{owner}/{repo}/branches/{name:path}")
def branch(call: Call) -> Answer:
    name = call.path["name"]
    if not call.repo.tip(name):
        not_found(f"branch does not exist [name: {name}]")
    return Answer(200, _branch(call, name))


@routes.post("/repos/{owner}/{repo}/branches", "write", changes=True, required=("new_branch_name",))
def create_branch(call: Call) -> Answer:
    repo, name = call.repo, call.body["new_branch_name"]
    if not gitside.succeeds(repo.path, "check-ref-format", "--branch", name):
        raise RefusedError(422, "[BranchName]: GitRefName")
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
    if any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in repo.branches()):
        raise RefusedError(409, "The branch with the same name already exists.")
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
