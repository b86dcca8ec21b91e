"""The `onehead` command: what each verb takes, and how its outcome becomes text and an exit code.

Exit codes: 0 healthy · 1 findings that would break a deploy · 2 wrong usage or configuration · 3 could not judge
(130 interrupted, 141 nobody reads the output any more, as shells have it).
Start-up time counts (`check` runs in every commit), so a verb is loaded only when it is asked for.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

from onehead.entrypoints.screen import Screens
from onehead.errors import OneheadError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    with Screens():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(words: list[str]) -> int:
    options = _of_the_hook(words) or _parser().parse_args(words)
    try:
        verb = import_module(f"onehead.{options.module}")
        code: int = verb.run(options)
        sys.stdout.flush()
    except OneheadError as error:
        print(f"onehead: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  → {error.hint}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has enough of it. What Python still holds would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:
        from traceback import print_exc  # noqa: PLC0415

        print("onehead: Something is wrong inside onehead, so nothing was judged.", file=sys.stderr)
        print("  → Report what follows; it may hold names from your repository.", file=sys.stderr)
        print_exc()
        return 3
    except KeyboardInterrupt:
        print("onehead: interrupted.", file=sys.stderr)
        return 130
    return code


def _of_the_hook(words: list[str]) -> SimpleNamespace | None:
    """The options of `pre-receive` as `install hook` writes them; `None` for every other command line.

    It runs in every push, and loading argparse takes as long as letting most pushes through.
    """
    match words:
        case ["pre-receive", "--on-error", "allow" | "refuse" as on_error, "--timeout", seconds] if seconds.isdecimal():
            if int(seconds) > 0:
                return SimpleNamespace(module="entrypoints.pre_receive", on_error=on_error, timeout=float(seconds))
    return None


def _parser() -> argparse.ArgumentParser:

    from onehead.entrypoints.arguments import Parser, ShowVersion  # noqa: PLC0415

    parser: argparse.ArgumentParser = Parser(
        prog="onehead",
        description="Keeps every deployable branch of an Alembic project at one head.",
        epilog="Exit codes: 0 healthy, 1 a deploy would break, 2 wrong usage or configuration, 3 could not judge.",
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show the version and exit")
    verbs = parser.add_subparsers(prog="onehead", title="verbs", metavar="VERB", required=True)
    _for_a_clone(verbs)
    _for_a_database(verbs)
    _for_a_forge(verbs)
    return parser


def _for_a_clone(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = verbs.add_parser("check", help="judge a branch: would it break the next deploy?")
    _repository(check)
    check.add_argument("--at", metavar="REF", help="judge one commit by itself: is it at one head?")
    _two_sides(check)
    check.add_argument("--format", choices=("text", "json", "sarif", "junit"), default="text")
    check.set_defaults(module="entrypoints.check")

    fix = verbs.add_parser("fix", help="write the repair as one commit on a new branch; the work tree is not touched")
    _repository(fix)
    _two_sides(fix)
    fix.add_argument(
        "--strategy",
        choices=("auto", "merge", "reparent"),
        help="auto: re-parent what has not escaped, merge the rest (default: what the target's policy says, else auto)",
    )
    fix.add_argument("--onto-branch", metavar="NAME", help="name of the new branch (default: onehead/KIND/HEAD)")
    fix.add_argument("--format", choices=("text", "json"), default="text")
    fix.set_defaults(module="entrypoints.fix")

    graph = verbs.add_parser("graph", help="draw the chain")
    _repository(graph)
    graph.add_argument("--at", metavar="REF", default="HEAD", help="the commit to draw (default: HEAD)")
    graph.add_argument("--format", choices=("text", "mermaid", "svg", "json"), default="text")
    graph.set_defaults(module="entrypoints.graph")

    states = verbs.add_parser("states", help="what `alembic upgrade head` does to each database that may exist")
    _repository(states)
    states.add_argument("--at", metavar="REF", help="judge one commit by itself")
    _two_sides(states)
    states.add_argument("--rows", metavar="ROWS", help="only this content of alembic_version, e.g. 018,019")
    states.add_argument("--format", choices=("text", "json"), default="text")
    states.set_defaults(module="entrypoints.states")


def _for_a_database(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = verbs.add_parser("doctor", help="what happened to this database, and what to do; changes nothing")
    _repository(doctor)
    doctor.add_argument("--at", metavar="REF", default="HEAD", help="the commit that is deployed (default: HEAD)")
    doctor.add_argument("--environment", metavar="PATH", help="which one, where the repository has several")
    whom = doctor.add_mutually_exclusive_group()
    whom.add_argument("--database-url", metavar="URL", help="look at this database, in a transaction that can't write")
    whom.add_argument("--database-url-file", metavar="FILE", help="file with that address, unseen by other users' ps")
    whom.add_argument(
        "--rows", metavar="ROWS", help="ask no database: this is what alembic_version holds, e.g. 018,019"
    )
    doctor.add_argument("--version-table", metavar="NAME", help="as env.py names it (default: what env.py says)")
    doctor.add_argument("--version-schema", metavar="NAME", help="schema of that table (default: what env.py says)")
    doctor.add_argument("--format", choices=("text", "json"), default="text")
    doctor.set_defaults(module="entrypoints.doctor")

    report = verbs.add_parser("report-rows", help="tell the service what a database holds: evidence for its repairs")
    source = report.add_mutually_exclusive_group()
    source.add_argument("--database-url", metavar="URL", help="read the rows there, in a transaction that can't write")
    source.add_argument("--database-url-file", metavar="FILE", help="file with that address, unseen by other users' ps")
    source.add_argument("--rows", metavar="ROWS", help="ask no database: this is what alembic_version holds, e.g. 018")
    source.add_argument("--forget", action="store_true", help="the database is gone: it counts no more")
    source.add_argument("--show-key", action="store_true", help="print the key for deploy jobs of the repository")
    report.add_argument("--database", metavar="NAME", help="what people call it, e.g. production")
    report.add_argument("--environment", metavar="PATH", help="which one, where the repository has several")
    report.add_argument("--repository", metavar="OWNER/NAME", help="default: that of the CI job, else of origin")
    report.add_argument("--service", metavar="URL", help="address of the service (default: ONEHEAD_SERVICE_URL)")
    report.add_argument("--version-table", metavar="NAME", help="as env.py names it (default: alembic_version)")
    report.add_argument("--version-schema", metavar="NAME", help="schema of that table (default: the database's own)")
    report.set_defaults(module="entrypoints.report_rows")

    databases = verbs.add_parser("databases", help="the databases that have reported their rows, as this clone knows")
    _repository(databases)
    databases.add_argument("--at", metavar="REF", default="HEAD", help="the commit that is deployed (default: HEAD)")
    databases.add_argument("--format", choices=("text", "json"), default="text")
    databases.set_defaults(module="entrypoints.databases")

    explain = verbs.add_parser("explain", help="what the crash of a deploy means, from its log")
    _repository(explain)
    explain.add_argument("--at", metavar="REF", default="HEAD", help="the commit that is deployed (default: HEAD)")
    explain.add_argument("file", metavar="FILE", nargs="?", default="-", help="the log (default: standard input)")
    explain.set_defaults(module="entrypoints.explain")

    _verify(verbs.add_parser("verify", help="really run the migrations, on scratch databases: runs the project's code"))


def _verify(verify: argparse.ArgumentParser) -> None:
    from onehead.entrypoints.arguments import megabytes, number, seconds  # noqa: PLC0415

    _repository(verify)
    verify.add_argument("--at", metavar="REF", help="the commit (default: the work tree as it is)")
    verify.add_argument(
        "--target", metavar="REF", help="make the databases with the migrations of this deployed commit"
    )
    verify.add_argument("--environment", metavar="PATH", help="which one, where the repository has several")
    where = verify.add_mutually_exclusive_group()
    where.add_argument("--database-url", metavar="URL", help="make scratch databases on this server (default: private)")
    where.add_argument("--database-url-file", metavar="FILE", help="file with that address, unseen by other users' ps")
    verify.add_argument("--dialect", choices=("postgresql", "sqlite"), help="kind of database (default: as configured)")
    verify.add_argument("--driver", metavar="NAME", help="driver that the project uses, e.g. asyncpg")
    verify.add_argument(
        "--python", metavar="PROGRAM", help="the Python that has the project's packages (default: ours)"
    )
    verify.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="a variable for env.py; {url} is the address"
    )
    verify.add_argument(
        "-x", "--x-argument", metavar="KEY=VALUE", action="append", default=[], help="as for `alembic -x`"
    )
    verify.add_argument("--flask", metavar="APP", help="run env.py in the context of this Flask application")
    verify.add_argument("--prepare", metavar="FILE", help="Python script that makes what the first revision builds on")
    verify.add_argument(
        "--most", metavar="WAYS", type=number, default=50, help="ways beside the fresh one (default: 50)"
    )
    verify.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=300, help="how long one upgrade may take (default: 300)"
    )
    verify.add_argument("--memory", metavar="MIB", type=megabytes, default=4096, help="for each run (default: 4096)")
    verify.add_argument("--network", action="store_true", help="leave the network open")
    verify.add_argument("--format", choices=("text", "json", "junit"), default="text")
    verify.set_defaults(module="entrypoints.verify")


def _for_a_forge(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = verbs.add_parser("serve", help="run the service: webhooks in, pull requests and comments out")
    serve.add_argument("--config", metavar="FILE", help="settings in TOML; the environment wins over it")
    serve.set_defaults(module="wiring")

    sweep = verbs.add_parser("sweep", help="look at every repository once, as the service does on its schedule")
    sweep.add_argument("--config", metavar="FILE", help="settings in TOML; the environment wins over it")
    sweep.add_argument("--dry-run", action="store_true", help="write nothing; say what would be done")
    sweep.set_defaults(module="entrypoints.sweep")

    install = verbs.add_parser("install", help="set onehead up in a Forgejo: webhook, access, required check")
    _forge(install)
    install.add_argument("--secret-file", metavar="FILE", help="take the webhook's secret from it, or write it there")
    install.add_argument("--token-out", metavar="FILE", help="make the bot's token and write it there (Forgejo 16)")
    install.add_argument("--new-secret", action="store_true", help="replace the webhook by one with another secret")
    install.add_argument("--require-status", action="store_true", help="let merges into the default branch wait for it")
    install.add_argument("--label", action="store_true", help="make the label onehead, which repairs then get")
    install.set_defaults(module="entrypoints.install")

    checkup = verbs.add_parser("checkup", help="say what is missing in a set-up and how to mend it; changes nothing")
    _forge(checkup)
    checkup.set_defaults(module="entrypoints.checkup")

    uninstall = verbs.add_parser("uninstall", help="take away what install made in a Forgejo")
    _forge(uninstall)
    uninstall.add_argument("--clean", action="store_true", help="also close open repairs and delete their branches")
    uninstall.add_argument(
        "--forget-databases", action="store_true", help="also delete what databases have reported: it is memory"
    )
    uninstall.set_defaults(module="entrypoints.uninstall")

    pre_receive = verbs.add_parser("pre-receive", help="judge a push before it comes in: the hook of a git server")
    _limits(pre_receive)
    pre_receive.set_defaults(module="entrypoints.pre_receive")
    _on_disk(install, uninstall)


def _on_disk(install: argparse.ArgumentParser, uninstall: argparse.ArgumentParser) -> None:
    """`install hook` and `uninstall hook`: not over a forge's API, but where a server keeps its repositories."""
    hooks = {}
    for verb, module, words in (
        (install, "install_hook", "put the pre-receive hook onto the disk of a git server"),
        (uninstall, "uninstall_hook", "take it away again"),
    ):
        more = verb.add_subparsers(prog=verb.prog, title="on the server itself", metavar="[hook]")
        hooks[module] = hook = more.add_parser("hook", help=words)
        where = hook.add_mutually_exclusive_group(required=True)
        where.add_argument("--repository", metavar="DIR", help="one bare repository: of Forgejo, or of plain git")
        where.add_argument("--server", metavar="DIR", help="all of a Forgejo 16 or newer: its data directory")
        hook.set_defaults(module=f"entrypoints.{module}")
    _limits(hooks["install_hook"])


def _limits(parser: argparse.ArgumentParser) -> None:
    from onehead.entrypoints.arguments import seconds  # noqa: PLC0415

    parser.add_argument(
        "--on-error", choices=("allow", "refuse"), default="allow", help="a push that can't be judged (default: allow)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=30, help="how long a push may wait (default: 30)"
    )


def _forge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help="address of Forgejo (default: ONEHEAD_FORGEJO_URL)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", metavar="TOKEN", help="an administrator's token (default: ONEHEAD_TOKEN)")
    token.add_argument("--token-file", metavar="FILE", help="file with that token, unseen by other users' ps")
    parser.add_argument("--service-url", metavar="URL", help="address of the service (default: ONEHEAD_PUBLIC_URL)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--repo", metavar="OWNER/NAME", help="one repository")
    where.add_argument("--owner", metavar="NAME", help="all repositories of an organisation, or of the token's account")
    where.add_argument("--system", action="store_true", help="the whole site")
    parser.add_argument("--bot", metavar="NAME", help="the bot's account")


def _repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repo", metavar="DIR", default=".", help="a checkout or a bare repository (default: here)")


def _two_sides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target",
        metavar="REF",
        help="the branch that is deployed (default: in a CI job what that runs for, else where HEAD would go)",
    )
    parser.add_argument("--head", metavar="REF", help="the branch to judge; without it, the target itself is judged")
    parser.add_argument(
        "--fetch",
        choices=("auto", "always", "never"),
        default="auto",
        help="ask origin for the newest target and for missing history (auto: only in a CI job)",
    )


if __name__ == "__main__":
    sys.exit(main())
