"""The body of a request, within limits of size and time, and of memory for all bodies together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

SECONDS_TO_SEND = 15.0  # Forgejo itself gives up after five

MAX_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are being read or looked at, apart from the first `SMALL` of each."""

SMALL = 64 * 1024
"""Bytes of a body that are always taken, so that no stranger's large ones keep a usual delivery out."""

SECONDS_UNTIL_ROOM = 15
"""What a sender is told that finds no room: by then each body of now has arrived, or was given up."""


class NoRoom(Exception):
    """Too many large bodies are on their way at once."""


class Bodies:
    """All bodies of one service.

    Attributes:
        held: bytes of them that count.
    """

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def read(self, request: Request, largest: int) -> AsyncIterator[bytes | None]:
        """The body while it is looked at; `None` when it has more than `largest` bytes, whatever its head says.

        Raises:
            NoRoom: there is no memory for it now.
            TimeoutError: it takes longer than `SECONDS_TO_SEND`.
            ClientDisconnect: the sender hung up.
        """
        body = _Body(self)
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                whole = await body.receive(request, largest)
            yield whole
        finally:
            self.held -= body.held


class _Body:
    def __init__(self, all_of_them: Bodies) -> None:
        self._all = all_of_them
        self.held = 0

    async def receive(self, request: Request, largest: int) -> bytes | None:
        """The body, or `None` where it is too large.

        One that is too large, or finds no room, is not kept, but read and thrown away, up to twice the size: a sender
        that writes everything before it reads would otherwise see a broken connection instead of the answer.

        Raises:
            NoRoom: there was none.
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and len(announced) < 20 and int(announced) > 2 * largest:
            return None
        content = bytearray()
        size = 0
        is_room = True
        async for chunk in request.stream():
            size += len(chunk)
            if size > 2 * largest:
                return None
            is_room = is_room and (size > largest or self._make_room(size))
            if is_room and size <= largest:
                content += chunk
            else:
                content.clear()
        if not is_room:
            raise NoRoom
        return bytes(content) if size <= largest else None

    def _make_room(self, size: int) -> bool:
        """Count a body of so many bytes, where there is room for it."""
        more = max(0, size - SMALL) - self.held
        if more > 0 and self._all.held + more > MAX_HELD:
            return False
        self._all.held += max(0, more)
        self.held += max(0, more)
        return True
