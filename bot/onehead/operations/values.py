"""Symbolic values: what an expression of a migration evaluates to, as far as that is known without running it.

A call of something imported is kept as a term (`Made`): `sa.Column("x", sa.Integer())` is a tree of terms, which
`alembic_calls` reads. Nothing is ever called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, dataclass_transform

from onehead.operations.model import Named
from onehead.revisions.parsers import unparsed

MAX_ITEMS = 1024
"""Elements of a folded sequence."""


@dataclass_transform(frozen_default=True)
class Term:
    """A value as its annotated fields, equal to another of its kind with equal fields: `Const("x")` is no `Path("x")`.

    What a dataclass is; the decorators and their module would take a tenth of the time in which a fork is judged.
    """

    __match_args__ = ()
    _compared: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.__match_args__ = tuple(cls.__annotations__)  # type: ignore[misc, assignment]  # mypy derives it
        if "_compared" not in vars(cls):
            cls._compared = cls.__match_args__

    def __init__(self, *args: object, **keywords: object) -> None:
        vars(self).update(zip(self.__match_args__, args, strict=False), **keywords)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in self._compared)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self._compared)))


class Const(Term):
    """A plain value."""

    value: str | int | float | bytes | bool | None


class Items(Term):
    """A tuple, list or set whose elements are known one by one."""

    items: tuple[Value, ...]


class Pairs(Term):
    """A dict with plain keys; `complete` when nothing is spread into it."""

    pairs: tuple[tuple[str, Value], ...]
    complete: bool = True


class Path(Term):
    """Something imported: `alembic.op.create_table`."""

    name: str

    @property
    def last(self) -> str:
        """The name by itself."""
        return self.name.rpartition(".")[2]


class Attr(Term):
    """An attribute of something."""

    of: Value
    name: str


class Made(Term):
    """The result of a call that nothing is known to do by itself; `open`: more may be passed than is known."""

    by: Value
    args: tuple[Value, ...]
    keywords: Mapping[str, Value]
    open: bool
    node: ast.Call

    _compared = ("by", "args", "keywords", "open")

    @property
    def last(self) -> str:
        """The last name of what is called; empty where it has none."""
        match self.by:
            case Path(last=name) | Attr(name=name):
                return name
        return ""

    def get(self, index: int, name: str) -> Value | None:
        """An argument, by its place or its name."""
        if name in self.keywords:
            return self.keywords[name]
        return self.args[index] if 0 <= index < len(self.args) else None

    def says(self, name: str) -> bool:
        """Whether a keyword is plainly `True`."""
        return plain(self.keywords.get(name)) is True


class Function(Term):
    """A function of the file itself."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Choice(Term):
    """A class of the file that lists plain values: the labels of an enum."""

    labels: tuple[str, ...]


class BatchOp(Term):
    """What `op.batch_alter_table(...)` gives: its methods are operations on one table."""

    table: Named


class Opaque(Term):
    """Something that can't be known."""

    node: ast.AST | None = None

    _compared = ()


Value = Const | Items | Pairs | Path | Attr | Made | Function | Choice | BatchOp | Opaque


def root(value: Value) -> Value:
    """What a chain of attributes and calls begins with."""
    while True:
        match value:
            case Attr(of=of) | Made(by=Attr(of=of)):
                value = of
            case _:
                return value


def plain(value: Value | None) -> object:
    """A plain value; `...` for any other, and for none."""
    return value.value if isinstance(value, Const) else ...


_WRAPPERS = ("f", "text", "quoted_name", "DDL", "literal_column", "dedent", "cleandoc")
"""What gives the text that it is given, but for white space."""


def text(value: Value | None) -> str | None:
    """A string, also one that is wrapped as `op.f("x")`, `sa.text("x")` or `quoted_name("x", True)`."""
    match value:
        case Const(value=str(found)):
            return found
        case Made(args=(first, *_)) as made if made.last in _WRAPPERS:
            return text(first)
        case Made(by=Attr(of=of, name="bindparams" | "execution_options" | "columns")):
            return text(of)
    return None


def strings(value: Value | None) -> tuple[str, ...] | None:
    """A sequence of strings, or one string alone; `None` where it is anything else."""
    match value:
        case Const(value=str(found)):
            return (found,)
        case Items(items=items):
            found_items = [text(item) for item in items]
            return None if None in found_items else tuple(item for item in found_items if item is not None)
    return None


def source(value: Value | None) -> str:
    """The source of a value, in one line, without the names of modules."""
    match value:
        case Const(value=found):
            return str(found)
        case Path(last=name):
            return name
        case Made(by=Path(name="alembic.op.f" | "sqlalchemy.text"), args=(Const(value=str(found)),)):
            return found
        case Made(node=node) | Opaque(node=ast.AST() as node):
            return _MODULES.sub("", unparsed(node))
        case Items(items=items):
            return ", ".join(source(item) for item in items[:16])
        case Attr(of=of, name=name):
            return f"{source(of)}.{name}"
    return ""


_MODULES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])")


def names(value: Value | None) -> Iterator[str]:
    """Attribute names and the names of tables and columns within a term: what a statement may read."""
    todo = [value]
    while todo:
        match each := todo.pop():
            case Attr(of=of, name=name):
                yield name
                todo.append(of)
            case Made(by=by, args=args, keywords=keywords) as made:
                if isinstance(by, Path) and ".func." in by.name:
                    yield f"{by.last}()"
                if made.last in ("column", "Column", "table", "Table") and (known := text(made.get(0, "name"))):
                    yield known
                    continue  # the columns that a table is declared with are not yet a use of them
                todo += [by.of if isinstance(by, Attr) else by, *args, *keywords.values()]
            case Opaque(node=ast.AST() as node):
                yield from _written(node)
            case _:
                todo += _parts(each)


def _written(node: ast.AST) -> Iterator[str]:
    """The attributes and strings in an expression, such as `users.c.id == "x"`, that is kept as it is written."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            yield each.attr
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def literals(value: Value | None) -> Iterator[str]:
    """Plain strings within a term."""
    todo = [value]
    while todo:
        match each := todo.pop():
            case Const(value=str(found)):
                yield found
            case Opaque(node=ast.AST() as node):
                yield from _written(node)
            case _:
                todo += _parts(each)


def _parts(value: Value | None) -> Iterable[Value]:
    match value:
        case Attr(of=of):
            return (of,)
        case Made(by=by, args=args, keywords=keywords):
            return (by, *args, *keywords.values())
        case Items(items=items):
            return items
        case Pairs(pairs=pairs):
            return [each for _, each in pairs]
    return ()


MAX_TEXT = 64 * 1024
"""Characters of a folded string; doubling `x = x + x` a few dozen times would fill the memory."""

_FIELD = re.compile(r"%(?:\((\w+)\))?[sd]|%%|\{(\w*)\}|\{\{|\}\}")


def folded(written: str) -> Value | None:
    """A string, where it is short enough to be one that somebody wrote."""
    return Const(written) if len(written) <= MAX_TEXT else None


def combined(left: Value, operator: ast.operator, right: Value) -> Value | None:
    """`+` and `%` of plain values."""
    match left, operator, right:
        case Const(value=str(first)), ast.Add(), Const(value=str(second)):
            return folded(first + second)
        case Items(items=some), ast.Add(), Items(items=more) if len(some) + len(more) <= MAX_ITEMS:
            return Items(some + more)
        case Const(value=str(pattern)), ast.Mod(), _ if "{" not in pattern:
            given = right.items if isinstance(right, Items) else (right,)
            return filled(pattern, given, dict(right.pairs) if isinstance(right, Pairs) else {})
    return None


def formatted(origin: Const, name: str, made: Made) -> Value | None:
    """`"...".format(...)`, and the few methods of strings that name things."""
    match origin.value, name:
        case str(pattern), "format" if "%" not in pattern:
            return filled(pattern, made.args, made.keywords)
        case str(found), "strip" | "lower" | "upper" if not made.args:
            return folded(getattr(found, name)())
        case str(separator), "join" if made.args:
            parts = strings(made.args[0])
            if parts is not None and isinstance(made.args[0], Items):
                return folded(separator.join(parts))
    return None


def filled(pattern: str, args: tuple[Value, ...], keywords: Mapping[str, Value]) -> Value | None:
    """A pattern with its plain fields filled in; `None` where one is anything but plain."""
    rest = list(args)
    known = True

    def fill(field: re.Match[str]) -> str:
        nonlocal known
        if field.group() in ("%%", "{{", "}}"):
            return field.group()[0]
        name = field[1] or field[2] or ""
        if name.isdecimal():
            found = plain(args[int(name)] if int(name) < len(args) else None)
        else:
            found = plain(keywords.get(name) if name else rest.pop(0) if rest else None)
        known = known and isinstance(found, str | int)
        return str(found)

    if set("%{") & set(_FIELD.sub("", pattern)):
        return None
    filled = _FIELD.sub(fill, pattern)
    return folded(filled) if known else None


def item(of: Value, place: Value) -> Value | None:
    """`of[place]`."""
    match of, place:
        case Items(items=items), Const(value=int(at)) if -len(items) <= at < len(items):
            return items[at]
        case Pairs(pairs=pairs, complete=True), Const(value=str(key)):
            return dict(pairs).get(key)
    return None
