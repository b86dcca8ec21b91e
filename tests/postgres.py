"""A real PostgreSQL for a test session, from a wheel: no installation, no port, no password.

from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

def test_something(postgres: Postgres) -> None:
    url = postgres.fresh()          # an empty database of its own, as SQLAlchemy and Alembic take it
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from onehead.verify.servers import running_postgresql

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.slow)
"""A parameter for tests that ask for the fixture by name, where that is the kind of database."""


class Postgres:
    """One running server."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        """For psycopg; names the database `postgres`."""
        self._made = 0

    def fresh(self) -> str:
        """Make an empty database; its URL for SQLAlchemy with psycopg."""
        self._made += 1
        name = f"fresh_{self._made}"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        start, _, options = self.uri.partition("?")
        base = start.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://", 1)
        return f"{base}/{name}?{options}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server in a fresh directory, stopped and removed at the end of the session."""
    with running_postgresql() as uri:
        yield Postgres(uri)
