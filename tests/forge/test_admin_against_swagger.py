"""Every call of a set-up, checked field by field against Forgejo's own description of its API."""

from __future__ import annotations

from collections.abc import Callable
from types import GeneratorType

import httpx
import pytest
import respx

from onehead.forge.admin import (
    SYSTEM,
    Administration,
    NewToken,
    Webhook,
    of_organisation,
    of_own_account,
    of_repository,
)
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import MissingScope
from onehead.forge.models import RepositoryName
from onehead.service.setup import EVENTS
from tests.forge.swagger_exchange import answers, nothing_is_missing
from tests.forge.swagger_samples import operation, resolve

REPO = RepositoryName("courtside", "basketball-api")
URL, SECRET = "http://onehead.test/hooks/forgejo", "a secret of some length"
HOOK = Webhook(7, "forgejo", URL, "json", frozenset({"push"}), "", "Bearer theirs", active=False)
PLACES = {
    "a repository": (of_repository(REPO), "/repos/{owner}/{repo}/hooks"),
    "an organisation": (of_organisation("court side"), "/orgs/{org}/hooks"),
    "the own account": (of_own_account("ann"), "/user/hooks"),
    "the whole site": (SYSTEM, "/admin/hooks"),
}
RULE = "/repos/{owner}/{repo}/branch_protections/{name}"

Call = Callable[[Administration], object]
CALLS: dict[str, tuple[Call, list[str]]] = {
    # Method → how it is called, and what that asks of Forgejo.
    "account": (lambda admin: admin.account("ann"), ["GET /users/{username}"]),
    "create_token": (
        lambda admin: admin.create_token("onehead", "onehead-1", ["write:repository", "read:user"]),
        ["POST /admin/users/{username}/tokens"],
    ),
    "delete_token": (
        lambda admin: admin.delete_token("onehead", 7),
        ["DELETE /admin/users/{username}/tokens/{token}"],
    ),
    "hooks": (lambda admin: admin.hooks(of_repository(REPO)), ["GET /repos/{owner}/{repo}/hooks"]),
    "create_hook": (
        lambda admin: admin.create_hook(of_repository(REPO), URL, SECRET, EVENTS),
        ["POST /repos/{owner}/{repo}/hooks"],
    ),
    "mend_hook": (
        lambda admin: admin.mend_hook(of_repository(REPO), HOOK, URL, EVENTS),
        ["PATCH /repos/{owner}/{repo}/hooks/{id}"],
    ),
    "delete_hook": (
        lambda admin: admin.delete_hook(of_repository(REPO), 7),
        ["DELETE /repos/{owner}/{repo}/hooks/{id}"],
    ),
    "test_hook": (lambda admin: admin.test_hook(REPO, 7), ["POST /repos/{owner}/{repo}/hooks/{id}/tests"]),
    "add_collaborator": (
        lambda admin: admin.add_collaborator(REPO, "onehead"),
        ["PUT /repos/{owner}/{repo}/collaborators/{collaborator}"],
    ),
    "is_collaborator": (
        lambda admin: admin.is_collaborator(REPO, "onehead"),
        ["GET /repos/{owner}/{repo}/collaborators/{collaborator}"],
    ),
    "remove_collaborator": (
        lambda admin: admin.remove_collaborator(REPO, "onehead"),
        ["DELETE /repos/{owner}/{repo}/collaborators/{collaborator}"],
    ),
    "labels": (lambda admin: admin.labels(REPO), ["GET /repos/{owner}/{repo}/labels"]),
    "create_label": (
        lambda admin: admin.create_label(REPO, "onehead", "#2b7a78", "A repair"),
        ["POST /repos/{owner}/{repo}/labels"],
    ),
    "delete_label": (lambda admin: admin.delete_label(REPO, 3), ["DELETE /repos/{owner}/{repo}/labels/{id}"]),
    "rule_for": (
        lambda admin: admin.rule_for(REPO, "release/2.1"),
        ["GET /repos/{owner}/{repo}/branches/{branch}", f"GET {RULE}"],
    ),
    "create_rule": (
        lambda admin: admin.create_rule(REPO, "main", "onehead"),
        ["POST /repos/{owner}/{repo}/branch_protections"],
    ),
    "set_contexts": (lambda admin: admin.set_contexts(REPO, "release/*", ["ci", "onehead"]), [f"PATCH {RULE}"]),
    "delete_rule": (lambda admin: admin.delete_rule(REPO, "release/*"), [f"DELETE {RULE}"]),
    "branches": (lambda admin: admin.branches(REPO), ["GET /repos/{owner}/{repo}/branches"]),
}


def test_every_method_is_called_here() -> None:
    public = {name for name in vars(Administration) if not name.startswith("_")}
    assert public - {"ask_to_write", "makes_tokens"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_call_fits_the_description(name: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
    call, wanted = CALLS[name]
    seen: list[str] = []
    forge.route().mock(side_effect=answers(seen))
    result = call(Administration(api.connection))
    result = list(result) if isinstance(result, GeneratorType) else result
    assert seen == wanted
    if result is not None:
        nothing_is_missing(result, name)


@pytest.mark.parametrize("place", PLACES)
def test_a_webhook_is_the_same_everywhere(place: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
    where, path = PLACES[place]
    admin = Administration(api.connection)
    seen: list[str] = []
    forge.route().mock(side_effect=answers(seen))
    nothing_is_missing(list(admin.hooks(where)), place)
    nothing_is_missing(admin.create_hook(where, URL, SECRET, EVENTS), place)
    nothing_is_missing(admin.mend_hook(where, HOOK, URL, EVENTS), place)
    admin.delete_hook(where, 7)
    assert seen == [f"GET {path}", f"POST {path}", f"PATCH {path}/{{id}}", f"DELETE {path}/{{id}}"]


ASKED = ["/repos/courtside/basketball-api/hooks", "/orgs/courtside/hooks", "/user/hooks", "/admin/hooks"]


@pytest.mark.parametrize("path", [*ASKED, "/repos/courtside/basketball-api/labels"])
def test_a_right_is_asked_for_with_what_has_to_be_declined(path: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
    """An empty body lacks what the description requires, so nothing can come of it."""
    _, described = operation("POST", path)
    [body] = [parameter for parameter in described["parameters"] if parameter["in"] == "body"]
    assert resolve(body["schema"])["required"]
    admin = Administration(api.connection)
    route = forge.post(path).mock(return_value=httpx.Response(422, json={"message": "[Name]: Required"}))
    admin.ask_to_write(path)
    assert route.calls.last.request.content == b"{}"
    lacking = {"message": "token does not have at least one of required scope(s): [write:issue]"}
    route.mock(return_value=httpx.Response(403, json=lacking))
    with pytest.raises(MissingScope):
        admin.ask_to_write(path)


@pytest.mark.parametrize(("status", "makes"), [(422, True), (400, True), (404, False)])
def test_whether_tokens_are_made_is_asked_with_what_has_to_be_declined(
    status: int, makes: bool, api: ForgejoApi, forge: respx.MockRouter
) -> None:
    _, described = operation("POST", "/admin/users/bot/tokens")
    [body] = [parameter for parameter in described["parameters"] if parameter["in"] == "body"]
    assert resolve(body["schema"])["required"] == ["name"]
    route = forge.post("/admin/users/bot/tokens").mock(return_value=httpx.Response(status, json={"message": "no"}))
    assert Administration(api.connection).makes_tokens("bot") is makes
    assert route.calls.last.request.content == b"{}"


def test_a_new_token_is_not_shown_by_accident() -> None:
    assert "hush" not in repr(NewToken(7, "hush"))
