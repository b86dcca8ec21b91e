"""Run one `alembic upgrade` of a project and record what happens. A script for the project's own Python.

It needs nothing but what the project needs anyway: Python 3.9 or newer, Alembic, SQLAlchemy. It reads one JSON object
from standard input (described in `trial.py`) and writes two files into a folder:

- `events`: one JSON object a line, each with its name as `event`. It is a file and not a pipe, so that it is complete
  even when the process was killed.
- `statement`: the SQL statement that is being executed, empty between statements.

It only connects to the scratch database: a connection that does not name it is refused before it is made.
"""

# Alembic and SQLAlchemy are loaded within its limits, and `pathlib` would be one more thing to load on the way.
# ruff: noqa: PLC0415, PTH110, PTH118, PTH119, PTH120, PTH123, SLF001

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import resource
import sys
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Spec = dict[str, Any]

MAX_LENGTH = 4000
"""Characters of a statement or message that are kept."""

DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000", "aiosqlite", "pymysql", "MySQLdb", "aiomysql", "asyncmy")


class ElsewhereError(Exception):
    """Something would have connected to another database than the scratch one."""


class Report:
    """What is written down."""

    def __init__(self, folder: str) -> None:
        """Begin two files in a folder."""
        self._events = os.open(os.path.join(folder, "events"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._statement = os.open(os.path.join(folder, "statement"), os.O_RDWR | os.O_CREAT, 0o600)
        self.phase = "start"
        self.revision: str | None = None
        self.files: dict[str, str] = {}
        self.loading: set[str] = set()

    def tell(self, event: str, **facts: Any) -> None:
        """Write down one event."""
        os.write(self._events, json.dumps(dict(facts, event=event)).encode("utf-8", "replace") + b"\n")

    def executing(self, statement: str) -> None:
        """Write down what is being executed; empty for nothing."""
        data = statement[:MAX_LENGTH].encode("utf-8", "replace")
        os.pwrite(self._statement, data, 0)
        os.ftruncate(self._statement, len(data))

    def last_statement(self) -> str:
        """What was being executed."""
        return os.pread(self._statement, MAX_LENGTH * 4, 0).decode("utf-8", "replace")


def main() -> None:
    """Do what standard input asks for."""
    spec = json.load(sys.stdin)
    # Neither the directory of this script nor the rest of that JSON is the project's business.
    sys.path.pop(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    most = spec["mebibytes"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    report = Report(spec["folder"])
    try:
        {"look": _look, "prepare": _prepare, "upgrade": _upgrade}[spec["do"]](spec, report)
    except BaseException as error:
        if isinstance(error, SystemExit) and report.phase == "end":
            return
        _tell_failure(error, report)
        sys.exit(70)


def _look(spec: Spec, report: Report) -> None:
    """Tell what is installed, and which kind of database the configuration names."""
    try:
        import alembic
        import sqlalchemy
    except ImportError as error:
        report.tell("failed", kind=type(error).__name__, message=str(error))
        return
    named = ""
    if spec["config"]:
        try:
            url = _config(spec).get_main_option("sqlalchemy.url")
            named = sqlalchemy.engine.url.make_url(url).drivername if url else ""
        except Exception:
            named = ""
    report.tell(
        "look",
        python=sys.version.split()[0],
        alembic=alembic.__version__,
        sqlalchemy=sqlalchemy.__version__,
        drivers=[name for name in DRIVERS if importlib.util.find_spec(name) is not None],
        named=named,
    )


def _prepare(spec: Spec, report: Report) -> None:
    """Run a script on an empty database, with its address as the only argument."""
    from alembic.util import load_python_file

    _move_imports(spec["checkout"], spec["top"])
    os.chdir(spec["top"])
    _watch(spec["name"], report)
    sys.argv[:] = [spec["script"], spec["url"]]
    sys.path.insert(0, os.path.dirname(spec["script"]))
    report.files[spec["script"]] = ""
    load_python_file(os.path.dirname(spec["script"]), os.path.basename(spec["script"]))
    report.phase = "end"
    report.tell("rows", rows=[])


def _upgrade(spec: Spec, report: Report) -> None:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    _move_imports(spec["checkout"], spec["top"])
    config = _config(spec)
    _watch(spec["name"], report)
    with ExitStack() as stack:
        if spec["flask"]:
            from flask.cli import ScriptInfo

            stack.enter_context(ScriptInfo(app_import_path=spec["flask"]).load_app().app_context())
        script = ScriptDirectory.from_config(config)

        def steps(rows: Any, context: Any) -> Iterator[Any]:
            """Alembic asks for the steps one by one, each after the one before was done and recorded."""
            report.tell("version table", name=context.version_table, schema=context.version_table_schema)
            _tell_chain(script, spec, report)
            report.phase = "plan"
            for step in script._upgrade_revs(spec["target"], rows):
                report.phase, report.revision = "run", step.revision.revision
                report.executing("")
                report.tell("begin", revision=report.revision)
                yield step
                report.tell("end", revision=report.revision)
            report.phase, report.revision = "end", None
            report.tell("rows", rows=sorted(context.get_current_heads()))

        with EnvironmentContext(config, script, fn=steps, destination_rev=spec["target"]):
            script.run_env()
    report.tell("done")


def _config(spec: Spec) -> Any:
    from alembic.config import Config

    file = spec["config"]
    if file is not None and file.endswith(".toml"):
        config = Config(toml_file=file)
    else:
        config = Config(file, ini_section=spec["section"] or "alembic")
    os.chdir(_place(config, spec))
    if spec["script_location"]:
        config.set_main_option("script_location", spec["script_location"].replace("%", "%%"))
    if spec["url"]:
        config.set_main_option("sqlalchemy.url", spec["url"].replace("%", "%%"))
    config.cmd_opts = argparse.Namespace(x=spec["x"] or None, config=file, name=spec["section"], cmd=None)
    return config


def _place(config: Any, spec: Spec) -> str:
    """From where people run Alembic: the directory from which the configuration's relative paths lead somewhere.

    A configuration that names no place, like that of Flask-Migrate, is used from the top of the project.
    """
    if spec["config"] is None or spec["flask"]:
        return str(spec["top"])
    beside: str = os.path.dirname(spec["config"])
    try:
        written = config.get_main_option("script_location") or ""
    except Exception:
        written = ""
    for folder in (beside, spec["top"]):
        if written and os.path.normpath(os.path.join(folder, written)) == spec["script_location"]:
            return folder
    return beside if written or spec["config"].endswith(".toml") else str(spec["top"])


def _move_imports(checkout: str, top: str) -> None:
    """What would be imported from the checkout is imported from the exported commit, where that has it."""
    if not checkout or checkout == top:
        return

    def moved(path: str) -> str:
        inside = os.path.relpath(os.path.realpath(path), checkout)
        there = os.path.normpath(os.path.join(top, inside))
        return there if not inside.startswith("..") and os.path.exists(there) else path

    sys.path[:] = [moved(path) if path else path for path in sys.path]
    for finder in sys.meta_path:
        # Editable installs of setuptools that are no plain line in a .pth file.
        mapping = getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", None)
        if isinstance(mapping, dict):
            mapping.update({name: moved(path) for name, path in mapping.items()})


def _watch(name: str, report: Report) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def connect(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> None:
        given = [*arguments, *parameters.values()]
        if not any(name in value for value in given if isinstance(value, str)):
            raise ElsewhereError(_elsewhere(arguments, parameters))

    def before(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: Any) -> None:
        report.executing(statement)

    def after(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, _context: Any, _many: Any) -> None:
        report.executing("")

    event.listen(Engine, "do_connect", connect)
    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)


def _elsewhere(arguments: Any, parameters: Any) -> str:
    """Where it would have gone, without anything that may be secret."""
    known = {key: parameters[key] for key in ("host", "port", "dbname", "database", "user") if parameters.get(key)}
    told = ", ".join(f"{key} {value}" for key, value in known.items())
    return told or ", ".join(value for value in arguments if isinstance(value, str) and "=" not in value)


def _tell_chain(script: Any, spec: Spec, report: Report) -> None:
    report.phase = "load"
    revisions = []
    report.loading = _candidates(script)
    known = script.revision_map._revision_map.values()
    for revision in {each.revision: each for each in known if each is not None}.values():
        path = getattr(revision.module, "__file__", None) or ""
        report.files[path] = revision.revision
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        revisions.append(
            {
                "id": revision.revision,
                "parents": list(revision._versioned_down_revisions),
                "needs": list(_texts(revision.dependencies)),
                "labels": sorted(revision._orig_branch_labels),
                "path": os.path.relpath(path, spec["top"]),
                "content": content,
            }
        )
    report.tell("chain", revisions=revisions)


def _candidates(script: Any) -> set[str]:
    """Every file that may be a revision: which one can't be loaded is known only from the traceback."""
    return {
        os.path.join(place, name)
        for folder in script._version_locations
        for place, _, names in os.walk(folder)
        for name in names
    }


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _tell_failure(error: BaseException, report: Report) -> None:
    from sqlalchemy.exc import DBAPIError, StatementError

    cause = error
    while cause.__cause__ is not None and not isinstance(cause, StatementError):
        cause = cause.__cause__
    if not isinstance(cause, (StatementError, ElsewhereError, MemoryError)):
        cause = error
    message, kind = str(cause), type(cause).__name__
    statement = report.last_statement() if report.phase == "run" else None
    if isinstance(cause, StatementError):
        statement = cause.statement or report.last_statement()
        original = cause.orig if cause.orig is not None else cause
        message = str(original) if isinstance(cause, DBAPIError) else str(cause.args[0])
        kind = type(original).__name__
    path, line = _where(error, report)
    report.tell(
        "failed",
        phase=report.phase,
        revision=report.revision,
        kind=kind,
        message=message[:MAX_LENGTH],
        statement=(statement or "").strip()[:MAX_LENGTH] or None,
        path=path,
        line=line,
        of_alembic=_of_alembic(error),
        out_of_memory=isinstance(cause, MemoryError),
        elsewhere=isinstance(cause, ElsewhereError),
    )
    traceback.print_exception(type(error), error, error.__traceback__)


def _of_alembic(error: BaseException) -> bool:
    """Whether Alembic stops by itself: with its own errors, or as it does where the chain has a hole."""
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    if isinstance(error, (CommandError, RevisionError)):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return isinstance(error, (KeyError, AssertionError)) and f"alembic{os.sep}script" in last


def _where(error: BaseException, report: Report) -> tuple[str | None, int | None]:
    """The innermost line of a revision file, else of the project's own env.py."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename in report.files or frame.filename in report.loading]
    ours = ours or [frame for frame in frames if os.path.basename(frame.filename) == "env.py"]
    if not ours:
        return (error.filename, error.lineno) if isinstance(error, SyntaxError) else (None, None)
    return ours[-1].filename, ours[-1].lineno


if __name__ == "__main__":
    main()
