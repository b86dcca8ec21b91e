"""Where revisions lie: what Alembic would load counts, and what it would not load is no part of the chain."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from onehead.plan.verdict import Coverage
from tests.flows.ends import judged
from tests.migrations import VERSIONS, project, revision
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
