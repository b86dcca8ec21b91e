"""Run every upgrade path of one environment, and compare the schemas at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from onehead.databases.inspect import Schema
from onehead.databases.states import with_rows
from onehead.revisions.graph import Graph
from onehead.verify.model import Failure, Limits, Result, Trial, Tried, UpgradePath, differences, notes, upgrade_paths
from onehead.verify.sandbox import Log, Project, Sandbox, chain_of, outcome, ran, rows_after, version_table
from onehead.verify.servers import Server, filled


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """With what migrations are run.

    Attributes:
        sandbox: where.
        server: on what.
        driver: of the project.
        variables: name → value, with `{url}` and its parts in place of a database's address.
        limits: of each run.
        prepare: a script that makes of an empty database what the first revision builds on; `None` for nothing.
        most: ways that are tried beside the fresh run.
        mask: hides what is secret in a text.
        watch: hears what is going on (words, steps done, steps in all; 0: nobody knows yet).
    """

    sandbox: Sandbox
    server: Server
    driver: str
    variables: Mapping[str, str]
    limits: Limits
    prepare: Path | None
    most: int
    mask: Callable[[str], str]
    watch: Callable[[str, int, int], None]


@dataclass(slots=True)
class _PathRun:
    log: Log
    result: Result
    failure: Failure | None


@dataclass(slots=True)
class _Checkpoint:
    """A database that stands where sides part, to be copied."""

    leg: str
    name: str


@dataclass(slots=True)
class TrialRunner:
    """The trial of one environment.

    Attributes:
        options: with what.
        judged: the files that are verified.
        deployed: the files whose migrations make the databases.
        target: what is upgraded to.
    """

    options: TrialOptions
    judged: Project
    deployed: Project
    target: Literal["head", "heads"]
    _stops: list[_Checkpoint] = field(default_factory=list)
    _prepared: str = ""
    _done: int = 0
    _all: int = 0

    def trial(self) -> Trial:
        """Do it all.

        Raises:
            OneheadError: the database server, or the project's Python, is not fit for it.
        """
        server = self.options.server
        name, trouble = self._empty()
        run = trouble or self._upgrade(self.judged, name, self.target, "a fresh database")
        graph, table = chain_of(run.log), version_table(run.log)
        schema = server.schema(name, table) if run.result is Result.OK else None
        server.drop(name)
        first = self._tried(UpgradePath(), run, graph)
        tried: list[Tried] = []
        left_out = 0
        alike: tuple[tuple[str, ...], ...] = ()
        if graph is not None:
            base, broken = self._base(graph)
            if base is None:
                tried = [broken] if broken else []
            else:
                gone = upgrade_paths(base, graph, self.target, self.options.most)
                left_out, alike = gone.left_out, gone.fresh.alike
                tried = self._ways(gone.ways, graph, schema, table)
            first = replace(first, way=replace(first.way, alike=alike))
        if self._prepared:
            server.drop(self._prepared)
        environment = self.judged.environment
        return Trial(
            path=environment.path,
            config=environment.config,
            target=self.target,
            revisions=0 if graph is None else len(graph),
            heads=() if graph is None else graph.heads,
            database=server.told,
            tried=(first, *tried),
            left_out=left_out,
            things=0 if schema is None else len(schema.things),
        )

    def _base(self, graph: Graph) -> tuple[Graph | None, Tried | None]:
        """The chain whose migrations make the databases; where it can't be had, the failure says why."""
        if self.deployed is self.judged:
            return graph, None
        name, trouble = self._empty()
        run = trouble or self._upgrade(self.deployed, name, "heads", "the deployed migrations")
        self.options.server.drop(name)
        if run.result is Result.OK:
            return chain_of(run.log), None
        found = chain_of(run.log)
        way = UpgradePath(rows=found.heads if found else ("(the deployed head)",))
        failure = None if run.failure is None else replace(run.failure, target="heads", making=True)
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
                failure = None if trouble.failure is None else replace(trouble.failure, making=True)
                return Tried(way, trouble.result, failure=failure)
            told = f"{', '.join(way.rows) or 'a fresh database'} to {self.target}"
            run = self._upgrade(self.judged, name, self.target, told)
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
        server = self.options.server
        shared = 0
        while shared < min(len(self._stops), len(way.legs)) and self._stops[shared].leg == way.legs[shared]:
            shared += 1
        while len(self._stops) > shared:
            server.drop(self._stops.pop().name)
        for leg in way.legs[shared:]:
            name = self._copy()
            run = self._upgrade(self.deployed, name, leg, f"a database at {leg}")
            if run.result is not Result.OK:
                failure = None if run.failure is None else replace(run.failure, target=leg)
                return name, _PathRun(run.log, run.result, failure)
            self._stops.append(_Checkpoint(leg, name))
        return self._copy(), None

    def _copy(self) -> str:
        """A copy of the last stop; where the server can't copy, another database that has come there."""
        server = self.options.server
        if not self._stops:
            return self._empty()[0]
        copied = server.copy(self._stops[-1].name)
        if copied is not None:
            return copied
        name, _ = self._empty()
        for stop in self._stops:
            self._upgrade(self.deployed, name, stop.leg, f"a database at {stop.leg}")
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

    def _upgrade(self, project: Project, name: str, target: str, told: str) -> _PathRun:
        return self._run(project, name, target, told)

    def _run(self, project: Project, name: str, target: str, told: str, **more: str) -> _PathRun:
        options = self.options
        url = options.server.url(name, options.driver)
        spec = project.spec(name=name, target=target, url=url.render_as_string(hide_password=False), **more)
        variables = {key: filled(value, url) for key, value in options.variables.items()}

        def watch(revisions: int) -> None:
            done = f", {revisions} revisions done" if revisions else ""
            options.watch(f"{told}{done}", self._done, self._all)

        watch(0)
        log = options.sandbox.run(spec, variables, watch)
        result, failure = outcome(log, project, options.limits.seconds, options.limits.mebibytes)
        if failure is not None:
            hide = options.mask
            failure = replace(
                failure,
                message=hide(failure.message),
                statement=None if failure.statement is None else hide(failure.statement),
                output=hide(failure.output),
                target=target,
            )
        return _PathRun(log, result, failure)

    def _tried(self, way: UpgradePath, run: _PathRun, graph: Graph | None) -> Tried:
        """What a run was, without a look at schemas."""
        runs, after = ran(run.log), rows_after(run.log)
        lost: frozenset[str] = frozenset()
        if run.result is Result.OK and graph is not None:
            lost = with_rows(graph, after).applied - set(way.reached) - set(runs)
        result = Result.LOSS if lost else run.result
        return Tried(way, result, runs, after, tuple(sorted(lost)), run.log.seconds, run.failure)
