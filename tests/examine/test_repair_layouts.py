"""Layouts of real projects, each repaired end to end: sentinel files, several environments, heads by design."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.plans import Merge, Reparent
from tests.examine.ends import alembic_heads, judged, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository

BASE = project() | chain(("0296", None), ("0297", "0296"))


def collision(folder: Path, **files: tuple[str, str, str]) -> Repository:
    """0298 on main and 0299 on topic, both on 0297; `files`: path → its text before, on main, on topic."""
    repo = Repository(folder)
    repo.commit("main", BASE | {path: texts[0] for path, texts in files.items()})
    repo.branch("topic", "main")
    repo.commit("main", revision("0298", "0297", "theirs") | {path: texts[1] for path, texts in files.items()})
    repo.commit("topic", revision("0299", "0297", "ours") | {path: texts[2] for path, texts in files.items()})
    return repo


@pytest.mark.parametrize(
    ("path", "before", "theirs", "ours", "fixed"),
    [
        (".current-alembic-head", "0297\n", "0298\n", "0299\n", "0299\n"),
        ("alembic/HEAD", "0297", "0298", "0299", "0299"),
        (f"{VERSIONS}/HEADS", "0297_t0297\n", "0298_theirs\n", "0299_ours\n", "0299_ours\n"),
        (f"{VERSIONS}/head.txt", "0297_t0297.py\n", "0298_theirs.py\n", "0299_ours.py\n", "0299_ours.py\n"),
        ("alembic_version_conflict_detection.txt", "0297 (head)\n", "0298 (head)\n", "0299 (head)\n", "0299 (head)\n"),
    ],
)
def test_a_sentinel_file_is_set_to_the_new_head_and_its_conflict_is_no_obstacle(
    tmp_path: Path, path: str, before: str, theirs: str, ours: str, fixed: str
) -> None:
    repo = collision(tmp_path / "repo", **{path: (before, theirs, ours)})
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert sorted(result.changed()) == sorted([f"M {path}", f"M {VERSIONS}/0299_ours.py"])
    assert repo.read(f"{result.sha()}^", path) == theirs
    assert repo.read(result.sha(), path) == fixed
    assert alembic_heads(repo, result.sha()) == alembic_heads(repo, result.merged()) == ["0299"]


def test_a_merge_sets_the_sentinel_to_the_merge(tmp_path: Path) -> None:
    repo = collision(tmp_path / "repo", **{".current-alembic-head": ("0297\n", "0298\n", "0299\n")})
    result = repaired(repo, strategy="merge")
    assert isinstance(result.plan, Merge)
    [head] = alembic_heads(repo, result.merged())
    assert repo.read(result.sha(), ".current-alembic-head") == f"{head}\n"


def test_a_fork_on_the_target_sets_the_sentinel_too(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", BASE | revision("0298", "0297") | revision("0299", "0297") | {"alembic/HEAD": "0299\n"})
    result = repaired(repo, None)
    [head] = result.alembic_heads()
    assert repo.read(result.sha(), "alembic/HEAD") == f"{head}\n"


def test_other_small_files_are_left_alone(tmp_path: Path) -> None:
    other = {"VERSION": ("0297", "0298", "0298"), "alembic/migration_notes.txt": ("see wiki\n",) * 3}
    result = repaired(collision(tmp_path / "repo", **other))
    assert result.changed() == [f"M {VERSIONS}/0299_ours.py"]


def test_both_lines_of_an_expand_and_contract_layout_are_repaired_in_one_commit(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit(
        "main",
        project()
        | revision("base", None)
        | labelled("e1", "base", "expand")
        | labelled("c1", "base", "contract")
        | {f"{VERSIONS}/EXPAND_HEAD": "e1\n", f"{VERSIONS}/CONTRACT_HEAD": "c1\n"},
    )
    repo.branch("topic", "main")
    for branch, number in (("main", "2"), ("topic", "3")):
        heads = {f"{VERSIONS}/EXPAND_HEAD": f"e{number}\n", f"{VERSIONS}/CONTRACT_HEAD": f"c{number}\n"}
        repo.commit(branch, revision(f"e{number}", "e1") | revision(f"c{number}", "c1") | heads)
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.plan.heads == ("c3", "e3")
    assert repo.read(result.sha(), f"{VERSIONS}/EXPAND_HEAD") == "e3\n"
    assert repo.read(result.sha(), f"{VERSIONS}/CONTRACT_HEAD") == "c3\n"
    assert alembic_heads(repo, result.sha()) == alembic_heads(repo, result.merged()) == ["c3", "e3"]


def labelled(id_: str, parent: str, label: str) -> dict[str, str]:
    return {path: text.replace("branch_labels: Union[str, Sequence[str], None] = None", f'branch_labels = ("{label}",)')
            for path, text in revision(id_, parent).items()}  # fmt: skip


def test_a_branch_in_release_folders_like_neutrons_is_moved(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    root = "neutron/db/migration/alembic_migrations"
    older, newer = f"{root}/versions/newton", f"{root}/versions/ocata"
    files = {f"{root}/env.py": "", f"{root}/script.py.mako": ""}
    files |= revision("a", None, versions=older) | revision("b", "a", versions=older)
    repo.commit("main", files)
    repo.branch("topic", "main")
    repo.commit("main", revision("c", "b", versions=newer))
    repo.commit("topic", revision("d", "b", versions=newer))
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"M {newer}/d_td.py"]
    assert result.alembic_heads(older, newer) == ["d"]


def test_copies_of_one_chain_for_two_databases_like_prefects_are_two_environments(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    root = "src/db/migrations"
    places = [f"{root}/versions/{kind}" for kind in ("postgresql", "sqlite")]
    files = {
        f"{root}/env.py": "context.script.version_locations = [versions_of(dialect)]\n",
        f"{root}/script.py.mako": "",
        "src/db/alembic.ini": f"[alembic]\nscript_location = {root}\n",
    }
    for place in places:
        files |= revision("a", None, versions=place) | revision("b", "a", versions=place)
    repo.commit("main", files)
    repo.branch("topic", "main")
    for place in places:
        repo.commit("main", revision("c", "b", versions=place))
        repo.commit("topic", revision("d", "b", versions=place))
    result = repaired(repo)
    environments = result.examination.environments
    assert [examined.facts.environment.path for examined in environments] == places
    assert [examined.plan.kind for examined in environments] == ["reparent", "reparent"]
    assert sorted(result.changed()) == [f"M {place}/d_td.py" for place in places]
    for place in places:
        assert result.alembic_heads(place) == ["d"]


def test_flask_migrate_has_no_script_location(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    place = "migrations/versions"
    repo.commit(
        "main", {"migrations/alembic.ini": "[alembic]\n", "migrations/env.py": ""} | revision("a", None, versions=place)
    )
    repo.branch("topic", "main")
    repo.commit("main", revision("b", "a", versions=place))
    repo.commit("topic", revision("c", "a", versions=place))
    result = repaired(repo)
    assert result.changed() == [f"M {place}/c_tc.py"]
    assert result.alembic_heads(place) == ["c"]


def test_only_the_environment_that_collides_is_repaired(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    files: dict[str, str] = {}
    for name in ("one", "two"):
        files |= {f"{name}/alembic.ini": f"[alembic]\nscript_location = {name}/alembic\n", f"{name}/alembic/env.py": ""}
        files |= revision("a", None, versions=f"{name}/alembic/versions")
    repo.commit("main", files)
    repo.branch("topic", "main")
    repo.commit("main", revision("b", "a", versions="one/alembic/versions"))
    repo.commit("topic", revision("c", "a", versions="one/alembic/versions"))
    repo.commit("topic", revision("c", "a", versions="two/alembic/versions"))
    result = repaired(repo)
    plans = {e.facts.environment.path: e.plan.kind for e in result.examination.environments}
    assert plans == {"one/alembic/versions": "reparent", "two/alembic/versions": "none"}
    assert result.changed() == ["M one/alembic/versions/c_tc.py"]


def test_plugins_whose_parents_live_in_another_package_are_healthy(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit(
        "main", revision("p2", "p1", versions="plugin/alembic") | revision("p3", "p2", versions="plugin/alembic")
    )
    repo.branch("topic", "main")
    repo.commit("topic", revision("p4", "p3", versions="plugin/alembic"))
    assert judged(repo)[0].verdict == "ok"
    assert judged(repo, None)[0].verdict == "ok"


def test_a_squash_merged_branch_collides_with_its_own_copy_as_soon_as_it_goes_on(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", BASE)
    repo.branch("topic", "main")
    repo.commit("topic", revision("0298", "0297", "feature"))
    repo.commit("main", revision("0298", "0297", "feature"), "Squashed")
    assert judged(repo)[0].verdict == "ok"
    repo.commit("topic", revision("0299", "0298", "more"))
    assert judged(repo)[0].verdict == "ok"
    repo.commit("main", revision("0300", "0298", "theirs"))
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert [move.revision for move in result.plan.moves] == ["0299"]
    assert result.alembic_heads() == ["0299"]
