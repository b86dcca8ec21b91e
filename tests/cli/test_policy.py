"""A bad policy in every format, and the strategy that the target asks for."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from onehead.plan.findings import KINDS, Code
from tests.cli.terminal_runs import Run
from tests.migrations import chain, project, revision
from tests.repositories import Repository

SIDES = ("--target", "main", "--head", "topic")
MESSAGE = "`.onehead.toml`, line 2: `strategi` is not a key of onehead's policy. Did you mean `strategy`?"
HINT = KINDS[Code.BAD_POLICY].hint


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A topic branch that brings nothing but a policy with a wrong key."""
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("001", None), ("002", "001")))
    repo.branch("topic", "main")
    repo.commit("topic", {".onehead.toml": "# ours\nstrategi = 'merge'\n"})
    return repo


def test_text(repo: Repository, run: Run) -> None:
    done = run("check", "--repo", repo.path, *SIDES)
    assert done.code == 1
    assert f"error bad-policy: {MESSAGE}\n    → {HINT}\n" in done.out
    # Nothing is wrong with the chain, and nothing is said of it.
    assert done.out.startswith("Wrong policy. Judged topic (")
    assert run("fix", "--repo", repo.path, *SIDES).out.startswith("Wrong policy. Judged topic (")


def test_a_broken_chain_is_the_headline_where_it_is_one(repo: Repository, run: Run) -> None:
    repo.commit("topic", revision("003", "gone"))
    assert run("check", "--repo", repo.path, *SIDES).out.startswith("Broken chain. Judged topic (")


@pytest.mark.parametrize("verb", ["check", "fix"])
def test_json(repo: Repository, run: Run, verb: str) -> None:
    done = run(verb, "--repo", repo.path, *SIDES, "--format", "json")
    assert (done.code, done.json["verdict"]) == (1, "broken")
    assert done.json["findings"] == [
        {
            "code": "bad-policy",
            "severity": "error",
            "introduced_by": "head",
            "message": MESSAGE,
            "hint": HINT,
            "revisions": [],
            "paths": [".onehead.toml"],
            "places": [{"path": ".onehead.toml", "line": 2}],
            "left_out": 0,
        }
    ]
    assert [each["findings"] for each in done.json["environments"]] == [[]]


def test_sarif_points_at_the_line(repo: Repository, run: Run) -> None:
    told = json.loads(run("check", "--repo", repo.path, *SIDES, "--format", "sarif").out)
    [result] = told["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("bad-policy", "error")
    place = result["locations"][0]["physicalLocation"]
    file = {"uri": ".onehead.toml", "uriBaseId": "%SRCROOT%"}
    assert place == {"artifactLocation": file, "region": {"startLine": 2}}


def test_junit_has_a_case_for_the_repository(repo: Repository, run: Run) -> None:
    suite = ET.fromstring(run("check", "--repo", repo.path, *SIDES, "--format", "junit").out)  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    cases = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    assert cases["alembic/versions"] is None
    failure = cases["repository"]
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("bad-policy", MESSAGE)


def test_fix_takes_the_strategy_of_the_target_unless_one_is_given(tmp_path: Path, run: Run) -> None:
    repo = Repository(tmp_path / "repo")
    policy = {"pyproject.toml": '[tool.onehead]\nstrategy = "merge"\n'}
    repo.commit("main", project() | chain(("001", None), ("002", "001")) | policy)
    repo.branch("topic", "main")
    repo.commit("main", revision("003", "002"))
    repo.commit("topic", revision("004", "002"))
    kinds = []
    for given in ((), ("--strategy", "auto")):
        done = run("fix", "--repo", repo.path, *SIDES, "--format", "json", *given)
        kinds.append(done.json["environments"][0]["plan"]["kind"])
    assert kinds == ["merge", "reparent"]


def test_coverage_says_what_the_policy_leaves_out(tmp_path: Path, run: Run) -> None:
    repo = Repository(tmp_path / "repo")
    policy = {".onehead.toml": 'ignore-environments = ["alembic/*"]\n'}
    repo.commit("main", project() | chain(("001", None), ("002", "001"), ("003", "001")) | policy)
    done = run("check", "--repo", repo.path, "--target", "main")
    assert done.code == 0
    assert "1 environment left out by the policy." in done.out
