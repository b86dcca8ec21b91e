"""What `alembic current --check-heads` says of a database, and what it does not see: docs/how-to/deploy-gate.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import alembic
import pytest

from tests.migrations import chain, merged, project
from tests.real_alembic import Deployment

RELEASE = tuple(int(part) for part in alembic.__version__.split(".")[:3])

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(RELEASE < (1, 17, 1), reason="needs Alembic 1.17.1, which has the option"),
]


def needing(files: dict[str, str], id_: str, need: str) -> dict[str, str]:
    """The same files, where one revision needs another."""
    return {
        path: text.replace("depends_on: Union[str, Sequence[str], None] = None", f'depends_on = "{need}"')
        if f'revision: str = "{id_}"' in text
        else text
        for path, text in files.items()
    }


LINE = chain(("018", None), ("019", "018"))
FORK = chain(("018", None), ("019", "018"), ("020", "018"))


@pytest.mark.parametrize(
    ("files", "rows", "code"),
    [
        pytest.param(LINE, ["019"], 0, id="at the head"),
        pytest.param(LINE, ["018"], 255, id="behind"),
        pytest.param(LINE, [], 255, id="never upgraded"),
        pytest.param(LINE, ["020"], 255, id="ahead, or of another branch"),
        pytest.param(FORK, ["019"], 255, id="forked, one side has run"),
        pytest.param(FORK, ["019", "020"], 0, id="forked, both sides have run"),
        # As `upgrade heads` leaves it: a row that another head needs is deleted.
        pytest.param(needing(FORK, "020", "019"), ["020"], 255, id="one head needs the other"),
    ],
)
def test_the_gate_compares_rows_with_heads(
    tmp_path: Path, files: dict[str, str], rows: Sequence[str], code: int
) -> None:
    deployment = deployed(tmp_path, files)
    deployment.set_rows(rows)

    done = current(tmp_path)
    assert done.returncode == code, done.stderr
    assert ("Database is not on all head revisions" in done.stdout + done.stderr) == (code == 255)


def test_after_upgrade_heads_the_gate_is_open_but_where_one_head_needs_another(tmp_path: Path) -> None:
    for name, files, code in (("fork", FORK, 0), ("needed", needing(FORK, "020", "019"), 255)):
        deployment = deployed(tmp_path / name, files)
        deployment.upgrade("heads")
        assert current(tmp_path / name).returncode == code
        assert RELEASE < (1, 18, 5) or recipe(tmp_path / name) == 0


@pytest.mark.skipif(RELEASE < (1, 18, 5), reason="needs Alembic 1.18.5, whose get_heads knows what is needed")
def test_the_pages_recipe_compares_with_the_heads_that_leave_a_row(tmp_path: Path) -> None:
    deployed(tmp_path, LINE).set_rows(["018"])
    assert recipe(tmp_path) == 1


def recipe(folder: Path) -> int:
    """The exit code of the page's program, with the address of this database."""
    page = (Path(__file__).parents[2] / "docs/how-to/deploy-gate.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    program = program.replace("postgresql://…", f"sqlite:///{folder}/x.db")
    return subprocess.run([sys.executable, "-c", program], cwd=folder, check=False, timeout=60).returncode


def test_a_revision_that_was_skipped_is_not_seen(tmp_path: Path) -> None:
    """A database that has run 020 before it was moved onto 019."""
    deployed(tmp_path / "branch", chain(("018", None), ("020", "018"))).upgrade()
    moved = deployed(tmp_path / "main", chain(("018", None), ("019", "018"), ("020", "019")))
    (tmp_path / "branch" / "x.db").rename(tmp_path / "main" / "x.db")

    assert moved.upgrade() == ()
    assert current(tmp_path / "main").returncode == 0
    assert "t019" not in moved.tables()


def test_no_database_is_no_open_gate(tmp_path: Path) -> None:
    deployed(tmp_path, LINE)
    ini = tmp_path / "alembic.ini"
    ini.write_text(ini.read_text().replace("sqlite:///", "sqlite:////no/such/folder"))
    done = current(tmp_path)

    assert done.returncode == 1
    assert "unable to open database file" in done.stderr


def deployed(folder: Path, files: dict[str, str]) -> Deployment:
    url = f"sqlite:///{folder}/x.db"
    for path, text in merged(project(), files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    with (folder / "alembic.ini").open("a") as ini:
        ini.write(f"sqlalchemy.url = {url}\n")
    return Deployment(folder, url)


def current(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "alembic", "current", "--check-heads")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
