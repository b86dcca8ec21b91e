"""The everyday collision, end to end on real git: what is written, and that Alembic sees one head afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from onehead.examine.changes import prepare
from onehead.examine.repair import TextConflict, write_repair
from onehead.gitrepo.git import Git
from onehead.plan.plans import Merge, ReasonCode, Refuse, Reissue, Reparent
from onehead.revisions import edit
from onehead.revisions.edit import Anatomy, EditProblem, dissect
from tests.examine.ends import judged, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository
from tests.shapes import make, numbered


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """018 on both sides; then 019 on main, and 020 and 021 on topic."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("017", None), ("018", "017")))
    repo.branch("topic", "main")
    repo.commit("main", revision("019", "018"))
    repo.commit("topic", revision("020", "018"))
    repo.commit("topic", revision("021", "020"))
    return repo


def test_a_branch_that_nobody_has_is_re_parented_by_one_line_and_its_comment(repo: Repository) -> None:
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"M {VERSIONS}/020_t020.py"]
    diff = repo.git("diff", "-U0", f"{result.sha()}^", result.sha())
    edits = [line for line in diff.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert edits == [
        "-Revises: 018",
        "+Revises: 019",
        '-down_revision: Union[str, Sequence[str], None] = "018"',
        '+down_revision: Union[str, Sequence[str], None] = "019"',
    ]
    assert result.alembic_heads() == ["021"]


def test_the_repair_stands_on_a_merge_of_the_target_that_adds_nothing_of_its_own(repo: Repository) -> None:
    result = repaired(repo)
    assert result.written is not None
    assert (result.written.base, result.written.merged_first, result.written.kind) == ("head", True, "reparent")
    below = repo.git("rev-parse", f"{result.sha()}^^@").split()
    assert below == [repo.sha("topic"), repo.sha("main")]
    assert repo.git("rev-parse", f"{result.sha()}^^{{tree}}") == repo.git("merge-tree", "--write-tree", "main", "topic")


def test_two_makers_write_the_same_commit(repo: Repository) -> None:
    assert repaired(repo).sha() == repaired(repo).sha()


def test_a_repaired_branch_needs_nothing_more(repo: Repository) -> None:
    repo.branch("topic", repaired(repo).sha())
    again = repaired(repo)
    assert (again.examination.verdict, again.plan.kind, again.written) == ("ok", "none", None)


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ("refs/heads/staging", "branch staging"),
        ("refs/tags/v1", "tag v1"),
        ("refs/remotes/origin/release", "branch origin/release"),
        ("refs/pull/7/head", "pull request #7"),
    ],
)
def test_what_stands_anywhere_else_is_merged(repo: Repository, ref: str, shown: str) -> None:
    repo.branch("side", "topic~1")
    repo.commit("side", {"README": "other work\n"})
    repo.git("update-ref", ref, repo.sha("side"))
    repo.git("update-ref", "-d", "refs/heads/side")
    result = repaired(repo)
    assert isinstance(result.plan, Merge)
    assert result.plan.merges == (("021", "019"),)
    assert [reason.code for reason in result.plan.reasons] == [ReasonCode.ESCAPED]
    assert f"is also on {shown}, so a database may have run it" in result.plan.reasons[0].message
    [change] = result.changed()
    assert change.startswith(f"A {VERSIONS}/")
    assert len(result.alembic_heads()) == 1


def test_a_staging_branch_moved_up_to_the_very_tip_is_an_escape(repo: Repository) -> None:
    repo.branch("staging", "topic")
    result = repaired(repo)
    assert isinstance(result.plan, Merge)
    assert "branch staging" in result.plan.reasons[0].message


def test_copies_of_the_branch_itself_are_no_escape(repo: Repository) -> None:
    repo.git("config", "remote.origin.url", "https://forge.invalid/team/repo.git")
    repo.git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    repo.git("update-ref", "refs/remotes/origin/topic", repo.sha("topic~1"))
    repo.git("update-ref", "refs/pull/3/head", repo.sha("topic~1"))
    repo.git("update-ref", "refs/pull/4/head", repo.sha("topic"))
    assert isinstance(repaired(repo).plan, Reparent)


def test_pull_requests_that_hold_the_revision_are_placed_by_one_walk_however_many_there_are(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forge keeps the refs of pull requests for ever, and each one made since holds what was there by then."""
    earlier = repo.sha("topic")
    repo.commit("topic", {"README": "more\n"})
    elsewhere = [repo.commit(f"side{number}", {"side": "x\n"}, parents=[earlier]) for number in range(6)]
    for number, sha in enumerate(elsewhere):
        repo.git("branch", "-D", f"side{number}")
        repo.git("update-ref", f"refs/pull/{number}/head", sha)
    started: list[str] = []
    start = Git.start

    def counted(self: Git, *args: str, **more: Any) -> Any:
        started.append(args[0])
        return start(self, *args, **more)

    monkeypatch.setattr(Git, "start", counted)
    costs = []
    for refs in (1, 6):
        for number in range(refs, 6):
            repo.git("update-ref", "-d", f"refs/pull/{number}/head")
        started.clear()
        plan = repaired(repo).plan
        costs.append(sorted(started))
        for number, sha in enumerate(elsewhere):
            repo.git("update-ref", f"refs/pull/{number}/head", sha)
        assert isinstance(plan, Merge)
        assert "pull request #0" in plan.reasons[0].message
    assert costs[0] == costs[1]


def test_our_own_repair_branches_and_their_pull_requests_are_no_escape(repo: Repository) -> None:
    first = repaired(repo)
    repo.branch("onehead/reparent/topic", first.sha())
    repo.git("update-ref", "refs/pull/9/head", first.sha())
    assert isinstance(repaired(repo).plan, Reparent)
    repo.git("update-ref", "-d", "refs/heads/onehead/reparent/topic")
    assert isinstance(repaired(repo).plan, Reparent)


def test_a_branch_whose_versions_were_moved_is_still_found_on_the_release_that_has_them_in_the_old_place(
    repo: Repository,
) -> None:
    repo.branch("release", "topic")
    repo.commit("release", {"README": "2.1\n"})
    moved = {path.replace("alembic/", "db/"): repo.read("topic", path) for path in repo.files("topic") if "/" in path}
    gone = dict.fromkeys(path for path in repo.files("topic") if "/" in path)
    repo.commit("topic", gone | moved | {"alembic.ini": "[alembic]\nscript_location = db\n"})
    [examined] = judged(repo)[0].environments
    assert examined.facts.environment.path == "db/versions"
    assert isinstance(examined.plan, Merge)
    assert {reason.code for reason in examined.plan.reasons} == {ReasonCode.ESCAPED}


def test_main_merged_into_the_branch_beforehand_needs_no_second_merge(repo: Repository) -> None:
    repo.merge("topic", "main")
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.written is not None
    assert not result.written.merged_first
    assert repo.git("rev-parse", f"{result.sha()}^").strip() == repo.sha("topic")
    assert result.alembic_heads() == ["021"]


def test_three_heads_are_joined_by_one_merge_with_the_targets_last(repo: Repository) -> None:
    repo.commit("topic", revision("020b", "018"))
    result = repaired(repo, strategy="merge")
    assert isinstance(result.plan, Merge)
    assert result.plan.merges == (("020b", "021", "019"),)
    [head] = result.alembic_heads()
    assert result.changed()[0].startswith("A ")
    assert head not in ("019", "020b", "021")


def test_a_branch_with_a_merge_of_its_own_moves_by_its_roots(repo: Repository) -> None:
    repo.branch("topic", "main~1")
    repo.commit("topic", revision("a1", "018") | revision("a2", "018") | revision("a3", ("a1", "a2")))
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert [move.revision for move in result.plan.moves] == ["a1", "a2"]
    assert result.changed() == [f"M {VERSIONS}/a1_ta1.py", f"M {VERSIONS}/a2_ta2.py"]
    assert result.alembic_heads() == ["a3"]


def test_a_fork_of_the_target_is_merged_where_it_is(repo: Repository) -> None:
    repo.merge("main", "topic")
    result = repaired(repo, None)
    assert isinstance(result.plan, Merge)
    assert result.written is not None
    assert (result.written.base, result.written.merged_first) == ("target", False)
    assert repo.git("rev-parse", f"{result.sha()}^").strip() == repo.sha("main")
    assert len(result.alembic_heads()) == 1


def test_a_merge_is_not_made_twice(repo: Repository) -> None:
    repo.merge("main", "topic")
    fix = repaired(repo, None)
    repo.branch("fix-heads", fix.sha())
    again = repaired(repo, None)
    assert again.written is None
    assert [reason.code for reason in again.plan.reasons] == [ReasonCode.MERGE_EXISTS]


def test_a_text_conflict_outside_of_the_fix_writes_nothing(repo: Repository) -> None:
    repo.commit("main", {"app.py": "x = 1\n"})
    repo.commit("topic", {"app.py": "x = 2\n"})
    with pytest.raises(TextConflict) as caught:
        repaired(repo)
    assert caught.value.paths == ("app.py",)


def test_a_text_conflict_in_the_configuration_does_not_hide_the_collision(repo: Repository) -> None:
    repo.commit("main", {"alembic.ini": "[alembic]\nscript_location = alembic\ntimezone = UTC\n"})
    repo.commit("topic", {"alembic.ini": "[alembic]\nscript_location = alembic\ntruncate_slug_length = 9\n"})
    examination, trees, git = judged(repo)
    assert examination.verdict == "collision"
    with pytest.raises(TextConflict):
        write_repair(git, prepare(examination, trees), trees)


def test_crlf_files_stay_crlf(repo: Repository) -> None:
    path = f"{VERSIONS}/020_t020.py"
    repo.commit("topic", {path: repo.read("topic", path).replace("\n", "\r\n")})
    result = repaired(repo)
    text = repo.read(result.sha(), path)
    assert text.count("\r\n") == text.count("\n")
    assert text == repo.read("topic", path).replace('"018"', '"019"').replace("Revises: 018", "Revises: 019")
    assert result.alembic_heads() == ["021"]


def test_a_link_to_a_revision_file_is_never_overwritten_with_the_revision(repo: Repository) -> None:
    path = f"{VERSIONS}/020_t020.py"
    text = repo.read("topic", path)
    repo.commit("topic", {"shared/020.py": text})
    repo.commit("topic", {path: "../../shared/020.py"}, modes={path: "120000"})
    result = repaired(repo)
    assert isinstance(result.plan, Refuse)
    assert result.written is None
    assert "symbolic link" in result.plan.reasons[0].message


def test_a_new_file_that_cannot_be_read_stops_the_repair_and_the_verdict_stays_a_collision(repo: Repository) -> None:
    repo.commit("topic", {f"{VERSIONS}/022_x.py": "revision = make()\ndown_revision = '021'\n"})
    result = repaired(repo)
    assert isinstance(result.plan, Refuse)
    assert (result.examination.verdict, result.examination.exit_code, result.written) == ("collision", 1, None)


def test_an_old_file_that_cannot_be_read_does_not_stop_it(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "old")
    odd = {f"{VERSIONS}/016_odd.py": "revision = make()\ndown_revision = None\n"}
    repo.commit("main", project() | odd | chain(("017", None)))
    repo.branch("topic", "main")
    repo.commit("main", revision("018", "017"))
    repo.commit("topic", revision("019", "017"))
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.examination.coverage[1:] == (4, 3, 0)


def test_same_number_other_slug_moves_on_to_the_next_number(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "numbers")
    repo.commit("main", project() | chain(("0296", None), ("0297", "0296")))
    repo.branch("topic", "main")
    repo.commit("main", revision("0298", "0297", "theirs"))
    repo.commit("topic", revision("0298", "0297", "ours"))
    repo.commit("topic", revision("0299", "0298", "more"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    # Numbers that the branch itself has used stay unused: nobody who has seen them there can mix them up.
    assert sorted(result.changed()) == [
        f"R {VERSIONS}/0298_ours.py {VERSIONS}/0300_ours.py",
        f"R {VERSIONS}/0299_more.py {VERSIONS}/0301_more.py",
    ]
    assert result.alembic_heads() == ["0301"]


def test_a_renumbered_branch_reads_each_file_a_few_times_however_many_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counter[str]()

    def counted(data: bytes) -> Anatomy | EditProblem:
        read["files"] += 1
        return dissect(data)

    monkeypatch.setattr(edit, "dissect", counted)
    repo = make(tmp_path / "diamonds", numbered(20))
    examination, trees, _ = judged(repo, "side")
    repairs = prepare(examination, trees)
    moved = [change for change in repairs.all() if change.new_path]
    assert len(moved) == 61
    # Once for the names, and the root once more for its parent.
    assert read["files"] == 62
    result = repaired(repo, "side")
    assert result.alembic_heads() == ["00124"]


def test_both_sides_add_the_same_path_and_the_fix_renames_ours(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "same-path")
    path = f"{VERSIONS}/0298_x.py"
    repo.commit("main", project() | chain(("0296", None), ("0297", "0296")))
    repo.branch("topic", "main")
    [theirs] = revision("0298_theirs", "0297", "x").values()
    [ours] = revision("0298_ours", "0297", "y").values()
    repo.commit("main", {path: theirs})
    repo.commit("topic", {path: ours})
    result = repaired(repo)
    assert result.examination.verdict == "collision"
    assert result.changed() == [f"A {VERSIONS}/0299_x.py"]
    assert repo.read(result.sha(), path) == theirs


def test_a_file_that_both_sides_carry_under_one_path_and_id_is_one_revision(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "carried-over")
    path = f"{VERSIONS}/0298_x.py"
    repo.commit("main", project() | chain(("0296", None), ("0297", "0296")))
    repo.branch("topic", "main")
    [text] = revision("0298", "0297", "x").values()
    repo.commit("main", {path: text})
    repo.commit("topic", {path: text.replace("sa.Integer()", "sa.BigInteger()")})
    result = repaired(repo)
    assert result.examination.verdict == "ok"


def test_the_same_hex_id_twice_gets_a_new_hex_id(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "hex")
    base, taken = "1f2e3d4c5b6a", "a1b2c3d4e5f6"
    repo.commit("main", project() | revision(base, None, "base"))
    repo.branch("topic", "main")
    repo.commit("main", revision(taken, base, "theirs"))
    repo.commit("topic", revision(taken, base, "ours"))
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    [head] = result.alembic_heads()
    assert len(head) == 12
    assert head != taken
    assert result.changed() == [f"R {VERSIONS}/{taken}_ours.py {VERSIONS}/{head}_ours.py"]


def test_a_deleted_parent_is_refused_and_names_who_removed_it(repo: Repository) -> None:
    repo.branch("topic", "main~1")
    repo.commit("topic", {f"{VERSIONS}/018_t018.py": None})
    result = repaired(repo)
    assert isinstance(result.plan, Refuse)
    assert result.examination.verdict == "broken"
    assert "which this branch removes" in result.plan.reasons[0].message


def test_a_renamed_file_is_the_same_revision(repo: Repository) -> None:
    path = f"{VERSIONS}/020_t020.py"
    repo.commit("topic", {path: None, f"{VERSIONS}/renamed.py": repo.read("topic", path)})
    result = repaired(repo)
    assert result.changed() == [f"M {VERSIONS}/renamed.py"]
    assert result.alembic_heads() == ["021"]


def test_a_squash_of_the_whole_chain_is_warned_about_and_not_repaired(repo: Repository) -> None:
    repo.branch("topic", "main")
    gone: dict[str, str | None] = dict.fromkeys(path for path in repo.files("main") if path.endswith(".py"))
    del gone["alembic/env.py"]
    repo.commit("topic", {**gone, **revision("squashed", None)})
    result = repaired(repo)
    assert (result.examination.verdict, result.plan.kind) == ("ok", "none")
    [finding] = [f for f in result.examination.environments[0].findings if f.code == "history-edited"]
    assert finding.revisions == ("017", "018", "019")
    assert finding.severity == "warning"


def test_an_environment_that_the_branch_removes_is_not_silently_gone(repo: Repository) -> None:
    repo.branch("topic", "main")
    repo.commit("topic", dict.fromkeys(repo.files("main")) | {"README": "no database any more\n"})
    result = repaired(repo)
    assert result.examination.verdict == "ok"
    [examined] = result.examination.environments
    assert [(f.code, f.severity) for f in examined.findings] == [("history-edited", "warning")]
