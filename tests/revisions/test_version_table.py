"""The version table that an env.py names, and how wide its column is: read as text, never run."""

from __future__ import annotations

import pytest

from onehead.revisions.model import MAX_ID
from onehead.revisions.version_table import UNBOUNDED, VersionTableNames, version_table_in, width_in


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("context.configure(connection=c)", VersionTableNames()),
        ("context.configure(version_table='migrations')", VersionTableNames("migrations")),
        ("context.configure(version_table=None, version_table_schema='app')", VersionTableNames(None, "app")),
        ("TABLE: str = 'm'\ncontext.configure(version_table=TABLE)", VersionTableNames("m")),
        ("options = {'version_table_schema': 'app'}\ncontext.configure(**options)", VersionTableNames(None, "app")),
        (
            "def offline():\n  configure(version_table='m')\ndef online():\n  configure(version_table='m')",
            VersionTableNames("m"),
        ),
        (
            "context.configure(version_table='a')\ncontext.configure(version_table='b')",
            VersionTableNames(computed=("version_table",)),
        ),
        (
            "context.configure(version_table_schema=settings.schema)",
            VersionTableNames(computed=("version_table_schema",)),
        ),
        ("context.configure(version_table=f'{x}_version')", VersionTableNames(computed=("version_table",))),
        ("print 'version_table'", VersionTableNames(computed=("version_table", "version_table_schema"))),
        ("print 'python 2'", VersionTableNames()),
        ("", VersionTableNames()),
        ("\0", VersionTableNames()),
    ],
)
def test_what_is_said_in_plain_words_is_known(source: str, names: VersionTableNames) -> None:
    assert version_table_in(source.encode()) == names


# How wide a project makes the column for its ids: read as text, never run.


ALTER = 'op.alter_column("alembic_version", "version_num", existing_type=sa.VARCHAR(length=32), {})'


@pytest.mark.parametrize(
    ("source", "width"),
    [
        ('connection.execute(text("CREATE TABLE v (version_num VARCHAR(128) NOT NULL PRIMARY KEY)"))', 128),
        ('op.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE VARCHAR(255)")', 255),
        ("op.execute('ALTER TABLE alembic_version ALTER \"version_num\" SET DATA TYPE character varying (64)')", 64),
        ('op.execute("ALTER TABLE alembic_version MODIFY version_num varchar(100) NOT NULL")', 100),
        ('op.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE text")', UNBOUNDED),
        ('op.execute(f"ALTER TABLE {table} ALTER COLUMN version_num TYPE VARCHAR({width})")', UNBOUNDED),
        ('op.execute("ALTER TABLE v ALTER COLUMN version_num TYPE VARCHAR(%s)" % 64)', UNBOUNDED),
        (ALTER.format("type_=sa.String(length=255)"), 255),
        (ALTER.format("type_=sa.Text()"), UNBOUNDED),
        (ALTER.format("type_=sa.Text"), UNBOUNDED),
        (ALTER.format("type_=sa.String()"), UNBOUNDED),
        (ALTER.format("nullable=False"), MAX_ID),
        ('WIDTH = 99\nColumn("version_num", String(WIDTH), nullable=False)', 99),
        ('Column("version_num", String(settings.width))', UNBOUNDED),
        ("context._version.c.version_num.type = String(128)", 128),
        ("migration._version.c.version_num.type.length = 128", 128),
        ("op.alter_column('v', 'version_num', type_=sa.String(64))\nop.execute('… version_num VARCHAR(50)')", 64),
        ('op.execute(sa.text("UPDATE alembic_version SET version_num = 1"))\nsa.Column("x", sa.String(255))', MAX_ID),
        ('Column("version", String(128))', MAX_ID),
        ("print 'version_num'", MAX_ID),
        ("print 'ALTER TABLE v ALTER version_num TYPE VARCHAR(64)'", 64),
        ("version_num = '\0", MAX_ID),
        ("", MAX_ID),
    ],
)
def test_the_width_of_the_column(source: str, width: int) -> None:
    assert width_in([b"", source.encode()]) == width
