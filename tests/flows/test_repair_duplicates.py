"""Two files with one id, end to end on real git: a copy goes, a newer definition gets a new id, and Alembic agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.plans import Merge, Reissue, Reparent
from tests.flows.ends import repaired
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


def rebased(repo: Repository, id_: str, old: str, new: str) -> dict[str, str]:
    """The published revision as a branch carried it over: other name, parent, message, quotes, and a comment."""
    text = repo.read("main", f"{VERSIONS}/{id_}_t{id_}.py")
    text = text.replace(f'= "{old}"', f"= '{new}'").replace(f"Revises: {old}", f"Revises: {new}")
    text = text.replace(f'"""t{id_}', '"""Carried over').replace("-> None:", ":  # by hand")
    return {f"{VERSIONS}/carried_{id_}.py": text}


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
    text = repo.read("main", f"{VERSIONS}/b0b0_tb0b0.py")
    repo.commit("topic", {f"{VERSIONS}/b0b0_copy.py": text})
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
    [(path, text)] = rebased(repo, "c0c0", "b0b0", "a0a0").items()
    assert old in text
    repo.commit("topic", {path: text.replace(old, new)})
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
