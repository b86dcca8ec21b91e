"""The service: HTTP door, engine and rounds in one process, from start to a quiet end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from onehead.entrypoints.connections import allow_files, limits
from onehead.entrypoints.health import Health
from onehead.entrypoints.metrics import Metrics
from onehead.entrypoints.report_door import ReportDoor
from onehead.entrypoints.request_body import Bodies
from onehead.entrypoints.rounds import Rounds
from onehead.entrypoints.webhook import HookDoor, build_app
from onehead.errors import UsageError
from onehead.forge.webhooks import HOOK_PATH
from onehead.jobs.engine import Engine
from onehead.settings import Settings

SECONDS_TO_ANSWER = 3
"""For requests that are being answered when the service is told to stop."""

SECONDS_TO_FINISH = 25.0
"""For jobs that are running then. Kubernetes kills after 30 seconds, answers included."""

SECONDS_BEFORE_GIVING_WAY = 0.0005
"""How long a thread that computes keeps the interpreter while the one that answers webhooks waits for it."""

log = structlog.get_logger(__name__)


def serve(
    settings: Settings,
    *,
    engine: Engine,
    metrics: Metrics,
    account: Callable[[], int],
    sweep: Callable[[], None],
    doubt: threading.Event | None = None,
) -> None:
    """Run the service until SIGTERM or SIGINT; call it from the main thread.

    On a signal no further connection is accepted and no further job begun; running jobs may finish within
    `SECONDS_TO_FINISH`. What was cut off or still waiting is found by the sweep of the next start.

    Args:
        settings: what was told.
        engine: composed with its handler, not started.
        metrics: the same that the engine and the handler count into.
        account: asks the forge whose token ours is; raises while the forge is away.
        sweep: submits a job for every repository that may need one.
        doubt: set where a job met with a refusal of the token.

    Raises:
        UsageError: nothing can listen at the address.
    """
    with _listening(*settings.listen) as listener:
        allow_files()
        health = Health(engine, places=[settings.cache_dir, Path(tempfile.gettempdir())])
        metrics.watch(engine)
        bodies = Bodies()
        door = HookDoor(
            secrets=[secret.reveal() for secret in settings.webhook_secret],
            covers=settings.covers,
            submit=engine.submit,
            health=health,
            metrics=metrics,
            bodies=bodies,
        )
        reports = ReportDoor(
            secrets=[secret.reveal() for secret in settings.report_secret],
            covers=settings.covers,
            submit=engine.submit,
            metrics=metrics,
            bodies=bodies,
        )
        rounds = Rounds(account=account, sweep=sweep, cron=settings.sweep, health=health, metrics=metrics, doubt=doubt)
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(door, reports, health, metrics),
                **limits(),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=SECONDS_TO_ANSWER,
            )
        )
        sys.setswitchinterval(SECONDS_BEFORE_GIVING_WAY)
        with _signals_end(server):
            _announce(settings, listener)
            engine.start()
            rounds.start()
            server.run(sockets=[listener])
            log.info("Stopping: no more webhooks are taken; running jobs may finish.", busy=engine.running)
            rounds.stop()
            if engine.stop(SECONDS_TO_FINISH):
                log.info("Stopped.")
            else:
                log.warning("Stopped before every job had finished; the next start takes them up again.")


def _announce(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    log.info(
        "Listening for webhooks.",
        url=f"http://{f'[{host}]' if ':' in host else host}:{port}{HOOK_PATH}",
        forgejo=settings.forgejo_url,
        repositories=",".join(settings.repositories),
        sweep=settings.sweep or "off",
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket, opened before anything else so that a taken port is a sentence and not a trace."""
    is_v6 = ":" in host
    try:
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if is_v6 else socket.AF_INET,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        shown = f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
        # Python adds the address a second time; only the reason is wanted. Unknown hosts have negative numbers.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UsageError(
            f"The service can't listen at {shown}: {reason}.",
            "Choose another address with ONEHEAD_LISTEN, or end the program that uses this one.",
        ) from error
    with listener:
        # Inherited by every connection. asyncio sets it only on sockets that name their protocol, which these
        # don't; without it an answer, written as head and body, waits 40 ms for the client's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def _signals_end(server: uvicorn.Server) -> Iterator[None]:
    """A signal ends the server and nothing more.

    uvicorn handles signals itself while it runs, and sends them again when it has ended. Without a handler of
    ours around it, that second signal would kill the process before the jobs have finished.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
