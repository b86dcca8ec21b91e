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


def make_past(place: Path, commits: int, revisions: int, touching: int, files: int) -> Path:
    """Write `place/past.git`: a branch `main` of so many first-parent commits, with other files beside the migrations.

    Its first commit holds the revisions that no later one adds, one for each of the `touching` commits; these merge a
    branch. Every fifteenth of them forks the chain, and the next one joins it or moves the newer side.

    Returns:
        The bare repository, its objects in one pack.
    """
    bare = place / "past.git"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git("-C", str(bare), "fast-import", "--quiet", data=b"".join(_past(commits, revisions, touching, files)))
    _git("-C", str(bare), "repack", "-a", "-d", "--quiet")
    return bare


_FORK_EVERY = 15


def _past(commits: int, revisions: int, touching: int, files: int) -> Iterator[bytes]:
    yield _commit("main", 1)
    yield _file("alembic.ini", _INI)
    yield _file("alembic/env.py", _ENV)
    newest = revisions - touching
    for number in range(1, newest + 1):
        yield _revision(number, number - 1)
    for number in range(files):
        yield _module(number, 0)
    mark, done = 1, 0
    for place in range(1, commits):
        changes = [_module((place * 7 + more * 31) % files, place) for more in range(5)]
        if place * touching // commits > done:
            done, newest = done + 1, newest + 1
            is_forked = done % _FORK_EVERY == 0
            if done % _FORK_EVERY == 1 and done > 1:
                changes += _repair(newest, moved=done % (2 * _FORK_EVERY) == 1)
            else:
                changes.append(_revision(newest, newest - 2 if is_forked else newest - 1))
            mark += 1
            yield _work(f"topic-{done}", mark, place, mark - 1, None, "Add orders")
            yield from changes
            mark += 1
            subject = f"Merge pull request 'Add orders' (#{done}) from topic-{done} into main"
            yield _work("main", mark, place, mark - 2, mark - 1, subject)
            yield from changes
        else:
            mark += 1
            yield _work("main", mark, place, mark - 1, None, "Work")
            yield from changes


def _repair(newest: int, *, moved: bool) -> list[bytes]:
    """What ends the fork of the two revisions before, and one revision more."""
    if moved:
        return [_revision(newest - 1, newest - 2), _revision(newest, newest - 1)]
    return [_revision(newest, newest - 1, newest - 2)]


def _module(number: int, version: int) -> bytes:
    return _file(f"app/part{number // 50}/module{number}.py", f"def answer() -> int:\n    return {version}\n" * 20)


def _work(branch: str, mark: int, hour: int, parent: int, merged: int | None, subject: str) -> bytes:
    when = 1700000000 + 8 * 3600 * hour
    lines = f"commit refs/heads/{branch}\nmark :{mark}\ncommitter Ada <ada@example.org> {when} +0000\n"
    lines += f"data {len(subject)}\n{subject}\nfrom :{parent}\n"
    return (lines + (f"merge :{merged}\n" if merged is not None else "")).encode()


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


def _revision(number: int, *parents: int) -> bytes:
    id_, below = _id(number), [_id(parent) for parent in parents if parent]
    text = _REVISION.format(
        message=f"add orders {number}",
        id=id_,
        parent=", ".join(below),
        quoted=repr(tuple(below) if len(below) > 1 else next(iter(below), None)),
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
