"""The truth table of forks: what `alembic upgrade head` does to every database under every fix, row by row.

Every line was once seen on real databases; here Alembic's own code answers without one. The chain: 019 (side X) and
020, 021 (side Y) on 018. R1 moves 020 onto 019, R2 moves 019 onto 021, MG adds 022 that joins both.
"""

from __future__ import annotations

import pytest

from onehead.databases.states import Database, Outcome
from onehead.databases.upgrade import Deployed, remedy, upgrade
from onehead.revisions.graph import Graph
from tests.chains import graph

CHAINS = {
    "none": "017; 018<017; 019<018; 020<018; 021<020",
    "MG": "017; 018<017; 019<018; 020<018; 021<020; 022<019,021",
    "R1": "017; 018<017; 019<018; 020<019; 021<020",
    "R2": "017; 018<017; 019<021; 020<018; 021<020",
}
MULTIPLE = (
    "Multiple head revisions are present for given argument 'head'; please specify a specific target revision, "
    "'<branchname>@head' to narrow to a specific head, or 'heads' for all heads"
)
SHARED = frozenset({"017", "018"})
APPLIED = {
    (): frozenset[str](),
    ("018",): SHARED,
    ("019",): SHARED | {"019"},
    ("020",): SHARED | {"020"},
    ("021",): SHARED | {"020", "021"},
    ("019", "020"): SHARED | {"019", "020"},
    ("019", "021"): SHARED | {"019", "020", "021"},
}


def chain(fix: str) -> Graph:
    return graph(CHAINS[fix])


def upgrade_head(graph: Graph, rows: tuple[str, ...], applied: frozenset[str]) -> Outcome:
    return upgrade(Deployed(graph), Database(rows, applied))


def ok(runs: str, after: str) -> Outcome:
    return Outcome("ok", tuple(runs.split()), (after,))


def loss(runs: str, after: str, lost: str) -> Outcome:
    return Outcome("loss", tuple(runs.split()), (after,), tuple(lost.split()))


def overlap(rows: tuple[str, ...], one: str, other: str) -> Outcome:
    text = f"Requested revision {one} overlaps with other requested revisions {other}"
    return Outcome("error", (), rows, error=text)


@pytest.mark.parametrize("rows", APPLIED)
def test_without_a_fix_every_database_is_stopped(rows: tuple[str, ...]) -> None:
    assert upgrade_head(chain("none"), rows, APPLIED[rows]) == Outcome("error", (), rows, error=MULTIPLE)


@pytest.mark.parametrize(
    ("rows", "runs"),
    [
        ((), "017 018 020 021 019 022"),
        (("018",), "020 021 019 022"),
        (("019",), "020 021 022"),
        (("020",), "021 019 022"),
        (("021",), "019 022"),
        (("019", "020"), "021 022"),
        (("019", "021"), "022"),
    ],
)
def test_a_merge_is_right_for_every_database(rows: tuple[str, ...], runs: str) -> None:
    assert upgrade_head(chain("MG"), rows, APPLIED[rows]) == ok(runs, "022")


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ((), ok("017 018 019 020 021", "021")),
        (("018",), ok("019 020 021", "021")),
        (("019",), ok("020 021", "021")),
        (("020",), loss("021", "021", "019")),
        (("021",), loss("", "021", "019")),
        (("019", "020"), overlap(("019", "020"), "020", "019")),
        (("019", "021"), overlap(("019", "021"), "021", "019")),
    ],
)
def test_moving_020_onto_019(rows: tuple[str, ...], outcome: Outcome) -> None:
    assert upgrade_head(chain("R1"), rows, APPLIED[rows]) == outcome


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ((), ok("017 018 020 021 019", "019")),
        (("018",), ok("020 021 019", "019")),
        (("019",), loss("", "019", "020 021")),
        (("020",), ok("021 019", "019")),
        (("021",), ok("019", "019")),
        (("019", "020"), overlap(("019", "020"), "019", "020")),
        (("019", "021"), overlap(("019", "021"), "019", "021")),
    ],
)
def test_moving_019_onto_021(rows: tuple[str, ...], outcome: Outcome) -> None:
    assert upgrade_head(chain("R2"), rows, APPLIED[rows]) == outcome


@pytest.mark.parametrize("fix", ["MG", "R1", "R2"])
def test_a_row_beside_its_own_ancestor_stops_everything(fix: str) -> None:
    rows = ("018", "019")
    assert upgrade_head(chain(fix), rows, SHARED | {"019"}) == overlap(rows, "019", "018")


@pytest.mark.parametrize("fix", ["MG", "R1", "R2"])
def test_a_row_that_no_file_declares_stops_everything(fix: str) -> None:
    told = upgrade_head(chain(fix), ("999",), frozenset())
    assert told == Outcome("error", (), ("999",), error="Can't locate revision identified by '999'")


def test_a_missing_file_stops_every_database() -> None:
    broken = graph("017; 019<018; 020<019")
    assert upgrade_head(broken, (), frozenset()) == Outcome("error", (), (), error="KeyError: '018'")
    assert upgrade_head(broken, ("017",), frozenset({"017"})).error == "KeyError: '018'"


def test_a_circle_stops_every_database() -> None:
    told = upgrade_head(graph("a<c; b<a; c<b"), (), frozenset())
    assert told.kind == "error"
    assert told.error is not None
    assert told.error.startswith("Cycle is detected in revisions")


def test_a_name_that_alembic_keeps_for_itself_stops_it() -> None:
    assert upgrade_head(graph("base; a<base"), (), frozenset()).error == "AssertionError"


def test_heads_needs_no_merge() -> None:
    told = upgrade(Deployed(chain("none")), Database(("020",), APPLIED["020",]), "heads")
    assert (told.kind, set(told.runs), told.rows_after) == ("ok", {"019", "021"}, ("019", "021"))


def test_a_revision_put_beneath_an_applied_one_is_lost() -> None:
    inserted = graph("017; 018<017; z<018; 019<z")
    assert upgrade_head(inserted, ("019",), SHARED | {"019"}) == loss("", "019", "z")


UP = "alembic upgrade head"


@pytest.mark.parametrize(
    ("fix", "rows", "commands"),
    [
        ("none", ("018",), ["alembic upgrade heads"]),
        ("R1", ("020",), ["alembic stamp --purge 018", "alembic upgrade 019", "alembic stamp --purge 020", UP]),
        ("R1", ("021",), ["alembic stamp --purge 018", "alembic upgrade 019", "alembic stamp --purge 021", UP]),
        ("R1", ("019", "020"), ["alembic stamp --purge 020", UP]),
        ("R1", ("019", "021"), ["alembic stamp --purge 021", UP]),
        ("R2", ("019",), ["alembic stamp --purge 018", "alembic upgrade 021", "alembic stamp --purge 019", UP]),
        (
            "R2",
            ("019", "020"),
            ["alembic stamp --purge 020", "alembic upgrade 021", "alembic stamp --purge 019", UP],
        ),
        ("R2", ("019", "021"), ["alembic stamp --purge 019", UP]),
    ],
)
def test_the_way_out(fix: str, rows: tuple[str, ...], commands: list[str]) -> None:
    assert list(remedy(Deployed(chain(fix)), Database(rows, APPLIED[rows]), "head")) == commands


def test_the_way_out_of_corrupt_rows() -> None:
    database = Database(("018", "019"), SHARED | {"019"})
    assert remedy(Deployed(chain("MG")), database, "head") == ("alembic stamp --purge 019", UP)


@pytest.mark.parametrize("fix", ["none", "MG", "R1", "R2"])
def test_no_way_out_is_shown_where_nobody_knows_what_ran(fix: str) -> None:
    assert remedy(Deployed(chain(fix)), Database(("999",), frozenset()), "head") == ()


def test_no_way_out_is_shown_where_the_chain_does_not_load() -> None:
    assert remedy(Deployed(graph("a; c<b")), Database(("a",), frozenset({"a"})), "head") == ()
