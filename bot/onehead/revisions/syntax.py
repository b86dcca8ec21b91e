"""The static reader: names that the top level of a module binds, their values, and where each is written.

Nothing is run: what is not made of literals is unknown, together with what made it so.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from onehead.revisions import parsers
from onehead.revisions.model import Declared, Dynamic, docstring
from onehead.revisions.parsers import IN_CONFLICT, MAX_BYTES, conflict_line, python, too_large, unparsed

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
"""What Alembic reads from a revision module."""

Held = str | tuple[str, ...] | list[str] | None
"""What a name may be known to hold. Anything else is of no use to Alembic, and counts as not known."""

MUTATORS = ("append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort")
BACK_DOORS = ("exec", "eval", "globals", "locals", "vars", "setattr")
EVERYTHING = "*"
STAR_IMPORT = "import *"

_MAX_TARGETS = 16
"""No person writes `a = b = c = ...` longer; the work grows with targets times the length of the value."""
_MAX_VALUE_LENGTH = 1024
"""Characters or elements of a folded value; doubling `x = x + x` a few dozen times would fill the memory."""


class Folded(NamedTuple):
    """A value that is made of literals; `parts` are the strings in it that are written one by one."""

    value: Held
    source: ast.expr
    parts: tuple[tuple[str, ast.expr], ...] = ()


class Assignment(NamedTuple):
    """A plain assignment of one name, in a 1-based line."""

    line: int
    value: ast.expr
    annotation: ast.expr | None


class _NotLiteral(Exception):
    pass


class Scope:
    """Top-level names of one module, after the statements followed so far.

    `unknown`: name → line and source of a value that can't be known without running the file. `assigned`: name → its
    last plain assignment, which need not be what decides its value.
    """

    def __init__(self, module: ast.Module | None = None, *, may_hold_global: bool = True) -> None:
        self.values: dict[str, Folded] = {}
        self.unknown: dict[str, tuple[int, ast.AST | str]] = {}
        self.assigned: dict[str, Assignment] = {}
        if module is not None:
            self.follow(module, may_hold_global=may_hold_global)

    def follow(self, module: ast.Module, *, may_hold_global: bool = False) -> None:
        """Follow the statements of a module; `may_hold_global`: a function of it may bind names of the module."""
        for statement in module.body:
            self._execute(statement)
        for node in ast.walk(module) if may_hold_global else ():
            # Wherever the function is defined, it may be called after the last assignment.
            if isinstance(node, ast.Global):
                self.forget(set(node.names), node.lineno, node)

    def _execute(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value) if len(targets) <= _MAX_TARGETS:
                self.assign(targets, value)
            case ast.AnnAssign(value=None):
                pass  # an annotation alone binds nothing
            case ast.AnnAssign(target=target, value=ast.expr() as value, annotation=annotation):
                self.assign([target], value, annotation)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=ast.Add(), value=value):
                before = self.assigned.get(name)
                self.assign([target], ast.BinOp(ast.Name(name, ast.Load()), ast.Add(), value))
                self.assigned.update({} if before is None else {name: before})
            case _:
                self.forget(bound(statement), statement.lineno, statement)

    def assign(self, targets: list[ast.expr], value: ast.expr, annotation: ast.expr | None = None) -> None:
        """Bind the targets of one assignment; the value is known in full before any of them is bound, as in Python."""
        line = getattr(targets[0], "lineno", 0)
        bindings = [binding for target in targets for binding in self._bindings(target, value)]
        if not all(isinstance(found, Folded) for _, found in bindings):
            self.forget(bound(value), line, value)
        for name, found in bindings:
            if isinstance(found, Folded):
                self.values[name] = found
                self.unknown.pop(name, None)
            else:
                self.forget({name}, line, found)
        for target in targets:
            if isinstance(target, ast.Name):
                self.assigned[target.id] = Assignment(line, value, annotation)

    def _bindings(self, target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Folded | ast.expr]]:
        """Names of one target, each with its value, or with the source of one that can't be known."""
        match target, value:
            case ast.Name(id=name), _:
                yield name, self.known(value) or value
            case (
                (ast.Tuple(elts=targets) | ast.List(elts=targets)),
                (ast.Tuple(elts=values) | ast.List(elts=values)),
            ) if len(targets) == len(values) and not any(isinstance(e, ast.Starred) for e in (*targets, *values)):
                for each, part in zip(targets, values, strict=True):
                    yield from self._bindings(each, part)
            case _:
                for name in bound(target):
                    yield name, value

    def forget(self, names: frozenset[str] | set[str], line: int, source: ast.AST | str) -> None:
        """These names can't be known from here on, as `source` in that line binds or changes them."""
        if EVERYTHING in names:
            names = {*names, "revision", "down_revision", *self.values}
        elif STAR_IMPORT in names:
            # It may bring ids where none are written; that it replaces those that are has not been seen in the wild.
            names = names | ({"revision", "down_revision"} - self.values.keys())
        for name in names - {EVERYTHING, STAR_IMPORT}:
            self.values.pop(name, None)
            self.unknown[name] = (line, source)

    def known(self, node: ast.expr) -> Folded | None:
        """The value of an expression; `None` where it is not made of literals and names that are known here."""
        try:
            return self._fold(node)
        except (_NotLiteral, RecursionError):
            return None

    def _fold(self, node: ast.expr) -> Folded:
        found: Held
        parts: list[tuple[str, ast.expr]] = []
        match node:
            case ast.Constant(value=None):
                found = None
            case ast.Constant(value=str(found)):
                pass
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                strings = self._strings(elements, parts)
                found = strings if isinstance(node, ast.List) else tuple(strings)
            case ast.Name(id=name) if name in self.values and not isinstance(self.values[name].value, list):
                # A list under two names may be changed through either one.
                found = self.values[name].value
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                first, second = self._fold(left), self._fold(right)
                found = _sum(first.value, second.value)
                parts += [*first.parts, *second.parts]
            case ast.JoinedStr(values=pieces):
                found = "".join(self._strings([_unformatted(piece) for piece in pieces], parts))
            case _:
                raise _NotLiteral
        if found is not None and len(found) > _MAX_VALUE_LENGTH:
            raise _NotLiteral
        return Folded(found, node, ((found, node),) if isinstance(found, str) else tuple(parts))

    def _strings(self, nodes: list[ast.expr], parts: list[tuple[str, ast.expr]]) -> list[str]:
        found = []
        for node in nodes:
            known = self._fold(node)
            if not isinstance(known.value, str):
                raise _NotLiteral
            found.append(known.value)
            parts += known.parts
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


def bound(root: ast.AST) -> set[str]:
    """Names that running a statement, target or expression may bind or change in module scope.

    `EVERYTHING` stands for any name, `STAR_IMPORT` for those of another module.
    """
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
            return {STAR_IMPORT}
        case ast.alias(name=name, asname=asname):
            return {(asname or name).split(".")[0]}
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in MUTATORS:
            return {name}
        case (
            ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            return {name}
        case ast.Call(func=ast.Name(id=name)) if name in BACK_DOORS:
            return {EVERYTHING}
    return set()


WORD = re.compile(r"[A-Za-z_]\w*")


def names_used(node: ast.AST, *, quoted: bool = False) -> set[str]:
    """Names of the module that this looks up; with `quoted`, those in strings as well, as annotations have them."""
    found: set[str] = set()
    local: set[str] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Load()):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                local.add(name)
            case ast.Constant(value=str(text)) if quoted:
                found |= set(WORD.findall(text))
            case _:
                pass
    return found - local if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else found


def _run_with(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that run at its place, in module scope."""
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


def read(module: ast.Module, *, may_hold_global: bool) -> Declared:
    """What a module declares; `may_hold_global`: whether a function of it may bind names of the module."""
    doc, revises = docstring(ast.get_docstring(module, clean=False) or "")
    return declared(Scope(module, may_hold_global=may_hold_global), doc, revises)


def declared(scope: Scope, doc: str, revises: tuple[str, ...] | None) -> Declared:
    """The four names as Alembic would take them from a module that ends with this scope."""
    # Only these are shown: a block that binds thousands of names would be written out for each of them.
    unknown = {name: scope.unknown[name] for name in NAMES if name in scope.unknown}
    dynamic = {name: Dynamic(name, line, _shown(source)) for name, (line, source) in unknown.items()}
    values = {name: scope.values[name].value for name in NAMES if name in scope.values}
    id_ = values.get("revision")
    if "revision" in values and not isinstance(id_, str):
        dynamic["revision"] = Dynamic("revision", 0, f"{id_!r:.80}")
    labels = tuple(filter(None, _tuple(values.get("branch_labels"))))
    if "branch_labels" in dynamic:
        labels = (dynamic["branch_labels"].text,)
    return Declared(
        revision=id_ if isinstance(id_, str) else None,
        parents=_tuple(values["down_revision"]) if "down_revision" in values else None,
        depends_on=tuple(filter(None, _tuple(values.get("depends_on")))),
        branch_labels=labels,
        doc=doc,
        revises=revises,
        dynamic=tuple(dynamic[name] for name in NAMES if name in dynamic),
    )


def _tuple(value: Held) -> tuple[str, ...]:
    """A declared value as Alembic's `to_tuple` sees it."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _shown(source: ast.AST | str) -> str:
    return (unparsed(source) if isinstance(source, ast.AST) else " ".join(source.split()))[:80]


# Python ends a line at these three only; str.splitlines would also split at a form feed.
NEWLINE = re.compile(r"\r\n|\r|\n")
LINE_START = r"(?:^|(?<=[\r\n]))"


class Lines:
    """The lines of one text without a byte order mark; `starts` are the indexes of their first characters."""

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


class Element(NamedTuple):
    """One id inside a value, and its span in the text, in characters."""

    value: str
    start: int
    end: int


class Declaration(NamedTuple):
    """The last plain assignment of a name at the top level; `start` and `end` of its value are in characters.

    `form` is `Tuple` or `List` where the value is written as one, else the name of another expression; `elements` are
    its ids with their places, as far as each has its own. `annotation` is source, empty for none. `computed` says why
    the value can't be known without running the file, empty when it can.
    """

    name: str
    line: int
    start: int
    end: int
    value: str | tuple[str, ...] | None
    form: str
    elements: tuple[Element, ...]
    annotation: str
    computed: str

    @property
    def ids(self) -> tuple[str, ...]:
        """The value as a tuple; nothing, `None` and the empty string are all empty."""
        if isinstance(self.value, tuple):
            return self.value
        return (self.value,) if self.value else ()


def declarations(scope: Scope, lines: Lines) -> dict[str, Declaration]:
    """Every name that is assigned at the top level of a text with these lines."""
    found = {}
    for name, (line, value, annotation) in scope.assigned.items():
        known, computed = scope.values.get(name), ""
        if known is None or known.source is not value:
            known, computed = None, _reason(value, scope.unknown.get(name, (0, ""))[1])
        held = known.value if known is not None else None
        found[name] = Declaration(
            name,
            line,
            *lines.span(value),
            tuple(held) if isinstance(held, list) else held,
            type(value).__name__,
            tuple(Element(text, *lines.span(node)) for text, node in (known.parts if known is not None else ())),
            "" if annotation is None else lines.text[slice(*lines.span(annotation))],
            computed,
        )
    return found


def _reason(value: ast.expr, source: ast.AST | str) -> str:
    if source is value:
        return f"its value is computed by `{_shown(value)}`"
    if isinstance(source, ast.Import | ast.ImportFrom):
        return "an import binds it again"
    return "it is also bound or changed elsewhere in the file"


# The patterns below are compiled by the few files that need them.
_NAME = r"(revision|down_revision|branch_labels|depends_on)"
_ASSIGNMENT = rf"{LINE_START}{_NAME}[ \t]*(?::[^=\r\n]*)?=(?!=)"
_OTHER_USE = rf"{LINE_START}(?:{_NAME}\b[ \t]*(?![ \t:=])[^\s]|[ \t]+{_NAME}[ \t]*=(?!=))"
"""A name changed in place (`+=`, a method, unpacking), or bound inside an indented block."""
_GLOBAL = rf"{LINE_START}[ \t]+global[ \t]+(?:\w+[ \t]*,[ \t]*){{0,16}}{_NAME}\b"
_ABOVE = r"\s*(?:\#[^\r\n]*[\r\n]\s*)*"
_MAX_ABOVE = 64 * 1024
"""Characters above the docstring."""
_ANY_DOCSTRING = r"""(?s)[rRuU]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})"""
_UNSEEN = r"\bexec\(|\bglobals\(|\bsetattr\(|\bimport \*"
_FIRST_BLOCK = LINE_START + r"(?:def|async|class|@)"
_STRING = (
    r"(?P<comment>#[^\r\n]*)"
    # What is never closed ends with its line or with the text; looking again behind it would take quadratic time.
    r"|(?P<block>[A-Za-z]{0,2}(?P<triple>\"\"\"|''')(?>(?:\\[\s\S]|(?!(?P=triple))[^\\])*)(?:(?P=triple))?)"
    r"|\"(?>(?:\\.|[^\"\\\r\n])*)\"?|'(?>(?:\\.|[^'\\\r\n])*)'?"
)
_MAX_STATEMENT_LENGTH = 16 * 1024
_MAX_LINES = 40


def read_lines(data: bytes) -> Declared:
    """Read a file that this Python can't parse by its lines: Python 2, newer syntax, something broken, rows of data.

    Of each of the four names, the last assignment at the start of a line is parsed by itself, at its own place, so that
    an edit by it is exact; what may bind the name elsewhere makes it unknown.
    """
    if b"\0" in data:
        return Declared(broken="it holds zero bytes, so it is not text that Python reads")
    text = _decoded(data)
    conflict = conflict_line(text)
    if conflict:
        return Declared(broken=IN_CONFLICT, line=conflict)
    found = _docstring_in(text)
    too_much = too_large(data)
    if too_much and not _is_beyond_doubt(text, found.end() if found else 0):
        return Declared(broken=f"{too_much}, and its header is not plain")
    scope = scanned(text)
    if not scope.values and not scope.unknown:
        line, reason = _why_not_python(data)
        return Declared(broken=reason, line=line)
    doc, revises = docstring((found[1] or found[2] or "") if found else "")
    return declared(scope, doc, revises)


def blocks_in(text: str) -> list[tuple[int, int]]:
    """Spans of the strings in triple quotes; none for a text that is too large to be parsed."""
    if len(text) > MAX_BYTES:
        return []
    return [found.span() for found in re.finditer(_STRING, text) if found["block"]]


def _docstring_in(text: str) -> re.Match[str] | None:
    above = re.compile(_ABOVE).match(text, 0, _MAX_ABOVE)
    return re.compile(_ANY_DOCSTRING).match(text, above.end() if above else 0)


def _is_beyond_doubt(text: str, start: int) -> bool:
    """Whether lines alone are enough of a file that was never parsed, where one of them may be part of a string."""
    times = Counter(match[1] for match in re.compile(_ASSIGNMENT).finditer(text, start))
    once = {times["revision"], times["down_revision"]} == {1} == set(times.values())
    return once and not re.compile(_UNSEEN).search(text, start)


def scanned(text: str) -> Scope:
    """The four names, as far as they are assigned; the nodes of the scope have their places in the text."""
    scope = Scope()
    blocks = blocks_in(text)

    def outside(found: Iterable[re.Match[str]]) -> Iterator[re.Match[str]]:
        for match in found:
            at = bisect_left(blocks, match.start(), key=itemgetter(0)) - 1
            if at < 0 or match.start() >= blocks[at][1]:
                yield match

    opening = _docstring_in(text)
    start = opening.end() if opening else 0
    last = {match[1]: match for match in outside(re.compile(_ASSIGNMENT).finditer(text, start))}
    for name, match in sorted(last.items(), key=lambda item: item[1].start()):
        line = line_number(text, match.start())
        statement = _statement(text, match.start())
        if statement is None:
            scope.forget({name}, line, _first_line(text, match.end()))
        else:
            scope.follow(ast.increment_lineno(statement, line - 1))
    block = re.compile(_FIRST_BLOCK).search(text, start)
    header = re.compile(_OTHER_USE).finditer(text, start, block.start() if block else len(text))
    uses = outside((*header, *re.compile(_GLOBAL).finditer(text, start)))
    others = {match[match.lastindex or 1]: match for match in uses}
    for name, match in others.items():
        scope.forget({name}, line_number(text, match.start()), _first_line(text, match.start()))
    return scope


def _first_line(text: str, start: int) -> str:
    return NEWLINE.split(text[start : start + 80], maxsplit=1)[0].strip()


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # never fails, and ids are ASCII in every encoding that it may really be
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _statement(text: str, start: int) -> ast.Module | None:
    """The shortest run of whole lines from `start` that parses."""
    end = start
    for _ in range(_MAX_LINES):
        newline = NEWLINE.search(text, end)
        end = newline.end() if newline else len(text)
        if end - start > _MAX_STATEMENT_LENGTH:
            return None
        found = python(text[start:end])
        if found is not None or newline is None:
            return found
    return None


def _why_not_python(data: bytes) -> tuple[int, str]:
    try:
        parsers.parse(data)
    except SyntaxError as error:
        return error.lineno or 0, f"it is not Python that this version understands ({error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"it can't be parsed as Python ({type(error).__name__})"
    return 0, "it declares no revision"
