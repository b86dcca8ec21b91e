"""`onehead pre-receive`: git asks it whether a push may come in.

Git waits for it in every push, so what is not needed is not loaded, and most pushes are let through on the word of
the paths they change. It is given a time, after which it has an answer whatever happens; and whatever happens, the
pusher reads sentences and no traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.flows.touched import touches
from onehead.gitrepo.command import Git
from onehead.gitrepo.pushed import Update, read_updates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from onehead.flows.memory import Memory
    from onehead.flows.receive import Arrival

_MOST_LOOKED_AT = 20
"""Branches of one push that are looked at one by one; of more only the deployed ones are."""


class Options(Protocol):
    """What the command line says.

    Attributes:
        on_error: `allow` or `refuse`: what becomes of a push that could not be judged.
        timeout: seconds that a push may wait for its verdict.
    """

    on_error: str
    timeout: float


class OutOfTime(CannotJudge):
    """The time that a push may wait is over."""


def run(options: Options) -> int:
    """Judge a push; returns 0 to let it in and 1 to refuse it.

    Raises:
        UsageError: standard input is not what git gives to a hook.
    """
    updates = _updates()
    if os.environ.get("GITEA_REPO_IS_WIKI") == "true" or os.environ.get("GITEA_INTERNAL_PUSH") == "true":
        # A wiki is not deployed; and what Forgejo itself puts into a new repository, nobody could push better.
        return 0
    branches = tuple(update for update in updates if update.branch and not update.deletes)
    until = time.monotonic() + options.timeout
    git = Git(os.curdir, timeout=options.timeout)
    try:
        with _ended_at(until):
            if len(branches) <= _MOST_LOOKED_AT:
                branches = tuple(update for update in branches if touches(git, update))
            if not branches:
                return 0
            arrival, memory = _judged(git, branches)
    except Exception as trouble:
        return _give_up(trouble, options)
    if _refused(arrival, several=len(updates) > 1):
        return 1
    _look_ahead(git, arrival, memory, until)
    return 0


def _updates() -> list[Update]:
    if sys.stdin.isatty():
        raise UsageError(
            "`onehead pre-receive` reads what git gives to a hook, and this is a terminal.",
            "Put it into a repository with `onehead install hook --repository DIR`; to judge a branch here, run "
            "`onehead check`.",
        )
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return read_updates(text)
    except ValueError:
        raise UsageError(
            "Standard input is not what git gives to a pre-receive hook.",
            "It has one line for each ref: OLD-SHA NEW-SHA REF.",
        ) from None


def _judged(git: Git, branches: tuple[Update, ...]) -> tuple[Arrival, Memory]:
    from onehead.flows.memory import memory_for  # noqa: PLC0415 - most pushes need none of this
    from onehead.flows.receive import arrive  # noqa: PLC0415

    memory = memory_for(os.path.realpath(os.curdir))
    return arrive(git, branches, memory), memory


def _refused(arrival: Arrival, *, several: bool) -> bool:
    """Tell what becomes of the deployed branches."""
    from onehead.plan.push import objections  # noqa: PLC0415
    from onehead.reports.push import TAKEN_TOGETHER, acceptance, refusal  # noqa: PLC0415

    refused = [landing for landing in arrival.landings if objections(landing)]
    merging = os.environ.get("GITEA_PUSH_TRIGGER") == "pr-merge-to-base"
    for landing in refused:
        _say(refusal(landing, merging=merging))
    if refused and several:
        _say([TAKEN_TOGETHER])
    if not refused:
        for landing in arrival.landings:
            _say(acceptance(landing))
    return bool(refused)


def _look_ahead(git: Git, arrival: Arrival, memory: Memory, until: float) -> None:
    """Warn of what the other branches would do once merged. A courtesy: nothing that goes wrong here stops a push."""
    from onehead.flows.receive import look_ahead  # noqa: PLC0415
    from onehead.reports.push import heads_up, not_looked_ahead  # noqa: PLC0415

    if len(arrival.others) > _MOST_LOOKED_AT:
        _say(not_looked_ahead(f"{len(arrival.others)} branches at once are too many to look at each."))
        return
    try:
        with _ended_at(until):
            for examination in look_ahead(git, arrival, memory):
                _say(heads_up(examination))
    except Exception as trouble:
        _say(not_looked_ahead(_what_happened(trouble)[0]))


def _give_up(trouble: Exception, options: Options) -> int:
    from onehead.reports.push import not_judged  # noqa: PLC0415

    refused = options.on_error == "refuse"
    _say(not_judged(*_what_happened(trouble), refused=refused))
    return 1 if refused else 0


def _what_happened(trouble: Exception) -> tuple[str, str]:
    """What went wrong, and what to do about it."""
    if isinstance(trouble, OneheadError):
        return trouble.message, trouble.hint
    place = trouble.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    file = os.path.basename(place.tb_frame.f_code.co_filename) if place else ""  # noqa: PTH119
    line = place.tb_lineno if place else 0
    return f"Something is wrong inside onehead: {type(trouble).__name__} in {file}, line {line} ({trouble}).", ""


@contextmanager
def _ended_at(until: float) -> Iterator[None]:
    """Raise `OutOfTime` in whatever runs when the time is over: in our own code and while git is waited for."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime(
            "The time that a push may wait for its verdict was over before there was one.",
            "The server may be overloaded, or the push is very large.",
        )

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
