"""A repair pull request is a pull request too: its check, its own page, and being the same one from run to run."""

from __future__ import annotations

from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

BASE = merged(alembic_project(), chain(("017", None), ("018", "017")))


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
    [told] = service.verdicts(repair["number"])
    assert "both add a migration" in told["body"]

    number = service.project.open_pull("oauth")["number"]
    service.settle()
    [ended] = service.verdicts(repair["number"])
    assert "Continued" in ended["body"]
    assert f"#{number}" in ended["body"]
    [verdict] = service.verdicts(number)
    assert f"A repair is ready: #{repair['number']}" in verdict["body"]


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
