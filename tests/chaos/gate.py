"""A gate before the stand-in: it knows which process asks, stops one at a named step, and answers wrongly on demand.

Each process of the service has a token of its own, all of one account, so that a request tells whose it is. A request
that is stopped gets no answer until it is let go; meanwhile whoever sent it can be killed, and nothing in the service
has to know of it.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.standin.access import BadCredentialsError, identify
from tests.standin.world import World

MAX_STOPPED = 10.0
"""Seconds for which a request is stopped at most."""

SECONDS_OF_SILENCE = 7.0
"""Longer than a process waits that `tests.chaos.hasty` has started."""

_API = re.compile(r"/api/v1/repos/(?!issues/search$)([^/]+/[^/]+)(/.*)?")
_GIT = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")


class Step(StrEnum):
    """Where in a run a process is stopped, and killed."""

    BEGUN = "a run has begun"
    FETCHED = "after fetch"
    COMMITTED = "after commit"
    AMID_PUSH = "amid push"
    PUSHED = "after push"
    AMID_PULL = "amid opening the pull request"
    OPENED = "after the pull request was opened"
    BEFORE_COMMENT = "before comment"
    AMID_COMMENT = "amid comment"
    AMID_EDIT = "amid edit of a comment"
    BEFORE_STATUS = "before status"
    AMID_STATUS = "amid status"


class Asked(NamedTuple):
    """A request of a process of the service.

    Attributes:
        who: name of its token.
        repository: full name; empty where it is about none.
        what: method and path within the repository, or git's service.
    """

    who: str
    repository: str
    what: str


_AFTER = {Step.AMID_PUSH, Step.AMID_PULL, Step.AMID_COMMENT, Step.AMID_EDIT, Step.AMID_STATUS}
"""Steps at which the forge has done what it was asked to, and the answer is withheld; the others come before."""

_WHAT: dict[Step, str] = {
    Step.BEGUN: r"GET ",
    Step.COMMITTED: r"GET git info/refs git-receive-pack",
    Step.AMID_PUSH: r"POST git git-receive-pack.*",
    Step.PUSHED: r"POST /pulls",
    Step.AMID_PULL: r"POST /pulls",
    Step.BEFORE_COMMENT: r"POST /issues/\d+/comments",
    Step.AMID_COMMENT: r"POST /issues/\d+/comments",
    Step.AMID_EDIT: r"PATCH /issues/comments/\d+",
    Step.BEFORE_STATUS: r"POST /statuses/\w+",
    Step.AMID_STATUS: r"POST /statuses/\w+",
}

_ONCE_DONE = {Step.FETCHED: r"POST git git-upload-pack.*", Step.OPENED: r"POST /pulls"}
"""Steps that are the next request after this one was answered."""


@dataclass(eq=False)
class Trap:
    """Waits at some steps for whoever comes first."""

    steps: frozenset[Step]
    of: str = ""
    caught: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    step: Step | None = None
    who: str = ""
    repository: str = ""


class Fault(StrEnum):
    """How the forge answers wrongly."""

    INTERNAL = "500"
    GATEWAY = "502"
    BUSY = "429"
    CONFLICT = "409"
    SILENCE = "no answer"
    HALF = "half an answer"
    REDIRECT = "redirect"


_PERHAPS_DONE = {Fault.INTERNAL, Fault.GATEWAY, Fault.SILENCE, Fault.HALF}
"""Answers after which a client can't know whether the forge has done what it was asked to; half of them are."""


@dataclass(slots=True)
class Seen:
    """A request that was answered, or is being answered; times in seconds since 1970."""

    asked: Asked
    began: float
    ended: float | None = None


class Gate:
    """The application around the stand-in's."""

    world: World
    """Of the stand-in, known before anybody asks."""

    def __init__(self, app: ASGIApp, chance: random.Random) -> None:
        self._app = app
        self._chance = chance
        self._traps: list[Trap] = []
        self._last: dict[tuple[str, str], str] = {}  # (who, repository) → what was answered last
        self.seen: list[Seen] = []
        self.faulty = 0.0
        """How many of the requests are answered wrongly."""
        self.faults = 0

    def set(self, *steps: Step, of: str = "") -> Trap:
        """Stop whoever comes first to one of these steps; of the starts of one process, where it is named."""
        trap = Trap(frozenset(steps), of)
        self._traps.append(trap)
        return trap

    def take_away(self, trap: Trap) -> None:
        """Stop nobody any more, and let go who was stopped."""
        with suppress(ValueError):
            self._traps.remove(trap)
        trap.let_go.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, now or later, rightly or wrongly."""
        asked = self._asked(scope) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        seen = Seen(asked, time.time())
        self.seen.append(seen)
        try:
            with suppress(ClientDisconnect):  # it was killed
                await self._answer(asked, scope, receive, send)
        finally:
            seen.ended = time.time()

    async def _answer(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stop(asked, is_done=False)
        fault = self._chance.choice(list(Fault)) if self._chance.random() < self.faulty else None
        if fault is not None:
            self.faults += 1
        if fault is None or (fault in _PERHAPS_DONE and self._chance.random() < 0.5):
            answer: list[Message] = []

            async def keep(message: Message) -> None:
                answer.append(message)

            await self._app(scope, receive, keep)
            self._last[asked.who, asked.repository] = asked.what
            await self._stop(asked, is_done=True)
        if fault is not None:
            await _wrongly(fault, scope, send)
            return
        for message in answer:
            await send(message)

    async def _stop(self, asked: Asked, *, is_done: bool) -> None:
        for trap in self._traps:
            step = next((step for step in trap.steps if self._is_at(step, asked, is_done=is_done)), None)
            if step is None or trap.caught.is_set() or not asked.who.startswith(trap.of):
                continue
            trap.step, trap.who, trap.repository = step, asked.who, asked.repository
            trap.caught.set()
            until = time.monotonic() + MAX_STOPPED
            while not trap.let_go.is_set() and time.monotonic() < until:
                await asyncio.sleep(0.002)
            return

    def _is_at(self, step: Step, asked: Asked, *, is_done: bool) -> bool:
        if not asked.repository or is_done != (step in _AFTER):
            return False
        if step in _ONCE_DONE:
            before = self._last.get((asked.who, asked.repository), "")
            return re.fullmatch(_ONCE_DONE[step], before) is not None
        return re.fullmatch(_WHAT[step], asked.what) is not None

    def _asked(self, scope: Scope) -> Asked | None:
        """What a process of the service asks; `None` where a person does."""
        header = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), None)
        try:
            caller = identify(self.world, header)
        except BadCredentialsError:
            return None
        if caller.token is None or caller.user is None or caller.user.name != "onehead-bot":
            return None
        path, method = scope["path"], scope["method"]
        if found := _API.fullmatch(path):
            return Asked(caller.token.name, found[1], f"{method} {found[2] or ''}")
        if found := _GIT.fullmatch(path):
            service = scope["query_string"].decode().partition("service=")[2]
            return Asked(caller.token.name, found[1], f"{method} git {found[2]} {service}".rstrip())
        return Asked(caller.token.name, "", f"{method} {path}")


async def _wrongly(fault: Fault, scope: Scope, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    status, body = 200, b'{"message": "The forge has trouble."}'
    if fault in (Fault.SILENCE, Fault.HALF):
        if fault is Fault.SILENCE:
            await asyncio.sleep(SECONDS_OF_SILENCE)
        # What ends before its length is reached is cut off by the server.
        headers += [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        return
    match fault:
        case Fault.REDIRECT:
            status, headers = 307, [*headers, (b"location", b"http://127.0.0.1:9" + scope["raw_path"])]
        case Fault.BUSY:
            status, headers = 429, [*headers, (b"retry-after", b"1")]
        case _:
            status = int(fault)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
