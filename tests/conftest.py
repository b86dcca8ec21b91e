"""Fixtures for every room."""

from __future__ import annotations

from tests.forgejos.fixtures import api_of, forgejo, project, receiver, work_copy

__all__ = ["api_of", "forgejo", "project", "receiver", "work_copy"]
