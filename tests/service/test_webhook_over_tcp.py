"""What only a real server shows: bodies that come in pieces, without an end, or not at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from structlog.testing import capture_logs

from onehead.service import door as module
from onehead.service import web
from onehead.service.engine import Job
from onehead.service.web import MAX_BODY_BYTES, Bodies, DoorMetrics, HookDoor, build_app
from tests.forgejos.port import eventually
from tests.service.deliveries import SECRET, payload, signed
from tests.service.doors import Beside, no_reports

MIB = b" " * 1024 * 1024


class Listening:
    """The app behind uvicorn on a free port, in a thread."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.metrics = DoorMetrics()
        self.bodies = Bodies()
        behind = Beside(self.jobs.append)
        door = HookDoor(
            secrets=[SECRET],
            covers=lambda _repository: True,
            behind=behind,
            metrics=self.metrics,
            bodies=self.bodies,
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        app = build_app(door, no_reports(self.metrics), behind, self.metrics)
        self.server = uvicorn.Server(
            uvicorn.Config(app, **module.limits(), ws="none", lifespan="off", log_config=None, access_log=False)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    def connect(self, *headers: str) -> socket.socket:
        """A connection on which the head of a delivery has been sent."""
        connection = socket.create_connection(self.listener.getsockname(), timeout=10)
        lines = ["POST /hooks/forgejo HTTP/1.1", "Host: service", "X-Forgejo-Event-Type: push", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection

    def counted(self, outcome: str) -> bool:
        line = f'onehead_webhooks_total{{event="unknown",outcome="{outcome}"}} 1.0'
        return line in self.metrics.text().decode().splitlines()


@pytest.fixture
def listening() -> Iterator[Listening]:
    service = Listening()
    yield service
    service.stop()


def answer_of(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_without_end_is_cut_off(listening: Listening) -> None:
    connection = listening.connect("Transfer-Encoding: chunked")
    sent = 0
    with connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while sent < 200:
            connection.sendall(b"%x\r\n%s\r\n" % (len(MIB), MIB))
            sent += 1

    # Ten are kept and ten thrown away; what lies in the buffers of the sockets comes on top.
    assert 20 <= sent < 60
    assert listening.counted("too-large")
    assert listening.jobs == []


@pytest.mark.parametrize("head", ["Transfer-Encoding: chunked", f"Content-Length: {11 * len(MIB)}"])
def test_who_sends_too_much_sees_the_answer(listening: Listening, head: str) -> None:
    connection = listening.connect(head)
    is_chunked = head.startswith("Transfer")
    for _ in range(11):
        connection.sendall(b"%x\r\n%s\r\n" % (len(MIB), MIB) if is_chunked else MIB)
    if is_chunked:
        connection.sendall(b"0\r\n\r\n")

    answer = answer_of(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"larger than 10 MiB" in answer


def test_a_body_longer_than_it_said_ends_where_it_said(listening: Listening) -> None:
    body, headers = signed("push", payload("push"))
    lines = [f"{name}: {value}" for name, value in headers.items() if name != "X-Forgejo-Event-Type"]
    connection = listening.connect(*lines, f"Content-Length: {len(body)}")
    connection.sendall(body + b"\0" * 1000)

    answer = answer_of(connection)

    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.count(b"HTTP/1.1 202") == 1
    assert len(listening.jobs) == 1


def test_a_body_that_does_not_come_is_not_waited_for(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SECONDS_TO_SEND", 0.1)
    connection = listening.connect(f"Content-Length: {MAX_BODY_BYTES}")
    connection.sendall(b"{")

    answer = answer_of(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The delivery did not arrive within 0.1 seconds." in answer
    assert listening.counted("incomplete")


def test_who_hangs_up_leaves_nothing_behind(listening: Listening) -> None:
    connection = listening.connect("Content-Length: 100")
    connection.sendall(b"{")
    connection.close()

    deadline = time.monotonic() + 10
    while not listening.counted("incomplete") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert listening.counted("incomplete")
    assert listening.jobs == []


def delivered(listening: Listening) -> bytes:
    """What a usual, signed delivery is answered."""
    body, headers = signed("push", payload("push"))
    lines = [f"{name}: {value}" for name, value in headers.items() if name != "X-Forgejo-Event-Type"]
    connection = listening.connect(*lines, f"Content-Length: {len(body)}", "Connection: close")
    connection.sendall(body)
    return answer_of(connection)


def test_strangers_who_say_nothing_keep_no_delivery_out(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 20)
    monkeypatch.setattr(module.BoundedConnections, "_last_warning", float("-inf"))
    with contextlib.ExitStack() as held, capture_logs() as lines:
        for number in range(120):
            stranger = held.enter_context(socket.create_connection(listening.listener.getsockname(), timeout=10))
            if number % 3 == 1:
                stranger.sendall(b"POST /hooks/forgejo HTTP/1.1\r\nHost: ser")
            if number % 3 == 2:
                stranger.sendall(b"POST /hooks/forgejo HTTP/1.1\r\nHost: service\r\nContent-Length: 90\r\n\r\n{")
        assert delivered(listening).startswith(b"HTTP/1.1 202 ")
        assert len(listening.server.server_state.connections) <= 21
    assert len(listening.jobs) == 1
    assert sum("too many connections" in line["event"] for line in lines) == 1


def test_a_head_that_drips_is_given_up(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_FOR_HEAD", 0.3)
    with socket.create_connection(listening.listener.getsockname(), timeout=10) as stranger:
        stranger.sendall(b"POST /hooks/forgejo HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(200):
                stranger.sendall(b"X: y\r\n")
                time.sleep(0.02)
            raise AssertionError("the connection stayed open")


def test_large_bodies_share_their_memory_and_usual_ones_always_fit(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_HELD", 3 * len(MIB))
    with contextlib.ExitStack() as held:
        for _ in range(3):
            stranger = held.enter_context(listening.connect(f"Content-Length: {4 * len(MIB)}"))
            stranger.sendall(MIB)
        eventually(lambda: listening.bodies.held > 2 * len(MIB), within=5)
        late = listening.connect(f"Content-Length: {2 * len(MIB)}")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            late.sendall(2 * MIB)
        answer = answer_of(late)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 15" in answer.lower()
        assert delivered(listening).startswith(b"HTTP/1.1 202 ")
    assert eventually(lambda: listening.bodies.held == 0, within=5)
