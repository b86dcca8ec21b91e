"""The JSON that scripts rely on, held against its published schemas; and the schemas against the code."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from onehead.databases.model import Effect, ProblemKind, Severity
from onehead.databases.schema_effects import Dialect, ThingKind
from onehead.databases.states import FixKind, OutcomeKind
from onehead.plan.findings import Code
from onehead.plan.incidents import EndKind
from onehead.plan.next_revision import OwnState
from onehead.plan.plans import Merge, Nothing, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.verdict import Verdict
from tests.basketball import basketball
from tests.cli.terminal_runs import Run, story
from tests.migrations import VERSIONS, revision
from tests.repositories import Repository

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def schema(verb: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"onehead.{verb}-1.json").read_text())
    return found


def valid(verb: str, document: Any) -> None:
    Draft202012Validator(schema(verb)).validate(document)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Branches for every verdict and every kind of plan."""
    repo = story(tmp_path_factory.mktemp("schemas") / "shop.git")
    repo.branch("start", "main~1")
    branches: dict[str, dict[str, str | None]] = {
        "clean": {**revision("006", "003")},
        "twin": {**revision("003", "002", "other")},
        "gap": {f"{VERSIONS}/002_t002.py": None},
        "dynamic": {
            path: text.replace('revision: str = "006"', "revision = make_id()")
            for path, text in revision("006", "003").items()
        },
        "long": {**revision("x" * 40, "003")},
        "escaped": {**revision("007", "002")},
        "words": {"README": "Theirs.\n", **revision("008", "002")},
    }
    for name, files in branches.items():
        repo.branch(name, "main" if name not in ("twin", "escaped", "words") else "start")
        repo.commit(name, files)
    repo.branch("staging", "escaped")
    repo.commit("staging", {"DEPLOYED": "today\n"})
    repo.branch("torn", "main")
    repo.commit("torn", {"README": "Ours.\n"})
    return repo


@pytest.mark.parametrize(
    ("head", "verdict", "plan"),
    [
        (None, "ok", "none"),
        ("clean", "ok", "none"),
        ("oauth", "collision", "reparent"),
        ("escaped", "collision", "merge"),
        ("twin", "broken", "reissue"),
        ("gap", "broken", "refuse"),
        ("dynamic", "unreadable", "refuse"),
        ("long", "broken", "none"),
    ],
)
def test_check_and_fix(shop: Repository, run: Run, head: str | None, verdict: str, plan: str) -> None:
    sides = ("--repo", shop.path, "--target", "main", *(() if head is None else ("--head", head)))
    checked = run("check", *sides, "--format", "json").json
    fixed = run("fix", *sides, "--format", "json").json
    assert (checked["verdict"], checked["environments"][0]["plan"]["kind"]) == (verdict, plan)
    valid("check", checked)
    valid("fix", fixed)
    assert ("sha" in fixed) == (plan in ("reparent", "merge", "reissue"))


def test_fix_that_met_a_textual_conflict(shop: Repository, run: Run) -> None:
    told = run("fix", "--repo", shop.path, "--target", "torn", "--head", "words", "--format", "json").json
    assert told["text_conflicts"] == ["README"]
    valid("fix", told)


@pytest.mark.parametrize("rows", [None, "", "003", "003,004", "999"])
@pytest.mark.parametrize("head", ["oauth", "clean", "gap"])
def test_states(shop: Repository, run: Run, head: str, rows: str | None) -> None:
    only = () if rows is None else ("--rows", rows)
    told = run("states", "--repo", shop.path, "--target", "main", "--head", head, *only, "--format", "json").json
    valid("states", told)


@pytest.mark.parametrize("rows", ["", "003", "002,003", "999"])
@pytest.mark.parametrize("at", ["main", "oauth", "gap", "dynamic"])
def test_doctor(shop: Repository, run: Run, at: str, rows: str) -> None:
    valid("doctor", run("doctor", "--repo", shop.path, "--at", at, "--rows", rows, "--format", "json").json)


@pytest.mark.parametrize("at", ["main", "oauth", "gap", "dynamic"])
def test_graph(shop: Repository, run: Run, at: str) -> None:
    valid("graph", run("graph", "--repo", shop.path, "--at", at, "--format", "json").json)


@pytest.mark.parametrize("branch", ["main", "torn", "oauth", "gap", "dynamic", "twin"])
def test_history(shop: Repository, run: Run, branch: str) -> None:
    valid("history", run("history", "--repo", shop.path, "--target", branch, "--format", "json").json)


def test_a_large_repository(run: Run, tmp_path: Path) -> None:
    report = basketball(tmp_path / "basketball.git")
    valid("graph", run("graph", "--repo", report.repo.path, "--at", "main", "--format", "json").json)
    valid("states", run("states", "--repo", report.repo.path, "--at", report.forked, "--format", "json").json)
    valid("history", run("history", "--repo", report.repo.path, "--format", "json").json)


@pytest.mark.parametrize("target", ["main", "oauth", "gap", "dynamic", "torn"])
def test_next(shop: Repository, run: Run, target: str) -> None:
    valid("next", run("next", "--repo", shop.path, "--target", target, "--format", "json").json)


@pytest.mark.parametrize("verb", ["check", "databases", "fix", "graph", "history", "next", "states", "doctor"])
def test_the_schemas_are_strict(shop: Repository, run: Run, verb: str) -> None:
    """Every object is closed and every list of names complete, so that a change of the format can't go unnoticed."""
    found = schema(verb)
    Draft202012Validator.check_schema(found)
    objects = [node for node in walk(found) if node.get("type") == "object"]
    assert len(objects) > 3
    assert all(node["additionalProperties"] is False for node in objects)
    more = ("--rows", "003") if verb == "doctor" else ()
    told = run(verb, "--repo", shop.path, *more, "--format", "json").json
    valid(verb, told)
    with pytest.raises(ValidationError, match="'surprise' was unexpected"):
        valid(verb, told | {"surprise": 1})
    with pytest.raises(ValidationError, match="was expected"):
        valid(verb, told | {"schema": f"onehead.{verb}/2"})


@pytest.mark.parametrize("verb", ["check", "fix"])
def test_names_of_the_schemas_are_those_of_the_code(verb: str) -> None:
    parts = schema(verb)
    definitions = parts["$defs"]
    plan = definitions["plan"]["properties"]
    assert parts["properties"]["verdict"]["enum"] == list(get_args(Verdict))
    assert definitions["finding"]["properties"]["code"]["enum"] == [str(code) for code in Code]
    assert plan["reasons"]["items"]["properties"]["code"]["enum"] == [str(code) for code in ReasonCode]
    kinds = {signature(kind).parameters["kind"].default for kind in (Nothing, Reparent, Merge, Reissue, Refuse)}
    assert set(plan["kind"]["enum"]) == kinds


def test_names_of_a_past_are_those_of_the_code() -> None:
    definitions = schema("history")["$defs"]
    incident = definitions["incident"]["properties"]
    assert incident["ending"]["enum"] == [str(ending) for ending in EndKind]
    assert definitions["code"]["enum"] == [str(code) for code in Code]
    kinds = {signature(kind).parameters["kind"].default for kind in (Nothing, Reparent, Merge, Reissue, Refuse)}
    assert set(definitions["plan"]["properties"]["kind"]["enum"]) == kinds


def test_the_states_of_own_migrations_are_those_of_the_code() -> None:
    assert schema("next")["$defs"]["environment"]["properties"]["state"]["enum"] == [str(state) for state in OwnState]


def test_names_of_the_states_are_those_of_the_code() -> None:
    definitions = schema("states")["$defs"]
    assert definitions["state"]["properties"]["outcome"]["enum"] == list(get_args(OutcomeKind))
    assert definitions["fix"]["properties"]["fix"]["enum"] == list(get_args(FixKind))


def test_names_of_a_diagnosis_are_those_of_the_code() -> None:
    definitions = schema("doctor")["$defs"]
    assert definitions["complaint"]["properties"]["code"]["enum"] == [str(problem) for problem in ProblemKind]
    assert definitions["complaint"]["properties"]["severity"]["enum"] == list(get_args(Severity))
    assert definitions["evidence"]["properties"]["kind"]["enum"] == list(get_args(ThingKind))
    assert definitions["environment"]["properties"]["dialect"]["enum"] == [*get_args(Dialect), None]
    assert definitions["next_upgrade"]["properties"]["outcome"]["enum"] == list(get_args(OutcomeKind))
    step = definitions["way"]["properties"]["steps"]["items"]
    assert step["properties"]["effect"]["enum"] == list(get_args(Effect))


def walk(node: Any) -> list[dict[str, Any]]:
    """Every object inside a schema."""
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in walk(value))]
    if isinstance(node, list):
        return [found for value in node for found in walk(value)]
    return []
