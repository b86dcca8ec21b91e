"""How a collision ends, whichever way it does: what was said is set right, and what was offered is taken back."""

from __future__ import annotations

import pytest

from onehead.service.engine import Job, ScopeLeft
from onehead.service.handler import handle
from tests.migrations import chain
from tests.stories.colliding import BASE, collide
from tests.stories.conftest import Service


def text(service: Service, number: int) -> str:
    [comment] = service.verdicts(number)
    return str(comment["body"])


@pytest.mark.slow
def test_pushing_again_edits_comment_and_repair_in_place(service: Service) -> None:
    number, _ = collide(service)
    [before], [repair] = service.verdicts(number), service.repairs()
    copy = service.project.copy
    copy.switch("oauth")
    copy.commit(chain(("021", "020")), "More tokens")
    copy.push()
    copy.switch("main")
    service.settle()

    [after], [same] = service.verdicts(number), service.repairs()
    assert after["id"] == before["id"]
    assert "`021`" in after["body"]
    assert same["number"] == repair["number"]
    assert same["head"]["sha"] != repair["head"]["sha"]


def test_a_branch_that_was_rebased_by_hand_needs_nothing_any_more(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    copy = service.project.copy
    copy.git("switch", "-C", "oauth", "main")
    sha = copy.commit(chain(("020", "019")), "OAuth tokens, rebased")
    copy.push(force=True)
    copy.switch("main")
    service.settle()

    assert "Resolved" in text(service, number)
    assert service.status(sha)[0] == "success"
    assert service.repairs() == []
    assert "does not need it any more" in service.comments(repair["number"])[0]["body"]
    assert service.onehead_branches() == []


def test_a_closed_pull_request_takes_its_repair_along(service: Service) -> None:
    number, _ = collide(service)
    service.project.close_pull(number)
    service.settle()

    assert "is closed" in text(service, number)
    assert service.repairs() == []
    assert service.onehead_branches() == []

    service.project.close_pull(number, state="open")
    service.settle()
    assert "both add a migration" in text(service, number)
    assert len(service.repairs()) == 1


def test_a_deleted_branch_takes_its_repair_along(service: Service) -> None:
    number, _ = collide(service)
    service.project.copy.push(":oauth")
    service.settle()

    assert service.repairs() == []
    assert service.onehead_branches() == []
    assert "is closed" in text(service, number)


@pytest.mark.slow
def test_a_draft_is_judged_quietly_and_repaired_once_it_is_ready(service: Service) -> None:
    number, sha = collide(service, title="WIP: OAuth tokens")
    assert service.status(sha)[0] == "failure"
    assert service.comments(number) == []
    assert service.repairs() == []

    service.project.edit_pull(number, title="OAuth tokens")
    service.settle()
    assert "both add a migration" in text(service, number)
    assert len(service.repairs()) == 1

    service.project.edit_pull(number, title="WIP: OAuth tokens")
    service.settle()
    assert "This is a draft now" in text(service, number)
    assert service.repairs() == []


@pytest.mark.slow
def test_a_pull_request_that_goes_elsewhere_is_none_of_our_business_until_it_comes_back(service: Service) -> None:
    number, sha = collide(service)
    copy = service.project.copy
    copy.push("main~1:refs/heads/develop")
    service.project.edit_pull(number, base="develop")
    service.settle()

    assert "now goes into `develop`" in text(service, number)
    assert service.repairs() == []
    assert service.status(sha) == (
        "success",
        "Goes into develop, which is not deployed; judged once it goes into main.",
    )

    service.project.edit_pull(number, base="main")
    service.settle()
    assert "both add a migration" in text(service, number)
    assert len(service.repairs()) == 1


def test_a_target_that_was_forced_back_has_no_collision_any_more(service: Service) -> None:
    number, sha = collide(service)
    copy = service.project.copy
    copy.git("reset", "--hard", "main~1")
    copy.push(force=True)
    service.settle()

    assert "Resolved" in text(service, number)
    assert service.status(sha)[0] == "success"
    assert service.repairs() == []


@pytest.mark.slow
def test_a_repair_that_somebody_closed_is_not_offered_again(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    service.project.close_pull(repair["number"])
    service.settle()
    service.sweep()

    assert service.repairs() == []
    assert f"the repair, #{repair['number']}, was closed" in text(service, number)

    copy = service.project.copy
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()
    assert service.repairs() == []

    service.project.close_pull(repair["number"], state="open")
    service.settle()
    [back] = service.repairs()
    assert back["number"] == repair["number"]
    assert f"A repair is ready: #{repair['number']}" in text(service, number)


@pytest.mark.slow
def test_a_merge_of_the_same_heads_by_somebody_else_is_pointed_to(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.commit(chain(("019", "018"), ("020", "018")), "Two at once")
    copy.push()
    service.settle()
    [repair] = service.repairs()

    service.project.push_branch("by-hand", chain(("021", ("019", "020"))))
    theirs = service.project.open_pull("by-hand", title="Join the heads")["number"]
    service.sweep()
    assert service.repairs() == []
    assert "by-hand" in service.closing_words(repair["number"])

    service.project.merge(theirs)
    service.settle()
    copy.pull()
    assert service.status(copy.git("rev-parse", "main").strip())[0] == "success"
    assert service.onehead_branches() == []


def test_what_webhooks_did_not_tell_the_sweep_brings_to_an_end(service: Service) -> None:
    number, _ = collide(service)
    service.project.forgejo.lose_webhooks(True)
    service.project.close_pull(number)
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.sweep()

    assert "is closed" in text(service, number)
    assert service.repairs() == []
    assert service.onehead_branches() == []


def test_a_collision_that_somebody_mended_by_hand_is_over(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    copy = service.project.copy
    copy.switch("oauth")
    copy.git("merge", "--no-edit", "main")
    sha = copy.commit(chain(("020", "019")), "Move onto 019")
    copy.push()
    copy.switch("main")
    service.settle()

    assert "Resolved" in text(service, number)
    assert service.status(sha)[0] == "success"
    assert "does not need it any more" in service.closing_words(repair["number"])
    assert service.repairs() == []
    assert service.onehead_branches() == []


def test_a_revision_that_is_taken_back_collides_with_nothing(service: Service) -> None:
    number, _ = collide(service)
    copy = service.project.copy
    copy.switch("oauth")
    sha = copy.commit(dict.fromkeys(chain(("020", "018"))), "No tokens after all")
    copy.push()
    copy.switch("main")
    service.settle()

    assert "Resolved" in text(service, number)
    assert service.status(sha)[0] == "success"
    assert service.repairs() == []
    assert service.onehead_branches() == []


def test_a_merged_repair_is_celebrated_briefly_and_its_branch_goes(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    service.project.merge(repair["number"])
    service.settle()

    said = text(service, number)
    assert f"## :tada: Repaired\n\n#{repair['number']} is merged. `alembic upgrade head` finds one head, `020`." in said
    assert "**Next:** nothing to do here." in said
    assert len(said) < 500
    assert service.onehead_branches() == []


def take_over(service: Service) -> str:
    """Somebody commits to the repair branch."""
    copy = service.project.copy
    copy.git("fetch", "origin")
    copy.git("switch", "-c", "onehead/reparent/oauth", "origin/onehead/reparent/oauth")
    sha = copy.commit({"NOTES": "mine\n"}, "My own idea")
    copy.push()
    copy.switch("main")
    return sha


@pytest.mark.slow
def test_a_repair_that_somebody_works_on_is_theirs_whatever_moves(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    mine = take_over(service)
    copy = service.project.copy
    copy.switch("oauth")
    copy.commit(chain(("021", "020")), "More tokens")
    copy.push()
    copy.switch("main")
    service.settle()

    copy.git("fetch", "origin")
    assert copy.git("rev-parse", "origin/onehead/reparent/oauth") == mine
    assert (
        f"**Next:** merge #{repair['number']}, which still repairs the chain. Somebody has changed its branch, so "
        "onehead does not touch it."
    ) in text(service, number)
    assert [each["number"] for each in service.repairs()] == [repair["number"]]

    # The collision goes another way: the pull request is of no use, the person's work stays.
    service.project.close_pull(number)
    service.settle()
    assert service.repairs() == []
    assert "the branch `onehead/reparent/oauth` stays, because somebody has changed it" in service.closing_words(
        repair["number"]
    )
    copy.git("fetch", "origin")
    assert copy.git("rev-parse", "origin/onehead/reparent/oauth") == mine
    service.sweep()
    assert service.onehead_branches() == ["onehead/reparent/oauth"]


@pytest.mark.slow
def test_a_repair_that_somebody_has_finished_and_merged_stands_in_nobodys_way(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    take_over(service)
    service.settle()
    service.project.merge(repair["number"])
    service.settle()
    assert "Repaired" in text(service, number)
    assert service.onehead_branches() == []

    copy = service.project.copy
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()
    [again] = service.repairs()
    assert again["number"] != repair["number"]


@pytest.mark.slow
def test_somebody_elses_merge_of_the_same_heads_goes_before_ours_as_soon_as_it_is_proposed(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.forgejo.lose_webhooks(True)
    numbers = []
    for name, id_ in (("teams", "019"), ("oauth", "020")):
        service.project.push_branch(name, chain((id_, "018")))
        numbers.append(service.project.open_pull(name, title=name)["number"])
    for number in numbers:
        service.project.merge(number)
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    service.sweep()
    [repair] = service.repairs()
    copy.pull()

    service.project.push_branch("by-hand", chain(("021", ("019", "020"))))
    theirs = service.project.open_pull("by-hand", title="Join the heads")["number"]
    service.settle()
    assert service.repairs() == []
    assert "by-hand" in service.closing_words(repair["number"])
    for number in numbers:
        assert "by-hand" in text(service, number)
        assert f"**Next:** merge #{theirs}" in text(service, number)

    service.project.merge(theirs)
    service.settle()
    for number in numbers:
        assert "Resolved" in text(service, number)
    assert service.onehead_branches() == []


@pytest.mark.slow
def test_a_branch_without_a_pull_request_takes_its_repair_along_when_it_goes(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.project.push_branch("oauth", chain(("020", "018")), start="main~1")
    service.settle()
    [repair] = service.repairs()

    copy.push(":oauth")
    service.settle()
    assert service.repairs() == []
    assert service.onehead_branches() == []
    assert service.project.pull(repair["number"])["state"] == "closed"


def test_a_branch_in_the_place_of_all_repair_branches_is_named_and_apply_works(service: Service) -> None:
    service.project.copy.push("main:refs/heads/onehead")
    number, _ = collide(service)
    assert service.repairs() == []
    said = text(service, number).partition("**Next:** ")[2]
    assert said.startswith("comment `/onehead apply`, which pushes the repair onto this branch itself. ")
    assert "git can't have `onehead/reparent/oauth` beside the branch `onehead`. Rename or delete that one;" in said

    assert "Pushed `" in service.ask(number, "/onehead apply")
    assert "Resolved" in text(service, number)


def test_when_it_is_gone_the_repair_is_opened(service: Service) -> None:
    service.project.copy.push("main:refs/heads/onehead")
    number, _ = collide(service)
    service.project.copy.push(":onehead")
    service.settle()
    service.ask(number, "/onehead check")
    [repair] = service.repairs()
    assert f"A repair is ready: #{repair['number']}" in text(service, number)


def test_a_rule_that_keeps_the_bot_from_its_branches_is_named(service: Service) -> None:
    rules = f"{service.project.repository.path}/branch_protections"
    service.project.api.call("POST", rules, {"rule_name": "onehead/**", "enable_push": False}, expect=201)
    number, _ = collide(service)
    assert service.repairs() == []
    said = text(service, number).partition("**Next:** ")[2]
    assert "comment `/onehead apply`" in said
    assert f"a branch rule keeps {service.bot.name} from pushing to `onehead/reparent/oauth`." in said
    assert "Let it push to `onehead/**` (Settings → Branches)" in said


def test_a_repair_that_was_merged_by_plain_git_counts_as_taken(service: Service) -> None:
    number, _ = collide(service)
    [repair] = service.repairs()
    copy = service.project.copy
    copy.switch("oauth")
    copy.git("fetch", "-q", "origin")
    copy.git("merge", "-q", "--no-edit", "origin/onehead/reparent/oauth")
    copy.push()
    service.settle()

    assert f"## :tada: Repaired\n\nThe commits of #{repair['number']} are in." in text(service, number)
    assert (
        service.closing_words(repair["number"])
        .partition("\n")[2]
        .startswith("Closed, because its commits are in already.")
    )
    assert service.onehead_branches() == []


def test_a_repository_that_is_not_looked_after_any_more_keeps_no_red_status_and_no_offer(service: Service) -> None:
    number, sha = collide(service)
    service.context.covers = lambda _repository: False
    service.tell_everything()
    assert service.status(sha)[0] == "failure"  # another service may look after it
    leaving = Job(service.project.repository.full_name, frozenset({ScopeLeft()}))
    handle(leaving, service.context)

    assert service.status(sha) == ("success", "Not judged: onehead does not look after this repository any more.")
    assert "No longer looked after" in text(service, number)
    assert service.repairs() == []
    assert service.onehead_branches() == []
    before = len(service.statuses(sha))
    handle(leaving, service.context)
    assert len(service.statuses(sha)) == before

    service.context.covers = lambda _repository: True
    service.tell_everything()
    assert service.status(sha)[0] == "failure"
    assert "both add a migration" in text(service, number)
