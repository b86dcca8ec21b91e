"""How Alembic is called for an environment: commands as a person types them at the top of the repository."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import relpath
from shlex import join, quote, split

from onehead.revisions.config import is_sample
from onehead.revisions.model import Environment

_FOUND_BY_ITSELF = ("alembic.ini", "pyproject.toml")
_RUNS_WITHOUT_NAME = ("alembic", "tool.alembic", "DEFAULT")


def typed(environment: Environment, lines: Iterable[str]) -> tuple[str, ...]:
    """Lines that begin with `alembic`, as they work at the top of the repository; others as they are.

    Alembic resolves relative paths, its `prepend_sys_path` too, against the working directory. So a configuration in
    a sub-folder is not only named: the line goes to where its paths lead. Where no configuration is known, Alembic is
    run by code of the project, and the line says with which arguments.
    """
    return tuple(_typed(environment, line) if line.startswith("alembic ") else line for line in lines)


def _typed(environment: Environment, line: str) -> str:
    arguments = split(line)[1:]
    command = _flask(environment, arguments) if environment.by_flask else join(_alembic(environment, arguments))
    return f"(cd {quote(environment.run_from)} && {command})" if environment.run_from else command


def _alembic(environment: Environment, arguments: list[str]) -> list[str]:
    options = []
    config = environment.config
    # A sample is copied first, under a name that is not known.
    if config is not None and not is_sample(config):
        name = relpath(config, environment.run_from or ".")
        options += [] if name in _FOUND_BY_ITSELF else ["-c", name]
    if environment.section is not None and environment.section not in _RUNS_WITHOUT_NAME:
        options += ["-n", environment.section]
    return ["alembic", *options, *arguments]


def _flask(environment: Environment, arguments: list[str]) -> str:
    """The same by Flask-Migrate, which stamps one revision at a time."""
    folder = relpath(environment.script_location or ".", environment.run_from or ".")
    named = [] if folder == "migrations" else ["-d", folder]
    verb, *rest = arguments
    if verb != "stamp":
        return join(("flask", "db", verb, *named, *rest))
    purge, first, *others = rest
    stamps = [["flask", "db", verb, *named, purge, first], *(["flask", "db", verb, *named, id_] for id_ in others)]
    return " && ".join(map(join, stamps))
