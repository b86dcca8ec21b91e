"""What happened to one webhook delivery, followed through the log by its id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onehead import logs
from onehead.service.engine import EmbeddedEngine, Engine, Handler
from onehead.service.postgres_engine import PostgresEngine
from tests.migrations import chain
from tests.postgres import POSTGRESQL, postgres
from tests.service.test_engine_contract import database
from tests.stories.colliding import BASE
from tests.stories.conftest import Service

__all__ = ["postgres"]


@pytest.fixture(params=["embedded", POSTGRESQL])
def engines(request: pytest.FixtureRequest) -> Iterator[Callable[..., Engine]]:
    """Both engines, one after the other."""
    if request.param == "embedded":
        yield EmbeddedEngine
        return
    made: list[PostgresEngine] = []

    def make(handler: Handler, **named: Any) -> Engine:
        made.append(PostgresEngine(handler, **named, url=database(request.getfixturevalue("postgres"))))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def log(tmp_path: Path, logging_as_before: None) -> Iterator[None]:
    """As in `conftest.py`, for programs to read."""
    del logging_as_before
    with (tmp_path / "service.log").open("w") as stream:
        logs.configure("json", stream=stream)
        yield


def test_a_delivery_is_followed_from_its_arrival_to_the_comment(service: Service, tmp_path: Path) -> None:
    project = service.project
    project.copy.commit(BASE, "Start")
    project.copy.push()
    project.push_branch("oauth", chain(("020", "018")))
    number = project.open_pull("oauth")["number"]
    service.settle()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (tmp_path / "service.log").read_text().splitlines()]

    before = len(lines())
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    service.settle()

    now = lines()[before:]
    [arrived] = [each for each in now if each["message"] == "The repository will be looked at."]
    followed = [each for each in now if arrived["delivery"] in each.get("delivery", "").split(",")]
    told = [each["message"] for each in followed]
    assert told[0] == arrived["message"]
    assert {"Pushed a repair.", "Commented.", "A job is done."} <= set(told)
    [commented] = [each for each in followed if each["message"] == "Commented."]
    assert commented["number"] == number
    assert {each["repository"] for each in followed} == {project.repository.full_name}
    # One run, and each of its lines says so, whichever library or module has written it.
    [job] = {each["job"] for each in followed[1:]}
    assert [each for each in now if each.get("job") == job] == followed[1:]
