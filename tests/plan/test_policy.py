"""The policy as it is written, and what is said about what can't be used."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from onehead.plan.findings import KINDS, Code
from onehead.plan.policy import KEYS, Policy, PolicyProblem, read_policy_files, targets_of

ALL = """
targets = ["main", "release/*"]
strategy = "merge"
shared-databases = ["staging"]
fresh-ids = true
ignore-environments = ["legacy/*"]
allowed-heads = { "billing/versions" = 2, "*" = 1 }
delivery = "push"
branches = "status"
merge-template = "alembic/merge.py.j2"
heads-up = false
"""


def own(text: str) -> dict[str, bytes]:
    return {".onehead.toml": text.encode()}


def problems(files: dict[str, bytes]) -> list[PolicyProblem]:
    return list(read_policy_files(files).problems)


def test_every_key_is_read() -> None:
    found = read_policy_files(own(ALL))
    assert found.problems == ()
    assert found.policy == Policy(
        targets=("main", "release/*"),
        strategy="merge",
        shared_databases=("staging",),
        fresh_ids=True,
        ignore_environments=("legacy/*",),
        allowed_heads=(("billing/versions", 2), ("*", 1)),
        delivery="push",
        branches="status",
        merge_template="alembic/merge.py.j2",
        heads_up=False,
    )
    assert [key for key in KEYS if f"{key} = " not in ALL] == []


def test_who_wrote_a_wrong_key_reads_which_ones_there_are() -> None:
    assert re.findall(r"`([a-z-]+)`", KINDS[Code.BAD_POLICY].hint) == list(KEYS)


def test_without_a_policy_the_defaults_hold() -> None:
    assert read_policy_files({}) == (Policy(), ())
    assert read_policy_files({"pyproject.toml": b"[tool.black]\nline-length = 1\n# no onehead here\n"}) == (
        Policy(),
        (),
    )


def test_the_project_file_has_a_table_of_its_own() -> None:
    text = b'[project]\nname = "x"\n\n[tool.onehead]\nstrategy = "merge"\n'
    assert read_policy_files({"pyproject.toml": text}).policy == Policy(strategy="merge")


def test_the_own_file_goes_before_the_project_file_which_is_reported() -> None:
    found = read_policy_files(
        {**own('strategy = "merge"\n'), "pyproject.toml": b"\n[tool.onehead]\nfresh-ids = true\n"}
    )
    assert found.policy == Policy(strategy="merge", doubtful=True)
    assert found.problems == (
        PolicyProblem(
            "pyproject.toml",
            2,
            "`.onehead.toml` has the policy, so `[tool.onehead]` here is not read. Keep one of them.",
        ),
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# mine\nstrategi = 1\n", 2, "`strategi` is not a key of onehead's policy. Did you mean `strategy`?"),
        ('strategy = "rebase"\n', 1, '`strategy` is "rebase". Choose one of "auto", "merge", "reparent".'),
        (
            'merge-template = "../merge.py.j2"\n',
            1,
            '`merge-template` is "../merge.py.j2". Write a path from the top of the repository: "alembic/merge.py.j2".',
        ),
        ('\n\ntargets = "main"\n', 3, '`targets` is no list of patterns. Write it like ["main", "release/*"].'),
        ('fresh-ids = "yes"\n', 1, '`fresh-ids` is "yes". Write true or false, without quotes.'),
        (
            "[allowed-heads]\nother = 2\nbilling = 0\n",
            3,
            '`allowed-heads` is 0. Write a number from 1 on, or one for each environment: { "billing/versions" = 2 }.',
        ),
    ],
)
def test_what_can_not_be_used_is_named_with_its_line(text: str, line: int, message: str) -> None:
    assert problems(own(text)) == [PolicyProblem(".onehead.toml", line, message)]


def test_lines_are_found_in_the_project_file_too() -> None:
    text = b'[tool.ruff]\nstrategy = 3\n[tool.onehead]\n"strategy" = 3\n[tool.other]\nstrategy = 3\n'
    assert [(each.path, each.line) for each in problems({"pyproject.toml": text})] == [("pyproject.toml", 4)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool]\n\nonehead.strategy = 3\n", 3),
        ('[project]\nname = "x"\n[tool]\nonehead = { strategy = 3 }\n', 4),
        ('[ tool . "onehead" ]\nfresh-ids = true\nstrategy = 3\n', 3),
        ("tool.onehead.strategy = 3\n", 1),
        ('[tool.x]\ntext = """\n[tool.onehead]\nstrategy = 3\n"""\n[tool.onehead]\nstrategy = 3\n', 7),
        ("[tool.onehead.strategy]\nfoo = 1\n", 1),
        ("[tool.onehead]\r\n  strategy = 3\r\n", 2),
    ],
)
def test_a_line_is_found_however_the_key_is_written(text: str, line: int) -> None:
    assert [each.line for each in problems({"pyproject.toml": text.encode()})] == [line]


def test_the_table_of_the_project_file_does_not_belong_into_the_own_one() -> None:
    [problem] = problems(own('# policy\n[tool.onehead]\nstrategy = "merge"\n'))
    assert problem == PolicyProblem(
        ".onehead.toml",
        2,
        "`tool` does not belong here: in `.onehead.toml` the keys belong at the top, outside any table.",
    )


def test_an_own_file_without_settings_is_no_policy() -> None:
    found = read_policy_files({**own("# nothing yet\n"), "pyproject.toml": b"[tool.onehead]\nfresh-ids = true\n"})
    assert found == (Policy(fresh_ids=True), ())


def test_nothing_stands_in_for_an_own_file_that_can_not_be_read() -> None:
    project = {"pyproject.toml": b'[tool.onehead]\ndelivery = "push"\n'}
    linked = read_policy_files(project, {".onehead.toml": "is a symbolic link"})
    assert linked.policy == Policy(doubtful=True)
    assert linked.problems == (
        PolicyProblem(".onehead.toml", 0, "It is a symbolic link, so no policy was read. Write a plain file."),
    )
    broken = read_policy_files({**own("delivery ="), **project})
    assert (broken.policy, len(broken.problems)) == (Policy(doubtful=True), 1)


def test_a_long_value_is_cut_in_the_message() -> None:
    [problem] = problems(own(f'strategy = "{"x" * 500}"\n'))
    assert problem.message == f'`strategy` is "{"x" * 60}". Choose one of "auto", "merge", "reparent".'


def test_a_file_that_is_not_toml_is_named_with_the_line() -> None:
    [problem] = problems(own("strategy = \n"))
    assert (problem.path, problem.line) == (".onehead.toml", 1)
    assert problem.message.startswith("This can't be read as TOML (")


def test_a_broken_project_file_is_other_peoples_affair_unless_it_has_the_policy() -> None:
    assert problems({"pyproject.toml": b"onehead = = \n"}) == []
    assert problems({**own("fresh-ids = true"), "pyproject.toml": b"[tool.onehead]\nx = = \n"}) == []
    found = read_policy_files({"pyproject.toml": b'[tool.onehead]\nstrategy = "merge"\n[tool.x]\ny = = \n'})
    assert found.policy == Policy(doubtful=True)
    [problem] = found.problems
    assert (problem.path, problem.line) == ("pyproject.toml", 4)


def test_what_can_be_used_counts_but_no_reparent_on_the_word_of_a_doubtful_file() -> None:
    found = read_policy_files(own('strategy = "reparent"\ndelivery = "comment"\nshared-database = ["x"]\n'))
    assert found.policy == Policy(delivery="comment", doubtful=True)


def test_environments_and_branches_are_matched_by_pattern() -> None:
    policy = read_policy_files(own(ALL)).policy
    assert (policy.ignores("legacy/versions"), policy.ignores("billing/versions")) == (True, False)
    assert (policy.heads_allowed("billing/versions"), policy.heads_allowed("other")) == (2, 1)
    assert (policy.is_shared("staging"), policy.is_shared("topic")) == (True, False)


def test_targets_are_the_branches_that_match_with_the_default_branch_first() -> None:
    branches = ["a", "release/2", "main", "release/1"]
    assert targets_of(Policy(), "main", branches) == ("main",)
    assert targets_of(Policy(targets=("release/*", "main")), "main", branches) == ("main", "release/1", "release/2")
    assert targets_of(Policy(targets=("release/*",)), "main", branches) == ("release/1", "release/2")
    assert targets_of(Policy(targets=("nothing",)), "main", branches) == ("main",)


HOSTILE = {
    "a dotted key": b"a" + b".a" * 15_000 + b" = 1\n",
    "a dotted heading": b"[a" + b".a" * 15_000 + b"]\nb = 1\n",
    "a dotted key in an inline table": b"b = { a" + b".a" * 15_000 + b" = 1 }\n",
    "nested lists": b"a = " + b"[" * 100_000,
    "megabytes": b"a = 1\n" * 200_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_policy_that_would_fill_the_memory_is_a_problem_and_costs_little(data: bytes) -> None:
    tracemalloc.start()
    try:
        read = read_policy_files({".onehead.toml": data})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    [problem] = read.problems
    assert problem.message.startswith("This can't be read as TOML (")
    assert read.policy.doubtful
    assert peak < 64 * 1024 * 1024
