"""`onehead verify`: migrations really run, on real SQLite and real PostgreSQL, and what it makes of how they end."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from onehead.verify.servers import PREFIX
from tests.cli.terminal_runs import Run
from tests.mariadb import MariaDB, mariadb
from tests.migrations import ENV_PY, VERSIONS, chain, merged, project, revision
from tests.postgres import Postgres, postgres
from tests.trying import USERS, Verify, diamond, doing, repository, results, where

__all__ = ["mariadb", "postgres", "where"]
"""The fixtures, for pytest to find here."""

pytestmark = pytest.mark.slow

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/onehead.verify-1.json").read_text(encoding="utf-8"))


def databases(postgres: Postgres) -> set[str]:
    with psycopg.connect(postgres.uri, autocommit=True) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


# --- how ways end -------------------------------------------------------------------------------------------------


def test_sides_that_get_along_end_alike_whichever_came_first(
    run: Run, tmp_path: Path, where: tuple[str, ...], postgres: Postgres
) -> None:
    files = diamond(
        'op.create_table("teams", sa.Column("id", sa.Integer()))', 'op.create_index("ix", "users", ["age"])'
    )
    before = databases(postgres)

    fresh, other = Verify(run, repository(tmp_path, files), *where).ways()

    assert (fresh["runs"], fresh["alike"]) == (["001", "003", "002", "004"], [["001"], ["003"], ["002", "003"]])
    assert (other["rows"], other["reached"], other["runs"]) == (["002"], ["001", "002"], ["003", "004"])
    assert (fresh["result"], other["result"]) == ("ok", "ok")
    assert databases(postgres) == before


def test_a_schema_that_depends_on_the_order_is_told_column_by_column(
    run: Run, tmp_path: Path, where: tuple[str, ...]
) -> None:
    def default(value: int) -> str:
        return f'with op.batch_alter_table("users") as batch:\n    batch.alter_column("age", server_default="{value}")'

    verify = Verify(run, repository(tmp_path, diamond(default(1), default(2))), *where)

    fresh, other = verify.ways(code=1)

    assert (fresh["result"], other["result"], other["rows"]) == ("ok", "different", ["002"])
    [difference] = other["differences"]
    assert difference["thing"] == "column users.age"
    assert "1" in difference["fresh"]
    assert "2" in difference["here"]
    told = verify.done().out
    assert "different, from 002: the schema is not that of the fresh run (1 difference)." in told
    assert "column users.age: fresh INTEGER, NULL, default" in told


def test_the_order_of_columns_is_a_note(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    def add(name: str) -> str:
        return f'op.add_column("users", sa.Column("{name}", sa.Text()))'

    _, other = Verify(run, repository(tmp_path, diamond(add("a"), add("b"))), *where).ways()

    assert other["result"] == "ok"
    assert other["notes"] == ["users: the columns are in another order: id, age, a, b"]


def test_labels_of_an_enum_that_sort_otherwise_are_a_difference(run: Run, tmp_path: Path, postgres: Postgres) -> None:
    files = diamond("op.execute(\"ALTER TYPE mood ADD VALUE 'h'\")", "op.execute(\"ALTER TYPE mood ADD VALUE 'g'\")")
    files |= doing("001", None, "op.execute(\"CREATE TYPE mood AS ENUM ('a')\")")
    verify = Verify(run, repository(tmp_path, files), "--database-url", postgres.uri)

    assert "enum mood: the labels sort otherwise: fresh a, g, h; here a, h, g" in verify.done().out


def test_a_failing_revision_is_named_with_its_statement(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    body = '# on purpose\nop.execute("CREATE TABLE t001 (id INTEGER)")'
    files = merged(project(), chain(("001", None)), doing("002", "001", body), chain(("003", "002")))
    verify = Verify(run, repository(tmp_path, files), *where)

    [way] = verify.ways(code=1)

    failure = way["failure"]
    assert (way["result"], failure["revision"], way["runs"]) == ("failed", "002", ["001"])
    assert failure["statement"] == "CREATE TABLE t001 (id INTEGER)"
    assert "already exists" in failure["message"]
    path = f"{VERSIONS}/002_t002.py"
    assert (failure["path"], failure["line"]) == (path, line_of(files[path], "CREATE TABLE"))
    told = verify.done().out
    assert f"failed, from fresh: revision 002 ({path}:{failure['line']}) fails: " in told
    assert "SQL: CREATE TABLE t001 (id INTEGER)" in told


def line_of(source: str, words: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if words in line)


def test_a_way_on_which_a_side_fails_is_named(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    rename = 'with op.batch_alter_table("users") as batch:\n    batch.alter_column("age", new_column_name="years")'
    files = diamond(rename, 'op.create_index("ix_age", "users", ["age"])')

    fresh, other = Verify(run, repository(tmp_path, files), *where).ways(code=1)

    assert fresh["result"] == "ok"
    assert (other["result"], other["rows"], other["failure"]["revision"]) == ("failed", ["002"], "003")
    assert "CREATE INDEX ix_age" in other["failure"]["statement"]


def test_two_heads_are_refused_in_alembics_words(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    files = merged(project(), chain(("001", None), ("002", "001"), ("003", "001")))
    verify = Verify(run, repository(tmp_path, files), *where)

    fresh, *others = verify.ways(code=1)

    assert (fresh["result"], fresh["runs"]) == ("refused", [])
    assert fresh["failure"]["message"].startswith("Multiple head revisions are present for given argument 'head'")
    assert {way["result"] for way in others} <= {"not-run"}
    assert f"`onehead fix --repo {verify.repo.path} --target main` repairs a fork" in verify.done().out


def test_several_heads_that_are_meant_are_upgraded_to(run: Run, tmp_path: Path) -> None:
    label = "branch_labels: Union[str, Sequence[str], None] = "
    files = merged(project(), chain(("001", None), ("b01", None)))
    for id_ in ("001", "b01"):
        path = f"{VERSIONS}/{id_}_t{id_}.py"
        files[path] = files[path].replace(f"{label}None", f'{label}("line{id_}",)')

    done = Verify(run, repository(tmp_path, files), "--dialect", "sqlite").done("--format", "json")

    [environment] = done.json["environments"]
    assert (done.code, environment["command"]) == (0, "alembic upgrade heads")
    assert set(results(environment["ways"]).values()) == {"ok"}
    assert set(environment["ways"][0]["rows_after"]) == {"001", "b01"}


# --- databases that other commits made ----------------------------------------------------------------------------


def test_a_silent_loss_is_shown_on_a_database_that_the_deployed_commit_made(
    run: Run, tmp_path: Path, where: tuple[str, ...]
) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None), ("002", "001"))))
    repo.branch("topic", "main")
    repo.commit("topic", merged(chain(("00z", "001")), revision("002", "00z"), chain(("003", "002"))))
    verify = Verify(run, repo, *where)

    fresh, other = verify.ways("--target", "main", at="topic", code=1)

    assert (fresh["result"], fresh["runs"]) == ("ok", ["001", "00z", "002", "003"])
    assert (other["rows"], other["result"], other["runs"], other["lost"]) == (["002"], "loss", ["003"], ["00z"])
    assert [each["thing"] for each in other["differences"]] == ["table t00z"]
    told = verify.done("--target", "main", at="topic").out
    assert "loss, from 002: `alembic upgrade head` exits with 0, but 00z never runs." in told
    assert "on databases as main" in told


def test_a_published_revision_whose_body_changed_leaves_databases_behind(run: Run, tmp_path: Path) -> None:
    repo = repository(tmp_path, merged(project(), doing("001", None, USERS)))
    repo.branch("topic", "main")
    changed = USERS.replace("sa.Integer())\n", "sa.Text())\n")
    repo.commit("topic", merged(doing("001", None, changed), chain(("002", "001"))))

    fresh, other = Verify(run, repo, "--dialect", "sqlite").ways("--target", "main", at="topic", code=1)

    assert (fresh["result"], other["rows"], other["result"]) == ("ok", ["001"], "different")
    assert other["differences"] == [
        {"thing": "column users.age", "fresh": "TEXT, NULL", "here": "INTEGER, NULL"},
    ]


def test_a_row_whose_file_is_gone_is_refused(run: Run, tmp_path: Path) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None), ("002", "001"))))
    repo.branch("topic", "main")
    repo.commit("topic", {f"{VERSIONS}/002_t002.py": None, **revision("003", "001")})

    ways = Verify(run, repo, "--dialect", "sqlite").ways("--target", "main", at="topic", code=1)

    assert results(ways) == {"fresh": "ok", "002": "refused"}
    assert ways[1]["failure"]["message"] == "Can't locate revision identified by '002'"


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "statement"),
    [("import time; time.sleep(60)", None), ('op.execute("SELECT pg_sleep(60)")', "SELECT pg_sleep(60)")],
    ids=["python", "sql"],
)
def test_an_endless_migration_is_ended_and_named(
    run: Run, tmp_path: Path, postgres: Postgres, body: str, statement: str | None
) -> None:
    files = merged(project(), chain(("001", None)), doing("002", "001", body))
    before = databases(postgres)
    verify = Verify(run, repository(tmp_path, files), "--database-url", postgres.uri)

    # Long enough for a busy machine to come to the second revision.
    [way] = verify.ways("--timeout", "10", code=3)

    failure = way["failure"]
    assert (way["result"], failure["revision"], failure["statement"]) == ("out-of-time", "002", statement)
    assert failure["message"] == "it was not done after 10 seconds and was ended"
    assert databases(postgres) == before


def test_a_hungry_migration_hits_its_limit(run: Run, tmp_path: Path) -> None:
    files = merged(project(), doing("001", None, "bytearray(1 << 30)"))
    verify = Verify(run, repository(tmp_path, files), "--dialect", "sqlite", "--memory", "768")

    [way] = verify.ways(code=3)

    assert (way["result"], way["failure"]["revision"]) == ("out-of-memory", "001")
    assert "revision 001" in (told := verify.done().out)
    assert "was running: it needed more than 768 MiB of memory." in told
    assert "`--memory MIB`" in told


@pytest.mark.parametrize(
    ("body", "how"),
    [("import os; os._exit(0)", "with exit code 0"), ("import ctypes; ctypes.string_at(0)", "by signal 11")],
)
def test_a_process_that_dies_is_no_success(run: Run, tmp_path: Path, body: str, how: str) -> None:
    files = merged(project(), doing("001", None, body))

    [way] = Verify(run, repository(tmp_path, files), "--dialect", "sqlite").ways(code=3)

    assert (way["result"], way["failure"]["revision"]) == ("ended", "001")
    assert f"the process ended {how} without saying why" in way["failure"]["message"]


def test_more_ways_than_wanted_are_counted(run: Run, tmp_path: Path) -> None:
    files = merged(
        project(),
        chain(("001", None), ("002", "001"), ("003", "001"), ("004", ("002", "003"))),
        chain(("005", "004"), ("006", "004"), ("007", ("005", "006"))),
    )
    done = Verify(run, repository(tmp_path, files), "--dialect", "sqlite", "--most", "1").done("--format", "json")

    [environment] = done.json["environments"]
    assert results(environment["ways"]) == {"fresh": "ok", "005": "ok"}
    assert environment["left_out"] > 0


# --- how env.py is spoken to --------------------------------------------------------------------------------------

READS_A_VARIABLE = ENV_PY.replace('context.config.get_main_option("sqlalchemy.url")', 'os.environ["DATABASE_URL"]')
ASYNC = """import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config


def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    section = context.config.get_section(context.config.config_ini_section, {})
    engine = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
"""


def with_env(source: str, *parts: dict[str, str]) -> dict[str, str]:
    return merged(project(), {"alembic/env.py": source}, *parts)


def test_an_env_py_that_reads_a_variable_is_given_it(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    files = with_env(f"import os\n{READS_A_VARIABLE}", chain(("001", None)))
    verify = Verify(run, repository(tmp_path, files), *where)

    [without] = verify.ways(code=3)
    [way] = verify.ways("--env", "DATABASE_URL={url}")

    assert (without["result"], without["failure"]["path"]) == ("not-started", "alembic/env.py")
    assert without["failure"]["kind"] == "KeyError"
    assert (way["result"], way["runs"]) == ("ok", ["001"])
    assert "--env NAME=VALUE" in verify.done().out


def test_parts_of_the_address_fill_variables(run: Run, tmp_path: Path, postgres: Postgres) -> None:
    made = 'f"postgresql+psycopg://{os.environ["PGUSER"]}@/{os.environ["NAME"]}?host={os.environ["PGHOST"]}"'
    source = "import os\n" + READS_A_VARIABLE.replace(
        'os.environ["DATABASE_URL"]', made.replace('["', "['").replace('"]', "']")
    )
    verify = Verify(run, repository(tmp_path, with_env(source, chain(("001", None)))), "--database-url", postgres.uri)

    [way] = verify.ways("--env", "PGUSER={user}", "--env", "NAME={database}", "--env", "PGHOST={host}")

    assert way["result"] == "ok"


@pytest.mark.parametrize("driver", ["aiosqlite", "psycopg"])
def test_an_async_env_py(run: Run, tmp_path: Path, postgres: Postgres, driver: str) -> None:
    kind = ("--database-url", postgres.uri) if driver == "psycopg" else ("--dialect", "sqlite")
    files = with_env(ASYNC, diamond("pass", 'op.create_index("ix", "users", ["age"])'))
    files["alembic/env.py"] = ASYNC

    ways = Verify(run, repository(tmp_path, files), *kind, "--driver", driver).ways()

    assert results(ways) == {"fresh": "ok", "002": "ok"}


def test_the_driver_of_the_configuration_is_kept(run: Run, tmp_path: Path) -> None:
    files = with_env(ASYNC, chain(("001", None)))
    files["alembic.ini"] += "sqlalchemy.url = sqlite+aiosqlite:///production.db\n"
    repo = repository(tmp_path, files)

    done = Verify(run, repo).done("--format", "json")

    [environment] = done.json["environments"]
    assert (done.code, environment["database"], environment["versions"]["driver"]) == (0, "SQLite", "aiosqlite")


def test_no_other_database_is_connected_to(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    precious = tmp_path / "production.db"
    source = ENV_PY.replace('context.config.get_main_option("sqlalchemy.url")', f'"sqlite:///{precious}"')
    verify = Verify(run, repository(tmp_path, with_env(source, chain(("001", None)))), *where)

    [way] = verify.ways(code=3)

    assert (way["result"], precious.exists()) == ("not-started", False)
    assert "would have connected to another database than the scratch one" in way["failure"]["message"]
    assert "`--env DATABASE_URL={url}`" in verify.done().out


def test_arguments_for_alembic_are_passed_on(run: Run, tmp_path: Path) -> None:
    source = (
        f'from alembic import context\nassert context.get_x_argument(as_dictionary=True)["tenant"] == "a"\n{ENV_PY}'
    )
    verify = Verify(run, repository(tmp_path, with_env(source, chain(("001", None)))), "--dialect", "sqlite")

    assert verify.ways(code=3)[0]["result"] == "not-started"
    assert verify.ways("-x", "tenant=a")[0]["result"] == "ok"


def test_an_env_py_that_runs_nothing_is_no_success(run: Run, tmp_path: Path) -> None:
    files = with_env("from alembic import context\n", chain(("001", None)))

    [way] = Verify(run, repository(tmp_path, files), "--dialect", "sqlite").ways(code=3)

    assert way["result"] == "not-started"
    assert "never called `context.run_migrations()`" in way["failure"]["message"]


def test_several_environments_are_tried_one_by_one(run: Run, tmp_path: Path) -> None:
    versions = "billing/migrations/versions"
    toml = '[tool.alembic]\nscript_location = "billing/migrations"\n'
    billing = {"pyproject.toml": toml, "billing/migrations/env.py": ENV_PY}
    broken = doing("b02", "b01", 'op.drop_table("nowhere")', versions)
    files = merged(project(), chain(("001", None)), billing, revision("b01", None, versions=versions), broken)
    verify = Verify(run, repository(tmp_path, files), "--dialect", "sqlite")

    done = verify.done("--format", "json")

    found = {each["path"]: results(each["ways"]) for each in done.json["environments"]}
    assert (done.code, found) == (1, {VERSIONS: {"fresh": "ok"}, versions: {"fresh": "failed"}})
    one = verify.done("--environment", VERSIONS, "--format", "json")
    assert (one.code, [each["path"] for each in one.json["environments"]]) == (0, [VERSIONS])
    assert verify.done("--environment", "nowhere").code == 2


# --- what is verified ---------------------------------------------------------------------------------------------


def test_a_work_tree_is_verified_as_it_is_and_a_commit_as_it_was(run: Run, tmp_path: Path) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None))), bare=False)
    verify = Verify(run, repo, "--dialect", "sqlite")
    for path, text in chain(("002", "001")).items():
        (repo.path / path).write_text(text)
    before = repo.git("status", "--porcelain", "--ignored")

    assert verify.ways(at="")[0]["runs"] == ["001", "002"]
    assert verify.ways(at="HEAD")[0]["runs"] == ["001"]
    assert repo.git("status", "--porcelain", "--ignored") == before


def test_code_of_the_project_is_imported_from_the_commit(run: Run, tmp_path: Path) -> None:
    """Also where the project's Python would import it from the checkout, as an editable install makes it do."""
    source = f"import shop\nassert shop.NAME == 'committed', shop.NAME\n{ENV_PY}"
    files = with_env(source, chain(("001", None))) | {"src/shop.py": "NAME = 'committed'\n"}
    repo = repository(tmp_path, files, bare=False)
    (repo.path / "src/shop.py").write_text("NAME = 'in the work tree'\n")
    verify = Verify(run, repo, "--dialect", "sqlite", "--env", f"PYTHONPATH={repo.path}/src")

    assert verify.ways(at="HEAD")[0]["result"] == "ok"
    assert verify.ways(at="", code=3)[0]["failure"]["message"] == "in the work tree"


def test_a_repository_without_alembic_is_healthy(run: Run, tmp_path: Path) -> None:
    done = Verify(run, repository(tmp_path, {"README": "x\n"}), "--dialect", "sqlite").done()

    assert done.code == 0
    assert "No Alembic environment found" in done.out


# --- forms --------------------------------------------------------------------------------------------------------


def test_the_json_keeps_to_its_schema(run: Run, tmp_path: Path) -> None:
    repo = repository(tmp_path, merged(project(), chain(("001", None)), doing("002", "001", "1 / 0")))
    repo.branch("torn", "main")
    verify = Verify(run, repo, "--dialect", "sqlite")

    for options in ((), ("--target", "main~0")):
        told: Any = verify.done("--format", "json", *options).json
        Draft202012Validator(SCHEMA).validate(told)
        assert told["at"] == {"ref": "main", "sha": repo.sha("main")}


def test_a_server_that_cannot_copy_goes_each_way_from_the_start(run: Run, tmp_path: Path, mariadb: MariaDB) -> None:
    def default(value: int) -> str:
        return f'op.alter_column("users", "age", server_default="{value}", existing_type=sa.Integer())'

    files = diamond(default(1), default(2))

    ways = Verify(run, repository(tmp_path, files), "--database-url", mariadb.fresh()).ways(code=1)

    assert results(ways) == {"fresh": "ok", "002": "different"}


def test_no_scratch_database_is_named_like_another(postgres: Postgres) -> None:
    assert not {name for name in databases(postgres) if name.startswith(PREFIX)}


def test_tables_that_no_revision_makes_are_made_by_a_script(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    files = diamond('op.create_index("ix", "users", ["age"])', "pass")
    files |= doing("001", None, 'op.add_column("users", sa.Column("name", sa.Text()))')
    script = tmp_path / "first.py"
    script.write_text(
        "import sys\nfrom sqlalchemy import create_engine, text\n"
        "with create_engine(sys.argv[1]).begin() as connection:\n"
        "    connection.execute(text('CREATE TABLE users (id INTEGER, age INTEGER)'))\n"
    )
    verify = Verify(run, repository(tmp_path, files), *where)

    without = verify.done()
    ways = verify.ways("--prepare", str(script))

    assert (without.code, "`--prepare FILE`" in without.out) == (1, True)
    assert results(ways) == {"fresh": "ok", "002": "ok"}
    script.write_text("1 / 0\n")
    [broken] = verify.ways("--prepare", str(script), code=3)
    assert (broken["result"], broken["failure"]["kind"]) == ("not-started", "ZeroDivisionError")
    assert verify.done("--prepare", str(tmp_path / "nowhere.py")).code == 2


def test_an_env_py_of_flask_migrate_runs_in_its_application(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    package = find_spec("flask_migrate")
    assert package is not None
    template = Path(package.origin or "").parent / "templates" / "flask"
    application = """import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy


def create_app():
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["SHOP_DATABASE"]
    Migrate(app, SQLAlchemy(app))
    return app
"""
    folder = "migrations"
    versions = f"{folder}/versions"
    files = {
        "shop.py": application,
        f"{folder}/env.py": (template / "env.py").read_text(),
        f"{folder}/alembic.ini": (template / "alembic.ini.mako").read_text(),
        **revision("001", None, versions=versions),
        **revision("002", "001", versions=versions),
    }
    verify = Verify(run, repository(tmp_path, files), *where, "--env", "SHOP_DATABASE={url}")

    [without] = verify.ways(code=3)
    [way] = verify.ways("--flask", "shop:create_app")

    assert (without["result"], "application context" in without["failure"]["message"]) == ("not-started", True)
    assert (way["result"], way["runs"]) == ("ok", ["001", "002"])


def test_a_deployed_commit_that_does_not_run_here_is_told_apart(run: Run, tmp_path: Path) -> None:
    repo = repository(tmp_path, with_env(f"import nowhere\n{ENV_PY}", chain(("001", None))))
    repo.branch("topic", "main")
    repo.commit("topic", {"alembic/env.py": ENV_PY, **revision("002", "001")})
    verify = Verify(run, repo, "--dialect", "sqlite", "--target", "main")

    fresh, other = verify.ways(at="topic", code=3)

    assert (fresh["result"], other["result"], other["failure"]["making"]) == ("ok", "not-started", True)
    told = verify.done(at="topic").out
    assert "on the way there, at `alembic upgrade heads`: no revision was run (alembic/env.py:1)" in told
    assert "That is the deployed commit: `--python` and `--env` have to suit main too." in told
