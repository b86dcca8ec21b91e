"""A connection whose waits are noted and not slept, and a router in the place of Forgejo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import respx

from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from tests.forge.swagger_samples import ROOT, TOKEN


@pytest.fixture
def naps() -> list[float]:
    """The seconds that would have been slept, in order."""
    return []


@pytest.fixture
def connection(naps: list[float]) -> Iterator[Connection]:
    with Connection(ROOT, TOKEN, sleep=naps.append, chance=lambda: 1.0) as opened:
        yield opened


@pytest.fixture
def api(connection: Connection) -> ForgejoApi:
    return ForgejoApi(connection)


@pytest.fixture
def forge() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=f"{ROOT}/api/v1", assert_all_called=False) as router:
        yield router
