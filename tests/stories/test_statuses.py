"""What the commit status says: the next step, the environments in trouble, and a link to the account."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from onehead.cli.main import main
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.migrations import ENV_PY, chain, merged, revision
from tests.stories.colliding import BASE, collide
from tests.stories.conftest import Service
from tests.stories.test_fork_pulls import collide as collide_in_a_fork

FORKED = "Once merged, the chain forks after 018: 2 heads (019 and 020); 020 is the new one."


def newest(service: Service, sha: str) -> dict[str, Any]:
    return max(service.statuses(sha), key=lambda status: int(status["id"]))


def test_it_names_the_repair_and_leads_to_the_comment_whatever_that_says_later(service: Service) -> None:
    number, sha = collide(service)
    [repair], [comment] = service.repairs(), service.verdicts(number)
    status = newest(service, sha)
    assert status["description"] == f"{FORKED} Next: merge #{repair['number']}."
    assert status["target_url"] == comment["html_url"]
    assert f"/pulls/{number}#" in status["target_url"]

    before = service.statuses(sha)
    service.sweep()
    assert service.statuses(sha) == before

    service.project.merge(repair["number"])
    service.settle()
    tip = service.project.pull(number)["head"]["sha"]
    assert newest(service, tip)["target_url"] == comment["html_url"]


def test_of_a_branch_and_of_a_target_it_leads_to_the_page_that_tells_of_them(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, chain(("019", "018"), ("0190", "018"))), "Two at once")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    main_sha = copy.git("rev-parse", "main")
    assert newest(service, main_sha)["description"].endswith(f" Next: merge #{repair['number']}.")
    assert newest(service, main_sha)["target_url"] == repair["html_url"]

    sha = service.project.push_branch("oauth", chain(("020", "018")))
    service.settle()
    [own] = [each for each in service.repairs() if each["base"]["ref"] == "oauth"]
    assert newest(service, sha)["description"].endswith(f" Next: merge #{own['number']}.")
    assert newest(service, sha)["target_url"] == own["html_url"]


def test_a_healthy_pull_request_of_which_nothing_was_said_has_no_link(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    sha = service.project.push_branch("oauth", chain(("019", "018")))
    service.project.open_pull("oauth")
    service.settle()
    assert [status["target_url"] for status in service.statuses(sha)] == [""]


def test_a_fork_is_told_to_ask(service: Service, work_copy: WorkCopies, api_of: Apis) -> None:
    _, _, sha = collide_in_a_fork(service, work_copy, api_of, edits=False)
    assert newest(service, sha)["description"] == (
        f"{FORKED} Next: comment /onehead apply, or take the patch from the comment."
    )


def test_a_draft_says_what_brings_the_repair(service: Service) -> None:
    _, sha = collide(service, title="WIP: OAuth tokens")
    assert newest(service, sha)["description"] == f"{FORKED} Next: mark it as ready; the repair is offered then."


def test_where_no_page_says_more_the_command_is_named_and_works(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = service.project.copy
    copy.commit(BASE | {".onehead.toml": 'branches = "status"\n'}, "Start")
    copy.push()
    sha = service.project.push_branch("o'auth", chain(("020", "018")))
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.settle()

    said = newest(service, sha)["description"].partition(" Next: ")[2]
    program, *arguments = shlex.split(said)
    assert program == "onehead"
    copy.git("fetch", "-q", "origin")
    capsys.readouterr()
    main([*arguments, "--repo", str(copy.folder)])
    assert copy.git("rev-list", "--count", "o'auth..onehead/reparent/o'auth") != "0"


def test_with_several_environments_those_in_trouble_are_named(service: Service) -> None:
    copy, project = service.project.copy, service.project
    places = ("billing", "users", "stats")

    def in_each(id_: str, parent: str | None, *folders: str) -> dict[str, str]:
        return merged(*(revision(id_, parent, versions=f"{folder}/versions") for folder in folders))

    configured = {f"{place}.ini": f"[alembic]\nscript_location = {place}\n" for place in places}
    scripts = merged(configured, {f"{place}/env.py": ENV_PY for place in places})
    copy.commit(merged(scripts, in_each("017", None, *places), in_each("018", "017", *places)), "Start")
    copy.push()
    one = project.push_branch("one", in_each("020", "018", "users"))
    two = project.push_branch("two", in_each("021", "018", "billing", "users"))
    copy.commit(in_each("019", "018", *places), "Everywhere")
    copy.push()
    number = project.open_pull("one")["number"]
    project.open_pull("two")
    service.settle()
    assert "\n### `users/versions`\n" in service.verdicts(number)[0]["body"]
    assert newest(service, one)["description"].startswith("users/versions: Once merged, the chain forks after 018")
    assert newest(service, two)["description"].startswith(
        "billing/versions (also users/versions): Once merged, the chain forks after 018"
    )


def test_heads_up_comments_can_be_switched_off_but_not_the_one_that_has_to_wait(service: Service) -> None:
    copy, project = service.project.copy, service.project
    copy.commit(BASE | {".onehead.toml": "heads-up = false\n"}, "Start")
    copy.push()
    shas = [project.push_branch(name, chain((id_, "018"))) for name, id_ in (("teams", "019"), ("oauth", "020"))]
    numbers = [project.open_pull(name)["number"] for name in ("teams", "oauth")]
    service.settle()
    assert [service.comments(number) for number in numbers] == [[], []]
    assert all("Heads-up: #" in newest(service, sha)["description"] for sha in shas)

    project.push_branch("badges", revision("019", "018", "badges"))
    third = project.open_pull("badges")["number"]
    service.settle()
    assert "has the id `019` too" in service.verdicts(third)[0]["body"]
    assert service.comments(numbers[0]) == []

    copy.commit({".onehead.toml": "heads-up = true\n"}, "Tell us")
    copy.push()
    service.settle()
    assert "Heads-up" in service.verdicts(numbers[0])[0]["body"]
