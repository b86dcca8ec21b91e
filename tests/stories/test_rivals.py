"""Pull requests that would collide with each other are told so before either has landed."""

from __future__ import annotations

from tests.migrations import chain, merged, revision
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

BASE = merged(alembic_project(), chain(("017", None), ("018", "017")))


def two(service: Service, mine: dict[str, str], theirs: dict[str, str]) -> tuple[list[int], list[str]]:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    shas = [service.project.push_branch("teams", mine), service.project.push_branch("oauth", theirs)]
    numbers = [service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth")]
    service.settle()
    return numbers, shas


def test_both_get_a_heads_up_and_the_second_gets_its_repair_when_the_first_has_landed(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), chain(("020", "018")))
    for me, other, sha in ((first, second, shas[0]), (second, first, shas[1])):
        [comment] = service.verdicts(me)
        assert "Heads-up" in comment["body"]
        assert f"#{other} also adds a revision after `018`" in comment["body"]
        state, description = service.status(sha)
        assert state == "success"
        assert f"Heads-up: #{other} would collide" in description
    assert service.repairs() == []
    [before] = service.verdicts(second)

    service.project.merge(first)
    service.settle()

    [after] = service.verdicts(second)
    assert after["id"] == before["id"]
    assert "both add a migration after `018`" in after["body"]
    assert service.status(shas[1])[0] == "failure"
    [repair] = service.repairs()
    assert repair["base"]["ref"] == "oauth"
    assert "Resolved" in service.verdicts(first)[0]["body"]


def test_the_heads_up_goes_when_the_rival_goes(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), chain(("020", "018")))
    service.project.close_pull(second)
    service.settle()

    assert "Resolved" in service.verdicts(first)[0]["body"]
    assert service.status(shas[0]) == ("success", "One head. Read 1 environment, 3 of 3 revision files.")


def test_of_two_with_the_same_id_the_younger_one_waits(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), revision("019", "018", "badges"))

    assert service.status(shas[0])[0] == "success"
    assert service.status(shas[1]) == (
        "failure",
        f"#{first} carries another revision with the id 019; merge that first, or give this one an id of its own.",
    )
    assert "has the id `019` too" in service.verdicts(second)[0]["body"]

    service.project.merge(first)
    service.settle()
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/reissue/oauth"


def test_a_branch_built_upon_another_is_not_disturbed(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.push_branch("teams", chain(("019", "018")))
    service.project.push_branch("oauth", chain(("020", "019")), start="teams")
    numbers = [service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth")]
    service.settle()

    assert [service.comments(number) for number in numbers] == [[], []]
