"""REST: webhooks of repositories, owners and the whole system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.standin import commit_shapes, gitside, shapes
from tests.standin.deliveries import chosen_events, go_json
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.rest_accounts import find_user
from tests.standin.world import Hook, now

if TYPE_CHECKING:
    from collections.abc import Callable

routes = Routes("repository")
KINDS = ("forgejo", "gitea", "gogs")


def _hooks_of_repository(call: Call) -> dict[int, Hook]:
    return call.repo.hooks


def _hooks_of_caller(call: Call) -> dict[int, Hook]:
    return call.forge.world.owner_hooks.setdefault(call.doer.id, {})


def _hooks_of_organization(call: Call) -> dict[int, Hook]:
    organization = find_user(call)
    if call.doer.id not in organization.members and not call.doer.is_admin:
        raise RefusedError(403, "Must be an organization owner")
    return call.forge.world.owner_hooks.setdefault(organization.id, {})


def _hooks_of_system(call: Call) -> dict[int, Hook]:
    return call.forge.world.owner_hooks.setdefault(0, {})


def _serve(path: str, role: str, scopes: tuple[str, ...], store: Callable[[Call], dict[int, Hook]]) -> None:
    """Make the five routes of one place that has webhooks."""

    @routes.get(path, role, scopes=scopes)
    def listing(call: Call) -> Answer:
        return call.paged(list(store(call).values()), shapes.hook, all_without_page=True)

    @routes.post(path, role, scopes=scopes, required=("type", "config"))
    def create(call: Call) -> Answer:
        hook = _new(call)
        store(call)[hook.id] = hook
        return Answer(201, shapes.hook(hook))

    @routes.get(path + "/{id}", role, scopes=scopes)
    def get(call: Call) -> Answer:
        return Answer(200, shapes.hook(store(call).get(call.number("id")) or not_found()))

    @routes.patch(path + "/{id}", role, scopes=scopes)
    def edit(call: Call) -> Answer:
        hook = store(call).get(call.number("id")) or not_found()
        _change(hook, call.body)
        return Answer(200, shapes.hook(hook))

    @routes.delete(path + "/{id}", role, scopes=scopes)
    def delete(call: Call) -> Answer:
        if store(call).pop(call.number("id"), None) is None:
            not_found()
        return Answer(204)


def _new(call: Call) -> Hook:
    """Make a hook from the body. It starts inactive unless the body says otherwise."""
    body, config = call.body, call.body["config"]
    if body["type"] not in KINDS:
        raise RefusedError(422, f"Invalid hook type: {body['type']}")
    for name in ("url", "content_type"):
        if name not in config:
            raise RefusedError(422, f"Missing config option: {name}")
    _check_config(config)
    return Hook(
        id=call.forge.world.next_id("hook"),
        url=config["url"],
        content_type=config["content_type"],
        secret=config.get("secret", ""),
        kind=body["type"],
        events=chosen_events(body.get("events") or []),
        branch_filter=body.get("branch_filter") or "",
        authorization_header=body.get("authorization_header") or "",
        active=bool(body.get("active")),
    )


def _check_config(config: dict[str, Any]) -> None:
    if config.get("content_type", "json") not in {"json", "form"}:
        raise RefusedError(422, "Invalid content type")
    parts = urlsplit(config.get("url", "http://localhost"))
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise RefusedError(422, "Invalid url")


def _change(hook: Hook, body: dict[str, Any]) -> None:
    """Edit a hook the way Forgejo does: events and filter that the body leaves out are reset, the secret stays."""
    config = body.get("config") or {}
    _check_config(config)
    hook.url = config.get("url", hook.url)
    hook.content_type = config.get("content_type", hook.content_type)
    hook.events = chosen_events(body.get("events") or [])
    hook.branch_filter = body.get("branch_filter") or ""
    hook.authorization_header = body.get("authorization_header") or hook.authorization_header
    if body.get("active") is not None:
        hook.active = bool(body["active"])
    hook.updated = now()


@routes.post("/repos/{owner}/{repo}/hooks/{id}/tests", "admin")
def test_hook(call: Call) -> Answer:
    """Send a made-up push of the default branch, whatever events the hook wants."""
    repo, world = call.repo, call.forge.world
    hook = repo.hooks.get(call.number("id")) or not_found()
    if repo.is_empty:
        not_found()
    head = gitside.log(repo.path, "-1", repo.tip(repo.default_branch))[0]
    shown = commit_shapes.payload_commit(world, repo, head, with_files=False)
    payload = {
        "ref": call.query.get("ref") or f"refs/heads/{repo.default_branch}",
        "before": head.sha,
        "after": head.sha,
        "compare_url": f"{world.url}/{repo.full_name}/compare/{head.sha}...{head.sha}",
        "commits": [shown],
        "total_commits": 1,
        "head_commit": shown,
        "repository": shapes.repository(world, repo, "none"),
        "pusher": shapes.user(world, call.doer),
        "sender": shapes.user(world, call.doer),
    }
    call.forge.postman.send(repo, hook, "push", go_json(payload, indent=2))
    return Answer(204)


_serve("/repos/{owner}/{repo}/hooks", "admin", ("repository",), _hooks_of_repository)
_serve("/user/hooks", "token", ("user",), _hooks_of_caller)
_serve("/orgs/{username}/hooks", "token", ("organization",), _hooks_of_organization)
_serve("/admin/hooks", "site-admin", ("admin",), _hooks_of_system)
