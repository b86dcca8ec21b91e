"""The body of a request, within limits of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

SECONDS_TO_SEND = 15.0  # Forgejo itself gives up after five


async def read_body(request: Request, largest: int) -> bytes | None:
    """The body; `None` when it has more than `largest` bytes, whatever its Content-Length says.

    A body that is too large is not kept, but as much again is read and thrown away: a sender that writes
    everything before it reads would otherwise see a broken connection instead of the answer.

    Raises:
        TimeoutError: it takes longer than `SECONDS_TO_SEND`.
        ClientDisconnect: the sender hung up.
    """
    async with asyncio.timeout(SECONDS_TO_SEND):
        return await _read(request, largest)


async def _read(request: Request, largest: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > 2 * largest:
            return None
        if size > largest:
            chunks.clear()
        else:
            chunks.append(chunk)
    return b"".join(chunks) if size <= largest else None
