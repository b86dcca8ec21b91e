"""Text files that name the heads: which files are taken for one, and what becomes of them."""

from __future__ import annotations

import pytest

from onehead.revisions.edit import MAX_BYTES, advanced, candidates, names_heads
from onehead.revisions.model import Environment, Location
from tests.chains import graph

ENVIRONMENT = Environment(
    "api/src/db/versions",
    "api/alembic.ini",
    "alembic",
    "api/src/db",
    (Location("api/src/db/versions", recursive=False),),
)


@pytest.mark.parametrize(
    "path",
    [
        "api/src/db/versions/HEAD",
        "api/src/db/versions/EXPAND_HEAD",
        "api/src/db/HEADS",
        "api/src/.current-alembic-head",
        "api/alembic_version_conflict_detection.txt",
        "api/max_migration.txt",
        "latest-revision",
        "head.txt",
    ],
)
def test_places_and_names_that_may_be_one(path: str) -> None:
    assert candidates(ENVIRONMENT, [path]) == (path,)


@pytest.mark.parametrize(
    "path",
    [
        "api/src/db/versions/head.py",
        "web/HEAD",
        "api/src/other/HEAD",
        "VERSION",
        "api/alembic.ini",
        "api/README",
        "head.md",
    ],
)
def test_others_are_not_even_read(path: str) -> None:
    assert candidates(ENVIRONMENT, [path]) == ()


BEFORE = graph("a; e<a path=v/e_expand.py; c<a path=v/c_contract.py")


@pytest.mark.parametrize(
    ("data", "yes"),
    [
        (b"e", True),
        (b"e\n", True),
        (b"\n e \n", True),
        (b"c\ne\n", True),
        (b"e_expand", True),
        (b"e_expand.py\r\n", True),
        (b"e (expand) (head)\n", True),
        (b"", False),
        (b"\n", False),
        (b"a\n", False),
        (b"e c\n", False),
        (b"e\nx\n", False),
        (b"# e\n", False),
        (b"\xff", False),
        (b"e" + b"\n" * MAX_BYTES, False),
    ],
)
def test_every_line_names_a_head(data: bytes, *, yes: bool) -> None:
    assert names_heads(data, BEFORE) is yes


@pytest.mark.parametrize(
    ("data", "after", "new"),
    [
        (b"e\n", "a; e<a; c<a; e2<e", b"e2\n"),
        (b"e\r\nc\r\n", "a; e<a; c<a; e2<e; c2<c", b"e2\r\nc2\r\n"),
        (b"e (head)\nc (head)\n", "a; e<a; c<a; m<e,c", b"m (head)\n"),
        (b"e_expand", "a; e<a; c<a; m<e,c path=v/m_merge.py", b"m_merge"),
        (b"e_expand.py\n", "a; e<a; c<a; m<e,c path=v/m_merge.py", b"m_merge.py\n"),
        (b"e", "a; e<a; c<a", b"e"),
        (b"e", "a; c<a; e9<c", b"e9"),
        (b"e", "a; e<a; c<a; x<e; y<e", None),
        (b"e", "a; c<a; x<a", None),
        (b"a", "a; e<a", None),
    ],
)
def test_heads_give_way_to_what_they_have_become(data: bytes, after: str, new: bytes | None) -> None:
    assert advanced(data, BEFORE, graph(after)) == new
