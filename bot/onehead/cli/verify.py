"""`onehead verify`: really run the migrations, on scratch databases. It runs the project's code, so it is for CI."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.text import Text

from onehead.child_process import Network, cut_off
from onehead.cli.sides import again, narrowed
from onehead.cli.verbs import address_given
from onehead.databases.inspect import Address
from onehead.databases.states import Target
from onehead.errors import UsageError
from onehead.examine.examine import judge_alone
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import resolve
from onehead.gitrepo.worktree import export, top_of, work_tree
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.plan.verdict import Examination, Point
from onehead.reports.terminal import coverage_line
from onehead.reports.verification import verification_document, verification_junit, verification_text
from onehead.screen import painter, progress_bar
from onehead.text import HIDDEN, mask_urls, shown
from onehead.throwaway import throwaway
from onehead.verify.model import Limits, Verification
from onehead.verify.servers import Server, SqliteFiles, given_server, private_postgresql
from onehead.verify.trial import Project, Sandbox, TrialOptions, TrialRunner

_EXIT_CODES = {"ok": 0, "broken": 1, "unjudged": 3}
_SECRET = re.compile(r"pass|pwd|secret|token|key|credential", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _SourceFiles:
    """The files of one commit, or of the work tree.

    `at`: its name and SHA. `top`: the folder with them. `examination`: of the environments that have anything to run.
    `coverage`: what was read, in a sentence.
    """

    at: tuple[str, str]
    top: Path
    examination: Examination
    coverage: str

    def facts(self, environment: str | None = None) -> dict[str, Facts]:
        """What is known without running anything, by path: of one environment or all."""
        chosen = narrowed(self.examination, environment)
        return {each.facts.environment.path: each.facts for each in chosen.environments}


def run(options: argparse.Namespace) -> int:
    """Run, compare and tell: 1 when a way fails, loses revisions or ends elsewhere, 3 when one could not be judged."""
    with _interrupted_by_signals(), ExitStack() as stack:
        git = Git(os.path.realpath(options.repo))
        folder = stack.enter_context(throwaway("verify"))
        variables = _variables(options.env)
        servers = _Servers(options, folder, stack)
        judged = _side(git, options.at, folder / "judged")
        deployed = judged if options.target is None else _side(git, options.target, folder / "deployed")
        prepare = None if options.prepare is None else Path(options.prepare).resolve()
        if prepare is not None and not prepare.is_file():
            raise UsageError(f"There is no file {options.prepare} to prepare databases with.")
        limits = Limits(options.timeout, options.memory)
        network = _network(options, servers)
        if options.flask is not None:
            variables["FLASK_APP"] = options.flask
        watch = stack.enter_context(_progress())
        (folder / "runs").mkdir()
        sandbox = Sandbox(options.python or sys.executable, folder / "runs", variables, limits, network)
        trials = []
        for path, facts in judged.facts(options.environment).items():
            project = _project(git, judged, facts, options)
            before = project
            if deployed is not judged and path in deployed.facts():
                before = _project(git, deployed, deployed.facts()[path], options)
            found = sandbox.look(project.spec())
            server = servers.for_(str(found["named"]))
            named = found["named"].partition("+")[2] if found["named"].startswith(server.kind) else ""
            driver = server.driver(found["drivers"], options.driver or named or None)
            mask = _mask(variables, servers.address)
            means = TrialOptions(sandbox, server, driver, prepare, options.most, mask, watch)
            # Where several heads are meant to stay, deploys can only run `upgrade heads`.
            target: Target = "heads" if len(facts.merged.heads) > 1 and not forks_of(facts) else "head"
            trial = TrialRunner(means, project, before, target).trial()
            versions = {name: str(found[name]) for name in ("python", "alembic", "sqlalchemy")}
            trials.append(replace(trial, versions={**versions, "driver": driver}))
    made = None if deployed is judged else deployed.at
    return _tell(Verification(judged.at, made, tuple(trials), limits, network, judged.coverage), options)


def _tell(verification: Verification, options: argparse.Namespace) -> int:
    match options.format:
        case "json":
            text = json.dumps(verification_document(verification), indent=2) + "\n"
        case "junit":
            text = verification_junit(verification)
        case _:
            text = again(options, verification_text(verification, painter(sys.stdout)))
    sys.stdout.write(text)
    return _EXIT_CODES[verification.verdict]


def _side(git: Git, at: str | None, folder: Path) -> _SourceFiles:
    top = top_of(git) if at is None else None
    if top is not None:
        with work_tree(git) as (inside, tree):
            found, _ = judge_alone(inside, Point("the work tree", tree))
        head = git.ask("rev-parse", "--verify", "--quiet", "HEAD")
        return _source_files(("the work tree", head.out.decode("ascii").strip()), top, found)
    name = at or "HEAD"
    sha = resolve(git, name)
    found, _ = judge_alone(git, Point(name, sha))
    folder.mkdir()
    export(git, sha, folder)
    return _source_files((name, sha), folder, found)


def _source_files(at: tuple[str, str], top: Path, examination: Examination) -> _SourceFiles:
    empty = [each.facts.environment.path for each in examination.environments if _is_empty(each.facts)]
    filled = tuple(each for each in examination.environments if not _is_empty(each.facts))
    left = f" Left out, as there is no revision: {', '.join(empty)}." if empty else ""
    return _SourceFiles(at, top, examination._replace(environments=filled), f"{coverage_line(examination)}{left}")


def _is_empty(facts: Facts) -> bool:
    """Whether there is nothing to run: so are templates for environments that projects write elsewhere."""
    return not facts.merged.revisions and not facts.merged.unreadable


def _project(git: Git, side: _SourceFiles, facts: Facts, options: argparse.Namespace) -> Project:
    return Project(side.top, str(top_of(git) or ""), facts.environment, tuple(options.x_argument), options.flask or "")


class _Servers:
    """Where scratch databases are made: the given server, a private one, or files; each made when it is needed."""

    def __init__(self, options: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._dialect: str | None = options.dialect
        self._servers: dict[str, Server] = {}
        is_given = options.database_url is not None or options.database_url_file is not None
        self.address = Address(address_given(options)) if is_given else None
        self.given: Server | None = None
        if self.address is not None:
            if self._dialect not in (None, self.address.url.get_backend_name()):
                raise UsageError(
                    f"`--dialect {self._dialect}` and the given address contradict each other.",
                    "Leave one of them out.",
                )
            self.given = given_server(self.address)
            stack.callback(self.given.close)

    def for_(self, named: str) -> Server:
        """The one for an environment whose configuration names this kind of database (`postgresql+asyncpg`)."""
        if self.given is not None:
            return self.given
        configured = named.partition("+")[0]
        kind = self._dialect or ("postgresql" if configured in ("", "postgres") else configured)
        if kind not in ("postgresql", "sqlite"):
            raise UsageError(
                f"The configuration names a database of the kind {kind}, and no scratch one can be had from here.",
                "Name a server for tests with `--database-url`, or take another kind with `--dialect`.",
            )
        if kind not in self._servers:
            if kind == "sqlite":
                files = self._folder / "sqlite"
                files.mkdir()
                self._servers[kind] = SqliteFiles(files)
            else:
                self._servers[kind] = self._stack.enter_context(private_postgresql())
        return self._servers[kind]


def _network(options: argparse.Namespace, servers: _Servers) -> Network:
    if options.network:
        return Network((), "The network stays open, as asked.")
    if servers.given is not None and not servers.given.is_local:
        return Network((), "The network stays open, as the database is reached over it.")
    return cut_off()


def _variables(given: list[str]) -> dict[str, str]:
    """What `--env` hands over; a name alone takes the caller's own value."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError(
                "`--env` was given something that is no variable.", "Write `--env NAME=VALUE`, or `--env NAME`."
            )
        if not equals and name not in os.environ:
            raise UsageError(f"`--env {name}` takes the value from here, and {name} is not set.")
        found[name] = value if equals else os.environ[name]
    return found


def _mask(variables: dict[str, str], address: Address | None) -> Callable[[str], str]:
    secrets = sorted((v for name, v in variables.items() if _SECRET.search(name) and len(v) > 2), key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return mask_urls(text) if address is None else address.masked(text)

    return mask


@contextmanager
def _progress() -> Iterator[Watch]:
    with progress_bar() as progress:
        task = progress.add_task("Running migrations", total=None)

        def watch(told: str, done: int, every: int) -> None:
            # Ids come from the repository: nothing in them is markup.
            described = Text(f"Upgrading {shown(told)}").markup
            progress.update(task, description=described, completed=done, total=every or None)

        yield watch


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """What ends a CI job ends this as Ctrl-C does: databases and processes are cleaned up."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
