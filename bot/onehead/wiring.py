"""The composition root of the service: the only place that knows all concrete parts together."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

from onehead.entrypoints.equip import equip
from onehead.entrypoints.metrics import Metrics
from onehead.entrypoints.rounds import is_refusal
from onehead.entrypoints.screen import bare
from onehead.entrypoints.serve import serve
from onehead.errors import UsageError
from onehead.flows.attention import Attention
from onehead.flows.handle import handle
from onehead.flows.leave import left_behind
from onehead.flows.scope import in_scope
from onehead.jobs.embedded import EmbeddedEngine
from onehead.jobs.engine import Run
from onehead.jobs.job import Everything, Job, ScopeLeft
from onehead.logs import configure
from onehead.settings import load


def run(options: argparse.Namespace) -> int:
    """`onehead serve`: run the service until it is told to stop."""
    settings = load(os.environ, Path(options.config) if options.config else None)
    if settings.database_url is not None:
        raise UsageError(
            "ONEHEAD_DATABASE_URL is set, but this version keeps its jobs in memory only.",
            "Unset it: nothing is lost without it, because the sweep at start-up finds what was missed.",
        )
    told = (settings.token, *settings.webhook_secret, *settings.report_secret)
    secrets = [secret.reveal() for secret in told]
    configure(settings.log, secrets, stream=bare(sys.stderr))
    metrics = Metrics()
    desk = equip(settings, judged=lambda _name, examination: metrics.verdict(examination.verdict))
    attention = Attention(desk.api)

    def work(job: Job) -> None:
        handle(job, desk)
        if Everything() in job.subjects:
            attention.looked_at(job.repository)

    doubt = threading.Event()

    def ran(run: Run) -> None:
        metrics.run(run)
        if is_refusal(run.error):
            doubt.set()

    engine = EmbeddedEngine(work, on_run=ran)

    def sweep() -> None:
        everything = list(desk.api.repositories(desk.me))
        for repository in attention.due(in_scope(everything, desk.covers)):
            engine.submit(Job(str(repository.name), frozenset({Everything()})))
        for name in map(str, left_behind(everything, desk, attention.knows)):
            attention.forget(name)
            engine.submit(Job(name, frozenset({ScopeLeft()})))

    serve(settings, engine=engine, metrics=metrics, account=lambda: desk.whoami().id, sweep=sweep, doubt=doubt)
    return 0
