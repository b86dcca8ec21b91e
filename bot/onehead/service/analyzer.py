"""Judge in a process without secrets and with a budget: only there is read what anybody may push.

The process gets the path of a mirror and names of commits, and gives values back. It is started when there is work,
one as long as that is enough, and ends when it is idle. Nothing that it says is trusted (see `wire.py`).
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import structlog

from onehead import child_process
from onehead.child_process import Network
from onehead.databases.model import ForkOutcomes
from onehead.errors import CannotJudge, OneheadError
from onehead.examine.examine import WrittenChain
from onehead.examine.next_revision import OpenPulls
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git, Objects
from onehead.gitrepo.left_out import FilesLeftOut
from onehead.gitrepo.process import is_oid
from onehead.plan.findings import Facts
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Point
from onehead.service.judge import Analysis, Judged, NextAnswer, RowsDiagnosis
from onehead.service.wire import BadWire, Wire

MIB = 1024 * 1024

MAX_ANSWER = 16 * MIB  # bytes of one answer

MAX_CONVERSATION = 64 * MIB
"""Bytes of answers about one mirror, after which it is begun anew: both sides remember what was said."""

MAX_ANALYZERS = 2  # processes at once: what one chews on keeps no other repository waiting

MAX_ENDED = 3
"""Analyses of one repository that are ended in one run; after that, the rest of it waits for the sweep too."""

MAX_OPEN = 4  # mirrors that one process keeps open
SECONDS_OF_PATIENCE = 5.0  # how long a repository waits for a busy process before another one is started
SECONDS_IDLE = 30.0  # after which a process ends

_SECONDS_BETWEEN_LOOKS = 0.25
_MAX_FILES = 10_000_000  # that an analyzer may say it has read
_MAX_SAID = 2000  # characters of what an analyzer says went wrong


class _Question(NamedTuple):
    """What can be asked: the types of what goes in and of what comes out, and whether that is about it."""

    given: tuple[Any, ...]
    answer: Any
    fits: Callable[[Any, tuple[Any, ...]], bool] = lambda _answer, _given: True


def _is_about(judged: Judged, given: tuple[Point, Point | None, Strategy | None]) -> bool:
    """Whether it was judged what should be: the repair is written onto the commits that the verdict names."""
    target, head, _ = given
    draft = judged.repair
    return (judged.examination.target, judged.examination.head) == (target, head) and (
        draft is None or (draft.target, draft.start) == (target, head or target)
    )


_QUESTIONS = {
    "judge": _Question((Point, Point | None, Strategy | None), Judged, _is_about),
    "written": _Question((Point, Point), tuple[WrittenChain, ...]),
    "recent": _Question((Facts,), tuple[ForkOutcomes, ...]),
    "diagnose": _Question((Facts, tuple[str, ...]), RowsDiagnosis),
    "effects": _Question((tuple[str, ...],), dict[str, str]),
    "next": _Question((Point, Point | None, OpenPulls, datetime), NextAnswer),
}

MODULE = "onehead.service.analyzer"  # whose `main` the process runs

log = structlog.get_logger(__name__)


class Budget(NamedTuple):
    """What one question may cost, its git processes included: seconds of CPU, seconds, bytes."""

    cpu: float = 60.0
    wall: float = 180.0
    memory: int = 512 * MIB


OnRead = Callable[[int, int], None]
"""(files that were known to the cache, files that were not)"""


class AnalysisEnded(CannotJudge):
    """There is no answer, and most likely there would be none if the same was asked again at once."""

    waits_for_sweep = True

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The analysis {why}.",
            "It is tried again at the next sweep, and by `/onehead check`. If it stays like this, look at the files "
            "that the branch brings, or report it as a bug of onehead.",
        )


class AnalysisFailed(Exception):
    """A defect; the text holds the trace of the other process."""


class _Stopped(Exception):
    """The process has ended by itself."""


class _Process:
    """One process that judges, used by one thread at a time: `is_busy` while it is."""

    def __init__(self, network: Network, budget: Budget, on_read: OnRead) -> None:
        self._on_read = on_read
        self._link, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self.process = child_process.start(
                MODULE, str(number), str(budget.memory), passed=[number], prefix=network.prefix
            )
        self._budget = budget
        self._open: OrderedDict[int, Wire] = OrderedDict()
        self._said: dict[int, int] = {}
        self.is_busy = True

    def knows(self, mirror: RemoteAnalysis) -> bool:
        """Whether it has read from a mirror before."""
        return mirror.number in self._open

    def ask(self, mirror: RemoteAnalysis, what: str, given: tuple[Any, ...]) -> Any:
        """The answer to a question.

        Raises:
            _Stopped: it has ended.
            AnalysisEnded: over budget, or what it said is no answer.
            AnalysisFailed: a defect.
        """
        wire = self._wire(mirror)
        question = _QUESTIONS[what]
        arguments = [wire.write(each, kind) for each, kind in zip(given, question.given, strict=True)]
        self._send({"ask": what, "mirror": mirror.number, "given": arguments})
        answer = self._receive()
        self._said[mirror.number] += len(answer)
        try:
            told = json.loads(answer)
            if "value" not in told:
                _raise(told)
            value = wire.read(told["value"], question.answer)
            if not question.fits(value, given):
                raise BadWire(f"{what}: it is about something else")
            hits, misses = wire.read(told["read"], tuple[int, int])
            if not (0 <= hits <= _MAX_FILES and 0 <= misses <= _MAX_FILES):
                raise BadWire(f"{what}: nobody reads so many files")
        except (BadWire, ValueError, TypeError, LookupError, RecursionError) as error:
            log.error("An analyzer has said what is no answer; it is ended.", error=str(error)[:500])
            raise AnalysisEnded("gave no usable answer") from error
        if mirror.is_counted:
            self._on_read(hits, misses)
        return value

    def end(self) -> None:
        """End it and all it has started."""
        child_process.end(self.process)
        self._link.close()

    def _wire(self, mirror: RemoteAnalysis) -> Wire:
        """The conversation about a mirror, begun where there is none; the oldest one ends where there are too many."""
        if self._said.get(mirror.number, 0) > MAX_CONVERSATION:
            self._close(mirror.number)
        if mirror.number not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._close(next(iter(self._open)))
            self._send({"open": mirror.number, "place": [str(mirror.place), str(mirror.cache), mirror.url]})
            self._open[mirror.number] = Wire()
            self._said[mirror.number] = 0
        self._open.move_to_end(mirror.number)
        return self._open[mirror.number]

    def _close(self, number: int) -> None:
        del self._open[number], self._said[number]
        self._send({"close": number})

    def _send(self, message: dict[str, Any]) -> None:
        self._link.settimeout(self._budget.wall)
        try:
            _write(self._link, message)
        except OSError as error:
            raise _Stopped from error

    def _receive(self) -> bytes:
        """The next message, while the budget lasts."""
        begun = looked = time.monotonic()
        spent: float | None = None
        self._link.settimeout(_SECONDS_BETWEEN_LOOKS)
        data = bytearray()
        while True:
            with suppress(TimeoutError):
                data += self._heard()
                size = int.from_bytes(data[:4])
                if size > MAX_ANSWER:
                    raise AnalysisEnded(f"found more than {MAX_ANSWER // MIB} MiB")
                if 4 < len(data) >= 4 + size:
                    return bytes(data[4 : 4 + size])
            now = time.monotonic()
            if now - begun > self._budget.wall:
                raise AnalysisEnded(f"took longer than {self._budget.wall:g} seconds and was ended")
            if now - looked >= _SECONDS_BETWEEN_LOOKS:
                looked = now
                members = child_process.family(self.process.pid)
                cpu = sum(each.cpu for each in members)
                spent = cpu if spent is None else spent
                if cpu - spent > self._budget.cpu:
                    raise AnalysisEnded(f"took more than {self._budget.cpu:g} seconds of CPU and was ended")
                if sum(each.memory for each in members) > self._budget.memory:
                    raise AnalysisEnded(_over_memory(self._budget.memory))

    def _heard(self) -> bytes:
        try:
            chunk = self._link.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:  # another thread may have closed it
            raise _Stopped from error
        if not chunk:
            raise _Stopped
        return chunk


def _over_memory(memory: int) -> str:
    return f"needed more than {memory // MIB} MiB of memory and was ended"


def _raise(told: Any) -> NoReturn:
    """Raise what the other process has met with."""
    if "defect" in told:
        raise AnalysisFailed(str(told["defect"]))
    if "left_out" in told:
        oids = [str(oid) for oid in told["left_out"]]
        if not all(map(is_oid, oids)):
            raise BadWire("what was left out has no id")
        raise FilesLeftOut(oids)
    message, hint, lasting = told["error"]
    error = CannotJudge(str(message)[:_MAX_SAID], str(hint)[:_MAX_SAID])
    error.lasting = bool(lasting)
    raise error


class Analyzers:
    """The processes that judge, each started when it is needed; the budget is that of each question."""

    def __init__(
        self,
        network: Network,
        budget: Budget = Budget(),  # noqa: B008 - a value
        *,
        observe: Callable[[str, float], None] = lambda _step, _seconds: None,
        on_read: OnRead = lambda _hits, _misses: None,
    ) -> None:
        """Start nothing yet.

        `observe` is told for how many seconds each question has waited for a process (`wait`) and was worked on
        (`judge`); `on_read`, with each answer, how many files were known to the cache, and how many were not.
        """
        self._network = network
        self._budget = budget
        self._observe = observe
        self._on_read = on_read
        self._processes: list[_Process] = []
        self._changed = threading.Condition()
        self._opened = 0
        self._closed = False

    def open(self, place: Path, cache: Path, url: str, *, is_counted: bool = True) -> RemoteAnalysis:
        """The analysis of a mirror; parsed files are remembered in the cache by its clone URL.

        `is_counted`: whether they count for `on_read`.
        """
        with self._changed:
            self._opened += 1
            return RemoteAnalysis(self, self._opened, place, cache, url, is_counted=is_counted)

    def ask(self, mirror: RemoteAnalysis, what: str, *given: Any) -> Any:
        """Ask a process something about a mirror.

        Raises:
            AnalysisEnded: over budget, or the process broke down.
            AnalysisFailed: a defect.
        """
        if len(mirror.ended) >= MAX_ENDED:
            raise mirror.ended[-1]
        # Each that was idle may have ended just when it was asked.
        for _ in range(MAX_ANALYZERS + 1):
            asked = time.monotonic()
            process = self._take(mirror)
            taken = time.monotonic()
            self._observe("wait", taken - asked)
            is_sound = False
            try:
                answer = process.ask(mirror, what, given)
            except _Stopped as stopped:
                process.end()
                code = process.process.returncode
                if code != 0:
                    why = f"ended before it was done ({code})"
                    ended = AnalysisEnded(_over_memory(self._budget.memory) if code == _OUT_OF_MEMORY else why)
                    mirror.ended.append(ended)
                    raise ended from stopped
            except AnalysisEnded as ended:
                mirror.ended.append(ended)
                raise
            except (OneheadError, AnalysisFailed):
                is_sound = True
                raise
            else:
                is_sound = True
                return answer
            finally:
                self._observe("judge", time.monotonic() - taken)
                self._give_back(process, is_sound=is_sound)
        raise AnalysisEnded("ended again and again without an answer")

    def close(self) -> None:
        """End all, for good. Who still waits for an answer never gets one: it would be written down as a verdict."""
        with self._changed:
            self._closed = True
            processes, self._processes = self._processes, []
            self._changed.notify_all()
        for process in processes:
            process.end()

    def _take(self, mirror: RemoteAnalysis) -> _Process:
        """A process that is free: the one that knows the mirror, or any, or a new one."""
        patience = time.monotonic() + SECONDS_OF_PATIENCE
        with self._changed:
            while not self._closed:
                free = [each for each in self._processes if not each.is_busy]
                if free:
                    process = next((each for each in free if each.knows(mirror)), free[0])
                    process.is_busy = True
                    return process
                left = patience - time.monotonic()
                if not self._processes or (left <= 0 and len(self._processes) < MAX_ANALYZERS):
                    process = _Process(self._network, self._budget, self._on_read)
                    self._processes.append(process)
                    return process
                self._changed.wait(left if left > 0 else None)
        return _wait_for_the_end()

    def _give_back(self, process: _Process, *, is_sound: bool) -> None:
        if not is_sound:
            process.end()
        if self._closed:
            _wait_for_the_end()
        with self._changed:
            process.is_busy = False
            if not is_sound and process in self._processes:
                self._processes.remove(process)
            self._changed.notify_all()


def _wait_for_the_end() -> NoReturn:
    """The thread is a daemon, and the process is about to end."""
    while True:
        time.sleep(60)


class RemoteAnalysis:
    """A mirror, read and judged by another process (see `Analysis`).

    Both processes name it by its number. `ended` are the analyses that were given up.
    """

    def __init__(
        self, analyzers: Analyzers, number: int, place: Path, cache: Path, url: str, *, is_counted: bool
    ) -> None:
        self._analyzers = analyzers
        self.is_counted = is_counted
        self.number = number
        self.place = place
        self.cache = cache
        self.url = url
        self.ended: list[AnalysisEnded] = []

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        """See `Analysis.judge`."""
        judged: Judged = self._analyzers.ask(self, "judge", target, head, strategy)
        return judged

    def written(self, target: Point, written: Point) -> tuple[WrittenChain, ...]:
        """See `Analysis.written`."""
        found: tuple[WrittenChain, ...] = self._analyzers.ask(self, "written", target, written)
        return found

    def recent(self, facts: Facts) -> tuple[ForkOutcomes, ...]:
        """See `Analysis.recent`."""
        found: tuple[ForkOutcomes, ...] = self._analyzers.ask(self, "recent", facts)
        return found

    def diagnose(self, facts: Facts, rows: tuple[str, ...]) -> RowsDiagnosis:
        """See `Analysis.diagnose`."""
        found: RowsDiagnosis = self._analyzers.ask(self, "diagnose", facts, rows)
        return found

    def effects(self, blobs: tuple[str, ...]) -> dict[str, str]:
        """See `Analysis.effects`."""
        found: dict[str, str] = self._analyzers.ask(self, "effects", blobs)
        return found

    def next(self, target: Point, head: Point | None, pulls: OpenPulls, now: datetime) -> NextAnswer:
        """See `Analysis.next`."""
        found: NextAnswer = self._analyzers.ask(self, "next", target, head, pulls, now)
        return found


_OUT_OF_MEMORY = 12
_NICENESS = 5  # who answers goes before who computes


def main() -> int:
    """The process: `sys.argv` holds the number of the socket, and how many bytes of memory it may have."""
    link = socket.socket(fileno=int(sys.argv[1]))
    memory = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory is short, this process goes before the service does
        Path("/proc/self/oom_score_adj").write_text("500")
    os.nice(_NICENESS)
    child_process.keep_orphans()
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    return serve(link)


def serve(link: socket.socket) -> int:
    """Answer until there is nothing more to answer; the exit code."""
    mirrors: dict[int, _OpenMirror] = {}
    try:
        while (message := _read(link)) is not None:
            if "open" in message:
                mirrors[message["open"]] = _OpenMirror(*message["place"])
            elif "close" in message:
                mirrors.pop(message["close"]).close()
            else:
                _write(link, mirrors[message["mirror"]].answer(message["ask"], message["given"]))
    except MemoryError:
        return _OUT_OF_MEMORY
    for mirror in mirrors.values():
        mirror.close()
    return 0


class _OpenMirror:
    def __init__(self, place: str, cache: str, url: str) -> None:
        self._git = Git.of_our_own(place)
        self._git.kept_open = Objects(self._git, keep=True)
        self._memory = memory_for(url, cache)
        self._analysis = Analysis(self._git, self._memory)
        self._wire = Wire()

    def answer(self, what: str, given: list[Any]) -> dict[str, Any]:
        """What the analysis says."""
        question = _QUESTIONS[what]
        arguments = [self._wire.read(each, kind) for each, kind in zip(given, question.given, strict=True)]
        try:
            value = getattr(self._analysis, what)(*arguments)
        except MemoryError:
            raise
        except FilesLeftOut as lack:
            return {"left_out": lack.oids}
        except OneheadError as error:
            return {"error": [error.message, error.hint, error.lasting]}
        except Exception:
            return {"defect": traceback.format_exc()}
        read = self._memory.hits, self._memory.misses
        self._memory.hits = self._memory.misses = 0
        return {"value": self._wire.write(value, question.answer), "read": read}

    def close(self) -> None:
        """End its git."""
        if self._git.kept_open is not None:
            self._git.kept_open.hang_up()


def _end_with(link: socket.socket) -> None:
    """End at once where the other side has ended, whatever is being done."""
    poll = select.poll()
    poll.register(link, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def _write(link: socket.socket, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    link.sendall(len(data).to_bytes(4) + data)


def _read(link: socket.socket) -> Any:
    """The next message; `None` where there is none for a while, or any more."""
    link.settimeout(SECONDS_IDLE)
    try:
        head = _exactly(link, 4)
        link.settimeout(None)
        return None if head is None else json.loads(_exactly(link, int.from_bytes(head)) or b"null")
    except (TimeoutError, ConnectionResetError):  # reset: the other side was killed
        return None


def _exactly(link: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        chunk = link.recv(size - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)
