"""Interpret `upgrade()` without running it: follow statements, expressions and calls, and collect operations."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from typing import Literal

from onehead.operations import alembic_calls
from onehead.operations.model import AddColumn, Batch, Operation, Step, Unknown
from onehead.operations.values import (
    MAX_ITEMS,
    Attr,
    BatchOp,
    Choice,
    Const,
    Function,
    Items,
    Made,
    Opaque,
    Pairs,
    Path,
    Value,
    combined,
    folded,
    formatted,
    item,
    plain,
    root,
    text,
)
from onehead.revisions.parsers import spend, unparsed
from onehead.revisions.syntax import BACK_DOORS, MUTATORS

MAX_WORK = 200_000
"""Pieces of syntax that are looked at in one file, rounds of loops and calls of its functions included."""

MAX_STEPS = 5_000
"""Operations of one file."""

_NAMES_PER_WORK = 16
"""Names that are copied and compared in the time that one piece of syntax takes."""

MAX_DEPTH = 12
"""Functions of the file that call each other."""

AUTOCOMMIT = Path("autocommit_block")

_OP = "alembic.op."
_HARMLESS = frozenset(
    (
        *("sqlalchemy", "sqlmodel", "sqlalchemy_utils", "geoalchemy2", "pgvector", "alembic", "builtins"),
        *("datetime", "uuid", "json", "logging", "re", "os", "sys", "typing", "enum", "string", "random"),
        *("secrets", "hashlib", "time", "itertools", "collections", "functools", "warnings", "decimal"),
        *("textwrap", "math", "pathlib", "contextlib", "pytz", "dateutil", "zoneinfo", "structlog"),
    )
)
_ABOUT_NOTHING = ("get_bind", "get_context", "inline_literal", "f", "implementation_for")
"""What `op`, and `batch_op` too, has beside operations."""
_SESSIONS = ("Session", "sessionmaker", "scoped_session", "create_session", "AsyncSession")
_COMPUTES = (*BACK_DOORS, "compile", "__import__", "getattr")
_EXECUTES = ("execute", "exec_driver_sql", "scalar", "scalars", "executemany")
_REACHES_FAR = ("create_all", "drop_all", "run_sync", "invoke", "run_callable")
_CHANGES = (*MUTATORS, "update", "add", "setdefault")
_READS = frozenset(
    (
        *("get", "items", "keys", "values", "strip", "lower", "upper", "split", "join", "format", "replace"),
        *("startswith", "endswith", "encode", "decode", "isoformat", "fetchall", "fetchone", "fetchmany"),
        *("first", "all", "one", "one_or_none", "scalar_one", "mappings", "debug", "info", "warning"),
        *("error", "index", "count", "copy", "hex", "total_seconds", "close"),
    )
) | set(_CHANGES)


class BlockEnd(Exception):
    """A block of statements ends here, with a `return`, a `raise`, or in a loop."""

    def __init__(self, value: Value, kind: Literal["return", "raise", "break", "continue"]) -> None:
        super().__init__()
        self.value = value
        self.kind = kind


class TooMuch(Exception):
    """The file is larger, as running it goes, than anybody writes by hand; what was read so far counts."""


class Evaluation:
    """The state of reading one file: the values of its names here, and the operations so far.

    `condition` is the source of what this place depends on, `left` of what may have ended the function before.
    `repeated`: inside a loop whose rounds are not known. `recreates`: SQLite makes the table of the batch around this
    place anew. `silent`: operations are not noted, as the module itself is read. `multidb`: `upgrade()` takes the name
    of an engine. `quiet` counts the calls of operations that are being read: what is unknown in their arguments is
    theirs to tell.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.names: dict[str, Value] = {}
        self.condition = ""
        self.left = ""
        self.repeated = False
        self.autocommit = False
        self.silent = False
        self.multidb = False
        self.recreates = False
        self.engine = ""
        self.quiet = 0
        self._work = 0
        self._inside: list[ast.AST] = []

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Follow statements in order; raises `BlockEnd` where they end before the last one."""
        raise NotImplementedError

    def spend(self, work: int = 1) -> None:
        """Count pieces of work; raises `TooMuch` where they are too many for a file, `Spent` for the examination."""
        self._work += work
        spend(work)
        if self._work > MAX_WORK or len(self.steps) > MAX_STEPS:
            raise TooMuch

    def emit(self, operation: Operation, node: ast.AST, call: str) -> None:
        """Note one operation under the conditions of this place."""
        if self.silent or (self.quiet and isinstance(operation, Unknown)):
            return
        line, condition = getattr(node, "lineno", 1), self.condition or self.left
        self.steps.append(Step(operation, line, call, self.engine, condition, self.repeated, self.autocommit))

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
        """The value of an expression; the operations in it are noted."""
        self.spend()
        found_value: Value
        match node:
            case ast.Constant(value=str() | int() | float() | bytes() | None as found):
                found_value = Const(found)
            case ast.Name(id=name):
                # A name that nothing binds may come from an `import *`: it is from outside the file.
                origin = "builtins" if hasattr(builtins, name) else "*"
                found_value = self.names.get(name) or Path(f"{origin}.{name}")
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
        """Values of elements or arguments; whether some that are starred are unknown."""
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
        texts: list[object] = []
        for part in parts:
            if isinstance(part, ast.FormattedValue):
                found = self.value(part.value)
                is_number = isinstance(found, Const) and isinstance(found.value, int | float)
                written = str(plain(found)) if is_number else text(found)
                texts.append(written if part.format_spec is None and part.conversion == -1 else None)
            else:
                texts.append(plain(self.value(part)))
        known = [each for each in texts if isinstance(each, str)]
        return folded("".join(known)) if len(known) == len(texts) else None

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

    # -- calls --------------------------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Value:
        """What a call gives; what it does is noted."""
        match node.func:
            case (
                ast.Subscript(value=ast.Call(func=ast.Name(id="globals" | "locals")))
                | ast.Call(func=ast.Name(id="eval" | "getattr"))
            ):
                return self._every_engine(node)
        by = self.value(node.func)
        schema = isinstance(by, Path) and (
            (by.name.startswith(_OP) and by.last not in ("execute", "bulk_insert")) or by.name.startswith("sqlalchemy.")
        )
        self.quiet += schema or isinstance(by, BatchOp)
        args, is_open = self.elements(node.args)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Pairs):
                keywords.update(value.pairs)
                is_open = is_open or not value.complete
            else:
                is_open = True
        self.quiet -= schema or isinstance(by, BatchOp)
        if not isinstance(by, Function):
            for value in (*args, *keywords.values()):
                self._handed_on(value, node)
        return self._called(Made(by, tuple(args), keywords, is_open, node))

    def _handed_on(self, value: Value, node: ast.Call) -> None:
        """A function that is passed on may be called there, any number of times."""
        if isinstance(value, BatchOp) or (isinstance(value, Path) and f"{value.name}.".startswith(_OP)):
            self.emit(Unknown("an operation that is handed on", unparsed(node)[:80]), node, "")
        elif isinstance(value, Function):
            repeated, self.repeated = self.repeated, True
            if isinstance(value.node, ast.Lambda):
                names = self.copied(self.names)
                for parameter in value.node.args.args:
                    self.names[parameter.arg] = Opaque(parameter)
                self.value(value.node.body)
                self.names = names
            else:
                self.enter(value.node, (), {})
            self.repeated = repeated

    def _called(self, made: Made) -> Value:
        match made.by:
            case Function(node=ast.Lambda()):
                self._unknown("a lambda that it calls", made, made.last)
            case Function(node=ast.FunctionDef() | ast.AsyncFunctionDef() as function):
                return self.enter(function, made.args, made.keywords)
            case Path(name=name) if name.startswith(_OP):
                return self._operation(name.removeprefix(_OP), made)
            case Path() as path:
                return self._imported(path, made)
            case Attr(of=BatchOp(), name=name) if name in _ABOUT_NOTHING:
                return self._operation(name, made)
            case Attr(of=BatchOp(table=table), name=name):
                self._note(name, alembic_calls.Call(made, table), f"batch_op.{name}")
            case Attr(of=of, name=name):
                return self._method(of, name, made)
            case _:
                self._unknown("a call of something computed", made)
        return made

    def _unknown(self, why: str, made: Made, call: str = "") -> None:
        self.emit(alembic_calls.unknown(why, made), made.node, call)

    def _note(self, name: str, call: alembic_calls.Call, written: str) -> None:
        for operation in alembic_calls.operations(name, call):
            self.emit(operation, call.made.node, written)
            if call.batch is not None:
                column = call.made.get(0, "column")
                default = column.keywords.get("server_default") if isinstance(column, Made) else None
                plain_add = isinstance(operation, AddColumn) and not isinstance(default, Made)
                self.recreates |= not plain_add and name not in alembic_calls.WITHOUT_RECREATION[1:]

    def _operation(self, name: str, made: Made) -> Value:
        match name, made.args:
            case "f", (Const(value=str()) as found, *_):
                return found
            case "batch_alter_table", _:
                self._unknown("a batch that is not opened by `with`", made, "op.batch_alter_table")
            case _ if name not in _ABOUT_NOTHING:
                self._note(name, alembic_calls.Call(made, None), f"op.{name}")
        return made

    def _imported(self, path: Path, made: Made) -> Value:
        package, name = path.name.partition(".")[0], path.last
        if path.name.startswith("builtins.") and name in ("list", "tuple", "set", "reversed", "frozenset"):
            # The order of the elements is not our business.
            return made.args[0] if len(made.args) == 1 and isinstance(made.args[0], Items) else made
        if path.name.startswith("builtins.") and name in _COMPUTES:
            self._unknown(f"`{name}`", made, name)
        elif name in _SESSIONS and package in ("sqlalchemy", "sqlmodel"):
            self._unknown("the ORM: what is done in a session", made, name)
        elif path.name == "alembic.context.execute":
            self._executed(made, "context.execute")
        elif package not in _HARMLESS:
            self._unknown(f"`{name}`, which is outside this file", made, name)
        return made

    def _method(self, of: Value, name: str, made: Made) -> Value:
        origin, call = root(of), made.node
        if isinstance(origin, Const):
            return formatted(origin, name, made) or made
        if isinstance(of, Made) and of.last in alembic_calls.ENUMS and name in ("create", "drop"):
            operation = alembic_calls.enum_operation(of, name, made)
            if operation is not None:
                self.emit(operation, call, f"Enum.{name}")
        elif isinstance(of, Made) and name in ("create", "drop") and (table := alembic_calls.table_name(of)):
            self.emit(alembic_calls.table_operation(of, table, name, made), call, f"Table.{name}")
        elif name in _EXECUTES:
            self._executed(made, name)
        elif name == "begin_transaction" or (name in ("begin", "begin_nested", "connect") and isinstance(origin, Made)):
            pass
        elif name in _REACHES_FAR or not _is_harmless(origin, name) or _may_change(origin, name):
            self._unknown("a call of something computed", made, name)
        elif name in _CHANGES and isinstance(of, Items | Pairs) and isinstance(call.func, ast.Attribute):
            self.bind(call.func.value, Opaque(call))
        return made

    def _executed(self, made: Made, written: str) -> None:
        for operation in alembic_calls.executed(made.get(0, "statement"), made):
            self.emit(operation, made.node, written)

    def _every_engine(self, node: ast.Call) -> Value:
        """`globals()["upgrade_%s" % engine_name]()` runs the function of each engine."""
        functions = [
            value.node
            for name, value in self.names.items()
            if name.startswith("upgrade_") and isinstance(value, Function) and isinstance(value.node, ast.FunctionDef)
        ]
        if "upgrade_" not in unparsed(node.func) or not functions:
            self.emit(Unknown("a function that is chosen when it runs", unparsed(node)[:80]), node, "")
        for function in functions:
            self.enter(function, (), {})
        return Opaque(node)

    def enter(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, args: tuple[Value, ...], keywords: Mapping[str, Value]
    ) -> Value:
        """Follow a function of the file where it is called; what it returns."""
        if self.silent:
            return Opaque(node)
        name, given = node.name, node.args
        if node in self._inside or len(self._inside) >= MAX_DEPTH or node.decorator_list:
            self.emit(Unknown("a function that can't be followed", name, frozenset({name})), node, name)
            return Opaque(node)
        outer = self.names, self.left, self.engine
        if self.multidb and name.startswith("upgrade_"):
            self.engine = name.removeprefix("upgrade_")
        self.names = self.copied(self.names)
        by_place = [*given.posonlyargs, *given.args]
        without = [None] * (len(by_place) - len(given.defaults))
        defaults = (*without, *given.defaults, *given.kw_defaults)
        for at, (parameter, default) in enumerate(zip([*by_place, *given.kwonlyargs], defaults, strict=True)):
            passed = keywords.get(parameter.arg, args[at] if at < min(len(args), len(by_place)) else None)
            self.names[parameter.arg] = passed or (Opaque(parameter) if default is None else self.value(default))
        for rest in filter(None, (given.vararg, given.kwarg)):
            self.names[rest.arg] = Opaque(rest)
        self._inside.append(node)
        try:
            self.block(node.body)
        except BlockEnd as end:
            if end.kind == "raise":
                self.emit(Unknown("an error that it raises itself", unparsed(node.body[-1])[:80]), node, name)
            return end.value
        finally:
            self._inside.pop()
            self.names, self.left, self.engine = outer
        return Const(None)

    def entered(self, node: ast.expr) -> Value | Batch:
        """What a `with` opens."""
        if isinstance(node, ast.Call):
            by = self.value(node.func)
            if by == Path(f"{_OP}batch_alter_table"):
                args, is_open = self.elements(node.args)
                keywords = {each.arg: self.value(each.value) for each in node.keywords if each.arg}
                try:
                    return alembic_calls.batch_of(Made(by, tuple(args), keywords, is_open, node))
                except alembic_calls.NotKnown:
                    return Opaque(node)
            if isinstance(by, Attr) and by.name == "autocommit_block":
                return AUTOCOMMIT
        return self.value(node)


def _may_change(origin: Value, name: str) -> bool:
    """Whether a method of a connection, or of something that can be created, does more than to look."""
    if isinstance(origin, Made) and isinstance(origin.by, Path) and origin.by.name.startswith(_OP):
        return not name.startswith(("get_", "has_", "autocommit", "fetch", "scalar", "execution_", "close")) and (
            name not in _READS
        )
    return name in ("create", "drop") and not isinstance(origin, Const | Items | Pairs)


def _is_harmless(origin: Value, name: str) -> bool:
    """Whether calling a method of something is known to leave the database alone."""
    match origin:
        case Made(by=Path() as path):
            return path.name.partition(".")[0] in _HARMLESS and path.last not in _SESSIONS
        case Path() as path:
            return path.name.partition(".")[0] in _HARMLESS
        case Items() | Pairs() | Choice() | Const():
            return True
    return name in _READS
