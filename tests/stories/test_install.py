"""A person sets onehead up, looks whether all is well, and takes it away again: repository, owner, whole site."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onehead.cli import checkup, main
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.models import RepositoryName
from onehead.service.setup import ensure_webhook
from tests.forgejos.fixtures import Apis, Project, WorkCopies
from tests.forgejos.port import BOT_SCOPES, Account
from tests.forgejos.real import RealForgejo
from tests.forgejos.receiver import Receiver
from tests.forgejos.standin import StandinForgejo
from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import SECRET, Service

EVENTS = {"push", "create", "delete", "pull_request", "pull_request_sync", "issue_comment", "pull_request_comment"}
TOLD = EVENTS | {"pull_request_review_comment"}  # Forgejo adds it to pull_request_comment
NOBODY = "http://127.0.0.1:9"  # nothing listens there
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGEJO_URL", "TOKEN", "TOKEN_FILE", "WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE", "PUBLIC_URL"):
        monkeypatch.delenv(f"ONEHEAD_{name}", raising=False)


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def onehead(capsys: pytest.CaptureFixture[str]) -> Say:
    def say(verb: str, forge: str, token: str, *more: str) -> tuple[int, str, str]:
        code = main.main([verb, "--url", forge, "--token", token, *more])
        printed = capsys.readouterr()
        assert token not in printed.out + printed.err
        return code, printed.out, printed.err

    return say


def hooks(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.api.get(f"{project.repository.path}/hooks")
    return found


def labels(project: Project) -> list[tuple[str, str]]:
    found = project.api.get(f"{project.repository.path}/labels")
    return [(label["name"], label["description"]) for label in found]


def here(project: Project, service_url: str) -> list[str]:
    return ["--repo", project.repository.full_name, "--service-url", service_url]


@pytest.mark.slow
def test_install_twice_checkup_and_uninstall(project: Project, onehead: Say, tmp_path: Path) -> None:
    forge, token, file = project.forgejo.url, project.owner.token, tmp_path / "secret"
    bot = project.forgejo.admin.create_bot()
    more = [*here(project, NOBODY), "--bot", bot.name]

    wanted = ["--secret-file", str(file), "--require-status", "--label"]
    code, out, _ = onehead("install", forge, token, *more, *wanted)

    assert code == 0
    assert f"{bot.name} may write to {project.repository.full_name} now." in out
    assert f"created; the repository {project.repository.full_name} sends every event to {NOBODY}/hooks/forgejo" in out
    [hook] = hooks(project)
    assert (hook["type"], hook["active"], set(hook["events"])) == ("forgejo", True, TOLD)
    assert (hook["config"]["url"], hook["config"]["content_type"]) == (f"{NOBODY}/hooks/forgejo", "json")
    assert hook["branch_filter"] == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().strip()
    assert len(secret) >= 40
    assert secret not in out
    [rule] = project.api.get(f"{project.repository.path}/branch_protections")
    assert (rule["rule_name"], rule["enable_push"], rule["enable_status_check"]) == ("main", True, True)
    assert rule["status_check_contexts"] == ["onehead"]
    assert labels(project) == [("onehead", "A repair by onehead: it leaves Alembic with one head")]
    project.copy.commit({"still.txt": "pushing works\n"})
    project.copy.push()

    code, out, _ = onehead("install", forge, token, *more, *wanted)

    assert code == 0
    assert out.count("already so.") == 4
    assert len(labels(project)) == 1
    assert file.read_text().strip() == secret
    assert [each["id"] for each in hooks(project)] == [hook["id"]]
    assert project.api.get(f"{project.repository.path}/branch_protections") == [rule]

    code, out, _ = onehead("checkup", forge, token, *more)

    assert code == 1  # the service does not run
    assert [line for line in out.splitlines() if line.startswith(("missing", "wrong"))] == [
        f"missing       service: Nothing of onehead answers at {NOBODY}/healthz, seen from here."
    ]
    assert out.endswith("One thing has to be corrected.\n")

    code, out, _ = onehead("uninstall", forge, token, *more)
    assert (code, hooks(project)) == (0, [])
    assert not project.api.get(f"{project.repository.path}/branch_protections")
    assert labels(project) == []
    assert not project.api.get(f"{project.repository.path}/collaborators")
    code, out, _ = onehead("uninstall", forge, token, *more)
    assert (code, out.count("already so.")) == (0, 4)


@pytest.mark.slow
def test_a_wrong_webhook_is_mended_and_the_delivery_seen_to_arrive(service: Service, onehead: Say) -> None:
    project = service.project
    forge, token, more = project.forgejo.url, project.owner.token, here(project, service.url)
    [old] = hooks(project)
    change = {"active": False, "events": ["push"], "branch_filter": "x", "config": {"content_type": "form"}}
    project.api.call("PATCH", f"{project.repository.path}/hooks/{old['id']}", change, expect=200)
    code, out, _ = onehead("checkup", forge, token, *more, "--bot", service.bot.name)
    assert code == 1
    assert "it is switched off; it does not send create, delete, issue_comment, pull_request," in out
    assert "it sends form, not JSON; its branch filter 'x' hides branches" in out

    code, out, _ = onehead("install", forge, token, *more, "--bot", service.bot.name)

    assert code == 0
    assert "webhook: mended;" in out
    assert "delivery: sent by Forgejo and accepted by the service." in out  # so the old secret still holds
    [hook] = hooks(project)
    assert (hook["id"], hook["active"], hook["branch_filter"]) == (old["id"], True, "")
    assert (set(hook["events"]), hook["config"]["content_type"]) == (TOLD, "json")
    code, out, _ = onehead("checkup", forge, token, *more, "--bot", service.bot.name)
    assert (code, out.splitlines()[-1]) == (0, "All is well.")


def test_checkup_says_what_isolation_a_system_does_not_allow(
    service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, said = service.project, "The network stays open: this system does not let `unshare` cut it off."
    report = {"ready": True, "analyzer": {"isolated": False, "trouble": said}}
    monkeypatch.setattr(checkup, "readiness", lambda _url: (200, report))

    _, out, _ = onehead("checkup", project.forgejo.url, project.owner.token, *here(project, service.url))

    [line] = [line for line in out.splitlines() if " service: " in line]
    assert line.startswith("limited")
    assert line.endswith(f"is ready. What strangers push is judged without all of its isolation: {said}")


@pytest.mark.slow
def test_two_secrets_are_told_apart(service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    project = service.project
    forge, token, more = project.forgejo.url, project.owner.token, here(project, service.url)

    _, out, _ = onehead("install", forge, token, *more, "--new-secret")

    assert "webhook: replaced;" in out
    assert "the signature is wrong: service and webhook have different secrets." in out
    [line] = [line for line in out.splitlines() if line.startswith("ONEHEAD_WEBHOOK_SECRET=")]
    assert len(line) > 60
    monkeypatch.setenv("ONEHEAD_WEBHOOK_SECRET", SECRET)
    _, out, _ = onehead("install", forge, token, *more, "--new-secret")
    assert "accepted by the service" in out
    assert SECRET not in out
    assert len(hooks(project)) == 1


def test_a_rule_of_somebody_keeps_all_its_other_settings(project: Project, onehead: Say) -> None:
    forge, token, more = project.forgejo.url, project.owner.token, here(project, NOBODY)
    path = f"{project.repository.path}/branch_protections"
    theirs = {
        "rule_name": "m*",
        "enable_push": True,
        "enable_push_whitelist": True,
        "push_whitelist_usernames": [project.owner.name],
        "enable_status_check": True,
        "status_check_contexts": ["ci/*"],
        "required_approvals": 2,
        "protected_file_patterns": "*.lock",
        "apply_to_admins": True,
    }
    before = project.api.call("POST", path, theirs, expect=201)

    _, out, _ = onehead("install", forge, token, *more, "--require-status")

    assert "added it to the rule 'm*'" in out
    [after] = project.api.get(path)
    assert after["status_check_contexts"] == ["ci/*", "onehead"]
    same = {"status_check_contexts": None, "updated_at": None}
    assert after | same == before | same
    onehead("uninstall", forge, token, *more)
    [left] = project.api.get(path)
    assert left | {"updated_at": None} == before | {"updated_at": None}


def test_what_is_not_ours_stays(project: Project, receiver: Receiver, onehead: Say) -> None:
    forge, token, more = project.forgejo.url, project.owner.token, here(project, NOBODY)
    theirs = project.forgejo.admin.add_hook(project.repository, receiver.url, "s", ["push"])
    other = project.forgejo.admin.add_hook(project.repository, f"{NOBODY}0/hooks/forgejo", "s", ["push"])
    label = {"name": "onehead", "color": "#ff0000", "description": "Ours, for anything about migrations"}
    project.api.call("POST", f"{project.repository.path}/labels", label, expect=201)
    _, out, _ = onehead("install", forge, token, *more, "--label")
    assert f"label onehead of {project.repository.full_name}: already so." in out
    assert len(hooks(project)) == 3
    onehead("uninstall", forge, token, *more)
    assert [each["id"] for each in hooks(project)] == [theirs, other]
    assert labels(project) == [("onehead", "Ours, for anything about migrations")]


@pytest.mark.slow
def test_an_organisation_and_the_whole_site(project: Project, onehead: Say, api_of: Apis) -> None:
    forge, boss = project.forgejo.url, project.forgejo.admin
    name = f"team{next(_numbers)}"
    project.api.call("POST", "/orgs", {"username": name}, expect=201)
    for where, path in (
        (["--owner", name], f"/orgs/{name}/hooks"),
        (["--owner", project.owner.name], "/user/hooks"),
        (["--system"], "/admin/hooks"),
    ):
        who = boss.account if where == ["--system"] else project.owner
        api = api_of(who)
        more = [*where, "--service-url", NOBODY]
        assert onehead("install", forge, who.token, *more)[0] == 0
        [hook] = api.get(path)
        assert (hook["active"], set(hook["events"])) == (True, TOLD)
        assert "already so." in onehead("install", forge, who.token, *more)[1]
        assert [each["id"] for each in api.get(path)] == [hook["id"]]
        assert onehead("uninstall", forge, who.token, *more)[0] == 0
        assert not api.get(path)


def own_hooks(project: Project, name: str) -> list[str]:
    return [each["config"]["url"] for each in project.api.get(f"/repos/{project.owner.name}/{name}/hooks") or []]


def another(project: Project, **change: Any) -> str:
    """One more repository of the owner's, with two webhooks of its own: ours and somebody else's."""
    made = project.forgejo.admin.create_repository(project.owner)
    for url in (f"{NOBODY}/hooks/forgejo", f"{NOBODY}0/hooks/forgejo"):
        project.forgejo.admin.add_hook(made, url, "s", ["push"])
    if change:
        project.api.call("PATCH", made.path, change, expect=200)
    return made.name


def test_uninstalling_an_owner_takes_the_webhooks_of_single_repositories_along(project: Project, onehead: Say) -> None:
    forge, token = project.forgejo.url, project.owner.token
    more = ["--owner", project.owner.name, "--service-url", NOBODY]
    names = [project.repository.name, another(project), another(project, archived=True)]
    project.forgejo.admin.add_hook(project.repository, f"{NOBODY}/hooks/forgejo", "s", ["push"])
    code, out, _ = onehead("install", forge, token, *more)
    assert (code, f"left alone, as archived or a mirror: {project.owner.name}/{names[2]}." in out) == (0, True)

    code, out, _ = onehead("uninstall", forge, token, *more)

    assert code == 0
    assert f"webhook of the account {project.owner.name}: 1 deleted." in out
    for name in names:
        said = [
            line
            for line in out.splitlines()
            if line.startswith(f"webhook of the repository {project.owner.name}/{name}:")
        ]
        gone = f"{NOBODY}/hooks/forgejo" not in own_hooks(project, name)
        assert [line.endswith(": 1 deleted.") for line in said] == [gone]
        assert gone or "left there" in said[0]
    assert own_hooks(project, names[0]) == []
    assert own_hooks(project, names[1]) == [f"{NOBODY}0/hooks/forgejo"]
    _, out, _ = onehead("uninstall", forge, token, *more)
    assert f"webhook of the account {project.owner.name}: none there: already so." in out


def test_a_repository_whose_events_come_by_the_owners_webhook_needs_none(project: Project, onehead: Say) -> None:
    forge, token = project.forgejo.url, project.owner.token
    onehead("install", forge, token, "--owner", project.owner.name, "--service-url", NOBODY)
    wider = f"the account {project.owner.name}"

    code, out, _ = onehead("install", forge, token, *here(project, NOBODY))
    assert (code, hooks(project)) == (0, [])
    assert f"webhook: {wider} sends every event of this repository to {NOBODY}/hooks/forgejo already" in out
    _, out, _ = onehead("checkup", forge, token, *here(project, NOBODY))
    assert f"It needs none that works: {wider} sends its events." in out

    _, out, _ = onehead("install", forge, token, *here(project, NOBODY), "--new-secret")
    assert f"webhook: {wider} sends the events of this repository too; each comes twice, which is harmless." in out
    assert len(hooks(project)) == 1
    _, out, _ = onehead("uninstall", forge, token, *here(project, NOBODY))
    assert hooks(project) == []
    assert f"webhook of {wider}: it still sends the events of this repository; uninstall --owner" in out


def test_an_empty_repository_is_set_up_like_any_other(project: Project, onehead: Say, work_copy: WorkCopies) -> None:
    forge, token, admin = project.forgejo.url, project.owner.token, project.forgejo.admin
    empty, bot = admin.create_repository(project.owner), admin.create_bot()
    wanted = ["--service-url", NOBODY, "--bot", bot.name, "--require-status", "--label"]

    code, out, err = onehead("install", forge, token, "--repo", empty.full_name, *wanted)

    assert (code, err) == (0, "")
    assert "delivery: not tried, because the repository has no commit yet." in out
    assert f"{bot.name} may write to {empty.full_name} now." in out
    [rule] = project.api.get(f"{empty.path}/branch_protections")
    assert (rule["rule_name"], rule["status_check_contexts"]) == ("main", ["onehead"])
    code, out, _ = onehead("install", forge, token, "--owner", project.owner.name, *wanted)
    assert (code, f"required check onehead of {empty.full_name}: already so." in out) == (0, True)
    assert onehead("checkup", forge, token, "--owner", project.owner.name, "--service-url", NOBODY)[0] == 1
    copy = work_copy(empty, project.owner)
    copy.commit({"README.md": "# Pushing works\n"}, "First")
    copy.push("HEAD:refs/heads/main")

    fresh = admin.create_repository(project.owner)
    theirs = {"rule_name": "m*", "enable_push": True, "required_approvals": 2}
    project.api.call("POST", f"{fresh.path}/branch_protections", theirs, expect=201)
    code, out, _ = onehead("install", forge, token, "--repo", fresh.full_name, *wanted)
    assert "added it to the rule 'm*'" in out
    assert onehead("uninstall", forge, token, "--repo", fresh.full_name, "--service-url", NOBODY, "--clean")[0] == 0
    [rule] = project.api.get(f"{fresh.path}/branch_protections")
    assert (rule["rule_name"], rule["status_check_contexts"]) == ("m*", [])


def test_what_stands_against_one_repository_stops_none_of_the_others(project: Project, onehead: Say) -> None:
    forge, token, admin = project.forgejo.url, project.owner.token, project.forgejo.admin
    odd = {"rule_name": "main", "enable_push": True, "status_check_contexts": ["ci"], "enable_status_check": False}
    project.api.call("POST", f"{project.repository.path}/branch_protections", odd, expect=201)
    other = admin.create_repository(project.owner)

    code, out, err = onehead(
        "install", forge, token, "--owner", project.owner.name, "--service-url", NOBODY, "--require-status", "--label"
    )

    assert code == 2
    assert f"required check onehead of {project.repository.full_name}: not done, see below." in out
    assert f"required check onehead of {other.full_name}: made a rule for main" in out
    assert f"label onehead of {other.full_name}: made." in out
    assert f"of {project.repository.full_name} lists the checks ci, switched off." in err
    assert "Everything else was done." in err


def test_a_token_that_may_not_is_told_what_it_lacks(project: Project, onehead: Say) -> None:
    forge, admin = project.forgejo.url, project.forgejo.admin
    weak = admin.create_token(project.owner.name, ["read:repository", "read:user"])
    code, _, err = onehead("install", forge, weak, *here(project, NOBODY))
    assert code == 2
    assert "onehead: The administrator's token lacks the scope write:repository." in err
    stranger = admin.create_user("mia")
    code, _, err = onehead("install", forge, stranger.token, *here(project, NOBODY))
    assert code == 2
    assert "A repository's webhook needs an administrator of the repository" in err
    code, _, err = onehead("checkup", forge, "0" * 40, *here(project, NOBODY))
    assert code == 2
    assert "Forgejo does not accept the administrator's token." in err
    assert hooks(project) == []


def test_nothing_is_begun_that_the_token_could_not_finish(project: Project, onehead: Say) -> None:
    forge, admin = project.forgejo.url, project.forgejo.admin
    bot, more = admin.create_bot(), [*here(project, NOBODY)]
    narrow = admin.create_token(project.owner.name, ["write:repository", "read:user"])
    code, out, err = onehead("install", forge, narrow, *more, "--bot", bot.name, "--label")
    assert (code, out) == (2, "")
    assert "onehead: The administrator's token lacks the scope write:issue." in err
    code, out, err = onehead("install", forge, narrow, "--system", "--service-url", NOBODY)
    assert (code, out) == (2, "")
    assert "lacks the scope write:admin." in err
    assert hooks(project) == []
    assert not project.api.get(f"{project.repository.path}/collaborators")


def test_the_scopes_that_are_documented_are_enough(project: Project, onehead: Say) -> None:
    forge, admin = project.forgejo.url, project.forgejo.admin
    bot, more = admin.create_bot(), [*here(project, NOBODY)]
    narrow = admin.create_token(project.owner.name, ["write:repository", "read:user"])
    assert onehead("install", forge, narrow, *more, "--bot", bot.name, "--require-status")[0] == 0
    code, out, _ = onehead("checkup", forge, narrow, *more, "--bot", bot.name)
    assert "The administrator's token lacks read:issue." in out
    code, out, _ = onehead("uninstall", forge, narrow, *more, "--bot", bot.name)
    assert code == 0
    assert "not looked at, as the token lacks write:issue." in out
    wider = admin.create_token(project.owner.name, ["write:repository", "read:user", "write:issue"])
    assert onehead("install", forge, wider, *more, "--label")[0] == 0
    code, out, _ = onehead("uninstall", forge, wider, *more, "--clean")
    assert code == 0
    assert f"label onehead of {project.repository.full_name}: deleted." in out
    assert labels(project) == []


def test_names_that_do_not_exist(project: Project, onehead: Say) -> None:
    forge, token = project.forgejo.url, project.owner.token
    service = ["--service-url", NOBODY]
    for where, said in (
        (
            ["--repo", "no/such"],
            "There is no repository no/such on this Forgejo, or the token's account may not see it.",
        ),
        (["--owner", "nobody-here"], "There is no user and no organisation 'nobody-here' on this Forgejo."),
        ([*here(project, NOBODY)[:2], "--bot", "nobody-here"], "There is no user and no organisation 'nobody-here'"),
    ):
        code, _, err = onehead("install", forge, token, *where, *service)
        assert (code, said in err) == (2, True), err
    assert hooks(project) == []


@pytest.mark.slow
def test_repairs_get_the_label_and_a_person_may_take_it_off(service: Service, onehead: Say) -> None:
    project, copy = service.project, service.project.copy
    onehead("install", project.forgejo.url, project.owner.token, *here(project, service.url), "--label")
    copy.commit(merged(alembic_project(), chain(("017", None), ("018", "017"))), "Start")
    copy.push()
    project.push_branch("oauth", chain(("020", "018")))
    project.open_pull("oauth")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    assert [label["name"] for label in repair["labels"]] == ["onehead"]
    issue = f"{project.repository.path}/issues/{repair['number']}"
    project.api.call("DELETE", f"{issue}/labels/{repair['labels'][0]['id']}", expect=204)
    service.sweep()
    [again] = service.repairs()
    assert (again["number"], again["labels"]) == (repair["number"], [])


def test_the_bots_own_token_is_looked_at(service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    project = service.project
    weak = project.forgejo.admin.create_token(service.bot.name, ["write:repository", "read:user"])
    monkeypatch.setenv("ONEHEAD_TOKEN", weak)
    _, out, _ = onehead("checkup", project.forgejo.url, project.owner.token, *here(project, service.url))
    assert "wrong         bot's token: It lacks the scope write:issue." in out
    assert weak not in out


def test_a_team_that_writes_issues_and_no_code_is_no_access(
    project: Project, onehead: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge, admin, boss = project.forgejo, project.forgejo.admin, project.forgejo.admin.account
    bot = admin.create_bot()
    if isinstance(forge, StandinForgejo):
        name = project.repository.full_name
        place = forge.server.forge.world.repository(project.repository.owner, project.repository.name)
        assert place is not None
        place.team_members.add(bot.id)
    else:
        org = f"team{next(_numbers)}"
        admin.api.call("POST", "/orgs", {"username": org}, expect=201)
        admin.api.call("POST", f"/orgs/{org}/repos", {"name": "shop", "auto_init": True}, expect=201)
        name = f"{org}/shop"
        wanted = {"name": "talkers", "permission": "write", "units_map": {"repo.issues": "write"}}
        team = admin.api.call("POST", f"/orgs/{org}/teams", wanted | {"includes_all_repositories": True}, expect=201)
        admin.api.call("PUT", f"/teams/{team['id']}/members/{bot.name}", expect=204)
    more = ["--repo", name, "--service-url", NOBODY, "--bot", bot.name]
    assert admin.api.get(f"/repos/{name}/collaborators/{bot.name}/permission")["permission"] == "write"
    said = f"missing       access to {name}: {bot.name} can't write there, or only by a team"

    assert said in onehead("checkup", forge.url, boss.token, *more)[1]
    monkeypatch.setenv("ONEHEAD_TOKEN", bot.token)
    assert said in onehead("checkup", forge.url, boss.token, *more)[1]
    assert f"{bot.name} may write to {name} now." in onehead("install", forge.url, boss.token, *more)[1]
    assert f"{bot.name} may write to {name}: already so." in onehead("install", forge.url, boss.token, *more)[1]
    assert (
        f"ok            access to {name}: {bot.name} may write there."
        in onehead("checkup", forge.url, boss.token, *more)[1]
    )


@pytest.mark.slow
def test_what_a_token_for_named_repositories_loses_is_said(
    service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, admin, bot = service.project, service.project.forgejo.admin, service.bot
    token = admin.create_token(bot.name, ["write:repository", "write:issue"], [project.repository])
    monkeypatch.setenv("ONEHEAD_TOKEN", token)
    monkeypatch.delenv("ONEHEAD_BOT", raising=False)
    told = project.forgejo.url, project.owner.token, *here(project, service.url)

    _, nameless, _ = onehead("checkup", *told)
    code, out, _ = onehead("checkup", *told, "--bot", bot.name)
    monkeypatch.setenv("ONEHEAD_BOT", bot.name)
    _, by_setting, _ = onehead("checkup", *told)
    _, other, _ = onehead("checkup", *told, "--bot", project.owner.name)

    assert "wrong         bot's token: It lacks the scope read:user." in nameless
    assert "then add --bot NAME, and set ONEHEAD_BOT." in nameless
    assert (code, out.splitlines()[-1]) == (0, "All is well.")
    lost = [line for line in out.splitlines() if line.startswith("limited")]
    assert [line.split(":")[0].split(maxsplit=1)[1] for line in lost] == ["bot's token", "repairs for forks"]
    assert f"→ Set ONEHEAD_BOT={bot.name} where the service runs." in out
    assert [line for line in by_setting.splitlines() if line.startswith("limited")] == lost
    assert f"wrong         bot's token: The token belongs to another account than {project.owner.name}." in other

    admin.add_collaborator(project.repository, bot, "admin")
    _, chief, _ = onehead("checkup", *told)
    assert f"limited       rights of an administrator: {bot.name} is an administrator, which does not count" in chief


def test_a_token_that_does_not_name_the_repository_is_noticed(
    service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, admin, bot = service.project, service.project.forgejo.admin, service.bot
    other = admin.create_repository(project.owner)
    admin.add_collaborator(other, bot, "write")
    token = admin.create_token(bot.name, ["write:repository", "write:issue"], [other])
    monkeypatch.setenv("ONEHEAD_TOKEN", token)

    code, out, _ = onehead(
        "checkup", project.forgejo.url, project.owner.token, *here(project, service.url), "--bot", bot.name
    )

    assert code == 1
    name = project.repository.full_name
    assert f"wrong         bot's token: {bot.name} can't write to {name} with it: the token does not name it" in out


def tokens(project: Project, account: Account) -> list[str]:
    found = project.forgejo.admin.api.get(f"/admin/users/{account.name}/tokens?limit=50")
    return [each["name"] for each in found if each["name"].startswith("onehead-")]


@pytest.mark.slow
@pytest.mark.usefixtures("since_16")
def test_the_bots_token_is_made_and_shown_to_nobody(
    service: Service, onehead: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project, bot, file = service.project, service.bot, tmp_path / "bot token"
    chief = project.forgejo.admin.create_user("chief", site_admin=True)
    told = project.forgejo.url, chief.token, *here(project, service.url), "--bot", bot.name

    code, out, err = onehead("install", *told, "--token-out", str(file))

    assert code == 0
    secret = file.read_text().strip()
    assert len(secret) == 40
    assert secret not in out + err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"bot's token: made for {bot.name} with write:repository, write:issue, read:user." in out
    assert f"ONEHEAD_TOKEN_FILE={file}" in out
    code, out, _ = onehead("install", *told, "--token-out", str(file))
    assert (code, f"bot's token: it is in {file}: already so." in out) == (0, True)
    assert len(tokens(project, bot)) == 1
    monkeypatch.setenv("ONEHEAD_TOKEN_FILE", str(file))
    code, out, _ = onehead("checkup", *told)
    assert (code, f"ok            bot's token: It belongs to {bot.name}, with all it needs." in out) == (0, True)


@pytest.mark.usefixtures("since_16")
def test_a_token_that_cannot_be_written_down_is_taken_back(project: Project, onehead: Say, tmp_path: Path) -> None:
    bot, chief = project.forgejo.admin.create_bot(), project.forgejo.admin.create_user("chief", site_admin=True)
    file = tmp_path / "nowhere" / "token"
    told = project.forgejo.url, chief.token, *here(project, NOBODY), "--bot", bot.name

    code, _, err = onehead("install", *told, "--token-out", str(file))

    assert code == 2
    assert f"The secret can't be written to {file}: No such file or directory. The token was taken back." in err
    assert tokens(project, bot) == []


@pytest.mark.usefixtures("since_16")
def test_who_may_not_make_the_bots_token_is_told_before_anything_is_done(
    project: Project, onehead: Say, tmp_path: Path
) -> None:
    admin, file = project.forgejo.admin, tmp_path / "token"
    bot, chief = admin.create_bot(), admin.create_user("chief", site_admin=True)
    weak = admin.create_token(chief.name, ["write:repository", "read:user"])
    more = [*here(project, NOBODY), "--bot", bot.name, "--token-out", str(file)]

    code, _, err = onehead("install", project.forgejo.url, project.owner.token, *more)
    assert (code, "--system and --token-out a site administrator." in err) == (2, True)
    code, _, err = onehead("install", project.forgejo.url, weak, *more)
    assert (code, "The administrator's token lacks the scope write:admin." in err) == (2, True)
    assert (hooks(project), file.exists(), tokens(project, bot)) == ([], False, [])
    file.touch()
    code, _, err = onehead("install", project.forgejo.url, chief.token, *more)
    assert (code, f"--token-out names {file}, which is empty." in err) == (2, True)
    file.write_text("a line of a log\n0123456789\n")
    code, _, err = onehead("install", project.forgejo.url, chief.token, *more)
    assert (code, f"{file} holds more than a token." in err, "0123456789" in err) == (2, True, False)


@pytest.mark.usefixtures("before_16")
def test_an_older_forgejo_can_be_told_by_hand_to_make_the_bots_token(
    project: Project, onehead: Say, tmp_path: Path
) -> None:
    bot, file = project.forgejo.admin.create_bot(), tmp_path / "token"
    told = project.forgejo.url, project.owner.token, *here(project, NOBODY), "--bot", bot.name

    code, _, err = onehead("install", *told, "--token-out", str(file))

    assert code == 2
    assert "makes no token for another account; 16 and newer do. Nothing was done yet." in err
    [line] = [line for line in err.splitlines() if "umask" in line]
    command = line.partition("type: ")[2]
    assert "--scopes write:repository,write:issue,read:user --raw | tail -n 1 > token)" in command
    assert hooks(project) == []
    if isinstance(project.forgejo, RealForgejo):
        project.forgejo.type(command, tmp_path)
        secret = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    else:
        secret = project.forgejo.admin.create_token(bot.name, BOT_SCOPES)
        file.write_text(secret)

    code, out, _ = onehead("install", *told, "--token-out", str(file))

    assert (code, f"bot's token: it is in {file}: already so." in out) == (0, True)
    with ForgejoApi(Connection(project.forgejo.url, secret)) as api:
        assert api.me().id == bot.id


def test_a_token_is_made_for_nobody_but_the_bot(onehead: Say) -> None:
    code, _, err = onehead("install", "http://127.0.0.1:9", "t0k3n", "--repo", "a/b", "--token-out", "file")

    assert code == 2
    assert "--token-out makes a token for the bot, and no bot is named." in err
    assert "Add --bot NAME." in err


def test_a_lost_webhook_is_made_again(project: Project) -> None:
    admin, name = project.forgejo.admin, RepositoryName.parse(project.repository.full_name)
    bot = admin.create_bot()
    with ForgejoApi(Connection(project.forgejo.url, bot.token)) as api:
        admin.add_collaborator(project.repository, bot, "write")
        assert ensure_webhook(api, api.repository(name), NOBODY, SECRET) is False
        assert hooks(project) == []
        admin.add_collaborator(project.repository, bot, "admin")
        assert ensure_webhook(api, api.repository(name), NOBODY, SECRET) is True
        assert ensure_webhook(api, api.repository(name), NOBODY, SECRET) is False
        [hook] = hooks(project)
        project.api.call("DELETE", f"{project.repository.path}/hooks/{hook['id']}", expect=204)
        assert ensure_webhook(api, api.repository(name), NOBODY, SECRET) is True
        [hook] = hooks(project)
        assert (hook["active"], set(hook["events"])) == (True, TOLD)


@pytest.mark.slow
def test_clean_takes_open_repairs_away_but_no_persons_work(service: Service, onehead: Say) -> None:
    project, copy = service.project, service.project.copy
    copy.commit(merged(alembic_project(), chain(("017", None), ("018", "017"))), "Start")
    copy.push()
    for number, name in (("020", "oauth"), ("021", "billing")):
        project.push_branch(name, chain((number, "018")))
        project.open_pull(name)
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.settle()
    assert service.onehead_branches() == ["onehead/reparent/billing", "onehead/reparent/oauth"]
    copy.git("fetch", "-q", "origin")
    copy.git("checkout", "-q", "-b", "onehead/reparent/billing", "origin/onehead/reparent/billing")
    copy.commit({"mine.txt": "a person's work\n"}, "My own idea")
    copy.push()
    service.settle()
    more = [*here(project, service.url), "--bot", service.bot.name, "--clean"]

    code, out, _ = onehead("uninstall", project.forgejo.url, project.owner.token, *more)

    assert code == 0
    assert "left the branch onehead/reparent/billing: its last commit is somebody else's" in out
    assert "deleted the branch onehead/reparent/oauth" in out
    assert service.onehead_branches() == ["onehead/reparent/billing"]
    assert [each["head"]["ref"] for each in service.repairs()] == ["onehead/reparent/billing"]
    _, again, _ = onehead("uninstall", project.forgejo.url, project.owner.token, *more)
    assert "deleted" not in again
    assert "closed" not in again


@pytest.mark.slow
def test_clean_deletes_refs_too_and_what_databases_reported_only_when_asked(service: Service, onehead: Say) -> None:
    project, copy = service.project, service.project.copy
    copy.commit({"a": "b\n"}, "Start")
    copy.push()
    ours = ["refs/onehead/databases", "refs/onehead/merge/pr-12", "refs/onehead/reparent/pr-7"]
    for ref in (*ours, "refs/onehead/somebody/elses"):
        copy.push(f"main:{ref}")
    more = [*here(project, service.url), "--bot", service.bot.name]

    def refs() -> list[str]:
        return [line.split("\t")[1] for line in copy.git("ls-remote", "origin", "refs/onehead/*").splitlines()]

    onehead("uninstall", project.forgejo.url, project.owner.token, *more)
    assert refs() == [*ours, "refs/onehead/somebody/elses"]
    code, out, _ = onehead("uninstall", project.forgejo.url, project.owner.token, *more, "--clean")
    assert code == 0
    assert "deleted the ref refs/onehead/merge/pr-12; deleted the ref refs/onehead/reparent/pr-7." in out
    assert refs() == ["refs/onehead/databases", "refs/onehead/somebody/elses"]
    for said in ("deleted the ref refs/onehead/databases", "none have reported"):
        code, out, _ = onehead("uninstall", project.forgejo.url, project.owner.token, *more, "--forget-databases")
        assert code == 0
        assert f"databases of {project.repository.full_name}: {said}." in out
    assert refs() == ["refs/onehead/somebody/elses"]
