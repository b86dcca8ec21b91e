"""A repair pull request is a pull request too: its check, its own page, and being the same one from run to run."""

from __future__ import annotations

import pytest

from tests.migrations import chain, merged
from tests.stories.colliding import BASE, collide
from tests.stories.conftest import Service


def lone_branch(service: Service) -> None:
    """A branch without a pull request that collides with main, and its repair."""
    copy = service.project.copy
    copy.commit(merged(BASE, chain(("019", "018"))), "Start")
    copy.push()
    service.project.push_branch("oauth", chain(("020", "018")))
    service.settle()


def test_a_repair_has_its_status_without_waiting_for_a_sweep(service: Service) -> None:
    lone_branch(service)
    [repair] = service.repairs()
    assert service.status(repair["head"]["sha"]) == ("success", "A repair of oauth, which is judged itself.")


def test_a_repair_of_a_target_is_judged_when_it_is_opened(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, chain(("019", "018"), ("020", "018"))), "Two at once")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    assert service.status(repair["head"]["sha"])[0] == "success"


def test_a_repair_that_moves_on_takes_its_status_along(service: Service) -> None:
    lone_branch(service)
    copy = service.project.copy
    copy.switch("oauth")
    copy.commit(chain(("021", "020")), "More tokens")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    assert service.status(repair["head"]["sha"])[0] == "success"


def test_what_a_repair_told_moves_to_the_pull_request_that_is_opened_later(service: Service) -> None:
    lone_branch(service)
    [repair] = service.repairs()
    assert "| this branch | `020` t020 |" in repair["body"]

    number = service.project.open_pull("oauth")["number"]
    service.settle()
    [after] = service.repairs()
    assert f"would collide with `main`: see #{number}." in after["body"]
    assert "| this branch |" not in after["body"]
    assert service.comments(repair["number"]) == []
    [verdict] = service.verdicts(number)
    assert f"A repair is ready: #{repair['number']}" in verdict["body"]


@pytest.mark.slow
def test_the_second_fork_of_a_target_is_told_and_ended_like_the_first(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    for name, id_ in (("teams", "019"), ("oauth", "020"), ("late", "030")):
        service.project.push_branch(name, chain((id_, "018")))
    landed = {name: service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth", "late")}
    for names in (("teams", "oauth"), ("late",)):
        for name in names:
            service.project.merge(landed[name])
        service.settle()
        [repair] = [pull for pull in service.repairs() if pull["base"]["ref"] == "main"]
        assert f"A repair is ready: #{repair['number']}" in service.verdicts(landed[names[-1]])[0]["body"]
        service.project.merge(repair["number"])
        service.settle()
        assert f"#{repair['number']} is merged" in service.verdicts(landed[names[-1]])[0]["body"]


@pytest.mark.slow
def test_a_closed_repair_of_a_target_can_be_reopened(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, chain(("019", "018"), ("020", "018"))), "Two at once")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    service.project.close_pull(repair["number"])
    service.settle()
    assert service.repairs() == []
    assert service.onehead_branches() == ["onehead/merge/main"]

    service.project.close_pull(repair["number"], state="open")
    service.settle()
    assert [pull["number"] for pull in service.repairs()] == [repair["number"]]


@pytest.mark.slow
def test_a_branch_that_goes_on_after_its_merge_keeps_its_repair(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    for name, id_ in (("teams", "019"), ("oauth", "020")):
        service.project.push_branch(name, chain((id_, "018")))
        service.project.merge(service.project.open_pull(name, title=name)["number"])
    copy.switch("oauth")
    copy.commit(chain(("030", "018")), "One more")
    copy.push()
    copy.switch("main")
    service.settle()
    [before] = [pull for pull in service.repairs() if pull["base"]["ref"] == "oauth"]

    service.sweep()
    service.sweep()
    [after] = [pull for pull in service.repairs() if pull["base"]["ref"] == "oauth"]
    assert after["number"] == before["number"]


def take_over(service: Service, branch: str, files: dict[str, str]) -> str:
    """Somebody commits to a repair's branch."""
    copy = service.project.copy
    copy.git("fetch", "-q", "origin")
    copy.git("switch", "-q", "-C", branch, f"origin/{branch}")
    sha = copy.commit(files, "My own idea")
    copy.push()
    copy.switch("main")
    service.settle()
    return sha


def main_moves(service: Service, id_: str, parent: str) -> None:
    service.project.copy.commit(chain((id_, parent)), "Main moves on")
    service.project.copy.push()
    service.settle()


def next_step(body: str) -> str:
    return body.partition("**Next:** ")[2].partition("\n")[0]


def test_an_edited_repair_that_main_overtakes_is_red_and_says_so_until_somebody_finishes_it(service: Service) -> None:
    copy, project = service.project.copy, service.project
    copy.commit(BASE, "Start")
    copy.push()
    project.push_branch("oauth", chain(("020", "018")))
    number = project.open_pull("oauth")["number"]
    main_moves(service, "019", "018")
    [repair] = service.repairs()
    mine = take_over(service, "onehead/reparent/oauth", {"NOTES": "mine\n"})
    assert service.status(mine)[0] == "success"

    main_moves(service, "0195", "019")

    fault = "Once merged, the chain forks after 019: 2 heads (0195 and 020); 020 is the new one."
    state, said = service.status(mine)
    assert (state, said.startswith("As it is, this does not repair oauth: Once merged, the chain forks")) == (
        "failure",
        True,
    )
    assert said.endswith("Next: see the description.")
    way = f"do not merge #{repair['number']} as it is. Somebody has changed its branch, so onehead does not touch it."
    [verdict] = service.verdicts(number)
    assert next_step(verdict["body"]).startswith(way)
    assert fault in next_step(verdict["body"])
    again = "Finish it there, or delete `onehead/reparent/oauth` and write `/onehead auto` for a new one."
    assert next_step(verdict["body"]).endswith(again)
    body = project.pull(repair["number"])["body"]
    assert next_step(body).startswith(way)
    assert "**Next:** merge it" not in body

    copy.git("switch", "-q", "onehead/reparent/oauth")
    copy.git("merge", "-q", "--no-edit", "main")
    copy.commit(chain(("020", "0195")), "Onto the newest one")
    copy.push()
    copy.switch("main")
    service.settle()
    done = copy.git("rev-parse", "onehead/reparent/oauth")
    assert service.status(done) == ("success", "A repair of oauth, which is judged itself.")
    assert next_step(project.pull(repair["number"])["body"]).startswith(
        f"merge #{repair['number']}, which still repairs the chain."
    )
    project.merge(repair["number"])
    service.settle()
    assert "Repaired" in service.verdicts(number)[0]["body"]


def test_what_an_overtaken_repair_says_of_a_new_one_works(service: Service) -> None:
    copy, project = service.project.copy, service.project
    copy.commit(BASE, "Start")
    copy.push()
    project.push_branch("oauth", chain(("020", "018")))
    number = project.open_pull("oauth")["number"]
    main_moves(service, "019", "018")
    take_over(service, "onehead/reparent/oauth", {"NOTES": "mine\n"})
    main_moves(service, "0195", "019")

    copy.push(":onehead/reparent/oauth")
    service.settle()
    service.ask(number, "/onehead auto")

    [repair] = service.repairs()
    assert service.status(repair["head"]["sha"])[0] == "success"
    assert next_step(repair["body"]) == "merge it. It closes by itself when it is no longer needed."
    assert f"A repair is ready: #{repair['number']}" in service.verdicts(number)[0]["body"]


def test_an_edited_repair_of_main_is_red_once_main_has_another_head(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, chain(("019", "018"), ("020", "018"))), "Two at once")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    mine = take_over(service, "onehead/merge/main", {"NOTES": "mine\n"})
    assert service.status(mine)[0] == "success"

    main_moves(service, "beef", "018")

    state, text = service.status(mine)
    assert (state, text.partition(" forks after 018")[0]) == (
        "failure",
        "As it is, this does not repair main: The chain",
    )
    assert next_step(service.project.pull(repair["number"])["body"]).startswith("do not merge #")
    assert service.verdicts(repair["number"]) == []
    asked = service.ask(service.project.open_issue("Deploys fail"), "/onehead explain")
    assert f"merge #{repair['number']}" not in asked


def test_an_edited_repair_that_git_can_not_merge_any_more_is_red(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, {"notes.txt": "a\n"}), "Start")
    copy.push()
    service.project.push_branch("oauth", chain(("020", "018")))
    service.project.open_pull("oauth")
    main_moves(service, "019", "018")
    mine = take_over(service, "onehead/reparent/oauth", {"notes.txt": "b\n"})
    copy.switch("oauth")
    copy.commit({"notes.txt": "c\n"}, "Other notes")
    copy.push()
    copy.switch("main")
    service.settle()

    assert service.status(mine) == (
        "failure",
        "As it is, this does not repair oauth: git can't merge it into oauth by itself. Next: see the description.",
    )


def commits(service: Service, number: int) -> list[str]:
    found = service.project.api.get(f"{service.project.repository.path}/pulls/{number}/commits")
    return [commit["sha"] for commit in found]


def test_whatever_is_chosen_there_is_one_repair_of_each_kind(service: Service) -> None:
    number, _ = collide(service)
    [moved] = service.repairs()
    for command in ("ignore we know", "unignore", "merge", "auto", "merge", "auto"):
        service.ask(number, f"/onehead {command}")

    everything = service.repairs(state="all")
    assert sorted(pull["head"]["label"] for pull in everything) == ["onehead/merge/oauth", "onehead/reparent/oauth"]
    [repair] = service.repairs()
    assert repair["number"] == moved["number"]
    assert f"A repair is ready: #{moved['number']}" in service.verdicts(number)[0]["body"]
    assert len(service.comments(moved["number"])) == 1
    assert "Opened again, because" in service.closing_words(moved["number"])
    [other] = [pull["number"] for pull in everything if pull["number"] != moved["number"]]
    assert "Closed, because" in service.closing_words(other)


def test_a_repair_that_is_opened_again_shows_and_judges_what_is_new_in_it(service: Service) -> None:
    number, _ = collide(service)
    [before] = service.repairs()
    service.project.edit_pull(number, title="WIP: oauth")
    service.settle()
    assert service.repairs() == []
    main_moves(service, "0195", "019")
    service.project.edit_pull(number, title="oauth")
    service.settle()
    service.project.forgejo.wait_until_quiet()

    [after] = service.repairs()
    assert (after["number"], after["head"]["ref"]) == (before["number"], "onehead/reparent/oauth")
    assert after["head"]["sha"] != before["head"]["sha"]
    assert commits(service, after["number"])[0] == after["head"]["sha"]
    assert service.status(after["head"]["sha"])[0] == "success"
    assert "0195" in after["body"]
    assert next_step(after["body"]).startswith("merge it.")
    service.project.merge(after["number"])
    service.settle()
    assert "Repaired" in service.verdicts(number)[0]["body"]


def test_a_repair_that_a_person_closes_after_it_was_opened_again_stays_closed(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    service.ask(number, "/onehead ignore")
    service.ask(number, "/onehead unignore")
    assert [each["number"] for each in service.repairs()] == [repair["number"]]

    service.project.close_pull(repair["number"])
    service.settle()
    service.sweep()
    assert service.repairs() == []
    assert f"the repair, #{repair['number']}, was closed" in service.verdicts(number)[0]["body"]

    service.ask(number, "/onehead auto")
    assert [each["number"] for each in service.repairs()] == [repair["number"]]


def test_the_repair_of_a_lone_branch_comes_back_for_its_pull_request(service: Service) -> None:
    lone_branch(service)
    [repair] = service.repairs()
    number = service.project.open_pull("oauth", title="WIP: oauth")["number"]
    service.settle()
    assert service.repairs() == []

    service.project.edit_pull(number, title="oauth")
    service.settle()
    assert [each["number"] for each in service.repairs()] == [repair["number"]]
    [again] = service.repairs()
    assert f"would collide with `main`: see #{number}." in again["body"]
