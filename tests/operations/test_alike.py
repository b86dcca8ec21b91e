"""What counts as the same: what `upgrade()` does and nothing beside it."""

from __future__ import annotations

import pytest

from onehead.operations.read import digest

PLAIN = '''"""Add x"""
from alembic import op
revision = "a"
down_revision = "b"
NAMES = ("x", "y")
LEFT = 1

def each():
    return NAMES

def upgrade():
    for name in each():
        op.drop_table(name)

def downgrade():
    pass
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Add x"""', '"""Other.\n\nCreate Date: 2026\n"""'),
        ('down_revision = "b"', "down_revision: str | None = 'c'\nbranch_labels = None"),
        ("LEFT = 1", ""),
        ("def upgrade():", 'def upgrade() -> None:\n    """Do it."""\n    # well'),
        ("    pass", "    op.create_table('x')"),
        ('("x", "y")', "(\n    'x',\n    'y',\n)"),
        ("NAMES = ", "NAMES: tuple[str, ...] = "),
        ("from alembic import op", "import sqlalchemy as sa\nfrom alembic import op"),
    ],
)
def test_these_do_the_same(old: str, new: str) -> None:
    assert old in PLAIN
    assert digest(PLAIN.encode()) == digest(PLAIN.replace(old, new).encode()) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"y")', '"z")'),
        ("return NAMES", "return NAMES[:1]"),
        ("drop_table", "create_table"),
        ("LEFT = 1", "op.execute('x')"),
        ("LEFT = 1", "def upgrade_more():\n    pass"),
    ],
)
def test_these_do_something_else(old: str, new: str) -> None:
    assert old in PLAIN
    assert digest(PLAIN.encode()) != digest(PLAIN.replace(old, new).encode())


@pytest.mark.parametrize("text", ["def upgrade(:", "x = 1\n", "", "def upgrade():\n    x = " + "(" * 5000 + "\n"])
def test_of_what_can_not_be_read_nothing_is_known(text: str) -> None:
    assert digest(text.encode()) is None
