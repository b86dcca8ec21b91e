"""Each row of the table really runs in both orders, on PostgreSQL and SQLite; the verdict is held against it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from onehead.operations.conflicts import SidesVerdict, judge
from onehead.operations.model import Dialect
from onehead.operations.read import read
from tests.operations.cases import CASES, Case
from tests.operations.lab import observed, revision
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]


@pytest.fixture(scope="module")
def on_postgresql(postgres: Postgres) -> Iterator[sa.Engine]:
    engine = sa.create_engine(postgres.fresh())
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    yield engine
    engine.dispose()


def verdict(case: Case) -> SidesVerdict:
    return judge([("a", read(revision(case.a)))], [("b", read(revision(case.b)))])


def said(found: SidesVerdict, dialect: Dialect) -> str:
    """The verdict in the words of the laboratory."""
    kind = found.on(dialect)
    if kind != "order":
        return str(kind)
    [first] = {each.first for each in found.clashes if each.first and dialect in each.dialects}
    return {"left": "a first", "right": "b first"}[first]


def test_no_two_cases_share_a_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [case for case in CASES if case.pg], ids=lambda case: case.name)
def test_on_postgresql(case: Case, on_postgresql: sa.Engine) -> None:
    happened, ab, ba = observed(on_postgresql, case.setup, case.a, case.b)
    assert happened == case.pg, f"\na;b: {ab}\nb;a: {ba}"
    found = verdict(case)
    assert said(found, "postgresql") == (case.pg_says or case.pg), found


@pytest.mark.parametrize("case", [case for case in CASES if case.sqlite], ids=lambda case: case.name)
def test_on_sqlite(case: Case, on_sqlite: sa.Engine) -> None:
    happened, ab, ba = observed(on_sqlite, case.setup, case.a, case.b)
    assert happened == case.sqlite, f"\na;b: {ab}\nb;a: {ba}"
    found = verdict(case)
    assert said(found, "sqlite") == (case.sqlite_says or case.sqlite), found
