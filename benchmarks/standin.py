"""A forge to measure against: the tests' stand-in, in a process of its own so that its work is not counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.forgejos.administration import PASSWORD, Administration
from tests.forgejos.port import Account
from tests.standin.forge import Forge


def nothing(_forge: Forge) -> None:
    """The forge begins empty."""


@contextmanager
def forge(populate: Callable[[Forge], Any] = nothing) -> Iterator[tuple[Administration, Any]]:
    """A running forge, seen by its administrator, and what `populate` gave back; gone afterwards.

    Args:
        populate: called in the forge's process before anything is asked of it; a function of a module.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, populate), daemon=True)
    process.start()
    url, account, made = ours.recv()
    admin = Administration(url, account)
    try:
        yield admin, made
    finally:
        admin.close()
        ours.send("stop")
        process.join(20)


def _serve(pipe: Connection, populate: Callable[[Forge], Any]) -> None:
    from tests.standin.server import StandinServer  # noqa: PLC0415 - only the other process needs it

    with StandinServer() as server:
        boss = server.forge.add_user("boss", password=PASSWORD, is_admin=True)
        token = server.forge.add_token(boss, "benchmark", frozenset({"all"}))
        account = Account(boss.id, boss.name, boss.email, PASSWORD, token.secret)
        pipe.send((server.url, account, populate(server.forge)))
        pipe.recv()
