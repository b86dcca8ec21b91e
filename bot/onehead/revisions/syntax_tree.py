"""Reader 2: Python's syntax tree, with literals, names, concatenations and tuples folded."""

from __future__ import annotations

import ast
import warnings

from onehead.revisions.declared import NAMES, Declared, Scope, declared, docstring
from onehead.revisions.plain_header import FIRST_BLOCK, mentioned

MAX_BYTES = 1024 * 1024
"""A larger file (rows of data as code) is read by its header and lines, not as a whole syntax tree."""


class _NotLiteral(Exception):
    pass


def read(data: bytes) -> Declared | None:
    """Read the header alone where that is enough, else the whole file; `None` where Python can't parse it."""
    block = FIRST_BLOCK.search(data)
    if block and not mentioned(data, block.start()):
        # A cut inside a string or a bracket never parses, so a header that parses really is a prefix.
        module = syntax(data[: block.start()])
        if module is not None:
            return _read(module)
    if len(data) > MAX_BYTES:
        return None
    module = syntax(data)
    return None if module is None else _read(module)


def syntax(data: bytes) -> ast.Module | None:
    """The syntax tree, or `None` for what this Python can't parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in somebody's file are not our user's business
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(module: ast.Module) -> Declared:
    scope = Scope()
    for statement in module.body:
        _execute(statement, scope)
    doc, revises = docstring(ast.get_docstring(module, clean=False) or "")
    return declared(scope, doc, revises)


def _execute(statement: ast.stmt, scope: Scope) -> None:
    """Follow one top-level statement, as far as it binds names."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                assign(target, value, scope)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            assign(target, value, scope)
        case ast.AugAssign(target=ast.Name(id=name) as target, op=ast.Add(), value=value):
            assign(target, ast.BinOp(ast.Name(name, ast.Load()), ast.Add(), value), scope)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                bound = (alias.asname or alias.name).split(".")[0]
                for name in NAMES if bound == "*" else (bound,):
                    # A star import may or may not bring the name: what is assigned afterwards wins anyway.
                    if bound != "*" or name in ("revision", "down_revision"):
                        scope.forget(name, statement.lineno, ast.unparse(statement))
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            scope.forget(statement.name, statement.lineno, f"def {statement.name}")
            for name in _globals_bound(statement):
                scope.forget(name, statement.lineno, f"global {name}")
        case _:
            for name in _rebound(statement):
                scope.forget(name, statement.lineno, ast.unparse(statement))


def assign(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    """Bind one assignment target; several targets of one unpacking each get their own value."""
    match target:
        case ast.Name(id=name):
            try:
                scope.bind(name, _fold(value, scope.values))
            except (_NotLiteral, RecursionError):
                scope.forget(name, getattr(value, "lineno", 0), _source(value))
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for index, each in enumerate(targets):
                assign(each, values[index] if len(values) == len(targets) else value, scope)
        case ast.Starred(value=each):
            assign(each, ast.Call(ast.Name("list", ast.Load()), [value], []), scope)
        case _:
            for name in _rebound(target):
                scope.forget(name, getattr(target, "lineno", 0), _source(value))


def _source(node: ast.expr) -> str:
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):
        return "a deeply nested expression"


def _fold(node: ast.expr, names: dict[str, object]) -> object:
    """The value of an expression made of literals only; raises `_NotLiteral` for any other."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return tuple(_fold(element, names) for element in elements)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _fold(left, names), _fold(right, names)
            if isinstance(first, str) and isinstance(second, str):
                return first + second
            if isinstance(first, tuple) and isinstance(second, tuple):
                return first + second
        case ast.JoinedStr(values=parts):
            texts = [_fold(part.value if isinstance(part, ast.FormattedValue) else part, names) for part in parts]
            if all(isinstance(text, str) for text in texts) and not _formatted(parts):
                return "".join(str(text) for text in texts)
    raise _NotLiteral


def _formatted(parts: list[ast.expr]) -> bool:
    return any(isinstance(p, ast.FormattedValue) and (p.format_spec is not None or p.conversion != -1) for p in parts)


_MUTATORS = {"append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort"}


def _rebound(root: ast.AST) -> set[str]:
    """Names that a nested block, loop, `with`, `del` or list method may bind or change in module scope."""
    names: set[str] = set()
    todo: list[ast.AST] = [root]
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
                names |= _globals_bound(node)
                continue
            case ast.Lambda():
                continue
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in _MUTATORS:
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
        todo.extend(ast.iter_child_nodes(node))
    return names


def _globals_bound(function: ast.AST) -> set[str]:
    """Names that a function declares `global`: it may have been called while the module was loading."""
    return {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
