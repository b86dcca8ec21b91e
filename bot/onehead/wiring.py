"""The composition root of the service: the only place that knows all concrete parts together."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryFile

import structlog

from onehead.entrypoints.metrics import Metrics
from onehead.entrypoints.serve import serve
from onehead.errors import UsageError
from onehead.flows.desk import Desk
from onehead.flows.handle import handle
from onehead.flows.scope import repositories_in_scope
from onehead.forge.api import ForgejoApi
from onehead.forge.connection import Connection
from onehead.gitrepo.mirror import Mirrors
from onehead.jobs.embedded import EmbeddedEngine
from onehead.jobs.job import Everything, Job
from onehead.logs import configure
from onehead.settings import Settings, load

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """`onehead serve`: run the service until it is told to stop."""
    settings = load(os.environ, Path(options.config) if options.config else None)
    if settings.database_url is not None:
        raise UsageError(
            "ONEHEAD_DATABASE_URL is set, but this version keeps its jobs in memory only.",
            "Unset it: nothing is lost without it, because the sweep at start-up finds what was missed.",
        )
    _make_cache(settings.cache_dir)
    secrets = [settings.token.reveal(), *(secret.reveal() for secret in settings.webhook_secret)]
    configure(settings.log, secrets)
    metrics = Metrics()
    desk = desk_for(settings, metrics)
    engine = EmbeddedEngine(lambda job: handle(job, desk), on_run=metrics.run)

    def sweep() -> None:
        for repository in repositories_in_scope(desk.api, settings.covers):
            engine.submit(Job(str(repository.name), frozenset({Everything()})))

    serve(settings, engine=engine, metrics=metrics, account=lambda: desk.api.me().id, sweep=sweep)
    return 0


def _make_cache(folder: Path) -> None:
    """Find out now, and not in every job, that nothing can be kept."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"onehead can't write to its cache, {folder}: {error.strerror}.",
            "Correct the owner or the permissions, or name another directory with ONEHEAD_CACHE_DIR.",
        ) from error


def desk_for(settings: Settings, metrics: Metrics) -> Desk:
    """The tools of every story, from the settings."""
    token = settings.token.reveal()
    return Desk(
        api=ForgejoApi(Connection(settings.forgejo_url, token)),
        mirrors=Mirrors(settings.cache_dir / "mirrors"),
        forgejo_url=settings.forgejo_url,
        token=token,
        cache=settings.cache_dir / "parsed",
        judged=metrics.verdict,
    )
