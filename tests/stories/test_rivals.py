"""Pull requests that would collide with each other are told so before either has landed."""

from __future__ import annotations

import pytest

from tests.migrations import chain, revision
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def two(service: Service, mine: dict[str, str], theirs: dict[str, str]) -> tuple[list[int], list[str]]:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    shas = [service.project.push_branch("teams", mine), service.project.push_branch("oauth", theirs)]
    numbers = [service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth")]
    service.settle()
    return numbers, shas


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_heads_up_goes_when_the_rival_goes(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), chain(("020", "018")))
    service.project.close_pull(second)
    service.settle()

    assert "Resolved" in service.verdicts(first)[0]["body"]
    assert service.status(shas[0]) == ("success", "One head. Read 1 environment, 3 of 3 revision files.")


@pytest.mark.slow
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


@pytest.mark.slow
def test_three_are_told_of_each_other_and_in_which_order(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), chain(("020", "018")))
    third_sha = service.project.push_branch("badges", chain(("021", "018")))
    third = service.project.open_pull("badges", title="badges")["number"]
    service.settle()

    everybody = {first: shas[0], second: shas[1], third: third_sha}
    for me, sha in everybody.items():
        [comment] = service.verdicts(me)
        others = [number for number in everybody if number != me]
        assert f"- #{others[0]} and #{others[1]} also add a revision after `018`\n" in comment["body"]
        order = " → ".join(f"#{each}" + (" (this one)" if each == me else "") for each in everybody)
        assert (
            f"Suggested order: {order}. When the first one is merged, onehead judges the others again"
            in comment["body"]
        )
        state, description = service.status(sha)
        assert state == "success"
        assert description == (
            f"One head. Heads-up: #{others[0]} and #{others[1]} would collide with this once both land; "
            "the second is repaired then."
        )

    # The promise is kept: both others get their repair when the first has landed, and are told of each other still.
    service.project.merge(first)
    service.settle()
    assert sorted(repair["base"]["ref"] for repair in service.repairs()) == ["badges", "oauth"]
    [comment] = service.verdicts(second)
    assert f"Also open: #{third} also adds a revision after `018`." in comment["body"]


def test_the_same_number_under_another_parent_is_a_clash_too(service: Service) -> None:
    copy = service.project.copy
    copy.commit(revision("016", None), "A second chain, meant to be one")
    [badges] = revision("beef", "016", "badges").values()
    (first, second), shas = two(service, chain(("019", "018")), {"alembic/versions/019_badges.py": badges})
    assert f"#{second} also uses the number `19`" in service.verdicts(first)[0]["body"]
    assert f"#{first} also uses the number `19`" in service.verdicts(second)[0]["body"]
    assert [service.status(sha)[0] for sha in shas] == ["success", "success"]


def test_a_draft_is_nobodys_rival_until_it_is_ready(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), chain(("020", "018")))
    assert "Heads-up" in service.verdicts(first)[0]["body"]

    service.project.edit_pull(second, title="WIP: oauth")
    service.settle()
    assert "Resolved" in service.verdicts(first)[0]["body"]
    assert service.status(shas[0])[1].startswith("One head. Read")
    assert "Resolved" in service.verdicts(second)[0]["body"]

    service.project.edit_pull(second, title="oauth")
    service.settle()
    assert "Heads-up" in service.verdicts(first)[0]["body"]
    assert "Heads-up" in service.verdicts(second)[0]["body"]
    assert [len(service.verdicts(number)) for number in (first, second)] == [1, 1]


def test_the_younger_of_two_with_the_same_id_is_free_again_when_the_older_one_gives_it_up(service: Service) -> None:
    (first, second), shas = two(service, chain(("019", "018")), revision("019", "018", "badges"))
    assert service.status(shas[1])[0] == "failure"
    service.project.close_pull(first)
    service.settle()

    assert service.status(shas[1])[0] == "success"
    assert "Resolved" in service.verdicts(second)[0]["body"]
