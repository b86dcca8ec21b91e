"""REST: repositories, forks, collaborators, topics, and the hooks that a site administrator writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.standin import shapes
from tests.standin.access import RANK, access
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.rest_accounts import find_user
from tests.standin.world import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.standin.world import Access, Repository, User

routes = Routes("repository")
GIT_HOOKS = ("pre-receive", "update", "post-receive")


def shown(call: Call, repository: Repository) -> dict[str, Any]:
    level, anonymous = call.caller.access(repository), call.caller.user is None
    return shapes.repository(call.forge.world, repository, level, anonymous=anonymous)


@routes.post("/user/repos", scopes=("user",), and_scope="repository", required=("name",))
def create(call: Call) -> Answer:
    return _create(call, call.doer)


@routes.post("/orgs/{username}/repos", scopes=("organization", "repository"), required=("name",))
def create_in_organization(call: Call) -> Answer:
    organization = find_user(call)
    if call.doer.id not in organization.members and not call.doer.is_admin:
        raise RefusedError(403, "Given user is not allowed to create repository in organization.")
    return _create(call, organization)


@routes.post("/admin/users/{username}/repos", "site-admin", scopes=("admin",), required=("name",))
def create_for(call: Call) -> Answer:
    return _create(call, find_user(call))


def _create(call: Call, owner: User) -> Answer:
    name = call.body["name"]
    if call.forge.world.repository(owner.name, name) is not None:
        raise RefusedError(409, "The repository with the same name already exists.")
    private, branch = bool(call.body.get("private")), call.body.get("default_branch") or "main"
    repository = call.forge.add_repository(owner, name, private=private, branch=branch)
    repository.description = call.body.get("description", "")
    return Answer(201, shown(call, repository))


@routes.get("/repos/search")
def search(call: Call) -> Answer:
    """Search what the caller can read; `uid` and `exclusive` narrow it to an owner, `topic` makes `q` a topic."""
    words, query = call.query.get("q", "").lower(), call.query
    owner = int(query["uid"]) if query.get("uid", "").isdecimal() else 0
    found = []
    for repository in call.forge.world.repositories.values():
        if not call.caller.can(repository, "read"):
            continue
        if owner and query.get("exclusive") == "true" and repository.owner.id != owner:
            continue
        if owner and not _concerns(repository, owner):
            continue
        if query.get("archived") and (query["archived"] == "true") != repository.archived:
            continue
        in_topics = query.get("topic") == "true" and words in repository.topics
        if words and not in_topics and (query.get("topic") == "true" or words not in repository.name.lower()):
            continue
        found.append(repository)
    page = call.paged(_sorted(found, query), lambda item: shown(call, item))
    return Answer(200, {"ok": True, "data": page.value}, page.headers)


def _sorted(found: list[Repository], query: dict[str, str]) -> list[Repository]:
    """Sort as Forgejo's database does, by whole seconds; it promises nothing about those of one second."""
    keys: dict[str, Callable[[Repository], Any]] = {
        "": lambda item: item.name,
        "alpha": lambda item: (item.owner.name, item.name),
        "created": lambda item: item.created.replace(microsecond=0),
        "updated": lambda item: item.updated.replace(microsecond=0),
        "id": lambda item: item.id,
    }
    key, order = query.get("sort", ""), query.get("order") or "asc"
    if key and order not in ("asc", "desc"):
        raise RefusedError(422, f'Invalid sort order: "{order}"')
    if key not in keys:
        raise RefusedError(422, f'Invalid sort mode: "{key}"')
    return sorted(found, key=keys[key], reverse=bool(key) and order == "desc")


def _concerns(repository: Repository, user_id: int) -> bool:
    return repository.owner.id == user_id or user_id in repository.owner.members or user_id in repository.collaborators


@routes.get("/user/repos", "token", scopes=("user",), and_scope="repository")
def mine(call: Call) -> Answer:
    """List what the caller owns, works in, or reaches through an organization (not all that is public)."""
    found = [repo for repo in call.forge.world.repositories.values() if _concerns(repo, call.doer.id)]
    return call.paged(sorted(found, key=lambda item: item.id), lambda item: shown(call, item))


@routes.get("/users/{username}/repos")
def of_user(call: Call) -> Answer:
    return _owned(call)


@routes.get("/orgs/{username}/repos", scopes=("organization",))
def of_organization(call: Call) -> Answer:
    return _owned(call)


def _owned(call: Call) -> Answer:
    owner = find_user(call)
    repositories = call.forge.world.repositories.values()
    found = [repo for repo in repositories if repo.owner is owner and call.caller.can(repo, "read")]
    return call.paged(found, lambda item: shown(call, item))


@routes.get("/repos/{owner}/{repo}")
def get(call: Call) -> Answer:
    return Answer(200, shown(call, call.repo))


@routes.get("/repositories/{id}", "token")
def get_by_id(call: Call) -> Answer:
    repository = call.forge.world.repositories.get(call.number("id"))
    if repository is None or not call.caller.can(repository, "read"):
        not_found()
    return Answer(200, shown(call, repository))


@routes.patch("/repos/{owner}/{repo}", "admin")
def edit(call: Call) -> Answer:
    repo, wanted = call.repo, call.body
    if wanted.get("default_branch"):
        if not repo.tip(wanted["default_branch"]):
            raise RefusedError(422, f"branch does not exist [name: {wanted['default_branch']}]")
        repo.default_branch = wanted["default_branch"]
    for name in ("private", "description"):
        if wanted.get(name) is not None:
            setattr(repo, name, wanted[name])
    if wanted.get("has_pull_requests") is not None:
        repo.has_pulls = wanted["has_pull_requests"]
    if wanted.get("name"):
        _move(call, repo.owner, wanted["name"])
    if wanted.get("archived") is not None and wanted["archived"] != repo.archived:
        repo.archived_at = now() if wanted["archived"] else None
    repo.updated = now()
    return Answer(200, shown(call, repo))


@routes.post("/repos/{owner}/{repo}/transfer", "admin", required=("new_owner",))
def transfer(call: Call) -> Answer:
    """Give a repository to somebody else, at once: the forge asks a new owner whom the caller does not administer."""
    owner = call.forge.world.user(call.body["new_owner"])
    if owner is None:
        not_found("The new owner does not exist or cannot be found")
    _move(call, owner, call.repo.name)
    call.repo.updated = now()
    return Answer(202, shown(call, call.repo))


def _move(call: Call, owner: User, name: str) -> None:
    """Give a repository another name; the forge goes on answering to the former one, which is left out here."""
    if call.forge.world.repository(owner.name, name) not in (None, call.repo):
        raise RefusedError(422, f"repository already exists [name: {name}]")
    call.repo.owner, call.repo.name = owner, name


@routes.delete("/repos/{owner}/{repo}", scopes=("user", "organization"))
def delete(call: Call) -> Answer:
    if not call.can("owner"):
        raise RefusedError(403, "user should be the owner of the repo")
    call.forge.remove_repository(call.repo, call.doer)
    return Answer(204)


@routes.get("/repos/{owner}/{repo}/forks")
def forks(call: Call) -> Answer:
    found = [repo for repo in call.forge.world.repositories.values() if repo.parent is call.repo]
    return call.paged([repo for repo in found if call.caller.can(repo, "read")], lambda item: shown(call, item))


@routes.post("/repos/{owner}/{repo}/forks")
def fork(call: Call) -> Answer:
    name, owner = call.body.get("name") or call.repo.name, call.doer
    world = call.forge.world
    if any(repo.parent is call.repo and repo.owner is owner for repo in world.repositories.values()):
        where = f"repo path: {call.repo.full_name}, fork path: {owner.name}/{name}"
        raise RefusedError(409, f"repository is already forked by user [uname: {owner.name}, {where}]")
    if world.repository(owner.name, name) is not None:
        raise RefusedError(409, f"repository already exists [uname: {owner.name}, name: {name}]")
    return Answer(202, shown(call, call.forge.add_repository(owner, name, source=call.repo)))


@routes.get("/repos/{owner}/{repo}/topics")
def topics(call: Call) -> Answer:
    return Answer(200, {"topics": list(call.repo.topics)}, {"X-Total-Count": str(len(call.repo.topics))})


@routes.put("/repos/{owner}/{repo}/topics", "admin")
def set_topics(call: Call) -> Answer:
    call.repo.topics = sorted({topic.lower() for topic in call.body.get("topics", [])})
    call.repo.updated = now()
    return Answer(204)


@routes.get("/repos/{owner}/{repo}/collaborators", "token")
def collaborators(call: Call) -> Answer:
    world = call.forge.world
    return call.paged(sorted(call.repo.collaborators), lambda key: shapes.user(world, world.users[key], call.doer))


@routes.get("/repos/{owner}/{repo}/collaborators/{username}", "token")
def is_collaborator(call: Call) -> Answer:
    user = call.forge.world.user(call.path["username"])
    if user is None:
        raise RefusedError(422, f"user does not exist [uid: 0, name: {call.path['username']}]")
    return Answer(204) if user.id in call.repo.collaborators else not_found()


@routes.put("/repos/{owner}/{repo}/collaborators/{username}", "admin")
def add_collaborator(call: Call) -> Answer:
    user = call.forge.world.user(call.path["username"])
    if user is None:
        raise RefusedError(422, f"user does not exist [uid: 0, name: {call.path['username']}]")
    levels: dict[str, Access] = {"read": "read", "admin": "admin"}
    call.repo.collaborators[user.id] = levels.get(call.body.get("permission", ""), "write")
    return Answer(204)


@routes.delete("/repos/{owner}/{repo}/collaborators/{username}", "admin")
def remove_collaborator(call: Call) -> Answer:
    user = call.forge.world.user(call.path["username"])
    if user is None:
        raise RefusedError(422, f"user does not exist [uid: 0, name: {call.path['username']}]")
    call.repo.collaborators.pop(user.id, None)
    return Answer(204)


@routes.get("/repos/{owner}/{repo}/collaborators/{username}/permission", "token")
def permission(call: Call) -> Answer:
    user = call.forge.world.user(call.path["username"])
    if user is None:
        raise RefusedError(404, f"user does not exist [uid: 0, name: {call.path['username']}]")
    if user is not call.doer and not call.is_admin:
        words = "Only admins can query all permissions, repo admins can query all repo permissions, "
        raise RefusedError(403, words + "collaborators can query only their own")
    level = access(call.repo, user)
    if user.id in call.repo.team_members and RANK[level] < RANK["write"]:
        level = "write"  # the level says nothing about the code
    shape = shapes.user(call.forge.world, user, call.doer)
    return Answer(200, {"permission": level, "role_name": level, "user": shape})


def _git_hook_file(call: Call, name: str) -> Path:
    if not call.doer.is_admin:
        raise RefusedError(403, "must be allowed to edit Git hooks")
    if name not in GIT_HOOKS:
        not_found()
    return call.repo.path / "hooks" / f"{name}.d" / name


def _git_hook(call: Call, name: str) -> dict[str, Any]:
    file = _git_hook_file(call, name)
    if not file.exists():
        return {"name": name, "is_active": False}
    return {"name": name, "is_active": True, "content": file.read_text()}


@routes.get("/repos/{owner}/{repo}/hooks/git", "admin")
def git_hooks(call: Call) -> Answer:
    return Answer(200, [_git_hook(call, name) for name in GIT_HOOKS])


@routes.get("/repos/{owner}/{repo}/hooks/git/{id}", "admin")
def git_hook(call: Call) -> Answer:
    return Answer(200, _git_hook(call, call.path["id"]))


@routes.patch("/repos/{owner}/{repo}/hooks/git/{id}", "admin")
def edit_git_hook(call: Call) -> Answer:
    file = _git_hook_file(call, call.path["id"])
    if not (call.body.get("content") or "").strip():
        file.unlink(missing_ok=True)
        return Answer(200, _git_hook(call, call.path["id"]))
    file.parent.mkdir(exist_ok=True)
    # The forge stores scripts with Unix line ends, whatever the editor sent.
    file.write_text(call.body["content"].replace("\r", ""))
    file.chmod(0o755)
    return Answer(200, _git_hook(call, call.path["id"]))


@routes.delete("/repos/{owner}/{repo}/hooks/git/{id}", "admin")
def delete_git_hook(call: Call) -> Answer:
    _git_hook_file(call, call.path["id"]).unlink(missing_ok=True)
    return Answer(204)
