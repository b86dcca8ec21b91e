"""What is said about two sides: the sentences, several revisions, and what is never claimed."""

from __future__ import annotations

import pytest

from onehead.operations.conflict_rules import Compatibility
from onehead.operations.conflicts import SidesVerdict, judge
from onehead.operations.read import read
from tests.operations.lab import revision

ADD = 'op.add_column("users", sa.Column("x", sa.Integer()))'
DROP = 'op.drop_column("users", "age")'
INDEX = 'op.create_index("ix_age", "users", ["age"])'


def verdict(left: dict[str, str], right: dict[str, str]) -> SidesVerdict:
    """Judge two sides, each a chain of ids with the body of `upgrade()`."""
    return judge(
        [(id_, read(revision(body))) for id_, body in left.items()],
        [(id_, read(revision(body))) for id_, body in right.items()],
    )


def messages(left: dict[str, str], right: dict[str, str]) -> list[str]:
    return [each.message for each in verdict(left, right).clashes]


def test_a_conflict_is_told_in_one_sentence() -> None:
    found = verdict({"019": ADD}, {"020": "pass", "021": f"\n{ADD}"})
    assert [each.message for each in found.clashes] == [
        (
            "`019` adds column `users.x` (line 8) and `021` adds column `users.x` (line 8): whichever runs second "
            "fails, because the name is taken."
        )
    ]
    assert (found.kind, found.first) == (Compatibility.CONFLICT, None)


def test_an_order_names_the_revision_that_goes_first() -> None:
    found = verdict({"019": DROP}, {"020": 'op.execute("UPDATE users SET name = age")'})
    assert [each.message for each in found.clashes] == [
        (
            "`019` drops column `users.age` (line 8) and `020` updates rows of `users` (line 8): `020` has to run "
            "first, because it needs what `019` drops."
        )
    ]
    assert (found.kind, found.first) == (Compatibility.ORDER, "right")


def test_what_differs_between_databases_is_no_conflict_everywhere() -> None:
    found = verdict({"019": DROP}, {"020": INDEX})
    assert (found.on("postgresql"), found.on("sqlite")) == (Compatibility.ORDER, Compatibility.CONFLICT)
    assert (found.kind, found.first) == (Compatibility.ORDER, "right")


def test_orders_that_contradict_each_other_are_a_conflict() -> None:
    found = verdict(
        {"019": 'op.drop_column("a", "x")', "020": 'op.execute("UPDATE b SET y = 1")'},
        {"021": 'op.execute("UPDATE a SET x = 1")', "022": 'op.drop_column("b", "y")'},
    )
    assert {each.first for each in found.clashes} == {"left", "right", None}
    assert found.clashes[0].message == (
        "Each side has to run before the other: see the orders named here, which can't both be kept."
    )
    assert (found.kind, found.first) == (Compatibility.CONFLICT, None)


def test_the_worst_comes_first() -> None:
    found = verdict(
        {"019": f'op.execute("REINDEX_ALL")\n{ADD}\nop.drop_column("t", "c")'},
        {"020": f'{ADD}\nop.alter_column("t", "c", comment="x")'},
    )
    assert [each.kind for each in found.clashes] == [Compatibility.CONFLICT, Compatibility.ORDER, Compatibility.UNKNOWN]


def test_what_cannot_be_known_is_never_called_safe() -> None:
    found = verdict({"019": 'op.execute("SELECT f()")'}, {"020": 'op.create_table("t")'})
    assert found.kind == Compatibility.UNKNOWN
    assert [each.message for each in found.clashes] == [
        (
            "`019` holds SQL that is not recognised: `SELECT f()` (line 8): a person has to decide whether it "
            "conflicts with the other side."
        )
    ]
    assert found.first is None


def test_what_is_unknown_for_one_reason_is_told_once() -> None:
    body = "\n".join(f'op.execute("CALL f({n})")' for n in range(6)) + "\nhelper()\nop.drop_table('t')"
    found = messages({"019": body, "020": 'op.execute("CALL g()")'}, {"021": ADD})
    assert found[0] == (
        "`019` holds SQL that is not recognised: `CALL f(0)` (line 8): a person has to decide whether it conflicts "
        "with the other side. The same goes for 5 more of its kind in `019` (lines 9, 10, 11 and 2 more)."
    )
    assert [message.split()[0] for message in found] == ["`019`", "`019`", "`020`"]


def test_a_side_that_does_nothing_gets_along_with_everything() -> None:
    assert verdict({"019": "pass"}, {"020": 'op.execute("SELECT f()")'}) == SidesVerdict(())


def test_what_depends_on_a_condition_is_not_claimed() -> None:
    body = f"if op.get_bind().dialect.name == 'sqlite':\n    {ADD}"
    [message] = messages({"019": body}, {"020": ADD})
    assert verdict({"019": body}, {"020": ADD}).kind == Compatibility.UNKNOWN
    assert message.endswith("Whether that happens depends on a condition, so look at both.")


def test_what_a_side_does_to_its_own_table_concerns_nobody() -> None:
    ours = {
        "019": 'op.create_table("t", sa.Column("a", sa.Integer()))',
        "020": 'op.add_column("t", sa.Column("b", sa.Integer()))',
    }
    assert verdict(ours, {"021": 'op.drop_table("other")'}) == SidesVerdict(())
    theirs = {"021": 'op.create_table("t", sa.Column("b", sa.Integer()))'}
    assert [each.kind for each in verdict(ours, theirs).clashes] == [Compatibility.CONFLICT]


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("", "", Compatibility.CONFLICT),
        ('schema="public"', "", Compatibility.CONFLICT),
        ('schema="a"', 'schema="b"', Compatibility.INDEPENDENT),
    ],
)
def test_schemas(left: str, right: str, kind: Compatibility) -> None:
    def drop(schema: str) -> str:
        return f'op.drop_table("t"{", " if schema else ""}{schema})'

    assert verdict({"019": drop(left)}, {"020": drop(right)}).kind == kind


def test_databases_of_one_project_are_kept_apart() -> None:
    def source(engine: str) -> bytes:
        return (
            f"from alembic import op\ndef upgrade(engine_name):\n    globals()['upgrade_' + engine_name]()\n"
            f"def upgrade_{engine}():\n    op.drop_table('t')\n"
        ).encode()

    same = judge([("a", read(source("one")))], [("b", read(source("one")))])
    other = judge([("a", read(source("one")))], [("b", read(source("two")))])
    assert (same.kind, other.kind) == (Compatibility.CONFLICT, Compatibility.INDEPENDENT)


def test_an_index_that_can_never_be_built() -> None:
    body = 'op.create_index("ix", "users", ["age"], postgresql_concurrently=True)'
    found = verdict({"019": body}, {"020": "pass"})
    assert found.kind == Compatibility.INDEPENDENT
    [alone] = found.alone
    assert (alone.act.revision, alone.act.step.line) == ("019", 8)
    assert alone.message == (
        "`019` creates index `ix` on `users` (line 8) with CONCURRENTLY, which PostgreSQL refuses inside a "
        "transaction: put it into `with op.get_context().autocommit_block():`."
    )
    outside = verdict({"019": f"with op.get_context().autocommit_block():\n    {body}"}, {"020": "pass"})
    assert outside.alone == ()


def test_what_meets_many_operations_in_the_same_way_is_told_once() -> None:
    uses = f'{ADD}\n{INDEX}\nop.drop_column("users", "name")'
    [message] = messages({"019": 'op.rename_table("users", "people")'}, {"020": uses})
    assert message == (
        "`019` renames table `users` to `people` (line 8) and `020` adds column `users.x` (line 8): `020` has to run "
        "first, because it needs what `019` renames. The same goes for 2 more operations of `020`."
    )
    [mirrored] = messages({"020": uses}, {"019": 'op.rename_table("users", "people")'})
    assert mirrored.endswith("The same goes for 2 more operations of `020`.")


def test_too_much_to_compare_is_unknown() -> None:
    many = "for n in range(9):\n    pass\n" + "\n".join(f'op.drop_table("t{n}")' for n in range(400))
    found = verdict({"019": many}, {"020": many})
    assert found.kind == Compatibility.UNKNOWN
    assert [each.message for each in found.clashes] == [
        "The two sides hold too many operations to compare them all; look at the tables that both touch."
    ]


def test_a_name_may_hold_braces() -> None:
    said = messages({"019": 'op.create_table("{x}")'}, {"020": 'op.create_unique_constraint("{x}", "users", ["age"])'})
    assert any("because the name `{x}` is taken: tables, indexes" in each for each in said), said


def test_of_two_orders_between_two_operations_that_of_the_index_is_said() -> None:
    index = 'op.drop_index("ix_users_age", "users")'
    table = 'op.create_table("users", sa.Column("age", sa.Integer(), index=True))'
    found = verdict({"019": index}, {"020": table})
    assert (found.kind, found.first) == (Compatibility.ORDER, "left")
