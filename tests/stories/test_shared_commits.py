"""Several things are judged of one commit: it has one status, and one branch has one repair."""

from __future__ import annotations

import pytest

from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

BASE = merged(
    alembic_project(),
    chain(("017", None), ("018", "017")),
    {".onehead.toml": 'targets = ["main", "release/*"]\n'},
)


def proposed_twice(service: Service) -> tuple[int, int, str]:
    """020 on 018, proposed to main at 018 and to release/1 at 019: both numbers, and the commit."""
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.push_branch("release/1", chain(("019", "018")))
    sha = service.project.push_branch("hotfix", chain(("020", "018")))
    well = service.project.open_pull("hotfix", title="Fix it")["number"]
    collides = service.project.open_pull("hotfix", base="release/1", title="Fix it in the release")["number"]
    service.settle()
    return well, collides, sha


@pytest.mark.slow
def test_the_worst_verdict_counts_and_stays(service: Service) -> None:
    _, _, sha = proposed_twice(service)
    assert service.status(sha)[0] == "failure"
    before = len(service.statuses(sha))
    service.sweep()
    service.sweep()
    assert service.status(sha)[0] == "failure"
    assert len(service.statuses(sha)) == before


def test_the_status_names_which_of_them_is_not_well(service: Service) -> None:
    _, collides, sha = proposed_twice(service)
    assert service.status(sha)[1].startswith(f"#{collides} into release/1: Once merged, the chain forks after 018")


def test_a_page_that_is_well_does_not_say_that_all_is_done_while_the_other_is_red(service: Service) -> None:
    well, collides, _ = proposed_twice(service)
    copy = service.project.copy
    copy.commit(chain(("0195", "018")), "Main moves on")
    copy.push()
    service.settle()
    [repair] = service.repairs()
    service.project.merge(repair["number"])  # onto main's head: in the release nothing is better by that
    service.settle()
    service.sweep()

    [told] = service.verdicts(well)
    assert service.status(service.project.pull(well)["head"]["sha"])[0] == "failure"
    assert f"Repaired here, but not for #{collides} into `release/1`\n" in told["body"]
    assert f"**Next:** look at #{collides} into `release/1`;" in told["body"]

    service.project.close_pull(collides)
    service.settle()
    [after] = service.verdicts(well)
    assert "## :tada: Repaired\n" in after["body"]
    assert service.status(service.project.pull(well)["head"]["sha"])[0] == "success"


def test_a_repair_stays_while_one_of_the_pull_requests_needs_it(service: Service) -> None:
    _, collides, _ = proposed_twice(service)
    [repair] = service.repairs()
    assert f"A repair is ready: #{repair['number']}" in service.verdicts(collides)[0]["body"]
    service.sweep()
    [same] = service.repairs()
    assert (same["number"], same["head"]["sha"]) == (repair["number"], repair["head"]["sha"])


@pytest.mark.slow
def test_of_two_that_need_a_repair_one_is_repaired_first(service: Service) -> None:
    first, second, _ = proposed_twice(service)
    copy = service.project.copy
    copy.commit(chain(("0195", "018")), "Main moves on")
    copy.push()
    service.settle()
    service.sweep()
    [repair] = service.repairs()
    assert f"A repair is ready: #{repair['number']}" in service.verdicts(first)[0]["body"]
    assert f"wait for #{first}" in service.verdicts(second)[0]["body"]

    service.project.edit_pull(second, state="closed")
    service.settle()
    assert len(service.repairs()) == 1


def test_a_success_is_told_when_all_are_well(service: Service) -> None:
    _, collides, sha = proposed_twice(service)
    service.project.close_pull(collides)
    service.settle()
    assert service.status(sha)[0] == "success"
    assert service.repairs() == []


@pytest.mark.slow
def test_a_fork_of_two_deployed_branches_is_told_in_one_comment(service: Service) -> None:
    """A release branch was made from a forked main: the pages that brought the fork speak of main until it is well."""
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.forgejo.lose_webhooks(True)
    for name, id_ in (("teams", "019"), ("oauth", "020")):
        service.project.push_branch(name, chain((id_, "018")))
    numbers = [service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth")]
    for number in numbers:
        service.project.merge(number)
    copy.pull()
    copy.push("main:refs/heads/release/1")
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.sweep()

    told = {number: service.verdicts(number) for number in numbers}
    for [comment] in told.values():
        assert "`main` is forked after `018`" in comment["body"]
    service.sweep()
    service.sweep()
    assert {number: service.verdicts(number) for number in numbers} == told

    repairs = {repair["base"]["ref"]: repair["number"] for repair in service.repairs()}
    assert repairs.keys() == {"main", "release/1"}
    service.project.merge(repairs["main"])
    service.settle()
    for number in numbers:
        [comment] = service.verdicts(number)
        assert "`release/1` is forked after `018`" in comment["body"]

    # A second merge revision of the same heads would fork anew where the two branches meet: release/1 takes main's.
    assert service.repairs() == []
    copy.pull()
    copy.push("main:refs/heads/release/1")
    service.settle()
    service.sweep()
    for number in numbers:
        [comment] = service.verdicts(number)
        assert "Resolved" in comment["body"] or "Repaired" in comment["body"]
