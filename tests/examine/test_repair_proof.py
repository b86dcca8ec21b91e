"""A written repair is read again from git: what does not hold the chain that was planned is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.examine import repair
from onehead.examine.changes import prepare
from onehead.examine.repair import NotAsPromised, write_repair
from onehead.plan.plans import Reissue, Reparent
from onehead.revisions.model import FileChange
from tests.examine.end_to_end import judged, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository

PUBLISHED = f"{VERSIONS}/018_t018.py"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """018 on both sides; then 019 on main."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("017", None), ("018", "017")))
    repo.branch("topic", "main")
    repo.commit("main", revision("019", "018"))
    return repo


def move_away_and_take_the_path(repo: Repository, id_: str, parent: str = "018") -> None:
    """The branch moves the published file, and puts a revision of its own into its old path."""
    [own] = revision(id_, parent, "own").values()
    repo.commit("topic", {f"{VERSIONS}/018_kept.py": repo.read("main", PUBLISHED), PUBLISHED: own})


def test_a_branch_that_put_its_revision_into_the_path_of_a_published_one_is_re_parented(repo: Repository) -> None:
    move_away_and_take_the_path(repo, "e0e0")
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"R {PUBLISHED} {VERSIONS}/020_t018.py"]
    assert result.alembic_heads() == ["e0e0"]


def test_so_is_one_whose_id_is_taken(repo: Repository) -> None:
    move_away_and_take_the_path(repo, "019")
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert PUBLISHED not in repo.files(result.sha())
    assert result.alembic_heads() == ["020"]


def test_a_published_file_that_the_target_has_moved_is_merged_first(repo: Repository) -> None:
    """All of the target's revisions are in the branch, but the repair is worked out on where they are now."""
    repo.branch("topic", "main")
    repo.commit("main", {PUBLISHED: None, f"{VERSIONS}/018_better_name.py": repo.read("main", PUBLISHED)})
    repo.commit("topic", revision("020", "019"))
    repo.commit("topic", revision("021", "018"))
    result = repaired(repo)
    assert result.written is not None
    assert result.written.merged_first
    assert len(result.alembic_heads()) == 1


def test_the_target_is_not_merged_for_an_environment_that_is_not_repaired(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "two")
    one, two = "one/versions", "two/versions"
    repo.commit("main", project(one) | revision("a1", None, versions=one) | revision("b1", None, versions=two))
    repo.branch("topic", "main")
    repo.commit("main", revision("b2", "b1", versions=two))
    repo.commit("topic", revision("a2", "a1", versions=one) | revision("a3", "a1", versions=one))
    result = repaired(repo)
    assert result.written is not None
    assert [each.plan.kind for each in result.examination.environments] == ["reparent", "none"]
    assert not result.written.merged_first
    assert repo.sha(f"{result.sha()}^") == repo.sha("topic")
    assert result.alembic_heads(one) == ["a3"]


def test_a_new_path_that_exists_already_is_refused(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "taken")
    repo.commit("main", project() | chain(("0296", None), ("0297", "0296")))
    repo.branch("topic", "main")
    repo.commit("main", revision("0298", "0297", "theirs"))
    repo.commit("topic", revision("0298", "0297", "ours"))
    path = f"{VERSIONS}/0299_ours.py"
    repo.commit("topic", {path: "1" * 40}, modes={path: "160000"})
    result = repaired(repo)
    [reason] = result.plan.reasons
    assert (reason.code, result.written) == ("edit-failed", None)
    assert f"`{VERSIONS}/0298_ours.py` would become `{VERSIONS}/0299_ours.py`, which exists already" in reason.message


@pytest.mark.parametrize("strategy", ["reparent", "merge"])
def test_what_is_not_as_promised_is_thrown_away(repo: Repository, strategy: str) -> None:
    repo.commit("topic", revision("020", "018"))
    examination, trees, git = judged(repo, strategy="merge" if strategy == "merge" else "reparent")
    repairs = prepare(examination, trees)
    assert write_repair(git, repairs, trees) is not None
    [(place, changes)] = repairs.changes.items()
    copied = FileChange(f"{VERSIONS}/copy.py", repo.read("topic", f"{VERSIONS}/020_t020.py").encode())
    for wrong in ((*changes, copied), (copied,), (*changes, FileChange(PUBLISHED, None))):
        with pytest.raises(NotAsPromised, match="is not the one that was planned, so it was thrown away") as caught:
            write_repair(git, repairs._replace(changes={place: wrong}), trees)
        assert caught.value.exit_code == 1


def test_a_repair_whose_parent_is_not_on_the_branch_itself_is_thrown_away(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once merged into the target it would be well, but alone it does not load."""
    repo.commit("topic", revision("020", "018"))
    monkeypatch.setattr(repair, "_needs_target", lambda _: False)
    with pytest.raises(NotAsPromised, match="on `topic` its chain is not the one that was planned"):
        repaired(repo)
