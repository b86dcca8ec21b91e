"""What a job asks to be looked at, given what is there now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from onehead.examine import naming
from onehead.forge.models import PullRequest
from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, PullChanged, Subject

_HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Agenda:
    """What one run looks at.

    Attributes:
        everything: whether the sweep came by: what no event tells of is looked for as well.
        targets: deployed branches to judge, each with all that would be merged into it.
        pulls: numbers of open pull requests to judge.
        branches: branches without a pull request to judge, short names.
        gone: branches that were deleted, short names.
        closed: pull requests that are not open any more.
        commands: comments that may hold commands, the oldest first.
    """

    everything: bool = False
    targets: tuple[str, ...] = ()
    pulls: tuple[int, ...] = ()
    branches: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    closed: tuple[PullRequest, ...] = ()
    commands: tuple[CommandGiven, ...] = ()


def agenda(
    subjects: Collection[Subject],
    targets: Collection[str],
    pulls: Collection[PullRequest],
    heads: Collection[str],
    closed: Mapping[int, PullRequest],
) -> Agenda:
    """What has to be looked at.

    When a target moves, every pull request into it is judged again: that is when most collisions are born, and
    Forgejo sends no event for those pull requests. A merged pull request has moved its target, whether or not the
    push was heard of.

    Args:
        subjects: what the job is about.
        targets: short names of the deployed branches.
        pulls: all open pull requests.
        heads: short names of all branches.
        closed: of the pull requests that the job is about, those that are not open, by number.
    """
    everything = Everything() in subjects
    touched = {each for each in subjects if isinstance(each, PullChanged)}
    over = [closed[each.number] for each in touched if each.number in closed]
    moved = {each.ref.removeprefix(_HEADS) for each in subjects if isinstance(each, BranchMoved)}
    deleted = {each.ref.removeprefix(_HEADS) for each in subjects if isinstance(each, BranchGone)} - set(heads)
    landed = {pull.base.ref for pull in over if pull.merged}
    numbers = {each.number for each in touched}
    # What a person does to a repair (close it, reopen it, delete its branch) changes what is said of what it repairs.
    repairs = [pull for pull in pulls if pull.number in numbers and pull.head.ref.startswith(naming.BRANCHES)]
    repairs += [pull for pull in over if pull.head.ref.startswith(naming.BRANCHES)]
    mended = {pull.base.ref for pull in repairs} | {naming.repaired_by(name) for name in deleted}
    chosen = {name for name in targets if everything or name in moved | landed | mended}
    # A branch may be proposed to two targets: the other pull request's repair and status depended on this one.
    repaired = mended | {pull.base.ref for pull in over} | {pull.head.ref for pull in over if is_local(pull)}
    wanted = {
        pull.number
        for pull in pulls
        if everything
        or pull.number in numbers
        or pull.base.ref in chosen
        or (is_local(pull) and pull.head.ref in moved | repaired)
    }
    free = lone_branches(pulls, heads, targets)
    # Of two hints about one comment the one that knows what its author may do comes first: the first is answered.
    commands = sorted(
        (each for each in subjects if isinstance(each, CommandGiven)),
        key=lambda each: (each.comment, each.may_write is None),
    )
    return Agenda(
        everything=everything,
        targets=tuple(name for name in targets if name in chosen | _joined(pulls, numbers)),
        pulls=tuple(sorted(wanted)),
        branches=tuple(name for name in free if everything or name in moved | repaired or _first(targets) in chosen),
        gone=tuple(sorted(deleted)),
        closed=tuple(sorted(over, key=lambda pull: pull.number)),
        commands=tuple(commands),
    )


def lone_branches(pulls: Iterable[PullRequest], heads: Iterable[str], targets: Collection[str]) -> tuple[str, ...]:
    """Branches that nobody proposes to merge and that are not deployed; our own repairs are none of them."""
    proposed = {pull.head.ref for pull in pulls if is_local(pull)}
    return tuple(
        sorted(
            name
            for name in heads
            if name not in proposed and name not in targets and not name.startswith(naming.BRANCHES)
        )
    )


def is_local(pull: PullRequest) -> bool:
    """Whether its branch is one of the repository itself, not of a fork."""
    head, base = pull.head.repository, pull.base.repository
    return head is not None and base is not None and head.id == base.id and pull.has_branch


def _joined(pulls: Collection[PullRequest], touched: Collection[int]) -> set[str]:
    """Forked targets into which somebody proposes something: it may be the merge that ours is not needed for then."""
    forked = {pull.base.ref for pull in pulls if pull.head.ref.startswith(naming.BRANCHES)}
    theirs = (pull for pull in pulls if pull.number in touched and not pull.head.ref.startswith(naming.BRANCHES))
    return {pull.base.ref for pull in theirs} & forked


def _first(targets: Collection[str]) -> str:
    return next(iter(targets), "")
