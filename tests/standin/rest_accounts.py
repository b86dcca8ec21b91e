"""REST: the server itself, users, tokens and organizations."""

from __future__ import annotations

from tests.standin import shapes
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found
from tests.standin.world import Repository, Token, User

routes = Routes("user")
NARROW = {"read:issue", "write:issue", "read:repository", "write:repository"}
"""What a token for named repositories may hold."""


@routes.get("/version", scopes=())
def version(call: Call) -> Answer:
    return Answer(200, {"version": call.forge.world.version})


@routes.get("/settings/api", scopes=())
def settings(_: Call) -> Answer:
    limits = {
        "max_response_items": 50,
        "default_paging_num": 30,
        "default_git_trees_per_page": 1000,
        "default_max_blob_size": 10485760,
    }
    return Answer(200, limits)


@routes.get("/user", "token")
def myself(call: Call) -> Answer:
    return Answer(200, shapes.user(call.forge.world, call.doer, call.doer))


@routes.put("/user/block/{username}", "token")
def block(call: Call) -> Answer:
    call.doer.blocked.add(find_user(call).id)
    return Answer(204)


@routes.put("/user/unblock/{username}", "token")
def unblock(call: Call) -> Answer:
    call.doer.blocked.discard(find_user(call).id)
    return Answer(204)


@routes.get("/users/{username}")
def someone(call: Call) -> Answer:
    return Answer(200, shapes.user(call.forge.world, find_user(call), call.caller.user))


@routes.post("/users/{username}/tokens", "password", required=("name",))
def create_token(call: Call) -> Answer:
    user = find_user(call)
    if user is not call.doer and not call.doer.is_admin:
        raise RefusedError(403, "doer should be the site admin or be same as the contextUser")
    return _create_token(call, user)


@routes.post("/admin/users/{username}/tokens", "site-admin", scopes=("admin",), required=("name",), since=16)
def create_token_for_somebody(call: Call) -> Answer:
    return _create_token(call, find_user(call))


@routes.get("/admin/users/{username}/tokens", "site-admin", scopes=("admin",), since=16)
def tokens_of_somebody(call: Call) -> Answer:
    user = find_user(call)
    found = [token for token in call.forge.world.tokens.values() if token.user is user]
    return call.paged(found, lambda token: _token(call, token) | {"sha1": ""})


@routes.delete("/admin/users/{username}/tokens/{id}", "site-admin", scopes=("admin",), since=16)
def delete_token_of_somebody(call: Call) -> Answer:
    user, tokens = find_user(call), call.forge.world.tokens
    found = [token for token in tokens.values() if token.user is user and token.id == call.number("id")]
    if not found:
        not_found()
    del tokens[found[0].secret]
    return Answer(204)


def _create_token(call: Call, user: User) -> Answer:
    world = call.forge.world
    if any(token.user is user and token.name == call.body["name"] for token in world.tokens.values()):
        raise RefusedError(400, "access token name has been used already")
    scopes = call.body.get("scopes") or []
    if not scopes:
        raise RefusedError(400, "access token must have a scope")
    repositories = _named_repositories(call)
    if repositories == []:
        raise RefusedError(400, "At least one repository must be specified.")
    if repositories and not set(scopes) <= NARROW:
        raise RefusedError(400, "Only issue and repository scopes go with specified repositories.")
    ids = None if repositories is None else frozenset(each.id for each in repositories)
    return Answer(201, _token(call, call.forge.add_token(user, call.body["name"], frozenset(scopes), ids)))


def _named_repositories(call: Call) -> list[Repository] | None:
    """The repositories that a new token is to be for; None for all."""
    if call.body.get("repositories") is None:
        return None
    found = []
    for each in call.body["repositories"]:
        repository = call.forge.world.repository(each["owner"], each["name"])
        if repository is None or not call.caller.can(repository, "read"):
            raise RefusedError(400, f"repository {each['owner']}/{each['name']} does not exist")
        found.append(repository)
    return found


def _token(call: Call, token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "sha1": token.secret,
        "token_last_eight": token.secret[-8:],
        "scopes": sorted(token.scopes),
        "repositories": token.repositories and [_meta(call, each) for each in sorted(token.repositories)],
    }


def _meta(call: Call, id_: int) -> dict[str, object]:
    found = call.forge.world.repositories[id_]
    return {"id": found.id, "name": found.name, "owner": found.owner.name, "full_name": found.full_name}


@routes.get("/admin/users", "site-admin", scopes=("admin",))
def users(call: Call) -> Answer:
    people = [user for user in call.forge.world.users.values() if not user.is_organization]
    return call.paged(people, lambda user: shapes.user(call.forge.world, user, call.doer))


@routes.post("/admin/users", "site-admin", scopes=("admin",), required=("username", "email", "password"))
def create_user(call: Call) -> Answer:
    name, world = call.body["username"], call.forge.world
    if world.user(name) is not None:
        raise RefusedError(422, f"user already exists [name: {name}]")
    user = call.forge.add_user(name, email=call.body["email"], password=call.body["password"])
    user.full_name = call.body.get("full_name", "")
    return Answer(201, shapes.user(world, user, call.doer))


@routes.patch("/admin/users/{username}", "site-admin", scopes=("admin",))
def edit_user(call: Call) -> Answer:
    user = find_user(call)
    user.is_admin = bool(call.body.get("admin", user.is_admin))
    user.full_name = call.body.get("full_name", user.full_name)
    return Answer(200, shapes.user(call.forge.world, user, call.doer))


@routes.post("/orgs", scopes=("organization",), required=("username",))
def create_organization(call: Call) -> Answer:
    if call.forge.world.user(call.body["username"]) is not None:
        raise RefusedError(422, f"user already exists [name: {call.body['username']}]")
    return Answer(201, _organization(call, call.forge.add_organization(call.body["username"], call.doer)))


@routes.get("/orgs/{username}", scopes=("organization",))
def organization(call: Call) -> Answer:
    found = find_user(call)
    return Answer(200, _organization(call, found)) if found.is_organization else not_found()


def _organization(call: Call, item: User) -> dict[str, object]:
    return {
        "id": item.id,
        "name": item.name,
        "full_name": item.full_name,
        "email": item.email,
        "avatar_url": f"{call.forge.world.url}/avatars/{item.id}",
        "description": "",
        "website": "",
        "location": "",
        "visibility": "public",
        "repo_admin_change_team_access": True,
        "username": item.name,
    }


def find_user(call: Call) -> User:
    user = call.forge.world.user(call.path["username"])
    if user is None:
        raise RefusedError(404, f"user redirect does not exist [name: {call.path['username']}]")
    return user
