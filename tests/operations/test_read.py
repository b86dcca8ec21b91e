"""What `upgrade()` is read as: every spelling that migrations use, and a plain "unknown" for the rest."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import NoReturn, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.operations import model as o
from onehead.operations.conflicts import phrase
from onehead.operations.model import Named, Operation, Step, Unknown
from onehead.operations.read import read
from onehead.revisions import parsers
from tests.operations.statements import STATEMENTS

USERS = Named("users")


def steps(body: str, *, before: str = "") -> tuple[Step, ...]:
    """Read a migration with this `upgrade()`."""
    head = "from alembic import op\nimport sqlalchemy as sa\nfrom sqlalchemy.dialects import postgresql\n"
    return read(f"{head}{dedent(before)}\ndef upgrade():\n{indent(dedent(body).strip(), '    ')}\n".encode())


def does(body: str, *, before: str = "") -> list[Operation]:
    return [step.does for step in steps(body, before=before)]


def unknown(body: str, *, before: str = "") -> list[str]:
    """Why something is unknown; nothing else may have been found."""
    found = does(body, before=before)
    assert all(isinstance(each, o.Unknown) for each in found), found
    return [each.why for each in found if isinstance(each, o.Unknown)]


def test_a_table_with_all_it_declares() -> None:
    [mood, table] = does(
        """
        op.create_table(
            "users",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("mood", sa.Enum("a", "b", name="mood"), nullable=False, server_default="a"),
            sa.Column("org", sa.Integer, sa.ForeignKey("app.orgs.id", name="fk_org"), index=True),
            sa.Column("at", sa.DateTime(), server_default=sa.text("now()"), unique=True, comment="when"),
            sa.UniqueConstraint("mood", "org", name=op.f("uq_mood")),
            sa.CheckConstraint("length(name) > 1", name="ck"),
            sa.ForeignKeyConstraint(["org"], ["orgs.id"]),
            sa.PrimaryKeyConstraint("id"),
            schema="shop",
        )
        """
    )
    enum = o.Enum(Named("mood"), ("a", "b"))
    users = Named("users", "shop")
    assert mood == o.CreateEnum(Named("mood"), ("a", "b"), lenient=True)
    assert table == o.CreateTable(
        users,
        (
            o.Column("id", o.Type("Integer", "Integer()"), nullable=False, primary_key=True),
            o.Column("mood", o.Type("Enum", "Enum('a', 'b', name='mood')", enum), nullable=False, server_default="a"),
            o.Column("org", o.Type("Integer", "Integer()")),
            o.Column("at", o.Type("DateTime", "DateTime()"), server_default="now()", comment="when"),
        ),
        (
            o.Constraint("foreign key", "fk_org", ("org",), Named("orgs", "app"), ("id",)),
            o.Constraint("unique", None, ("at",)),
            o.Constraint("unique", "uq_mood", ("mood", "org")),
            o.Constraint("check", "ck", words=frozenset({"name", "length()"})),
            o.Constraint("foreign key", None, ("org",), Named("orgs"), ("id",)),
            o.Constraint("primary key", None, ("id",)),
        ),
        (o.Index(None, users, ("org",)),),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('op.drop_table("users", if_exists=True)', o.Drop("table", USERS, lenient=True)),
        (
            'op.rename_table("users", "people", schema="s")',
            o.Rename("table", Named("users", "s"), Named("people", "s")),
        ),
        (
            'op.add_column("users", sa.Column("x", sa.Text))',
            o.AddColumn(USERS, o.Column("x", o.Type("Text", "Text()"))),
        ),
        ('op.drop_column("users", column_name="x")', o.DropColumn(USERS, "x")),
        (
            'op.alter_column("users", "x", existing_type=sa.Text(), nullable=False)',
            o.AlterColumn(USERS, "x", nullable=False, changes=(("nullable", "False"),)),
        ),
        (
            'op.alter_column("users", "x", type_=sa.String(length=9), postgresql_using="y::text")',
            o.AlterColumn(
                USERS,
                "x",
                type=o.Type("String", "String(length=9)"),
                changes=(("type", "String(length=9)"),),
                using=frozenset({"y", "text"}),
            ),
        ),
        ('op.alter_column("users", "x", new_column_name="y")', o.AlterColumn(USERS, "x", "y")),
        (
            'op.alter_column("users", "x", server_default=None, comment="c")',
            o.AlterColumn(USERS, "x", changes=(("server_default", "None"), ("comment", "c"))),
        ),
        (
            'op.create_index(op.f("ix"), "users", ["a", "b"], unique=True, if_not_exists=True)',
            o.CreateIndex(o.Index("ix", USERS, ("a", "b"), unique=True), lenient=True),
        ),
        (
            'op.create_index("ix", "users", [sa.text("lower(a)")], postgresql_where=sa.text("b > 1"))',
            o.CreateIndex(o.Index("ix", USERS, words=frozenset({"a", "b", "lower()"}), partial=True, computed=True)),
        ),
        (
            'op.create_index("ix", "users", ["a"], postgresql_concurrently=True)',
            o.CreateIndex(o.Index("ix", USERS, ("a",), concurrently=True)),
        ),
        ('op.drop_index("ix", table_name="users")', o.DropIndex(Named("ix"), USERS)),
        ('op.drop_index("ix")', o.DropIndex(Named("ix"))),
        (
            'op.create_unique_constraint("uq", "users", ["a"], schema="s")',
            o.CreateConstraint(Named("users", "s"), o.Constraint("unique", "uq", ("a",))),
        ),
        (
            'op.create_check_constraint("ck", "users", sa.column("a") > 1)',
            o.CreateConstraint(USERS, o.Constraint("check", "ck", words=frozenset({"a", "column"}))),
        ),
        (
            'op.create_foreign_key(None, "users", "orgs", ["org"], ["id"], referent_schema="s")',
            o.CreateConstraint(USERS, o.Constraint("foreign key", None, ("org",), Named("orgs", "s"), ("id",))),
        ),
        (
            'op.create_primary_key("pk", "users", ["id"])',
            o.CreateConstraint(USERS, o.Constraint("primary key", "pk", ("id",))),
        ),
        ('op.drop_constraint("fk", "users", type_="foreignkey")', o.DropConstraint(USERS, "fk", "foreign key")),
        ('op.create_table_comment("users", "who")', o.CommentTable(USERS, "who")),
        (
            'sa.Enum("a", name="mood").create(op.get_bind(), checkfirst=False)',
            o.CreateEnum(Named("mood"), ("a",)),
        ),
        ('postgresql.ENUM(name="mood").drop(op.get_bind())', o.Drop("type", Named("mood"), lenient=True)),
        (
            'op.bulk_insert(sa.table("users", sa.column("a")), [{"a": "x"}, {"b": 2}])',
            o.ChangeRows(
                "insert",
                USERS,
                ("a", "b"),
                literals=frozenset({"x"}),
                some=False,
                text="bulk_insert(table('users', column('a')), [{'a': 'x'}, {'b': 2}])",
            ),
        ),
    ],
)
def test_one_operation(written: str, expected: Operation) -> None:
    assert does(written) == [expected]


def test_a_column_and_its_foreign_key() -> None:
    written = 'op.add_column("users", sa.Column("o", sa.Integer(), sa.ForeignKey("orgs.id"), nullable=False))'
    assert does(written) == [
        o.AddColumn(
            USERS,
            o.Column("o", o.Type("Integer", "Integer()"), nullable=False),
            (o.Constraint("foreign key", None, ("o",), Named("orgs"), ("id",)),),
        )
    ]


def test_a_new_column_is_a_key_only_where_the_operation_says_so() -> None:
    written = 'op.add_column("users", sa.Column("n", sa.Integer(), primary_key=True){})'
    column = o.Column("n", o.Type("Integer", "Integer()"), nullable=False, primary_key=True)
    key = o.Constraint("primary key", None, ("n",))

    assert does(written.format("")) == [o.AddColumn(USERS, column)]
    assert does(written.format(", inline_primary_key=True")) == [o.AddColumn(USERS, column, (key,))]
    assert does(written.format(", inline_primary_key=True, inline_references=True, if_not_exists=True")) == [
        o.AddColumn(USERS, column, (key,), lenient=True)
    ]


@pytest.mark.parametrize(
    ("inside", "recreates"),
    [
        ('b.add_column(sa.Column("x", sa.Integer(), server_default="0"))', False),
        ('b.add_column(sa.Column("x", sa.Integer(), server_default=sa.text("1+1")))', True),
        ('b.create_index("ix", ["x"])', False),
        ('b.drop_column("x")', True),
        ('b.alter_column("x", nullable=False)', True),
    ],
)
def test_a_batch_says_whether_sqlite_makes_the_table_anew(inside: str, recreates: bool) -> None:
    batch, inner = steps(f'with op.batch_alter_table("users", schema=None) as b:\n    {inside}')
    assert batch.does == o.Batch(USERS, "auto", recreates)
    assert inner.call.startswith("batch_op.")


def test_a_name_that_a_batch_marks_as_final() -> None:
    """`batch_op.f()`, as autogenerate writes it, is a name and no operation."""
    batch, index, dropped = does(
        """
        with op.batch_alter_table("users") as batch_op:
            batch_op.create_index(batch_op.f("ix_users_a"), ["a"])
            batch_op.drop_constraint(batch_op.f("uq_users"), type_="unique")
        """
    )
    assert batch == o.Batch(USERS, "auto", recreates=True)
    assert index == o.CreateIndex(o.Index("ix_users_a", USERS, ("a",)))
    assert dropped == o.DropConstraint(USERS, "uq_users", "unique")


def test_what_a_batch_is_asked_for_is_no_operation() -> None:
    body = 'with op.batch_alter_table("users") as b:\n    b.get_context()\n    b.get_bind()\n    b.drop_column("a")'
    assert does(body) == [o.Batch(USERS), o.DropColumn(USERS, "a")]


def test_a_batch_from_a_copy() -> None:
    batch, inner = does(
        'with op.batch_alter_table("users", copy_from=old, recreate="always") as b:\n    b.drop_index("ix")',
        before='old = sa.Table("users", sa.MetaData())',
    )
    assert batch == o.Batch(USERS, "always", recreates=True, copy_from=True)
    assert inner == o.DropIndex(Named("ix"), USERS)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'h' AFTER 'g'", [o.AddLabel(Named("mood"), "h", lenient=True)]),
        ("ALTER TYPE s.\"Mood\" ADD VALUE 'it''s'", [o.AddLabel(Named("Mood", "s"), "it's")]),
        ("ALTER TYPE mood RENAME TO old", [o.Rename("type", Named("mood"), Named("old"))]),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", [o.RenameLabel(Named("mood"), "a", "b")]),
        ("CREATE TYPE mood AS ENUM ('a', 'b')", [o.CreateEnum(Named("mood"), ("a", "b"))]),
        (
            "DROP TYPE IF EXISTS mood, old;",
            [o.Drop("type", Named("mood"), lenient=True), o.Drop("type", Named("old"), lenient=True)],
        ),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON Users USING btree (a DESC, lower(b)) WHERE c > 1",
            [
                o.CreateIndex(
                    o.Index(
                        "ix",
                        USERS,
                        ("a",),
                        unique=True,
                        words=frozenset({"b", "c", "lower()"}),
                        partial=True,
                        computed=True,
                        concurrently=True,
                    ),
                    lenient=True,
                )
            ],
        ),
        ("DROP INDEX ix", [o.DropIndex(Named("ix"))]),
        ("DROP TABLE users", [o.Drop("table", USERS)]),
        ("DROP VIEW v", [o.Drop("view", Named("v"))]),
        (
            "UPDATE users u SET a = b + 1, c = 'x' WHERE d IN (1, 2)",
            [
                o.ChangeRows(
                    "update",
                    USERS,
                    ("a", "c"),
                    frozenset({"b", "d"}),
                    frozenset({"x"}),
                    text="UPDATE users u SET a = b + 1, c = 'x' WHERE d IN (1, 2)",
                )
            ],
        ),
        (
            "INSERT INTO users (a) VALUES ('x')",
            [
                o.ChangeRows(
                    "insert",
                    USERS,
                    ("a",),
                    literals=frozenset({"x"}),
                    some=False,
                    text="INSERT INTO users (a) VALUES ('x')",
                )
            ],
        ),
        ("delete from users", [o.ChangeRows("delete", USERS, some=False, text="delete from users")]),
        ("-- nothing\n;", []),
        (
            "ALTER TABLE users ALTER COLUMN m TYPE mood USING m::text::mood",
            [
                o.AlterColumn(
                    USERS,
                    "m",
                    type=o.Type("mood", "mood"),
                    changes=(("type", "mood"),),
                    using=frozenset({"m", "text", "mood"}),
                )
            ],
        ),
    ],
)
def test_plain_sql(written: str, expected: list[Operation]) -> None:
    assert does(f"op.execute({written!r})") == expected
    assert does(f"op.get_bind().execute(sa.text({written!r}))") == expected


def test_a_table_in_sql() -> None:
    text = "CREATE TABLE IF NOT EXISTS t (id serial PRIMARY KEY, o int NOT NULL REFERENCES orgs (id), UNIQUE (o))"
    assert does(f"op.execute({text!r})") == [
        o.CreateTable(
            Named("t"),
            (
                o.Column(
                    "id",
                    o.Type("serial", "serial"),
                    nullable=False,
                    server_default="a number that is counted up",
                    primary_key=True,
                ),
                o.Column("o", o.Type("int", "int"), nullable=False),
            ),
            (
                o.Constraint("foreign key", None, ("o",), Named("orgs"), ("id",)),
                o.Constraint("unique", None, ("o",)),
            ),
            lenient=True,
        )
    ]


def test_views_functions_and_triggers() -> None:
    view, function, trigger, drop = does(
        """
        op.execute("CREATE OR REPLACE VIEW v AS SELECT u.*, count(*) FROM users u")
        op.execute("CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ DELETE FROM users; $$ LANGUAGE sql")
        op.execute("CREATE TRIGGER tr AFTER UPDATE ON users BEGIN UPDATE logs SET n = 1; END; DROP TRIGGER tr ON users")
        """
    )
    assert isinstance(view, o.CreateOther)
    assert (view.kind, view.name, view.replaces, view.frozen, view.words) == (
        *("view", Named("v"), True, True, frozenset({"u", "users", "count()"})),
    )
    assert isinstance(function, o.CreateOther)
    assert (function.kind, function.name, function.words) == (
        "function",
        Named("f"),
        frozenset({"int", "language", "sql", "users"}),
    )
    assert isinstance(trigger, o.CreateOther)
    assert (trigger.kind, trigger.table, "logs" in trigger.words) == ("trigger", USERS, True)
    assert drop == o.Drop("trigger", Named("tr"), table=USERS)


@pytest.mark.parametrize(("text", "reading"), STATEMENTS)
def test_sql_that_everybody_writes(text: str, reading: str) -> None:
    found = does(f"op.execute({text!r})")
    assert "; ".join("unknown" if isinstance(each, Unknown) else phrase(each) for each in found) == reading


def test_what_a_query_is_good_for() -> None:
    """What `op.execute` reads is thrown away; a connection hands it back, so that the migration may act upon it."""
    text = "SELECT * FROM users WHERE age > 1"
    thrown, used = does(f"op.execute({text!r})\nop.get_bind().execute(sa.text({text!r}))")
    assert thrown == o.Query(frozenset({"users", "age"}), star=True)
    assert used == o.Query(frozenset({"users", "age"}), star=True, used=True)
    [number] = does("op.execute(\"SELECT setval('ids', max(id)) FROM users\")")
    assert isinstance(number, o.Query)
    assert (number.used, number.words) == (True, frozenset({"ids", "id", "users", "setval()", "max()"}))


def test_several_actions_of_one_statement() -> None:
    text = (
        "ALTER TABLE users ADD COLUMN IF NOT EXISTS org int NOT NULL DEFAULT (1 + 1) CONSTRAINT fk REFERENCES orgs (id)"
        " ON DELETE CASCADE, DROP COLUMN IF EXISTS a, ADD CONSTRAINT uq UNIQUE (b, c), RENAME CONSTRAINT x TO y"
    )
    added, dropped, unique, renamed = does(f"op.execute({text!r})")
    column = o.Column("org", o.Type("int", "int"), nullable=False, server_default="( 1 + 1 )")
    key = o.Constraint("foreign key", "fk", ("org",), Named("orgs"), ("id",))
    assert added == o.AddColumn(USERS, column, (key,), lenient=True)
    assert dropped == o.DropColumn(USERS, "a", lenient=True)
    assert unique == o.CreateConstraint(USERS, o.Constraint("unique", "uq", ("b", "c")))
    assert renamed == o.Rename("constraint", Named("x"), Named("y"), table=USERS)


def test_what_a_statement_takes_along_is_unknown() -> None:
    dropped, along = does('op.execute("DROP TABLE users CASCADE")')
    assert dropped == o.Drop("table", USERS)
    assert isinstance(along, Unknown)
    assert along.why == "a `CASCADE`, which takes along what nobody names"


def test_the_parts_of_a_with_are_read_and_written_too() -> None:
    text = "WITH gone AS (DELETE FROM a WHERE b = 1 RETURNING c) UPDATE users SET d = e FROM gone"
    deleted, updated = does(f"op.execute({text!r})")
    assert isinstance(deleted, o.ChangeRows)
    assert isinstance(updated, o.ChangeRows)
    assert (deleted.does, deleted.table, deleted.words) == ("delete", Named("a"), frozenset({"b", "c"}))
    assert (updated.does, updated.table, updated.writes) == ("update", USERS, ("d",))
    assert {"a", "b", "e"} <= updated.words


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE users SET a = 'open",
        "ALTER TABLE users",
        "ALTER TABLE users ADD COLUMN",
        "ALTER TABLE users ADD CONSTRAINT x",
        "CREATE TABLE t (",
        "CREATE TABLE t (a int",
        "WITH x AS (SELECT 1)",
        "WITH x",
        "COMMENT ON TABLE users",
        "GRANT",
        "SET",
    ],
)
def test_other_sql_is_unknown(text: str) -> None:
    assert unknown(f"op.execute({text!r})") == ["SQL that is not recognised"]


def test_statements_of_sqlalchemy() -> None:
    update, insert, delete = does(
        """
        op.execute(users.update().where(users.c.age == "old").values(name=users.c.nick))
        op.execute(sa.insert(users).values({"name": "x"}))
        op.execute(users.delete())
        """,
        before='users = sa.table("users", sa.column("name"), sa.column("age"), schema="s")',
    )
    assert isinstance(update, o.ChangeRows)
    assert (update.does, update.table, update.writes, update.some) == ("update", Named("users", "s"), ("name",), True)
    assert {"age", "nick"} <= update.words
    assert "old" in update.literals
    assert isinstance(insert, o.ChangeRows)
    assert (insert.does, insert.writes, insert.some) == ("insert", ("name",), False)
    assert isinstance(delete, o.ChangeRows)
    assert (delete.does, delete.writes, delete.some) == ("delete", None, False)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("op.get_bind().execute(sa.select(users.c.id))", "rows that it reads, and may act on"),
        ("op.execute(make_sql())", "`make_sql`, which is outside this file"),
        ("backfill(op.get_bind())", "`backfill`, which is outside this file"),
        ("Session(bind=op.get_bind())", "the ORM: what is done in a session"),
        ("op.create_view(1)", "`create_view`, which is no operation of Alembic's own"),
        ("op.drop_table(name())", "an operation for which the name of the table is computed"),
        ('op.add_column("t", column())', "an operation for which the column is computed"),
        ('op.add_column("t", sa.Column(n, sa.Text()))', "an operation for which the name of the column is computed"),
        ('exec("op.drop_table(1)")', "`exec`"),
        ("metadata.create_all(op.get_bind())", "`create_all`, which is outside this file"),
    ],
)
def test_what_cannot_be_told(body: str, why: str) -> None:
    before = "from app import backfill, make_sql, name, column, n, metadata, users\nfrom sqlalchemy.orm import Session"
    assert why in unknown(body, before=before)


@pytest.mark.parametrize(
    ("body", "before", "why"),
    [
        ("move_players()", "from app.helpers import *", "`move_players`, which is outside this file"),
        ('list(map(op.drop_table, ["a", "b"]))', "", "an operation that is handed on"),
        ("run(op)", "from app import run", "an operation that is handed on"),
        ('op.get_context().impl.drop_table("a")', "", "a call of something computed"),
        ("op.get_bind().commit()", "", "a call of something computed"),
        ('sa.Sequence("s").create(op.get_bind())', "", "a call of something computed"),
        ('raise NotImplementedError("by hand")', "", "an error that it raises itself"),
        ('op.batch_alter_table("t").__enter__()', "", "a batch that is not opened by `with`"),
    ],
)
def test_ways_around_are_not_taken_for_nothing(body: str, before: str, why: str) -> None:
    assert why in unknown(body, before=before)


def test_what_is_handed_on_is_read_as_repeated() -> None:
    [step] = steps('list(map(lambda name: op.drop_table("a"), sa.inspect(op.get_bind()).get_table_names()))')
    assert (step.does, step.repeated) == (o.Drop("table", Named("a")), True)


def test_short_circuits_are_conditions() -> None:
    found = steps('op.get_bind().dialect.name == "sqlite" and op.drop_table("a")\nop.drop_table("b") if x() else None')
    assert [step.condition for step in found if isinstance(step.does, o.Drop)] == [
        "op.get_bind().dialect.name == 'sqlite'",
        "x()",
    ]


def test_a_dedented_text_is_a_text() -> None:
    body = 'op.execute(textwrap.dedent("""\\\n        DROP TABLE a\n    """))'
    assert does(body, before="import textwrap") == [o.Drop("table", Named("a"))]


def test_what_is_only_looked_at_is_nothing() -> None:
    body = """
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    tables = [t for t in inspector.get_table_names() if t.startswith("x")]
    print(len(tables), bind.dialect.name)
    """
    assert does(body) == []


def test_names_are_followed() -> None:
    body = """
    t = f"{PREFIX}_users"
    for name in ("a", "b"):
        o.add_column(t, db.Column("%s_id" % name, db.Integer()))
    o.drop_index("ix_{}".format(t), t)
    """
    before = "from alembic import op as o\nimport sqlalchemy as db\nPREFIX = 'shop'"
    integer = o.Type("Integer", "Integer()")
    assert does(body, before=before) == [
        o.AddColumn(Named("shop_users"), o.Column("a_id", integer)),
        o.AddColumn(Named("shop_users"), o.Column("b_id", integer)),
        o.DropIndex(Named("ix_shop_users"), Named("shop_users")),
    ]


def test_functions_of_the_file_are_followed() -> None:
    before = """
    from alembic.op import drop_table
    def stamps():
        return [sa.Column("made", sa.DateTime()), sa.Column("changed", sa.DateTime())]
    def drop(name, *, schema="s"):
        drop_table(name, schema=schema)
    def loop():
        loop()
    """
    created, dropped, looped = does('op.create_table("t", *stamps())\ndrop("x")\nloop()', before=before)
    assert isinstance(created, o.CreateTable)
    assert [column.name for column in created.columns] == ["made", "changed"]
    assert created.complete
    assert dropped == o.Drop("table", Named("x", "s"))
    assert looped == o.Unknown("a function that can't be followed", "loop", frozenset({"loop"}))


def test_labels_of_a_class() -> None:
    before = "import enum\nclass Mood(enum.Enum):\n    sad = 1\n    glad = 2\n"
    assert does('sa.Enum(Mood, name="mood").create(op.get_bind())', before=before) == [
        o.CreateEnum(Named("mood"), ("sad", "glad"))
    ]


def test_conditions_loops_and_early_ends() -> None:
    found = steps(
        """
        if op.get_bind().dialect.name == "sqlite":
            op.drop_table("a")
        else:
            op.drop_table("b")
        for t in sa.inspect(op.get_bind()).get_table_names():
            op.drop_table("c")
        try:
            op.drop_table("d")
        except Exception:
            raise
        op.drop_table("e")
        if op.get_bind().dialect.name == "mysql":
            return
        op.drop_table("f")
        """
    )
    assert [
        (str(step.does.name), step.condition, step.repeated) for step in found if isinstance(step.does, o.Drop)
    ] == [
        ("a", "op.get_bind().dialect.name == 'sqlite'", False),
        ("b", "not (op.get_bind().dialect.name == 'sqlite')", False),
        ("c", "a round of the loop", True),
        ("d", "no error before", False),
        ("e", "", False),
        ("f", "not (op.get_bind().dialect.name == 'mysql')", False),
    ]


def test_a_condition_that_is_known_is_no_condition() -> None:
    found = steps('if FLAG:\n    op.drop_table("a")\nelse:\n    op.drop_table("b")', before="FLAG = False")
    assert [(step.does, step.condition) for step in found] == [(o.Drop("table", Named("b")), "")]


def test_outside_the_transaction() -> None:
    found = steps('with op.get_context().autocommit_block():\n    op.drop_table("a")\nop.drop_table("b")')
    assert [step.autocommit for step in found] == [True, False]


@pytest.mark.parametrize(
    "call",
    [
        'globals()["upgrade_%s" % engine_name]()',
        'globals()[f"upgrade_{engine_name}"]()',
        'eval("upgrade_%s" % engine_name)()',
    ],
)
def test_several_databases(call: str) -> None:
    source = f"""
from alembic import op
def upgrade(engine_name):
    {call}
def upgrade_users():
    op.drop_table("a")
def upgrade_logs():
    op.drop_table("a")
"""
    assert [(step.engine, step.line) for step in read(source.encode())] == [("users", 6), ("logs", 8)]


def test_lines_and_calls() -> None:
    found = steps('\n\nop.drop_table("a")\nop.execute(\n    "DROP TABLE b"\n)')
    assert [(step.line, step.call) for step in found] == [(6, "op.drop_table"), (7, "op.execute")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"def upgrade(:", "the file can't be read as Python"),
        (b"revision = '1'", "the file has no function `upgrade`"),
        (b"#" * (9 * 1024 * 1024), "the file is too large to be read"),
        (b"def upgrade():\n x = " + b"(" * 5000 + b")" * 5000, "the file can't be read as Python"),
        (
            b"def upgrade():\n"
            + b"".join(b" " * at + b" for a in (1,2,3,4,5,6,7,8,9):\n" for at in range(9))
            + b" " * 10
            + b"x = a",
            "there is more in this file than is read",
        ),
    ],
)
def test_hostile_files(data: bytes, why: str) -> None:
    [step] = read(data)
    assert isinstance(step.does, o.Unknown)
    assert step.does.why == why


def test_a_file_that_is_nested_too_deeply() -> None:
    """Whether Python's parser gives up on it, or the reading does, is a matter of the version."""
    [step] = read(b"def upgrade():\n x = " + b"-" * 3000 + b"1")
    assert isinstance(step.does, o.Unknown)
    assert step.does.why in ("the file can't be read as Python", "the file is nested too deeply to be read")


def test_strings_do_not_fill_the_memory() -> None:
    body = 'x = "a" * 10\nx = "aaaaaaaa"\n' + "x = x + x\n" * 60 + "op.drop_table(x)"
    assert unknown(body) == ["an operation for which the name of the table is computed"]
    assert unknown('op.drop_table("%999999999s" % "a")') == ["an operation for which the name of the table is computed"]


PIECES = st.sampled_from(
    [
        *(
            "op.",
            "sa.",
            "drop_table",
            "(",
            ")",
            "'x'",
            "\n    ",
            "for x in ",
            ":",
            "with ",
            " as b",
            "batch_alter_table",
            ",",
        ),
        *(
            "return",
            "=",
            "x",
            "op.execute(",
            "'UPDATE t SET a = b'",
            "*",
            "**",
            "{",
            "}",
            "lambda: ",
            "if ",
            "else",
            "[",
            "]",
        ),
        *("f'{x}'", "%", "+", "await ", "globals()", "sa.Column(", "sa.Enum(", ".create", "try:\n     ", "pass\n    "),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_is_written_is_read_without_an_error(body: str) -> None:
    for step in steps(body or "pass"):
        assert isinstance(step.does, get_args(Operation))


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are(data: bytes) -> None:
    assert all(isinstance(step, Step) for step in read(data))


def test_an_expression_of_megabytes_is_not_handed_to_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the parser was called")

    monkeypatch.setattr("ast.parse", refuse)
    [step] = read(b"def upgrade():\n    x = " + b"1+" * 2_500_000 + b"1\n")
    assert step.does == Unknown("the file is too large to be read", "upgrade()")
    assert parsers.python(b"x = " + b"1+" * 2_500_000 + b"1\n") is None
