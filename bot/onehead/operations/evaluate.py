"""Expressions of a migration, followed for what they stand for and for the operations in them."""

from __future__ import annotations

import ast
import builtins
from typing import Literal

from onehead.operations.folding import combined, folded, item
from onehead.operations.operation import Batch, Named, Operation, Step, Unknown
from onehead.operations.terms import MAX_ITEMS, Attr, Const, Function, Items, Opaque, Pairs, Path, Value, plain, text
from onehead.revisions.parsers import spend, unparsed

MAX_WORK = 200_000
"""Pieces of syntax that are looked at in one file, rounds of loops and calls of its functions included."""

MAX_STEPS = 5_000
"""Operations of one file."""

_NAMES_PER_WORK = 16
"""Names that are copied and compared in the time that one piece of syntax takes."""


class Stop(Exception):
    """A block of statements ends here, with a `return`, a `raise`, or in a loop."""

    def __init__(self, value: Value, kind: Literal["return", "raise", "break", "continue"]) -> None:
        super().__init__()
        self.value = value
        self.kind = kind


class TooMuch(Exception):
    """The file is larger, as running it goes, than anybody writes by hand; what was read so far stands."""


class Evaluation:
    """One file on the way: what its names stand for here, and what it has done so far.

    Attributes:
        steps: the operations so far.
        names: name → what it stands for here.
        condition: source of what this place depends on.
        left: source of what may have ended the function before.
        repeated: inside a loop whose rounds are not known.
        batch: the table of the batch around this place.
        autocommit: inside an `autocommit_block()`.
        silent: operations are not noted: the module itself is read.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.names: dict[str, Value] = {}
        self.condition = ""
        self.left = ""
        self.repeated = False
        self.batch: Named | None = None
        self.autocommit = False
        self.silent = False
        self.multidb = False
        self.recreates = False
        self.engine = ""
        self.quiet = 0
        self._work = 0

    def call(self, node: ast.Call) -> Value:
        """What a call gives; what it does is noted."""
        raise NotImplementedError

    def spend(self, work: int = 1) -> None:
        """Count pieces of work.

        Raises:
            TooMuch: they are the last ones.
            Spent: the examination has no more.
        """
        self._work += work
        spend(work)
        if self._work > MAX_WORK or len(self.steps) > MAX_STEPS:
            message = "there is more in this file than is read"
            raise TooMuch(message)

    def emit(self, operation: Operation, node: ast.AST, call: str) -> None:
        """Note one operation as it stands here."""
        if self.silent or (self.quiet and isinstance(operation, Unknown)):
            return
        self.steps.append(
            Step(
                operation,
                getattr(node, "lineno", 1),
                call,
                self.engine,
                self.condition or self.left,
                self.repeated,
                self.batch is not None and not isinstance(operation, Batch),
                self.autocommit,
            )
        )

    # -- names --------------------------------------------------------------------------------------------------

    def copied(self, names: dict[str, Value]) -> dict[str, Value]:
        """Names for a branch or a function that may change them; counted, as a file may have thousands of both."""
        self.spend(1 + len(names) // _NAMES_PER_WORK)
        return dict(names)

    def bind(self, target: ast.expr, value: Value) -> None:
        """Give a target a value."""
        match target:
            case ast.Name(id=name):
                self.names[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                parts: tuple[Value, ...] = (Opaque(target),) * len(targets)
                if isinstance(value, Items) and len(value.items) == len(targets):
                    parts = value.items
                for each, part in zip(targets, parts, strict=True):
                    self.bind(each, part)
            case ast.Starred(value=inner):
                self.bind(inner, Opaque(target))
            case ast.Subscript(value=ast.Name(id=name)) | ast.Attribute(value=ast.Name(id=name)):
                self.names[name] = Opaque(target)

    # -- expressions --------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for; the operations in it are noted."""
        self.spend()
        found_value: Value
        match node:
            case ast.Constant(value=str() | int() | float() | bytes() | None as found):
                found_value = Const(found)
            case ast.Name(id=name):
                # A name that nothing binds may come from an `import *`: it stands outside the file.
                found_value = self.names.get(name) or Path(
                    f"builtins.{name}" if hasattr(builtins, name) else f"*.{name}"
                )
            case ast.Attribute(value=inner, attr=attr):
                of = self.value(inner)
                found_value = Path(f"{of.name}.{attr}") if isinstance(of, Path) else Attr(of, attr)
            case ast.Call():
                found_value = self.call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                found_items, is_open = self.elements(elements)
                found_value = Opaque(node) if is_open or len(found_items) > MAX_ITEMS else Items(tuple(found_items))
            case ast.Dict(keys=keys, values=values):
                found_value = self._dict(keys, values)
            case ast.Lambda():
                found_value = Function(node)
            case ast.Await(value=inner) | ast.Starred(value=inner):
                found_value = self.value(inner)
            case ast.NamedExpr(target=target, value=inner):
                found_value = self.value(inner)
                self.bind(target, found_value)
            case _:
                found_value = self._composed(node)
        return found_value

    def _composed(self, node: ast.expr) -> Value:
        match node:
            case ast.BinOp(left=left, op=operator, right=right):
                return combined(self.value(left), operator, self.value(right)) or Opaque(node)
            case ast.JoinedStr(values=parts):
                return self._joined(parts) or Opaque(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                found = self.value(operand)
                return Const(not found.value) if isinstance(found, Const) else Opaque(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                found = self.value(test)
                if isinstance(found, Const):
                    return self.value(body if found.value else orelse)
                self.maybe(unparsed(test), body, orelse)
            case ast.BoolOp(values=[first, *others]):
                self.value(first)
                self.maybe(unparsed(first), *others)
            case ast.Subscript(value=inner, slice=place):
                return item(self.value(inner), self.value(place)) or Opaque(node)
            case (
                ast.ListComp(elt=element, generators=[generator])
                | ast.GeneratorExp(elt=element, generators=[generator])
                | ast.SetComp(elt=element, generators=[generator])
            ):
                return self._comprehension(element, generator) or Opaque(node)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr | ast.comprehension):
                        self.value(child.iter if isinstance(child, ast.comprehension) else child)
        return Opaque(node)

    def maybe(self, condition: str, *nodes: ast.expr) -> None:
        """Follow expressions of which it depends whether they are looked at."""
        outer = self.condition
        self.condition = outer or condition[:80]
        for node in nodes:
            self.value(node)
        self.condition = outer

    def elements(self, nodes: list[ast.expr]) -> tuple[list[Value], bool]:
        """Values of elements or arguments; whether some that are starred can't be told."""
        found: list[Value] = []
        is_open = False
        for node in nodes:
            value = self.value(node)
            if not isinstance(node, ast.Starred):
                found.append(value)
            elif isinstance(value, Items):
                found += value.items
            else:
                found.append(Opaque(node))
                is_open = True
        return found, is_open

    def _dict(self, keys: list[ast.expr | None], values: list[ast.expr]) -> Value:
        pairs: list[tuple[str, Value]] = []
        complete = True
        for key, each in zip(keys, values, strict=True):
            name, value = None if key is None else plain(self.value(key)), self.value(each)
            if key is None and isinstance(value, Pairs):
                pairs += value.pairs
                complete = complete and value.complete
            elif isinstance(name, str):
                pairs.append((name, value))
            else:
                complete = False
        return Pairs(tuple(pairs), complete and len(pairs) <= MAX_ITEMS)

    def _joined(self, parts: list[ast.expr]) -> Value | None:
        texts: list[str] = []
        known = True
        for part in parts:
            is_field = isinstance(part, ast.FormattedValue)
            found = self.value(part.value if isinstance(part, ast.FormattedValue) else part)
            plainly = not isinstance(part, ast.FormattedValue) or (part.format_spec is None and part.conversion == -1)
            value = text(found) if is_field else plain(found)
            if isinstance(found, Const) and isinstance(found.value, int | float):
                value = str(found.value)
            known = known and plainly and isinstance(value, str)
            texts.append(str(value))
        return folded("".join(texts)) if known else None

    def _comprehension(self, element: ast.expr, generator: ast.comprehension) -> Value | None:
        source = self.value(generator.iter)
        before = self.copied(self.names)
        try:
            if isinstance(source, Items) and not generator.ifs:
                found = []
                for item in source.items:
                    self.bind(generator.target, item)
                    found.append(self.value(element))
                return Items(tuple(found))
            repeated, self.repeated = self.repeated, True
            self.bind(generator.target, Opaque(generator.iter))
            self.value(element)
            self.repeated = repeated
        finally:
            self.names = before
        return None
