"""Alembic projects as dictionaries path → text, for repositories made in tests."""

from __future__ import annotations

from collections.abc import Mapping

VERSIONS = "alembic/versions"

ENV_PY = """from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def project(versions: str = VERSIONS) -> dict[str, str]:
    """Configuration and env.py of one environment; its upgrades run when alembic is given `sqlalchemy.url`."""
    folder = versions.rpartition("/")[0]
    return {"alembic.ini": f"[alembic]\nscript_location = {folder}\n", f"{folder}/env.py": ENV_PY}


def revision(
    id_: str, parents: str | tuple[str, ...] | None, table: str = "", versions: str = VERSIONS
) -> dict[str, str]:
    """One revision file in the look of Alembic's own template; it makes a table named after it."""
    name = table or f"t{id_}"
    named = "" if parents is None else parents if isinstance(parents, str) else ", ".join(parents)
    value = f'"{parents}"' if isinstance(parents, str) else repr(parents).replace("'", '"')
    return {
        f"{versions}/{id_}_{name}.py": f'''"""{name}

Revision ID: {id_}
Revises: {named}
Create Date: 2024-01-01 12:00:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = "{id_}"
down_revision: Union[str, Sequence[str], None] = {value}
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table("{name}", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("{name}")
'''
    }


def chain(*pairs: tuple[str, str | tuple[str, ...] | None]) -> dict[str, str]:
    """Several revisions: (id, parents)."""
    files: dict[str, str] = {}
    for id_, parents in pairs:
        files |= revision(id_, parents)
    return files


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """Several dictionaries as one."""
    return {path: text for part in parts for path, text in part.items()}
