"""Whole logs: those that Alembic really writes, as collectors carry them, and those of others that look alike."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from onehead.databases.crash_catalogue import Crash, CrashKind
from onehead.databases.crash_log import MAX_CRASHES, read_log
from tests.databases.test_crash_lines import PREFIXES

INI = """\
[alembic]
script_location = alembic
sqlalchemy.url = sqlite:///db.sqlite
[loggers]
keys = root,alembic
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
[logger_alembic]
level = INFO
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""
ENV = """\
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, pool

config = context.config
fileConfig(config.config_file_name)
engine = create_engine(config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
API = """\
from alembic import command
from alembic.config import Config

command.upgrade(Config("alembic.ini"), "head")
"""
HEADS = "Multiple head revisions are present for given argument 'head'"
BATCH = """with op.batch_alter_table("nests") as batch:
        batch.drop_column("gone")"""


def revision(id_: str, parent: str | None, does: str = "pass", depends: str | None = None) -> dict[str, str]:
    text = (
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        f"revision = {id_!r}\ndown_revision = {parent!r}\nbranch_labels = None\ndepends_on = {depends!r}\n\n\n"
        f"def upgrade():\n    {does}\n\n\ndef downgrade():\n    pass\n"
    )
    return {f"alembic/versions/{id_}_step.py": text}


NESTS = 'op.create_table("nests", sa.Column("id", sa.Integer()))'
CHAIN = {**revision("aaaa1111", None, NESTS), **revision("bbbb2222", "aaaa1111")}


class Case(NamedTuple):
    """A broken project, the row of its database, what is run, and what is wrong."""

    files: dict[str, str]
    crash: tuple[CrashKind, str, tuple[str, ...]]
    row: str = ""
    command: tuple[str, ...] = ("-m", "alembic", "upgrade", "head")


CASES = {
    "a missing parent": Case(revision("bbbb2222", "gone0000"), (CrashKind.MISSING_PARENT, "gone0000", ())),
    "a missing dependency": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", depends="gone0000")},
        (CrashKind.MISSING_PARENT, "gone0000", ()),
    ),
    "an empty parent": Case(revision("bbbb2222", ""), (CrashKind.MISSING_PARENT, "", ())),
    "an unknown row": Case(CHAIN, (CrashKind.CANNOT_LOCATE, "ffff9999", ()), "ffff9999"),
    "an unknown row, without the command line": Case(
        {**CHAIN, "run.py": API}, (CrashKind.CANNOT_LOCATE, "ffff9999", ()), "ffff9999", ("run.py",)
    ),
    "two heads": Case(
        {**CHAIN, **revision("cccc3333", "aaaa1111")},
        (CrashKind.MULTIPLE_HEADS, "", ()),
    ),
    "two heads, without the command line": Case(
        {**CHAIN, **revision("cccc3333", "aaaa1111"), "run.py": API},
        (CrashKind.MULTIPLE_HEADS, "", ()),
        command=("run.py",),
    ),
    "a cycle": Case(
        {**revision("aaaa1111", "bbbb2222"), **revision("bbbb2222", "aaaa1111")},
        (CrashKind.CYCLE, "", ("aaaa1111", "bbbb2222")),
    ),
    "a loop": Case(revision("aaaa1111", "aaaa1111"), (CrashKind.CYCLE, "", ("aaaa1111",))),
    "an id twice": Case(
        {**CHAIN, "alembic/versions/copy.py": next(iter(revision("bbbb2222", "aaaa1111").values()))},
        (CrashKind.DUPLICATE_ID, "bbbb2222", ()),
        command=("-m", "alembic", "heads"),
    ),
    "a file without an id": Case(
        {**CHAIN, "alembic/versions/tools.py": "x = 1\n"}, (CrashKind.NO_ID_IN_FILE, "tools.py", ())
    ),
    "a file without a parent": Case(
        {**CHAIN, "alembic/versions/tools.py": "revision = 'cccc3333'\n"}, (CrashKind.BROKEN_FILE, "tools_py", ())
    ),
    "a file that can't be imported": Case(
        {**CHAIN, "alembic/versions/x.py": "import no_such_module\n"}, (CrashKind.BROKEN_FILE, "", ())
    ),
    "a file that can't be parsed": Case(
        {**CHAIN, "alembic/versions/x.py": "def upgrade(:\n"}, (CrashKind.BROKEN_FILE, "", ())
    ),
    "no env.py": Case({**CHAIN, "alembic/env.py": ""}, (CrashKind.NO_SCRIPTS, "alembic/env.py", ())),
    "no scripts": Case({"alembic/env.py": ""}, (CrashKind.NO_SCRIPTS, "elsewhere", ()), command=("no scripts",)),
    "behind": Case(CHAIN, (CrashKind.NOT_UP_TO_DATE, "", ()), "aaaa1111", ("-m", "alembic", "check")),
    "a step too far": Case(CHAIN, (CrashKind.NOT_ON_ONE_LINE, "", ()), "", ("-m", "alembic", "upgrade", "+5")),
    "an unknown label": Case(
        CHAIN, (CrashKind.CANNOT_LOCATE, "pay", ()), "", ("-m", "alembic", "history", "-r", "pay@base:head")
    ),
    "a table twice": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", NESTS)}, (CrashKind.ALREADY_THERE, "nests", ())
    ),
    "a missing table": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", 'op.execute("UPDATE gulls SET id = 1")')},
        (CrashKind.NOT_THERE, "gulls", ()),
    ),
    "a batch without its column": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", BATCH)},
        (CrashKind.NOT_THERE, "gone", ()),
    ),
    "an operation that SQLite can't do": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", 'op.create_unique_constraint("uq", "nests", ["id"])')},
        (CrashKind.WRONG_OPERATION, "", ()),
    ),
    "code that fails": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", '{}["aaaa1111"]')}, (CrashKind.MIGRATION_CODE, "", ())
    ),
    "an argument too many": Case(
        {**CHAIN, "alembic/env.py": ENV.replace("run_migrations()", 'run_migrations(engine_name="x")')},
        (CrashKind.WRONG_SIGNATURE, "", ()),
    ),
    "a statement that fails": Case(
        {**CHAIN, **revision("cccc3333", "bbbb2222", 'op.execute("SELEKT 1")')}, (CrashKind.STATEMENT_FAILED, "", ())
    ),
}  # fmt: skip

QUICK = ("an unknown row, without the command line", "a missing parent", "a table twice")


def happened(case: Case, folder: Path) -> str:
    """What Alembic writes."""
    for path, text in {"alembic/env.py": ENV, **case.files, "alembic.ini": INI}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for path in ("alembic/env.py",):
        if not (folder / path).read_text(encoding="utf-8"):
            (folder / path).unlink()
    command = case.command
    if command == ("no scripts",):
        (folder / "alembic.ini").write_text(INI.replace("= alembic\n", "= elsewhere\n", 1), encoding="utf-8")
        command = ("-m", "alembic", "heads")
    if case.row:
        with sqlite3.connect(folder / "db.sqlite") as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", [case.row])
        connection.close()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    return done.stdout + done.stderr


def seen(crash: Crash) -> tuple[CrashKind, str, tuple[str, ...]]:
    return crash.trouble, crash.subject, crash.names


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CASES]
)
def test_what_alembic_really_writes(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    log = happened(case, tmp_path)
    [plain] = read_log(log).crashes
    assert seen(plain) == case.crash, log
    for prefix in PREFIXES.values():
        carried = "\n".join(prefix + line for line in log.split("\n"))
        assert [seen(crash) for crash in read_log(carried).crashes] == [case.crash], carried
    for record in ({"message": log}, {"event": "boot failed", "exception": log}):
        assert [seen(crash) for crash in read_log(json.dumps(record)).crashes] == [case.crash]
    docker = [json.dumps({"log": f"{line}\n", "stream": "stderr"}) for line in log.split("\n")]
    assert [seen(crash) for crash in read_log("\n".join(docker)).crashes] == [case.crash]
    # As a terminal of 80 columns shows it.
    broken = [
        piece for line in log.split("\n") for piece in ([line[n : n + 80] for n in range(0, len(line), 80)] or [""])
    ]
    assert [seen(crash) for crash in read_log("\n".join(broken)).crashes] == [case.crash]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a table twice", "a missing table", "code that fails", "a statement that fails"])
def test_the_step_is_known(name: str, tmp_path: Path) -> None:
    log = happened(CASES[name], tmp_path)
    [crash] = read_log(log).crashes
    assert crash.step is not None
    assert (crash.step.verb, crash.step.origin, crash.step.target) == ("upgrade", ("bbbb2222",), "cccc3333")
    assert crash.file[0].endswith("alembic/versions/cccc3333_step.py")
    # Without Alembic's own log, the traceback names the file.
    quiet = "\n".join(line for line in log.split("\n") if "[alembic." not in line)
    [crash] = read_log(quiet).crashes
    assert (crash.step, crash.file[0].endswith("cccc3333_step.py")) == (None, True)


def frames(*places: str) -> str:
    return "Traceback (most recent call last):\n" + "".join(
        f'  File "{path}", line 7, in {function}\n    something()\n'
        for path, _, function in (place.partition(" ") for place in places)
    )


ALEMBIC = "/venv/lib/python3.12/site-packages/alembic/"
FOREIGN = {
    "a variable that is not set": (
        frames(f"{ALEMBIC}script/base.py run_env", "/srv/migrations/env.py <module>", "<frozen os> __getitem__")
        + "KeyError: 'SHOP_DATABASE'\n",
        "/srv/migrations/env.py",
    ),
    "a section that is missing": (
        frames("/srv/migrations/env.py <module>", "/usr/lib/python3.12/configparser.py __getitem__")
        + "KeyError: 'loggers'\n",
        "/srv/migrations/env.py",
    ),
    "a key of the application that is an id as well": (
        frames("/srv/shop/views.py show") + "KeyError: 'aaaa1111'\n",
        "/srv/shop/views.py",
    ),
    "a query of the application": (
        frames("/srv/shop/db.py load", "/venv/lib/python3.12/site-packages/sqlalchemy/engine/base.py execute")
        + 'sqlalchemy.exc.ProgrammingError: (psycopg.errors.UndefinedTable) relation "nests" does not exist\n',
        "/srv/shop/db.py",
    ),
    "tables that the application makes": (
        frames("/srv/shop/db.py start", "/venv/lib/python3.12/site-packages/sqlalchemy/sql/ddl.py visit_table")
        + "sqlite3.OperationalError: table nests already exists\n",
        "/srv/shop/db.py",
    ),
    "a command of somebody else": (
        frames("/srv/shop/cli.py main") + "shop.errors.CommandFailed: Target database is not up to date.\n",
        "/srv/shop/cli.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("log", "path"), FOREIGN.values(), ids=FOREIGN)
def test_errors_of_others_are_told_apart(log: str, path: str) -> None:
    reading = read_log(log)
    assert reading.crashes == ()
    assert reading.foreign is not None
    assert (reading.foreign.path, reading.foreign.number) == (path, 7)


@pytest.mark.parametrize(
    "log",
    [
        "",
        "hello\n",
        'NOTICE:  relation "nests" already exists, skipping\n',
        "borg  | ✓ Column width already exists in nests\n",
        "Unique index already exists: ix_nests\n",
        "INFO:shop:table nests already exists, nothing to do\n",
        '2026-02-01 10:00:00 UTC [7] ERROR:  relation "nests" does not exist at character 15\n',
        "WARNING: Revision 12 of the wiki page is present more than once\n",
        "FAILED: tests/test_shop.py::test_nests\n",
        "duplicate column name: width is what SQLite would say\n",
    ],
)
def test_notes_that_stop_nothing(log: str) -> None:
    assert read_log(log) == ((), 0, None)


FRAMES: dict[str, Callable[[str], str]] = {
    "alembic.ini": lambda text: f"ERROR [alembic.util.messaging] {text}",
    "basicConfig": lambda text: f"ERROR:alembic.util.messaging:{text}",
    "django": lambda text: f"2026-02-01 10:00:00,123 - alembic.util.messaging - ERROR - {text}",
    "loguru": lambda text: f"2026-02-01 10:00:00.123 | ERROR    | alembic.util.messaging:err:69 - {text}",
    "json": lambda text: json.dumps({"level": "error", "logger": "alembic.util.messaging", "event": text}),
    "logfmt": lambda text: f'level=error logger=alembic.util.messaging msg="{text}"',
    "the command line": lambda text: f"  FAILED: {text}",
    "behind other words": lambda text: f"migrate.sh: FAILED: {text}",
    "flask": lambda text: f"ERROR [flask_migrate] Error: {text}",
    "a traceback": lambda text: f"alembic.util.exc.CommandError: {text}",
    "a traceback without modules": lambda text: f"CommandError: {text}",
    "pytest": lambda text: f"E       alembic.util.exc.CommandError: {text}",
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_of_alembic(frame: Callable[[str], str]) -> None:
    texts = {
        "Target database is not up to date.": CrashKind.NOT_UP_TO_DATE,
        "Can't locate revision identified by 'aaaa1111'": CrashKind.CANNOT_LOCATE,
        "Requested revision bbbb2222 overlaps with other requested revisions aaaa1111": CrashKind.OVERLAPS,
    }
    for text, trouble in texts.items():
        assert [crash.trouble for crash in read_log(frame(text)).crashes] == [trouble], frame(text)


def test_a_warning_counts_where_alembic_gives_it() -> None:
    text = "UserWarning: Revision aaaa1111 is present more than once"
    assert (
        read_log(f"{ALEMBIC}script/revision.py:208: {text}\n  util.warn(\n").crashes[0].trouble
        == CrashKind.DUPLICATE_ID
    )
    assert read_log(f"WARNING [py.warnings] {ALEMBIC}script/revision.py:208: {text}").crashes != ()
    assert read_log(f"/srv/wiki/pages.py:208: {text}").crashes == ()


def test_a_key_without_a_frame_counts_only_as_a_revision_of_this_repository() -> None:
    reading = read_log("Traceback (most recent call last):\nKeyError: 'aaaa1111'\n")
    assert [crash.subject for crash in reading.believed({"aaaa1111"}).crashes] == ["aaaa1111"]
    doubted = reading.believed({"bbbb2222"})
    assert doubted.crashes == ()
    assert doubted.foreign is not None
    assert doubted.foreign.line == "KeyError: 'aaaa1111'"


def test_two_pods_in_one_log_are_not_mixed_up() -> None:
    mine = frames(f"{ALEMBIC}script/revision.py _revision_map") + "KeyError: 'gone0000'"
    other = frames("/srv/shop/views.py show") + "KeyError: 'basket'"
    mixed = [
        f"{name}  | {line}"
        for pair in zip(mine.split("\n"), other.split("\n"), strict=True)
        for name, line in zip(("migrate-1", "web-1"), pair, strict=True)
    ]
    reading = read_log("\n".join(mixed))
    assert [seen(crash) for crash in reading.crashes] == [(CrashKind.MISSING_PARENT, "gone0000", ())]
    assert reading.foreign is not None
    assert reading.foreign.line == "KeyError: 'basket'"


UNKNOWN_PREFIXES = (
    "/ecs/shop ecs/migrate/0123456789abcdef ",
    "[shop-6c56759c95-fgz25 migrate] ",
    '{"app":"shop","level":"error"} ',
    "Apr 1 10:00:00 AM  ",
    "ERROR ",
)


@pytest.mark.parametrize("prefix", UNKNOWN_PREFIXES)
def test_one_line_behind_an_unknown_prefix(prefix: str) -> None:
    assert [crash.subject for crash in read_log(f"{prefix}KeyError: 'aaaa1111'").crashes] == ["aaaa1111"]
    [crash] = read_log(f'{prefix}psycopg2.errors.DuplicateTable: relation "nests" already exists').crashes
    assert (crash.kind, crash.subject) == ("relation", "nests")


def test_words_that_quote_an_error_are_none() -> None:
    assert read_log("WARNING shop: no basket: KeyError: 'aaaa1111'").crashes == ()


def test_frames_of_libraries_alone_leave_it_to_the_step() -> None:
    log = (
        frames("/venv/lib/python3.12/site-packages/sqlalchemy/engine/default.py do_execute")
        + 'sqlalchemy.exc.IntegrityError: (psycopg.errors.NotNullViolation) column "width" contains null values\n'
    )
    assert read_log(log).crashes == ()
    [crash] = read_log("Running upgrade aaaa1111 -> bbbb2222, step\n" + log).crashes
    assert (crash.trouble, crash.step and crash.step.revision) == (CrashKind.STATEMENT_FAILED, "bbbb2222")


def test_a_downgrade_runs_the_revision_that_it_leaves() -> None:
    [crash] = read_log(
        "Running downgrade bbbb2222 -> aaaa1111, step\nsqlite3.OperationalError: no such table: x"
    ).crashes
    assert crash.step is not None
    assert crash.step.revision == "bbbb2222"


@pytest.mark.parametrize(
    ("text", "seen_as"),
    [
        (
            "(psycopg2.errors.DuplicateTable) FEHLER:  Relation »nests« existiert bereits",
            (CrashKind.ALREADY_THERE, "nests"),
        ),
        ("(psycopg.errors.UndefinedColumn) la colonne « width » n'existe pas", (CrashKind.NOT_THERE, "width")),
        ('(psycopg.errors.DuplicateObject) тип "mood" уже существует', (CrashKind.ALREADY_THERE, "mood")),
    ],
)
def test_postgresql_speaks_many_languages(text: str, seen_as: tuple[CrashKind, str]) -> None:
    [crash] = read_log(f"sqlalchemy.exc.ProgrammingError: {text}\n[SQL: ALTER TABLE x]").crashes
    assert (crash.trouble, crash.subject) == seen_as


def test_a_statement_that_a_terminal_broke() -> None:
    [crash] = read_log(
        'sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateObject) constraint "fk_ne\n'
        'sts" for relation "gulls" already exists\n'
    ).crashes
    assert (crash.kind, crash.subject, crash.of) == ("constraint", "fk_nests", "gulls")
    assert crash.line.endswith('constraint "fk_nests" for relation "gulls" already exists')


@pytest.mark.parametrize(
    "line",
    [
        "FAILED: Requested revision aaaa1111 overlaps with other requested",
        "sqlalchemy.exc.ProgrammingError: (psycopg.errors.X) whatever already exists",
        "sqlite3.OperationalError: table a already exists\n[SQL: x",
        "Traceback (most recent call last):\n  File \"x.py\", line 3, in f\nKeyError: 'a'",
        "alembic.util.messaging " + "Can't locate revision identified by 'x " * 90,
        "alembic.util.messaging " + "Requested revision a " * 180,
        "CommandError: " + "[" * 3900,
        "Requested revision " * 200,
        "FAILED: " + "Revision a referenced from b " * 130,
        "KeyError: '" + "a" * 3900,
    ],
)
def test_hostile_logs_cost_no_more_than_their_length(line: str) -> None:
    def cost(times: int) -> float:
        begin = time.process_time()
        read_log(f"{line}\n" * times)
        return time.process_time() - begin

    assert cost(2000) < 8 * cost(500) + 0.3


def test_a_crash_loop_is_one_complaint() -> None:
    once = "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.\n  FAILED: " + HEADS + "\n"
    assert len(read_log(once * 240).crashes) == 1


def test_many_complaints_are_bounded() -> None:
    reading = read_log("\n".join(f"FAILED: Can't locate revision identified by 'r{n}'" for n in range(50)))
    assert [crash.subject for crash in reading.crashes] == [f"r{n}" for n in range(50 - MAX_CRASHES, 50)]
    assert reading.left_out == 50 - MAX_CRASHES


def test_a_step_that_ended_is_not_blamed() -> None:
    step = "INFO  [alembic.runtime.migration] Running upgrade aaaa1111 -> bbbb2222, step\n"
    error = "sqlite3.OperationalError: table nests already exists\n"
    [near] = read_log(step + error).crashes
    assert near.step is not None
    [far] = read_log(step + "GET / 200\n" * 100 + error).crashes
    assert far.step is None


def test_merges_and_first_steps_are_read() -> None:
    log = 'Running upgrade aaaa1111, bbbb2222 -> cccc3333, merge\nsqlite3.OperationalError: near "x": syntax error\n'
    [crash] = read_log(log).crashes
    assert crash.step is not None
    assert crash.step.origin == ("aaaa1111", "bbbb2222")
    [crash] = read_log(log.replace("aaaa1111, bbbb2222", "")).crashes
    assert crash.step is not None
    assert (crash.step.origin, crash.step.revision) == ((), "cccc3333")
