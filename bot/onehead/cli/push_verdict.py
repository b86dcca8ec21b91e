"""The verdict about a push that touches migrations: what the pusher reads, and what git is told.

Judged are the deployed branches, each against what it was; of the others is told how they would get on with them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import CannotJudge, OneheadError
from onehead.examine.examine import examine, read_policy
from onehead.examine.read import Memory, memory_for
from onehead.examine.touched import MAX_LOOKED_AT, Update
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import OutOfTime, ShallowHistory
from onehead.gitrepo.refs import DEFAULT_BRANCHES, HEADS, current_branch, is_ancestor, list_refs
from onehead.plan.policy import Policy, targets_of
from onehead.plan.verdict import Examination, Point, PushedBranch, objections
from onehead.reports.terminal import TAKEN_TOGETHER, acceptance, heads_up, not_judged, not_looked_ahead, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType


def judge(branches: tuple[Update, ...], timeout: float, until: float, *, several: bool) -> int:
    """Judge the deployed branches of a push, and have a look at the others: 0 lets the push in, 1 refuses it.

    One command of git may take `timeout` seconds, and there has to be an answer `until` then, of `time.monotonic`.
    `several`: more than one ref was pushed.
    """
    git = Git(os.curdir, timeout=timeout, trusted=True)  # git itself has opened it, and waits for us there
    memory = memory_for(os.path.realpath(os.curdir))
    with _ended_at(until):
        push = _judged(git, branches, memory)
    # The verdict stands: the time that telling it takes can't turn it round any more.
    merging = os.environ.get("GITEA_PUSH_TRIGGER") == "pr-merge-to-base"
    for pushed in push.deployed:
        if objections(pushed):
            _say([*refusal(pushed, merging=merging), *([TAKEN_TOGETHER] if several else [])])
            return 1
    for pushed in push.deployed:
        _say(acceptance(pushed))
    _look_ahead(git, push, memory, until)
    return 0


def give_up(trouble: Exception, *, refused: bool) -> int:
    """Tell that there is no verdict, and do what the server wants done then."""
    _say(not_judged(*_what_happened(trouble), refused=refused))
    return 1 if refused else 0


def _look_ahead(git: Git, push: _JudgedPush, memory: Memory, until: float) -> None:
    """Warn of what the other branches would do once merged. A courtesy: nothing that goes wrong here stops a push."""
    if len(push.others) > MAX_LOOKED_AT:
        _say(not_looked_ahead(f"{len(push.others)} branches at once are too many to look at each."))
        return
    if push.into is None:
        return
    try:
        with _ended_at(until):
            for update in push.others:
                _say(heads_up(_examined(git, push.into, Point(update.ref, update.new), memory)))
    except Exception as trouble:
        _say(not_looked_ahead(_what_happened(trouble)[0]))


def _what_happened(trouble: Exception) -> tuple[str, str]:
    """What went wrong, and what to do about it."""
    if isinstance(trouble, OneheadError):
        return trouble.message, trouble.hint
    from traceback import walk_tb  # noqa: PLC0415 - most pushes raise nothing

    *_, (frame, line) = walk_tb(trouble.__traceback__)
    file = os.path.basename(frame.f_code.co_filename)  # noqa: PTH119
    return f"Something is wrong inside onehead: {type(trouble).__name__} in {file}, line {line} ({trouble}).", ""


class _JudgedPush(NamedTuple):
    """Its deployed branches, judged, up to the first that is refused, and its other branches.

    `into` is the deployed branch that those would be merged into, as the push leaves it; `None` where there is none.
    """

    deployed: tuple[PushedBranch, ...]
    others: tuple[Update, ...]
    into: Point | None


def _judged(git: Git, updates: tuple[Update, ...], memory: Memory) -> _JudgedPush:
    """Judge the branches that a push makes or moves, while what is pushed waits in quarantine."""
    old = {ref.name.removeprefix(HEADS): ref.sha for ref in list_refs(git, "refs/heads")}
    new = {update.branch: update.new for update in updates}
    default = _default_branch(git, old, new)
    tip = old.get(default) or new.get(default)
    policy = read_policy(git, tip).policy if tip else Policy()
    targets = targets_of(policy, default, old.keys() | new.keys())
    deployed = []
    for update in sorted((each for each in updates if each.branch in targets), key=lambda u: targets.index(u.branch)):
        deployed.append(_pushed(git, update, old.get(default), memory))
        if objections(deployed[-1]):
            break  # git takes all or none; and a time-out in the rest could not turn the verdict round
    into = new.get(targets[0]) or old.get(targets[0])
    return _JudgedPush(
        deployed=tuple(deployed),
        others=tuple(update for update in updates if update.branch not in targets),
        into=Point(f"{HEADS}{targets[0]}", into) if into else None,
    )


def _default_branch(git: Git, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The branch of HEAD; where nobody ever pushed that one, the first of the usual names that there is.

    A bare repository is made with HEAD on `master` or `main`, whatever its people call their branch later.
    """
    head = current_branch(git)
    if head is None:
        raise CannotJudge(
            "HEAD of the repository names no branch, so it is not known which branch is deployed.",
            "On the server, in the repository: git symbolic-ref HEAD refs/heads/main",
        )
    own = head.removeprefix(HEADS)
    return next((name for known in (old, new) for name in (own, *DEFAULT_BRANCHES) if name in known), own)


def _pushed(git: Git, update: Update, default: str | None, memory: Memory) -> PushedBranch:
    place, new = f"{HEADS}{update.branch}", Point(update.ref, update.new)
    if not update.creates:
        examination = _examined(git, Point(place, update.old), new, memory, replaces=True)
        pushed = PushedBranch(update.branch, "itself", examination)
        return pushed._replace(grows=_grows(git, update)) if objections(pushed) else pushed
    if default is not None:
        examination = _examined(git, Point(place, default), new, memory, replaces=True)
        return PushedBranch(update.branch, "default", examination, grows=False)
    return PushedBranch(update.branch, "nothing", _examined(git, new, None, memory), grows=False)


def _grows(git: Git, update: Update) -> bool:
    """Whether it is no push by force; only the advice depends on it, so where nobody can tell, it is none."""
    try:
        return is_ancestor(git, update.old, update.new)
    except ShallowHistory:
        return False


def _examined(git: Git, target: Point, head: Point | None, memory: Memory, *, replaces: bool = False) -> Examination:
    # How a repair would be done is decided where it is done, with a look at every other branch; it is not here.
    return examine(git, target, head, memory=memory, replaces=replaces)[0]


@contextmanager
def _ended_at(until: float) -> Iterator[None]:
    """Raise `OutOfTime` in whatever runs when the time is over: in our own code and while git is waited for."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    # Never 0, which would mean: no alarm at all.
    signal.setitimer(signal.ITIMER_REAL, max(until - time.monotonic(), 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _say(lines: Iterable[str]) -> None:
    """Tell the pusher. One who has hung up changes nothing about the verdict."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
