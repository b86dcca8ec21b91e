"""A branch that would fork main gets a pull request and an explanation."""

from __future__ import annotations

import pytest

from onehead.examine import changes
from tests.migrations import chain, merged
from tests.stories.colliding import BASE, collision
from tests.stories.conftest import Service

VERSIONS = "alembic/versions"


def start(service: Service) -> tuple[int, str]:
    """018 on main; a pull request with 020 and 021 on it; main moves to 019."""
    made = collision(service.project, added=("020", "021"))
    service.settle()
    return made


def test_a_collision_gets_a_repair_a_comment_and_a_red_status_and_all_is_well_once_it_is_merged(
    service: Service,
) -> None:
    number, sha = start(service)

    [repair] = service.repairs()
    assert (repair["head"]["ref"], repair["base"]["ref"]) == ("onehead/reparent/oauth", "oauth")
    assert "+down_revision: Union[str, Sequence[str], None] = &#34;019&#34;" not in repair["body"]
    [comment] = service.comments(number)
    assert comment["body"].startswith("<!-- onehead:verdict v1 ")
    assert f"#{repair['number']}" in comment["body"]
    assert "**019 never runs**" in comment["body"]
    state, description = service.status(sha)
    said = "Once merged, the chain forks after 018: 2 heads (019 and 021); 021 is the new one."
    assert (state, description) == ("failure", f"{said} Next: merge #{repair['number']}.")

    service.project.merge(repair["number"])
    service.settle()

    [comment] = service.comments(number)
    assert f"Repaired\n\n#{repair['number']} is merged." in comment["body"]
    tip = service.project.pull(number)["head"]["sha"]
    assert service.status(tip)[0] == "success"
    assert service.repairs() == []

    service.project.merge(number)
    service.settle()
    service.project.copy.pull()
    main = service.project.copy.git("rev-parse", "main").strip()
    assert service.status(main)[0] == "success"


def test_telling_it_again_changes_nothing_and_writes_nothing(service: Service) -> None:
    number, sha = start(service)
    [comment], [repair] = service.comments(number), service.repairs()
    statuses = service.statuses(sha)
    before = len(service.project.forgejo.deliveries())

    service.sweep()
    service.sweep()

    assert service.comments(number)[0]["body"] == comment["body"]
    assert service.comments(number) == [comment]
    assert [pull["head"]["sha"] for pull in service.repairs()] == [repair["head"]["sha"]]
    assert service.statuses(sha) == statuses
    assert len(service.project.forgejo.deliveries()) == before


def test_a_branch_without_a_pull_request_is_told_on_the_repair(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    sha = service.project.push_branch("oauth", chain(("020", "018")), start="main~1")
    service.settle()

    [repair] = service.repairs()
    assert (repair["head"]["ref"], repair["base"]["ref"]) == ("onehead/reparent/oauth", "oauth")
    assert service.comments(repair["number"]) == []
    assert "Once merged, `oauth` would collide with `main`." in repair["body"]
    assert "```mermaid\n" in repair["body"]
    assert "| this branch | `020` t020 |" in repair["body"]
    assert service.status(sha)[0] == "failure"


def test_a_fork_on_main_is_told_to_the_pull_requests_that_brought_it(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.forgejo.lose_webhooks(True)
    service.project.push_branch("teams", chain(("019", "018")))
    service.project.push_branch("oauth", chain(("020", "018")))
    numbers = [service.project.open_pull(name, title=name)["number"] for name in ("teams", "oauth")]
    for number in numbers:
        service.project.merge(number)
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.sweep()

    [repair] = service.repairs()
    assert (repair["head"]["ref"], repair["base"]["ref"]) == ("onehead/merge/main", "main")
    for number in numbers:
        [comment] = service.comments(number)
        assert "`main` is forked after `018`" in comment["body"]
        assert f"in #{numbers[0]}" in comment["body"]
        assert f"in #{numbers[1]}" in comment["body"]
    assert service.comments(repair["number"]) == []
    assert f"in #{numbers[0]}" in repair["body"]

    service.project.merge(repair["number"])
    service.sweep()
    copy.pull()
    assert service.status(copy.git("rev-parse", "main").strip())[0] == "success"


def test_a_persons_work_on_the_repair_is_never_overwritten(service: Service) -> None:
    number, _ = start(service)
    copy = service.project.copy
    copy.git("fetch", "origin")
    copy.git("switch", "-c", "onehead/reparent/oauth", "origin/onehead/reparent/oauth")
    mine = copy.commit({"NOTES": "mine\n"}, "My own idea")
    copy.push()
    copy.switch("main")
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()

    copy.git("fetch", "origin")
    assert copy.git("rev-parse", "origin/onehead/reparent/oauth").strip() == mine
    assert "Somebody has changed its branch, so onehead does not touch it." in service.comments(number)[0]["body"]


def test_text_conflicts_are_explained_without_a_branch(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, {"notes.txt": "a\n"}), "Start")
    copy.push()
    service.project.push_branch("oauth", merged(chain(("020", "018")), {"notes.txt": "b\n"}))
    number = service.project.open_pull("oauth")["number"]
    copy.commit(merged(chain(("019", "018")), {"notes.txt": "c\n"}), "Player teams")
    copy.push()
    service.settle()

    assert service.repairs() == []
    [comment] = service.comments(number)
    assert "git can&#39;t merge `notes.txt`" in comment["body"] or "git can't merge `notes.txt`" in comment["body"]
    assert '+down_revision: Union[str, Sequence[str], None] = "019"' in comment["body"]


def test_a_repair_that_is_not_as_planned_is_offered_to_nobody(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.context.analyzers = None  # judged here, where it can be made to err
    monkeypatch.setattr(changes, "_is_theirs", lambda *_: True)
    number, sha = start(service)
    assert service.repairs() == []
    [comment] = service.comments(number)
    assert "is not the one that was planned, so it was thrown away" in comment["body"]
    assert "Nothing was pushed: the repair of" in service.ask(number, "/onehead apply")
    assert service.project.pull(number)["head"]["sha"] == sha
