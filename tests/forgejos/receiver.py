"""A place that webhooks are sent to, which keeps what it gets."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.forgejos.port import eventually

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Arrival:
    """One webhook as it arrived. `headers` have lower-case names."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        """The fine event name."""
        return self.headers["x-forgejo-event-type"]

    @property
    def payload(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.body)
        return result


class Receiver:
    """An HTTP server on a free loopback port that answers every POST with 204, or with `status`."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.arrivals.append(Arrival(headers, body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the standard library's name)
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def wait_for(
        self, event: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True, *, within: float = 15.0
    ) -> Arrival:
        """Wait for a webhook of this fine event name whose payload is wanted, and give the first."""

        def look() -> Arrival | None:
            return next((got for got in list(self.arrivals) if got.event == event and wanted(got.payload)), None)

        found = eventually(look, within=within)
        assert found is not None
        return found

    def events(self) -> list[str]:
        return [arrival.event for arrival in list(self.arrivals)]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
