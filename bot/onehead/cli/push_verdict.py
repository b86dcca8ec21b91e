"""The verdict about a push that touches migrations: what the pusher reads, and what git is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onehead.errors import OneheadError
from onehead.examine.push import Arrival, arrive, look_ahead
from onehead.examine.read import Memory, memory_for
from onehead.examine.touched import MAX_LOOKED_AT
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import OutOfTime
from onehead.plan.verdict import objections
from onehead.reports.terminal import TAKEN_TOGETHER, acceptance, heads_up, not_judged, not_looked_ahead, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from onehead.gitrepo.pushed import Update


def judge(branches: tuple[Update, ...], timeout: float, until: float, *, several: bool) -> int:
    """Judge the deployed branches of a push, and have a look at the others: 0 lets the push in, 1 refuses it.

    Args:
        branches: that are made or moved.
        timeout: seconds that one command of git may take.
        until: when there has to be an answer, of `time.monotonic`.
        several: whether more than one ref was pushed.
    """
    git = Git(os.curdir, timeout=timeout, trusted=True)  # git itself has opened it, and waits for us there
    memory = memory_for(os.path.realpath(os.curdir))
    with _ended_at(until):
        arrival = arrive(git, branches, memory)
    # The verdict stands: the time that telling it takes can't turn it round any more.
    merging = os.environ.get("GITEA_PUSH_TRIGGER") == "pr-merge-to-base"
    for pushed in arrival.landings:
        if objections(pushed):
            _say([*refusal(pushed, merging=merging), *([TAKEN_TOGETHER] if several else [])])
            return 1
    for pushed in arrival.landings:
        _say(acceptance(pushed))
    _look_ahead(git, arrival, memory, until)
    return 0


def give_up(trouble: Exception, *, refused: bool) -> int:
    """Tell that there is no verdict, and do what the server wants done then."""
    _say(not_judged(*_what_happened(trouble), refused=refused))
    return 1 if refused else 0


def _look_ahead(git: Git, arrival: Arrival, memory: Memory, until: float) -> None:
    """Warn of what the other branches would do once merged. A courtesy: nothing that goes wrong here stops a push."""
    if len(arrival.others) > MAX_LOOKED_AT:
        _say(not_looked_ahead(f"{len(arrival.others)} branches at once are too many to look at each."))
        return
    try:
        with _ended_at(until):
            for examination in look_ahead(git, arrival, memory):
                _say(heads_up(examination))
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
