"""Doors of the service for tests that are about another one."""

from __future__ import annotations

from onehead.service.web import Metrics, ReportDoor


def no_reports(metrics: Metrics) -> ReportDoor:
    """A door that takes no reports, as where no secret for them is set."""
    return ReportDoor(secrets=(), covers=lambda _name: False, submit=lambda _job: None, metrics=metrics)
