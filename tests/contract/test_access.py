"""What onehead relies on about tokens, scopes and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.forgejos.fixtures import Apis
from tests.forgejos.port import Account

if TYPE_CHECKING:
    from tests.forgejos.administration import HostedRepository
    from tests.forgejos.fixtures import Project
    from tests.forgejos.port import Forgejo


def with_scopes(forgejo: Forgejo, account: Account, *scopes: str) -> Account:
    """Give the same account with another token."""
    token = forgejo.admin.create_token(account.name, scopes)
    return Account(account.id, account.name, account.email, account.password, token)


def test_the_version_names_forgejo_and_needs_no_token(forgejo: Forgejo, api_of: Apis) -> None:
    version = api_of(None).get("/version")["version"]

    assert int(version.split(".")[0]) >= 15
    assert "+gitea-" in version
    assert httpx.get(f"{forgejo.url}/api/forgejo/v1/version", trust_env=False).status_code == 200
    assert api_of(None).get("/settings/api")["max_response_items"] == 50


def test_the_health_probe(forgejo: Forgejo) -> None:
    answer = httpx.get(f"{forgejo.url}/api/healthz", trust_env=False)

    assert (answer.status_code, answer.json()["status"]) == (200, "pass")


def test_the_token_says_who_one_is(forgejo: Forgejo, api_of: Apis) -> None:
    bot = forgejo.admin.create_bot()

    me = api_of(bot).get("/user")

    assert (me["id"], me["login"], me["email"], me["is_admin"]) == (bot.id, bot.name, bot.email, False)


@pytest.mark.parametrize("header", ["token {}", "Bearer {}", "bearer {}"])
def test_ways_to_send_a_token(forgejo: Forgejo, header: str) -> None:
    bot = forgejo.admin.create_bot()
    headers = {"Authorization": header.format(bot.token)}

    answer = httpx.get(f"{forgejo.url}/api/v1/user", headers=headers, trust_env=False)

    assert (answer.status_code, answer.json()["login"]) == (200, bot.name)


def test_the_token_is_also_a_password(forgejo: Forgejo) -> None:
    bot = forgejo.admin.create_bot()

    answer = httpx.get(f"{forgejo.url}/api/v1/user", auth=(bot.name, bot.token), trust_env=False)

    assert answer.json()["login"] == bot.name


def test_a_wrong_token_is_refused_even_where_none_is_needed(project: Project, api_of: Apis) -> None:
    wrong = api_of(Account(0, "x", "", "", "0" * 40))

    wrong.call("GET", "/user", expect=401)
    wrong.call("GET", project.repository.path, expect=401)


def test_no_token_where_one_is_needed(project: Project, api_of: Apis) -> None:
    nobody = api_of(None)
    body = {"body": "hello"}

    nobody.call("GET", "/user", expect=401)
    nobody.call("POST", f"{project.repository.path}/issues/1/comments", body, expect=401)
    assert nobody.get(project.repository.path)["full_name"] == project.repository.full_name


def test_a_missing_scope_is_named(project: Project, api_of: Apis) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    reader = api_of(with_scopes(project.forgejo, project.owner, "read:repository", "read:issue"))
    path = project.repository.path

    pull = reader.call("PATCH", f"{path}/pulls/1", {"title": "T"}, expect=403)
    comment = reader.call("POST", f"{path}/issues/1/comments", {"body": "b"}, expect=403)
    user = reader.call("GET", "/user", expect=403)

    words = "token does not have at least one of required scope(s): "
    assert pull["message"] == words + "[write:repository]"
    assert comment["message"] == words + "[write:issue]"
    assert user["message"] == words + "[read:user]"


def test_what_a_bot_token_can_do(project: Project, api_of: Apis) -> None:
    bot = project.forgejo.admin.create_bot()
    project.forgejo.admin.add_collaborator(project.repository, bot, "write")
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    api, path = api_of(bot), project.repository.path

    project.open_pull("topic", by=api)
    api.call("POST", f"{path}/issues/1/comments", {"body": "b"}, expect=201)
    api.call("POST", f"{path}/statuses/{sha}", {"state": "success", "context": "onehead"}, expect=201)
    api.call("PATCH", f"{path}/issues/1", {"title": "T"}, expect=201)
    api.call("GET", f"{path}/branch_protections", expect=403)
    api.call("GET", f"{path}/hooks", expect=403)
    api.call("GET", f"{path}/collaborators/{project.owner.name}/permission", expect=403)


NARROW = ("write:repository", "write:issue")


def narrow(forgejo: Forgejo, account: Account, *only: HostedRepository) -> Account:
    """Give the same account with a token for named repositories."""
    token = forgejo.admin.create_token(account.name, NARROW, only)
    return Account(account.id, account.name, account.email, account.password, token)


def test_a_token_for_named_repositories_does_not_know_its_own_name(project: Project, api_of: Apis) -> None:
    forgejo, path = project.forgejo, project.repository.path
    bot = forgejo.admin.create_bot()
    forgejo.admin.add_collaborator(project.repository, bot, "write")
    api = api_of(narrow(forgejo, bot, project.repository))

    for refused in ("/user", f"/users/{bot.name}", "/user/repos"):
        assert "[read:user]" in api.call("GET", refused, expect=403)["message"]
    told = api.get(f"{path}/collaborators/{bot.name}/permission")
    assert (told["permission"], told["user"]["id"], told["user"]["login"]) == ("write", bot.id, bot.name)


@pytest.mark.parametrize("level", ["write", "admin"])
def test_a_token_for_named_repositories_tells_the_permission_of_nobody_else(
    project: Project, api_of: Apis, level: str
) -> None:
    forgejo, path = project.forgejo, project.repository.path
    bot = forgejo.admin.create_bot()
    forgejo.admin.add_collaborator(project.repository, bot, level)
    api = api_of(narrow(forgejo, bot, project.repository))

    refused = api.call("GET", f"{path}/collaborators/{project.owner.name}/permission", expect=403)
    assert "collaborators can query only their own" in refused["message"]
    api.call("GET", f"{path}/collaborators/nobody-at-all/permission", expect=404)
    api.call("GET", f"{path}/hooks", expect=403)
    assert api.get(path)["permissions"] == {"admin": level == "admin", "push": True, "pull": True}


def test_a_token_for_named_repositories_writes_to_no_others(project: Project, api_of: Apis) -> None:
    forgejo, mine = project.forgejo, project.repository
    bot, admin = forgejo.admin.create_bot(), forgejo.admin
    public, private = (admin.create_repository(project.owner, private=flag) for flag in (False, True))
    for each in (mine, public, private):
        admin.add_collaborator(each, bot, "write")
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    api = api_of(narrow(forgejo, bot, mine))
    status = {"state": "success", "context": "onehead"}

    made = api.call("POST", f"{mine.path}/statuses/{sha}", status, expect=201)
    comment = api.call("POST", f"{mine.path}/issues/1/comments", {"body": "b"}, expect=201)

    assert (made["creator"]["id"], comment["user"]["id"]) == (bot.id, bot.id)
    assert api.get(public.path)["permissions"] == {"admin": False, "push": False, "pull": True}
    api.call("POST", f"{public.path}/statuses/{sha}", status, expect=403)
    api.call("GET", private.path, expect=404)
    found = api.get(f"/repos/search?uid={bot.id}")["data"]
    assert {each["full_name"]: each["permissions"]["push"] for each in found} == {
        mine.full_name: True,
        public.full_name: False,
    }


def test_what_a_token_for_named_repositories_may_hold(project: Project) -> None:
    owner, named = project.owner, [{"owner": project.repository.owner, "name": project.repository.name}]
    url, auth = f"{project.forgejo.url}/api/v1/users/{owner.name}/tokens", (owner.name, owner.password)

    def ask(name: str, scopes: list[str], repositories: list[dict[str, str]]) -> httpx.Response:
        body = {"name": name, "scopes": scopes, "repositories": repositories}
        return httpx.post(url, json=body, auth=auth, trust_env=False)

    assert ask("name", [*NARROW, "read:user"], named).status_code == 400
    assert ask("none", [*NARROW], []).status_code == 400
    assert ask("gone", [*NARROW], [{"owner": owner.name, "name": "nothing"}]).status_code == 400
    made = ask("good", [*NARROW], named)
    assert made.status_code == 201
    assert [each["full_name"] for each in made.json()["repositories"]] == [project.repository.full_name]


@pytest.mark.usefixtures("since_16")
def test_a_site_administrator_makes_and_deletes_tokens_of_others(forgejo: Forgejo, api_of: Apis) -> None:
    bot, chief = forgejo.admin.create_bot(), forgejo.admin.create_user("chief", site_admin=True)
    path, body = f"/admin/users/{bot.name}/tokens", {"name": "made", "scopes": ["write:repository", "read:user"]}
    api, weak = api_of(chief), api_of(with_scopes(forgejo, chief, "write:repository", "read:user"))

    api.call("POST", path, {}, expect=422)
    made = api.call("POST", path, body, expect=201)
    token = Account(bot.id, bot.name, bot.email, bot.password, made["sha1"])

    assert sorted(made["scopes"]) == ["read:user", "write:repository"]
    assert api_of(token).get("/user")["id"] == bot.id
    api.call("POST", path, body, expect=400)  # the name is taken
    api.call("POST", "/admin/users/nobody-at-all/tokens", body, expect=404)
    assert "[write:admin]" in weak.call("POST", path, {}, expect=403)["message"]
    api_of(bot).call("POST", path, {}, expect=403)
    assert "made" in [each["name"] for each in api.get(path)]
    api.call("DELETE", f"{path}/{made['id']}", expect=204)
    api_of(token).call("GET", "/user", expect=401)


@pytest.mark.usefixtures("before_16")
def test_an_older_forgejo_makes_no_tokens_for_others(forgejo: Forgejo) -> None:
    bot = forgejo.admin.create_bot()

    forgejo.admin.api.call("POST", f"/admin/users/{bot.name}/tokens", {}, expect=404)


def test_a_reader_may_comment_but_not_write(project: Project, api_of: Apis) -> None:
    reader = project.forgejo.admin.create_user("rita")
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    api, path = api_of(reader), project.repository.path

    api.call("POST", f"{path}/issues/1/comments", {"body": "b"}, expect=201)
    api.call("POST", f"{path}/statuses/{sha}", {"state": "success"}, expect=403)
    api.call("DELETE", f"{path}/branches/topic", expect=403)
    api.call("POST", f"{path}/pulls/1/merge", {"Do": "merge"}, expect=405)


def test_permissions_of_a_repository_are_those_of_the_caller(project: Project, api_of: Apis) -> None:
    admin, path = project.forgejo.admin, project.repository.path
    writer, reader = admin.create_user("wim"), admin.create_user("rita")
    admin.add_collaborator(project.repository, writer, "write")

    def seen(account: Account | None) -> dict[str, bool]:
        permissions: dict[str, bool] = api_of(account).get(path)["permissions"]
        return permissions

    assert seen(project.owner) == {"admin": True, "push": True, "pull": True}
    assert seen(writer) == {"admin": False, "push": True, "pull": True}
    assert seen(reader) == {"admin": False, "push": False, "pull": True}


def test_asking_for_somebodys_permission(project: Project, api_of: Apis) -> None:
    admin, path = project.forgejo.admin, f"{project.repository.path}/collaborators"
    writer, reader = admin.create_user("wim"), admin.create_user("rita")
    admin.add_collaborator(project.repository, writer, "write")

    def told(name: str) -> str:
        return str(project.api.get(f"{path}/{name}/permission")["permission"])

    assert (told(project.owner.name), told(writer.name), told(reader.name)) == ("owner", "write", "read")
    assert api_of(writer).get(f"{path}/{writer.name}/permission")["permission"] == "write"
    api_of(writer).call("GET", f"{path}/{reader.name}/permission", expect=403)
    project.api.call("GET", f"{path}/nobody-at-all/permission", expect=404)
    project.api.call("GET", f"{path}/{writer.name}", expect=204)
    project.api.call("GET", f"{path}/{reader.name}", expect=404)


def test_a_private_repository_does_not_exist_for_others(forgejo: Forgejo, api_of: Apis) -> None:
    owner, other = forgejo.admin.create_user("ann"), forgejo.admin.create_user("bob")
    hidden = forgejo.admin.create_repository(owner, private=True)

    assert api_of(owner).get(hidden.path)["private"] is True
    refusal = api_of(other).call("GET", hidden.path, expect=404)
    assert refusal["message"] == "The target couldn't be found."
    api_of(None).call("GET", hidden.path, expect=404)


def test_an_archived_repository_is_locked(project: Project) -> None:
    project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = project.repository.path

    assert project.api.call("PATCH", path, {"archived": True}, expect=200)["archived"] is True
    project.api.call("POST", f"{path}/issues/1/comments", {"body": "b"}, expect=423)
    project.api.call("POST", f"{path}/pulls", {"head": "topic", "base": "main", "title": "T"}, expect=423)
    project.api.call("DELETE", f"{path}/branches/topic", expect=423)


def test_repositories_of_a_bot(forgejo: Forgejo, api_of: Apis) -> None:
    admin = forgejo.admin
    owner, bot = admin.create_user("ann"), admin.create_bot()
    mine, private, public = (admin.create_repository(owner, private=flag) for flag in (True, True, False))
    admin.add_collaborator(mine, bot, "write")

    listed = {repo["full_name"]: repo["permissions"]["push"] for repo in api_of(bot).get("/user/repos?limit=50")}
    search = api_of(bot).get(f"/repos/search?q={public.name}")

    assert listed == {mine.full_name: True}
    assert search["ok"] is True
    assert [repo["full_name"] for repo in search["data"]] == [public.full_name]
    assert api_of(bot).get(f"/repos/search?q={private.name}")["data"] == []


def test_topics_are_found_by_search(project: Project) -> None:
    topic = f"alembic-{project.repository.name}"
    project.api.call("PUT", f"{project.repository.path}/topics", {"topics": [topic]}, expect=204)

    found = project.api.get(f"/repos/search?topic=true&q={topic}")["data"]

    assert [repo["full_name"] for repo in found] == [project.repository.full_name]
    assert project.api.get(project.repository.path)["topics"] == [topic]


def test_a_body_without_a_required_field_is_422(project: Project) -> None:
    path = project.repository.path

    pull = project.api.call("POST", f"{path}/pulls", {"head": "a", "base": "b"}, expect=422)
    issue = project.api.call("POST", f"{path}/issues", {"title": ""}, expect=422)

    assert ("Title" in pull["message"], "Title" in issue["message"]) == (True, True)
