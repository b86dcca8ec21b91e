"""Addresses of databases: which driver asks, and where their passwords never show."""

from __future__ import annotations

import pytest

from onehead.databases import inspect as module
from onehead.databases.inspect import Address, look
from onehead.errors import CannotJudge, UsageError
from onehead.text import mask_urls

SECRET = "hunter2/@ß"
QUOTED = "hunter2%2F%40%C3%9F"


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("postgresql://db/league", "postgresql+psycopg"),
        ("postgres://db/league", "postgresql+psycopg"),
        ("postgresql+asyncpg://db/league", "postgresql+psycopg"),
        ("postgresql+psycopg2://db/league", "postgresql+psycopg"),
        ("mysql://db/league", "mysql+pymysql"),
        ("mysql+aiomysql://db/league", "mysql+pymysql"),
        ("mariadb+asyncmy://db/league", "mariadb+pymysql"),
        ("sqlite:///league.db", "sqlite+pysqlite"),
        ("sqlite+aiosqlite:///league.db", "sqlite+pysqlite"),
    ],
)
def test_the_project_s_own_driver_is_no_condition(written: str, driver: str) -> None:
    assert Address(written).url.drivername == driver


@pytest.mark.parametrize(
    "written",
    [
        f"postgresql://ann:{QUOTED}@db/league",
        f"postgresql://ann@db/league?password={QUOTED}",
        f"mysql://ann:{QUOTED}@db/league?ssl_key_password={QUOTED}",
    ],
)
def test_a_password_is_hidden_in_every_form(written: str) -> None:
    address = Address(written)
    shown = str(address)
    assert "***" in shown
    assert "league" in shown
    for form in (SECRET, QUOTED, "hunter2"):
        assert form not in shown
    told = address.masked(f"no entry for {SECRET!r} or {QUOTED} at {written}")
    assert "hunter2" not in told


@pytest.mark.parametrize("written", ["", "hunter2", "postgresql:/ann:hunter2@db", "postgresql://ann:hunter2@db:port/x"])
def test_what_is_no_address_is_not_repeated(written: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address(written)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__suppress_context__


def test_other_kinds_of_databases_are_refused() -> None:
    with pytest.raises(UsageError, match="`oracle` are not known"):
        Address("oracle://ann:hunter2@db/league")


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        Address("postgresql+asyncpg://ann:hunter2@db/league")
    assert caught.value.message == "No driver for PostgreSQL is installed here, so this database can't be asked."
    assert "pip install 'onehead[databases]'" in caught.value.hint


def test_addresses_in_any_text_are_masked() -> None:
    text = "unrecognized arguments: --url=postgres://ann:hunter2@db/x sqlite:///a.db http://ann@host"
    assert mask_urls(text) == "unrecognized arguments: --url=postgres://ann:***@db/x sqlite:///a.db http://ann@host"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_nobody_answers(kind: str) -> None:
    with pytest.raises(CannotJudge) as caught:
        look(Address(f"{kind}://ann:{QUOTED}@127.0.0.1:1/league"), (), "alembic_version", None)
    assert caught.value.message.startswith(f"The database {kind}://ann:***@127.0.0.1:1/league could not be looked at: ")
    assert "hunter2" not in caught.value.message
    assert caught.value.__suppress_context__


def test_a_database_in_memory_can_t_be_looked_at() -> None:
    with pytest.raises(UsageError, match="in memory"):
        look(Address("sqlite://"), (), "alembic_version", None)
