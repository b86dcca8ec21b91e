"""How long a webhook waits for its answer while repositories are analysed, beside a bare app that only checks it.

    .venv/bin/python -m benchmarks.door

prints the tables of benchmarks/README.md. `onehead serve` runs as a process beside the tests' stand-in of a forge, and
looks again and again at repositories in which a pull request collides. Deliveries come at an even rate, each on a
connection of its own, now to onehead and now to the bare app; a delivery counts from the moment at which it is due.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.place import machine
from benchmarks.serving import SECRET, free_port, held, onehead
from benchmarks.standin import forge
from tests.forgejos.administration import Administration, Api, clone_url
from tests.forgejos.port import eventually
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

PAYLOAD = Path(__file__).parents[1] / "tests" / "data" / "payloads" / "push.json"
PATH = "/hooks/forgejo"

SECONDS_BETWEEN_EVENTS = 0.15
"""Between the deliveries that keep the analyses going; they reach onehead in every phase."""


async def check(request: Request) -> JSONResponse:
    """All that the bare app does."""
    body = await request.body()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    is_right = hmac.compare_digest(signature, request.headers.get("x-forgejo-signature", ""))
    return JSONResponse({"outcome": "queued"}, 202 if is_right else 401)


def serve_bare(port: int) -> None:
    """The bare app, until it is ended; in a session of its own, as the door, for the kernel shares time by sessions."""
    os.setsid()
    app = Starlette(routes=[Route(PATH, check, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, http="h11", ws="none", lifespan="off", log_config=None, workers=1)


@contextmanager
def bare() -> Iterator[int]:
    """The bare app in a process of its own; its port."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(port,), daemon=True)
    process.start()
    try:
        yield port
    finally:
        process.kill()
        process.join()


def make_repository(admin: Administration, name: str, bot: str, place: Path, revisions: int) -> str:
    """A repository with a pull request that collides; its full name."""
    owner = admin.create_user(name)
    hosted = admin.create_repository(owner)
    api = Api(admin.url, owner)
    api.call("PUT", f"{hosted.path}/collaborators/{bot}", {"permission": "write"}, expect=204)
    local = Repository(place / f"{name}.git")
    ids = [f"{number:04}" for number in range(revisions)]
    local.commit("main", merged(project(), chain(*zip(ids, [None, *ids], strict=False))))
    local.branch("work", "main")
    local.commit("work", revision("b000", ids[-1]))
    local.commit("main", revision("a000", ids[-1]))
    local.git("push", "--quiet", clone_url(admin.url, hosted, owner), "refs/heads/*:refs/heads/*")
    eventually(lambda: api.get(hosted.path)["empty"] is False)
    api.call("POST", f"{hosted.path}/pulls", {"head": "work", "base": "main", "title": "Work"}, expect=201)
    api.close()
    return hosted.full_name


def delivery(repository: str, branch: str = "main") -> bytes:
    """A push to a branch, as it goes over the wire."""
    payload = json.loads(PAYLOAD.read_text(encoding="utf-8"))
    payload["ref"] = f"refs/heads/{branch}"
    owner, name = repository.split("/")
    payload["repository"] |= {"full_name": repository, "name": name}
    payload["repository"]["owner"] |= {"login": owner}
    payload["sender"]["id"] = 1_000_000
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: onehead\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Forgejo-Event: push\r\nX-Forgejo-Event-Type: push\r\nX-Forgejo-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Seen:
    """Milliseconds of each answer of one phase, and how many were none."""

    times: list[float] = field(default_factory=list)
    failed: int = 0

    def at(self, percent: int) -> float:
        """The time within which so many of a hundred were answered."""
        return statistics.quantiles(self.times, n=100)[percent - 1]


def row(name: str, phases: list[Seen]) -> str:
    """Of the table; medians of the phases, so that one moment in which the whole machine stood still counts once."""
    figures = [statistics.median(each.at(percent) for each in phases) for percent in (50, 99)]
    longest = max(max(each.times) for each in phases)
    number, failed = sum(len(each.times) for each in phases), sum(each.failed for each in phases)
    return f"| {name} | {number} | {' | '.join(f'{each:.0f}' for each in (*figures, longest))} | {failed} |"


async def deliver(port: int, sent: bytes, due: float, seen: Seen) -> None:
    """One delivery, answered or not."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        seen.failed += not answer.startswith(b"HTTP/1.1 202 ")
    except (OSError, TimeoutError):
        seen.failed += 1
    seen.times.append(1000 * (time.monotonic() - due))


async def load(port: int, sent: list[bytes], rate: float, seconds: float, seen: Seen) -> None:
    """Deliver at an even rate."""
    begun = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(deliver(port, sent[number % len(sent)], due, seen)))
    await asyncio.gather(*tasks)


async def turns(ports: dict[str, int], sent: list[bytes], options: argparse.Namespace) -> dict[str, list[Seen]]:
    """Deliver to one and the other in turns, while the analyses go on."""
    seen: dict[str, list[Seen]] = {f"{name}, {when}": [] for when in ("first phase", "later") for name in ports}
    ours = next(iter(ports.values()))
    for number in range(options.rounds):
        for name, port in ports.items():
            going = asyncio.create_task(load(ours, sent, 1 / SECONDS_BETWEEN_EVENTS, options.seconds, Seen()))
            phase = Seen()
            await load(port, sent, options.rate, options.seconds, phase)
            seen[f"{name}, {'later' if number else 'first phase'}"].append(phase)
            await going
    return seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="deliveries per second (default: 200)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each phase (default: 2)")
    parser.add_argument("--rounds", type=int, default=20, help="phases of each app (default: 20)")
    parser.add_argument("--repositories", type=int, default=3)
    parser.add_argument("--revisions", type=int, default=1_000)
    options = parser.parse_args()
    print(machine(options.rounds))
    with tempfile.TemporaryDirectory(prefix="onehead-bench-") as name, forge() as (admin, _), bare() as bare_port:
        place = Path(name)
        bot = admin.create_bot()
        full = [
            make_repository(admin, f"owner{number}", bot.name, place, options.revisions)
            for number in range(options.repositories)
        ]
        begun = time.monotonic()
        with onehead(admin.url, bot.token, place) as service:
            print(f"\nListening after {time.monotonic() - begun:.1f} s.")
            seen = asyncio.run(
                turns({"onehead": service.port, "the bare app": bare_port}, [delivery(each) for each in full], options)
            )
            print("\n| app | deliveries | p50 ms | p99 ms | longest ms | not 202 |\n|---|--:|--:|--:|--:|--:|")
            for app, each in seen.items():
                print(row(app, each))
            print(f"\nAnalyses meanwhile: {service.counter('onehead_job_seconds_count'):.0f} jobs.")
            print(f"At work: {', '.join(f'{each} {size:.0f} MB' for each, size in held(service.process))}.")
            eventually(lambda: not any("analyzer" in each for each, _ in held(service.process)), within=90)
            idle = held(service.process)
            each_of = ", ".join(f"{each} {size:.0f} MB" for each, size in idle)
            print(f"Idle: {each_of}; {sum(size for _, size in idle):.0f} MB in all.")


if __name__ == "__main__":
    main()
