"""The door: the process that answers HTTP, so that no work delays an answer. It never holds the token.

It shares a socket with the process of the engine, on which both write one JSON object per line. The engine says first
what the door needs to know, then whose account the bot's is; the door hands over jobs and asks how the engine is. Where
either side ends, the other one reads to the end and ends too.

uvicorn bounds neither how many connections there are nor how long the head of a request may take. Both run into the
limit of open files, at which nothing is accepted any more.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from onehead import child_process
from onehead.databases.reported import RowsReported
from onehead.errors import OneheadError
from onehead.logs import configure
from onehead.reports.page import message_page
from onehead.screen import bare
from onehead.service.engine import (
    BranchGone,
    BranchMoved,
    CommandGiven,
    Job,
    PullChanged,
    read_subject,
    written_subject,
)
from onehead.service.page_door import PageAccess, PageDoor
from onehead.service.web import Bodies, DoorMetrics, HookDoor, NoRoom, ReportDoor, build_app
from onehead.settings import Settings, is_covered

MAX_CONNECTIONS = 512  # At once. Beyond that, the one that has been sending its request for longest is closed.

MAX_WAITING = 128
"""Connections that the system holds until they are accepted: all of them in one go, before any is closed."""

SECONDS_FOR_HEAD = 10.0
"""From the beginning of a connection, or the last answer on it, until the head of a request is complete."""

SECONDS_BETWEEN_WARNINGS = 60.0

_FILES = 2 * (MAX_CONNECTIONS + MAX_WAITING)  # open files: as many again for git, the forge and everything else

log = structlog.get_logger(__name__)


def allow_files() -> None:
    """Raise the limit of open files to what the connections may need, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class BoundedConnections(H11Protocol):
    """One connection, which knows of the others of its server.

    It is incomplete from its first moment, or the last answer, until all of a request has arrived.
    """

    _incomplete: dict[BoundedConnections, None] = {}  # noqa: RUF012 - of all connections, the longest incomplete first
    _last_warning = float("-inf")
    _has_head = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept it, in the place of another where there are too many."""
        super().connection_made(transport)
        self._expect()
        if len(self.connections) > MAX_CONNECTIONS:
            next(iter(self._incomplete)).close()
            BoundedConnections._warn(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._has_arrived()
        self._stop_clock()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come, and see how far the request is."""
        cycle = self.cycle
        super().handle_events()
        if self.cycle is not cycle:
            self._stop_clock()
            self._has_head = True
        if self._has_head and not self.cycle.more_body:
            self._has_arrived()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if not self.transport.is_closing():
            self._expect()
        super().on_response_complete()

    def _expect(self) -> None:
        self._incomplete[self] = None
        self._has_head = False
        self._stop_clock()
        self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, self.close)

    def _has_arrived(self) -> None:
        self._incomplete.pop(self, None)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def close(self) -> None:
        """End it without an answer: nothing was asked yet."""
        self._has_arrived()
        self.transport.abort()

    @classmethod
    def _warn(cls, now: float) -> None:
        if now - cls._last_warning >= SECONDS_BETWEEN_WARNINGS:
            cls._last_warning = now
            log.warning(
                "There are too many connections at once; those that have been sending their request for longest are "
                "closed. Put a proxy before the service that only Forgejo and deploy jobs can reach.",
                most=MAX_CONNECTIONS,
            )


def limits() -> dict[str, Any]:
    """The arguments of uvicorn's configuration that bound connections."""
    return {"http": BoundedConnections, "backlog": MAX_WAITING, "timeout_keep_alive": 5}


SECONDS_TO_ANSWER = 3  # for requests that are being answered when the service is told to stop
SECONDS_TO_TELL = 5.0  # for the engine to say how it is, or to make a page
MAX_PAGES = 4  # that the engine makes at once
MAX_HELD_JOBS = 1024 * 1024  # bytes of jobs that wait until the engine's process reads them; a job is some hundred

MAX_HELD_QUESTIONS = MAX_HELD_JOBS // 4
"""Bytes that wait until the engine's process reads them, beyond which it is asked for no page: the room is for jobs."""

_MAX_LINE = 4 * 1024 * 1024

_TOO_MANY = 503, message_page("Too many pages are asked for at once. Reload this one in a moment.")

_SUBJECTS = (BranchMoved, BranchGone, PullChanged, CommandGiven, RowsReported)
"""What a door can find out; the rest is the sweep's."""


def written_job(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    subjects = [written_subject(each) for each in job.subjects]
    return {"job": job.repository, "subjects": subjects, "deliveries": job.deliveries}


def read_job(written: Mapping[str, Any]) -> Job:
    """The job that was written.

    Raises:
        ValueError: it is none.
    """
    subjects = frozenset(map(read_subject, written["subjects"]))
    for each in subjects:
        if not isinstance(each, _SUBJECTS):
            msg = f"a door knows nothing of {type(each).__name__}"
            raise ValueError(msg)
    return Job(written["job"], subjects, tuple(map(str, written["deliveries"])))


class Door:
    """The door as the engine's process sees it."""

    def __init__(self, listener: socket.socket, settings: Settings, *, takes_webhooks: bool = True) -> None:
        """Start the process; the listener, which listens already, is its own from now on.

        Where it takes neither webhooks nor reports, it only answers how the service is.
        """
        self._link, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._room = threading.Semaphore(MAX_PAGES)
        self._stopping = False
        with listener, theirs:
            numbers = listener.fileno(), theirs.fileno()
            self._process = child_process.start("onehead.service.door", *map(str, numbers), passed=numbers)
        self._tell(
            log=settings.log,
            takes_webhooks=takes_webhooks,
            repositories=settings.repositories,
            webhook_secrets=[secret.reveal() for secret in settings.webhook_secret],
            report_secrets=[secret.reveal() for secret in settings.report_secret],
            page_tokens=[secret.reveal() for secret in settings.page_token],
            page_proxies=settings.page_proxies,
            page_user_header=settings.page_user_header,
        )

    def know_account(self, account: int) -> None:
        """Tell the door whose events are the bot's own."""
        self._tell(account=account)

    def attend(
        self,
        submit: Callable[[Job], None],
        ready: Callable[[], tuple[bool, Any]],
        metrics: Callable[[], bytes],
        page: Callable[[str, str], tuple[int, str]],
    ) -> None:
        """Take jobs and answer questions, until the door has stopped and all it accepted was handed over.

        A page may take its time, as where PostgreSQL does, and nothing else waits for it. The door asks for a few of
        them at once.

        Raises:
            OneheadError: the process ended without being told to.
        """
        with self._link, self._link.makefile("rb") as lines:
            while line := lines.readline(_MAX_LINE):
                said = json.loads(line)
                if "job" in said:
                    submit(read_job(said))
                elif said["ask"] == "ready":
                    self._tell(number=said["number"], answer=ready())
                elif said["ask"] == "page" and not self._room.acquire(blocking=False):
                    # The door has given up waiting for some that are still being made: no more of what they wait for.
                    self._tell(number=said["number"], answer=_TOO_MANY)
                elif said["ask"] == "page":
                    threading.Thread(target=self._show, args=(said, page), name="onehead-page", daemon=True).start()
                else:
                    self._tell(number=said["number"], answer=metrics().decode("utf-8"))
            code = self._process.wait()
        if not self._stopping:
            raise OneheadError(
                f"The process that answers HTTP has ended ({code}), so the service ends.",
                "Start it again; what was missed is found by the sweep at start-up.",
            )

    def _show(self, said: Mapping[str, Any], page: Callable[[str, str], tuple[int, str]]) -> None:
        try:
            answer = page(said["path"], said["query"])
        finally:
            self._room.release()
        if len(json.dumps(answer)) > _MAX_LINE - 1024:
            answer = 500, message_page("This page would be too large to be shown.")
        self._tell(number=said["number"], answer=answer)

    def stop(self) -> None:
        """Take no more requests; may be called by the handler of a signal, so it waits for nothing."""
        if self._stopping:
            return
        self._stopping = True
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)
        late = threading.Timer(2 * SECONDS_TO_ANSWER, self._process.kill)
        late.daemon = True
        late.start()

    def _tell(self, **fields: object) -> None:
        # A door that is gone is noticed by who reads.
        with self._lock, suppress(OSError):
            self._link.sendall(json.dumps(fields).encode() + b"\n")


class EngineBeyond:
    """The engine as the door sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.account: int | None = None
        self._reader = reader
        self._writer = writer
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._pages = 0

    def submit(self, job: Job) -> None:
        """See `Behind.submit`."""
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > MAX_HELD_JOBS:
            raise NoRoom
        self._tell(written_job(job))

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """See `Behind.ready`."""
        answer = await self._ask("ready")
        if answer is None:
            return False, {"ready": False, "trouble": f"The engine said nothing within {SECONDS_TO_TELL:g} seconds."}
        is_ready, report = answer
        return is_ready, report

    async def metrics(self) -> bytes:
        """See `Behind.metrics`."""
        return (await self._ask("metrics") or "").encode()

    async def page(self, path: str, query: str) -> tuple[int, str]:
        """See `PageSource.page`."""
        if self._pages >= MAX_PAGES or self._writer.transport.get_write_buffer_size() > MAX_HELD_QUESTIONS:
            return _TOO_MANY
        self._pages += 1
        try:
            answer = await self._ask("page", path=path, query=query)
        finally:
            self._pages -= 1
        if answer is None:
            return 503, message_page(f"The service said nothing within {SECONDS_TO_TELL:g} seconds. Reload the page.")
        status, html = answer
        return status, html

    async def listen(self) -> None:
        """Hear what the engine says, until it has nothing more to say or was killed."""
        with suppress(ConnectionResetError):
            while line := await self._reader.readline():
                said = json.loads(line)
                if "account" in said:
                    self.account = said["account"]
                elif (waiting := self._asked.get(said["number"])) is not None and not waiting.done():
                    # Whoever has just given up waiting is still known here for a moment.
                    waiting.set_result(said["answer"])

    async def hand_over(self) -> None:
        """Wait until all that was accepted is handed over."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _ask(self, what: str, **about: str) -> Any:
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._tell({"ask": what, "number": number, **about})
        try:
            return await asyncio.wait_for(answer, SECONDS_TO_TELL)
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def _tell(self, said: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(said).encode() + b"\n")


def main() -> int:
    """The door's process: `sys.argv` holds the numbers of the listening socket and of the one to the engine."""
    child_process.keep_to_ourselves()
    # Who stops the engine's process stops this one; a signal for both must not cut answers off.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener, link = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    asyncio.run(_serve(listener, link))
    return 0


async def _serve(listener: socket.socket, link: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=link, limit=_MAX_LINE)
    told = json.loads(await reader.readline())
    secrets = [*told["webhook_secrets"], *told["report_secrets"], *told["page_tokens"]]
    configure(told["log"], secrets, stream=bare(sys.stderr))
    allow_files()
    is_open = told["takes_webhooks"]
    engine, metrics, bodies = EngineBeyond(reader, writer), DoorMetrics(), Bodies()

    def covers(repository: str) -> bool:
        return is_covered(told["repositories"], repository)

    hooks = HookDoor(secrets=told["webhook_secrets"], covers=covers, behind=engine, metrics=metrics, bodies=bodies)
    reports = ReportDoor(secrets=told["report_secrets"], covers=covers, behind=engine, metrics=metrics, bodies=bodies)
    access = PageAccess.of(told["page_tokens"], told["page_proxies"], told["page_user_header"])
    page = PageDoor(access, engine) if is_open and (access.tokens or access.proxies) else None
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(hooks if is_open else None, reports if is_open else None, engine, metrics, page),
            **limits(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SECONDS_TO_ANSWER,
        )
    )

    async def until_told() -> None:
        try:
            await engine.listen()
        finally:
            server.should_exit = True

    heard = asyncio.create_task(until_told())
    await server.serve(sockets=[listener])
    await engine.hand_over()
    await heard
