"""What is remembered between jobs, in this process and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool

from onehead.plan.rivals import Rival, RivalConflict
from onehead.service.inbox import SharedShelf
from onehead.service.memory import OwnShelf, Remembered, Shelf
from tests.postgres import POSTGRESQL, postgres
from tests.service.test_engine_contract import database

__all__ = ["postgres"]

RIVALS: dict[int, tuple[Rival, ...]] = {12: (Rival(13, RivalConflict.PARENT, "alembic", "0001"),)}


@pytest.fixture(params=["own", POSTGRESQL])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    if request.param == "own":
        yield OwnShelf()
    else:
        with ConnectionPool(database(request.getfixturevalue("postgres")), min_size=1, max_size=1) as pool:
            yield SharedShelf(pool)


def test_what_is_put_is_there_until_it_is_forgotten(shelf: Shelf) -> None:
    rivals: Remembered[dict[int, tuple[Rival, ...]]] = Remembered(shelf, "rivals", dict[int, tuple[Rival, ...]])
    numbers: Remembered[int] = Remembered(shelf, "numbers", int)
    assert (rivals.get("a"), rivals.all()) == (None, {})
    rivals.put({"a": {}, "b": RIVALS})
    rivals.put({"a": RIVALS})
    numbers.put({"a": 1})

    assert (rivals.get("a"), rivals.all(), numbers.all()) == (RIVALS, {"a": RIVALS, "b": RIVALS}, {"a": 1})
    numbers.put({"b": 2})
    numbers.forget_equal("a", 2)
    numbers.forget_equal("b", 2)
    assert numbers.all() == {"a": 1}
    rivals.forget("a", "unheard")
    assert (rivals.all(), numbers.get("a")) == ({"b": RIVALS}, 1)


def test_what_another_version_has_written_counts_as_lost(shelf: Shelf) -> None:
    Remembered[str](shelf, "numbers", str).put({"a": "one"})
    shelf.write("numbers", {"b": "not even JSON", "c": "3"})

    assert Remembered[int](shelf, "numbers", int).all() == {"c": 3}
