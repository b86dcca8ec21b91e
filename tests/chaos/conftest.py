"""A world for a test, on either engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.database import Database, running_database
from tests.chaos.director import Tally, World


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running_database() as database:
        yield database


@pytest.fixture(scope="module", params=["embedded", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shared = request.getfixturevalue("database") if request.param == "postgresql" else None
    folder = tmp_path_factory.mktemp("chaos")
    world = World(f"short/{request.param}", folder, shared, Tally(), patience=20.0)
    yield world
    world.stop()
