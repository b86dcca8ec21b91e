"""Fixtures for every room, and what is left for `make test-all`."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from onehead import logs
from tests.forgejos.fixtures import api_of, before_16, forgejo, project, receiver, since_16, work_copy
from tests.machine import neutral

__all__ = ["api_of", "before_16", "forgejo", "project", "receiver", "since_16", "work_copy"]

SERVERS = {"postgres", "mariadb"}
"""Fixtures that start a real database server."""

COSTLY = {"cli", "contract", "databases", "gitrepo", "stories"}
"""Rooms whose cases start programs, or walk chains with Alembic."""

FEW = 4
"""Cases of each table there that a quick run takes in any case."""

# No deadline: how long one example takes says more about the machine than about the code.
settings.register_profile("thorough", max_examples=200, deadline=None, database=None)
settings.register_profile("quick", settings.get_profile("thorough"), max_examples=25)
settings.load_profile("thorough")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a database server is slow, and of a long table of costly cases all but every third."""
    cases: Counter[str] = Counter()
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        if SERVERS.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)
        elif COSTLY.intersection(item.path.parts) and item.originalname != item.name:
            table = f"{item.path}::{item.originalname}"
            cases[table] += 1
            if cases[table] > FEW and cases[table] % 3:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def neutral_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test depends on whose machine this is."""
    before = dict(os.environ)
    wanted = {name: value for name, value in before.items() if name.startswith("ONEHEAD_TEST_")}
    after = neutral(before, tmp_path_factory.mktemp("home")) | wanted
    os.environ.clear()
    os.environ.update(after)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Logging is the process's own: what a test configures is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in logs._CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
