"""A chain as real files whose migrations only write down that they ran."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from onehead.revisions.graph import Graph
from tests.migrations import ENV_PY
from tests.real_alembic import Deployment

REVISION = """
from alembic import op

revision = {id!r}
down_revision = {parents!r}
depends_on = {needs!r}


def upgrade():
    op.execute("INSERT INTO ran (id) VALUES ('{id}')")
"""


def recording(graph: Graph, folder: Path, database: Path) -> Deployment:
    """Write the chain below a folder, beside an SQLite database with an empty table `ran`."""
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
    (folder / "alembic" / "env.py").write_text(ENV_PY)
    for revision in graph:
        text = REVISION.format(id=revision.id, parents=revision.parents or None, needs=revision.depends_on or None)
        (folder / "alembic" / revision.path).write_text(text)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE ran (id TEXT)")
    return Deployment(folder, f"sqlite:///{database}")
