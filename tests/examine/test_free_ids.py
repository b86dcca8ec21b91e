"""Ids that a repair invents: no branch, tag, pull request or database has them, however little it has to do with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onehead.databases.reported import ReportedDatabase
from onehead.examine import naming
from onehead.examine.ledger import encoded, file_of
from onehead.plan.plans import Merge, Reissue, Reparent
from tests.examine.end_to_end import repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """022 on main."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("021", None), ("022", "021")))
    return repo


def put(repo: Repository, ref: str, sha: str) -> None:
    repo.git("update-ref", ref, sha)


def pull(repo: Repository, number: int, files: dict[str, str], base: str = "main") -> str:
    """A pull request from a fork: nothing but its ref is here."""
    repo.branch("gone", base)
    sha = repo.commit("gone", files)
    put(repo, f"refs/pull/{number}/head", sha)
    repo.git("update-ref", "-d", "refs/heads/gone")
    return sha


def new_paths(repo: Repository, head: str | None = "topic") -> list[str]:
    return [line.rsplit("/", 1)[1] for line in repaired(repo, head).changed()]


@pytest.mark.parametrize("ref", ["refs/heads/other", "refs/tags/v1", "refs/remotes/origin/other", "refs/pull/7/head"])
def test_the_merge_of_a_forked_main_takes_no_number_that_anything_has(repo: Repository, ref: str) -> None:
    repo.commit("main", chain(("023", "022"), ("024", "022")))
    repo.branch("gone", "main~1")
    put(repo, ref, repo.commit("gone", revision("025", "022")))
    repo.git("update-ref", "-d", "refs/heads/gone")
    result = repaired(repo, None)
    assert isinstance(result.plan, Merge)
    assert result.changed() == [f"A {VERSIONS}/026_merge_023_and_024.py"]
    assert result.alembic_heads() == ["026"]


def test_nor_one_of_a_pull_request_that_is_stacked_on_another(repo: Repository) -> None:
    repo.commit("main", chain(("023", "022"), ("024", "022")))
    first = pull(repo, 7, revision("025", "024"))
    pull(repo, 8, revision("026", "025"), first)
    assert new_paths(repo, None) == ["027_merge_023_and_024.py"]


def test_a_number_that_only_a_file_bears_counts_too(repo: Repository) -> None:
    repo.commit("main", chain(("023", "022"), ("024", "022")))
    pull(
        repo,
        7,
        {f"{VERSIONS}/025_more.py": revision("cafe12345678", "022")[f"{VERSIONS}/cafe12345678_tcafe12345678.py"]},
    )
    assert new_paths(repo, None) == ["026_merge_023_and_024.py"]


def test_numbers_far_above_are_passed_over_and_not_counted_on_from(repo: Repository) -> None:
    """So the repair keeps its id while branches with higher ones come and go."""
    repo.commit("main", chain(("023", "022"), ("024", "022")))
    pull(repo, 7, revision("031", "022"))
    assert new_paths(repo, None) == ["025_merge_023_and_024.py"]


def test_a_row_that_a_database_has_named_is_no_id_for_a_repair(repo: Repository) -> None:
    repo.commit("main", chain(("023", "022"), ("024", "022")))
    time = "2026-11-28T10:15:00Z"
    known = ReportedDatabase("staging", "", ("024",), time, (("025", time), ("024", time)))
    repo.commit("ledger", {file_of("staging", ""): encoded(known)}, parents=[])
    put(repo, naming.DATABASES, repo.sha("ledger"))
    repo.git("update-ref", "-d", "refs/heads/ledger")
    assert json.loads(encoded(known))["held"] == {"025": time, "024": time}
    assert new_paths(repo, None) == ["026_merge_023_and_024.py"]


def named(id_: str, parent: str) -> dict[str, str]:
    """A revision whose id is its whole file name, as with `--rev-id 0004_phone`."""
    [text] = revision(id_, parent, id_).values()
    return {f"{VERSIONS}/{id_}.py": text}


def test_a_chain_that_moves_takes_numbers_that_are_free_everywhere(tmp_path: Path) -> None:
    """Here each of the two numbers that come next is used by a pull request, the second by a stacked one."""
    repo = Repository(tmp_path / "repo")
    repo.commit(
        "main", project() | named("0002_shop", "0001") | chain(("0001", None)) | named("0003_shop", "0002_shop")
    )
    repo.branch("topic", "main")
    repo.commit("topic", named("0004_phone", "0003_shop"))
    repo.commit("topic", named("0005_fax", "0004_phone"))
    repo.commit("main", named("0004_orders", "0003_shop"))
    first = pull(repo, 3, named("0006_notes", "0004_orders"))
    pull(repo, 4, named("0008_more", "0006_notes"), first)
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert sorted(result.changed()) == [
        f"R {VERSIONS}/0004_phone.py {VERSIONS}/0007_phone.py",
        f"R {VERSIONS}/0005_fax.py {VERSIONS}/0009_fax.py",
    ]
    assert result.alembic_heads() == ["0009_fax"]


def test_so_does_what_is_issued_anew(repo: Repository) -> None:
    repo.branch("topic", "main")
    repo.commit("topic", revision("023", "022", "mine"))
    repo.commit("main", revision("023", "022", "theirs"))
    pull(repo, 3, revision("024", "023"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert result.alembic_heads() == ["025"]


def test_looking_again_changes_nothing_under_whatever_name_the_repair_stands(repo: Repository) -> None:
    repo.branch("topic", "main")
    repo.commit("topic", revision("023", "022", "mine"))
    repo.commit("main", revision("023", "022", "theirs"))
    first = repaired(repo).sha()
    put(repo, "refs/heads/onehead/reissue/topic", first)
    put(repo, "refs/heads/mended", first)
    put(repo, "refs/pull/9/head", first)
    put(repo, "refs/remotes/origin/topic", first)
    assert repaired(repo).sha() == first


def test_of_two_repairs_one_goes_by_the_other_and_both_come_to_rest(repo: Repository) -> None:
    for name in ("alpha", "beta"):
        repo.branch(name, "main")
        repo.commit(name, revision("023", "022", name))
    repo.commit("main", revision("023", "022", "theirs"))
    for _ in range(3):
        for name in ("beta", "alpha"):
            put(repo, f"refs/heads/onehead/reissue/{name}", repaired(repo, name).sha())
    ends = {name: repaired(repo, name).sha() for name in ("alpha", "beta")}
    assert {name: repo.sha(f"onehead/reissue/{name}") for name in ends} == ends
    heads = {name: repaired(repo, name).alembic_heads() for name in ends}
    assert heads == {"alpha": ["024"], "beta": ["025"]}


def test_a_branch_that_took_a_repair_counts_as_any_other(repo: Repository) -> None:
    for name in ("alpha", "beta"):
        repo.branch(name, "main")
        repo.commit(name, revision("023", "022", name))
    repo.commit("main", revision("023", "022", "theirs"))
    repo.branch("beta", repaired(repo, "beta").sha())
    assert repaired(repo, "alpha").alembic_heads() == ["025"]
