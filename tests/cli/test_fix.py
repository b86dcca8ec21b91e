"""`onehead fix` at a terminal: one commit on a new branch, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.examine import changes
from tests.cli.terminal_runs import Run, clone, story
from tests.migrations import chain, merged, project, revision
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return story(tmp_path / "shop.git")


def test_the_main_story(repo: Repository, run: Run) -> None:
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth")
    fixed = repo.sha("onehead/reparent/oauth")
    assert (done.code, done.err) == (1, "")
    assert (
        done.out
        == f"""\
Collision. Judged oauth ({repo.sha("oauth")[:10]}) as if merged into main ({repo.sha("main")[:10]}).
Read 1 environment, 5 of 5 revision files.

alembic/versions: 2 heads (003, 005)
  Plan: re-parent. `004` moves from `002` onto `003`.
    because: `004` and `005` exist on no other branch or tag, so no shared database should have run them. If one has, \
it would silently skip `003`: use `--strategy merge`. The chain stays linear on `003`.

--- a/alembic/versions/004_custom_notes.py
+++ b/alembic/versions/004_custom_notes.py
@@ -3,3 +3,3 @@
 Revision ID: 004
-Revises: 002
+Revises: 003
 Create Date: 2024-01-01 12:00:00.000000
@@ -15,3 +15,3 @@
 revision: str = "004"
-down_revision: Union[str, Sequence[str], None] = "002"
+down_revision: Union[str, Sequence[str], None] = "003"
 branch_labels: Union[str, Sequence[str], None] = None

Written: branch onehead/reparent/oauth, commit {fixed}
  The branch starts with a clean merge of the target, which has the new parent revision.
Your own database: if it has run this branch, undo that before you merge:
  alembic downgrade 002
  If you did not: with 005 in alembic_version, `alembic upgrade head` exits with 0, but 003 never runs.
  The way out, once the repair is merged:
    alembic stamp --purge 002
    alembic upgrade 003
    alembic stamp --purge 005
    alembic upgrade head
Next: git -C {repo.path} fetch . refs/heads/onehead/reparent/oauth:refs/heads/oauth
"""
    )
    assert repo.git("diff", "--numstat", f"{fixed}^", fixed) == "2\t2\talembic/versions/004_custom_notes.py\n"
    assert repo.git("rev-parse", f"{fixed}^^1", f"{fixed}^^2").split() == [repo.sha("oauth"), repo.sha("main")]
    assert run("check", "--repo", repo.path, "--target", "main", "--head", "onehead/reparent/oauth").code == 0


def test_json_names_branch_commit_and_base(repo: Repository, run: Run) -> None:
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json")
    told = done.json
    assert (done.code, told["schema"], told["branch"], told["base"]) == (
        1,
        "onehead.fix/1",
        "onehead/reparent/oauth",
        "head",
    )
    assert told["sha"] == repo.sha("onehead/reparent/oauth")


def test_twice_gives_the_same_commit(repo: Repository, run: Run, tmp_path: Path) -> None:
    args = ("fix", "--target", "main", "--head", "oauth", "--format", "json", "--repo")
    first = run(*args, repo.path).json["sha"]
    again = run(*args, repo.path).json["sha"]
    elsewhere = run(*args, story(tmp_path / "other.git").path).json["sha"]
    assert first == again == elsewhere


@pytest.mark.parametrize(("strategy", "kind", "head"), [("merge", "merge", "006"), ("reparent", "reparent", "005")])
def test_the_strategy_decides(repo: Repository, run: Run, strategy: str, kind: str, head: str) -> None:
    done = run(
        *("fix", "--repo", repo.path, "--target", "main", "--head", "oauth"),
        *("--strategy", strategy, "--onto-branch", "mended", "--format", "json"),
    )
    assert (done.json["branch"], done.json["environments"][0]["plan"]["kind"]) == ("mended", kind)
    after = run("check", "--repo", repo.path, "--target", "main", "--head", "mended", "--format", "json")
    assert (after.code, after.json["environments"][0]["heads"]["merged"]) == (0, [head])


def test_what_stands_on_another_branch_is_merged(repo: Repository, run: Run) -> None:
    repo.branch("staging", "oauth")
    repo.commit("staging", {"DEPLOYED": "today\n"})
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert "Plan: merge. One merge revision joins `005` and `003`." in done.out
    assert "`004` is also on branch staging, so a database may have run it" in done.out
    assert repo.ref("refs/heads/onehead/merge/oauth") is not None


def test_a_branch_that_a_person_made_is_left_alone(repo: Repository, run: Run) -> None:
    repo.branch("mine", "main")
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth", "--onto-branch", "mine")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "onehead: The branch `mine` exists and its last commit is not onehead's, so it was not changed.\n"
        "  → Choose another name with `--onto-branch NAME`, or delete that branch if it is no longer wanted.\n"
    )
    assert repo.sha("mine") == repo.sha("main")


def test_an_own_branch_is_renewed_after_a_push(repo: Repository, run: Run) -> None:
    args = ("fix", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json")
    old = run(*args).json["sha"]
    repo.commit("oauth", {"README": "More.\n"}, "More work")
    new = run(*args).json["sha"]
    assert old != new
    assert repo.sha("onehead/reparent/oauth") == new


def test_the_work_tree_and_the_index_stay_untouched(repo: Repository, run: Run, tmp_path: Path) -> None:
    work = clone(repo, tmp_path / "work", "--branch", "oauth")
    head = repo.git("-C", str(work), "rev-parse", "HEAD")
    done = run("fix", "--repo", work)
    assert done.code == 1
    assert "Written: branch onehead/reparent/oauth" in done.out
    assert repo.git("-C", str(work), "status", "--porcelain") == ""
    assert repo.git("-C", str(work), "rev-parse", "HEAD") == head
    assert repo.git("-C", str(work), "symbolic-ref", "HEAD") == "refs/heads/oauth\n"


def test_what_a_repair_leaves_is_told_and_what_it_mends_is_not(repo: Repository, run: Run) -> None:
    """A missing parent in one environment, for a person to look at, beside the fork of another one."""
    second = {"billing/alembic.ini": "[alembic]\nscript_location = %(here)s\n", "billing/env.py": ""}
    other = merged(second, revision("b1", None, "one", "billing/versions"))
    repo.commit("main", other)
    repo.commit("oauth", merged(other, revision("b2", "gone", "two", "billing/versions")))
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert (done.code, "Written: branch onehead/" in done.out) == (1, True)
    assert "error missing-parent: `b2` names `gone` as its parent" in done.out
    assert "error collision" not in done.out
    assert "`onehead fix`" not in done.out


def test_a_refusal_says_its_sentence_once_and_gives_no_advice_that_it_refuses(repo: Repository, run: Run) -> None:
    """Both sides make the same table: no repair of the chain helps, and `onehead fix` is no way out."""
    repo.commit("oauth", merged(revision("006", "005", "player_teams")))
    for verb in ("check", "fix"):
        done = run(verb, "--repo", repo.path, "--target", "main", "--head", "oauth")
        assert done.code == 1
        assert done.out.count("whichever runs second fails") == 1
        assert "onehead fix" not in done.out
        assert done.out.count("    - Change the newer of the two revisions") == 1
        assert "→" not in done.out


def test_nothing_to_write(repo: Repository, run: Run) -> None:
    done = run("fix", "--repo", repo.path, "--target", "main")
    assert done.code == 0
    assert done.out.endswith("\nalembic/versions: 1 head (003)\n\nNothing to write.\n")
    assert "sha" not in run("fix", "--repo", repo.path, "--target", "main", "--format", "json").json


def test_a_fork_of_the_target_itself_is_merged(repo: Repository, run: Run) -> None:
    repo.commit("main", revision("006", "002"), "Lands beside 003")
    done = run("fix", "--repo", repo.path, "--target", "main", "--format", "json")
    assert (done.code, done.json["base"], done.json["branch"]) == (1, "target", "onehead/merge/main")
    assert repo.sha(f"{done.json['sha']}^") == repo.sha("main")
    assert run("check", "--repo", repo.path, "--target", "onehead/merge/main").code == 0


def test_a_textual_conflict_elsewhere_writes_no_branch(repo: Repository, run: Run) -> None:
    repo.commit("main", {"README": "Ours.\n"})
    repo.commit("oauth", {"README": "Theirs.\n"})
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert done.code == 1
    assert "No branch was written." in done.out
    assert "README" in done.out
    told = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json").json
    assert told["text_conflicts"] == ["README"]
    assert "sha" not in told
    assert repo.git("for-each-ref", "refs/heads/onehead") == ""


def test_heads_of_which_one_needs_another_are_joined_two_by_two(tmp_path: Path, run: Run) -> None:
    """One merge of the three makes Alembic stop with a `KeyError`, whatever the database holds."""
    repo = Repository(tmp_path / "needy.git")
    files = merged(project(), chain(("001", None), ("002", "001"), ("003", "001"), ("004", "001")))
    [needy] = (path for path in files if "/004_" in path)
    files[needy] = files[needy].replace("depends_on: Union[str, Sequence[str], None] = None", 'depends_on = "002"')
    assert 'depends_on = "002"' in files[needy]
    repo.commit("main", files)
    done = run("fix", "--repo", repo.path, "--target", "main")
    assert "so they are joined two by two." in done.out
    assert run("check", "--repo", repo.path, "--target", "onehead/merge/main").code == 0

    folder = checked_out(repo, "onehead/merge/main", tmp_path / "fixed")
    for number, start in enumerate(([], ["002"], ["003"], ["004"], ["002", "003"], ["003", "004"])):
        database = Deployment(folder, f"sqlite:///{tmp_path}/{number}.sqlite")
        for each in start:
            database.upgrade(each)
        database.upgrade()
        assert database.rows() == ("006",)
        assert {"t001", "t002", "t003", "t004"} <= set(database.tables())


def test_a_repair_that_is_read_again_and_is_not_as_planned_becomes_a_refusal(
    repo: Repository, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the moved file is added and the old one stays, so that its id is there twice."""
    monkeypatch.setattr(changes, "_is_theirs", lambda *_: True)
    done = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth")
    assert done.code == 1
    assert "is not the one that was planned, so it was thrown away." in done.out
    assert "Nothing to write." in done.out
    told = run("fix", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "json").json
    [environment] = told["environments"]
    assert (environment["plan"]["kind"], environment["plan"]["changes"]) == ("refuse", [])
    assert "sha" not in told
    assert repo.git("for-each-ref", "refs/heads/onehead") == ""
