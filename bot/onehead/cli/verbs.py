"""The verbs: what each takes, says about itself, and which function runs it.

Only the parser of the verb that is asked for is made, for a check takes as long as its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from onehead.cli import arguments
from onehead.cli.arguments import Parser, ShowVersion

if TYPE_CHECKING:
    import argparse

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
        codes: its exit codes.
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
    parser = parser_of(words[0])
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


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one verb."""
    return _complete(Parser(prog=f"onehead {name}"), VERBS[name])


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
        lines += ["", f"{group}:", *(f"  {name:15} {_verb(name).help}" for name in names)]
    return "\n".join(lines)


def _verb(name: str) -> Verb:
    first, _, second = name.partition(" ")
    return VERBS[first].more[second] if second else VERBS[first]


_SET_UP = "0 done, 2 wrong usage, or the forge refused it"

VERBS: dict[str, Verb] = {
    "check": Verb(
        "judge a branch: would it break the next deploy?",
        "onehead check --target origin/main",
        "0 healthy, 1 the branch would break a deploy, 2 wrong usage, 3 could not judge",
        arguments.check,
        "cli.check",
    ),
    "fix": Verb(
        "write the repair as one commit on a new branch, and leave the work tree as it is",
        "onehead fix --target origin/main",
        "0 nothing to repair, 1 there is something to repair (written or not), 2 wrong usage, 3 could not judge",
        arguments.fix,
        "cli.fix",
    ),
    "graph": Verb(
        "draw the chain",
        "onehead graph --at origin/main",
        "0 drawn, whatever it looks like, 2 wrong usage, 3 could not be read",
        arguments.graph,
        "cli.graph",
    ),
    "states": Verb(
        "show what `alembic upgrade head` does to each database that may exist",
        "onehead states --target origin/main",
        "0 shown, 2 wrong usage, 3 what can't be read could hide a fork",
        arguments.states,
        "cli.databases:run_states",
    ),
    "doctor": Verb(
        "find out what happened to a database, and what to do; changes nothing",
        "onehead doctor --rows 018,019",
        "0 all is well, 1 the next upgrade would fail or lose something, 2 wrong usage, 3 could not be read",
        arguments.doctor,
        "cli.databases:run_doctor",
    ),
    "report-rows": Verb(
        "report to the service which revisions a database has run",
        "onehead report-rows --database production --database-url-file /run/secrets/db",
        "0 reported, 2 wrong usage or refused, 3 the database or the service can't be reached",
        arguments.report_rows,
        "cli.report_rows",
    ),
    "databases": Verb(
        "list the databases that have reported their rows, as this clone knows",
        "onehead databases --at origin/main",
        "0 all would succeed, 1 one of them would fail or lose something, 2 wrong usage, 3 could not judge",
        arguments.databases,
        "cli.databases:run_databases",
    ),
    "explain": Verb(
        "explain the crash of a deploy, from its log",
        "onehead explain deploy.log",
        "0 explained, 2 wrong usage, 3 no message of Alembic's is in it",
        arguments.explain,
        "cli.explain",
    ),
    "verify": Verb(
        "run the migrations for real, on scratch databases: this runs the project's code",
        "onehead verify --target origin/main",
        "0 all ways lead to one schema, 1 one fails or loses something, 2 wrong usage, 3 could not judge",
        arguments.verify,
        "cli.verify",
    ),
    "serve": Verb(
        "run the service: webhooks in, pull requests and comments out",
        "onehead serve --config /etc/onehead.toml",
        "0 stopped on request, 2 can't start",
        arguments.serve,
        "service.serve",
    ),
    "sweep": Verb(
        "examine every repository once, as the service does on its schedule",
        "onehead sweep --dry-run",
        "0 all deployed branches are at one head, 1 one is not, 2 wrong settings, 3 a repository could not be judged",
        arguments.sweep,
        "cli.sweep",
    ),
    "jobs": Verb(
        "list what waits and what was given up, where several machines share PostgreSQL",
        "onehead jobs --restart acme/shop",
        "0 nothing was given up, or it is tried again, 1 something was given up, 2 wrong usage, 3 no database",
        arguments.jobs,
        "cli.shared_database:run_jobs",
    ),
    "database": Verb(
        "show whether the tables that several machines share are up to date",
        "onehead database",
        "0 they are, 1 they are not, 2 wrong usage, 3 the database can't be reached",
        arguments.serve,
        "cli.shared_database:run_status",
        {
            "upgrade": Verb(
                "make or upgrade the tables that several machines share",
                "onehead database upgrade",
                "0 they are up to date, 2 wrong usage, or refused, 3 the database can't be reached",
                arguments.serve,
                "cli.shared_database:run_upgrade",
            )
        },
    ),
    "install": Verb(
        "set onehead up in a Forgejo: webhook, access, required check",
        "onehead install --repo acme/shop --bot onehead",
        _SET_UP,
        arguments.install,
        "cli.install:run_install",
        {
            "hook": Verb(
                "install the pre-receive hook on a git server",
                "onehead install hook --repository /srv/git/shop.git",
                _SET_UP,
                arguments.install_hook,
                "cli.hook:run_install",
            )
        },
    ),
    "checkup": Verb(
        "find what is missing in a set-up, and how to complete it; changes nothing",
        "onehead checkup --repo acme/shop",
        "0 complete, 1 something is missing, 2 wrong usage, or the forge refused it",
        arguments.checkup,
        "cli.checkup",
    ),
    "uninstall": Verb(
        "remove what install made in a Forgejo",
        "onehead uninstall --repo acme/shop",
        _SET_UP,
        arguments.uninstall,
        "cli.install:run_uninstall",
        {
            "hook": Verb(
                "remove the pre-receive hook from a git server",
                "onehead uninstall hook --repository /srv/git/shop.git",
                _SET_UP,
                arguments.hook,
                "cli.hook:run_uninstall",
            )
        },
    ),
    "pre-receive": Verb(
        "Git server hook: accepts or refuses a push",
        "onehead pre-receive --on-error refuse",
        "0 accepted, 1 refused, 2 the input is not a push",
        arguments.pre_receive,
        "cli.pre_receive",
    ),
}

GROUPS = {
    "your branch": ("check", "fix", "graph", "states"),
    "databases": ("doctor", "databases", "report-rows", "explain", "verify"),
    "CI and hooks": ("install hook", "uninstall hook", "pre-receive"),
    "service": ("serve", "sweep", "jobs", "database", "database upgrade", "install", "checkup", "uninstall"),
}
"""The verbs by what people have in mind when they look for one."""
