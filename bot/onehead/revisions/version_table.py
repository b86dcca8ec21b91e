"""The version table of an environment, read from its code: its name, and how long an id may be. Nothing is run.

Alembic makes `version_num` 32 characters wide. Projects with longer ids make the table themselves in `env.py`, give
Alembic another one (`version_table_impl`), or alter the column in a revision.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from onehead.revisions.model import MAX_ID
from onehead.revisions.parsers import Spent, python
from onehead.revisions.syntax import Folded, Scope

_OPTIONS = ("version_table", "version_table_schema")


class VersionTableNames(NamedTuple):
    """Table and schema that `env.py` configures, `None` by default; `computed` are options that need running it."""

    table: str | None = None
    schema: str | None = None
    computed: tuple[str, ...] = ()


def version_table_in(env_py: bytes) -> VersionTableNames:
    """Look for literals, and for names that the file itself gives a literal; never raises, whatever the bytes are."""
    try:
        module = python(env_py)
    except Spent:
        module = None
    if module is None:
        return VersionTableNames(computed=_OPTIONS if b"version_table" in env_py else ())
    scope = Scope(module)
    found: dict[str, list[Folded | None]] = {option: [] for option in _OPTIONS}
    for node in ast.walk(module):
        for name, value in _given(node):
            if name in found:
                found[name].append(scope.known(value))
    values = {
        name: {known.value if known and isinstance(known.value, str | None) else ... for known in each}
        for name, each in found.items()
    }
    plain = {name: next(iter(each), None) if len(each) < 2 else ... for name, each in values.items()}
    table, schema = (value if isinstance(value, str) else None for value in plain.values())
    return VersionTableNames(table, schema, tuple(name for name, value in plain.items() if value is ...))


def _given(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Options as keywords of a call, and as keys of a dictionary that is unpacked into one."""
    match node:
        case ast.Call(keywords=keywords):
            return [(each.arg, each.value) for each in keywords if each.arg]
        case ast.Dict(keys=keys, values=values):
            named = [(key.value if isinstance(key, ast.Constant) else None) for key in keys]
            return [(name, value) for name, value in zip(named, values, strict=True) if isinstance(name, str)]
    return []


UNBOUNDED = 1 << 30
"""The width of a column without one, and one that is only known once the code runs."""

_MAX_DIGITS = 9
_COLUMN = b"version_num"
_SIZED = r"(?:n?varchar2?|n?char|character varying|string|unicode)"
_UNSIZED = r"(?:text|clob|unicodetext|(?:tiny|medium|long)text)"
_SQL = re.compile(
    rf"version_num[\"'`\]]?\s+(?:set\s+data\s+)?(?:type\s+)?(?:{_SIZED}\s*\(\s*(?P<width>\d*)|{_UNSIZED}\b)",
    re.IGNORECASE,
)
"""The column with its type, in CREATE TABLE and in every way to alter it."""
_IS_SIZED = re.compile(_SIZED, re.IGNORECASE)
_IS_UNSIZED = re.compile(_UNSIZED, re.IGNORECASE)


def width_in(sources: Iterable[bytes]) -> int:
    """The widest column that some files make for the ids; `MAX_ID` where they make none. Never raises."""
    return max((width for source in sources if _COLUMN in source for width in _widths(source)), default=MAX_ID)


def _widths(source: bytes) -> Iterator[int]:
    text = source.decode("utf-8", "replace")
    for found in _SQL.finditer(text):
        yield int(found["width"][:_MAX_DIGITS]) if found["width"] else UNBOUNDED
    try:
        module = python(source)
    except Spent:
        module = None
    if module is None:
        return
    scope = Scope(module)
    for node in ast.walk(module):
        match node:
            case ast.Call(args=[*args], keywords=[*keywords]) if any(
                isinstance(each, ast.Constant) and each.value == _COLUMN.decode() for each in args
            ):
                # An alteration names the old type too.
                for value in (*args, *(each.value for each in keywords if each.arg != "existing_type")):
                    yield from _type_width(value, scope)
            case ast.Assign(targets=[ast.Attribute() as target], value=value) if ".version_num.type" in _dotted(target):
                yield from [_number(value, scope)] if target.attr == "length" else _type_width(value, scope)


def _type_width(node: ast.expr, scope: Scope) -> Iterator[int]:
    """The width of a column type: `String(255)`, `sa.VARCHAR(length=WIDTH)`, `sa.Text`."""
    call = node if isinstance(node, ast.Call) else None
    name = _dotted(call.func if call else node).rpartition(".")[2]
    sizes = [] if call is None else [*call.args[:1], *(each.value for each in call.keywords if each.arg == "length")]
    if _IS_UNSIZED.fullmatch(name) or (_IS_SIZED.fullmatch(name) and not sizes):
        yield UNBOUNDED
    elif _IS_SIZED.fullmatch(name):
        yield _number(sizes[0], scope)


def _number(node: ast.expr, scope: Scope) -> int:
    if isinstance(node, ast.Name) and node.id in scope.assigned:
        node = scope.assigned[node.id].value
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int) else UNBOUNDED


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of a name with attributes; what is no such thing counts as nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(["" if not isinstance(node, ast.Name) else node.id, *reversed(parts)])
