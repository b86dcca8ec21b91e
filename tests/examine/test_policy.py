"""What a repository's policy changes in verdicts and repairs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from onehead.examine.evidence import Others, gather_evidence
from onehead.examine.examine import examine, read_policy
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.plan.findings import Code
from onehead.plan.plans import Merge, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.policy import Policy
from onehead.plan.verdict import Point
from tests.examine.end_to_end import judged, repaired
from tests.migrations import VERSIONS, chain, project, revision
from tests.repositories import Repository

Files = Mapping[str, str | None]


def collision(folder: Path, policy: str = "", on_topic: Files | None = None) -> Repository:
    """018 on both sides; 019 on main, 020 and 021 on topic; the policy on both."""
    repo = Repository(folder / "repo")
    repo.commit(
        "main", project() | chain(("017", None), ("018", "017")) | ({".onehead.toml": policy} if policy else {})
    )
    repo.branch("topic", "main")
    repo.commit("main", revision("019", "018"))
    repo.commit("topic", {**revision("020", "018"), **(on_topic or {})})
    repo.commit("topic", revision("021", "020"))
    return repo


def codes(reasons: tuple[tuple[ReasonCode, str], ...]) -> list[ReasonCode]:
    return [code for code, _ in reasons]


def test_the_strategy_of_the_policy_is_taken_and_an_explicit_one_goes_before_it(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'strategy = "merge"\n')
    assert isinstance(repaired(repo, strategy=None).plan, Merge)
    assert isinstance(repaired(repo, strategy="reparent").plan, Reparent)


def test_a_push_can_not_relax_its_own_rules(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'strategy = "merge"\n', {".onehead.toml": 'strategy = "reparent"\n'})
    assert isinstance(repaired(repo, strategy=None).plan, Merge)


def test_what_a_shared_database_runs_has_escaped_even_while_it_is_judged(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'shared-databases = ["top*"]\n')
    plan = repaired(repo, strategy=None).plan
    assert isinstance(plan, Merge)
    assert codes(plan.reasons) == [ReasonCode.ESCAPED, ReasonCode.ESCAPED]
    assert "branch topic, whose migrations a shared database runs" in plan.reasons[0].message


def test_fresh_ids_leave_no_old_id_behind_and_the_chain_at_one_head(tmp_path: Path) -> None:
    repo = collision(tmp_path, "fresh-ids = true\n")
    result = repaired(repo, strategy=None)
    assert isinstance(result.plan, Reissue)
    assert codes(result.plan.reasons) == [ReasonCode.NOT_ESCAPED, ReasonCode.FRESH_IDS]
    [head] = result.alembic_heads()
    ids = {
        path.rpartition("/")[2].split("_")[0]
        for path in repo.git("ls-tree", "-r", "--name-only", result.sha(), VERSIONS).split()
    }
    assert head in ids
    assert ids.isdisjoint({"020", "021"})
    assert len(ids) == 5


@pytest.mark.parametrize("allowed", ["2", '{ "alembic/*" = 2 }'])
def test_as_many_heads_as_are_allowed_are_no_fork(tmp_path: Path, allowed: str) -> None:
    examination, _, _ = judged(collision(tmp_path, f"allowed-heads = {allowed}\n"), strategy=None)
    assert examination.verdict == "ok"


def test_one_head_more_than_allowed_is_a_collision(tmp_path: Path) -> None:
    repo = collision(tmp_path, "allowed-heads = 2\n")
    repo.branch("topic", "topic")
    repo.commit("topic", revision("022", "018"))
    examination, _, _ = judged(repo, strategy=None)
    assert examination.verdict == "collision"


def test_environments_that_are_ignored_are_counted_and_not_judged(tmp_path: Path) -> None:
    examination, _, _ = judged(collision(tmp_path, 'ignore-environments = ["alembic/*"]\n'), strategy=None)
    assert (examination.verdict, examination.coverage) == ("ok", (0, 0, 0, 1))


def test_a_bad_policy_is_an_error_of_the_branch_that_brings_it(tmp_path: Path) -> None:
    repo = collision(tmp_path, "", {".onehead.toml": "# ours\nfresh_ids = true\n"})
    examination, _, _ = judged(repo, strategy=None)
    [finding] = examination.findings
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.BAD_POLICY, "error", "head")
    assert finding.message == (
        "`.onehead.toml`, line 2: `fresh_ids` is not a key of onehead's policy. Did you mean `fresh-ids`?"
    )


def test_a_bad_policy_of_the_target_is_a_warning_and_nothing_is_re_parented_on_its_word(tmp_path: Path) -> None:
    repo = collision(tmp_path, "shared-database = ['topic']\n")
    result = repaired(repo, strategy=None)
    [finding] = result.examination.findings
    assert (finding.severity, finding.introduced_by) == ("warning", "target")
    assert isinstance(result.plan, Merge)
    assert codes(result.plan.reasons) == [ReasonCode.POLICY_DOUBTFUL]


def test_a_bad_policy_is_an_error_when_the_target_itself_is_judged(tmp_path: Path) -> None:
    repo = collision(tmp_path, "nonsense = 1\n")
    examination, _, _ = judged(repo, None, strategy=None)
    assert (examination.verdict, examination.exit_code) == ("broken", 1)


def test_a_shared_database_is_seen_where_the_checkout_stands_on_no_branch(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'shared-databases = ["staging"]\n')
    repo.branch("staging", "topic")
    repo.git("update-ref", "-d", "refs/heads/topic")
    git, memory, main, commit = Git(str(repo.path)), Memory(None), repo.sha("main"), repo.sha("staging")
    into, head = Point("refs/heads/main", main), Point(commit, commit)
    examination, _ = examine(
        git,
        into,
        head,
        memory=memory,
        evidence=lambda facts, policy: gather_evidence(Others(git, memory), facts, policy, into, head),
    )
    [examined] = examination.environments
    assert isinstance(examined.plan, Merge)
    assert "branch staging, whose migrations a shared database runs" in examined.plan.reasons[0].message


def test_fresh_ids_in_a_project_that_numbers_files_and_not_ids(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | {".onehead.toml": "fresh-ids = true\n"} | numbered("0001", "aaaaaaaaaaaa", None))
    repo.branch("topic", "main")
    repo.commit("main", numbered("0002", "bbbbbbbbbbbb", "aaaaaaaaaaaa", "of_main"))
    repo.commit("topic", numbered("0002", "cccccccccccc", "aaaaaaaaaaaa", "of_topic"))
    repo.commit("topic", numbered("0003", "dddddddddddd", "cccccccccccc", "later"))
    result = repaired(repo, strategy=None)
    assert isinstance(result.plan, Reissue)
    [head] = result.alembic_heads()
    text = repo.git("grep", "-h", "-E", "^(revision|down_revision)", result.merged(), "--", VERSIONS)
    assert "cccccccccccc" not in text
    assert "dddddddddddd" not in text
    assert head in text
    names = repo.git("ls-tree", "--name-only", result.merged(), f"{VERSIONS}/").split()
    assert [name.rpartition("/")[2].rpartition(".")[0] for name in names] == [
        "0001_first",
        "0002_of_main",
        "0003_of_topic",
        "0004_later",
    ]


def numbered(number: str, id_: str, parent: str | None, name: str = "first") -> dict[str, str]:
    [text] = revision(id_, parent).values()
    return {f"{VERSIONS}/{number}_{name}.py": text}


def test_an_explicit_reparent_under_fresh_ids_gives_every_reason_once(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'fresh-ids = true\nshared-databases = ["topic"]\n')
    plan = repaired(repo, strategy="reparent").plan
    assert isinstance(plan, Reissue)
    assert codes(plan.reasons) == [
        ReasonCode.STRATEGY,
        ReasonCode.ESCAPED,
        ReasonCode.ESCAPED,
        ReasonCode.FRESH_IDS,
    ]


def test_heads_within_the_allowed_number_are_explained(tmp_path: Path) -> None:
    plan = repaired(collision(tmp_path, "allowed-heads = 2\n"), strategy=None).plan
    assert [reason.message for reason in plan.reasons] == [
        "The heads `019` and `021` are no more than the 2 that the policy allows."
    ]


def test_a_branch_on_one_of_two_allowed_lines_is_repaired_on_that_line(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    lines = chain(("a1", None), ("a2", "a1"), ("b2", "a1"), ("b3", "b2"))
    repo.commit("main", project() | lines | {".onehead.toml": "allowed-heads = 2\n"})
    repo.branch("topic", "main")
    repo.commit("main", revision("b4", "b3"))
    repo.commit("topic", revision("x4", "b3"))
    result = repaired(repo, strategy=None)
    assert isinstance(result.plan, Reparent)
    [move] = result.plan.moves
    assert (move.revision, move.new_parents) == ("x4", ("b4",))
    assert result.alembic_heads() == ["a2", "x5"]
    [finding] = [each for each in result.examination.own_errors() if each.code is Code.COLLISION]
    assert finding.message == (
        "Once merged, the chain forks after `b3`: 2 heads (`b4` and `x4`); `x4` is the new one. "
        "The policy allows 2 heads here, and there are 3."
    )


def test_a_bad_policy_that_conflicts_with_the_targets_is_seen(tmp_path: Path) -> None:
    repo = collision(tmp_path, "fresh-ids = false\n", {".onehead.toml": "fresh-ids = 'no'\n"})
    repo.commit("main", {".onehead.toml": "fresh-ids = true\n"})
    examination, trees, _ = judged(repo, strategy=None)
    assert trees.merge is not None
    assert list(trees.merge.conflicts) == [".onehead.toml"]
    assert [(each.severity, each.introduced_by, each.line) for each in examination.findings] == [("error", "head", 1)]


def test_a_branch_that_mends_the_policy_of_the_target_has_no_finding(tmp_path: Path) -> None:
    repo = collision(tmp_path, "nonsense = 1\n", {".onehead.toml": "fresh-ids = true\n"})
    examination, _, _ = judged(repo, strategy=None)
    assert examination.findings == ()


def test_a_policy_behind_a_link_is_a_problem(tmp_path: Path) -> None:
    repo = collision(tmp_path)
    repo.commit("topic", {".onehead.toml": "elsewhere.toml"}, modes={".onehead.toml": "120000"})
    [finding] = judged(repo, strategy=None)[0].findings
    assert finding.message == ("`.onehead.toml`: It is a symbolic link, so no policy was read. Write a plain file.")


def test_the_policy_of_a_commit_is_what_its_tree_says(tmp_path: Path) -> None:
    repo = collision(
        tmp_path, "fresh-ids = true\n", {".onehead.toml": None, "pyproject.toml": "[tool.onehead]\nx = 1\n"}
    )
    git = Git(str(repo.path))
    assert read_policy(git, repo.sha("main")) == (Policy(fresh_ids=True), ())
    found = read_policy(git, repo.sha("topic"))
    assert found.policy == Policy(doubtful=True)
    assert [(each.path, each.line) for each in found.problems] == [("pyproject.toml", 2)]
    repo.commit("other", {".onehead.toml/README": "a directory"})
    assert read_policy(git, repo.sha("other")) == (Policy(), ())


def test_configuration_without_any_environment_is_a_finding_of_the_repository(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", {"README": "x"})
    repo.branch("topic", "main")
    repo.commit("topic", {"alembic.ini": "[alembic]\nscript_location = nowhere\n"})
    examination, _, _ = judged(repo, strategy=None)
    assert (examination.environments, examination.verdict) == ((), "ok")
    [finding] = examination.findings
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.UNREADABLE_CONFIG, "warning", "head")
    assert finding.message.startswith("`alembic.ini`, line 2: ")
    repo.branch("main", "topic")
    repo.commit("topic", {"README": "y"})
    [known] = judged(repo, strategy=None)[0].findings
    assert (known.severity, known.introduced_by) == ("note", "target")


def test_a_problem_is_not_hidden_on_an_environment_that_is_ignored(tmp_path: Path) -> None:
    repo = collision(tmp_path, 'ignore-environments = ["alembic/*"]\n')
    repo.commit("topic", {"other/alembic.ini": "[alembic]\nscript_location = nowhere\n"})
    examination, _, _ = judged(repo, strategy=None)
    assert [finding.code for finding in examination.findings] == [Code.UNREADABLE_CONFIG]


OWN = "# Part of: {{ parents | join(' + ') }}\n{{ copy }}"


def with_template(folder: Path, text: str | None, on_topic: str | None = None) -> Repository:
    repo = collision(folder, 'strategy = "merge"\nmerge-template = "alembic/own.j2"\n')
    if text is not None:
        repo.commit("main", {"alembic/own.j2": text})
    if on_topic is not None:
        repo.commit("topic", {"alembic/own.j2": on_topic})
    return repo


def test_a_repository_has_its_own_template_for_merges_on_the_target_branch(tmp_path: Path) -> None:
    result = repaired(with_template(tmp_path, OWN), strategy=None)
    [change] = result.repairs.all()
    assert change.data is not None
    assert change.data.startswith(b'# Part of: 021 + 019\n"""merge 019 and 021\n')
    assert result.alembic_heads() == ["022"]


def test_a_template_of_the_branch_is_not_used(tmp_path: Path) -> None:
    result = repaired(with_template(tmp_path, None, "{{ copy }}"), strategy=None)
    assert isinstance(result.plan, Refuse)
    assert [reason.message for reason in result.plan.reasons] == [
        "The policy names `alembic/own.j2` as the template for merge revisions, and the target branch has no such file."
    ]
    assert result.plan.options == ("Add the file to the target branch, or remove `merge-template` from its policy.",)


@pytest.mark.parametrize("text", ["revision = '1'\n", "{{ copy }}\nbranch_labels = 'x'\n", "{{ secret }}", "{% if %}"])
def test_a_template_that_gives_no_merge_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    result = repaired(with_template(tmp_path, text), strategy=None)
    assert isinstance(result.plan, Refuse)
    assert result.written is None
    assert "The revision template" in result.plan.reasons[0].message
    assert "Correct the template" in result.plan.options[0]
