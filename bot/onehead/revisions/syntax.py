"""Names that a module binds at its top level, and their values, read from Python's syntax tree.

Two readers share it: `parse` wants the four values of a revision, `edit` also wants where each is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from onehead.revisions.header import FIRST_BLOCK, has_cookie, mentioned
from onehead.revisions.model import Declared, Dynamic, docstring
from onehead.revisions.parsers import MAX_BYTES, python, unparsed

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
"""What Alembic reads from a revision module."""

Held = str | tuple[str, ...] | list[str] | None
"""What a name may be known to hold. Anything else is of no use to Alembic, and counts as not known."""


class Scope:
    """Top-level names of one module as they stand at its end.

    Attributes:
        values: name → value, where it is known.
        unknown: name → line and source of a value that can't be known without running the file.
    """

    def __init__(self) -> None:
        self.values: dict[str, Held] = {}
        self.unknown: dict[str, tuple[int, ast.AST | str]] = {}

    def bind(self, name: str, value: Held) -> None:
        """A name has a known value from here on."""
        self.values[name] = value
        self.unknown.pop(name, None)

    def forget(self, name: str, line: int, source: ast.AST | str) -> None:
        """A name's value can't be known from here on: it comes from `source`, at `line`."""
        self.values.pop(name, None)
        self.unknown[name] = (line, source)

    def forget_everything(self, line: int, source: ast.AST | str) -> None:
        """Any name may have been bound by `source`, at `line`; what is assigned afterwards is known again."""
        for name in ("revision", "down_revision", *self.values):
            self.forget(name, line, source)


def declared(scope: Scope, doc: str, revises: tuple[str, ...] | None) -> Declared:
    """The four names as Alembic would take them from a module that ends with this scope."""
    # Only these are shown: a block that binds thousands of names would be written out for each of them.
    unknown = {name: scope.unknown[name] for name in NAMES if name in scope.unknown}
    dynamic = {name: Dynamic(name, line, _shown(source)) for name, (line, source) in unknown.items()}
    values = {name: value for name, value in scope.values.items() if name in NAMES}
    id_ = values.get("revision")
    if "revision" in values and not isinstance(id_, str):
        dynamic["revision"] = Dynamic("revision", 0, f"{id_!r:.80}")
    labels = tuple(filter(None, _strings(values.get("branch_labels"))))
    if "branch_labels" in dynamic:
        labels = (dynamic["branch_labels"].text,)
    return Declared(
        revision=id_ if isinstance(id_, str) else None,
        parents=_strings(values["down_revision"]) if "down_revision" in values else None,
        depends_on=tuple(filter(None, _strings(values.get("depends_on")))),
        branch_labels=labels,
        doc=doc,
        revises=revises,
        dynamic=tuple(dynamic[name] for name in NAMES if name in dynamic),
    )


def _strings(value: Held) -> tuple[str, ...]:
    """A declared value as Alembic's `to_tuple` sees it."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _shown(source: ast.AST | str) -> str:
    return (unparsed(source) if isinstance(source, ast.AST) else " ".join(source.split()))[:80]


_MAX_TARGETS = 16
"""No person writes `a = b = c = ...` longer; the work grows with targets times the length of the value."""
_MAX_VALUE_LENGTH = 1024
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
        module = python(data[: block.start()])
        if module is not None:
            return _read(module, may_hold_global=False)
    module = python(data)
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
        case ast.Assign(targets=targets, value=value) if len(targets) <= _MAX_TARGETS:
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


def _bindings(target: ast.expr, value: ast.expr, scope: Scope) -> Iterator[tuple[str, Held | ast.AST]]:
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


def _fold(node: ast.expr, names: dict[str, Held]) -> Held:
    """The value of an expression made of literals only; raises `_NotLiteral` for any other."""
    found: Held
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
    if found is not None and len(found) > _MAX_VALUE_LENGTH:
        raise _NotLiteral
    return found


def _folded_strings(nodes: list[ast.expr], names: dict[str, Held]) -> list[str]:
    found = []
    for node in nodes:
        value = _fold(node, names)
        if not isinstance(value, str):
            raise _NotLiteral
        found.append(value)
    return found


def _sum(first: Held, second: Held) -> Held:
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


# Python ends a line at these three only; str.splitlines would also split at a form feed.
NEWLINE = re.compile(r"\r\n|\r|\n")
LINE_START = r"(?:^|(?<=[\r\n]))"


class Lines:
    """The lines of one text.

    Attributes:
        text: the text, without a byte order mark.
        starts: index of the first character of every line.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._is_ascii = text.isascii()
        self.starts = [0, *(found.end() for found in NEWLINE.finditer(text))]

    def end(self, number: int) -> int:
        """One past the last character of a 0-based line, its line ending included."""
        return self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)

    def index(self, line: int, column: int) -> int:
        """Character index of a 1-based line and a column in UTF-8 bytes."""
        start = self.starts[line - 1]
        if self._is_ascii:
            return start + column
        return start + len(self.text[start : self.end(line - 1)].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First character of a node and one past its last."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError("a node made by the parser always knows its end")
        return self.index(node.lineno, node.col_offset), self.index(node.end_lineno, node.end_col_offset)


def line_number(text: str, index: int) -> int:
    """1-based line of a character."""
    return 1 + sum(1 for _ in NEWLINE.finditer(text, 0, index))


Value = str | tuple[str, ...] | None

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_CHANGING_METHODS = frozenset({"append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"})
_NAMESPACE_CALLS = frozenset({"globals", "locals", "vars", "exec", "eval", "setattr"})
_EVERYTHING = "*"
_MAX_VALUE_LENGTH = 1024
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


class _ComputedValue(Exception):
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
        value = _folded(node, known)
    except _ComputedValue as why:
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


def _folded(node: ast.expr, known: Mapping[str, Declaration]) -> Value:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return text
        case ast.Tuple(elts=items) | ast.List(elts=items):
            folded = tuple(_folded(item, known) for item in items)
            if all(isinstance(item, str) for item in folded):
                return tuple(item for item in folded if isinstance(item, str))
        case ast.Name(id=name) if name in known and not known[name].computed:
            return known[name].value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _folded(left, known), _folded(right, known)
            if isinstance(first, str) and isinstance(second, str) and len(first) + len(second) <= _MAX_VALUE_LENGTH:
                return first + second
            if isinstance(first, tuple) and isinstance(second, tuple) and len(first) + len(second) <= _MAX_VALUE_LENGTH:
                return first + second
        case _:
            pass
    raise _ComputedValue(f"its value is computed by `{_shown(node)}`")


def _in_a_message(node: ast.expr) -> str:
    """The expression on one line, short enough for a message."""
    source = unparsed(node)
    return source if len(source) <= 60 else source[:57] + "..."


def _elements(node: ast.expr, value: Value, lines: Lines, known: Mapping[str, Declaration]) -> list[Element]:
    """The ids of an expression with this value that have a place of their own."""
    if isinstance(value, str):
        return [Element(value, *lines.span(node))]
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [element for part in parts for element in _elements(part, _folded(part, known), lines, known)]
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
        bound |= _rebound_by(node)
        if isinstance(node, _SCOPES):
            bound |= {name for inner in ast.walk(node) if isinstance(inner, ast.Global) for name in inner.names}
        else:
            todo.extend(ast.iter_child_nodes(node))
    return frozenset(bound)


def _rebound_by(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.alias(name=name, asname=asname):
            return {asname or name}
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _CHANGING_METHODS:
            return {name}
        case ast.Call(func=ast.Name(id=name)) if name in _NAMESPACE_CALLS:
            return {_EVERYTHING}
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return {name}
        case _:
            return set()
