"""`onehead` with its patience cut: what waits for seconds waits for fractions, so that a kill costs little time.

CHAOS_PACE says how many times as fast; 1 changes nothing. CHAOS_CLOCK names a file with the seconds by which the clock
of the schedule is wrong.

Loading takes longer than anything else at a start, so it is done once: this process loads and then, for each line on
standard input, `{"arguments": …, "environment": …, "log": …}`, forks one that runs `onehead`. On standard output it
tells `{"began": number}`, and `{"ended": number, "code": …}`.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from onehead.cli.main import main
from onehead.forge import client
from onehead.service import engine, postgres_engine, rounds, serve, shards, sweep


def clock() -> datetime:
    """The time, as wrong as the file says."""
    try:
        wrong = float(Path(os.environ["CHAOS_CLOCK"]).read_text() or 0)
    except (OSError, ValueError, KeyError):
        wrong = 0.0
    return datetime.now(UTC) + timedelta(seconds=wrong)


def hurry(pace: float) -> None:
    """Divide what is waited for."""
    if pace == 1:
        return
    for name in (
        "SECONDS_WITHOUT_A_SIGN",
        "_SECONDS_BETWEEN_RESCUES",
        "_SECONDS_UNTIL_QUEUED",
        "_SECONDS_UNTIL_FREE",
        "_MAX_PAUSE",
    ):
        setattr(postgres_engine, name, getattr(postgres_engine, name) / pace)
    shards.SECONDS_WITHOUT_A_SIGN /= pace
    shards.SECONDS_TO_HELP /= pace
    rounds.SECONDS_BETWEEN_SIGNS /= pace
    rounds.SECONDS_UNTIL_SWEPT /= pace
    engine.FIRST_DELAY /= pace
    engine.MAX_DELAY = 3.0
    vars(rounds)["MAX_DELAY"] = 3.0
    serve.SECONDS_TO_FINISH /= pace
    client._TIMEOUT = httpx.Timeout(6.0, connect=3.0)
    before = client.Connection.__init__
    assert before.__kwdefaults__ is not None
    wait = before.__kwdefaults__["sleep"]
    before.__kwdefaults__["sleep"] = lambda seconds: wait(seconds / pace)


def _tell(**fields: int) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


def _reap(_number: int, _frame: object) -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(ended=found[0], code=os.waitstatus_to_exitcode(found[1]))


def _run(order: dict[str, Any]) -> None:
    """Be the process that was ordered; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(os.open(order["log"], os.O_WRONLY), 2)
    os.closerange(3, 64)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(order["environment"])
    faulthandler.register(signal.SIGUSR1)  # says what it does, see `Member.end`
    hurry(float(os.environ["CHAOS_PACE"]))
    sweep.Sweeper.__init__.__defaults__ = (clock,)
    assert rounds.Rounds.__init__.__kwdefaults__ is not None
    rounds.Rounds.__init__.__kwdefaults__["now"] = clock
    code = 70
    try:
        code = main(order["arguments"])
    except BaseException:  # nobody else would say so
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def fork_on_demand() -> None:
    """Until standard input ends."""
    for name in ("onehead.cli.verbs", "onehead.service.postgres_schema"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, _reap)
    _tell(began=0)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its end is told after its beginning
        number = os.fork()
        if number == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            _run(json.loads(line))
        _tell(began=number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


if __name__ == "__main__":
    fork_on_demand()
