"""Run every upgrade path of one environment on scratch databases, and compare the schemas at the end.

Each run is a process of the project's Python, with limits, an empty home and no network. This keeps mistakes away from
a deploy's secrets, a production database and the files in a person's home. It is no security boundary: the code has
the rights of whoever starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from onehead.child_process import Network
from onehead.databases.inspect import Schema
from onehead.databases.states import Target, with_rows
from onehead.errors import CannotJudge, UsageError
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision
from onehead.verify.model import Failure, Limits, Result, Trial, Tried, UpgradePath, differences, notes, upgrade_paths
from onehead.verify.servers import Server, filled

RUNNER = Path(__file__).with_name("runner.py")
"""A script, handed over as a file: it is never imported here."""

SECONDS_BETWEEN_LOOKS = 0.05
MAX_OUTPUT = 4000
"""Bytes of what a run prints that are kept: the last ones."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a run left: the events that the runner wrote down, and the end of what it printed.

    `code` is the exit code, negative for a signal; `statement` what was being executed at the end, empty for nothing.
    """

    events: tuple[Mapping[str, Any], ...]
    code: int
    timed_out: bool
    statement: str
    output: str
    seconds: float

    def all(self, event: str) -> list[Mapping[str, Any]]:
        """The events of one name."""
        return [each for each in self.events if each.get("event") == event]

    def last(self, event: str) -> Mapping[str, Any] | None:
        """The last event of one name."""
        return next(iter(reversed(self.all(event))), None)

    @property
    def chain(self) -> Graph | None:
        """What Alembic loaded, if it came to that; what a file holds stands in `Revision.blob`."""
        told = self.last("chain")
        if told is None:
            return None
        return Graph(
            Revision(
                id=each["id"],
                parents=tuple(each["parents"]),
                path=each["path"],
                blob=each["content"],
                depends_on=tuple(each["needs"]),
                branch_labels=tuple(each["labels"]),
            )
            for each in told["revisions"]
        )

    @property
    def ran(self) -> tuple[str, ...]:
        """The revisions that were run to their end, in order."""
        return tuple(each["revision"] for each in self.all("end"))

    @property
    def rows(self) -> tuple[str, ...]:
        """Content of the version table at the end, sorted."""
        rows: Sequence[str] = (self.last("rows") or {}).get("rows", ())
        return tuple(sorted(rows))

    @property
    def version_table(self) -> tuple[str, str | None]:
        """Its name and schema, as env.py configures them."""
        told = self.last("version table") or {}
        return told.get("name") or "alembic_version", told.get("schema")


class Sandbox:
    """Where the project's code runs, one process after another."""

    def __init__(
        self, python: str, folder: Path, variables: Mapping[str, str], limits: Limits, network: Network
    ) -> None:
        """Prepare it.

        `python` is the project's interpreter, a path or a name on PATH; `folder` an empty one, for homes and notes.
        `variables` are for the project's code, with `{url}` and its parts in place of a database's address.

        Raises:
            UsageError: there is no such interpreter.
        """
        found = shutil.which(python)
        if found is None:
            raise UsageError(
                f"There is no program {python}, so nothing can run the project's migrations.",
                "Name the Python that has the project's packages: `--python .venv/bin/python`.",
            )
        # Not resolved: a virtual environment is told by the path through which its interpreter is called.
        self._python = os.path.abspath(found)  # noqa: PTH100
        self._folder = folder
        self._variables = variables
        self._network = network
        self.limits = limits

    def run(
        self,
        spec: Mapping[str, Any],
        fill: Callable[[str], str] = str,
        watch: Callable[[int], None] | None = None,
    ) -> Log:
        """Run the runner once.

        `fill` puts the address of a database into the value of a variable; `watch` hears now and then how many
        revisions are done.
        """
        place = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        for name in ("home", "tmp"):
            (place / name).mkdir()
        given = {**spec, "folder": str(place), "mebibytes": self.limits.mebibytes}
        begin = time.monotonic()
        try:
            with (place / "output").open("wb") as output, tempfile.TemporaryFile(dir=place) as asked:
                asked.write(json.dumps(given).encode())
                asked.seek(0)
                process = subprocess.Popen(
                    [*self._network.prefix, self._python, "-s", str(RUNNER)],
                    cwd=place / "home",
                    env=self._environment(place, fill),
                    stdin=asked,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                with _ended(process):
                    timed_out = not self._wait(process, place / "events", watch)
            return Log(
                tuple(_events(place / "events")),
                process.returncode,
                timed_out,
                _tail(place / "statement"),
                _tail(place / "output"),
                time.monotonic() - begin,
            )
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def look(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is installed there, and which kind of database the configuration names.

        Raises:
            CannotJudge: it has no Alembic or SQLAlchemy.
        """
        log = self.run({**spec, "do": "look"})
        found = log.last("look")
        if found is None:
            why = log.last("failed")
            said = f"{why['kind']}: {why['message']}" if why else "".join(log.output.strip().splitlines()[-1:])
            raise CannotJudge(
                f"{self._python} can't run Alembic: {said}",
                "Name the Python that has the project's packages: `--python .venv/bin/python`.",
            )
        return found

    def _environment(self, place: Path, fill: Callable[[str], str]) -> dict[str, str]:
        beside = str(Path(self._python).parent)
        return {
            "PATH": os.pathsep.join(dict.fromkeys((beside, "/usr/local/bin", "/usr/bin", "/bin"))),
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **{name: fill(value) for name, value in self._variables.items()},
        }

    def _wait(self, process: subprocess.Popen[bytes], events: Path, watch: Callable[[int], None] | None) -> bool:
        end = time.monotonic() + self.limits.seconds
        while time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_BETWEEN_LOOKS)
                return True
            if watch is not None:
                with suppress(FileNotFoundError):
                    watch(events.read_bytes().count(b'"event": "end"'))
        return False


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens, the process and all of its session are gone afterwards."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _events(file: Path) -> Iterator[Mapping[str, Any]]:
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    for line in lines:
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def _tail(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - MAX_OUTPUT))
        return stream.read().decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Project:
    """Where the files of one environment are, and how its env.py is spoken to.

    `top`: the folder with the files of the commit. `checkout`: the top of the person's checkout, from which their
    Python may import; empty for none. `arguments`: what `alembic -x` would be given. `flask`: the Flask application in
    whose context env.py runs; empty for none.
    """

    top: Path
    checkout: str
    environment: Environment
    arguments: tuple[str, ...] = ()
    flask: str = ""

    def spec(self, **more: Any) -> dict[str, Any]:
        """What the runner is told (see `runner.py`)."""
        environment, top = self.environment, os.path.realpath(self.top)
        location = environment.script_location
        return {
            "do": "upgrade",
            "top": top,
            "checkout": os.path.realpath(self.checkout) if self.checkout else "",
            "config": None if environment.config is None else os.path.join(top, environment.config),  # noqa: PTH118
            "section": None if environment.section == "tool.alembic" else environment.section,
            "script_location": None if location is None else os.path.normpath(os.path.join(top, location)),  # noqa: PTH118
            "x": list(self.arguments),
            "flask": self.flask,
            "url": "",
            "name": "",
            "target": "",
            **more,
        }


def outcome(log: Log, project: Project, limits: Limits) -> tuple[Result, Failure | None]:
    """How a run ended, as far as the run itself tells."""
    begun, told = log.all("begin"), log.last("failed")
    if told is not None and not log.timed_out:
        return _failed(told, project, log, limits)
    unfinished = begun[-1]["revision"] if len(begun) > len(log.ran) else None
    failure = Failure("", revision=unfinished, statement=log.statement.strip() or None, output=log.output)
    if log.timed_out:
        message = f"it was not done after {limits.seconds} seconds and was ended"
        return Result.OUT_OF_TIME, replace(failure, message=message)
    if log.code != 0 or not (log.last("done") or log.last("rows")):
        how = f"by signal {-log.code}" if log.code < 0 else f"with exit code {log.code}"
        return Result.ENDED, replace(failure, message=f"the process ended {how} without saying why")
    if log.last("rows") is None:
        message = "env.py ended without running a migration: it never called `context.run_migrations()`"
        return Result.NOT_STARTED, Failure(message, output=log.output)
    return Result.OK, None


def _failed(told: Mapping[str, Any], project: Project, log: Log, limits: Limits) -> tuple[Result, Failure]:
    message, phase = str(told["message"]), told["phase"]
    if told["out_of_memory"]:
        result, message = Result.OUT_OF_MEMORY, f"it needed more than {limits.mebibytes} MiB of memory"
    elif told["elsewhere"]:
        result = Result.NOT_STARTED
        message = f"it would have connected to another database than the scratch one ({message}) and was kept from it"
    elif told["of_alembic"] and phase in ("load", "plan"):
        result = Result.REFUSED
    else:
        result = Result.FAILED if phase in ("run", "end") else Result.NOT_STARTED
    path, top = told["path"], os.path.realpath(project.top)
    failure = Failure(
        message=message,
        kind=str(told["kind"]),
        revision=told["revision"],
        statement=told["statement"],
        path=os.path.relpath(path, top) if path is not None and path.startswith(top + os.sep) else path,
        line=told["line"],
        output=log.output,
    )
    return result, failure


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """With what migrations are run.

    `prepare`: a script that makes of an empty database what the first revision builds on; `None` for nothing. `most`:
    paths that are tried beside the fresh run. `mask` hides what is secret in a text. `watch` hears what is going on
    (words, steps done, steps in all; 0: nobody knows yet).
    """

    sandbox: Sandbox
    server: Server
    driver: str
    prepare: Path | None
    most: int
    mask: Callable[[str], str]
    watch: Callable[[str, int, int], None]


class _PathRun(NamedTuple):
    log: Log
    result: Result
    failure: Failure | None


class _Checkpoint(NamedTuple):
    """A database that stands where sides part, to be copied."""

    leg: str
    name: str


@dataclass(slots=True)
class TrialRunner:
    """The trial of one environment: the judged files upgrade databases that the deployed files have made."""

    options: TrialOptions
    judged: Project
    deployed: Project
    target: Target
    _stops: list[_Checkpoint] = field(default_factory=list)
    _prepared: str = ""
    _done: int = 0
    _all: int = 0

    def trial(self) -> Trial:
        """Do it all.

        Raises:
            OneheadError: the database server, or the project's Python, is not fit for it.
        """
        server, environment = self.options.server, self.judged.environment
        name, trouble = self._empty()
        run = trouble or self._run(self.judged, name, self.target, "a fresh database")
        graph, table = run.log.chain, run.log.version_table
        schema = server.schema(name, table) if run.result is Result.OK else None
        server.drop(name)
        fresh, tried, left_out = UpgradePath(), list[Tried](), 0
        if graph is not None:
            base, broken = self._base(graph)
            if base is None:
                tried += [broken] if broken else []
            else:
                paths = upgrade_paths(base, graph, self.target, self.options.most)
                fresh, left_out = replace(fresh, alike=paths.fresh.alike), paths.left_out
                tried = self._ways(paths.ways, graph, schema, table)
        if self._prepared:
            server.drop(self._prepared)
        return Trial(
            path=environment.path,
            config=environment.config,
            target=self.target,
            revisions=0 if graph is None else len(graph),
            heads=() if graph is None else graph.heads,
            database=server.told,
            tried=(self._tried(fresh, run, graph), *tried),
            left_out=left_out,
            things=0 if schema is None else len(schema.things),
        )

    def _base(self, graph: Graph) -> tuple[Graph | None, Tried | None]:
        """The chain whose migrations make the databases; where it can't be had, the failure says why."""
        if self.deployed is self.judged:
            return graph, None
        name, trouble = self._empty()
        run = trouble or self._run(self.deployed, name, "heads", "the deployed migrations")
        self.options.server.drop(name)
        found = run.log.chain
        if run.result is Result.OK:
            return found, None
        way = UpgradePath(rows=found.heads if found else ("(the deployed head)",))
        failure = run.failure and replace(run.failure, target="heads", making=True)
        return None, Tried(way, run.result, failure=failure)

    def _ways(
        self, ways: tuple[UpgradePath, ...], graph: Graph, schema: Schema | None, table: tuple[str, str | None]
    ) -> list[Tried]:
        if schema is None:
            return [Tried(way, Result.NOT_RUN) for way in ways]
        self._all = len(ways)
        tried = []
        try:
            for number, way in enumerate(ways):
                self._done = number
                tried.append(self._way(way, graph, schema, table))
        finally:
            while self._stops:
                self.options.server.drop(self._stops.pop().name)
        return tried

    def _way(self, way: UpgradePath, graph: Graph, schema: Schema, table: tuple[str, str | None]) -> Tried:
        server = self.options.server
        name, trouble = self._made(way)
        try:
            if trouble is not None:
                return Tried(way, trouble.result, failure=trouble.failure and replace(trouble.failure, making=True))
            told = f"{', '.join(way.rows) or 'a fresh database'} to {self.target}"
            run = self._run(self.judged, name, self.target, told)
            tried = self._tried(way, run, graph)
            if run.result is not Result.OK:
                return tried
            here = server.schema(name, table)
            found = differences(schema, here)
            result = Result.LOSS if tried.lost else Result.DIFFERENT if found else Result.OK
            return replace(tried, result=result, differences=found, notes=notes(schema, here))
        finally:
            server.drop(name)

    def _made(self, way: UpgradePath) -> tuple[str, _PathRun | None]:
        """A database that has come this way; or, where that fails, how."""
        shared = 0
        while shared < min(len(self._stops), len(way.legs)) and self._stops[shared].leg == way.legs[shared]:
            shared += 1
        while len(self._stops) > shared:
            self.options.server.drop(self._stops.pop().name)
        for leg in way.legs[shared:]:
            name = self._copy()
            run = self._run(self.deployed, name, leg, f"a database at {leg}")
            if run.result is not Result.OK:
                return name, run
            self._stops.append(_Checkpoint(leg, name))
        return self._copy(), None

    def _copy(self) -> str:
        """A copy of the last stop; where the server can't copy, another database that has come there."""
        copied = self.options.server.copy(self._stops[-1].name) if self._stops else None
        if copied is not None:
            return copied
        name, _ = self._empty()
        for stop in self._stops:
            self._run(self.deployed, name, stop.leg, f"a database at {stop.leg}")
        return name

    def _empty(self) -> tuple[str, _PathRun | None]:
        """A database without a revision; and how preparing it fails, if it does."""
        server, script = self.options.server, self.options.prepare
        if script is None:
            return server.empty(), None
        copied = server.copy(self._prepared) if self._prepared else None
        if copied is not None:
            return copied, None
        name = server.empty()
        run = self._run(self.judged, name, "", "an empty database", do="prepare", script=str(script))
        if run.result is not Result.OK:
            return name, run
        self._prepared = self._prepared or server.copy(name) or ""
        return name, None

    def _run(self, project: Project, name: str, target: str, told: str, **more: str) -> _PathRun:
        options = self.options
        url = options.server.url(name, options.driver)
        spec = project.spec(name=name, target=target, url=url.render_as_string(hide_password=False), **more)

        def watch(revisions: int) -> None:
            done = f", {revisions} revisions done" if revisions else ""
            options.watch(f"{told}{done}", self._done, self._all)

        watch(0)
        log = options.sandbox.run(spec, lambda value: filled(value, url), watch)
        result, failure = outcome(log, project, options.sandbox.limits)
        if failure is not None:
            failure = replace(
                failure,
                message=options.mask(failure.message),
                statement=failure.statement and options.mask(failure.statement),
                output=options.mask(failure.output),
                target=target,
            )
        return _PathRun(log, result, failure)

    def _tried(self, way: UpgradePath, run: _PathRun, graph: Graph | None) -> Tried:
        """What a run was, without a look at schemas."""
        runs, after = run.log.ran, run.log.rows
        lost: frozenset[str] = frozenset()
        if run.result is Result.OK and graph is not None:
            lost = with_rows(graph, after).applied - set(way.reached) - set(runs)
        result = Result.LOSS if lost else run.result
        return Tried(way, result, runs, after, tuple(sorted(lost)), run.log.seconds, run.failure)
