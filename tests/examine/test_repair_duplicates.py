"""Two files with one id, end to end on real git: a copy goes, a newer definition gets a new id, and Alembic agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.plans import Merge, Reissue, Reparent
from tests.examine.end_to_end import alembic_heads, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """a0a0 on both sides; then b0b0 and c0c0 on main."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("a0a0", None)))
    repo.branch("topic", "main")
    repo.commit("main", revision("b0b0", "a0a0") | revision("c0c0", "b0b0"))
    return repo


def text(made: tuple[str, str | None, str]) -> str:
    """The text of one revision file: id, parent, table."""
    [content] = revision(*made).values()
    return content


def rebased(repo: Repository, id_: str, old: str, new: str) -> dict[str, str]:
    """The published revision as a branch carried it over: other name, parent, message, quotes, and a comment."""
    content = repo.read("main", f"{VERSIONS}/{id_}_t{id_}.py")
    content = content.replace(f'= "{old}"', f"= '{new}'").replace(f"Revises: {old}", f"Revises: {new}")
    content = content.replace(f'"""t{id_}', '"""Carried over').replace("-> None:", ":  # by hand")
    return {f"{VERSIONS}/carried_{id_}.py": content}


def test_a_rebased_copy_is_dropped_and_its_operations_run_once(repo: Repository) -> None:
    repo.commit("topic", revision("x0x0", "a0a0"))
    repo.commit("topic", rebased(repo, "c0c0", "b0b0", "x0x0"))
    repo.commit("topic", revision("y0y0", "c0c0"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert sorted(result.changed()) == [
        f"D {VERSIONS}/carried_c0c0.py",
        f"M {VERSIONS}/x0x0_tx0x0.py",
        f"M {VERSIONS}/y0y0_ty0y0.py",
    ]
    assert result.alembic_heads() == ["y0y0"]
    assert '= "x0x0"' in repo.read(result.sha(), f"{VERSIONS}/y0y0_ty0y0.py")
    assert '= "c0c0"' in repo.read(result.sha(), f"{VERSIONS}/x0x0_tx0x0.py")
    subject = repo.git("log", "-1", "--format=%s", result.sha()).strip()
    assert subject == f"{VERSIONS}: drop this branch's copy of a published migration"


def test_a_copy_under_another_name_alone_is_dropped(repo: Repository) -> None:
    repo.branch("topic", "main")
    content = repo.read("main", f"{VERSIONS}/b0b0_tb0b0.py")
    repo.commit("topic", {f"{VERSIONS}/b0b0_copy.py": content})
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert result.changed() == [f"D {VERSIONS}/b0b0_copy.py"]
    assert result.alembic_heads() == ["c0c0"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sa.Integer()", "sa.BigInteger()"),
        ('op.create_table("tc0c0"', 'op.execute("SELECT 1")\n    op.create_table("tc0c0"'),
        ("from alembic import op", "from alembic import op\n\nif True:\n    op = op"),
    ],
)
def test_what_does_anything_else_is_no_copy(repo: Repository, old: str, new: str) -> None:
    [(path, content)] = rebased(repo, "c0c0", "b0b0", "a0a0").items()
    assert old in content
    repo.commit("topic", {path: content.replace(old, new)})
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert (result.plan.dropped, [id_ for id_, _ in result.plan.files]) == ((), ["c0c0"])
    assert len(result.alembic_heads()) == 1


def test_a_newer_revision_under_an_old_id_gets_a_new_one(repo: Repository) -> None:
    repo.branch("topic", "main")
    repo.commit("topic", revision("b0b0", "c0c0", "newer"))
    repo.commit("main", revision("d0d0", "c0c0"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    [head] = result.alembic_heads()
    assert head not in ("b0b0", "d0d0")
    assert repo.read(result.sha(), f"{VERSIONS}/{head}_newer.py").count('= "d0d0"') == 1


def test_a_branch_that_forks_within_itself_becomes_one_line(repo: Repository) -> None:
    repo.commit("topic", revision("x0x0", "a0a0") | revision("x1x1", "x0x0") | revision("y0y0", "a0a0"))
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.alembic_heads() == ["y0y0"]
    assert result.changed() == [f"M {VERSIONS}/x0x0_tx0x0.py", f"M {VERSIONS}/y0y0_ty0y0.py"]


def test_a_numbered_branch_that_forks_within_itself_becomes_one_line(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "numbers")
    repo.commit("main", project() | chain(("0001", None), ("0002", "0001")))
    repo.branch("topic", "main")
    repo.commit("main", revision("0003", "0002", "theirs"))
    repo.commit("topic", revision("0003", "0002", "ours") | revision("0004", "0003") | revision("0005", "0002"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert len(result.alembic_heads()) == 1


def test_on_a_forked_target_a_branch_is_joined_to_the_head_from_whose_line_it_grew(repo: Repository) -> None:
    repo.commit("main", revision("a9a9", "a0a0"))
    repo.branch("topic", "main")
    repo.commit("topic", revision("x0x0", "b0b0"))
    result = repaired(repo)
    assert isinstance(result.plan, Merge)
    assert result.plan.merges == (("x0x0", "c0c0"),)
    assert "a9a9" in result.alembic_heads()


def test_a_new_id_is_worded_after_its_own_file_and_not_after_the_other_one(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "worded")
    repo.commit("main", project() | revision("0001_begin", None, "x") | revision("0002_more", "0001_begin", "x"))
    repo.branch("topic", "main")
    repo.commit("main", {f"{VERSIONS}/0003_add_phone.py": text(("0003_add_phone", "0002_more", "phone"))})
    repo.commit("topic", {f"{VERSIONS}/0003_drop_fax.py": text(("0003_add_phone", "0002_more", "fax"))})
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert result.alembic_heads() == ["0004_drop_fax"]
    assert result.changed() == [f"R {VERSIONS}/0003_drop_fax.py {VERSIONS}/0004_drop_fax.py"]


def test_a_name_that_carries_no_id_gets_none(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "plain")
    files = {
        f"{VERSIONS}/begin.py": text(("a1b2c3d4", None, "x")),
        f"{VERSIONS}/more.py": text(("b1", "a1b2c3d4", "y")),
    }
    repo.commit("main", project() | files)
    repo.branch("topic", "main")
    repo.commit("main", {f"{VERSIONS}/add_phone.py": text(("c1d2e3f4", "b1", "phone"))})
    repo.commit("topic", {f"{VERSIONS}/drop_fax.py": text(("c1d2e3f4", "b1", "fax"))})
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert result.changed() == [f"M {VERSIONS}/drop_fax.py"]
    assert len(result.alembic_heads()) == 1


@pytest.mark.parametrize(("doc", "name"), [("Drop fax", "drop_fax"), ("", "add_phone_2"), ("Add phone", "add_phone_2")])
def test_of_two_files_under_one_path_the_branchs_gets_a_name_of_its_own_words(
    tmp_path: Path, doc: str, name: str
) -> None:
    repo = Repository(tmp_path / "same-path")
    repo.commit("main", project() | {f"{VERSIONS}/begin.py": text(("a1b2c3d4", None, "x"))})
    repo.branch("topic", "main")
    path = f"{VERSIONS}/add_phone.py"
    repo.commit("main", {path: text(("c1d2e3f4", "a1b2c3d4", "phone"))})
    repo.commit("topic", {path: text(("d1e2f3a4", "a1b2c3d4", "fax")).replace('"""fax', f'"""{doc}')})
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"A {VERSIONS}/{name}.py"]
    assert alembic_heads(repo, result.sha()) == alembic_heads(repo, result.merged()) == ["d1e2f3a4"]


@pytest.mark.parametrize(
    "template", ["%%(year)d/%%(month).2d_%%(day).2d_%%(slug)s", "", "%%(month).2d_%%(day).2d_%%(rev)s"]
)
def test_a_month_in_a_name_is_no_number(tmp_path: Path, template: str) -> None:
    repo = Repository(tmp_path / "dated")
    folder = VERSIONS if template.startswith("%%(month)") else f"{VERSIONS}/2026"
    line = f"file_template = {template}\n" if template else ""
    ini = {"alembic.ini": f"[alembic]\nscript_location = alembic\nrecursive_version_locations = true\n{line}"}
    first = {f"{folder}/03_09_begin.py": text(("a1b2c3d4", None, "x"))}
    repo.commit("main", project() | ini | first)
    repo.branch("topic", "main")
    repo.commit("main", {f"{folder}/03_10_phone.py": text(("b1c2d3e4", "a1b2c3d4", "phone"))})
    repo.commit("topic", {f"{folder}/03_10_fax.py": text(("c1d2e3f4", "a1b2c3d4", "fax"))})
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"M {folder}/03_10_fax.py"]
    assert result.alembic_heads(folder) == ["c1d2e3f4"]
