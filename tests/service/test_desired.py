"""Tables of what is desired, given what is known: no forge, no git."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from onehead.examine.repair import RepairDraft
from onehead.forge.intents import Marker, mark
from onehead.forge.models import ACTIONS, Comment, PullRequest, User
from onehead.gitrepo.git import Git
from onehead.plan.findings import Code, Finding, Side
from onehead.plan.policy import Policy
from onehead.plan.rivals import Rival, RivalConflict
from onehead.plan.verdict import Coverage, Examination, Point
from onehead.reports.replies import Ending
from onehead.service.decide import desired, desired_at_the_end
from onehead.service.desired import KnownBranch, KnownPull, KnownState, KnownTarget, Notice, Problem, ProblemGone
from onehead.service.judge import Judged
from onehead.service.snapshot import Page, Snapshot, Target
from tests.service.test_subjects import NOON, pull, repository

ME = User(99, "onehead")
MAIN = Target("main", Point("refs/heads/main", "b" * 40), Policy())


def point(branch: str) -> Point:
    return Point(f"refs/heads/{branch}", branch[0] * 40)


def judged(head: Point | None, *, ok: bool = False, repaired: bool = True, target: Point = MAIN.point) -> Judged:
    """A branch that is well, or one with an error and, unless told otherwise, a repair."""
    side: Side = "target" if head is None else "head"
    errors = () if ok else (Finding(Code.DUPLICATE_ID, "error", side, "The id `a` is there twice.", ("a",), ()),)
    examination = Examination(target, head, None, Coverage(1, 3, 3), (), errors)
    draft = RepairDraft(target, head or target, side, "merge", None, "merge\n", (), {}, {}, NOON)
    return Judged(examination, None if ok or not repaired else draft, (), {}, {}, {}, "", ())


def page_of(number: int, *comments: tuple[Marker, str]) -> Page:
    texts = [mark(marker, text) for marker, text in comments]
    return Page(
        number, tuple(Comment(at, text, ME, f"url-{number}", NOON, NOON) for at, text in enumerate(texts)), ME.id
    )


def verdict(state: str, **facts: object) -> tuple[Marker, str]:
    return Marker("verdict", facts={"state": state, **facts}), "text"


def snapshot(*pulls: PullRequest, policy: Policy = MAIN.policy, heads: tuple[str, ...] = ("topic",)) -> Snapshot:
    return Snapshot(
        repository=repository(1),
        git=Git.of_our_own(Path("/nowhere")),
        me=ME.id,
        pulls=pulls,
        heads={name: point(name).sha for name in (*heads, "main")},
        pull_heads={},
        laid_ready={},
        targets={"main": Target("main", MAIN.point, policy)},
        reported="",
        has_pulls=True,
    )


def known(there: Snapshot, *pulls: tuple[PullRequest, Judged], pages: tuple[Page, ...] = ()) -> KnownState:
    found = {each.number: page_of(each.number) for each, _ in pulls} | {each.number: each for each in pages}
    states = (KnownPull(each, result.point, there.targets.get(each.base.ref), (), result) for each, result in pulls)
    return KnownState(there, pulls=tuple(states), pages=found)


def repair_of(branch: str, number: int = 7) -> PullRequest:
    return replace(pull(number, f"onehead/merge/{branch}", branch), author=ME)


@pytest.mark.parametrize("ok", [True, False])
def test_what_a_job_has_written_gives_way_and_nothing_in_it_counts(ok: bool) -> None:
    """Also where there is nothing to say instead; a person's copy of the line stays."""
    theirs, stranger = pull(1, "topic"), User(7, "ann")
    facts = {"state": "ended", "as": "Resolved", "repair": 3, "ignored": ["duplicate-id@:a"]}
    written = [
        replace(comment, author=author)
        for author in (ACTIONS, stranger)
        for comment in page_of(
            1, (Marker("verdict", facts=facts), "All is well."), (Marker("answer", "1", facts), "x")
        ).comments
    ]
    page = replace(page_of(1), comments=tuple(replace(each, id=number) for number, each in enumerate(written)))
    wanted = desired(known(snapshot(theirs), (theirs, judged(point("topic"), ok=ok)), pages=(page,)))
    [(_, worst)] = wanted.statuses.worst()
    assert worst.state == ("success" if ok else "failure")
    assert wanted.replaced == {1: (0,)}
    assert wanted.comments.keys() == (set() if ok else {1})


def test_on_a_page_of_a_job_nothing_is_believed_and_nothing_is_replaced() -> None:
    theirs = pull(1, "topic")
    chosen: tuple[Marker, str] = Marker("answer", "1", {"ignored": ["duplicate-id@:a"], "by": "ann"}), "ignored"
    page = replace(page_of(1, verdict("ended", **{"as": "Resolved"}), chosen), believed=False)
    red = desired(known(snapshot(theirs), (theirs, judged(point("topic"))), pages=(page,)))
    assert [each.state for _, each in red.statuses.worst()] == ["failure"]
    green = desired(known(snapshot(theirs), (theirs, judged(point("topic"), ok=True)), pages=(page,)))
    gone = green.comments[1]
    assert isinstance(gone, ProblemGone)
    assert gone.gone == "Nothing is wrong here any more."
    by_job = replace(page, me=ACTIONS.id, comments=tuple(replace(each, author=ACTIONS) for each in page.comments))
    assert by_job.verdict == Marker("verdict")
    assert by_job.of_jobs == ()


def test_the_worst_verdict_of_a_commit_counts_and_says_what_it_is_about() -> None:
    well, broken = pull(1, "topic"), pull(2, "topic", "release")
    there = snapshot(well, broken)
    release = Target("release", Point("refs/heads/release", "e" * 40), Policy())
    there = replace(there, targets={"main": MAIN, "release": release})
    head = point("topic")
    wanted = desired(known(there, (well, judged(head, ok=True)), (broken, judged(head, target=release.point))))
    [(subject, worst)] = wanted.statuses.worst()
    assert (subject, worst.state, worst.sha) == ("#2", "failure", head.sha)
    assert worst.text.startswith("#2 into release: ")


def test_failures_come_before_successes() -> None:
    pulls = [pull(1, "topic"), pull(2, "other")]
    there = snapshot(*pulls, heads=("topic", "other"))
    wanted = desired(known(there, (pulls[0], judged(point("topic"), ok=True)), (pulls[1], judged(point("other")))))
    assert [(subject, each.state.value) for subject, each in wanted.statuses.worst()] == [
        ("#2", "failure"),
        ("#1", "success"),
    ]


def test_what_can_not_be_judged_is_red_and_nothing_else_is_decided_about_it() -> None:
    there = snapshot(pull(1, "topic"), repair_of("topic"))
    state = KnownPull(there.pulls[0], point("topic"), MAIN, why="git is broken")
    wanted = desired(KnownState(there, pulls=(state,)))
    [(_, worst)] = wanted.statuses.worst()
    assert worst.text == "Cannot judge: git is broken. Next: nothing; it is tried again."
    assert (wanted.repairs, wanted.unneeded, wanted.comments, wanted.removed) == ({}, {}, {}, ())


def test_a_branch_has_one_repair_whoever_proposes_it() -> None:
    first, second = pull(1, "topic"), pull(2, "topic")
    head = point("topic")
    wanted = desired(known(snapshot(first, second), (first, judged(head)), (second, judged(head))))
    assert list(wanted.repairs) == ["refs/heads/topic"]
    assert wanted.repairs["refs/heads/topic"].pull == first
    told = wanted.comments[2]
    assert isinstance(told, Problem)
    assert told.offer is not None
    assert told.offer.trouble == "wait for #1, which proposes the same branch: it is repaired for that one first."


def test_a_branch_that_is_deployed_too_is_repaired_for_its_own_sake_first() -> None:
    release = pull(1, "release")
    there = snapshot(release, heads=("release",))
    target = Target("release", point("release"), Policy())
    there = replace(there, targets={"main": MAIN, "release": target})
    state = known(there, (release, judged(point("release"))))
    wanted = desired(replace(state, targets=(KnownTarget(target, judged(None, target=target.point)),)))
    assert [each.subject for each in wanted.repairs.values()] == ["refs/heads/release"]
    told = wanted.comments[1]
    assert isinstance(told, Problem)
    assert told.offer is not None
    assert told.offer.trouble.startswith("wait for the repair of `release` itself: ")


@pytest.mark.parametrize(
    ("draft", "found", "reason"),
    [
        (False, judged(point("topic"), ok=True), "the branch does not need it any more"),
        (True, judged(point("topic")), "the pull request is a draft; it is offered again once that is ready"),
        (False, judged(point("topic"), repaired=False), "there is nothing that could be repaired this way any more"),
    ],
)
def test_why_a_repair_is_not_needed(draft: bool, found: Judged, reason: str) -> None:
    mine = replace(pull(1, "topic"), draft=draft)
    wanted = desired(known(snapshot(mine, repair_of("topic")), (mine, found)))
    assert wanted.repairs == {}
    assert wanted.unneeded == {"topic": reason}


def test_a_repository_that_wants_comments_gets_no_repair_pull_request() -> None:
    mine = pull(1, "topic")
    wanted = desired(known(snapshot(mine, policy=Policy(delivery="comment")), (mine, judged(point("topic")))))
    assert list(wanted.repairs) == ["#1"]
    assert wanted.unneeded == {"topic": "this repository wants no repair pull requests"}


def test_a_pull_request_into_a_branch_that_is_not_deployed_ends_its_comment() -> None:
    mine = pull(1, "topic", "elsewhere")
    state = KnownPull(mine, point("topic"), None)
    pages = {1: page_of(1, verdict("problem"))}
    wanted = desired(KnownState(snapshot(mine), pulls=(state,), pages=pages))
    assert isinstance(wanted.comments[1], Ending)
    assert wanted.unneeded == {"topic": "the pull request goes into elsewhere now"}
    assert not desired(KnownState(snapshot(mine), pulls=(state,), pages={1: page_of(1)})).comments


@pytest.mark.parametrize(("marker", "told"), [(verdict("problem", repair=5), True), (None, False)])
def test_a_problem_that_is_gone_is_told_where_it_was_told_of(marker: tuple[Marker, str] | None, told: bool) -> None:
    mine = pull(1, "topic")
    there = page_of(1, *([marker] if marker else []))
    wanted = desired(known(snapshot(mine), (mine, judged(point("topic"), ok=True)), pages=(there,)))
    found = wanted.comments.get(1)
    assert isinstance(found, ProblemGone) is told
    assert not told or (isinstance(found, ProblemGone) and found.repair == 5)


def test_rivals_are_told_early_and_hold_up_the_younger_one_only_over_one_id() -> None:
    mine = pull(2, "topic")
    for clash, state in ((RivalConflict.PARENT, "heads-up"), (RivalConflict.ID, "problem")):
        rival = Rival(1, clash, "alembic", "a1")
        each = KnownPull(mine, point("topic"), MAIN, (rival,), judged(point("topic"), ok=True))
        wanted = desired(KnownState(snapshot(mine), pulls=(each,), pages={2: page_of(2)}))
        told = wanted.comments[2]
        assert isinstance(told, Notice)
        assert told.state == state
        [(_, worst)] = wanted.statuses.worst()
        assert worst.state == ("failure" if state == "problem" else "success")


def test_the_fork_of_a_target_is_told_to_those_who_brought_it_and_remembered_by_its_repair() -> None:
    known_target = KnownTarget(MAIN, judged(None), tells=(3,), behind=(3, 4))
    wanted = desired(KnownState(snapshot(), targets=(known_target,), pages={3: page_of(3, verdict("ended", repair=6))}))
    [repair] = wanted.repairs.values()
    assert (repair.tell, set(repair.earlier), repair.ref) == ((3, 4), {6}, "refs/heads/onehead/merge/main")
    told = wanted.comments[3]
    assert isinstance(told, Problem)
    assert told.subject == "refs/heads/main"


@pytest.mark.parametrize(
    ("refused", "policy", "repaired"),
    [(False, Policy(), True), (True, Policy(), False), (False, Policy(branches="status"), False)],
)
def test_a_branch_without_a_pull_request(refused: bool, policy: Policy, repaired: bool) -> None:
    each = KnownBranch("topic", point("topic"), judged(point("topic")), refused=refused)
    wanted = desired(KnownState(snapshot(policy=policy), branches=(each,)))
    assert bool(wanted.repairs) is repaired
    assert bool(wanted.unneeded) is not repaired


def test_a_standing_repair_is_the_next_step_unless_a_person_has_spoilt_it() -> None:
    mine, repair = pull(1, "topic"), repair_of("topic")
    state = known(snapshot(mine, repair), (mine, judged(point("topic"))))
    [(_, worst)] = desired(state).statuses.worst()
    assert worst.next == "Next: merge #7."
    [(_, worst)] = desired(replace(state, faults={7: "two heads"})).statuses.worst()
    assert worst.next == ""


def test_what_is_closed_or_gone_takes_its_repairs_along() -> None:
    over = replace(pull(1, "topic"), state="closed", merged=True)
    there = snapshot(repair_of("topic"), heads=("topic", "onehead/merge/topic", "onehead/merge/away"))
    there = replace(there, laid_ready={"refs/onehead/merge/pr-1": "c" * 40, "refs/onehead/merge/pr-2": "c" * 40})
    wanted = desired(KnownState(there, closed=(over,), gone=("away",)))
    assert wanted.unneeded == {"away": "its branch was deleted", "topic": "its pull request was merged"}
    assert wanted.removed == ("refs/heads/onehead/merge/away", "refs/onehead/merge/pr-1")
    everything = desired(KnownState(there, everything=True))
    assert everything.removed == (
        "refs/heads/onehead/merge/away",
        "refs/onehead/merge/pr-1",
        "refs/onehead/merge/pr-2",
    )


def test_nothing_is_left_of_a_repository_that_is_not_looked_after() -> None:
    mine, repair = pull(1, "topic"), repair_of("topic")
    there = snapshot(mine, repair, heads=("topic", "onehead/merge/topic"))
    wanted = desired_at_the_end(there, {1: page_of(1, verdict("problem"))}, ["c" * 40])
    assert [(each.sha, each.state.value) for _, each in wanted.statuses.worst()] == [("c" * 40, "success")]
    assert list(wanted.unneeded) == ["topic"]
    assert isinstance(wanted.comments[1], Ending)
    assert wanted.removed == ("refs/heads/onehead/merge/topic",)
