"""What a schema shows about revisions, with literals for chain, traces and database."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from onehead.databases.schema_effects import Thing, schema_effects_of
from onehead.databases.schema_evidence import evidence_in_schema, things_to_look_for
from onehead.operations.read import read
from tests.chains import graph

HEAD = b"""\
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from league.backfill import helper

def upgrade():
"""


def shown(
    chain: str, does: Mapping[str, str], *there: str, claimed: str = "", rolls_back: bool = True
) -> dict[str, str]:
    """Revision → what is shown, where exactly these things are there (as `str` shows a thing)."""
    effects = {id_: schema_effects_of(read(HEAD + f"    {body}\n".encode())) for id_, body in does.items()}
    things = things_to_look_for(graph(chain), effects)
    assert set(there) <= {str(thing) for thing in things}
    seen = {thing: str(thing) in there for thing in things}
    found = evidence_in_schema(graph(chain), effects, seen, claimed, rolls_back=rolls_back)
    return {id_: each.shown for id_, each in found.items()}


MAKE_T = 'op.create_table("t", sa.Column("id", sa.Integer()))'
DROP_T = 'op.drop_table("t")'
ADD_C = 'op.add_column("t", sa.Column("c", sa.Integer()))'
DROP_C = 'op.drop_column("t", "c")'


@pytest.mark.parametrize(
    ("there", "a", "b"),
    [(("table t",), "applied", "absent"), ((), "untold", "untold")],
)
def test_what_is_dropped_again_bears_no_witness_alone(there: tuple[str, ...], a: str, b: str) -> None:
    assert shown("a; b<a", {"a": MAKE_T, "b": DROP_T}, *there) == {"a": a, "b": b}


def test_what_else_is_known_makes_it_speak() -> None:
    """The index shows that `a` ran; then the missing table shows that `b` did."""
    does = {"a": f'{MAKE_T}; op.create_table("u", sa.Column("id", sa.Integer()))', "b": DROP_T}
    assert shown("a; b<a", does, "table u") == {"a": "applied", "b": "applied"}
    assert shown("a; b<a", does, "table u", "table t") == {"a": "applied", "b": "absent"}
    # What was never made can't have been dropped.
    assert shown("a; b<a", does) == {"a": "absent", "b": "absent"}


def test_what_was_there_before_the_chain() -> None:
    """Nobody knows whether it ever was there: a missing one shows nothing."""
    assert shown("a", {"a": DROP_T}) == {"a": "untold"}
    assert shown("a", {"a": DROP_T}, "table t") == {"a": "absent"}


def test_a_column_that_goes_with_its_table() -> None:
    does = {"a": MAKE_T, "b": ADD_C, "c": DROP_T}
    assert shown("a; b<a; c<b", does, "table t", "column t.c") == {"a": "applied", "b": "applied", "c": "absent"}
    assert shown("a; b<a; c<b", does, "table t") == {"a": "applied", "b": "absent", "c": "absent"}
    assert shown("a; b<a; c<b", does) == {"a": "untold", "b": "untold", "c": "untold"}


def test_an_index_that_may_go_with_its_column() -> None:
    does = {"a": ADD_C, "b": 'op.create_index("i", "t", ["c"])', "c": DROP_C}
    # On some databases the column takes the index with it, so a missing index shows nothing while the column is gone.
    assert shown("a; b<a; c<b", does, "column t.c", "index i on t") == {"a": "applied", "b": "applied", "c": "absent"}
    assert shown("a; b<a; c<b", does, "column t.c") == {"a": "applied", "b": "absent", "c": "absent"}


def test_a_part_of_a_revision() -> None:
    does = {"a": f'{MAKE_T}; op.create_index("i", "t", ["id"])'}
    assert shown("a", does, "table t") == {"a": "partly"}
    assert shown("a", does, "table t", "index i on t") == {"a": "applied"}


def stands(**shown: str) -> dict[str, str]:
    return shown


def test_a_renamed_table_and_what_stands_on_it() -> None:
    does = {"a": MAKE_T, "b": ADD_C, "c": 'op.rename_table("t", "u")'}
    does["d"] = 'op.add_column("u", sa.Column("e", sa.Text()))'
    chain = "a; b<a; c<b; d<c"
    assert shown(chain, does, "table t", "column t.c") == stands(a="applied", b="applied", c="absent", d="absent")
    assert shown(chain, does, "table u", "column u.c", "column u.e") == dict.fromkeys("abcd", "applied")
    assert shown(chain, does, "table u", "column u.c") == stands(a="applied", b="applied", c="applied", d="absent")
    assert shown(chain, does, "table u") == {"a": "applied", "b": "absent", "c": "applied", "d": "absent"}


def test_a_renamed_column() -> None:
    does = {"a": ADD_C, "b": 'op.alter_column("t", "c", new_column_name="d")'}
    assert shown("a; b<a", does, "column t.c") == {"a": "applied", "b": "absent"}
    assert shown("a; b<a", does, "column t.d") == {"a": "applied", "b": "applied"}
    assert shown("a; b<a", does)["b"] == "absent"


def test_what_two_revisions_may_have_made() -> None:
    """Only one of two competing makers can have run; which one the table does not say."""
    assert shown("a; b<a; c<a", {"b": MAKE_T, "c": MAKE_T}, "table t") == {"a": "untold", "b": "untold", "c": "untold"}
    assert shown("a; b<a; c<a", {"b": MAKE_T, "c": MAKE_T}) == {"a": "untold", "b": "absent", "c": "absent"}


def test_what_depends_on_a_condition_shows_only_that_it_happened() -> None:
    does = {"a": f"if unknown(): {MAKE_T}"}
    assert shown("a", does, "table t") == {"a": "untold"}
    assert shown("a", does) == {"a": "untold"}


def test_what_is_made_only_where_it_is_missing_shows_only_that_it_was_not() -> None:
    does = {"a": 'op.create_table("t", sa.Column("id", sa.Integer()), if_not_exists=True)'}
    assert shown("a", does, "table t") == {"a": "untold"}
    assert shown("a", does) == {"a": "absent"}


def test_raw_sql_that_names_a_thing_takes_its_word_away() -> None:
    does = {"a": MAKE_T, "b": 'op.execute(make("t"))'}
    assert shown("a; b<a", does, "table t") == {"a": "applied", "b": "untold"}


UNREAD = "helper()"


def test_what_was_not_understood_may_have_taken_anything_away() -> None:
    """… if its revision has run, and the thing was there before."""
    does = {"a": MAKE_T, "b": UNREAD, "c": ADD_C}
    assert shown("a; b<a; c<b", does, claimed="abc") == {"a": "untold", "b": "untold", "c": "absent"}
    assert shown("a; b<a; c<b", does, claimed="a")["a"] == "absent"
    assert shown("a; b<a; c<b", does, "table t", claimed="ab")["a"] == "applied"


def test_what_was_not_understood_may_have_made_what_the_chain_can_go_on_with() -> None:
    does = {"a": UNREAD, "b": UNREAD, "c": f"{MAKE_T}", "d": DROP_T}
    # Only `b`, which has not run, could have taken away what `a` has made before `c` makes it.
    told = shown("a; b<a; c<b; d<c", does, "table t", claimed="a")
    assert told == stands(a="untold", b="untold", c="untold", d="absent")
    assert shown("a; b<a; c<b; d<c", does, "table t", claimed="ab")["c"] == "applied"
    before = {"a": UNREAD, "b": DROP_T}
    assert shown("a; b<a", before, claimed="a") == {"a": "untold", "b": "untold"}


def test_where_nothing_is_rolled_back_the_next_revision_may_have_begun() -> None:
    does = {"a": MAKE_T, "b": f"{UNREAD}; {ADD_C}", "c": UNREAD}
    assert shown("a; b<a; c<b", does, claimed="a")["a"] == "absent"
    assert shown("a; b<a; c<b", does, claimed="a", rolls_back=False)["a"] == "untold"


def test_the_order_of_what_was_not_understood_counts() -> None:
    does = {"a": f"{MAKE_T}; {UNREAD}; {ADD_C}"}
    assert shown("a", does, "column t.c", claimed="a") == {"a": "applied"}
    assert shown("a", does, "table t", claimed="a") == {"a": "partly"}


@pytest.mark.parametrize(
    "body",
    ["pass", 'op.execute("UPDATE t SET c = 1")', 'op.bulk_insert(sa.table("t", sa.column("c")), [{"c": 1}])'],
)
def test_rows_leave_no_trace(body: str) -> None:
    assert shown("a; b<a", {"a": MAKE_T, "b": body}, "table t") == {"a": "applied", "b": "untold"}


def test_labels_of_a_type() -> None:
    does = {
        "a": 'postgresql.ENUM("x", "y", name="mood").create(op.get_bind(), checkfirst=False)',
        "b": "op.execute(\"ALTER TYPE mood ADD VALUE 'z'\")",
    }
    made = ("type mood", "label x of type mood", "label y of type mood")
    assert shown("a; b<a", does, *made) == {"a": "applied", "b": "absent"}
    assert shown("a; b<a", does, *made, "label z of type mood") == {"a": "applied", "b": "applied"}


def test_what_a_database_does_not_have_is_passed_over() -> None:
    effects = {"a": schema_effects_of(read(HEAD + b"    op.execute(\"ALTER TYPE mood ADD VALUE 'z'\")\n"))}
    assert evidence_in_schema(graph("a"), effects, {})["a"].shown == "untold"
    assert evidence_in_schema(graph("a"), effects, {Thing("label", "z", "mood"): True})["a"].shown == "applied"


def test_a_revision_that_does_nothing_is_known_to() -> None:
    effects = {
        "a": schema_effects_of(read(HEAD + b"    pass\n")),
        "b": schema_effects_of(read(HEAD + b"    helper()\n")),
    }
    found = evidence_in_schema(graph("a; b<a; c<b"), effects, {})
    assert (found["a"].empty, found["b"].empty, found["c"].empty) == (True, False, False)


def test_names_that_no_database_keeps_whole_are_not_looked_for() -> None:
    long = "ix_" + "x" * 80
    effects = {"a": schema_effects_of(read(HEAD + f'    op.create_index("{long}", "t", ["c"])\n'.encode()))}
    assert things_to_look_for(graph("a"), effects) == ()
