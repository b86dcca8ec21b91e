"""Doors of the service for tests in one process, and what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onehead.service.engine import EmbeddedEngine, Job
from onehead.service.health import Health
from onehead.service.metrics import Metrics
from onehead.service.web import DoorMetrics, ReportDoor


class Beside:
    """An engine in the process of its doors; by default one that does nothing."""

    def __init__(
        self,
        submit: Callable[[Job], None] = lambda _job: None,
        health: Health | None = None,
        metrics: Metrics | None = None,
        account: int | None = None,
        show: Callable[[str, str], tuple[int, str]] = lambda path, query: (200, f"{path}?{query}"),
    ) -> None:
        self.show = show
        self.submit = submit
        self.health = health or Health(EmbeddedEngine(lambda _job: None).state)
        self.counted = metrics or Metrics()
        self.account = account

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        return self.health.report()

    async def page(self, path: str, query: str) -> tuple[int, str]:
        return self.show(path, query)

    async def metrics(self) -> bytes:
        return self.counted.text()


def no_reports(metrics: DoorMetrics) -> ReportDoor:
    """A door that takes no reports, as where no secret for them is set."""
    return ReportDoor(secrets=(), covers=lambda _name: False, behind=Beside(), metrics=metrics)
