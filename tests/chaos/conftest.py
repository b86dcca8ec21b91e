"""A world for a test, on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.database import Database, running_database
from tests.chaos.director import Tally, World


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running_database() as database:
        yield database


@pytest.fixture(params=["embedded", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    shared = request.getfixturevalue("database") if request.param == "postgresql" else None
    world = World(f"short/{request.param}", tmp_path, shared, Tally(), patience=20.0)
    yield world
    world.stop()
