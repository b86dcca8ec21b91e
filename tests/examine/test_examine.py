"""Two commits in, a judged examination out: coverage, conflicts, what both sides did to the same file."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.examine.examine import examine, read_target
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.plan.findings import Evidence
from onehead.plan.plans import Merge, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.verdict import Point
from tests.examine.end_to_end import alembic_heads, judged, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository

BASE = project() | chain(("a1", None), ("b1", "a1"))


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", BASE)
    repo.branch("topic", "main")
    return repo


def codes(repo: Repository) -> list[tuple[str, str]]:
    return [(f.code, f.severity) for e in judged(repo)[0].environments for f in e.findings]


def test_an_examination_says_what_it_looked_at(repo: Repository) -> None:
    repo.commit("topic", revision("c1", "b1") | {f"{VERSIONS}/__init__.py": "", "README": "x"})
    examination = judged(repo)[0]
    assert (examination.verdict, examination.exit_code) == ("ok", 0)
    assert examination.coverage == (1, 3, 3, 0)
    assert examination.merge_base == repo.sha("main")
    assert (examination.target.sha, examination.head and examination.head.sha) == (repo.sha("main"), repo.sha("topic"))
    [examined] = examination.environments
    assert examined.facts.environment.path == VERSIONS
    assert examined.facts.merged.heads == ("c1",)


def test_a_repository_without_migrations_is_healthy_and_says_so(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "other")
    repo.commit("main", {"app.py": "revision = 'x'\n"})
    examination = judged(repo, None)[0]
    assert (examination.verdict, examination.coverage, examination.environments) == ("ok", (0, 0, 0, 0), ())


def test_the_first_environment_of_a_repository_is_no_finding(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "fresh")
    repo.commit("main", {"README": "x"})
    repo.branch("topic", "main")
    repo.commit("topic", BASE)
    assert codes(repo) == []


def test_both_sides_edit_a_published_file_and_it_stays_one_revision(repo: Repository) -> None:
    path = f"{VERSIONS}/b1_tb1.py"
    text = repo.read("main", path)
    repo.commit("main", {path: text.replace("pass", "x").replace("tb1", "theirs")})
    repo.commit("topic", {path: text.replace("tb1", "ours")})
    assert codes(repo) == [("text-conflict", "note")]


def test_one_side_edits_and_the_other_deletes(repo: Repository) -> None:
    path = f"{VERSIONS}/b1_tb1.py"
    repo.commit("main", {path: repo.read("main", path).replace("tb1", "theirs")})
    repo.commit("topic", {path: None})
    assert codes(repo) == [("text-conflict", "note")]


def test_both_sides_add_a_file_of_one_name_with_ids_of_their_own(repo: Repository) -> None:
    path = f"{VERSIONS}/next.py"
    repo.commit("main", {path: revision("c1", "b1")[f"{VERSIONS}/c1_tc1.py"]})
    repo.commit("topic", {path: revision("d1", "b1")[f"{VERSIONS}/d1_td1.py"]})
    result = repaired(repo)
    assert isinstance(result.plan, Reparent)
    assert result.changed() == [f"A {VERSIONS}/td1.py"]
    assert repo.read(result.sha(), path) == repo.read("main", path)
    assert alembic_heads(repo, result.sha()) == alembic_heads(repo, result.merged()) == ["d1"]


def test_a_taken_id_after_main_was_merged_into_the_branch(repo: Repository) -> None:
    repo.commit("main", revision("c1", "b1", "theirs"))
    repo.commit("topic", revision("c1", "b1", "ours") | revision("d1", "c1"))
    repo.merge("topic", "main")
    result = repaired(repo)
    assert isinstance(result.plan, Reissue)
    assert result.plan.files == (("c1", f"{VERSIONS}/c1_ours.py"),)
    assert result.written is not None
    assert not result.written.merged_first
    assert len(result.alembic_heads()) == 1


def test_a_taken_id_in_the_middle_of_an_escaped_chain_is_left_to_a_person(repo: Repository) -> None:
    repo.commit("main", revision("c1", "b1", "theirs"))
    repo.commit("topic", revision("c1", "b1", "ours") | revision("d1", "c1"))
    repo.branch("staging", "topic")
    repo.commit("staging", {"README": "x"})
    result = repaired(repo)
    assert [reason.code for reason in result.plan.reasons] == [ReasonCode.DUPLICATE_PUBLISHED]
    assert result.written is None


def test_a_shallow_clone_knows_too_little_to_re_parent(repo: Repository, tmp_path: Path) -> None:
    repo.commit("main", revision("c1", "b1"))
    repo.commit("topic", revision("d1", "b1"))
    repo.merge("topic", "main")
    repo.commit("topic", {"README": "x"})
    shallow = Repository(tmp_path / "shallow")
    shallow.git("fetch", "--quiet", "--depth=3", f"file://{repo.path}", "main:main", "topic:topic")
    assert shallow.git("rev-parse", "--is-shallow-repository").strip() == "true"
    [examined] = judged(shallow)[0].environments
    assert isinstance(examined.plan, Merge)
    assert [reason.code for reason in examined.plan.reasons] == [ReasonCode.EVIDENCE_INCOMPLETE]


def test_a_clone_of_a_single_branch_knows_too_little_either(repo: Repository) -> None:
    repo.commit("main", revision("c1", "b1"))
    repo.commit("topic", revision("d1", "b1"))
    repo.git("config", "remote.origin.url", "https://forge.invalid/team/repo.git")
    repo.git("config", "remote.origin.fetch", "+refs/heads/topic:refs/remotes/origin/topic")
    [examined] = judged(repo)[0].environments
    assert [reason.code for reason in examined.plan.reasons] == [ReasonCode.EVIDENCE_INCOMPLETE]


def test_a_configuration_problem_is_reported_once(repo: Repository) -> None:
    repo.commit("topic", {"other/alembic.ini": "[alembic]\nscript_location = nowhere\n"})
    repo.commit("topic", {"svc/alembic.ini": "[alembic]\nscript_location = svc/db\n", "svc/db/env.py": ""})
    repo.commit("topic", revision("x1", None, versions="svc/db/versions"))
    assert codes(repo) == [("unreadable-config", "warning")]


def test_a_file_with_conflict_markers_cannot_be_judged(repo: Repository) -> None:
    text = "revision = 'c1'\n<<<<<<< HEAD\ndown_revision = 'a1'\n=======\ndown_revision = 'b1'\n>>>>>>> x\n"
    repo.commit("topic", {f"{VERSIONS}/c1.py": text})
    examination = judged(repo)[0]
    assert (examination.verdict, examination.exit_code) == ("unreadable", 3)
    [finding] = examination.own_errors()
    assert finding.message == (f"`{VERSIONS}/c1.py`, line 2: it is not Python while git's conflict markers are in it.")


def with_body(old: str, new: str) -> dict[str, str]:
    """A revision of the branch with something else in its `downgrade`."""
    return {path: text.replace(old, new) for path, text in revision("c1", "b1").items()}


UNCLOSED = with_body("    op.drop_table(", "    op.drop_table((")


def test_a_new_file_that_python_cannot_load_is_an_error_of_who_brings_it(repo: Repository) -> None:
    repo.commit("topic", UNCLOSED)
    examination = judged(repo)[0]
    assert (examination.verdict, examination.exit_code) == ("broken", 1)
    [finding] = examination.own_errors()
    assert (finding.code, finding.blinds, finding.revisions) == ("unreadable-file", False, ("c1",))
    assert finding.message == (
        f"`{VERSIONS}/c1_tc1.py`, line 26: it is not Python ('(' was never closed); every Alembic command stops with "
        "SyntaxError."
    )
    assert isinstance(examination.environments[0].plan, Refuse)
    with pytest.raises(SyntaxError):
        alembic_heads(repo, "topic")
    repo.branch("main", "topic")
    repo.commit("topic", {"README": "x"})
    assert judged(repo)[0].exit_code == 0


def test_what_was_remembered_before_it_was_new_is_looked_at_again(repo: Repository) -> None:
    repo.commit("topic", UNCLOSED)
    git, memory = Git(str(repo.path)), Memory(None)
    target, head = (Point(name, repo.sha(name)) for name in ("main", "topic"))
    read_target(git, head, memory)
    for _ in range(2):
        examination, _ = examine(git, target, head, memory=memory, evidence=lambda _facts, _policy: Evidence())
        assert examination.verdict == "broken"


def test_a_new_file_for_another_python_is_a_note(repo: Repository) -> None:
    repo.commit("topic", with_body("    op.drop_table(", "    print 'x'\n    op.drop_table("))
    assert codes(repo) == [("unreadable-file", "note")]


def test_conflict_markers_below_a_plain_header_are_an_error_alone_too(repo: Repository) -> None:
    repo.commit("main", with_body("def downgrade", "<<<<<<< a\n=======\n>>>>>>> b\ndef downgrade"))
    examination = judged(repo, None)[0]
    assert (examination.verdict, [each.code for each in examination.own_errors()]) == ("broken", ["unreadable-file"])


def test_links_are_followed_inside_the_repository_and_reported_when_they_lead_out(repo: Repository) -> None:
    inside = revision("c1", "b1")[f"{VERSIONS}/c1_tc1.py"]
    repo.commit("topic", {"shared/c1.py": inside})
    repo.commit("topic", {f"{VERSIONS}/c1.py": "../../shared/c1.py"}, modes={f"{VERSIONS}/c1.py": "120000"})
    assert judged(repo)[0].environments[0].facts.merged.heads == ("c1",)
    repo.commit("topic", {f"{VERSIONS}/out.py": "../../../out.py"}, modes={f"{VERSIONS}/out.py": "120000"})
    assert judged(repo)[0].verdict == "unreadable"


def test_nothing_is_run_and_nothing_is_left_behind(repo: Repository, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    bomb = f"__import__('pathlib').Path({str(trace)!r}).touch()\n"
    files = revision("c1", "b1")
    repo.commit("topic", {path: bomb + text for path, text in files.items()} | {"alembic/env.py": bomb})
    repo.commit("topic", {"alembic/script.py.mako": f"<% {bomb} %>", f"{VERSIONS}/__init__.py": bomb})
    repo.commit("main", revision("d1", "b1"))
    refs = repo.git("for-each-ref")
    assert repaired(repo).written is not None
    assert not trace.exists()
    assert repo.git("for-each-ref") == refs
