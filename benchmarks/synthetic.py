"""A repository as large as wanted: one chain in the look of Alembic's default template, and two ways to fork it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

_INI = """[alembic]
script_location = %(here)s/alembic
prepend_sys_path = .
path_separator = os
sqlalchemy.url = sqlite:///app.db
"""

_ENV = """from alembic import context

config = context.config
target_metadata = None
"""

_REVISION = '''"""{message}

Revision ID: {id}
Revises: {parent}
Create Date: 2024-{month:02}-{day:02} 10:24:31.604817

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '{id}'
down_revision: Union[str, Sequence[str], None] = {quoted}
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        'orders_{number}',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('customer_id', sa.Integer(), nullable=False),
        sa.Column('state', sa.String(length=32), server_default='new', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index(op.f('ix_orders_{number}_customer_id'), 'orders_{number}', ['customer_id'], unique=False)


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index(op.f('ix_orders_{number}_customer_id'), table_name='orders_{number}')
    op.drop_table('orders_{number}')
'''

# As a person's own settings must not change what is measured.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON", "ONEHEAD_"))},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def make_repository(place: Path, revisions: int) -> tuple[Path, Path]:
    """Write `place/bare.git` and a checkout of its branch `forked`.

    Branches: `main` (a straight chain of so many revisions), `forked` (the same with its last revision moved beside
    the one before, so two heads) and `rival` (parted from `main` one revision earlier, with one of its own).

    Returns:
        The bare repository and the checkout.
    """
    bare, checkout = place / "bare.git", place / "checkout"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git("-C", str(bare), "fast-import", "--quiet", data=b"".join(_stream(revisions)))
    _git("clone", "--quiet", "--branch", "forked", str(bare), str(checkout))
    return bare, checkout


def make_pushes(place: Path, revisions: int, files: int) -> Path:
    """Write `place/pushes.git`: `main` with so many revisions and other files, and what may be pushed to it.

    Each `pushed/NAME` is one commit on top of `main`: `docs`, `code`, `dependencies`, `grown` (a revision more) and
    `rival` (a second head).

    Returns:
        The bare repository.
    """
    bare = place / "pushes.git"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git("-C", str(bare), "fast-import", "--quiet", data=b"".join(_pushes(revisions, files)))
    return bare


def _pushes(revisions: int, files: int) -> Iterator[bytes]:
    yield _commit("main", 1)
    yield _file("alembic.ini", _INI)
    yield _file("alembic/env.py", _ENV)
    yield _file("pyproject.toml", "[project]\nname = 'shop'\nversion = '1'\n")
    for number in range(1, revisions + 1):
        yield _revision(number, number - 1)
    for number in range(files):
        yield _file(f"app/part{number // 50}/module{number}.py", f"def answer() -> int:\n    return {number}\n" * 20)
    changes = {
        "docs": [_file("docs/index.md", "# More\n"), _file("README.md", "# Shop\n")],
        "code": [_file(f"app/part{number}/module{number * 50}.py", "x = 1\n") for number in range(3)],
        "dependencies": [_file("pyproject.toml", "[project]\nname = 'shop'\nversion = '2'\n")],
        "grown": [_revision(revisions + 1, revisions)],
        "rival": [_revision(revisions + 2, revisions - 1)],
    }
    for mark, (branch, parts) in enumerate(changes.items(), 2):
        yield _commit(f"pushed/{branch}", mark, "main")
        yield from parts


def _stream(revisions: int) -> Iterator[bytes]:
    yield _commit("main", 1)
    yield _file("alembic.ini", _INI)
    yield _file("alembic/env.py", _ENV)
    for number in range(1, revisions):
        yield _revision(number, number - 1)
    yield _commit("rival", 2, "main")
    yield _revision(revisions + 1, revisions - 1)
    yield _commit("forked", 3, "main")
    yield _revision(revisions, revisions - 2)
    yield _commit("main", 4, "main")
    yield _revision(revisions, revisions - 1)


def _commit(branch: str, mark: int, parent: str = "") -> bytes:
    begin = f"commit refs/heads/{branch}\nmark :{mark}\ncommitter Ada <ada@example.org> {1700000000 + mark} +0000\n"
    subject = f"work on {branch}\n"
    origin = f"from {':1' if parent else ''}\n" if parent else ""
    return f"{begin}data {len(subject)}\n{subject}{origin}".encode()


def _revision(number: int, parent: int) -> bytes:
    id_, below = _id(number), _id(parent) if parent else ""
    text = _REVISION.format(
        message=f"add orders {number}",
        id=id_,
        parent=below,
        quoted=repr(below or None),
        number=number,
        month=number % 12 + 1,
        day=number % 28 + 1,
    )
    return _file(f"alembic/versions/{id_}_add_orders_{number}.py", text)


def _id(number: int) -> str:
    """Twelve hexadecimal digits, as Alembic draws them, but the same in every run."""
    return sha1(str(number).encode(), usedforsecurity=False).hexdigest()[:12]


def _file(path: str, text: str) -> bytes:
    data = text.encode()
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _git(*args: str, data: bytes = b"") -> None:
    subprocess.run(["git", *args], input=data, env=ENVIRONMENT, check=True, timeout=300)
