"""Which branches and pull requests a job looks at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from onehead.forge.models import Permissions, PullRequest, PullSide, Repository, RepositoryName, User
from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, PullChanged, Subject
from onehead.service.subjects import RunSubjects, run_subjects

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HEADS = ("main", "topic", "other", "onehead/merge/topic")


def repository(number: int) -> Repository:
    return Repository(
        id=number,
        name=RepositoryName("ann", f"project{number}"),
        default_branch="main",
        clone_url="",
        archived=False,
        empty=False,
        mirror=False,
        permissions=Permissions(push=True),
        updated_at=NOON,
    )


def pull(number: int, head: str, base: str = "main", *, fork: bool = False) -> PullRequest:
    return PullRequest(
        number=number,
        title=head,
        body="",
        state="open",
        draft=False,
        merged=False,
        author=User(1, "ann"),
        html_url="",
        head=PullSide(head, "a" * 40, repository(2 if fork else 1)),
        base=PullSide(base, "b" * 40, repository(1)),
        allow_maintainer_edit=False,
        created_at=NOON,
        updated_at=NOON,
    )


PULLS = (pull(1, "topic"), pull(2, "other", "topic"), pull(3, "topic", fork=True))


def look(*subjects: Subject, targets: tuple[str, ...] = ("main",)) -> RunSubjects:
    return run_subjects(subjects, targets, PULLS, HEADS, {})


def test_a_moved_target_is_judged_with_every_pull_request_into_it() -> None:
    assert look(BranchMoved("refs/heads/main")) == RunSubjects(targets=("main",), pulls=(1, 3))


def test_everything_is_every_target_pull_request_and_branch() -> None:
    assert look(Everything()) == RunSubjects(everything=True, targets=("main",), pulls=(1, 2, 3))


def test_of_several_targets_only_the_one_that_moved_is_judged() -> None:
    found = look(BranchMoved("refs/heads/topic"), targets=("main", "topic"))
    assert found == RunSubjects(targets=("topic",), pulls=(1, 2))


def test_a_moved_branch_is_judged_on_its_own_pull_requests_and_not_on_a_namesake_of_a_fork() -> None:
    assert look(BranchMoved("refs/heads/topic")) == RunSubjects(pulls=(1,))


def test_a_branch_without_a_pull_request_is_judged_by_itself() -> None:
    assert run_subjects([BranchMoved("refs/heads/topic")], ["main"], (), HEADS, {}) == RunSubjects(branches=("topic",))


def test_a_moved_target_is_judged_with_the_branches_that_have_no_pull_request() -> None:
    found = run_subjects([BranchMoved("refs/heads/main")], ["main", "other"], (), HEADS, {})
    assert (found.targets, found.branches) == (("main",), ("topic",))


def test_our_own_repair_branch_is_nobody_elses_branch() -> None:
    assert look(BranchMoved("refs/heads/onehead/merge/topic")) == RunSubjects()


def test_a_branch_that_is_gone_again_is_not_judged() -> None:
    assert look(BranchMoved("refs/heads/vanished")) == RunSubjects()


def test_a_deleted_branch_is_cleaned_up_after_unless_it_is_back() -> None:
    found = look(BranchGone("refs/heads/vanished"), BranchGone("refs/heads/topic"))
    assert found == RunSubjects(gone=("vanished",))


def test_a_repair_branch_that_somebody_deleted_is_told_on_the_pull_request_that_it_repaired() -> None:
    assert look(BranchGone("refs/heads/onehead/reparent/topic")).pulls == (1,)


def test_a_changed_pull_request_is_judged_while_it_is_open() -> None:
    assert look(PullChanged(2), PullChanged(99)) == RunSubjects(pulls=(2,))


def test_a_closed_pull_request_is_brought_to_an_end() -> None:
    gone = replace(pull(9, "done"), state="closed")
    assert run_subjects([PullChanged(9)], ["main"], PULLS, HEADS, {9: gone}) == RunSubjects(closed=(gone,))


def test_a_merged_pull_request_has_moved_its_target() -> None:
    done = replace(pull(9, "done"), state="closed", merged=True)
    found = run_subjects([PullChanged(9)], ["main"], PULLS, HEADS, {9: done})
    assert (found.targets, found.pulls, found.closed) == (("main",), (1, 3), (done,))


def test_a_closed_repair_has_its_pull_request_judged_again() -> None:
    repair = replace(pull(9, "onehead/reparent/topic", "topic"), state="closed")
    assert run_subjects([PullChanged(9)], ["main"], PULLS, HEADS, {9: repair}).pulls == (1,)


def test_a_pull_request_into_a_target_that_is_being_repaired_may_be_a_repair_too() -> None:
    mending = (*PULLS, pull(9, "onehead/merge/main"))
    assert run_subjects([PullChanged(1)], ["main"], mending, HEADS, {}) == RunSubjects(targets=("main",), pulls=(1,))
    assert run_subjects([PullChanged(2)], ["main"], mending, HEADS, {}).targets == ()


def test_commands_come_in_the_order_in_which_they_were_written() -> None:
    late, early = CommandGiven(7, 1), CommandGiven(5, 2)
    assert look(late, early) == RunSubjects(commands=(early, late))


def test_of_two_hints_about_a_comment_the_one_that_knows_its_author_comes_first() -> None:
    known, unknown = CommandGiven(5, 1, may_write=False), CommandGiven(5, 1)
    assert look(unknown, known).commands == (known, unknown)


def test_a_repair_of_a_target_that_a_person_closed_makes_the_target_worth_a_look() -> None:
    repair = replace(pull(9, "onehead/merge/main"), state="closed")
    found = run_subjects((PullChanged(9),), ("main",), PULLS, HEADS, {9: repair})
    assert found.targets == ("main",)


def test_a_closed_pull_request_makes_the_others_of_its_branch_worth_a_look() -> None:
    twin = pull(4, "topic", "release/1")
    closed = replace(pull(1, "topic"), state="closed")
    found = run_subjects((PullChanged(1),), ("main", "release/1"), (twin,), (*HEADS, "release/1"), {1: closed})
    assert found.pulls == (4,)
    assert found.targets == ()
