"""The documentation against the program: it names all there is, nothing that is not, and shows what really happens.

`python -m tests.test_docs` writes the present output of the commands into the pages.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route

from onehead import errors
from onehead.cli import main
from onehead.cli import verbs as command_line
from onehead.commands import COMMANDS, MAX_COMMANDS, usage
from onehead.databases import reported
from onehead.databases.crash_log import read_log
from onehead.databases.inspect import SECONDS_TO_ANSWER, SECONDS_TO_WAIT_FOR_LOCKS
from onehead.databases.model import Effect, ProblemKind
from onehead.databases.reported import MAX_HELD
from onehead.examine.ledger import MAX_DATABASES
from onehead.forge.webhooks import HOOK_PATH
from onehead.plan.findings import KINDS, Code
from onehead.plan.plans import Plan, ReasonCode
from onehead.service import web
from onehead.service.engine import EmbeddedEngine
from onehead.service.health import Health
from onehead.service.metrics import Metrics
from onehead.service.page_door import PageAccess, PageDoor
from onehead.service.setup import OLDEST
from onehead.settings import SETTINGS
from tests.cli.terminal_runs import Done
from tests.migrations import VERSIONS, chain, merged, project, revision
from tests.repositories import Repository, environment
from tests.service.doors import Beside, no_reports
from tests.test_architecture import OF_THE_PROJECT, THIRD_PARTY

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
CI = DOCS / "how-to" / "ci.md"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^<!-- shown: (.+?) -->\n```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def flat(words: str) -> str:
    """Without line breaks, which mean nothing in prose."""
    return " ".join(words.split())


def sections(page: Path) -> dict[str, str]:
    """Second-level heading, backticks removed → what stands below it."""
    parts = re.split(r"^## (.+)$", text(page), flags=re.MULTILINE)
    return {title.replace("`", ""): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def rows(words: str) -> list[list[str]]:
    """The body rows of all tables; pipes inside code count as text where they are escaped."""
    lines = [line for line in words.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {number - 1 for number, line in enumerate(cells) if all(set(cell) <= {"-", ":"} for cell in line)}
    return [line for number, line in enumerate(cells) if number not in heads and number - 1 not in heads]


def coded(cell: str) -> str:
    """The first code span of a cell."""
    found = INLINE.search(cell)
    return found[1] if found else ""


# What there is


def plan_kinds() -> set[str]:
    return {str(inspect.signature(plan).parameters["kind"].default) for plan in get_args(Plan)}


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Words after `onehead` → parser, those of two words included."""

    def below(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    yield f"{words} {name}".strip(), child
                    yield from below(child, f"{words} {name}".strip())

    return dict(below(command_line.whole(), ""))


def options(verb: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Long option → its action, without --help."""
    return {a.option_strings[-1]: a for a in verb._actions if a.option_strings and a.dest != "help"}


def exit_codes() -> set[int]:
    """Those of verdicts and of errors, and what `main` returns by itself."""

    def below(kind: type[errors.OneheadError]) -> Iterator[type[errors.OneheadError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    own = {0, 1, 3}
    return own | {kind.exit_code for kind in below(errors.OneheadError)} | returned(main)


def returned(module: Any) -> set[int]:
    tree = ast.parse(Path(module.__file__).read_bytes())
    constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Return) and isinstance(n.value, ast.Constant)]
    return {constant.value for constant in constants if isinstance(constant.value, int)}


def routes() -> set[str]:
    metrics, behind = web.DoorMetrics(), Beside()
    door = web.HookDoor(secrets=["s"], covers=lambda _: True, behind=behind, metrics=metrics)
    page = PageDoor(PageAccess(("t",)), behind)
    found = web.build_app(door, no_reports(metrics), behind, metrics, page).routes
    return {
        f"{method} {route.path}"
        for route in found
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }


def answers(*names: str) -> set[tuple[int, str]]:
    """Status and outcome of everything that these classes and functions of the doors say, where both are written."""
    tree = ast.parse(Path(web.__file__).read_bytes())
    parts = [part for part in tree.body if isinstance(part, ast.ClassDef | ast.FunctionDef) and part.name in names]
    assert len(parts) == len(names)
    found = set()
    for node in (node for part in parts for node in ast.walk(part)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reply":
            if not all(isinstance(argument, ast.Constant) for argument in node.args[:2]):
                continue
            status, outcome = (ast.literal_eval(argument) for argument in node.args[:2])
            found.add((status, outcome))
    return found


def metric_names() -> set[str]:
    families = text_string_to_metric_families((web.DoorMetrics().text() + Metrics().text()).decode())
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    # The client adds to each counter when it was made; that is no metric of ours.
    return {name for name in names if not name.endswith("_created")}


# The reference names it all, and nothing else


def test_findings() -> None:
    page = REFERENCE / "findings.md"
    found = sections(page)
    summary = found.pop("How bad is it?")
    assert list(found) == [str(code) for code in Code]
    severities = {code: f"{KINDS[code].severity}{' that blinds' if KINDS[code].blinds else ''}" for code in Code}
    listed = {coded(row[0]): row[1] for row in rows(summary) if "](#" in row[0]}
    assert listed == {str(code): severity for code, severity in severities.items()}
    for code in Code:
        body = flat(found[str(code)])
        assert f"Severity: **{severities[code]}**" in body
        assert flat(KINDS[code].meaning) in body
        assert f"Next: {flat(KINDS[code].hint)}" in body
        assert "Example: " in body


BASE = merged(project(), chain(("001", None), ("002", "001")))
HEADER = "branch_labels: Union[str, Sequence[str], None] = None"


def changed(id_: str, parent: str | None, old: str, new: str) -> dict[str, str]:
    """A revision file with one line of its own."""
    return {path: content.replace(old, new) for path, content in revision(id_, parent).items()}


def doing(id_: str, body: str) -> dict[str, str]:
    """A revision after 002 that does this."""
    created = f'op.create_table("t{id_}", sa.Column("id", sa.Integer(), primary_key=True))'
    return changed(id_, "002", created, body)


class Linked(str):
    """What is committed as a symbolic link: its text."""

    __slots__ = ()


ADD = 'op.add_column("t001", sa.Column("phone", sa.Text()))'

EXAMPLES: dict[Code, tuple[dict[str, str | None], dict[str, str | None] | None]] = {
    # What is committed to the target and what to the branch (`None`: the target is judged alone), after BASE.
    Code.COLLISION: ({**revision("003", "002")}, {**revision("004", "002")}),
    Code.FORK: ({**revision("003", "002"), **revision("004", "002")}, None),
    Code.DUPLICATE_ID: ({**revision("003", "002")}, {**revision("003", "002", "other")}),
    Code.DUPLICATE_LABEL: (
        {**changed("003", "002", HEADER, 'branch_labels = ("billing",)')},
        {**changed("004", "003", HEADER, 'branch_labels = ("billing",)')},
    ),
    Code.CYCLE: ({}, {**revision("003", "004"), **revision("004", "003")}),
    Code.MISSING_PARENT: ({}, {f"{VERSIONS}/001_t001.py": None}),
    Code.DYNAMIC_ID: ({}, {**changed("003", "002", '= "002"', "= newest_revision()")}),
    Code.DYNAMIC_LABEL: ({}, {**changed("003", "002", HEADER, "branch_labels = (cli.EXPAND_BRANCH,)")}),
    Code.UNREADABLE_FILE: (
        {},
        {f"{VERSIONS}/003_x.py": '<<<<<<< a\nrevision = "003"\n=======\nrevision = "004"\n>>>>>>> b\n'},
    ),
    Code.UNREADABLE_FOLDER: (
        {},
        {f"{VERSIONS}/001_t001.py": None, f"{VERSIONS}/002_t002.py": None, VERSIONS: Linked("/srv/revisions")},
    ),
    Code.NOT_A_REVISION: ({}, {f"{VERSIONS}/helpers.py": "def helper():\n    pass\n"}),
    Code.NOT_LOADED: ({}, {**revision("003", "002", versions=f"{VERSIONS}/2026")}),
    Code.UNREADABLE_CONFIG: ({}, {"alembic.ini": "[alembic]\nscript_location = nowhere\n"}),
    Code.HISTORY_EDITED: ({}, {**revision("00x", "001"), **changed("002", "001", '"001"', '"00x"')}),
    Code.BAD_POLICY: ({}, {".onehead.toml": 'shared-database = ["staging"]\n'}),
    Code.BODY_CHANGED: ({}, {**changed("002", "001", "sa.Integer()", "sa.BigInteger()")}),
    Code.ID_TOO_LONG: ({}, {**revision("2024_05_01_add_the_table_of_player_teams", "002")}),
    Code.INVALID_ID: ({}, {**revision("add-players", "002")}),
    Code.AMBIGUOUS_PREFIX: ({}, {**revision("abcd", "002"), **revision("abcdef", "abcd")}),
    Code.COMPETING_MERGES: (
        {**revision("003", "001"), **revision("m1", ("002", "003"))},
        {**revision("m2", ("002", "003"))},
    ),
    Code.NEW_BASE: ({}, {**changed("b01", None, HEADER, 'branch_labels = ("billing",)')}),
    Code.STALE_REVISES: ({}, {**changed("003", "002", "Revises: 002", "Revises: 001")}),
    Code.SEMANTIC_CONFLICT: ({**doing("003", ADD)}, {**doing("004", ADD)}),
    Code.ORDER_MATTERS: (
        {**doing("003", 'op.alter_column("t001", "age", new_column_name="years")')},
        {**doing("004", 'op.create_index("ix", "t001", ["age"])')},
    ),
    Code.SILENT_DIFFERENCE: (
        {**doing("003", 'op.alter_column("t001", "age", server_default="1")')},
        {**doing("004", 'op.alter_column("t001", "age", server_default="2")')},
    ),
    Code.UNKNOWN_OPERATION: ({**doing("003", ADD)}, {**doing("004", 'op.execute("SELECT move_players()")')}),
    Code.NOT_IN_TRANSACTION: (
        {**doing("003", ADD)},
        {**doing("004", 'op.create_index("ix", "t001", ["id"], postgresql_concurrently=True)')},
    ),
    Code.TEXT_CONFLICT: (
        {**changed("002", "001", "sa.Integer()", "sa.BigInteger()")},
        {**changed("002", "001", "sa.Integer()", "sa.Text()")},
    ),
}


def modes(files: dict[str, str | None]) -> dict[str, str]:
    """What `Repository.commit` has to know of the links among these."""
    return {path: "120000" for path, content in files.items() if isinstance(content, Linked)}


@pytest.mark.parametrize("code", list(Code))
def test_the_example_of_a_finding_gives_that_finding(code: Code, tmp_path: Path) -> None:
    target, head = EXAMPLES[code]
    repo = Repository(tmp_path / "repo")
    repo.commit("main", BASE)
    repo.branch("topic", "main")
    repo.commit("main", {"notes.txt": "more\n", **target})
    sides = ["--target", "main"]
    if head is not None:
        repo.commit("topic", head, modes=modes(head))
        sides += ["--head", "topic"]
    done = run("onehead check --format json " + shlex.join(sides), repo.path, tmp_path)
    assert done.err == ""
    printed = json.loads(done.out)
    findings = [each for e in (printed, *printed["environments"]) for each in e["findings"]]
    [found] = [each for each in findings if each["code"] == code]
    kind = KINDS[code]
    assert (found["severity"], found["introduced_by"]) == (kind.severity, "target" if head is None else "head")
    if kind.severity == "error":
        assert done.code == (3 if kind.blinds else 1)
    elif not any(each["severity"] == "error" for each in findings):
        assert done.code == 0


def test_no_text_sends_people_to_a_file_that_pip_does_not_install() -> None:
    told = []
    for module in sorted((ROOT / "bot/onehead").rglob("*.py")):
        nodes = [*ast.walk(ast.parse(text(module)))]
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        texts = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        told += [
            (name_of(module), node.value)
            for node in texts
            if re.search(r"docs/.* | .*docs/", str(node.value)) and id(node) not in alone  # an address has no space
        ]
    assert told == []


def test_what_a_doctor_says() -> None:
    body = text(DOCS / "how-to" / "database.md")
    assert [coded(row[0]) for row in rows(sections(DOCS / "how-to" / "database.md")["What it says"])] == list(
        ProblemKind
    )
    assert {coded(row[0]) for row in rows(sections(DOCS / "how-to" / "database.md")["Ways out"])} == set(
        get_args(Effect)
    )
    assert f"longer than {SECONDS_TO_ANSWER} seconds or waits longer than {SECONDS_TO_WAIT_FOR_LOCKS} for" in flat(body)


def test_plans_and_reasons() -> None:
    found = sections(REFERENCE / "plans.md")
    assert {coded(row[0]) for row in rows(found["Kinds"])} == plan_kinds()
    reasons = {coded(row[0]): row[1] for row in rows(found["Reasons"])}
    assert reasons.keys() == {str(code) for code in ReasonCode}
    for kinds in reasons.values():
        assert set(re.findall(r"[a-z]+", re.sub(r"\(.*\)", "", kinds))) <= plan_kinds()


def test_every_reason_is_given_somewhere() -> None:
    source = "".join(text(path) for path in (ROOT / "bot/onehead").rglob("*.py"))
    assert [code.name for code in ReasonCode if f"ReasonCode.{code.name}" not in source] == []


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_commands(verb: str) -> None:
    body = sections(REFERENCE / "commands.md")[f"onehead {verb}"]
    there = options(verbs()[verb])
    table = {coded(row[0]).split()[0]: row for row in rows(body) if coded(row[0]).startswith("--") and len(row) == 3}
    assert table.keys() == there.keys()
    [usage] = [block for _, _, block in FENCE.findall(body) if block.startswith(f"onehead {verb} ")]
    assert set(re.findall(r"--[a-z-]+", usage)) == there.keys()
    for option, action in there.items():
        choices = "|".join(action.choices or ())
        assert f"{option} {choices}".rstrip() in usage
        for choice in action.choices or ():
            assert f"`{choice}`" in table[option][2]
        if action.metavar:
            assert f"{option} {action.metavar}" in usage
            assert f"`{option} {action.metavar}`" in table[option][0]
    mentioned = {word for span in INLINE.findall(body) for word in re.findall(r"(?<!\S)--[a-z-]+", span)}
    assert mentioned <= {*there, "--help"}


def test_no_verb_is_missing() -> None:
    page = REFERENCE / "commands.md"
    overview = text(page).split("\n## ")[0]
    assert {coded(row[0]) for row in rows(overview)} == set(verbs())
    assert {title.removeprefix("onehead ") for title in sections(page)} == set(verbs())
    assert set(re.findall(r"`onehead ([a-z -]+)` \|", text(ROOT / "README.md"))) == set(verbs())


def test_what_is_said_once() -> None:
    """How onehead is installed, what its settings are, and how a webhook is made: other pages link to that one."""
    everywhere = {page: text(page) for page in PAGES if page.name != "CHANGELOG.md"}
    assert [name_of(page) for page, words in everywhere.items() if "pip install .\n" in words] == ["README.md"]
    for setting in SETTINGS:
        assert sum(flat(words).count(setting.meaning) for words in everywhere.values()) == 1, setting.variable
    assert [name_of(page) for page, words in everywhere.items() if re.search(r"api/v1/(?:.*/)?hooks", words)] == []


NUMBERS = "seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"


@each_page
def test_a_page_counts_nothing_that_grows(page: Path) -> None:
    """A number of verbs, findings or settings is wrong with the next one."""
    counted = (
        rf"\b(?:\d+|(?:{NUMBERS})[a-z-]*)\s+(?:kinds of )?(?:verbs|findings|settings|finding codes|reason codes)\b"
    )
    assert re.findall(counted, text(page), re.IGNORECASE) == []


def test_commands_in_comments() -> None:
    page = REFERENCE / "slash-commands.md"
    listed = rows(sections(page)["Commands"])
    assert listed == [[f"`{usage(verb)}`", kind.meaning, str(kind.who)] for verb, kind in COMMANDS.items()]
    everywhere = "".join(text(path) for path in PAGES)
    assert set(re.findall(r"`/onehead ([a-z]+)", everywhere)) == {str(verb) for verb in COMMANDS}
    assert f"Up to {MAX_COMMANDS} of them" in text(page)


def test_settings() -> None:
    page = REFERENCE / "settings.md"
    table = {coded(row[0]): row for row in rows(text(page)) if coded(row[0]).startswith("ONEHEAD_") and len(row) == 3}
    assert list(table) == [setting.variable for setting in SETTINGS]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "empty"
        assert table[setting.variable][1] == ("**required**" if setting.default is None else default)
        assert table[setting.variable][2] == setting.meaning


def test_every_setting_is_explained() -> None:
    page = REFERENCE / "settings.md"
    found = sections(page)
    assert [title for title in found if title.startswith("ONEHEAD_")] == [setting.variable for setting in SETTINGS]
    from_files = re.findall(r"`(ONEHEAD_\w+)_FILE`", text(page).split("\n## ")[0])
    assert from_files == [setting.variable for setting in SETTINGS if setting.is_secret]


@each_page
def test_variables_that_a_page_names_exist(page: Path) -> None:
    real = {name for s in SETTINGS for name in (s.variable, f"{s.variable}_FILE" if s.is_secret else s.variable)}
    real |= {"ONEHEAD_TEST_FORGEJO", "ONEHEAD_SERVICE_HOST", "ONEHEAD_PORT_", "ONEHEAD_"}
    real |= {"ONEHEAD_SERVICE_URL", "ONEHEAD_REPORT_KEY"}  # of a deploy job, for report-rows
    assert set(re.findall(r"\bONEHEAD_[A-Z_]*", text(page))) - real == set()


@pytest.mark.parametrize("place", ["README.md", "docs/how-to/forgejo.md"])
def test_the_oldest_forgejo_is_named(place: str) -> None:
    assert re.search(rf"Forgejo (?:of version )?{OLDEST} or newer", text(ROOT / place))


def test_exit_codes() -> None:
    table = [row for row in rows(text(REFERENCE / "exit-codes.md")) if coded(row[0]).isdigit()]
    assert {int(coded(row[0])) for row in table} == exit_codes()


def test_http_paths() -> None:
    page = REFERENCE / "http.md"
    overview = text(page).split("\n## ")[0]
    assert {coded(row[0]) for row in rows(overview)} == routes()
    assert set(sections(page)) == routes()


def test_http_answers() -> None:
    body = sections(REFERENCE / "http.md")[f"POST {HOOK_PATH}"]
    assert {(int(row[0]), coded(row[1])) for row in rows(body)} == answers("SignedPost", "HookDoor", "_ignored")
    assert f"{web.SECONDS_TO_SEND:g} seconds" in body
    assert f"{web.MAX_BODY_BYTES // 1024**2} MiB" in body


def test_answers_to_reports() -> None:
    body = sections(REFERENCE / "http.md")[f"POST {reported.PATH}"]
    signed = {(400, "not-understood"), (400, "not-fresh"), (401, "bad-signature")}
    assert {(int(row[0]), coded(row[1])) for row in rows(body)} == answers("SignedPost", "ReportDoor") | signed
    raised = re.findall(r"Refused\(\s*\"([a-z-]+)\"", Path(reported.__file__).read_text(encoding="utf-8"))
    assert set(raised) == {outcome for _, outcome in signed}
    assert f"`{reported.SIGNATURE}`" in body
    assert f"larger than {reported.MAX_BYTES // 1024} KiB" in body
    assert f"up to {reported.MAX_ROWS} texts of up to {reported.MAX_ROW_LENGTH} printable" in flat(body)
    assert f"more than {reported.WINDOW.total_seconds() / 60:g} minutes" in body
    [example] = [json.loads(block) for _, kind, block in FENCE.findall(body) if kind == "json"]
    secret = "s" * 24
    now = datetime.fromisoformat(example["at"])
    sent = json.dumps(example).encode()
    key = reported.key_of(secret, example["repository"])
    assert reported.opened([secret], reported.signature(key, sent), sent, now).rows == ("019",)


def test_the_bounds_of_what_databases_report() -> None:
    body = flat(sections(DOCS / "explanation" / "security.md")["Reports of databases"])
    bounds = f"{reported.MAX_BYTES // 1024} KiB, {reported.MAX_ROWS} rows, {MAX_DATABASES} databases per repository"
    assert f"{bounds}, {MAX_HELD:,} rows remembered for each" in body


def test_the_key_of_a_deploy_job_is_what_the_page_derives() -> None:
    page = text(DOCS / "how-to" / "report-rows.md")
    [by_hand] = re.findall(r"`(printf [^`]+)`", page)
    done = subprocess.run(
        ["sh", "-c", by_hand],
        env=environment() | {"ONEHEAD_REPORT_SECRET": "s" * 24},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stdout.split()[-1] == reported.key_of("s" * 24, "acme/shop")


def test_metrics() -> None:
    body = sections(REFERENCE / "http.md")["GET /metrics"]
    assert {coded(row[0]) for row in rows(body)} == metric_names()
    anchors_of_settings = {setting.variable.lower() for setting in SETTINGS}
    for page in (*DOCS.rglob("*.md"), ROOT / "README.md"):
        named = set(re.findall(r"\bonehead_[a-z_]+", text(page)))
        assert named - metric_names() - anchors_of_settings == set(), name_of(page)


def test_readiness_report() -> None:
    body = sections(REFERENCE / "http.md")["GET /readyz"]
    [example] = [json.loads(block) for _, kind, block in FENCE.findall(body) if kind == "json"]
    _, report = Health(EmbeddedEngine(lambda _job: None).state).report()
    assert shape(example) == shape(report)


def shape(value: Any) -> Any:
    return {key: shape(below) for key, below in value.items()} if isinstance(value, dict) else None


def test_dependencies_have_a_reason() -> None:
    declared = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    names = [re.split(r"[><=~\[ ]", each)[0] for each in declared["dependencies"]]
    extras = {re.split(r"[><=~\[ ]", each)[0] for more in declared["optional-dependencies"].values() for each in more}
    described = [row[0] for row in rows(sections(DOCS / "decisions.md")["Dependencies"])]
    assert described == [*names, *sorted(extras)]
    other = {"gitpython": "git", "markdown-it-py": "markdown_it"}
    imported = {other.get(name, name.replace("-", "_")) for name in [*names, *extras]}
    # SQLAlchemy imports a driver, and psycopg's pool comes with an extra of its own.
    assert imported - {"pymysql"} == THIRD_PARTY.keys() - OF_THE_PROJECT - {"psycopg_pool"}


def test_the_map_names_every_room() -> None:
    table = rows(sections(ROOT / "CONTRIBUTING.md")["The map"])
    rooms = {folder.parent.name for folder in (ROOT / "bot" / "onehead").glob("*/__init__.py")}
    assert {name.rstrip("/") for row in table for name in INLINE.findall(row[0])} == rooms
    for place in re.findall(r"`((?:\w+/)+\w+\.py)`", text(ROOT / "CONTRIBUTING.md")):
        assert (ROOT / place).is_file() or (ROOT / "bot/onehead" / place).is_file(), place


def commands(page: Path) -> Iterator[str]:
    """Every `onehead …` line of the code blocks, and every such code span."""
    for _, language, block in FENCE.findall(text(page)):
        if language in {"", "yaml", "ini", "sh"}:
            for line in block.replace("\\\n", " ").splitlines():
                found = re.search(r"(?:^|[\s=/\"])(onehead (?:--?\w|\w+).*)$", line)
                if found and not re.match(r"onehead (?:VERB|[a-z -]+ [\[(])", found[1]) and is_command(line):
                    yield found[1]
    for span in INLINE.findall(text(page)):
        if re.match(r"onehead (?:--)?[a-z]", span):
            yield span


def is_command(line: str) -> bool:
    """Whether a line is typed, not printed: output that ends with the next command begins otherwise."""
    program = r"onehead |/\S*/onehead |exec onehead |pipx run |Next: onehead |docker (?:compose )?run "
    return bool(re.match(rf"\s*(?:- )?(?:run: )?(?:{program})", line))


@each_page
def test_commands_in_a_page_would_be_accepted(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands(page):
        words = shlex.split(re.split(r"\s(?:&&|\|\||\\?\||[>;])", command)[0])[1:]
        if " ".join(words) in verbs():
            continue  # the name of a verb in prose; what it needs stands elsewhere
        assert refusal(words, capsys) == "", command


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the real parser says against a command line."""
    try:
        command_line.parse(words)
    except SystemExit as end:
        return capsys.readouterr().err if end.code else ""
    return ""


def test_commands_are_found_at_all() -> None:
    assert "onehead check --target origin/main --head HEAD" in list(commands(ROOT / "README.md"))
    assert "onehead fix --target main" in list(commands(DOCS / "operations.md"))
    assert sum(1 for page in PAGES for _ in commands(page)) > 50


SYSTEMS = {
    # Section of the page about CI → the schema that its YAML keeps to. Forgejo reads what GitHub does.
    "Forgejo Actions": "vendor.github-workflows",
    "GitLab CI": "vendor.gitlab-ci",
    "GitHub Actions": "vendor.github-workflows",
    "Woodpecker": "vendor.woodpecker-ci",
    "Reports": "vendor.gitlab-ci",
}


@pytest.mark.parametrize("section", [*SYSTEMS, "Before every push"])
def test_the_pipelines_are_what_each_system_reads(section: str, tmp_path: Path) -> None:
    """By the schemas that `check-jsonschema` carries, and by the pre-commit framework itself."""
    validate(sections(CI)[section], SYSTEMS.get(section), tmp_path)


def test_the_deploy_job_is_what_forgejo_actions_reads(tmp_path: Path) -> None:
    validate(text(DOCS / "how-to" / "report-rows.md"), SYSTEMS["Forgejo Actions"], tmp_path)


def validate(words: str, schema: str | None, folder: Path) -> None:
    """Every block of YAML keeps to a schema; without one, to what the pre-commit framework reads."""
    blocks = [block for _, kind, block in FENCE.findall(words) if kind == "yaml"]
    assert blocks
    for number, block in enumerate(blocks):
        file = folder / f"{number}.yaml"
        file.write_text(block, encoding="utf-8")
        tool = ["check_jsonschema", "--builtin-schema", schema] if schema else ["pre_commit", "validate-config"]
        done = subprocess.run(
            [sys.executable, "-m", *tool, str(file)],
            env=environment() | {"PRE_COMMIT_HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_pipeline_names_no_commits() -> None:
    """`onehead check` finds them; tests/cli/test_check_in_ci.py shows that for each system."""
    for section in SYSTEMS:
        typed = [line for line in sections(CI)[section].splitlines() if is_command(line)]
        assert typed
        assert [line for line in typed if re.search(r"--target|--head|--fetch", line)] == []


@each_page
def test_make_targets_in_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    code = [
        *INLINE.findall(text(page)),
        *(line for _, _, block in FENCE.findall(text(page)) for line in block.splitlines()),
    ]
    named = {found[1] for line in code if (found := re.match(r"(?:[A-Z_]+=\S+ )?make ([a-z]+)", line))}
    assert named <= targets
    if page.name == "README.md" and page.parent == ROOT:
        assert {"demo", "test"} <= named


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", text(page))
    for target in re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(place), f"{target} has no such heading"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text(page)), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text(page)))


# Errors by their text


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Every text of a module, with `…` for what is put in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield flat(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield flat("".join(map(str, parts)))


@cache
def texts_of_onehead() -> str:
    source = ROOT / "bot" / "onehead"
    return "\n".join(each for path in source.rglob("*.py") for each in texts_of(ast.parse(path.read_bytes())))


FROM_CRASHES = "In the log of a deploy: Alembic and the database"
AS_A_DATABASE_SAYS_IT = {
    "already exists": 'psycopg.errors.DuplicateTable: relation "players" already exists',
    "value too long for type character varying(32)": (
        "psycopg.errors.StringDataRightTruncation: value too long for type character varying(32)\n"
        "[SQL: UPDATE alembic_version SET version_num='2024_05_01_add_the_table_of_player_teams']"
    ),
}


def test_the_errors_of_the_page_are_those_of_the_program() -> None:
    found = sections(REFERENCE / "errors.md")
    del found[FROM_CRASHES]
    shown = [row[0] for body in found.values() for row in rows(body)]
    assert len(shown) > 30
    assert [each for each in shown if each.removesuffix(" …") not in texts_of_onehead()] == []


def test_the_errors_of_a_deploy_are_recognised() -> None:
    for row in rows(sections(REFERENCE / "errors.md")[FROM_CRASHES]):
        shown = row[0].replace("…", "018")
        [crash] = read_log(AS_A_DATABASE_SAYS_IT.get(shown, f"FAILED: {shown}")).crashes
        assert crash.is_framed
        assert shown in crash.line


def test_every_page_is_in_the_index() -> None:
    linked = {
        (DOCS / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", text(DOCS / "index.md"))
    }
    assert {page for page in DOCS.rglob("*.md") if page.name != "index.md"} - linked == set()


# What a page shows


def league(folder: Path) -> Repository:
    """The project of the README: 019 is on main, 020 and 021 are on the branch that is checked out."""
    repo = Repository(folder / "league", bare=False)
    repo.commit("main", merged(project(), revision("017", None, "players"), revision("018", "017", "games")))
    repo.branch("add-oauth", "main")
    repo.commit("main", revision("019", "018", "player_teams"))
    repo.commit("add-oauth", merged(revision("020", "018", "oauth_tokens"), revision("021", "020", "oauth_scopes")))
    repo.git("symbolic-ref", "HEAD", "refs/heads/add-oauth")
    return repo


@cache
def printed(command: str) -> str:
    """What a command prints in that project."""
    with tempfile.TemporaryDirectory() as folder:
        repo = league(Path(folder))
        done = run(command, repo.path, Path(folder))
    assert done.err == ""
    return done.out


def run(command: str, place: Path, cache: Path) -> Done:
    """Type a command somewhere; it runs in this process."""
    variables = environment() | {"ONEHEAD_CACHE_DIR": str(cache)}
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, variables, clear=True), chdir(place), redirect_stdout(out), redirect_stderr(err):
        code = main.main(shlex.split(command)[1:])
    return Done(code, out.getvalue(), err.getvalue())


def refreshed(page: Path) -> str:
    """The page with the present output in every shown block."""
    if page == TUTORIAL:
        return with_outputs(tutorial_outputs())

    def replace(found: re.Match[str]) -> str:
        return f"<!-- shown: {found[1]} -->\n```{found[2]}\n{printed(found[1])}```"

    return SHOWN.sub(replace, text(page))


@each_page
def test_shown_output_is_the_real_one(page: Path) -> None:
    assert text(page) == refreshed(page)


def test_json_fields_are_explained() -> None:
    page = text(REFERENCE / "json.md")
    explained = {part for span in INLINE.findall(page) for part in re.split(r"[.\[\]]+", span)}
    for command in ("onehead check", "onehead fix", "onehead graph", "onehead states", "onehead doctor --rows 018"):
        document = json.loads(printed(f"{command} --format json"))
        assert keys(document) - explained == set()
        assert f"`{document['schema']}`" in page
    # What `verify` prints depends on the machine; tests/cli/test_verify.py holds it against its schema.
    schema = json.loads(text(DOCS / "schema" / "onehead.verify-1.json"))
    named = [schema, *schema["$defs"].values()]
    assert {key for each in named for key in each.get("properties", ())} - explained == set()


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for below in value.values() for key in keys(below)}
    return {key for below in value for key in keys(below)} if isinstance(value, list) else set()


TUTORIAL = DOCS / "tutorial.md"
MARK = "-- what this block printed ends here --"


def typed(words: str) -> list[str]:
    """The blocks of a part of the tutorial that are typed after the demo, in order."""
    blocks = [block for _, language, block in FENCE.findall(SHOWN.sub("", words)) if not language]
    return [block for block in blocks if not block.startswith(("make demo", "export PATH="))]


@cache
def tutorial_outputs() -> tuple[str, ...]:
    """Carry the tutorial out, exactly as it stands there: what each block printed."""
    script = f'onehead() {{ {shlex.quote(sys.executable)} -m onehead "$@"; }}\n'
    script += "".join(f"{block}echo; echo {shlex.quote(MARK)}\n" for block in typed(text(TUTORIAL)))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment() | {"ONEHEAD_CACHE_DIR": f"{folder}/cache"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    assert not re.search(r"error|fatal|Traceback", done.stderr), done.stderr
    return tuple(output.removesuffix("\n") for output in done.stdout.split(f"{MARK}\n")[:-1])


def with_outputs(outputs: tuple[str, ...]) -> str:
    """The tutorial with what the block above each shown one printed."""
    page = text(TUTORIAL)

    def replace(found: re.Match[str]) -> str:
        above = len(typed(page[: found.start()]))
        return f"<!-- shown: {found[1]} -->\n```\n{outputs[above - 1]}```"

    return SHOWN.sub(replace, page)


def test_the_tutorial_keeps_its_promises() -> None:
    shown = [block for _, _, block in SHOWN.findall(text(TUTORIAL))]
    assert [block.split(".")[0] for block in shown] == ["Collision", "Healthy"]
    *_, states, fix, _, healthy, merge = tutorial_outputs()
    assert "loss    020" in states
    assert "Written: branch onehead/reparent/add-oauth" in fix
    assert healthy == shown[1]
    assert "Written: branch onehead/merge/add-oauth" in merge


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(refreshed(each), encoding="utf-8")
