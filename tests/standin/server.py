"""Runs the stand-in: uvicorn in a thread, on a free loopback port, with its state in a temporary folder."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tests.standin.app import create_app
from tests.standin.forge import Forge

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from starlette.types import ASGIApp

    from tests.standin.world import Timing


class StandinServer:
    """A running stand-in. Use it in a `with` statement, or call `stop()`: nothing of it is left then."""

    def __init__(
        self, timing: Timing | None = None, *, port: int = 0, around: Callable[[ASGIApp], ASGIApp] = lambda app: app
    ) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        # asyncio sets this only on sockets made with an explicit protocol; without it every answer waits 40 ms.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.root = Path(tempfile.mkdtemp(prefix="standin-forgejo-"))
        self.forge = Forge(self.root, self.url, timing)
        config = uvicorn.Config(
            around(create_app(self.forge)), log_config=None, lifespan="off", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="standin-forgejo", daemon=True
        )
        self._thread.start()
        self._wait_until_started()

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the stand-in Forgejo did not start within 10 seconds")
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self.forge.stop()
        self._socket.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
