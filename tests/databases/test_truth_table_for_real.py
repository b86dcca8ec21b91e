"""The truth table of forks on real databases: every row of it run by real Alembic, on PostgreSQL and on SQLite.

Three things have to agree: what is known of such databases, written down here; what onehead says of them; and what
Alembic does to one whose rows and tables are just so. Each way out that onehead offers is typed in, too. The chain:
019 (side X) and 020, 021 (side Y) on 018; 022 joins both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from alembic.util import CommandError
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from onehead.databases.states import Database, Outcome, Target
from onehead.databases.upgrade import Deployed, in_order, remedy, upgrade
from onehead.revisions.graph import Graph
from tests.chains import graph
from tests.migrations import ENV_PY, chain, merged, project
from tests.postgres import POSTGRESQL, Postgres, postgres
from tests.real_alembic import Deployment

__all__ = ["postgres"]

START = "017; 018<017; "
FORK = START + "019<018; 020<018; 021<020; "
TREES = {
    "M": FORK + "022<019,021; 023<022",
    "two heads": FORK,
    "MG": FORK + "022<019,021",
    # 020 is moved onto 019, or 019 onto 021; 022 never was there, was kept as it is, or names only the head now.
    "R1": START + "019<018; 020<019; 021<020",
    "R1, merge kept": START + "019<018; 020<019; 021<020; 022<019,021",
    "R1, merge narrowed": START + "019<018; 020<019; 021<020; 022<021",
    "R1, merge gone": START + "019<018; 020<019; 021<020; 023<021",
    "R2": START + "020<018; 021<020; 019<021",
    "R2, merge kept": START + "020<018; 021<020; 019<021; 022<019,021",
    "R2, merge narrowed": START + "020<018; 021<020; 019<021; 022<019",
    "R2, merge gone": START + "020<018; 021<020; 019<021; 023<019",
    "inserted": START + "z<018; 019<z",
    "only 017": "017",
    "no 018.py": "017; 019<018; 020<018; 021<020; 022<019,021",
    "no 019.py": START + "020<018; 021<020; 022<019,021",
    "no 022.py": FORK + "023<022",
}
MULTIPLE = (
    "Multiple head revisions are present for given argument 'head'; please specify a specific target revision, "
    "'<branchname>@head' to narrow to a specific head, or 'heads' for all heads"
)
R1 = ("R1", "R1, merge kept", "R1, merge narrowed")
R2 = ("R2", "R2, merge kept", "R2, merge narrowed")
FIXED = ("MG", *R1, *R2)


class Case(NamedTuple):
    """A line of the table.

    Attributes:
        tree: the deployed files.
        target: what is upgraded to.
        rows: content of `alembic_version`.
        there: the revisions whose tables are there.
        known: how it ends: `ok` and what runs, `loss` and what never runs, `repeat` and what runs again, or a message.
    """

    tree: str
    target: Target
    rows: tuple[str, ...]
    there: tuple[str, ...]
    known: str

    def __str__(self) -> str:
        also = f"+{','.join(self.there)}" if self.there else ""
        return f"{self.tree}-{self.target}-{','.join(self.rows) or 'none'}{also}"


def overlaps(one: str, *others: str) -> str:
    return f"Requested revision {one} overlaps with other requested revisions {', '.join(others)}"


def cannot_locate(id_: str) -> str:
    return f"Can't locate revision identified by '{id_}'"


def matches_twice(doing: str) -> str:
    return f"Online migration expected to match one row when {doing} in 'alembic_version'; 2 found"


APPLIED = {
    "": "",
    "017": "017",
    "018": "017 018",
    "019": "017 018 019",
    "020": "017 018 020",
    "021": "017 018 020 021",
    "019 020": "017 018 019 020",
    "019 021": "017 018 019 020 021",
    "022": "017 018 019 020 021 022",
    "023": "017 018 019 020 021 022 023",
}
"""Consistent rows → the revisions that such a database went through."""


def consistent(tree: str, target: Target, ends: dict[str, str]) -> Iterator[Case]:
    for rows, known in ends.items():
        yield Case(tree, target, tuple(rows.split()), tuple(APPLIED[rows].split()), known)


def whatever(tree: str, target: Target, known: str) -> Iterator[Case]:
    """Every consistent database that the fork can meet."""
    yield from consistent(tree, target, dict.fromkeys(list(APPLIED)[:8], known))


def table() -> Iterator[Case]:
    yield from consistent(
        "M",
        "head",
        {
            "": "ok 017 018 020 021 019 022 023",
            "017": "ok 018 020 021 019 022 023",
            "018": "ok 020 021 019 022 023",
            "019": "ok 020 021 022 023",
            "020": "ok 021 019 022 023",
            "021": "ok 019 022 023",
            "019 020": "ok 021 022 023",
            "019 021": "ok 022 023",
            "022": "ok 023",
            "023": "ok",
        },
    )
    yield from (case._replace(target="heads") for case in [*consistent("M", "head", {"018": "ok 020 021 019 022 023"})])
    yield from whatever("two heads", "head", MULTIPLE)
    yield from consistent("two heads", "head", {"022": MULTIPLE})
    yield from consistent(
        "two heads",
        "heads",
        {
            "": "ok 017 018 020 021 019",
            "018": "ok 020 021 019",
            "019": "ok 020 021",
            "020": "ok 021 019",
            "021": "ok 019",
            "019 020": "ok 021",
            "019 021": "ok",
            "022": cannot_locate("022"),
        },
    )
    for tree, gone in (("no 018.py", "018"), ("no 019.py", "019"), ("no 022.py", "022")):
        yield from whatever(tree, "head", f"KeyError: '{gone}'")
    yield from consistent("only 017", "head", {"018": cannot_locate("018"), "019 021": cannot_locate("019")})
    # What the fixes do.
    yield from consistent(
        "MG",
        "head",
        {
            "": "ok 017 018 020 021 019 022",
            "017": "ok 018 020 021 019 022",
            "018": "ok 020 021 019 022",
            "019": "ok 020 021 022",
            "020": "ok 021 019 022",
            "021": "ok 019 022",
            "019 020": "ok 021 022",
            "019 021": "ok 022",
            "022": "ok",
        },
    )
    for tree in R1:
        end = "" if tree == "R1" else " 022"
        yield from consistent(
            tree,
            "head",
            {
                "": f"ok 017 018 019 020 021{end}",
                "017": f"ok 018 019 020 021{end}",
                "018": f"ok 019 020 021{end}",
                "019": f"ok 020 021{end}",
                "020": "loss 019",
                "021": "loss 019",
                "019 020": overlaps("020", "019"),
                "019 021": overlaps("021", "019"),
                "022": "ok" if end else cannot_locate("022"),
            },
        )
    for tree in R2:
        end = "" if tree == "R2" else " 022"
        yield from consistent(
            tree,
            "head",
            {
                "": f"ok 017 018 020 021 019{end}",
                "017": f"ok 018 020 021 019{end}",
                "018": f"ok 020 021 019{end}",
                "019": "loss 020 021",
                "020": f"ok 021 019{end}",
                "021": f"ok 019{end}",
                "019 020": overlaps("019", "020"),
                "019 021": overlaps("019", "021"),
                "022": "ok" if end else cannot_locate("022"),
            },
        )
    for tree in ("R1, merge gone", "R2, merge gone"):
        yield from consistent(tree, "head", {"023": "ok"})
    yield Case("inserted", "head", ("019",), ("017", "018", "019"), "loss z")
    yield from inconsistent()


def inconsistent() -> Iterator[Case]:
    shared, everything = ("017", "018"), ("017", "018", "019", "020", "021")
    for tree in ("M", *FIXED):
        yield Case(tree, "head", ("018", "019"), (*shared, "019"), overlaps("019", "018"))
        yield Case(tree, "head", ("020", "021"), (*shared, "020", "021"), overlaps("021", "020"))
        yield Case(tree, "head", ("999",), (), cannot_locate("999"))
        yield Case(tree, "head", ("019", "999"), (*shared, "019"), cannot_locate("999"))
        first = "019" if tree in R1 else "020"
        yield Case(tree, "head", ("018", "018"), shared, matches_twice(f"updating '018' to '{first}'"))
        yield Case(tree, "head", (), shared, "repeat 017 018")
        yield Case(tree, "head", (), everything, "repeat 017 018 019 020 021")
        yield Case(tree, "head", ("018",), (*shared, "019"), "repeat 019")
        yield Case(tree, "head", ("018",), everything, "repeat 019 020 021")
    for tree in ("M", "MG", "R1, merge kept", "R1, merge narrowed", "R2, merge kept", "R2, merge narrowed"):
        yield Case(tree, "head", ("019", "022"), (*everything, "022"), overlaps("022", "019"))
    for rows in (("018", "019"), ("999",), ("018", "018"), ("019", "999"), ()):
        yield Case("two heads", "head", rows, (*shared, "019") if "019" in rows else shared if rows else (), MULTIPLE)
    yield Case("two heads", "heads", ("018", "019"), (*shared, "019"), overlaps("019", "018"))
    yield Case("two heads", "heads", ("019", "019"), (*shared, "019"), "ok 020 021")
    # Stopped half-way on a database that keeps it; the advice to stamp what never ran.
    yield Case("M", "head", ("021",), everything, "repeat 019")
    yield Case("M", "head", ("019", "021"), shared, "loss 019 020 021")
    for tree, later in (("MG", "deleting '019'"), ("R1", "updating '019' to '020'")):
        yield Case(tree, "head", ("019", "019"), (*shared, "019"), matches_twice(later))


@cache
def files(tree: str) -> dict[str, str]:
    found = graph(TREES[tree])
    return merged(
        project(), chain(*((r.id, r.parents if len(r.parents) > 1 else "".join(r.parents) or None) for r in found))
    )


class Place:
    """A database server, and how to get an empty database there; and whether it takes back a failed upgrade."""

    def __init__(self, kind: str, empty: Callable[[], str], folder: Path) -> None:
        self.rolls_back = kind == "postgresql"
        self._empty = empty
        self._folder = folder

    def deployed(self, tree: str, env: str = ENV_PY) -> Deployment:
        """The files of a tree beside an empty database."""
        folder = self._folder / tree.replace(" ", "_").replace(",", "") / str(hash(env))
        if not folder.exists():
            for path, content in (files(tree) | {"alembic/env.py": env}).items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(content)
        return Deployment(folder, self._empty())


@pytest.fixture(scope="module", params=[POSTGRESQL, "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.fresh()

        def empty() -> str:
            execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
            return url
    else:
        file = home / "database"

        def empty() -> str:
            file.unlink(missing_ok=True)
            return f"sqlite:///{file}"

    return Place(request.param, empty, home)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def there(real: Deployment) -> set[str]:
    return {table.removeprefix("t") for table in real.tables()}


def prepared(place: Place, case: Case, env: str = ENV_PY) -> Deployment:
    real = place.deployed(case.tree, env)
    execute(real.url, *(f"CREATE TABLE t{id_} (id INTEGER PRIMARY KEY)" for id_ in case.there))
    real.set_rows(case.rows)
    return real


def said(case: Case) -> tuple[Graph, Outcome]:
    chain_of = graph(TREES[case.tree])
    return chain_of, upgrade(Deployed(chain_of), Database(case.rows, frozenset(case.there)), case.target)


def agrees(outcome: Outcome, known: str) -> None:
    """What onehead says against what is known."""
    kind, *names = known.split()
    match kind:
        case "ok":
            assert (outcome.kind, outcome.runs, outcome.lost) == ("ok", tuple(names), ())
        case "loss":
            assert (outcome.kind, outcome.lost, outcome.error) == ("loss", tuple(names), None)
        case "repeat":
            assert (outcome.kind, set(outcome.again), outcome.error) == ("repeat", set(names), None)
        case _:
            assert (outcome.kind, outcome.error) == ("error", known)


def type_in(real: Deployment, commands: tuple[str, ...], everything: set[str], heads: tuple[str, ...]) -> None:
    for line in commands:
        real.run(line)
    assert (there(real), real.rows()) == (everything, heads)


def attempted(real: Deployment, target: str) -> tuple[tuple[str, ...], str | None]:
    """What ran, or the message of whoever stopped it."""
    try:
        # Where a file is missing, Alembic warns before it crashes; the crash is what counts.
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            return real.upgrade(target), None
    except CommandError as stop:
        return (), in_order(str(stop))
    except KeyError as crash:
        return (), f"KeyError: {crash}"
    except DBAPIError as refusal:
        return (), str(refusal)


@pytest.mark.parametrize("case", list(table()), ids=str)
def test_the_table(case: Case, place: Place) -> None:
    chain_of, outcome = said(case)
    agrees(outcome, case.known)
    real, before = prepared(place, case), set(case.there)
    ran, stop = attempted(real, case.target)
    # What ran before the stop is there only where the database can't take it back; nearly always nothing did.
    kept = () if place.rolls_back else outcome.runs
    match outcome.kind:
        case "ok" | "loss":
            assert (ran, real.rows(), stop) == (outcome.runs, outcome.rows_after, None)
            assert there(real) == before | set(outcome.runs)
            assert not set(outcome.lost) & there(real)
        case "error":
            assert stop == outcome.error
            assert real.rows() == (tuple(sorted(case.rows)) if place.rolls_back else outcome.rows_after)
            # SQLite also keeps the table of the revision whose row could not be written.
            assert there(real) - before - unwritten(case, chain_of) == set(kept)
        case "repeat":
            first = outcome.again[0]
            assert f"t{first}" in (stop or "")
            assert "already exists" in (stop or "")
            assert there(real) == before | set(kept[: outcome.runs.index(first)])
    if outcome.kind == "ok":
        return
    ways = remedy(Deployed(chain_of), Database(case.rows, frozenset(case.there)), case.target)
    if ways:
        type_in(prepared(place, case), ways, set(chain_of.revisions), chain_of.heads)


def unwritten(case: Case, chain_of: Graph) -> set[str]:
    """The revision that had run when its row turned out to stand there twice."""
    if "expected to match one row" not in case.known:
        return set()
    above = chain_of.descendants(*case.rows) - set(case.there)
    return {id_ for id_ in above if set(chain_of.parents(id_)) & set(case.rows)}


@pytest.mark.parametrize(
    ("tree", "rows", "commands"),
    [
        ("two heads", "018", ["upgrade heads"]),
        ("M", "018 019", ["stamp --purge 019", "upgrade head"]),
        ("MG", "019 022", ["stamp --purge 022", "upgrade heads"]),
        ("R1", "020", ["stamp --purge 018", "upgrade 019", "stamp --purge 020", "upgrade head"]),
        ("R1", "021", ["stamp --purge 018", "upgrade 019", "stamp --purge 021", "upgrade head"]),
        ("R1", "019 020", ["stamp --purge 020", "upgrade head"]),
        ("R1", "019 021", ["stamp --purge 021", "upgrade head"]),
        ("R2", "019", ["stamp --purge 018", "upgrade 021", "stamp --purge 019", "upgrade head"]),
        ("R2", "019 020", ["stamp --purge 020", "upgrade 021", "stamp --purge 019", "upgrade head"]),
        ("R2", "019 021", ["stamp --purge 019", "upgrade head"]),
    ],
)
def test_the_known_ways_out(tree: str, rows: str, commands: list[str], place: Place) -> None:
    ids = tuple(rows.split())
    applied = APPLIED["019" if rows == "018 019" else "022" if rows == "019 022" else rows].split()
    chain_of = graph(TREES[tree])
    real = prepared(place, Case(tree, "head", ids, tuple(applied), ""))
    type_in(real, tuple(f"alembic {line}" for line in commands), set(chain_of.revisions), chain_of.heads)
    offered = remedy(Deployed(chain_of), Database(ids, frozenset(applied)), "head")
    assert list(offered)[:-1] == [f"alembic {line}" for line in commands][:-1]


@pytest.mark.parametrize("tree", ["R1", "R2"])
def test_the_way_back_from_a_merge_that_was_taken_back(tree: str, place: Place) -> None:
    chain_of = graph(TREES[tree])
    case = Case(tree, "head", ("022",), tuple(APPLIED["019 021"].split()), "")
    ways = remedy(Deployed(chain_of), Database(case.rows, frozenset(case.there)), "head", is_sure=True)
    assert ways == (f"alembic stamp --purge {chain_of.heads[0]}", "alembic upgrade head")
    type_in(prepared(place, case), ways, set(chain_of.revisions), chain_of.heads)


PER_MIGRATION = ENV_PY.replace("connection=connection)", "connection=connection, transaction_per_migration=True)")


def test_an_upgrade_that_is_committed_step_by_step_stops_half_way(place: Place) -> None:
    """So does one on SQLite whatever it is told; the way out is that of a database whose rows are too low."""
    case = Case("M", "head", ("018",), ("017", "018", "019"), "repeat 019")
    real = prepared(place, case, PER_MIGRATION)
    with pytest.raises(DBAPIError, match="t019"):
        real.upgrade()
    assert (there(real), real.rows()) == ({"017", "018", "019", "020", "021"}, ("021",))
    stopped = case._replace(rows=("021",), there=("017", "018", "019", "020", "021"))
    chain_of, outcome = said(stopped)
    agrees(outcome, "repeat 019")
    ways = remedy(Deployed(chain_of), Database(stopped.rows, frozenset(stopped.there)), "head")
    assert ways == ("alembic stamp --purge 019 021", "alembic upgrade head")
    type_in(real, ways, set(chain_of.revisions), chain_of.heads)


def test_an_id_that_was_made_longer_works_once_and_then_stops(place: Place) -> None:
    """The row is the beginning of the new id, so Alembic takes it for that, but adds a row and replaces none."""
    TREES["renamed"] = "017; 018_step<017; 019<018_step"
    case = Case("renamed", "head", ("018",), ("017", "018_step"), "")
    real = prepared(place, case)
    _, outcome = said(case)
    assert real.upgrade() == outcome.runs == ("019",)
    assert real.rows() == outcome.rows_after == ("018", "019")
    _, next_one = said(case._replace(rows=real.rows(), there=("017", "018_step", "019")))
    assert next_one.error == overlaps("019", "018_step")
    with pytest.raises(CommandError) as stop:
        real.upgrade()
    assert str(stop.value) == next_one.error
