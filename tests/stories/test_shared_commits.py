"""Several things are judged of one commit: it has one status, and one branch has one repair."""

from __future__ import annotations

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


def test_the_worst_verdict_counts_and_stays(service: Service) -> None:
    _, _, sha = proposed_twice(service)
    assert service.status(sha)[0] == "failure"
    before = len(service.statuses(sha))
    service.sweep()
    service.sweep()
    assert service.status(sha)[0] == "failure"
    assert len(service.statuses(sha)) == before


def test_a_repair_stays_while_one_of_the_pull_requests_needs_it(service: Service) -> None:
    _, collides, _ = proposed_twice(service)
    [repair] = service.repairs()
    assert f"A repair is ready: #{repair['number']}" in service.verdicts(collides)[0]["body"]
    service.sweep()
    [same] = service.repairs()
    assert (same["number"], same["head"]["sha"]) == (repair["number"], repair["head"]["sha"])


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
