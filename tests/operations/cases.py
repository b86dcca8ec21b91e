"""Pairs of migrations that were run in both orders, and what came of it on PostgreSQL and on SQLite.

Every row of the table in docs/explanation/both-sides.md is here, most of them several times.
"""

from __future__ import annotations

from typing import NamedTuple

USERS = """
op.create_table(
    "users",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(50)),
    sa.Column("age", sa.Integer()),
)
op.execute("INSERT INTO users (id, name, age) VALUES (1, 'a', 7)")
"""
TWO = (
    USERS
    + 'op.create_table("orgs", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("users", sa.Integer()))\n'
)
INDEXED = USERS + 'op.create_index("ix_users_age", "users", ["age"])\n'
UNIQUE = """
op.create_table(
    "users", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("age", sa.Integer()),
    sa.Column("name", sa.Text()), sa.UniqueConstraint("age", name="uq_age"),
)
"""
MOOD = "op.execute(\"CREATE TYPE mood AS ENUM ('a', 'b')\")\n"
MOODY = (
    MOOD
    + 'op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True), '
    + 'sa.Column("m", postgresql.ENUM(name="mood", create_type=False)))\n'
)


def recreated(label: str) -> str:
    """The usual way to change an enum: rename, create, convert, drop."""
    return f"""
        op.execute("ALTER TYPE mood RENAME TO mood_old")
        op.execute("CREATE TYPE mood AS ENUM ('a', 'b', '{label}')")
        op.execute("ALTER TABLE users ALTER COLUMN m TYPE mood USING m::text::mood")
        op.execute("DROP TYPE mood_old")
    """


class Case(NamedTuple):
    """Two migrations and what happens.

    Attributes:
        name: the row of the table.
        setup: what is there at the fork.
        a: the one side.
        b: the other.
        pg: what really happens on PostgreSQL: `conflict`, `a first`, `b first`, `silent`, `independent`; empty:
            it does not exist there.
        sqlite: the same on SQLite.
        pg_says: what the verdict is, where that is not what happens: `unknown` for what depends on values.
        sqlite_says: the same for SQLite.
    """

    name: str
    setup: str
    a: str
    b: str
    pg: str = ""
    sqlite: str = ""
    pg_says: str = ""
    sqlite_says: str = ""


def batch(inside: str, arguments: str = "") -> str:
    """An operation in batch mode."""
    return f'with op.batch_alter_table("users"{arguments}) as b:\n    b.{inside}'


ADD_X = 'op.add_column("users", sa.Column("x", sa.Integer()))'
OUTSIDE = "with op.get_context().autocommit_block():\n    "
NEW_MOOD = 'op.add_column("users", sa.Column("n", postgresql.ENUM(name="mood", create_type=False)))'
TABLE = 'u = sa.table("users", sa.column("name"))\n'
ADD_Y = 'op.add_column("users", sa.Column("y", sa.Integer()))'
DROP_AGE = 'op.drop_column("users", "age")'
RENAME_AGE = 'op.alter_column("users", "age", new_column_name="years")'
RENAME_USERS = 'op.rename_table("users", "people")'
INDEX_AGE = 'op.create_index("ix_age", "users", ["age"])'
NEW = 'op.create_table("news", sa.Column("id", sa.Integer()))'
COPY = (
    ', copy_from=sa.Table("users", sa.MetaData(), sa.Column("id", sa.Integer(), primary_key=True), '
    'sa.Column("name", sa.String(50)), sa.Column("age", sa.Integer()))'
)
KEY = 'op.create_foreign_key("fk", "orgs", "users", ["users"], ["id"])'
BATCH_KEY = 'with op.batch_alter_table("orgs") as b:\n    b.create_foreign_key("fk", "users", ["users"], ["id"])'


def sql(text: str) -> str:
    """A statement as text."""
    return f"op.execute({text!r})"


DUPLICATES = [
    Case("create the same table", "", NEW, NEW, "conflict", "conflict"),
    Case("add the same column", USERS, ADD_X, ADD_X, "conflict", "conflict"),
    Case("create the same index", USERS, INDEX_AGE, INDEX_AGE, "conflict", "conflict"),
    Case("drop the same table", USERS, 'op.drop_table("users")', sql("DROP TABLE users"), "conflict", "conflict"),
    Case("drop the same column", USERS, DROP_AGE, DROP_AGE, "conflict", "conflict"),
    Case(
        "drop the same index",
        INDEXED,
        'op.drop_index("ix_users_age")',
        'op.drop_index("ix_users_age")',
        "conflict",
        "conflict",
    ),
    Case(
        "add the same constraint",
        USERS,
        'op.create_unique_constraint("uq", "users", ["age"])',
        'op.create_check_constraint("uq", "users", "age > 0")',
        "conflict",
    ),
    Case(
        "add the same label",
        MOOD,
        sql("ALTER TYPE mood ADD VALUE 'h'"),
        sql("ALTER TYPE mood ADD VALUE 'h'"),
        "conflict",
    ),
    Case(
        "add the same label, leniently",
        MOOD,
        sql("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'h'"),
        sql("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'h'"),
        "independent",
    ),
    Case("rename the same table", USERS, RENAME_USERS, 'op.rename_table("users", "persons")', "conflict", "conflict"),
    Case(
        "rename the same column",
        USERS,
        RENAME_AGE,
        'op.alter_column("users", "age", new_column_name="old")',
        "conflict",
        "conflict",
    ),
    Case(
        "one is lenient about a missing table",
        USERS,
        'op.drop_table("users")',
        'op.drop_table("users", if_exists=True)',
        "a first",
        "a first",
    ),
    Case(
        "a name is freed and taken",
        USERS,
        RENAME_USERS,
        'op.create_table("users", sa.Column("id", sa.Integer()))',
        "a first",
        "a first",
    ),
]
RENAMED = [
    Case("rename table | add column", USERS, RENAME_USERS, ADD_X, "b first", "b first"),
    Case("rename table | index", USERS, RENAME_USERS, INDEX_AGE, "b first", "b first"),
    Case("rename table | update", USERS, RENAME_USERS, sql("UPDATE users SET age = 1"), "b first", "b first"),
    Case("rename column | index", USERS, RENAME_AGE, INDEX_AGE, "b first", "b first"),
    Case("rename column | update", USERS, RENAME_AGE, sql("UPDATE users SET name = age"), "b first", "b first"),
    Case("rename column | alter it", USERS, RENAME_AGE, 'op.alter_column("users", "age", nullable=False)', "b first"),
    Case(
        "rename column | alter it, in batch mode",
        USERS,
        batch('alter_column("age", new_column_name="years")'),
        batch('alter_column("age", nullable=False)'),
        "b first",
        "b first",
    ),
    Case("drop table | add column", USERS, 'op.drop_table("users")', ADD_X, "b first", "b first"),
    Case(
        "drop table | drop its index",
        INDEXED,
        'op.drop_table("users")',
        'op.drop_index("ix_users_age", "users")',
        "b first",
        "b first",
    ),
    Case("rename table | foreign key to it", TWO, RENAME_USERS, KEY, "b first"),
    Case("rename table | foreign key to it, in batch mode", TWO, RENAME_USERS, BATCH_KEY, "b first", "silent"),
    Case(
        "drop table | foreign key to it",
        TWO,
        'op.drop_table("users")',
        BATCH_KEY,
        "conflict",
        "independent",
        sqlite_says="unknown",
    ),
    Case(
        "drop column | alter it", USERS, DROP_AGE, 'op.alter_column("users", "age", type_=sa.BigInteger())', "b first"
    ),
    Case("drop column | index on it", USERS, DROP_AGE, INDEX_AGE, "b first", "conflict"),
    Case(
        "drop column | view on it",
        USERS,
        DROP_AGE,
        sql("CREATE VIEW v AS SELECT age FROM users"),
        "conflict",
        "conflict",
    ),
    Case(
        "drop table | view on it",
        USERS,
        'op.drop_table("users")',
        sql("CREATE VIEW v AS SELECT age FROM users"),
        "conflict",
        "conflict",
    ),
    Case(
        "rename table | view on it",
        USERS,
        RENAME_USERS,
        sql("CREATE VIEW v AS SELECT age FROM users"),
        "b first",
        "b first",
    ),
    Case(
        "rename column | view on it",
        USERS,
        RENAME_AGE,
        sql("CREATE VIEW v AS SELECT age FROM users"),
        "b first",
        "b first",
    ),
    Case("drop column | drop its constraint", UNIQUE, DROP_AGE, 'op.drop_constraint("uq_age", "users")', "b first"),
    Case(
        "drop column | drop its index",
        INDEXED,
        DROP_AGE,
        'op.drop_index("ix_users_age", "users")',
        "b first",
        "b first",
    ),
    Case(
        "drop column | unique constraint on it",
        USERS,
        DROP_AGE,
        'op.create_unique_constraint("uq", "users", ["age"])',
        "b first",
    ),
    Case(
        "drop type | column of it",
        MOOD + USERS,
        sql("DROP TYPE mood"),
        'op.add_column("users", sa.Column("m", postgresql.ENUM(name="mood", create_type=False)))',
        "conflict",
    ),
]
PROPERTIES = [
    Case(
        "type | type",
        USERS,
        'op.alter_column("users", "name", type_=sa.Text())',
        'op.alter_column("users", "name", type_=sa.String(90))',
        "silent",
    ),
    Case(
        "type | the same type",
        USERS,
        'op.alter_column("users", "name", type_=sa.Text())',
        'op.alter_column("users", "name", type_=sa.Text())',
        "independent",
    ),
    Case(
        "type | type, in batch mode",
        USERS,
        batch('alter_column("name", type_=sa.Text())'),
        batch('alter_column("name", type_=sa.String(90))'),
        "silent",
        "silent",
    ),
    Case(
        "default | default",
        USERS,
        'op.alter_column("users", "age", server_default="1")',
        'op.alter_column("users", "age", server_default="2")',
        "silent",
    ),
    Case(
        "comment | comment",
        USERS,
        'op.alter_column("users", "age", comment="1")',
        'op.alter_column("users", "age", comment="2")',
        "silent",
    ),
    Case(
        "comment of a table | another",
        USERS,
        'op.create_table_comment("users", "1")',
        'op.create_table_comment("users", "2")',
        "silent",
    ),
    Case(
        "type | NOT NULL",
        USERS,
        'op.alter_column("users", "age", type_=sa.BigInteger())',
        'op.alter_column("users", "age", nullable=False)',
        "independent",
    ),
    Case(
        "lenient table | lenient table",
        "",
        'op.create_table("t", sa.Column("a", sa.Integer()), if_not_exists=True)',
        'op.create_table("t", sa.Column("b", sa.Integer()), if_not_exists=True)',
        "silent",
        "silent",
    ),
    Case(
        "lenient table | the same",
        "",
        'op.create_table("t", sa.Column("a", sa.Integer()), if_not_exists=True)',
        'op.create_table("t", sa.Column("a", sa.Integer()), if_not_exists=True)',
        "independent",
        "independent",
    ),
    Case(
        "table | lenient table",
        "",
        NEW,
        'op.create_table("news", sa.Column("b", sa.Integer()), if_not_exists=True)',
        "a first",
        "a first",
    ),
    Case(
        "replaced function | replaced function",
        "",
        sql("CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql"),
        sql("CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ SELECT 2 $$ LANGUAGE sql"),
        "silent",
    ),
    Case(
        "replaced view | replaced view",
        USERS,
        sql("CREATE OR REPLACE VIEW v AS SELECT id FROM users"),
        sql("CREATE OR REPLACE VIEW v AS SELECT id FROM users WHERE id > 1"),
        "silent",
    ),
]
ROWS = [
    Case(
        "backfill | NOT NULL",
        USERS + ADD_X,
        sql("UPDATE users SET x = 1"),
        'op.alter_column("users", "x", nullable=False)',
        "a first",
    ),
    Case(
        "backfill | NOT NULL, in batch mode",
        USERS + ADD_X,
        sql("UPDATE users SET x = 1"),
        batch('alter_column("x", nullable=False)'),
        "a first",
        "a first",
    ),
    Case(
        "a column that is the key | a key",
        sql("CREATE TABLE k (x INTEGER NOT NULL)"),
        'op.add_column("k", sa.Column("id", sa.Integer(), primary_key=True), inline_primary_key=True)',
        'op.create_primary_key("pk", "k", ["x"])',
        "conflict",
    ),
    Case(
        "a column that refers inline | the other table goes",
        TWO,
        'op.add_column("users", sa.Column("o", sa.Integer(), sa.ForeignKey("orgs.id")), inline_references=True)',
        'op.drop_table("orgs")',
        "conflict",
    ),
    Case(
        "new NOT NULL column | insert",
        USERS + sql("DELETE FROM users"),
        'op.add_column("users", sa.Column("x", sa.Integer(), nullable=False))',
        sql("INSERT INTO users (id) VALUES (5)"),
        "conflict",
        "conflict",
    ),
    Case(
        "new NOT NULL column | delete",
        USERS,
        'op.add_column("users", sa.Column("x", sa.Integer(), nullable=False))',
        sql("DELETE FROM users"),
        "b first",
        "b first",
        "unknown",
        "unknown",
    ),
    Case(
        "new NOT NULL column with a default | insert",
        USERS,
        'op.add_column("users", sa.Column("x", sa.Integer(), nullable=False, server_default="3"))',
        sql("INSERT INTO users (id) VALUES (5)"),
        "independent",
        "independent",
    ),
    Case(
        "unique index | insert",
        USERS,
        'op.create_index("uq", "users", ["name"], unique=True)',
        sql("INSERT INTO users (id, name) VALUES (5, 'a')"),
        "conflict",
        "conflict",
        "unknown",
        "unknown",
    ),
    Case(
        "check constraint | update",
        USERS,
        'op.create_check_constraint("ck", "users", "age < 9")',
        sql("UPDATE users SET age = 10"),
        "conflict",
        "",
        "unknown",
    ),
    Case(
        "unique constraint | update of another column",
        USERS,
        'op.create_unique_constraint("uq", "users", ["age"])',
        sql("UPDATE users SET name = 'z'"),
        "independent",
    ),
    Case(
        "a to b | b to c",
        USERS,
        sql("UPDATE users SET name = 'b' WHERE name = 'a'"),
        sql("UPDATE users SET name = 'c' WHERE name = 'b'"),
        "silent",
        "silent",
    ),
    Case(
        "update | update of other columns",
        USERS,
        sql("UPDATE users SET name = 'b'"),
        sql("UPDATE users SET age = id + 1"),
        "independent",
        "independent",
    ),
    Case(
        "insert | update",
        USERS,
        'op.bulk_insert(sa.table("users", sa.column("id")), [{"id": 5}])',
        sql("UPDATE users SET age = 1"),
        "silent",
        "silent",
    ),
    Case(
        "delete | insert", USERS, sql("DELETE FROM users"), sql("INSERT INTO users (id) VALUES (5)"), "silent", "silent"
    ),
    Case(
        "insert | insert",
        USERS,
        sql("INSERT INTO users (id) VALUES (5)"),
        sql("INSERT INTO users (id) VALUES (6)"),
        "independent",
        "independent",
        "unknown",
        "unknown",
    ),
    Case("backfill from a column | drop it", USERS, sql("UPDATE users SET name = age"), DROP_AGE, "a first", "a first"),
    Case(
        "default | insert",
        USERS,
        'op.alter_column("users", "age", server_default="1")',
        sql("INSERT INTO users (id) VALUES (5)"),
        "silent",
    ),
    Case(
        "type | update",
        USERS,
        'op.alter_column("users", "name", type_=sa.Integer(), postgresql_using="length(name)")',
        sql("UPDATE users SET name = 'x'"),
        "b first",
        "",
        "unknown",
    ),
]
VIEWS = [
    Case(
        "view | type of its column",
        USERS,
        sql("CREATE VIEW v AS SELECT age FROM users"),
        'op.alter_column("users", "age", type_=sa.BigInteger())',
        "b first",
    ),
    Case(
        "view | type of another column",
        USERS,
        sql("CREATE VIEW v AS SELECT age FROM users"),
        'op.alter_column("users", "name", type_=sa.Text())',
        "independent",
    ),
    Case(
        "view of everything | new column",
        USERS,
        sql("CREATE VIEW v AS SELECT * FROM users"),
        ADD_X,
        "silent",
        "independent",
    ),
    Case(
        "view of everything | drop column",
        USERS,
        sql("CREATE VIEW v AS SELECT * FROM users"),
        DROP_AGE,
        "b first",
        "independent",
    ),
    Case(
        "view of everything | rename column",
        USERS,
        sql("CREATE VIEW v AS SELECT * FROM users"),
        RENAME_AGE,
        "silent",
        "independent",
    ),
]
ENUMS = [
    Case(
        "label | another label",
        MOOD,
        sql("ALTER TYPE mood ADD VALUE 'g'"),
        sql("ALTER TYPE mood ADD VALUE 'h'"),
        "silent",
    ),
    Case(
        "label | use of it",
        MOODY,
        sql("ALTER TYPE mood ADD VALUE 'h'"),
        sql("INSERT INTO users (id, m) VALUES (5, 'h')"),
        "conflict",
    ),
    Case("recreated | recreated", MOODY, recreated("g"), recreated("h"), "silent"),
    Case("recreated | label", MOODY, recreated("g"), sql("ALTER TYPE mood ADD VALUE 'h'"), "silent"),
    Case(
        "recreated | column of it",
        MOODY,
        recreated("g"),
        NEW_MOOD,
        "a first",
    ),
    Case(
        "enum of a table | other labels",
        "",
        'op.create_table("t", sa.Column("m", sa.Enum("a", "b", name="e")))',
        'op.create_table("u", sa.Column("m", sa.Enum("c", "d", name="e")))',
        "silent",
    ),
    Case(
        "enum of a table | the same labels",
        "",
        'op.create_table("t", sa.Column("m", sa.Enum("a", "b", name="e")))',
        'op.create_table("u", sa.Column("m", sa.Enum("a", "b", name="e")))',
        "independent",
    ),
    Case(
        "enum by itself | other labels",
        "",
        'sa.Enum("a", name="e").create(op.get_bind())',
        'sa.Enum("b", name="e").create(op.get_bind())',
        "conflict",
    ),
]
ENUMS += [
    Case(
        "enum by itself, if it is not there | other labels",
        "",
        'postgresql.ENUM("a", name="e").create(op.get_bind())',
        'postgresql.ENUM("b", name="e").create(op.get_bind())',
        "silent",
    ),
    Case(
        "label outside the transaction | use of it",
        MOODY,
        OUTSIDE + sql("ALTER TYPE mood ADD VALUE 'h'"),
        sql("INSERT INTO users (id, m) VALUES (5, 'h')"),
        "a first",
    ),
    Case(
        "label | default of a new column",
        MOODY,
        sql("ALTER TYPE mood ADD VALUE 'h'"),
        NEW_MOOD.replace("))", "), server_default='h')"),
        "conflict",
    ),
]
ROWS += [
    Case("foreign key | update of another column", TWO, KEY, sql("UPDATE users SET name = 'z'"), "independent"),
    Case(
        "table | rows for it",
        USERS,
        ADD_X,
        "t = " + NEW + '\nop.bulk_insert(t, [{"id": 1}])',
        "independent",
        "independent",
    ),
    Case("foreign key | delete", TWO, KEY, sql("DELETE FROM users"), "independent", "", "unknown"),
    Case(
        "trigger | update",
        TWO,
        sql("CREATE TRIGGER tr AFTER UPDATE ON users BEGIN UPDATE orgs SET id = 1; END"),
        sql("UPDATE users SET age = 1"),
        "",
        "independent",
        "",
        "unknown",
    ),
    Case(
        "statements of SQLAlchemy",
        USERS,
        TABLE + 'op.execute(u.update().values(name="b"))',
        TABLE + 'op.execute(sa.update(u).values(name="c"))',
        "silent",
        "silent",
    ),
]
BATCHES = [
    Case(
        "batch | batch",
        USERS,
        batch('alter_column("name", type_=sa.Text())'),
        batch('alter_column("age", nullable=True, type_=sa.BigInteger())'),
        "independent",
        "independent",
    ),
    Case(
        "batch | new column", USERS, batch('alter_column("name", type_=sa.Text())'), ADD_X, "independent", "independent"
    ),
    Case(
        "batch of a copy | new column",
        USERS,
        batch('alter_column("name", type_=sa.Text())', COPY),
        ADD_X,
        "independent",
        "silent",
    ),
    Case(
        "batch of a copy | new index",
        USERS,
        batch('alter_column("name", type_=sa.Text())', COPY),
        INDEX_AGE,
        "independent",
        "silent",
    ),
    Case(
        "batch of a copy | drop column",
        USERS,
        batch('alter_column("name", type_=sa.Text())', COPY),
        DROP_AGE,
        "independent",
        "a first",
        "",
        "unknown",
    ),
    Case(
        "batch | trigger",
        TWO,
        batch('alter_column("name", type_=sa.Text())'),
        sql("CREATE TRIGGER tr AFTER UPDATE ON users BEGIN UPDATE orgs SET id = 1; END"),
        "",
        "silent",
    ),
    Case(
        "batch | partial index",
        USERS,
        batch('alter_column("name", type_=sa.Text())'),
        sql("CREATE INDEX ix ON users (age) WHERE age > 1"),
        "independent",
        "independent",
        sqlite_says="unknown",
    ),
    Case(
        "batch | expression index",
        USERS,
        batch('alter_column("name", type_=sa.Text())'),
        'op.create_index("ix", "users", [sa.text("lower(name)")])',
        "independent",
        "silent",
    ),
    Case(
        "batch | view",
        USERS,
        batch('alter_column("name", type_=sa.Text())'),
        sql("CREATE VIEW v AS SELECT age FROM users"),
        "independent",
        "a first",
    ),
    Case(
        "batch drop | batch alter",
        USERS,
        batch('drop_column("age")'),
        batch('alter_column("age", type_=sa.BigInteger())'),
        "b first",
        "b first",
    ),
    Case("batch drop | index", USERS, batch('drop_column("age")'), INDEX_AGE, "b first", "conflict"),
    Case(
        "batch add the same column",
        USERS,
        batch('add_column(sa.Column("x", sa.Integer()))'),
        ADD_X,
        "conflict",
        "conflict",
    ),
]
NO_AGE = 'op.execute("UPDATE users SET age = NULL")\n'
PAIR = (
    USERS
    + 'op.create_table("teams", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("code", sa.Integer()), '
    + 'sa.Column("boss", sa.Integer()), sa.UniqueConstraint("code", name="uq_code"))\n'
    + NO_AGE
)


def table(name: str, *inside: str) -> str:
    """A new table with one column and what else stands in it."""
    return f'op.create_table("{name}", sa.Column("id", sa.Integer()), {", ".join(inside)})'


UNIQUE_AGE = 'op.create_unique_constraint("shared", "users", ["age"])'
CODE_KEY = 'op.create_foreign_key("fk", "users", "teams", ["age"], ["code"])'
TOUCH = sql("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
DROP_TOUCH = sql("DROP FUNCTION touch()")
ONE = sql("CREATE FUNCTION one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'")
DROP_ONE = sql("DROP FUNCTION one()")
TRIGGER = sql("CREATE TRIGGER tr BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()")
SHOP = sql("CREATE SCHEMA shop")
DROP_SHOP = sql("DROP SCHEMA shop")
NUMBERS = sql("CREATE SEQUENCE numbers")
NEW_MOOD_TYPE = sql("CREATE TYPE shared AS ENUM ('a')")
NAMES = [
    Case("unique | unique", PAIR, UNIQUE_AGE, 'op.create_unique_constraint("shared", "teams", ["boss"])', "conflict"),
    Case("unique | index", PAIR, UNIQUE_AGE, 'op.create_index("shared", "teams", ["boss"])', "conflict"),
    Case("unique | table", PAIR, UNIQUE_AGE, table("shared"), "conflict"),
    Case("unique | view", PAIR, UNIQUE_AGE, sql("CREATE VIEW shared AS SELECT id FROM teams"), "conflict"),
    Case("unique | sequence", PAIR, UNIQUE_AGE, sql("CREATE SEQUENCE shared"), "conflict"),
    Case("unique | renamed table", PAIR, UNIQUE_AGE, 'op.rename_table("teams", "shared")', "conflict"),
    Case(
        "unique in a new table | in another",
        "",
        table("a", 'sa.UniqueConstraint("id", name="shared")'),
        table("b", 'sa.UniqueConstraint("id", name="shared")'),
        "conflict",
        "independent",
    ),
    Case(
        "primary key | primary key",
        "",
        table("a", 'sa.PrimaryKeyConstraint("id", name="shared")'),
        table("b", 'sa.PrimaryKeyConstraint("id", name="shared")'),
        "conflict",
        "independent",
    ),
    Case(
        "exclusion | index",
        PAIR,
        "op.create_exclude_constraint('shared', 'users', ('age', '='), using='btree')",
        'op.create_index("shared", "teams", ["boss"])',
        "conflict",
    ),
    Case(
        "check | check of another table",
        PAIR,
        'op.create_check_constraint("shared", "users", "age > 0")',
        'op.create_check_constraint("shared", "teams", "code > 0")',
        "independent",
    ),
    Case(
        "key | key of another table",
        PAIR,
        'op.create_foreign_key("shared", "users", "teams", ["age"], ["id"])',
        'op.create_foreign_key("shared", "teams", "users", ["boss"], ["id"])',
        "independent",
    ),
    Case(
        "name of a key that the database chooses",
        PAIR,
        'op.create_unique_constraint(None, "users", ["age"])',
        'op.create_index("users_age_key", "teams", ["boss"])',
        "b first",
    ),
    Case(
        "drop unique | index of that name",
        PAIR,
        'op.drop_constraint("uq_code", "teams", type_="unique")',
        'op.create_index("uq_code", "users", ["age"])',
        "a first",
    ),
    Case(
        "index | table", USERS, 'op.create_index("shared", "users", ["age"])', table("shared"), "conflict", "conflict"
    ),
    Case("table | type", "", table("shared"), NEW_MOOD_TYPE, "conflict"),
    Case(
        "table | enum of a column",
        "",
        table("shared"),
        table("t", 'sa.Column("e", sa.Enum("a", name="shared"))'),
        "conflict",
        "independent",
    ),
    Case("view | type", USERS, sql("CREATE VIEW shared AS SELECT id FROM users"), NEW_MOOD_TYPE, "conflict"),
    Case("renamed table | type", USERS, 'op.rename_table("users", "shared")', NEW_MOOD_TYPE, "conflict"),
    Case(
        "drop table | type of that name",
        USERS,
        'op.drop_table("users")',
        sql("CREATE TYPE users AS ENUM ('a')"),
        "a first",
    ),
    Case("index | type", USERS, 'op.create_index("shared", "users", ["age"])', NEW_MOOD_TYPE, "independent"),
    Case("sequence | type", USERS, sql("CREATE SEQUENCE shared"), NEW_MOOD_TYPE, "a first"),
]
NEEDS = [
    Case(
        "drop unique | key on it",
        PAIR,
        'op.drop_constraint("uq_code", "teams", type_="unique")',
        CODE_KEY,
        "conflict",
        pg_says="unknown",
    ),
    Case(
        "drop unique | key on it in a new table",
        PAIR,
        'op.drop_constraint("uq_code", "teams")',
        table("t", 'sa.Column("c", sa.Integer(), sa.ForeignKey("teams.code"))'),
        "conflict",
        pg_says="unknown",
    ),
    Case(
        "drop unique | key on another",
        PAIR,
        'op.drop_constraint("uq_code", "teams", type_="unique")',
        'op.create_foreign_key("fk", "users", "teams", ["age"], ["id"])',
        "independent",
        pg_says="unknown",
    ),
    Case(
        "drop unique index | key on it",
        PAIR + 'op.create_index("ux", "teams", ["boss"], unique=True)',
        'op.drop_index("ux")',
        'op.create_foreign_key("fk", "users", "teams", ["age"], ["boss"])',
        "conflict",
        pg_says="unknown",
    ),
    Case(
        "drop unique | ON CONFLICT",
        PAIR,
        'op.drop_constraint("uq_code", "teams", type_="unique")',
        sql("INSERT INTO teams (id, code) VALUES (7, 7) ON CONFLICT (code) DO NOTHING"),
        "b first",
        pg_says="unknown",
    ),
    Case("drop function | trigger", USERS + TOUCH, DROP_TOUCH, TRIGGER, "conflict"),
    Case("drop function | view", USERS + ONE, DROP_ONE, sql("CREATE VIEW v AS SELECT one() AS x"), "conflict"),
    Case(
        "drop function | default",
        USERS + ONE,
        DROP_ONE,
        'op.add_column("users", sa.Column("x", sa.Integer(), server_default=sa.text("one()")))',
        "conflict",
    ),
    Case(
        "drop function | check",
        USERS + ONE,
        DROP_ONE,
        'op.create_check_constraint("ck", "users", "age > one()")',
        "conflict",
    ),
    Case("drop function | index", USERS + ONE, DROP_ONE, sql("CREATE INDEX ix ON users ((age + one()))"), "conflict"),
    Case("drop function | rows", USERS + ONE, DROP_ONE, sql("UPDATE users SET age = one()"), "b first"),
    Case("function | function", "", ONE, ONE, "conflict"),
    Case(
        "function in SQL | drop table",
        TWO,
        'op.drop_table("orgs")',
        sql("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orgs'"),
        "b first",
    ),
    Case(
        "function with a type | drop type",
        MOOD,
        sql("DROP TYPE mood"),
        sql("CREATE FUNCTION f(m mood) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        "conflict",
        pg_says="b first",
    ),
    Case("trigger | trigger", USERS + TOUCH, TRIGGER, TRIGGER, "conflict"),
    Case("trigger | trigger of another table", TWO + TOUCH, TRIGGER, TRIGGER.replace("users", "orgs"), "independent"),
    Case(
        "trigger | trigger of another table, on SQLite",
        TWO,
        sql("CREATE TRIGGER tr AFTER UPDATE ON users BEGIN SELECT 1; END"),
        sql("CREATE TRIGGER tr AFTER UPDATE ON orgs BEGIN SELECT 1; END"),
        "",
        "conflict",
    ),
    Case("drop table | trigger", USERS + TOUCH, 'op.drop_table("users")', TRIGGER, "b first"),
    Case(
        "drop column | trigger of it",
        USERS + TOUCH,
        DROP_AGE,
        sql("CREATE TRIGGER tr BEFORE UPDATE OF age ON users FOR EACH ROW EXECUTE FUNCTION touch()"),
        "conflict",
    ),
    Case(
        "drop schema | table in it",
        SHOP,
        DROP_SHOP,
        'op.create_table("t", sa.Column("id", sa.Integer()), schema="shop")',
        "conflict",
    ),
    Case(
        "drop schema | view in it",
        USERS + SHOP,
        DROP_SHOP,
        sql("CREATE VIEW shop.v AS SELECT id FROM users"),
        "conflict",
    ),
    Case("drop schema | function in it", SHOP, DROP_SHOP, ONE.replace("one()", "shop.one()"), "conflict"),
    Case("drop schema | type in it", SHOP, DROP_SHOP, sql("CREATE TYPE shop.mood AS ENUM ('a')"), "conflict"),
    Case(
        "schema | table in it",
        "",
        SHOP,
        'op.create_table("t", sa.Column("id", sa.Integer()), schema="shop")',
        "a first",
    ),
    Case("schema | schema", "", SHOP, SHOP, "conflict"),
    Case(
        "drop table of a schema | view on it",
        SHOP + "\n" + sql("CREATE TABLE shop.t (id int)"),
        'op.drop_table("t", schema="shop")',
        sql("CREATE VIEW v AS SELECT id FROM shop.t"),
        "conflict",
    ),
    Case(
        "drop sequence | default",
        USERS + NUMBERS,
        sql("DROP SEQUENCE numbers"),
        'op.add_column("users", sa.Column("x", sa.Integer(), server_default=sa.text("nextval(\'numbers\')")))',
        "conflict",
    ),
    Case(
        "drop sequence | rows",
        USERS + NUMBERS,
        sql("DROP SEQUENCE numbers"),
        sql("UPDATE users SET age = nextval('numbers')"),
        "b first",
    ),
    Case(
        "drop type | column as text",
        MOOD + USERS,
        sql("DROP TYPE mood"),
        sql("ALTER TABLE users ALTER COLUMN name TYPE mood USING 'a'"),
        "conflict",
    ),
    Case(
        "drop type | a cast in rows",
        MOOD + USERS,
        sql("DROP TYPE mood"),
        sql("UPDATE users SET name = 'a'::mood"),
        "b first",
    ),
    Case(
        "drop extension | anything",
        USERS + sql("CREATE EXTENSION IF NOT EXISTS plpgsql"),
        sql("DROP EXTENSION IF EXISTS hstore"),
        ADD_X,
        "independent",
        pg_says="unknown",
    ),
]
VIEW = sql("CREATE VIEW v AS SELECT age FROM users")
AS_TEXT = [
    Case("drop a view | drop its column", USERS + VIEW, sql("DROP VIEW v"), DROP_AGE, "a first", pg_says="unknown"),
    Case(
        "drop a trigger | drop its function",
        USERS + TOUCH + "\n" + TRIGGER,
        sql("DROP TRIGGER tr ON users"),
        DROP_TOUCH,
        "a first",
        pg_says="unknown",
    ),
    Case(
        "drop a foreign key | drop its key",
        PAIR + CODE_KEY,
        'op.drop_constraint("fk", "users", type_="foreignkey")',
        'op.drop_constraint("uq_code", "teams")',
        "a first",
        pg_says="unknown",
    ),
    Case(
        "drop function | rows of SQLAlchemy",
        USERS + ONE,
        DROP_ONE,
        'op.execute(sa.table("users", sa.column("age")).update().values(age=sa.func.one()))',
        "b first",
    ),
    Case(
        "drop function | computed column",
        USERS + ONE,
        DROP_ONE,
        'op.add_column("users", sa.Column("x", sa.Integer(), sa.Computed("one() + 1")))',
        "conflict",
    ),
    Case(
        "drop type | array of it",
        MOOD + USERS,
        sql("DROP TYPE mood"),
        'op.add_column("users", sa.Column("x", sa.ARRAY(postgresql.ENUM("a", name="mood", create_type=False))))',
        "conflict",
    ),
    Case(
        "sequence of a primary key | sequence",
        "",
        'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True))',
        sql("CREATE SEQUENCE t_id_seq"),
        "b first",
    ),
    Case("rights on a schema | drop it", SHOP, DROP_SHOP, sql("GRANT USAGE ON SCHEMA shop TO PUBLIC"), "b first"),
    Case("comment on a function | drop it", ONE, DROP_ONE, sql("COMMENT ON FUNCTION one() IS 'x'"), "b first"),
    Case("rows into a new table | drop", TWO, sql("SELECT id INTO t FROM users"), 'op.drop_table("users")', "a first"),
    Case(
        "merge | other rows",
        TWO + sql("INSERT INTO orgs (id) VALUES (3)"),
        sql("MERGE INTO users u USING orgs o ON u.id = o.id WHEN NOT MATCHED THEN INSERT (id) VALUES (5)"),
        sql("UPDATE users SET age = 3"),
        "silent",
    ),
    Case("add column as text", USERS, sql("ALTER TABLE users ADD COLUMN x int, ADD COLUMN y int"), ADD_X, "conflict"),
    Case(
        "rename an index | drop it",
        INDEXED,
        sql("ALTER INDEX ix_users_age RENAME TO ix"),
        'op.drop_index("ix_users_age")',
        "conflict",
    ),
    Case(
        "rename a constraint | drop it",
        PAIR,
        sql("ALTER TABLE teams RENAME CONSTRAINT uq_code TO uq"),
        'op.drop_constraint("uq_code", "teams")',
        "conflict",
    ),
    Case(
        "rename a constraint | index of that name",
        PAIR,
        sql("ALTER TABLE teams RENAME CONSTRAINT uq_code TO uq"),
        'op.create_index("uq", "users", ["age"])',
        "conflict",
    ),
    Case(
        "rename an index | table of that name",
        INDEXED,
        sql("ALTER INDEX ix_users_age RENAME TO shared"),
        table("shared"),
        "conflict",
    ),
    Case(
        "rename a view | view of that name",
        USERS + sql("CREATE VIEW v AS SELECT id FROM users"),
        sql("ALTER VIEW v RENAME TO w"),
        sql("CREATE VIEW w AS SELECT 1 AS x"),
        "conflict",
    ),
    Case("rights | drop table", USERS, 'op.drop_table("users")', sql("GRANT SELECT ON users TO PUBLIC"), "b first"),
    Case(
        "comment on a constraint | drop it",
        PAIR,
        'op.drop_constraint("uq_code", "teams")',
        sql("COMMENT ON CONSTRAINT uq_code ON teams IS 'x'"),
        "b first",
    ),
    Case(
        "validate | drop constraint",
        PAIR,
        'op.drop_constraint("uq_code", "teams", type_="check")',
        sql("ALTER TABLE teams VALIDATE CONSTRAINT uq_code"),
        "conflict",
        pg_says="b first",
    ),
    Case(
        "owner of a table | rename it", USERS, RENAME_USERS, sql("ALTER TABLE users OWNER TO CURRENT_USER"), "b first"
    ),
    Case("truncate | key to it", TWO, sql("TRUNCATE users"), KEY, "a first"),
    Case("truncate | rows", TWO, sql("TRUNCATE users"), sql("INSERT INTO users (id) VALUES (9)"), "silent"),
    Case(
        "table from a query | drop column",
        TWO,
        sql("CREATE TABLE t AS SELECT age FROM users"),
        DROP_AGE,
        "a first",
        "a first",
    ),
    Case(
        "table from a query | rows",
        TWO,
        sql("CREATE TABLE t AS SELECT id, age FROM users"),
        sql("UPDATE users SET age = 9"),
        "silent",
        "silent",
        "unknown",
        "unknown",
    ),
    Case(
        "table from a query | new column",
        TWO,
        sql("CREATE TABLE t AS SELECT * FROM users"),
        ADD_X,
        "silent",
        "silent",
        "unknown",
        "unknown",
    ),
    Case(
        "table like another | new column", TWO, sql("CREATE TABLE t (LIKE users)"), ADD_X, "silent", pg_says="unknown"
    ),
    Case("query | drop table", TWO, sql("SELECT count(*) FROM users"), 'op.drop_table("users")', "a first", "a first"),
    Case(
        "sequence from rows | rows",
        USERS,
        sql("SELECT setval('users_id_seq', (SELECT max(id) FROM users))"),
        sql("INSERT INTO users (id) VALUES (90)"),
        "independent",
        pg_says="unknown",
    ),
    Case(
        "WITH that deletes | update",
        TWO,
        sql("WITH d AS (DELETE FROM users RETURNING id) INSERT INTO orgs (id) SELECT id FROM d"),
        sql("UPDATE users SET age = 1"),
        "independent",
        pg_says="silent",
    ),
    Case(
        "WITH that reads | drop column",
        TWO,
        sql("WITH d AS (SELECT age FROM users) UPDATE orgs SET users = d.age FROM d"),
        DROP_AGE,
        "a first",
    ),
    Case(
        "rows of all columns | new column",
        TWO,
        sql("INSERT INTO orgs SELECT id, age FROM users"),
        'op.add_column("orgs", sa.Column("z", sa.Integer()))',
        "independent",
        "a first",
        "unknown",
        "unknown",
    ),
    Case(
        "kept view | rows",
        USERS,
        sql("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM users"),
        sql("DELETE FROM users"),
        "independent",
        pg_says="silent",
    ),
    Case("settings", USERS, sql("SET LOCAL lock_timeout = '5s'"), ADD_X, "independent"),
    Case("storage | new column", USERS, sql("ALTER TABLE users SET (fillfactor = 70)"), ADD_X, "independent"),
    Case(
        "statistics | other column",
        USERS,
        sql("ALTER TABLE users ALTER COLUMN age SET STATISTICS 10"),
        sql("ANALYZE users"),
        "independent",
    ),
    Case(
        "a key that is not validated | other table",
        TWO,
        sql("ALTER TABLE orgs ADD CONSTRAINT fk FOREIGN KEY (users) REFERENCES users (id) NOT VALID"),
        ADD_X,
        "independent",
    ),
    Case(
        "comment | comment as text",
        USERS,
        sql("COMMENT ON COLUMN users.age IS 'a'"),
        sql("COMMENT ON COLUMN users.age IS 'b'"),
        "silent",
    ),
    Case(
        "type in another schema | column of it",
        MOOD + SHOP + "\n" + USERS,
        sql("ALTER TYPE mood SET SCHEMA shop"),
        sql("ALTER TABLE users ADD COLUMN m mood"),
        "b first",
    ),
    Case(
        "table in another schema | column of it",
        SHOP + "\n" + USERS,
        sql("ALTER TABLE users SET SCHEMA shop"),
        ADD_X,
        "b first",
    ),
]
FREE = [
    Case("other tables", USERS, NEW, ADD_X, "independent", "independent"),
    Case("two columns", USERS, ADD_X, ADD_Y, "independent", "independent"),
    Case(
        "two tables with a key to a third",
        USERS,
        'op.create_table("t", sa.Column("u", sa.Integer(), sa.ForeignKey("users.id")))',
        'op.create_table("v", sa.Column("u", sa.Integer(), sa.ForeignKey("users.id")))',
        "independent",
        "independent",
    ),
    Case("index | other column", USERS, INDEX_AGE, ADD_X, "independent", "independent"),
    Case(
        "drop column | other column",
        USERS,
        DROP_AGE,
        'op.create_index("ix", "users", ["name"])',
        "independent",
        "independent",
    ),
    Case(
        "nothing | anything", USERS, "pass", "op.get_bind().exec_driver_sql('SELECT 1')", "independent", "independent"
    ),
    Case(
        "a temporary table on both",
        "",
        NEW + '\nop.drop_table("news")',
        NEW + '\nop.drop_table("news")',
        "independent",
        "independent",
    ),
    Case(
        "SQL that is not recognised",
        USERS,
        ADD_X,
        sql("UPDATE users SET age = age FROM (SELECT 1) q; SET LOCAL search_path TO public"),
        "independent",
        "",
        "unknown",
    ),
    Case(
        "a loop over the database",
        USERS,
        ADD_X,
        "for t in sa.inspect(op.get_bind()).get_table_names():\n    op.add_column(t, sa.Column('x', sa.Integer()))",
        "conflict",
        "conflict",
        "unknown",
        "unknown",
    ),
    Case(
        "a condition",
        USERS,
        ADD_X,
        "c = sa.inspect(op.get_bind()).get_columns('users')\nif 'x' not in [each['name'] for each in c]:\n    " + ADD_X,
        "a first",
        "a first",
        "unknown",
        "unknown",
    ),
]

CASES = [*DUPLICATES, *RENAMED, *PROPERTIES, *ROWS, *VIEWS, *ENUMS, *BATCHES, *NAMES, *NEEDS, *AS_TEXT, *FREE]
