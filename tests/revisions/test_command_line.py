"""How a line for Alembic is typed for one environment; tests/cli/test_printed_alembic.py really types them."""

from __future__ import annotations

import pytest

from onehead.revisions.command_line import typed
from onehead.revisions.model import Environment

PLACE = Environment("db/versions", "alembic.ini", "alembic", "db", ())


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (PLACE, "alembic stamp --purge 003 005"),
        (PLACE._replace(config=None, section=None), "alembic stamp --purge 003 005"),
        (PLACE._replace(config="etc/alembic.ini.sample", run_from="etc"), "(cd etc && alembic stamp --purge 003 005)"),
        (PLACE._replace(section="DEFAULT"), "alembic stamp --purge 003 005"),
        (PLACE._replace(config="pyproject.toml", section="tool.alembic"), "alembic stamp --purge 003 005"),
        (PLACE._replace(config="a/b.ini", run_from="c"), "(cd c && alembic -c ../a/b.ini stamp --purge 003 005)"),
        (
            PLACE._replace(config="db/alembic.ini", by_flask=True),
            "flask db stamp -d db --purge 003 && flask db stamp -d db 005",
        ),
    ],
)
def test_the_place_decides_how_alembic_is_run(environment: Environment, line: str) -> None:
    assert typed(environment, ["alembic stamp --purge 003 005"]) == (line,)


def test_what_is_not_for_alembic_stays_and_ids_are_quoted() -> None:
    place = PLACE._replace(run_from="my api")
    told = typed(place, ["DROP TABLE t", "alembic upgrade 'it'\"'\"'s $x'"])
    assert told == ("DROP TABLE t", "(cd 'my api' && alembic -c ../alembic.ini upgrade 'it'\"'\"'s $x')")
