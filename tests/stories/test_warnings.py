"""What is healthy and yet not harmless: the status says so, and a comment where databases lose by it."""

from __future__ import annotations

from collections.abc import Mapping

from tests.migrations import chain, merged, revision
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

VERSIONS = "alembic/versions"
BASE = merged(alembic_project(), chain(("017", None), ("018", "017"), ("019", "018")))
REMOVED = {f"{VERSIONS}/019_t019.py": None}


def propose(service: Service, files: Mapping[str, str | None], *, title: str = "Clean up") -> tuple[int, str]:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    sha = service.project.push_branch("cleanup", files)
    number = service.project.open_pull("cleanup", title=title)["number"]
    service.settle()
    return number, sha


def test_a_removed_revision_is_told_with_the_databases_that_stop(service: Service) -> None:
    number, sha = propose(service, {**REMOVED})

    state, said = service.status(sha)
    assert state == "success"
    assert said.startswith("One head. Read 1 environment, 2 of 2 revision files. 1 warning: 019 is removed.")
    [comment] = service.verdicts(number)
    assert "## :warning: This changes migrations that `main` has already\n" in comment["body"]
    assert "- `019` is removed. Databases at it stop with" in comment["body"]
    assert "| `019` | :x: Can't locate revision identified by '019' |" in comment["body"]
    assert service.repairs() == []


def test_it_is_over_when_the_branch_takes_it_back(service: Service) -> None:
    number, _ = propose(service, {**REMOVED})
    copy = service.project.copy
    copy.switch("cleanup")
    sha = copy.commit(revision("019", "018"), "Take it back")
    copy.push()
    copy.switch("main")
    service.settle()

    assert service.status(sha) == ("success", "One head. Read 1 environment, 3 of 3 revision files.")
    [comment] = service.verdicts(number)
    assert "Resolved" in comment["body"]
    assert (
        "No published migration is changed here any more. `alembic upgrade head` finds one head, `019`."
        in (comment["body"])
    )


def test_a_merge_does_not_wipe_the_warning_away(service: Service) -> None:
    number, _ = propose(service, {**REMOVED})
    service.project.merge(number)
    service.settle()
    service.sweep()

    [comment] = service.verdicts(number)
    assert "Merged, with a warning" in comment["body"]
    assert "`/onehead doctor ROW`" in comment["body"]


def test_a_draft_has_the_status_only(service: Service) -> None:
    number, sha = propose(service, {**REMOVED}, title="WIP: Clean up")
    assert "1 warning: 019 is removed." in service.status(sha)[1]
    assert service.comments(number) == []


def test_a_rival_is_told_of_in_the_same_comment(service: Service) -> None:
    number, sha = propose(service, merged(chain(("beneath", "018"), ("020", "019")), revision("019", "beneath")))
    service.project.push_branch("rival", chain(("021", "019")))
    other = service.project.open_pull("rival", title="One more")["number"]
    service.settle()

    [comment] = service.verdicts(number)
    assert "| `019` | :warning: **beneath never runs** |" in comment["body"]
    assert f"Also open: #{other} also adds a revision after `019`." in comment["body"]
    state, said = service.status(sha)
    assert state == "success"
    assert f"Heads-up: #{other} would collide" in said
    assert "1 warning: The parent of 019 was 018; beneath is put beneath it." in said
