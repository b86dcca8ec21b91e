"""The values that a revision file gives to its names, each with the exact place where it is written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

from onehead.revisions.positions import Lines
from onehead.revisions.python_source import unparsed

Value = str | tuple[str, ...] | None

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_MUTATORS = frozenset({"append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"})
_BACK_DOORS = frozenset({"globals", "locals", "vars", "exec", "eval", "setattr"})
_EVERYTHING = "*"
_LONGEST_VALUE = 1024
"""Characters or ids of a sum: `a = a + a` eighty times is longer than any memory."""


@dataclass(frozen=True, slots=True)
class Element:
    """One id inside a value: the string it stands for and its span in the text, in characters."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """The assignment that decides the value of a name: the last one at the top level.

    Attributes:
        name: for instance `down_revision`.
        line: 1-based line of the statement.
        start: first character of the value expression.
        end: one past its last character.
        value: what it evaluates to; meaningless where `computed` is set.
        form: how it is written: `none`, `str`, `tuple`, `list`, or `other` (a name, a concatenation).
        elements: its ids with their places, as far as each has its own.
        annotation: source text of the type annotation, empty for none.
        computed: why the value can't be known without running the file; empty when it can.
    """

    name: str
    line: int
    start: int
    end: int
    value: Value = None
    form: str = "other"
    elements: tuple[Element, ...] = ()
    annotation: str = ""
    computed: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The value as a tuple; nothing, `None` and the empty string are all empty."""
        if isinstance(self.value, tuple):
            return self.value
        return (self.value,) if self.value else ()


class _Computed(Exception):
    """The value depends on something that only running the file would tell."""


def declarations(tree: ast.Module, lines: Lines, hidden: frozenset[str] = frozenset()) -> dict[str, Declaration]:
    """Every name assigned at the top level of `tree`.

    Args:
        tree: the file, or the part of it that could be parsed.
        lines: the text that the positions of `tree` refer to.
        hidden: names that the unparsed rest may bind too.
    """
    rebound = _rebound(tree) | hidden
    found: dict[str, Declaration] = {}
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                name = alias.asname or alias.name
                if name in found:
                    found[name] = replace(found[name], computed="an import binds it again")
            continue
        value, targets, annotation = _assignment(statement)
        if value is None:
            continue
        declared = _declaration(value, statement.lineno, lines, found)
        if annotation is not None:
            start, end = lines.span(annotation)
            declared = replace(declared, annotation=lines.text[start:end])
        for name in targets:
            found[name] = replace(declared, name=name)
            if name in rebound or _EVERYTHING in rebound:
                found[name] = replace(found[name], computed="it is also bound or changed elsewhere in the file")
    return found


def _assignment(statement: ast.stmt) -> tuple[ast.expr | None, list[str], ast.expr | None]:
    """Value, names and annotation of a plain assignment; no value for any other statement."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            return value, [target.id for target in targets if isinstance(target, ast.Name)], None
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=annotation):
            return value, [name], annotation
        case _:
            return None, [], None


def _declaration(node: ast.expr, line: int, lines: Lines, known: Mapping[str, Declaration]) -> Declaration:
    start, end = lines.span(node)
    try:
        value = _fold(node, known)
    except _Computed as why:
        return Declaration("", line, start, end, computed=str(why))
    match node:
        case ast.Constant(value=None):
            form = "none"
        case ast.Constant():
            form = "str"
        case ast.Tuple():
            form = "tuple"
        case ast.List():
            form = "list"
        case _:
            form = "other"
    return Declaration("", line, start, end, value, form, tuple(_elements(node, value, lines, known)))


def _fold(node: ast.expr, known: Mapping[str, Declaration]) -> Value:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return text
        case ast.Tuple(elts=items) | ast.List(elts=items):
            folded = tuple(_fold(item, known) for item in items)
            if all(isinstance(item, str) for item in folded):
                return tuple(item for item in folded if isinstance(item, str))
        case ast.Name(id=name) if name in known and not known[name].computed:
            return known[name].value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _fold(left, known), _fold(right, known)
            if isinstance(first, str) and isinstance(second, str) and len(first) + len(second) <= _LONGEST_VALUE:
                return first + second
            if isinstance(first, tuple) and isinstance(second, tuple) and len(first) + len(second) <= _LONGEST_VALUE:
                return first + second
        case _:
            pass
    raise _Computed(f"its value is computed by `{_shown(node)}`")


def _shown(node: ast.expr) -> str:
    """The expression on one line, short enough for a message."""
    source = unparsed(node)
    return source if len(source) <= 60 else source[:57] + "..."


def _elements(node: ast.expr, value: Value, lines: Lines, known: Mapping[str, Declaration]) -> list[Element]:
    """The ids of an expression with this value that have a place of their own."""
    if isinstance(value, str):
        return [Element(value, *lines.span(node))]
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [element for part in parts for element in _elements(part, _fold(part, known), lines, known)]
        case ast.BinOp(left=left, right=right):  # of two tuples, as it is no string
            return [*_elements(left, (), lines, known), *_elements(right, (), lines, known)]
        case _:
            return []


def _rebound(tree: ast.Module) -> frozenset[str]:
    """Names bound or mutated by anything but a plain top-level assignment: their value is not known."""
    bound: set[str] = set()
    todo: list[ast.AST] = []
    for statement in tree.body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                continue
            case ast.Assign(targets=targets, value=value) if all(isinstance(t, ast.Name) for t in targets):
                todo.append(value)
            case ast.AnnAssign(target=ast.Name(), value=assigned):
                todo.extend([assigned] if assigned else [])
            case _:
                todo.append(statement)
    while todo:
        node = todo.pop()
        bound |= _bound_by(node)
        if isinstance(node, _SCOPES):
            bound |= {name for inner in ast.walk(node) if isinstance(inner, ast.Global) for name in inner.names}
        else:
            todo.extend(ast.iter_child_nodes(node))
    return frozenset(bound)


def _bound_by(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.alias(name=name, asname=asname):
            return {asname or name}
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _MUTATORS:
            return {name}
        case ast.Call(func=ast.Name(id=name)) if name in _BACK_DOORS:
            return {_EVERYTHING}
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return {name}
        case _:
            return set()
