"""SARIF and JUnit, for the views of CI systems: every kind of finding, valid, and at the line that it is about."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft4Validator

from deploy.metadata import urls
from onehead.cli import check
from onehead.plan.findings import KINDS, Code
from tests.cli.ci_jobs import forgejo
from tests.cli.terminal_runs import Run, story
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.repositories import Repository
from tests.test_docs import BASE, EXAMPLES, modes

SCHEMA = Path(__file__).parents[1] / "data" / "sarif" / "sarif-2.1.0.json"

LINES = {
    # What stands in the line that the first place of a finding names; the first line of the file where none is named.
    Code.COLLISION: r"down_revision: .* = \"002\"",
    Code.FORK: r"down_revision: .* = \"002\"",
    Code.DUPLICATE_ID: r"revision: str = \"003\"",
    Code.DUPLICATE_LABEL: r"branch_labels = \(\"billing\",\)",
    Code.CYCLE: r"down_revision: .* = \"004\"",
    Code.MISSING_PARENT: r"down_revision: .* = \"001\"",
    Code.DYNAMIC_ID: r"down_revision: .* = newest_revision\(\)",
    Code.DYNAMIC_LABEL: r"branch_labels = \(cli.EXPAND_BRANCH,\)",
    Code.UNREADABLE_FILE: "<<<<<<< a",
    Code.UNREADABLE_FOLDER: r"/srv/revisions",
    Code.NOT_A_REVISION: r"def helper\(\):",
    Code.NOT_LOADED: r'"""t003',
    Code.UNREADABLE_CONFIG: "script_location = nowhere",
    Code.HISTORY_EDITED: r"down_revision: .* = \"00x\"",
    Code.BODY_CHANGED: '"""t002',
    Code.ID_TOO_LONG: "revision: str = .*2024_05_01.*",
    Code.INVALID_ID: 'revision: str = "add-players"',
    Code.AMBIGUOUS_PREFIX: 'revision: str = "abcdef"',
    Code.COMPETING_MERGES: "down_revision: .*",
    Code.NEW_BASE: "down_revision: .* = None",
    Code.STALE_REVISES: "Revises: 001",
    Code.TEXT_CONFLICT: '"""t002',
    Code.BAD_POLICY: "shared-database = .*",
    Code.SEMANTIC_CONFLICT: r"op\.add_column\(.*",
    Code.ORDER_MATTERS: r"op\.create_index\(.*",
    Code.SILENT_DIFFERENCE: r"op\.alter_column\(.*\"2\"\)",
    Code.UNKNOWN_OPERATION: r"op\.execute\(.*",
    Code.NOT_IN_TRANSACTION: r"op\.create_index\(.*",
}


@cache
def schema() -> Draft4Validator:
    return Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def run_of(log: dict[str, Any]) -> dict[str, Any]:
    """The one run of a log that keeps to the schema."""
    assert [error.message for error in schema().iter_errors(log)] == []
    [only] = log["runs"]
    return dict(only)


def place(location: dict[str, Any]) -> tuple[str, int]:
    physical = location["physicalLocation"]
    assert physical["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


@pytest.mark.parametrize("code", list(Code))
def test_each_finding_points_at_what_it_is_about(code: Code, run: Run, tmp_path: Path) -> None:
    target, head = EXAMPLES[code]
    repo = Repository(tmp_path / "repo")
    repo.commit("main", BASE)
    repo.branch("topic", "main")
    repo.commit("main", {"notes.txt": "more\n", **target})
    if head is not None:
        repo.commit("topic", head, modes=modes(head))
    sides = ("--repo", repo.path, "--target", "main", *(() if head is None else ("--head", "topic")))

    done = run("check", *sides, "--format", "sarif")
    analysis = run_of(done.json)
    [result] = [each for each in analysis["results"] if each["ruleId"] == code]
    rule = analysis["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["defaultConfiguration"]["level"]) == (code, KINDS[code].severity)
    assert result["level"] == KINDS[code].severity
    [location] = result["locations"]
    path, line = place(location)
    text = repo.read("main" if head is None else "topic", path)
    assert re.fullmatch(LINES[code], text.splitlines()[line - 1].strip()), text.splitlines()[line - 1]
    [invocation] = analysis["invocations"]
    assert invocation["executionSuccessful"] is (done.code != 3)
    # With the target alone, nothing was compared.
    assert len(invocation.get("toolExecutionNotifications", [])) == (1 if head is None else 0)

    suite = ET.fromstring(run("check", *sides, "--format", "junit").out)  # noqa: S314 - our own output
    # A whole file has no line of its own; SARIF's views want one all the same.
    named = {f"{path}:{line}", path if line == 1 else f"{path}:{line}"}
    assert named & {words.strip() for text in suite.itertext() for words in text.splitlines()}


def test_the_branchs_own_file_comes_first(run: Run, tmp_path: Path) -> None:
    """Most views show the first place only, and a pull request has no line of the other one."""
    repo = story(tmp_path / "shop.git")
    sides = ("--repo", repo.path, "--target", "oauth", "--head", "main")
    [result] = run_of(run("check", *sides, "--format", "sarif").json)["results"]
    assert [place(each) for each in result["locations"]] == [("alembic/versions/003_player_teams.py", 16)]
    assert [place(each) for each in result["relatedLocations"]] == [("alembic/versions/005_oauth_tokens.py", 16)]
    [case] = ET.fromstring(run("check", *sides, "--format", "junit").out).findall("testcase")  # noqa: S314
    assert (case.get("file"), case.get("line")) == ("alembic/versions/003_player_teams.py", "16")


def test_a_finding_keeps_its_fingerprint(run: Run, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")

    def fingerprints() -> list[dict[str, str]]:
        log = run("check", "--repo", repo.path, "--target", "main", "--head", "oauth", "--format", "sarif").json
        return [result["partialFingerprints"] for result in run_of(log)["results"]]

    before = fingerprints()
    assert before == [{"onehead/v1": "alembic/versions/collision/002/003/005"}]
    repo.commit(
        "oauth",
        {f"{VERSIONS}/004_custom_notes.py": "# A line more.\n" + repo.read("oauth", f"{VERSIONS}/004_custom_notes.py")},
    )
    assert fingerprints() == before


def test_a_path_of_any_bytes(run: Run, tmp_path: Path) -> None:
    """A URI is made of it, so spaces, umlauts and what is no text at all are escaped."""
    odd = f"{VERSIONS}/004 größe#1.py"
    raw = f"{VERSIONS}/005_\udcff.py"
    files = merged(project(), chain(("001", None), ("002", "001")))
    repo = Repository(tmp_path / "odd.git")
    repo.commit("main", files)
    repo.branch("topic", "main")
    repo.commit("main", revision("003", "002"))
    [new] = revision("004", "002").values()
    repo.commit("topic", {odd: new, raw: new.replace("004", "005")})
    sides = ("--repo", repo.path, "--target", "main", "--head", "topic")
    [result] = run_of(run("check", *sides, "--format", "sarif").json)["results"]
    assert place(result["locations"][0])[0] == "alembic/versions/004%20gr%C3%B6%C3%9Fe%231.py"
    assert place(result["relatedLocations"][0])[0] == "alembic/versions/005_%FF.py"
    ET.fromstring(run("check", *sides, "--format", "junit").out)  # noqa: S314


def test_each_rule_leads_to_its_page(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = story(tmp_path / "shop.git")
    noted = json.dumps({"url": "https://git.example.org/tools/onehead.git", "vcs_info": {"commit_id": "c0ffee"}})
    monkeypatch.setattr(
        metadata, "distribution", lambda _name: SimpleNamespace(read_text=lambda _file: noted, version="1")
    )
    rules = run_of(run("check", "--repo", repo.path, "--target", "main", "--format", "sarif").json)["tool"]["driver"][
        "rules"
    ]
    place = "https://git.example.org/tools/onehead/src/commit/c0ffee/docs/reference/findings.md"
    assert [rule["helpUri"] for rule in rules] == [f"{place}#{code}" for code in Code]
    page = (Path(__file__).parents[2] / "docs" / "reference" / "findings.md").read_text(encoding="utf-8")
    assert [code for code in Code if f"\n## `{code}`\n" not in page] == []


@pytest.mark.parametrize(
    ("source", "page"),
    [
        (
            "https://git.example.org:3000/tools/onehead.git",
            "https://git.example.org:3000/tools/onehead/src/commit/c0ffee",
        ),
        ("https://me:secret@git.example.org/tools/onehead", "https://git.example.org/tools/onehead/src/commit/c0ffee"),
        ("https://github.com/tools/onehead.git", "https://github.com/tools/onehead/blob/c0ffee"),
        ("https://gitlab.example.org/tools/onehead.git/", "https://gitlab.example.org/tools/onehead/-/blob/c0ffee"),
    ],
)
def test_the_page_is_where_onehead_was_installed_from(source: str, page: str) -> None:
    noted = json.dumps({"url": source, "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}})
    assert check.page_of(noted) == f"{page}/docs/reference/findings.md"


@pytest.mark.parametrize(
    "noted",
    [
        "",
        "[]",
        '{"url": "file:///srv/onehead", "dir_info": {"editable": true}}',
        '{"url": "ssh://git@git.example.org/tools/onehead.git", "vcs_info": {"commit_id": "c0ffee"}}',
        '{"url": "https://[broken", "vcs_info": {"commit_id": "c0ffee"}}',
        '{"url": 3, "vcs_info": {"commit_id": "c0ffee"}}',
    ],
)
def test_without_an_address_there_is_a_name(noted: str) -> None:
    assert check.page_of(noted) == "urn:onehead:finding"


def test_a_published_wheel_leads_to_the_pages_of_its_version() -> None:
    named = urls("https://git.example.org/tools/onehead", "tag/v1.2.0")
    assert check.published_page(f"{name}, {address}" for name, address in named.items()) == (
        "https://git.example.org/tools/onehead/src/tag/v1.2.0/docs/reference/findings.md"
    )
    assert check.published_page(["Source, https://git.example.org/tools/onehead"]) == "urn:onehead:finding"


def test_nothing_to_report(run: Run, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    analysis = run_of(run("check", "--repo", repo.path, "--at", "main", "--format", "sarif").json)
    assert (analysis["results"], analysis["invocations"]) == ([], [{"executionSuccessful": True}])


def test_nothing_to_judge_is_a_skipped_case_and_not_an_empty_suite(run: Run, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "plain.git")
    repo.commit("main", {"README": "Words.\n"})
    suite = ET.fromstring(run("check", "--repo", repo.path, "--format", "junit").out)  # noqa: S314
    assert suite.attrib == {"name": "onehead", "tests": "1", "failures": "0", "errors": "0", "skipped": "1"}
    [skipped] = suite.findall("testcase/skipped")
    assert skipped.get("message") == (
        "No Alembic environment found (no alembic.ini, no env.py, no revision files): nothing to judge."
    )


def test_what_does_not_fail_the_case_is_told_beside_it(run: Run, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    stale = {path: text.replace("Revises: 003", "Revises: 002") for path, text in revision("007", "003").items()}
    repo.branch("fine", "main")
    repo.commit("fine", stale)
    suite = ET.fromstring(  # noqa: S314
        run("check", "--repo", repo.path, "--target", "main", "--head", "fine", "--format", "junit").out
    )
    [case] = suite.findall("testcase")
    assert (suite.get("failures"), case.find("failure"), case.get("file")) == ("0", None, None)
    [said] = case.findall("system-out")
    assert (said.text or "").splitlines()[1:] == ["  alembic/versions/007_t007.py:4"]
    assert (said.text or "").startswith("note stale-revises: ")


def test_a_branch_that_can_not_be_judged_is_an_error_and_no_failure(run: Run, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    text = revision("006", "003")[f"{VERSIONS}/006_t006.py"].replace('revision: str = "006"', "revision = make_id()")
    repo.branch("torn", "main")
    repo.commit("torn", {f"{VERSIONS}/006_t006.py": text})
    sides = ("--repo", repo.path, "--target", "main", "--head", "torn")
    suite = ET.fromstring(run("check", *sides, "--format", "junit").out)  # noqa: S314
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")
    [error] = suite.findall("testcase/error")
    assert error.get("type") == "dynamic-id"
    assert run_of(run("check", *sides, "--format", "sarif").json)["invocations"] == [{"executionSuccessful": False}]


def test_the_views_say_what_was_compared_and_how_it_was_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = story(tmp_path / "shop.git")
    forgejo(repo, tmp_path / "job", "oauth").enter(monkeypatch)
    suite = ET.fromstring(run("check", "--format", "junit").out)  # noqa: S314
    [said] = suite.findall("system-out")
    assert (said.text or "").startswith("Forgejo Actions, pull request 12: judged oauth (")
