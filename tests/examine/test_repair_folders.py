"""A `file_template` with folders, as Alembic 1.18 makes them: what is written lies where Alembic reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.plans import Merge, Reissue, Reparent
from tests.examine.end_to_end import Repaired, repaired
from tests.migrations import VERSIONS, project, revision
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository

BY_DAY = "%%(year)d/%%(month).2d/%%(day).2d_%%(rev)s_%%(slug)s"


def dated(id_: str, parent: str | None, day: str, folder: str, table: str = "") -> dict[str, str]:
    """A revision made on a day of 2024 (`03-07`), in a folder below the version directory."""
    [(path, text)] = revision(id_, parent, table).items()
    name = path.rpartition("/")[2]
    return {f"{VERSIONS}/{folder}{day[3:]}_{name}": text.replace("2024-01-01", f"2024-{day}")}


def forked(folder: Path, one: str, other: str, *, recursive: bool, table: str = "") -> Repository:
    """018 of January, then `one` on main in February and `other` on topic in March."""
    places = ("2024/01/", "2024/02/", "2024/03/") if recursive else ("", "", "")
    ini = f"file_template = {BY_DAY}\n" + ("recursive_version_locations = true\n" if recursive else "")
    repo = Repository(folder / "repo")
    files = project()
    files["alembic.ini"] += ini
    repo.commit("main", files | dated("018", None, "01-05", places[0]))
    repo.branch("topic", "main")
    repo.commit("main", dated(one, "018", "02-06", places[1]))
    repo.commit("topic", dated(other, "018", "03-07", places[2], table))
    return repo


def heads(result: Repaired, folder: Path) -> tuple[str, ...]:
    """What Alembic, by the configuration, finds in the merged tree."""
    return Deployment(checked_out(result.repo, result.merged(), folder / "merged"), "").heads()


@pytest.mark.parametrize(("recursive", "place"), [(True, "2024/03/07_"), (False, "07_")])
def test_a_merge_lies_where_alembic_reads_it(tmp_path: Path, recursive: bool, place: str) -> None:
    """Where sub-folders are not read, the folders of the template are left out."""
    result = repaired(forked(tmp_path, "b0b0b0b0", "c0c0c0c0", recursive=recursive), strategy="merge")
    assert isinstance(result.plan, Merge)
    [line] = result.changed()
    [head] = heads(result, tmp_path)
    assert line == f"A {VERSIONS}/{place}{head}_merge_b0b0b0b0_and_c0c0c0c0.py"


def test_a_moved_revision_stays_in_its_folder(tmp_path: Path) -> None:
    result = repaired(forked(tmp_path, "b0b0b0b0", "c0c0c0c0", recursive=True))
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"M {VERSIONS}/2024/03/07_c0c0c0c0_tc0c0c0c0.py"]
    assert heads(result, tmp_path) == ("c0c0c0c0",)


def test_a_new_id_changes_the_name_and_not_the_folder(tmp_path: Path) -> None:
    result = repaired(forked(tmp_path, "b0b0b0b0", "b0b0b0b0", recursive=True, table="other"))
    assert isinstance(result.plan, Reissue)
    [head] = heads(result, tmp_path)
    assert head != "b0b0b0b0"
    [line] = result.changed()
    assert line.split()[-1] == f"{VERSIONS}/2024/03/07_{head}_other.py"
