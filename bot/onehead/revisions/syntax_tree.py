"""Reader 2: Python's syntax tree, with literals, names, concatenations and tuples folded."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from onehead.revisions.allowance import MAX_BYTES
from onehead.revisions.declared import Declared, docstring
from onehead.revisions.plain_header import FIRST_BLOCK, has_cookie, mentioned
from onehead.revisions.python_source import syntax
from onehead.revisions.scope import Scope, Value, declared

_MOST_TARGETS = 16
"""No person writes `a = b = c = ...` longer; the work grows with targets times the length of the value."""
_LONGEST_VALUE = 1024
"""Characters or elements of a folded value; doubling `x = x + x` a few dozen times would fill the memory."""


class _NotLiteral(Exception):
    pass


def read(data: bytes) -> Declared | None:
    """Read the header alone where that is enough, else the whole file.

    Returns:
        `None` where Python can't parse it, or where it is too large (rows of data as code).

    Raises:
        Spent: the examination has parsed as much as it may.
        RecursionError, MemoryError: it is nested too deeply.
    """
    block = FIRST_BLOCK.search(data, 0, MAX_BYTES)
    if block and not has_cookie(data) and not mentioned(data, block.start()):
        # A cut inside a string or a bracket never parses, so a header that parses really is a prefix.
        module = syntax(data[: block.start()])
        if module is not None:
            return _read(module, may_hold_global=False)
    module = syntax(data)
    return None if module is None else _read(module, may_hold_global=b"global" in data or has_cookie(data))


def _read(module: ast.Module, *, may_hold_global: bool) -> Declared:
    scope = Scope()
    for statement in module.body:
        _execute(statement, scope)
    for node in ast.walk(module) if may_hold_global else ():
        # Wherever the function is defined, it may be called after the last assignment.
        if isinstance(node, ast.Global):
            _forget(set(node.names), node, node.lineno, scope)
    doc, revises = docstring(ast.get_docstring(module, clean=False) or "")
    return declared(scope, doc, revises)


def _execute(statement: ast.stmt, scope: Scope) -> None:
    """Follow one top-level statement, as far as it binds names."""
    match statement:
        case ast.Assign(targets=targets, value=value) if len(targets) <= _MOST_TARGETS:
            assign(targets, value, scope)
        case ast.AnnAssign(value=None):
            pass  # an annotation alone binds nothing
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            assign([target], value, scope)
        case ast.AugAssign(target=ast.Name(id=name) as target, op=ast.Add(), value=value):
            assign([target], ast.BinOp(ast.Name(name, ast.Load()), ast.Add(), value), scope)
        case _:
            _forget(_bound(statement), statement, statement.lineno, scope)


def assign(targets: list[ast.expr], value: ast.expr, scope: Scope) -> None:
    """Bind the targets of one assignment; the value is known in full before any of them is bound, as in Python."""
    line = getattr(targets[0], "lineno", 0)
    bindings = [binding for target in targets for binding in _bindings(target, value, scope)]
    if any(isinstance(found, ast.AST) for _, found in bindings):
        _forget(_bound(value), value, line, scope)
    for name, found in bindings:
        if isinstance(found, ast.AST):
            _forget({name}, found, line, scope)
        else:
            scope.bind(name, found)


def _bindings(target: ast.expr, value: ast.expr, scope: Scope) -> Iterator[tuple[str, Value | ast.AST]]:
    """Names of one target, each with its value, or with the source of one that can't be known."""
    match target, value:
        case ast.Name(id=name), _:
            try:
                yield name, _fold(value, scope.values)
            except (_NotLiteral, RecursionError):
                yield name, value
        case ((ast.Tuple(elts=targets) | ast.List(elts=targets)), (ast.Tuple(elts=values) | ast.List(elts=values))) if (
            len(targets) == len(values) and not any(isinstance(each, ast.Starred) for each in (*targets, *values))
        ):
            for each, part in zip(targets, values, strict=True):
                yield from _bindings(each, part, scope)
        case _:
            for name in _bound(target):
                yield name, value


def _fold(node: ast.expr, names: dict[str, Value]) -> Value:
    """The value of an expression made of literals only; raises `_NotLiteral` for any other."""
    found: Value
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(found)):
            pass
        case ast.Tuple(elts=elements) | ast.Set(elts=elements):
            found = tuple(_folded_strings(elements, names))
        case ast.List(elts=elements):
            found = _folded_strings(elements, names)
        case ast.Name(id=name) if isinstance(names.get(name), str | tuple) or (name in names and names[name] is None):
            # A list under two names may be changed through either one.
            found = names[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            found = _sum(_fold(left, names), _fold(right, names))
        case ast.JoinedStr(values=parts):
            found = "".join(_folded_strings([_unformatted(part) for part in parts], names))
        case _:
            raise _NotLiteral
    if found is not None and len(found) > _LONGEST_VALUE:
        raise _NotLiteral
    return found


def _folded_strings(nodes: list[ast.expr], names: dict[str, Value]) -> list[str]:
    found = []
    for node in nodes:
        value = _fold(node, names)
        if not isinstance(value, str):
            raise _NotLiteral
        found.append(value)
    return found


def _sum(first: Value, second: Value) -> Value:
    if isinstance(first, str) and isinstance(second, str):
        return first + second
    if isinstance(first, tuple) and isinstance(second, tuple):
        return first + second
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    raise _NotLiteral


def _unformatted(part: ast.expr) -> ast.expr:
    """The expression inside the braces of an f-string, where nothing is done to it."""
    if not isinstance(part, ast.FormattedValue):
        return part
    if part.format_spec is not None or part.conversion != -1:
        raise _NotLiteral
    return part.value


_EVERYTHING = "*"
_STAR_IMPORT = "import *"
_MUTATORS = {"append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort"}
_BACK_DOORS = {"exec", "eval", "globals", "locals", "vars", "setattr"}


def _forget(names: set[str], source: ast.AST, line: int, scope: Scope) -> None:
    if _EVERYTHING in names:
        scope.forget_everything(line, source)
    for name in names - {_EVERYTHING, _STAR_IMPORT}:
        scope.forget(name, line, source)
    if _STAR_IMPORT in names:
        # It may bring ids where none are written; that it replaces those that are has not been seen in the wild.
        for name in {"revision", "down_revision"} - scope.values.keys():
            scope.forget(name, line, source)


def _bound(root: ast.AST) -> set[str]:
    """Names that running a statement, target or expression may bind or change in module scope; `*` for any name."""
    names: set[str] = set()
    todo: list[ast.AST] = [root]
    while todo:
        node = todo.pop()
        names |= _bound_by(node)
        todo.extend(_run_with(node))
    return names


def _bound_by(node: ast.AST) -> set[str]:
    match node:
        case (
            ast.Name(id=name, ctx=ast.Store() | ast.Del())
            | ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.ClassDef(name=name)
        ):
            return {name}
        case ast.alias(name="*"):
            return {_STAR_IMPORT}
        case ast.alias(name=name, asname=asname):
            return {(asname or name).split(".")[0]}
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _MUTATORS:
            return {name}
        case (
            ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            return {name}
        case ast.Call(func=ast.Name(id=name)) if name in _BACK_DOORS:
            return {_EVERYTHING}
    return set()


def _run_with(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that run where it stands, in module scope."""
    match node:
        case (
            ast.FunctionDef(args=args, decorator_list=decorators)
            | ast.AsyncFunctionDef(args=args, decorator_list=decorators)
        ):
            return [*decorators, *args.defaults, *filter(None, args.kw_defaults)]
        case ast.Lambda(args=args):
            return [*args.defaults, *filter(None, args.kw_defaults)]
        case ast.ClassDef(bases=bases, keywords=keywords, decorator_list=decorators):
            return [*decorators, *bases, *keywords]
        case ast.comprehension(iter=source, ifs=conditions):
            return [source, *conditions]  # its targets are its own
    return list(ast.iter_child_nodes(node))
