"""What passes between the door and the engine's process."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from onehead.databases.reported import RowsReported
from onehead.service import door
from onehead.service.door import MAX_PAGES, EngineBeyond, read_job, written_job
from onehead.service.engine import BranchGone, BranchMoved, CommandGiven, Everything, Job, PullChanged


@pytest.mark.parametrize(
    "subject",
    [
        BranchMoved("refs/heads/main"),
        BranchGone("refs/heads/ä"),
        PullChanged(7),
        CommandGiven(3, 7, may_write=None),
        CommandGiven(3, 7, may_write=False),
        RowsReported("production", "alembic", ("018", "019"), "2026-11-28T10:15:00Z"),
        RowsReported("production", "", None, "2026-11-28T10:15:00Z"),
    ],
)
def test_a_job_arrives_as_it_was(subject: BranchMoved) -> None:
    job = Job("acme/shop", frozenset({subject, PullChanged(1)}), ("9f0c-1",))
    arrived = read_job(json.loads(json.dumps(written_job(job))))
    assert (arrived, arrived.deliveries) == (job, job.deliveries)


def test_a_door_asks_for_nothing_that_is_the_sweeps() -> None:
    with pytest.raises(ValueError, match="knows nothing of Everything"):
        read_job(written_job(Job("acme/shop", frozenset({Everything()}))))


def test_an_answer_that_comes_as_the_door_gives_up_ends_nothing() -> None:
    async def both() -> str:
        reader = asyncio.StreamReader()
        ours, theirs = socket.socketpair()
        with theirs:
            _, writer = await asyncio.open_connection(sock=ours)
            engine = EngineBeyond(reader, writer)
            asked = asyncio.create_task(engine.page("acme/shop", ""))
            await asyncio.sleep(0)
            # What a time limit does first: whoever waits hears of it only in the next round of the loop.
            [waiting] = engine._asked.values()
            waiting.cancel()
            reader.feed_data(b'{"number": 1, "answer": [200, "late"]}\n{"account": 7}\n')
            reader.feed_eof()
            await engine.listen()
            asked.cancel()
            writer.close()
            return str(engine.account)

    assert asyncio.run(both()) == "7"


def test_pages_leave_the_room_on_the_way_to_an_engine_that_is_busy_to_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SECONDS_TO_TELL", 0.01)
    job = Job("acme/shop", frozenset({PullChanged(1)}))

    async def ask() -> list[tuple[int, str]]:
        ours, theirs = socket.socketpair()
        with theirs:
            _, writer = await asyncio.open_connection(sock=ours)
            engine = EngineBeyond(asyncio.StreamReader(), writer)
            found: list[tuple[int, str]] = []
            for _ in range(200):
                found += await asyncio.gather(*(engine.page("acme/shop", "q" * 4000) for _ in range(MAX_PAGES)))
                if "Too many" in found[-1][1]:
                    break
            engine.submit(job)
            writer.transport.abort()
            return found

    found = asyncio.run(ask())
    assert {status for status, _ in found} == {503}
    assert "Too many pages are asked for at once." in found[-1][1]
    assert "said nothing within" in found[0][1]
