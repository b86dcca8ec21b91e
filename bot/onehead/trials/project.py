"""One environment of one commit as files, and what a run of it says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision
from onehead.trials.account import Failure, Result
from onehead.trials.sandbox import Log


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
