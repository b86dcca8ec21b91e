"""What strangers can do to the HTTP door: how long a signed delivery and `/healthz` take meanwhile, and the memory.

    .venv/bin/python -m benchmarks.hostile_http

prints a table of benchmarks/README.md. The service's door runs in a process of its own; its jobs do nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import multiprocessing
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from onehead.logs import configure
from onehead.service.door import allow_files, limits
from onehead.service.web import Bodies, DoorMetrics, HookDoor, ReportDoor, build_app
from tests.service.doors import Beside

SECRET = "benchmark"  # noqa: S105
SECONDS = 8.0
"""How long each attack lasts; every one is bounded in number too."""

MIB = 1024 * 1024
PAYLOAD = Path(__file__).parents[1] / "tests" / "data" / "payloads" / "push.json"


def serve(port: int, log: str) -> None:
    """The door of the service, until it is ended."""
    with Path(log).open("w", encoding="utf-8") as stream:
        configure("json", [SECRET], stream=stream)
        allow_files()
        behind, metrics, bodies = Beside(), DoorMetrics(), Bodies()
        door = HookDoor(
            secrets=[SECRET],
            covers=lambda _name: True,
            behind=behind,
            metrics=metrics,
            bodies=bodies,
        )
        reports = ReportDoor(secrets=[], covers=lambda _name: False, behind=behind, metrics=metrics, bodies=bodies)
        app = build_app(door, reports, behind, metrics)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, **limits(), ws="none", lifespan="off", log_config=None, access_log=False
        )
        uvicorn.Server(config).run()


@dataclass
class Seen:
    """Seconds of each answer, by path; what was not answered 2xx; the largest resident set in bytes."""

    times: dict[str, list[float]] = field(default_factory=lambda: {"/healthz": [], "/hooks/forgejo": []})
    failed: int = 0
    memory: int = 0


def watch(port: int, server: int, until: float, seen: Seen) -> None:
    """Ask and deliver five times a second, as a probe and a forge would."""
    body = PAYLOAD.read_bytes()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Forgejo-Event-Type": "push",
        "X-Forgejo-Signature": signature,
    }
    while time.monotonic() < until:
        for path in seen.times:
            begun = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                if path == "/healthz":
                    connection.request("GET", path)
                else:
                    connection.request("POST", path, body, headers)
                seen.failed += connection.getresponse().status // 100 != 2
                connection.close()
            except OSError:
                seen.failed += 1
            seen.times[path].append(time.monotonic() - begun)
        status = Path(f"/proc/{server}/status").read_text(encoding="ascii")
        seen.memory = max(seen.memory, 1024 * int(status.partition("VmRSS:")[2].split()[0]))
        time.sleep(0.2)


@contextmanager
def connections(port: int, number: int, first: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which only this is sent."""
    with ExitStack() as held:
        opened = []
        for _ in range(number):
            with suppress(OSError):
                stranger = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                stranger.sendall(first)
                opened.append(stranger)
        yield opened


def idle(port: int, until: float) -> None:
    """2,000 connections that say nothing."""
    with connections(port, 2000, b""):
        time.sleep(max(0.0, until - time.monotonic()))


def drip(port: int, until: float) -> None:
    """500 connections whose heads never end."""
    with connections(port, 500, b"POST /hooks/forgejo HTTP/1.1\r\n") as strangers:
        while time.monotonic() < until:
            for stranger in strangers:
                with suppress(OSError):
                    stranger.sendall(b"X: y\r\n")
            time.sleep(0.5)


def bodies(port: int, until: float) -> None:
    """100 unsigned bodies of 9.9 MiB, all but their last byte."""
    size = int(9.9 * MIB)
    head = f"POST /hooks/forgejo HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    with connections(port, 100, head) as strangers:
        threads = [threading.Thread(target=_send, args=(each, bytes(size - 1)), daemon=True) for each in strangers]
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, until - time.monotonic()))


def forms(port: int, until: float) -> None:
    """Unsigned forms of 10 MiB that have to be decoded, six at a time."""
    body = b"payload=" + b"%41" * (10 * MIB // 3 - 8)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forgejo-Signature": "0" * 64}

    def send() -> None:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("POST", "/hooks/forgejo", body, headers | {"X-Forgejo-Event-Type": "push"})
            connection.getresponse().read()

    while time.monotonic() < until:
        threads = [threading.Thread(target=send, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _send(stranger: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        stranger.settimeout(SECONDS)
        stranger.sendall(data)


ATTACKS: dict[str, Callable[[int, float], None]] = {
    "nobody": lambda _port, until: time.sleep(max(0.0, until - time.monotonic())),
    "2,000 idle connections": idle,
    "500 heads that drip": drip,
    "100 bodies of 9.9 MiB": bodies,
    "forms of 10 MiB, six at a time": forms,
}


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(prog="python -m benchmarks.hostile_http", description=__doc__).parse_args()
    context = multiprocessing.get_context("spawn")
    print(
        "| strangers | `/healthz`, ms (p50, max) | delivery, ms (p50, max) | not 2xx | RSS, MB | log lines of trouble |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="onehead-benchmark-") as folder:
        _run_all(context, Path(folder) / "log")


def _run_all(context: multiprocessing.context.SpawnContext, log: Path) -> None:
    for name, attack in ATTACKS.items():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = context.Process(target=serve, args=(port, str(log)))
        server.start()
        try:
            _wait_for(port)
            until, seen = time.monotonic() + SECONDS, Seen()
            watcher = threading.Thread(target=watch, args=(port, server.pid, until, seen))
            watcher.start()
            attack(port, until)
            watcher.join()
        finally:
            server.terminate()
            server.join()
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        told = sum(line.get("level") in ("warning", "error") for line in lines)
        row = [f"{1000 * statistics.median(each):.0f}, {1000 * max(each):.0f}" for each in seen.times.values()]
        print(f"| {name} | {' | '.join(row)} | {seen.failed} | {seen.memory // 1_000_000} | {told} |", flush=True)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("The server did not start.")


if __name__ == "__main__":
    main()
