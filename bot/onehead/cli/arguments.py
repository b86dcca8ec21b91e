"""What the verbs take: their options, kinds of values that argparse does not have, and a parser that helps."""

from __future__ import annotations

import argparse
import os
from typing import Any, NoReturn

from onehead.errors import UsageError
from onehead.text import mask_urls

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
        super().__init__(*args, **options)
        self.formatter_class = _Help
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


def seconds(text: str) -> int:
    """A time limit.

    Raises:
        argparse.ArgumentTypeError: it is no whole number of seconds, or none at all.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds; write a whole one from 1 on")
    return int(text)


def number(text: str) -> int:
    """How many.

    Raises:
        argparse.ArgumentTypeError: it is no whole number.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def rows(text: str) -> tuple[str, ...]:
    """The content of a version table: ids with commas between them."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def megabytes(text: str) -> int:
    """A limit of memory, in MiB.

    Raises:
        argparse.ArgumentTypeError: it is no whole number, or so small that Python itself does not start.
    """
    if not text.isdecimal() or int(text) < MIN_MEMORY:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB from {MIN_MEMORY} on")
    return int(text)


def check(parser: argparse.ArgumentParser) -> None:
    """`onehead check`."""
    _repository(parser)
    parser.add_argument("--at", metavar="REF", help="judge one commit by itself: is it at one head?")
    _two_sides(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif", "junit"), default="text")


def fix(parser: argparse.ArgumentParser) -> None:
    """`onehead fix`."""
    _repository(parser)
    _two_sides(parser)
    parser.add_argument(
        "--strategy",
        choices=("auto", "merge", "reparent"),
        help="auto: re-parent what has not escaped, merge the rest (default: what the target's policy says, else auto)",
    )
    parser.add_argument("--onto-branch", metavar="NAME", help="name of the new branch (default: onehead/KIND/HEAD)")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def graph(parser: argparse.ArgumentParser) -> None:
    """`onehead graph`."""
    _repository(parser)
    parser.add_argument("--at", metavar="REF", default="HEAD", help="the commit to draw (default: HEAD)")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--around", metavar="REV", help="only this revision and those near it; its first letters do")
    how_much.add_argument("--full", action="store_true", help="every revision, with nothing left out")
    parser.add_argument("--format", choices=("text", "mermaid", "svg", "json"), default="text")


def states(parser: argparse.ArgumentParser) -> None:
    """`onehead states`."""
    _repository(parser)
    parser.add_argument("--at", metavar="REF", help="judge one commit by itself")
    _two_sides(parser)
    _environment(parser)
    parser.add_argument("--rows", metavar="ROWS", type=rows, help="only this content of alembic_version, e.g. 018,019")
    parser.add_argument("--all", action="store_true", help="also databases whose rows are wrong already")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def doctor(parser: argparse.ArgumentParser) -> None:
    """`onehead doctor`."""
    _repository(parser)
    _deployed(parser)
    _environment(parser)
    _database(parser, "look at this database, in a transaction that can't write").add_argument(
        "--rows", metavar="ROWS", type=rows, help="take these rows instead of asking a database, e.g. 018,019"
    )
    _version_table(parser, "what env.py says", "what env.py says")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def report_rows(parser: argparse.ArgumentParser) -> None:
    """`onehead report-rows`."""
    source = _database(parser, "read the rows there, in a transaction that can't write")
    source.add_argument(
        "--rows", metavar="ROWS", type=rows, help="take these rows instead of asking a database, e.g. 018"
    )
    source.add_argument("--forget", action="store_true", help="the database no longer exists: delete its report")
    source.add_argument("--show-key", action="store_true", help="print the key for deploy jobs of the repository")
    parser.add_argument("--database", metavar="NAME", help="what people call it, e.g. production")
    _environment(parser)
    parser.add_argument("--repository", metavar="OWNER/NAME", help="default: that of the CI job, else of origin")
    parser.add_argument("--service", metavar="URL", help="address of the service (default: ONEHEAD_SERVICE_URL)")
    _version_table(parser, "alembic_version", "the database's own")


def databases(parser: argparse.ArgumentParser) -> None:
    """`onehead databases`."""
    _repository(parser)
    _deployed(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def explain(parser: argparse.ArgumentParser) -> None:
    """`onehead explain`."""
    _repository(parser)
    _deployed(parser)
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="the log (default: standard input)")


def verify(parser: argparse.ArgumentParser) -> None:
    """`onehead verify`."""
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
        "--most", metavar="WAYS", type=number, default=50, help="ways beside the fresh one (default: 50)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=300, help="how long one upgrade may take (default: 300)"
    )
    parser.add_argument("--memory", metavar="MIB", type=megabytes, default=4096, help="for each run (default: 4096)")
    parser.add_argument("--network", action="store_true", help="leave the network open")
    parser.add_argument("--format", choices=("text", "json", "junit"), default="text")


def serve(parser: argparse.ArgumentParser) -> None:
    """`onehead serve`."""
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; the environment wins over it")


def jobs(parser: argparse.ArgumentParser) -> None:
    """`onehead jobs`."""
    serve(parser)
    restart = parser.add_mutually_exclusive_group()
    restart.add_argument("--restart", metavar="OWNER/NAME", action="append", help="try again what was given up there")
    restart.add_argument("--restart-all", action="store_true", help="try again all that was given up")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def sweep(parser: argparse.ArgumentParser) -> None:
    """`onehead sweep`."""
    serve(parser)
    parser.add_argument("--dry-run", action="store_true", help="write nothing; print what would be done")


def install(parser: argparse.ArgumentParser) -> None:
    """`onehead install`."""
    checkup(parser)
    parser.add_argument("--secret-file", metavar="FILE", help="take the webhook's secret from it, or write it there")
    parser.add_argument("--token-out", metavar="FILE", help="make the bot's token and write it there (Forgejo 16)")
    parser.add_argument("--new-secret", action="store_true", help="replace the webhook by one with another secret")
    parser.add_argument(
        "--require-status", action="store_true", help="make onehead a required check of the default branch"
    )
    parser.add_argument("--label", action="store_true", help="make the label onehead; repairs then get it")


def checkup(parser: argparse.ArgumentParser) -> None:
    """`onehead checkup`."""
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


def uninstall(parser: argparse.ArgumentParser) -> None:
    """`onehead uninstall`."""
    checkup(parser)
    parser.add_argument("--clean", action="store_true", help="also close open repairs and delete their branches")
    parser.add_argument("--forget-databases", action="store_true", help="also delete the reports of databases")


def hook(parser: argparse.ArgumentParser) -> None:
    """`onehead uninstall hook`: not over a forge's API, but where a server keeps its repositories."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repository", metavar="DIR", help="one bare repository: of Forgejo, or of plain git")
    where.add_argument("--server", metavar="DIR", help="all of a Forgejo 16 or newer: its data directory")


def install_hook(parser: argparse.ArgumentParser) -> None:
    """`onehead install hook`."""
    hook(parser)
    pre_receive(parser)


def pre_receive(parser: argparse.ArgumentParser) -> None:
    """`onehead pre-receive`."""
    parser.add_argument(
        "--on-error", choices=("allow", "refuse"), default="allow", help="a push that can't be judged (default: allow)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=30, help="how long a push may wait (default: 30)"
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


def address_given(options: argparse.Namespace) -> str:
    """The text of `--database-url`, or of the file that `--database-url-file` names.

    Raises:
        UsageError: the file can't be read.
    """
    if options.database_url is not None:
        return str(options.database_url)
    file = options.database_url_file
    try:
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - pathlib takes 6 ms to load
            return opened.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {file} with the address can't be read: {error}.") from error
