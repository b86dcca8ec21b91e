"""Where each target starts: an ordinary input or two, and what once was, or nearly was, a defect."""

from __future__ import annotations

from pathlib import Path

_PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"
_REVISION = b'''"""add games

Revision ID: 018
Revises: 017
Create Date: 2024-01-01 12:00:00.000000

"""
from alembic import op
import sqlalchemy as sa

revision: str = "018"
down_revision = ("017",)
branch_labels = None
depends_on = None


def upgrade() -> None:
    games = op.create_table(
        "games",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False, server_default="x"),
        sa.ForeignKeyConstraint(["id"], ["players.id"], name="fk"),
    )
    for name in ("a", "b"):
        op.create_index(f"ix_{name}", "games", [name], unique=True)
    with op.batch_alter_table("games", schema="app") as batch:
        batch.add_column(sa.Column("kind", sa.Enum("x", "y", name="kind")))
        batch.drop_column("name")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TYPE kind ADD VALUE IF NOT EXISTS 'z'")
    op.bulk_insert(games, [{"id": 1}])
    op.execute(games.update().where(games.c.id == 1).values(name="q"))
'''

CORPUS: dict[str, tuple[bytes, ...]] = {
    "policy": (
        b'targets = ["main", "release/*"]\nstrategy = "auto"\nshared-databases = ["staging"]\nfresh-ids = true\n',
        b'[tool.onehead]\nallowed-heads = { "billing/versions" = 2, "*" = 1 }\ndelivery = "push"\n',
        b"[tool]\nonehead = 3\n",
        b"a" + b".a" * 300 + b" = 1\n",
        b"targets = " + b"[" * 300,
        b"allowed-heads = " + b"9" * 5000,
        b"\xef\xbb\xbfstrategy = 'merge'\r\n",
    ),
    "comments": (
        b"/onehead check\n/onehead doctor 019 020\n",
        b"> /onehead merge\n\n```\n/onehead reparent\n```\n\n/onehead ignore because we must\n",
        b"<!--\n/onehead apply\n-->\n* * *\n- /onehead help\n",
        b"[" * 200 + b"\n/onehead chek\n",
    ),
    "quoting": (
        b"fixes #12, thanks @ann! see https://example.org/x and [[short]] :tada:",
        b"1. `a` | b\n- *c* __d__ <!-- e --> &amp; \\[f\\] $g$",
        b"```mermaid\n\xe2\x80\xae right to left \xed\xa0\x80",
        b"`" * 40 + b"\t\x1b[31m",
    ),
    "markers": (
        b'<!-- onehead:verdict v1 {"repair":3,"state":"problem"} -->\nA collision.',
        b'<!-- onehead:answer v1 {"about":"41","strategy":"merge"} -->',
        b'<!-- onehead:a v1 {"about":["x"]} -->',
        b'<!-- onehead:a v1 {"x":' + b"[" * 80 + b"} -->",
        b'<!-- onehead:a v1 {"x":NaN,"y":1e999,"z":"\\ud800"} -->',
    ),
    "reports": (
        (
            b'{"schema":"onehead.rows/1","repository":"acme/shop","database":"production","environment":"",'
            b'"rows":["018"],"at":"2026-01-01T00:00:00Z"}'
        ),
        b'{"repository":"acme/shop","rows":null}',
        b'{"repository":"\\ud800/x"}',
        b"[" * 5000,
    ),
    "sql": (
        b"CREATE TABLE app.games (id integer PRIMARY KEY, name text DEFAULT 'x' NOT NULL, UNIQUE (name));",
        b"ALTER TABLE games ADD COLUMN kind text, DROP COLUMN name, ALTER COLUMN id TYPE bigint USING id::bigint",
        b"UPDATE games SET name = $$it's$$ WHERE id IN (SELECT id FROM players); -- done\n/* /* nested */ */ COMMIT",
        b"DO $body$ BEGIN EXECUTE 'DROP TABLE x'; END $body$; CREATE INDEX CONCURRENTLY i ON t USING gin (x)",
        b"INSERT INTO t (a, b) VALUES " + b"(" * 500,
    ),
    "hooks": (
        *(path.read_bytes() for path in sorted(_PAYLOADS.glob("*.json"))),
        b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D",
        b'{"number":1e999}',
        b'{"action":"\\ud800"}',
    ),
    "parser": (
        _REVISION,
        b"revision = 'a' 'b'\ndown_revision = (\n    'x',  # first\n    'y',\n)\n",
        b"print 'python 2'\nrevision = 'a'\ndown_revision = None\n",
        b"# -*- coding: latin-1 -*-\nrevision = '\xe9'\r\ndown_revision = ()\r\n",
        b"# -*- coding: latin-1 -*-\nrevision = 'a'\ndown_revision = ()\rx y\n"
        + b"\xe9" * 20
        + b" z\nrevision = 'a'\n",
        b"revision = " + b"-" * 500 + b"1\ndown_revision = None\n",
        b"a = 'x'\n" + b"a = a + a\n" * 60 + b"revision = a\ndown_revision = None\n",
    ),
    "operations": (
        _REVISION,
        b"from alembic import op\ndef upgrade():\n    for x in range(10):\n        op.execute('DROP TABLE t%d' % x)\n",
        b"def upgrade():\n    upgrade()\n",
        b"x = 'a'\n" + b"x = x * 9\n" * 40 + b"def upgrade():\n    op.drop_table(x)\n",
    ),
    "ini": (
        (
            b"[DEFAULT]\nx = 1\n[alembic]\nscript_location = %(here)s/migrations\nversion_locations = a:b\n"
            b"path_separator = :\nfile_template = %%(rev)s_%%(slug)s\n"
        ),
        b"[alembic]\na = %(b)s\nb = %(a)s\n",
        b"[alembic]\na = " + b"%(a)s" * 100 + b"\n",
        b'[tool.alembic]\nscript_location = "%(here)s/migrations"\nversion_locations = ["a", "b"]\n',
    ),
}
