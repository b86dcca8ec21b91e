"""The verbs: what each takes, says about itself, and which function runs it; and a parser that helps who misspells.

Only the parser of the verb that is asked for is made, for a check takes as long as its start.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from onehead.errors import UsageError
from onehead.text import mask_urls

_ABOUT = "Keeps every deployable branch of an Alembic project at one head."
_FIRST_STEPS = """\
first steps:
  onehead check                     would this branch break the next deploy?
  onehead fix                       write the repair, on a branch of its own
  onehead VERB --help               options, an example and the exit codes of a verb

Exit codes: 0 healthy, 1 a deploy would break, 2 wrong usage or configuration, 3 could not judge."""


class Verb(NamedTuple):
    """One verb.

    Attributes:
        help: what it does, a line without a full stop.
        example: a command line that can be typed in a clone, or on the machine that the verb is for.
        options: adds what it takes to a parser.
        run_by: the function that runs it, as `module:function`; `run` where none is named.
        more: words that may follow it, such as `hook`, each a verb of its own.
    """

    help: str
    example: str
    codes: str
    options: Callable[[argparse.ArgumentParser], None]
    run_by: str
    more: Mapping[str, Verb] = MappingProxyType({})


def parse(words: list[str]) -> argparse.Namespace:
    """The options of a command line, with what it is `run_by`.

    Raises:
        SystemExit: help was asked for and printed (0), or the command line is wrong, which is said (2).
    """
    if not words or words[0] not in VERBS:
        return _without_a_verb(words)
    parser = _complete(Parser(prog=f"onehead {words[0]}"), VERBS[words[0]])
    options: argparse.Namespace = parser.parse_args(words[1:])
    branch = getattr(options, "branch", None)
    if branch is not None:
        if options.head is not None:
            parser.error(f"{branch!r} and --head {options.head!r} both name the branch to judge; leave one out")
        options.head = branch
    return options


def _without_a_verb(words: list[str]) -> NoReturn:
    parser = Parser(prog="onehead", usage="onehead VERB [OPTION …]", description=_overview(), epilog=_FIRST_STEPS)
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show the version and exit")
    if not words:
        parser.print_help()
        parser.exit(2)
    if not words[0].startswith("-"):
        from difflib import get_close_matches  # noqa: PLC0415 - only for who has misspelt

        near = get_close_matches(words[0], VERBS, 1)
        parser.error(f"there is no verb {words[0]!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
    if words[0] in ("-h", "--help", "--version"):
        parser.parse_args(words[:1])
    parser.error("write the verb first, and its options behind it, such as `onehead check --repo DIR`")


def whole() -> Parser:
    """The parser of all verbs together, for completion and for whoever looks at every verb."""
    parser = Parser(prog="onehead")
    _add(parser.add_subparsers(metavar="VERB", required=True), "onehead", VERBS)
    return parser


def _add(verbs: argparse._SubParsersAction[Any], before: str, more: Mapping[str, Verb]) -> None:
    for name, verb in more.items():
        _complete(verbs.add_parser(name, prog=f"{before} {name}", help=verb.help), verb)


def _complete(parser: argparse.ArgumentParser, verb: Verb) -> argparse.ArgumentParser:
    parser.description = f"{verb.help[0].upper()}{verb.help[1:]}{'' if verb.help.endswith('?') else '.'}"
    parser.epilog = f"example:\n  {verb.example}\n\nexit codes:\n  {verb.codes}"
    verb.options(parser)
    parser.set_defaults(run_by=verb.run_by)
    if verb.more:
        _add(parser.add_subparsers(title="more", metavar=f"[{' | '.join(verb.more)}]"), parser.prog, verb.more)
    return parser


def _overview() -> str:
    lines = [_ABOUT]
    for group, names in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:16} {_verb(name).help}" for name in names)]
    return "\n".join(lines)


def _verb(name: str) -> Verb:
    first, _, second = name.partition(" ")
    return VERBS[first].more[second] if second else VERBS[first]


def address_given(options: argparse.Namespace) -> str:
    """The text of `--database-url`, or of the file that `--database-url-file` names."""
    if options.database_url is not None:
        return str(options.database_url)
    file = options.database_url_file
    try:
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - pathlib takes 6 ms to load
            return opened.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {file} with the address can't be read: {error}.") from error


MIN_MEMORY = 128
"""MiB. Below it, Python with SQLAlchemy does not even start."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal, asked of it directly: argparse would load shutil for that, whatever verb is run."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class Parser(argparse.ArgumentParser):
    """Guesses what a misspelt option was meant to be, and never repeats the password of an address."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": _Help, **options})
        self.color = False  # since Python 3.14 it would colour its help by itself

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options, and nothing that is not known: that is an error of the verb, with its usage."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            from difflib import get_close_matches  # noqa: PLC0415 - only for who has misspelt

            wrong = unknown[0].partition("=")[0]
            near = get_close_matches(wrong, self._option_string_actions, 1) if wrong.startswith("-") else []
            self.error(f"{self.prog} does not take {wrong!r}.{f' Did you mean {near[0]}?' if near else ''}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        super().error(mask_urls(message))


class ShowVersion(argparse.Action):
    """Asks for the version only when it is wanted: looking it up costs more than a whole check."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import version  # noqa: PLC0415

        print(f"onehead {version('onehead')}")
        parser.exit()


def _whole(least: int, complaint: str) -> Callable[[str], int]:
    """Reads a whole number from `least` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is {complaint}")
        return int(text)

    return read


_number = _whole(0, "no whole number")
_count = _whole(1, "no number of commits; write a whole one from 1 on")
_seconds = _whole(1, "not a number of seconds; write a whole one from 1 on")
_megabytes = _whole(MIN_MEMORY, f"no number of MiB from {MIN_MEMORY} on")


def _rows(text: str) -> tuple[str, ...]:
    """The content of a version table: ids with commas between them."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def _check(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument("--at", metavar="REF", help="judge one commit by itself: is it at one head?")
    _two_sides(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif", "junit"), default="text")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="in a CI job: also write the comment and the commit status of the pull request, with the job's token",
    )
    parser.add_argument(
        "--upload-sarif", action="store_true", help="in a job on GitHub: also hand the findings to code scanning"
    )


def _fix(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    _two_sides(parser)
    parser.add_argument(
        "--strategy",
        choices=("auto", "merge", "reparent"),
        help="auto: re-parent what has not escaped, merge the rest (default: what the target's policy says, else auto)",
    )
    parser.add_argument("--onto-branch", metavar="NAME", help="name of the new branch (default: onehead/KIND/HEAD)")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _next(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument("--target", metavar="REF", help="the branch to land on (default: where HEAD would be merged)")
    _environment(parser)
    parser.add_argument("-m", "--message", metavar="TEXT", help="what the new migration does, for the printed command")
    parser.add_argument("--write", action="store_true", help="move your own migrations there, in the work tree")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _graph(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument("--at", metavar="REF", default="HEAD", help="the commit to draw (default: HEAD)")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--around", metavar="REV", help="only this revision and those near it; its first letters do")
    how_much.add_argument("--full", action="store_true", help="every revision, with nothing left out")
    how_much.add_argument(
        "--open", metavar="REV", action="append", default=[], help="svg: unfold the run that REV is in; may be repeated"
    )
    parser.add_argument("--format", choices=("text", "mermaid", "svg", "json"), default="text")


def _history(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument(
        "--target", metavar="REF", help="the branch whose past is meant (default: where HEAD would be merged)"
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="only what came after a date or a commit, e.g. 2026-01-31 or v2.0"
    )
    parser.add_argument("--commits", metavar="N", type=_count, help="only so many commits, the newest ones")
    parser.add_argument("--format", choices=("text", "json", "svg"), default="text")


def _states(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument("--at", metavar="REF", help="judge one commit by itself")
    _two_sides(parser)
    _environment(parser)
    parser.add_argument("--rows", metavar="ROWS", type=_rows, help="only this content of alembic_version, e.g. 018,019")
    parser.add_argument("--all", action="store_true", help="also databases whose rows are wrong already")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _doctor(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    _deployed(parser)
    _environment(parser)
    _database(parser, "look at this database, in a transaction that can't write").add_argument(
        "--rows", metavar="ROWS", type=_rows, help="take these rows instead of asking a database, e.g. 018,019"
    )
    _version_table(parser, "what env.py says", "what env.py says")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _report_rows(parser: argparse.ArgumentParser) -> None:
    source = _database(parser, "read the rows there, in a transaction that can't write")
    source.add_argument(
        "--rows", metavar="ROWS", type=_rows, help="take these rows instead of asking a database, e.g. 018"
    )
    source.add_argument("--forget", action="store_true", help="the database no longer exists: delete its report")
    source.add_argument("--show-key", action="store_true", help="print the key for deploy jobs of the repository")
    parser.add_argument("--database", metavar="NAME", help="what people call it, e.g. production")
    _environment(parser)
    parser.add_argument("--repository", metavar="OWNER/NAME", help="default: that of the CI job, else of origin")
    parser.add_argument("--service", metavar="URL", help="address of the service (default: ONEHEAD_SERVICE_URL)")
    _version_table(parser, "alembic_version", "the database's own")


def _databases(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    _deployed(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _explain(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    _deployed(parser)
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="the log (default: standard input)")


def _verify(parser: argparse.ArgumentParser) -> None:
    _repository(parser)
    parser.add_argument("--at", metavar="REF", help="the commit (default: the work tree as it is)")
    parser.add_argument(
        "--target", metavar="REF", help="make the databases with the migrations of this deployed commit"
    )
    _environment(parser)
    _database(parser, "make scratch databases on this server (default: private)")
    parser.add_argument("--dialect", choices=("postgresql", "sqlite"), help="kind of database (default: as configured)")
    parser.add_argument("--driver", metavar="NAME", help="driver that the project uses, e.g. asyncpg")
    parser.add_argument(
        "--python", metavar="PROGRAM", help="the Python that has the project's packages (default: ours)"
    )
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="a variable for env.py; {url} is the address"
    )
    parser.add_argument(
        "-x", "--x-argument", metavar="KEY=VALUE", action="append", default=[], help="as for `alembic -x`"
    )
    parser.add_argument("--flask", metavar="APP", help="run env.py in the context of this Flask application")
    parser.add_argument("--prepare", metavar="FILE", help="Python script that makes what the first revision builds on")
    parser.add_argument(
        "--most", metavar="WAYS", type=_number, default=50, help="ways beside the fresh one (default: 50)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=300, help="how long one upgrade may take (default: 300)"
    )
    parser.add_argument("--memory", metavar="MIB", type=_megabytes, default=4096, help="for each run (default: 4096)")
    parser.add_argument("--network", action="store_true", help="leave the network open")
    parser.add_argument("--format", choices=("text", "json", "junit"), default="text")


def _settings_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; the environment wins over it")


def _serve(parser: argparse.ArgumentParser) -> None:
    _settings_file(parser)
    parser.add_argument(
        "--role",
        choices=("all", "web", "worker"),
        default="all",
        help="web takes webhooks, worker does what they ask for, all does both (default: all)",
    )


def _jobs(parser: argparse.ArgumentParser) -> None:
    _settings_file(parser)
    restart = parser.add_mutually_exclusive_group()
    restart.add_argument("--restart", metavar="OWNER/NAME", action="append", help="try again what was given up there")
    restart.add_argument("--restart-all", action="store_true", help="try again all that was given up")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _sweep(parser: argparse.ArgumentParser) -> None:
    _settings_file(parser)
    parser.add_argument("--dry-run", action="store_true", help="write nothing; print what would be done")


def _install(parser: argparse.ArgumentParser) -> None:
    _checkup(parser)
    parser.add_argument("--secret-file", metavar="FILE", help="take the webhook's secret from it, or write it there")
    parser.add_argument("--token-out", metavar="FILE", help="make the bot's token and write it there (Forgejo 16)")
    parser.add_argument("--new-secret", action="store_true", help="replace the webhook by one with another secret")
    parser.add_argument(
        "--require-status", action="store_true", help="make onehead a required check of the default branch"
    )
    parser.add_argument("--label", action="store_true", help="make the label onehead; repairs then get it")


def _checkup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help="address of Forgejo (default: ONEHEAD_FORGEJO_URL)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", metavar="TOKEN", help="an administrator's token (default: ONEHEAD_TOKEN)")
    token.add_argument("--token-file", metavar="FILE", help="file with that token: not visible to `ps`")
    parser.add_argument("--service-url", metavar="URL", help="address of the service (default: ONEHEAD_PUBLIC_URL)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--repo", metavar="OWNER/NAME", help="one repository")
    where.add_argument("--owner", metavar="NAME", help="all repositories of an organisation, or of the token's account")
    where.add_argument("--system", action="store_true", help="the whole site")
    parser.add_argument("--bot", metavar="NAME", help="the bot's account")


def _uninstall(parser: argparse.ArgumentParser) -> None:
    _checkup(parser)
    parser.add_argument("--clean", action="store_true", help="also close open repairs and delete their branches")
    parser.add_argument("--forget-databases", action="store_true", help="also delete the reports of databases")


def _hook(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repository", metavar="DIR", help="one bare repository: of Forgejo, or of plain git")
    where.add_argument("--server", metavar="DIR", help="all of a Forgejo 16 or newer: its data directory")


def _install_hook(parser: argparse.ArgumentParser) -> None:
    _hook(parser)
    _pre_receive(parser)


def _pre_receive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on-error", choices=("allow", "refuse"), default="allow", help="a push that can't be judged (default: allow)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=30, help="how long a push may wait (default: 30)"
    )


def _database(parser: argparse.ArgumentParser, purpose: str) -> argparse._MutuallyExclusiveGroup:
    """The address of a database, by either of two ways; what excludes them may be added."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--database-url", metavar="URL", help=purpose)
    where.add_argument("--database-url-file", metavar="FILE", help="file with that address: not visible to `ps`")
    return where


def _version_table(parser: argparse.ArgumentParser, table: str, schema: str) -> None:
    parser.add_argument("--version-table", metavar="NAME", help=f"as env.py names it (default: {table})")
    parser.add_argument("--version-schema", metavar="NAME", help=f"schema of that table (default: {schema})")


def _repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repo", metavar="DIR", default=".", help="a checkout or a bare repository (default: here)")
    parser.set_defaults(reads_repository=True)


def _deployed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--at", metavar="REF", default="HEAD", help="the commit that is deployed (default: HEAD)")


def _environment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--environment", metavar="PATH", help="which environment, if the repository has several")


def _two_sides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("branch", metavar="BRANCH", nargs="?", help="the branch to judge, as with --head")
    parser.add_argument(
        "--target",
        metavar="REF",
        help="the branch that is deployed (default: that of the CI job, else where HEAD would be merged)",
    )
    parser.add_argument("--head", metavar="REF", help="the branch to judge; without it, the target itself is judged")
    parser.add_argument(
        "--fetch",
        choices=("auto", "always", "never"),
        default="auto",
        help="ask origin for the newest target and for missing history (auto: only in a CI job)",
    )


_SET_UP = "0 done, 2 wrong usage, or the forge refused it"

VERBS: dict[str, Verb] = {
    "check": Verb(
        "judge a branch: would it break the next deploy?",
        "onehead check --target origin/main",
        "0 healthy, 1 the branch would break a deploy, 2 wrong usage, 3 could not judge",
        _check,
        "cli.check",
    ),
    "fix": Verb(
        "write the repair as one commit on a new branch, and leave the work tree as it is",
        "onehead fix --target origin/main",
        "0 nothing to repair, 1 there is something to repair (written or not), 2 wrong usage, 3 could not judge",
        _fix,
        "cli.fix",
    ),
    "next": Verb(
        "say which parent, id and number a new migration takes, and move your own ones there",
        'onehead next -m "add teams"',
        "0 nothing has to move, or it was moved, 1 something has to, or can't be, 2 wrong usage, 3 could not judge",
        _next,
        "cli.next",
    ),
    "graph": Verb(
        "draw the chain",
        "onehead graph --at origin/main",
        "0 drawn, whatever it looks like, 2 wrong usage, 3 could not be read",
        _graph,
        "cli.graph",
    ),
    "history": Verb(
        "show when the branch was broken, who brought it, and what onehead would have done",
        "onehead history --target origin/main",
        "0 shown, whatever there was, 2 wrong usage, 3 could not be read",
        _history,
        "cli.history",
    ),
    "states": Verb(
        "show what `alembic upgrade head` does to each database that may exist",
        "onehead states --target origin/main",
        "0 shown, 2 wrong usage, 3 what can't be read could hide a fork",
        _states,
        "cli.databases:run_states",
    ),
    "doctor": Verb(
        "find out what happened to a database, and what to do; changes nothing",
        "onehead doctor --rows 018,019",
        "0 all is well, 1 the next upgrade would fail or lose something, 2 wrong usage, 3 could not be read",
        _doctor,
        "cli.databases:run_doctor",
    ),
    "report-rows": Verb(
        "report to the service which revisions a database has run",
        "onehead report-rows --database production --database-url-file /run/secrets/db",
        "0 reported, 2 wrong usage or refused, 3 the database or the service can't be reached",
        _report_rows,
        "cli.report_rows",
    ),
    "databases": Verb(
        "list the databases that have reported their rows, as this clone knows",
        "onehead databases --at origin/main",
        "0 all would succeed, 1 one of them would fail or lose something, 2 wrong usage, 3 could not judge",
        _databases,
        "cli.databases:run_databases",
    ),
    "explain": Verb(
        "explain the crash of a deploy, from its log",
        "onehead explain deploy.log",
        "0 explained, 2 wrong usage, 3 no message of Alembic's is in it",
        _explain,
        "cli.databases:run_explain",
    ),
    "verify": Verb(
        "run the migrations for real, on scratch databases: this runs the project's code",
        "onehead verify --target origin/main",
        "0 all ways lead to one schema, 1 one fails or loses something, 2 wrong usage, 3 could not judge",
        _verify,
        "cli.verify",
    ),
    "serve": Verb(
        "run the service: webhooks in, pull requests and comments out",
        "onehead serve --config /etc/onehead.toml",
        "0 stopped on request, 2 can't start",
        _serve,
        "service.serve",
    ),
    "sweep": Verb(
        "examine every repository once, as the service does on its schedule",
        "onehead sweep --dry-run",
        "0 all deployed branches are at one head, 1 one is not, 2 wrong settings, 3 a repository could not be judged",
        _sweep,
        "cli.sweep",
    ),
    "jobs": Verb(
        "list what waits and what was given up, where several machines share PostgreSQL",
        "onehead jobs --restart acme/shop",
        "0 nothing was given up, or it is tried again, 1 something was given up, 2 wrong usage, 3 no database",
        _jobs,
        "cli.shared_database:run_jobs",
    ),
    "database": Verb(
        "show whether the tables that several machines share are up to date",
        "onehead database",
        "0 they are, 1 they are not, 2 wrong usage, 3 the database can't be reached",
        _settings_file,
        "cli.shared_database:run_status",
        {
            "upgrade": Verb(
                "make or upgrade the tables that several machines share",
                "onehead database upgrade",
                "0 they are up to date, 2 wrong usage, or refused, 3 the database can't be reached",
                _settings_file,
                "cli.shared_database:run_upgrade",
            )
        },
    ),
    "install": Verb(
        "set onehead up in a Forgejo: webhook, access, required check",
        "onehead install --repo acme/shop --bot onehead",
        _SET_UP,
        _install,
        "cli.install:run_install",
        {
            "hook": Verb(
                "install the pre-receive hook on a git server",
                "onehead install hook --repository /srv/git/shop.git",
                _SET_UP,
                _install_hook,
                "cli.install:run_install_hook",
            )
        },
    ),
    "checkup": Verb(
        "find what is missing in a set-up, and how to complete it; changes nothing",
        "onehead checkup --repo acme/shop",
        "0 complete, 1 something is missing, 2 wrong usage, or the forge refused it",
        _checkup,
        "cli.checkup",
    ),
    "uninstall": Verb(
        "remove what install made in a Forgejo",
        "onehead uninstall --repo acme/shop",
        _SET_UP,
        _uninstall,
        "cli.install:run_uninstall",
        {
            "hook": Verb(
                "remove the pre-receive hook from a git server",
                "onehead uninstall hook --repository /srv/git/shop.git",
                _SET_UP,
                _hook,
                "cli.install:run_uninstall_hook",
            )
        },
    ),
    "pre-receive": Verb(
        "Git server hook: accepts or refuses a push",
        "onehead pre-receive --on-error refuse",
        "0 accepted, 1 refused, 2 the input is not a push",
        _pre_receive,
        "cli.pre_receive",
    ),
}

GROUPS = {
    "your branch": ("next", "check", "fix", "graph", "history", "states"),
    "databases": ("doctor", "databases", "report-rows", "explain", "verify"),
    "CI and hooks": ("install hook", "uninstall hook", "pre-receive"),
    "service": ("serve", "sweep", "jobs", "database", "database upgrade", "install", "checkup", "uninstall"),
}
"""The verbs by what people have in mind when they look for one."""
