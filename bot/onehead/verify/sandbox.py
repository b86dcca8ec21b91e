"""Run the runner on one environment: in the project's Python, with limits, an empty home and no network.

This keeps mistakes away from a deploy's secrets, a production database and the files in a person's home. It is no
security boundary: the code has the rights of whoever starts it.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onehead.child_process import Network
from onehead.errors import CannotJudge, UsageError
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision
from onehead.verify.model import Failure, Limits, Result

RUNNER = Path(__file__).with_name("runner.py")
"""A script, handed over as a file: it is never imported here."""

SECONDS_BETWEEN_LOOKS = 0.05
MAX_OUTPUT = 4000
"""Bytes of what a run prints that are kept: the last ones."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a run left.

    Attributes:
        events: what the runner wrote down, in order.
        code: exit code; negative for a signal.
        timed_out: it was ended because its time was over.
        statement: what was being executed at the end; empty for nothing.
        output: the end of what it printed.
        seconds: how long it took.
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


class Sandbox:
    """Where the project's code runs, one process after another."""

    def __init__(
        self, python: str, folder: Path, variables: Mapping[str, str], limits: Limits, network: Network
    ) -> None:
        """Prepare it.

        Args:
            python: the project's interpreter, a path or a name on PATH.
            folder: an empty one, for homes and notes.
            variables: for the project's code, on top of a handful of its own.
            limits: of each run.
            network: whether it is cut off.

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
        self._variables = dict(variables)
        self._limits = limits
        self._network = network

    @property
    def python(self) -> str:
        """The interpreter, by its full path."""
        return self._python

    def run(
        self,
        spec: Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
        watch: Callable[[int], None] | None = None,
    ) -> Log:
        """Run the runner once.

        Args:
            spec: what it is to do (see `runner.py`).
            variables: for this run.
            watch: hears how many revisions are done, now and then.
        """
        place = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        for name in ("home", "tmp"):
            (place / name).mkdir()
        given = {**spec, "folder": str(place), "mebibytes": self._limits.mebibytes}
        begin = time.monotonic()
        try:
            with (place / "output").open("wb") as output:
                process = subprocess.Popen(
                    [*self._network.prefix, self._python, "-s", str(RUNNER)],
                    cwd=place / "home",
                    env=self._environment(place, {**self._variables, **(variables or {})}),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                with _ended(process):
                    _hand_over(process, json.dumps(given).encode())
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

    def _environment(self, place: Path, variables: Mapping[str, str]) -> dict[str, str]:
        beside = str(Path(self._python).parent)
        own = {
            "PATH": os.pathsep.join(dict.fromkeys((beside, "/usr/local/bin", "/usr/bin", "/bin"))),
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return {**own, **variables}

    def _wait(self, process: subprocess.Popen[bytes], events: Path, watch: Callable[[int], None] | None) -> bool:
        end = time.monotonic() + self._limits.seconds
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
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()


def _hand_over(process: subprocess.Popen[bytes], data: bytes) -> None:
    if process.stdin is None:
        raise AssertionError("the process has no standard input")
    with suppress(BrokenPipeError):  # it has ended already; its output says why
        process.stdin.write(data)
        process.stdin.close()


def _events(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines: Sequence[bytes] = file.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    for line in lines:
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - MAX_OUTPUT))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Project:
    """Where the files of one environment are, and how its env.py is spoken to.

    Attributes:
        top: the folder with the files of the commit.
        checkout: the top of the person's checkout, from which their Python may import; empty for none.
        environment: which one.
        arguments: what `alembic -x` would be given.
        flask: the Flask application in whose context env.py runs; empty for none.
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


def chain_of(log: Log) -> Graph | None:
    """The chain that Alembic loaded; what a file holds stands in `Revision.blob`. `None`: it did not come to that."""
    told = log.last("chain")
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


def ran(log: Log) -> tuple[str, ...]:
    """The revisions that were run to their end, in order."""
    return tuple(each["revision"] for each in log.all("end"))


def version_table(log: Log) -> tuple[str, str | None]:
    """Name and schema of the version table, as env.py configures it."""
    told = log.last("version table") or {}
    return told.get("name") or "alembic_version", told.get("schema")


def outcome(log: Log, project: Project, seconds: int, mebibytes: int) -> tuple[Result, Failure | None]:
    """How a run ended, as far as the run itself tells."""
    begun, ended, told = log.all("begin"), log.all("end"), log.last("failed")
    revision = begun[-1]["revision"] if len(begun) > len(ended) else None
    statement = log.statement.strip() or None
    if log.timed_out:
        message = f"it was not done after {seconds} seconds and was ended"
        return Result.OUT_OF_TIME, Failure(message, revision=revision, statement=statement, output=log.output)
    if told is not None:
        return _failed(told, project, log, mebibytes)
    if log.code != 0 or not (log.last("done") or log.last("rows")):
        how = f"by signal {-log.code}" if log.code < 0 else f"with exit code {log.code}"
        message = f"the process ended {how} without saying why"
        return Result.ENDED, Failure(message, revision=revision, statement=statement, output=log.output)
    if log.last("rows") is None:
        message = "env.py ended without running a migration: it never called `context.run_migrations()`"
        return Result.NOT_STARTED, Failure(message, output=log.output)
    return Result.OK, None


def _failed(told: Mapping[str, Any], project: Project, log: Log, mebibytes: int) -> tuple[Result, Failure]:
    message, phase = str(told["message"]), told["phase"]
    if told["out_of_memory"]:
        result, message = Result.OUT_OF_MEMORY, f"it needed more than {mebibytes} MiB of memory"
    elif told["elsewhere"]:
        result = Result.NOT_STARTED
        message = f"it would have connected to another database than the scratch one ({message}) and was kept from it"
    elif told["of_alembic"] and phase in ("load", "plan"):
        result = Result.REFUSED
    else:
        result = Result.FAILED if phase in ("run", "end") else Result.NOT_STARTED
    path = told["path"]
    failure = Failure(
        message=message,
        kind=str(told["kind"]),
        revision=told["revision"],
        statement=told["statement"],
        path=None if path is None else _inside(path, os.path.realpath(project.top)),
        line=told["line"],
        output=log.output,
    )
    return result, failure


def _inside(path: str, top: str) -> str:
    return os.path.relpath(path, top) if path.startswith(top + os.sep) else path


def rows_after(log: Log) -> tuple[str, ...]:
    """Content of the version table at the end, sorted."""
    told = log.last("rows") or {}
    rows: Sequence[str] = told.get("rows", ())
    return tuple(sorted(rows))
