"""Which table Alembic keeps its rows in, as far as `env.py` says so in plain words. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

from onehead.revisions.allowance import Spent
from onehead.revisions.python_source import syntax

_OPTIONS = ("version_table", "version_table_schema")


class VersionTableNames(NamedTuple):
    """What `env.py` gives to `context.configure`.

    Attributes:
        table: name of the version table; `None` where nothing is said: Alembic takes `alembic_version`.
        schema: its schema; `None` where nothing is said: the default one.
        computed: options whose value can't be known without running the file.
    """

    table: str | None = None
    schema: str | None = None
    computed: tuple[str, ...] = ()


def version_table_in(env_py: bytes) -> VersionTableNames:
    """Look for literals, and for names that the file itself gives a literal; never raises, whatever the bytes are."""
    try:
        module = syntax(env_py)
    except Spent:
        module = None
    if module is None:
        return VersionTableNames(computed=_OPTIONS if b"version_table" in env_py else ())
    names = {
        target.id: statement.value.value
        for statement in module.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    }
    found: dict[str, set[object]] = {option: set() for option in _OPTIONS}
    for node in ast.walk(module):
        for name, value in _given(node):
            if name in found:
                found[name].add(_folded(value, names))
    values = {name: next(iter(each)) if len(each) == 1 else None for name, each in found.items()}
    plain = {name: len(each) <= 1 and isinstance(values[name], str | None) for name, each in found.items()}
    known = {name: value if isinstance(value, str) else None for name, value in values.items()}
    computed = tuple(name for name in _OPTIONS if not plain[name])
    return VersionTableNames(known["version_table"], known["version_table_schema"], computed)


class _Computed:
    """Stands for a value that can't be known."""


def _given(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Options as keywords of a call, and as keys of a dictionary that is unpacked into one."""
    match node:
        case ast.Call(keywords=keywords):
            return [(each.arg, each.value) for each in keywords if each.arg]
        case ast.Dict(keys=keys, values=values):
            named = [(key.value if isinstance(key, ast.Constant) else None) for key in keys]
            return [(name, value) for name, value in zip(named, values, strict=True) if isinstance(name, str)]
    return []


def _folded(value: ast.expr, names: Mapping[str, object]) -> object:
    if isinstance(value, ast.Constant):
        return value.value
    if isinstance(value, ast.Name) and value.id in names:
        return names[value.id]
    return _Computed()
