"""Which branches and pull requests a job looks at."""

from __future__ import annotations

from datetime import UTC, datetime

from onehead.flows.handle import Agenda, agenda
from onehead.forge.values import Permissions, PullRequest, Repository, RepositoryName, Side, User
from onehead.jobs.job import BranchDeleted, BranchMoved, Everything, PullChanged, Subject

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HEADS = ("main", "topic", "other", "onehead/merge/topic")


def repository(number: int) -> Repository:
    return Repository(
        id=number,
        name=RepositoryName("ann", f"project{number}"),
        default_branch="main",
        clone_url="",
        html_url="",
        private=False,
        archived=False,
        empty=False,
        fork=number > 1,
        mirror=False,
        object_format="sha1",
        permissions=Permissions(push=True),
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
        head=Side(head, "a" * 40, repository(2 if fork else 1)),
        base=Side(base, "b" * 40, repository(1)),
        merge_base="",
        merge_commit=None,
        allow_maintainer_edit=False,
        created_at=NOON,
        updated_at=NOON,
    )


PULLS = (pull(1, "topic"), pull(2, "other", "topic"), pull(3, "topic", fork=True))


def look(*subjects: Subject) -> tuple[bool, list[int], tuple[str, ...], tuple[str, ...]]:
    found: Agenda = agenda(subjects, "main", PULLS, HEADS)
    return found.target, [each.number for each in found.pulls], found.branches, found.gone


def test_a_moved_target_is_judged_with_every_pull_request_into_it() -> None:
    assert look(BranchMoved("refs/heads/main")) == (True, [1, 3], (), ())


def test_everything_is_the_target_and_every_pull_request_into_it() -> None:
    assert look(Everything()) == (True, [1, 3], (), ())


def test_a_moved_branch_is_judged_on_its_own_pull_requests_and_not_on_a_namesake_of_a_fork() -> None:
    assert look(BranchMoved("refs/heads/topic")) == (False, [1], (), ())


def test_a_branch_without_a_pull_request_is_judged_by_itself() -> None:
    assert agenda([BranchMoved("refs/heads/topic")], "main", (), HEADS).branches == ("topic",)


def test_our_own_repair_branch_is_nobody_elses_branch() -> None:
    assert look(BranchMoved("refs/heads/onehead/merge/topic")) == (False, [], (), ())


def test_a_branch_that_is_gone_again_is_not_judged() -> None:
    assert look(BranchMoved("refs/heads/vanished")) == (False, [], (), ())


def test_a_deleted_branch_is_cleaned_up_after_unless_it_is_back() -> None:
    assert look(BranchDeleted("refs/heads/vanished"), BranchDeleted("refs/heads/topic")) == (
        False,
        [],
        (),
        ("vanished",),
    )


def test_a_changed_pull_request_is_judged_while_it_is_open() -> None:
    assert look(PullChanged(2), PullChanged(99)) == (False, [2], (), ())
