"""The service as a process: how it starts, waits for a forge that is away, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from onehead.errors import UsageError
from onehead.service.door import MAX_PAGES
from onehead.service.engine import EmbeddedEngine
from onehead.service.metrics import Metrics
from onehead.service.serve import _listening, serve
from onehead.settings import load
from tests.service.deliveries import SECRET, recorded
from tests.service.processes import written_memory

PATIENCE = 20.0
SCRIPT = Path(__file__).with_name("small_service.py")
TOKEN = "t0ken-never-shown"
PAGE_TOKEN = "a-t0ken-for-pages-never-shown"


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Process:
    """One run of small_service.py in a world of its own."""

    def __init__(self, world: Path, *arguments: str) -> None:
        self.world = world
        self.log = world / "log"
        environ = {name: text for name, text in os.environ.items() if not name.startswith("ONEHEAD_")} | {
            "ONEHEAD_FORGEJO_URL": "http://127.0.0.1:9/forge",
            "ONEHEAD_TOKEN": TOKEN,
            "ONEHEAD_WEBHOOK_SECRET": SECRET,
            "ONEHEAD_PAGE_TOKEN": PAGE_TOKEN,
            "ONEHEAD_LISTEN": "127.0.0.1:0",
            "ONEHEAD_SWEEP": "off",
            "ONEHEAD_LOG": "json",
        }
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [sys.executable, str(SCRIPT), *arguments], cwd=world, env=environ, stderr=log, stdout=log
            )
        assert eventually(lambda: self.said("Listening for webhooks.") is not None), self.log.read_text()
        listening = self.said("Listening for webhooks.")
        assert listening
        self.hook: str = listening["url"]
        self.root = self.hook.removesuffix("/hooks/forgejo")
        assert eventually(self.is_alive)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> dict[str, Any] | None:
        return next((line for line in self.lines() if line["message"] == message), None)

    def events(self) -> list[str]:
        path = self.world / "events"
        return path.read_text().splitlines() if path.exists() else []

    def is_alive(self) -> bool:
        try:
            return httpx.get(f"{self.root}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def is_ready(self) -> bool:
        return httpx.get(f"{self.root}/readyz").status_code == 200

    def tell(self, name: str) -> None:
        (self.world / name).touch()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.running.send_signal(number)

    def exit_code(self) -> int:
        return self.running.wait(PATIENCE)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*arguments: str, forge: bool = True) -> Process:
        if forge:
            (tmp_path / "forge").touch()
        processes.append(Process(tmp_path, *arguments))
        return processes[-1]

    yield start
    for process in processes:
        if process.running.poll() is None:
            process.running.kill()
            process.running.wait()


def test_from_start_over_a_webhook_to_a_quiet_end(started: Callable[..., Process]) -> None:
    process = started()
    assert eventually(process.is_ready)
    assert eventually(lambda: process.events() == ["sweep"])

    # The job cannot end yet, so this answer did not wait for it.
    body, headers = recorded("push")
    answer = httpx.post(process.hook, content=body, headers=headers)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "queued")
    assert eventually(lambda: process.events() == ["sweep", "begin courtside/basketball-api"])

    process.end()
    assert eventually(lambda: not process.is_alive())
    assert process.running.poll() is None
    process.tell("job-may-end")

    assert process.exit_code() == 0
    assert process.events() == ["sweep", "begin courtside/basketball-api", "end courtside/basketball-api"]
    assert process.lines()[-1]["message"] == "Stopped."
    text = process.log.read_text()
    assert TOKEN not in text
    assert SECRET not in text


def test_the_sweep_at_start_up_takes_up_what_a_killed_process_left(started: Callable[..., Process]) -> None:
    first = started("swept")
    assert eventually(lambda: first.events() == ["sweep", "begin acme/swept"])
    first.end(signal.SIGKILL)
    assert first.exit_code() == -signal.SIGKILL

    first.tell("job-may-end")
    second = started("swept")

    expected = ["sweep", "begin acme/swept", "sweep", "begin acme/swept", "end acme/swept"]
    assert eventually(lambda: second.events() == expected)


@pytest.mark.slow
def test_a_page_is_made_in_the_process_of_the_engine_and_keeps_nothing_waiting(
    started: Callable[..., Process],
) -> None:
    process = started()
    address, signed_in = f"{process.root}/repositories", ("ann", PAGE_TOKEN)
    assert httpx.get(address).status_code == 401
    with ThreadPoolExecutor(MAX_PAGES) as asking:
        asked = [asking.submit(httpx.get, f"{address}/acme/{n}", auth=signed_in) for n in range(MAX_PAGES)]
        assert eventually(lambda: len([each for each in process.events() if each.startswith("page")]) == MAX_PAGES)
        # No page comes yet; neither health, nor webhooks, nor the process of the engine wait for it.
        assert process.is_alive()
        assert eventually(process.is_ready)
        body, headers = recorded("push")
        assert httpx.post(process.hook, content=body, headers=headers).status_code == 202
        assert eventually(lambda: "begin courtside/basketball-api" in process.events())
        busy = httpx.get(address, auth=signed_in)
        assert (busy.status_code, "Too many pages are asked for at once." in busy.text) == (503, True)
        process.tell("page-may-come")
        answers = [each.result(PATIENCE) for each in asked]
    assert [(each.status_code, each.text) for each in answers] == [(200, f"<p>acme/{n}") for n in range(MAX_PAGES)]

    large = httpx.get(f"{address}?600000", auth=signed_in)
    assert (large.status_code, large.text) == (200, "ä" * 600_000)
    too_large = httpx.get(f"{address}?1000000", auth=signed_in)
    assert (too_large.status_code, "too large to be shown" in too_large.text) == (500, True)
    assert PAGE_TOKEN not in process.log.read_text()
    process.tell("job-may-end")
    process.end()
    assert process.exit_code() == 0


@pytest.mark.slow
def test_pages_that_nobody_waits_for_any_more_take_no_more_room(started: Callable[..., Process]) -> None:
    """As where PostgreSQL hangs: each of them holds a connection to it that jobs need."""
    process = started()
    address, signed_in = f"{process.root}/repositories", ("ann", PAGE_TOKEN)

    def pages() -> int:
        return len([each for each in process.events() if each.startswith("page")])

    with ThreadPoolExecutor(MAX_PAGES) as asking:
        asked = [asking.submit(httpx.get, address, auth=signed_in, timeout=PATIENCE) for _ in range(MAX_PAGES)]
        given_up = [each.result(PATIENCE) for each in asked]
    assert {(each.status_code, "said nothing within" in each.text) for each in given_up} == {(503, True)}
    assert pages() == MAX_PAGES

    busy = httpx.get(address, auth=signed_in)

    assert (busy.status_code, "Too many pages are asked for at once." in busy.text) == (503, True)
    assert pages() == MAX_PAGES
    process.tell("page-may-come")
    assert eventually(lambda: httpx.get(address, auth=signed_in).status_code == 200)
    process.tell("job-may-end")
    process.end()
    assert process.exit_code() == 0


def processes_of(process: Process) -> list[int]:
    """The processes that a service has started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(place.read_text().rpartition(")")[2].split()[1]) == process.running.pid:
                found.append(int(place.parent.name))
    return found


def test_a_door_that_is_killed_ends_the_service_so_that_it_is_started_again(started: Callable[..., Process]) -> None:
    process = started("swept")
    assert eventually(lambda: process.events() == ["sweep", "begin acme/swept"])
    [door] = processes_of(process)
    process.tell("job-may-end")

    os.kill(door, signal.SIGKILL)

    assert process.exit_code() == 1
    assert process.events()[-1] == "end acme/swept"
    assert "The process that answers HTTP has ended (-9), so the service ends." in process.log.read_text()


def test_where_the_engine_is_killed_its_door_closes(started: Callable[..., Process]) -> None:
    process = started()
    process.end(signal.SIGKILL)

    assert eventually(lambda: not process.is_alive())


def test_a_door_whose_engine_is_killed_over_unread_work_ends_without_a_trace(started: Callable[..., Process]) -> None:
    process = started()
    assert eventually(process.is_ready)
    process.end(signal.SIGSTOP)
    body, headers = recorded("push")
    assert httpx.post(process.hook, content=body, headers=headers).status_code == 202
    [door] = processes_of(process)
    process.end(signal.SIGKILL)

    assert eventually(lambda: not Path(f"/proc/{door}/cmdline").exists())
    assert "Traceback" not in process.log.read_text()


def test_the_door_never_holds_the_token(started: Callable[..., Process]) -> None:
    process = started()
    assert eventually(process.is_ready)
    [door] = processes_of(process)

    if os.getuid() != 0:  # it keeps to itself what only root sees
        with pytest.raises(PermissionError):
            Path(f"/proc/{door}/environ").read_bytes()
        return
    variables = Path(f"/proc/{door}/environ").read_text()
    assert TOKEN not in variables
    assert SECRET not in variables
    assert "ONEHEAD" not in variables
    with Path(f"/proc/{door}/mem").open("rb", buffering=0) as memory:
        assert not any(TOKEN.encode() in part for part in written_memory(door, memory))


def test_while_the_engine_is_stopped_the_door_answers(started: Callable[..., Process]) -> None:
    process = started()
    assert eventually(process.is_ready)
    process.end(signal.SIGSTOP)
    try:
        body, headers = recorded("push")
        begun = time.monotonic()
        assert httpx.get(f"{process.root}/healthz").status_code == 200
        assert httpx.post(process.hook, content=body, headers=headers).status_code == 202
        assert time.monotonic() - begun < 5
        answer = httpx.get(f"{process.root}/readyz", timeout=30)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert b"onehead_webhooks_total" in httpx.get(f"{process.root}/metrics", timeout=30).content
    finally:
        process.end(signal.SIGCONT)
    assert eventually(lambda: process.events()[-1] == "begin courtside/basketball-api")


def test_a_job_that_does_not_end_does_not_hold_up_the_end(started: Callable[..., Process]) -> None:
    process = started("swept", "hasty")
    assert eventually(lambda: process.events() == ["sweep", "begin acme/swept"])

    process.end()

    assert process.exit_code() == 0
    assert process.lines()[-1]["message"] == (
        "Stopped before every job had finished; the next start takes them up again."
    )


def test_a_forge_that_is_away_at_the_start_is_waited_for(started: Callable[..., Process]) -> None:
    process = started(forge=False)

    assert eventually(lambda: process.said("Forgejo can't be used now; asking again.") is not None)
    assert httpx.get(f"{process.root}/readyz").status_code == 503
    # Webhooks are taken all the same: the job waits for the forge, nobody else would remember them.
    body, headers = recorded("push")
    assert httpx.post(process.hook, content=body, headers=headers).status_code == 202
    assert process.running.poll() is None
    process.tell("forge")
    process.tell("job-may-end")

    assert eventually(process.is_ready)
    assert eventually(lambda: "sweep" in process.events())
    process.end(signal.SIGINT)
    assert process.exit_code() == 0


def serving_at(address: str) -> UsageError:
    """What `serve` says about an address that it can't use, before anything has started."""
    settings = load(
        {
            "ONEHEAD_FORGEJO_URL": "http://127.0.0.1:9",
            "ONEHEAD_TOKEN": TOKEN,
            "ONEHEAD_WEBHOOK_SECRET": SECRET,
            "ONEHEAD_LISTEN": address,
        }
    )
    engine = EmbeddedEngine(lambda _job: None)
    with pytest.raises(UsageError) as raised:
        serve(settings, engine=engine, metrics=Metrics(), account=lambda: 99, sweep=lambda _wanted: None)
    assert engine.state().running is False
    return raised.value


def test_an_address_that_is_taken_is_told_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = serving_at(f"127.0.0.1:{port}")

    assert error.message == f"The service can't listen at 127.0.0.1:{port}: Address already in use."
    assert error.hint == "Choose another address with ONEHEAD_LISTEN, or end the program that uses this one."


def test_an_address_of_another_machine_is_told_too() -> None:
    # 192.0.2.0/24 is reserved for examples: no machine has an address of it.
    error = serving_at("192.0.2.1:8686")

    assert error.message == "The service can't listen at 192.0.2.1:8686: Cannot assign requested address."


def test_connections_do_not_wait_for_acknowledgements() -> None:
    with _listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _address = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_signal_right_after_a_process_stood_still_ends_it(started: Callable[..., Process]) -> None:
    for _ in range(4):  # the system gives it to any thread then, and to another one than the first every other time
        process = started()
        process.end(signal.SIGSTOP)
        time.sleep(0.01)
        process.end(signal.SIGCONT)
        process.end(signal.SIGTERM)

        assert process.exit_code() == 0
