"""Where revisions lie: what Alembic would load counts, and what it would not load is no part of the chain."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from onehead.plan.verdict import Coverage
from tests.examine.end_to_end import judged
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository

LINK = {VERSIONS: "120000"}
SUBMODULE = {VERSIONS: "160000"}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def loaded(repo: Repository, at: str) -> list[str]:
    """The heads that Alembic itself finds by its configuration."""
    with TemporaryDirectory() as folder:
        repo.git("worktree", "add", "--quiet", "--detach", folder, at)
        try:
            with chdir(folder):
                return sorted(ScriptDirectory.from_config(Config("alembic.ini")).get_heads())
        finally:
            repo.git("worktree", "remove", "--force", folder)


def heads(repo: Repository, head: str | None = None) -> list[str]:
    [examined] = judged(repo, head)[0].environments
    return list(examined.facts.merged.heads)


def codes(repo: Repository, head: str | None = "topic") -> list[tuple[str, str, str]]:
    examination = judged(repo, head)[0]
    found = [finding for examined in examination.environments for finding in examined.findings]
    return [(str(each.code), each.severity, each.introduced_by) for each in found]


# Links and submodules


def test_a_link_in_the_place_of_the_version_directory_is_followed(repo: Repository) -> None:
    repo.commit("main", project() | revision("a1", None, versions="db/revs") | {VERSIONS: "../db/revs"}, modes=LINK)
    assert heads(repo) == loaded(repo, "main") == ["a1"]
    repo.branch("topic", "main")
    repo.commit("main", revision("b1", "a1", versions="db/revs"))
    repo.commit("topic", revision("c1", "a1", versions="db/revs"))
    assert codes(repo) == [("collision", "error", "head")]


def test_a_submodule_in_the_place_of_the_version_directory_cannot_be_judged(repo: Repository) -> None:
    first = repo.commit("main", project())
    repo.commit("main", {VERSIONS: first}, modes=SUBMODULE)
    alone = judged(repo, None)[0]
    assert (alone.verdict, alone.exit_code, alone.coverage) == ("unreadable", 3, Coverage(1, 1, 0))
    assert codes(repo, None) == [("unreadable-folder", "error", "target")]
    repo.branch("topic", "main")
    repo.commit("topic", {"notes": "x"})
    assert (judged(repo)[0].exit_code, codes(repo)) == (0, [("unreadable-folder", "warning", "target")])
    repo.commit("topic", {VERSIONS: repo.sha("topic")}, modes=SUBMODULE)
    assert (judged(repo)[0].exit_code, codes(repo)) == (3, [("unreadable-folder", "error", "head")])


def test_a_link_that_leads_out_of_the_repository_cannot_be_judged(repo: Repository) -> None:
    repo.commit("main", project() | revision("a1", None))
    repo.branch("topic", "main")
    repo.commit("topic", {f"{VERSIONS}/a1_ta1.py": None, VERSIONS: "/srv/revisions"}, modes=LINK)
    assert ("unreadable-folder", "error", "head") in codes(repo)
    assert judged(repo)[0].exit_code == 3


# Sub-folders

OLD = f"{VERSIONS}/old"
RECURSIVE = {"alembic.ini": "[alembic]\nscript_location = alembic\nrecursive_version_locations = true\n"}
BY_CODE = 'config.set_main_option("version_locations", " ".join(releases()))\n'


def test_a_revision_in_a_sub_folder_counts_only_where_alembic_loads_it(repo: Repository) -> None:
    repo.commit("main", project() | revision("a1", None) | revision("b1", "a1", versions=OLD))
    assert heads(repo) == loaded(repo, "main") == ["a1"]
    assert codes(repo, None) == [("not-loaded", "warning", "target")]
    repo.commit("main", RECURSIVE)
    assert heads(repo) == loaded(repo, "main") == ["b1"]
    assert codes(repo, None) == []


def test_a_parent_that_a_branch_moves_into_a_sub_folder_is_missing(repo: Repository) -> None:
    repo.commit("main", project() | chain(("a1", None), ("b1", "a1")))
    repo.branch("topic", "main")
    repo.commit("topic", {f"{VERSIONS}/a1_ta1.py": None, **revision("a1", None, versions=OLD)})
    with pytest.warns(UserWarning, match="not present"), pytest.raises(KeyError):
        loaded(repo, "topic")
    [finding] = judged(repo)[0].own_errors()
    assert finding.code == "missing-parent"
    assert finding.message == (
        f"`b1` needs `a1`, and Alembic does not load `{OLD}/a1_ta1.py`; every Alembic command stops with KeyError."
    )


def test_a_new_revision_in_a_sub_folder_is_told_to_whoever_brings_it(repo: Repository) -> None:
    repo.commit("main", project() | revision("a1", None) | revision("z1", None, versions=OLD))
    repo.branch("topic", "main")
    repo.commit("topic", revision("b1", "a1", versions=OLD))
    assert loaded(repo, "topic") == ["a1"]
    [examined] = judged(repo)[0].environments
    [finding] = examined.findings
    assert (finding.code, finding.severity, finding.revisions) == ("not-loaded", "warning", ("b1",))
    assert finding.message == (
        f"`{OLD}/b1_tb1.py` lies in a sub-folder, which Alembic reads only with "
        "`recursive_version_locations = true`: `b1` never runs."
    )


def test_old_revisions_that_were_put_away_are_left_in_peace(repo: Repository) -> None:
    away = revision("a1", None, versions=OLD) | revision("b1", "a1", versions=OLD)
    repo.commit("main", project() | revision("b1", None) | away)
    assert loaded(repo, "main") == ["b1"]
    assert codes(repo, None) == []


def test_where_no_revision_is_loaded_those_in_sub_folders_are_named(repo: Repository) -> None:
    repo.commit("main", project() | revision("a1", None, versions=OLD))
    assert heads(repo) == loaded(repo, "main") == []
    assert codes(repo, None) == [("not-loaded", "warning", "target")]
    repo.branch("topic", "main")
    repo.commit("topic", {"README": "x"})
    assert codes(repo) == [("not-loaded", "note", "target")]


def test_revisions_that_a_branch_puts_away_are_said_to_be_gone_and_where(repo: Repository) -> None:
    repo.commit("main", project() | chain(("a1", None), ("b1", "a1")))
    repo.branch("topic", "main")
    gone = {f"{VERSIONS}/a1_ta1.py": None, f"{VERSIONS}/b1_tb1.py": None}
    repo.commit("topic", {**gone, **chain_in(OLD)})
    assert loaded(repo, "topic") == []
    [examined] = judged(repo)[0].environments
    assert [finding.code for finding in examined.findings] == ["history-edited"]
    assert examined.findings[0].message.endswith(
        f"Alembic does not load `{OLD}/a1_ta1.py` and `{OLD}/b1_tb1.py`, where they are now."
    )


@pytest.mark.parametrize("module", ["alembic/env.py", "alembic/setup.py", "migrate.py"])
def test_sub_folders_that_code_may_name_are_judged_by_their_ids(repo: Repository, module: str) -> None:
    repo.commit("main", project() | revision("a1", None) | revision("b1", "a1", versions=OLD) | {module: BY_CODE})
    assert (heads(repo), codes(repo, None)) == (["b1"], [])


# Other environments


def two_environments() -> dict[str, str]:
    other = {"other/alembic.ini": "[alembic]\nscript_location = other/db\n", "other/db/env.py": ""}
    return project() | revision("a1", None) | other | revision("x1", None, versions="other/db/versions")


def test_a_parent_in_another_environment_is_missing(repo: Repository) -> None:
    repo.commit("main", two_environments())
    repo.branch("topic", "main")
    repo.commit("topic", revision("b1", "x1"))
    with pytest.warns(UserWarning, match="not present"), pytest.raises(KeyError):
        loaded(repo, "topic")
    [finding] = judged(repo)[0].own_errors()
    assert finding.message == (
        "`b1` names `x1` as its parent, which only another environment of this repository declares; "
        "every Alembic command stops with KeyError."
    )


def test_a_parent_in_a_directory_that_code_may_add_is_a_warning(repo: Repository) -> None:
    repo.commit("main", two_environments() | {"alembic/env.py": BY_CODE})
    repo.branch("topic", "main")
    repo.commit("topic", revision("b1", "x1"))
    assert codes(repo)[0] == ("missing-parent", "warning", "head")


# Directories that the target has left


def moved_on_main(repo: Repository) -> None:
    """The target has its revisions in `db/revs`; git takes nothing for moved, as the old directory is still there."""
    repo.commit("main", project() | chain(("a1", None), ("b1", "a1")) | {f"{VERSIONS}/README": "Revisions.\n"})
    repo.branch("topic", "main")
    gone = {f"{VERSIONS}/a1_ta1.py": None, f"{VERSIONS}/b1_tb1.py": None}
    there = revision("a1", None, versions="db/revs") | revision("b1", "a1", versions="db/revs")
    ini = "[alembic]\nscript_location = alembic\nversion_locations = db/revs\npath_separator = os\n"
    repo.commit("main", {**gone, **there, "alembic.ini": ini})


@pytest.mark.parametrize("new", [("c1",), ("c1", "d1")])
def test_new_revisions_in_a_directory_that_the_target_has_left_are_named(
    repo: Repository, new: tuple[str, ...]
) -> None:
    moved_on_main(repo)
    for id_, below in zip(new, ("b1", *new), strict=False):
        repo.commit("topic", revision(id_, below))
    merged = repo.merge("main", "topic")
    assert loaded(repo, merged) == ["b1"]
    repo.branch("main", "main^")
    [examined] = judged(repo)[0].environments
    assert [(each.code, each.revisions) for each in examined.findings] == [("not-loaded", (id_,)) for id_ in new]
    assert examined.findings[0].message == (
        f"`{VERSIONS}/c1_tc1.py` lies outside of `db/revs`, where the target's revisions are now: `c1` never runs."
    )


def test_git_may_move_a_new_revision_along(repo: Repository) -> None:
    repo.commit("main", project() | chain(("a1", None), ("b1", "a1")))
    repo.branch("topic", "main")
    gone = {f"{VERSIONS}/a1_ta1.py": None, f"{VERSIONS}/b1_tb1.py": None, "alembic/env.py": None}
    repo.commit("main", {**gone, **project("db/versions"), **chain_in("db/versions")})
    repo.commit("topic", revision("c1", "a1"))
    assert codes(repo) == [("collision", "error", "head"), ("text-conflict", "note", "head")]


def chain_in(versions: str) -> dict[str, str]:
    return revision("a1", None, versions=versions) | revision("b1", "a1", versions=versions)


# What code says about the version table

LONG = "2026_02_02_add_the_motto_column_to_the_squads"
WIDENED = {
    "env.py": {"alembic/env.py": 'connection.exec_driver_sql("CREATE TABLE v (version_num VARCHAR(128))")\n'},
    "module": {"alembic/table.py": 'Table("v", metadata, Column("version_num", String(128)))\n'},
    "revision": {
        path: text.replace(
            "    op.create_table(", '    op.alter_column("v", "version_num", type_=sa.Text())\n    op.create_table('
        )
        for path, text in revision("b1", "a1").items()
    },
}


@pytest.mark.parametrize("where", WIDENED)
def test_a_long_id_is_no_error_where_the_project_widens_the_column(repo: Repository, where: str) -> None:
    repo.commit("main", project() | revision("a1", None) | revision("b1", "a1"))
    repo.branch("topic", "main")
    repo.commit("topic", revision(LONG, "b1"))
    assert codes(repo) == [("id-too-long", "error", "head")]
    repo.commit("main", WIDENED[where])
    assert codes(repo) == []
