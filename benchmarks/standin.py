"""A forge to measure against: the tests' stand-in, in a process of its own so that its work is not counted."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from tests.forgejos.administration import PASSWORD, Administration
from tests.forgejos.port import Account
from tests.standin.forge import Forge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")


def nothing(_forge: Forge) -> None:
    """The forge begins empty."""


class RunningForge:
    """A forge in its process.

    Attributes:
        number: of the process.
        admin: its administrator.
    """

    def __init__(self, number: int, pipe: Connection, admin: Administration) -> None:
        self.number = number
        self.admin = admin
        self._pipe = pipe

    def ask(self, what: Callable[[Forge], T]) -> T:
        """Call a function of a module in the forge's process."""
        self._pipe.send(what)
        answer: T = self._pipe.recv()
        return answer

    def requests(self) -> Counter[str]:
        """How many requests it was sent: `git`, and those of the API by method."""
        self._pipe.send(None)
        counted: Counter[str] = self._pipe.recv()
        return counted


@contextmanager
def running_forge() -> Iterator[RunningForge]:
    """A forge, gone afterwards."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    url, account = ours.recv()
    admin = Administration(url, account)
    try:
        yield RunningForge(process.pid or 0, ours, admin)
    finally:
        admin.close()
        ours.send("stop")
        process.join(20)


@contextmanager
def forge(populate: Callable[[Forge], Any] = nothing) -> Iterator[tuple[Administration, Any]]:
    """A running forge, seen by its administrator, and what `populate` gave back; gone afterwards.

    Args:
        populate: called in the forge's process before anything is asked of it; a function of a module.
    """
    with running_forge() as running:
        yield running.admin, running.ask(populate)


class _Counted:
    """An app of which the requests are counted."""

    def __init__(self, app: ASGIApp) -> None:
        self.requests: Counter[str] = Counter()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests[scope["method"] if scope["path"].startswith("/api/") else "git"] += 1
        await self._app(scope, receive, send)


def _serve(pipe: Connection) -> None:
    from tests.standin.server import StandinServer  # noqa: PLC0415 - only the other process needs it

    counted: list[_Counted] = []

    def around(app: ASGIApp) -> ASGIApp:
        counted.append(_Counted(app))
        return counted[0]

    with StandinServer(around=around) as server:
        boss = server.forge.add_user("boss", password=PASSWORD, is_admin=True)
        token = server.forge.add_token(boss, "benchmark", frozenset({"all"}))
        pipe.send((server.url, Account(boss.id, boss.name, boss.email, PASSWORD, token.secret)))
        while (asked := pipe.recv()) != "stop":
            pipe.send(counted[0].requests if asked is None else asked(server.forge))
