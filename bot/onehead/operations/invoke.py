"""Calls in a migration: of `op`, of functions of the file, of SQLAlchemy, and of what nobody here knows."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from onehead.operations import calls, rows, shapes
from onehead.operations.evaluate import Evaluation, Stop
from onehead.operations.folding import formatted, sequence
from onehead.operations.operation import AddColumn, Batch, CreateTable, DropTable, Unknown
from onehead.operations.terms import (
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
    plain,
    root,
)
from onehead.revisions.parsers import unparsed

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
_BACK_DOORS = ("exec", "eval", "compile", "__import__", "getattr", "setattr", "globals", "locals", "vars")
_EXECUTES = ("execute", "exec_driver_sql", "scalar", "scalars", "executemany")
_REACHES_FAR = ("create_all", "drop_all", "run_sync", "invoke", "run_callable")
_MUTATORS = ("append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort", "update", "add", "setdefault")
_READS = frozenset(
    (
        *("get", "items", "keys", "values", "strip", "lower", "upper", "split", "join", "format", "replace"),
        *("startswith", "endswith", "encode", "decode", "isoformat", "fetchall", "fetchone", "fetchmany"),
        *("first", "all", "one", "one_or_none", "scalar_one", "mappings", "debug", "info", "warning"),
        *("error", "index", "count", "copy", "hex", "total_seconds", "close"),
    )
) | set(_MUTATORS)


class Calls(Evaluation):
    """`Evaluation` with calls."""

    def __init__(self) -> None:
        super().__init__()
        self._inside: list[ast.AST] = []

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Follow statements in order; raises `Stop` where they end before the last one."""
        raise NotImplementedError

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
        return self._called(Made(by, tuple(args), keywords, is_open, node), node)

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
                self.enter(value.node.name, value.node, (), {})
            self.repeated = repeated

    def _called(self, made: Made, node: ast.Call) -> Value:
        match made.by:
            case Function(node=ast.Lambda()):
                self.emit(calls.unknown("a lambda that it calls", made), node, made.last)
            case Function(node=function) if not isinstance(function, ast.Lambda):
                return self.enter(function.name, function, made.args, made.keywords)
            case Path(name=name) if name.startswith(_OP):
                return self._operation(name.removeprefix(_OP), made, node)
            case Path() as path:
                return self._imported(path, made, node)
            case Attr(of=BatchOp(), name=name) if name in _ABOUT_NOTHING:
                return self._operation(name, made, node)
            case Attr(of=BatchOp(table=table), name=name):
                self._note(name, calls.Call(made, table), node, f"batch_op.{name}")
            case Attr(of=of, name=name):
                return self._method(of, name, made, node)
            case _:
                self.emit(calls.unknown("a call of something computed", made), node, "")
        return made

    def _note(self, name: str, call: calls.Call, node: ast.AST, written: str) -> None:
        for operation in calls.operations(name, call):
            self.emit(operation, node, written)
            if call.batch is not None:
                column = call.made.get(0, "column")
                default = column.keywords.get("server_default") if isinstance(column, Made) else None
                plain_add = isinstance(operation, AddColumn) and not isinstance(default, Made)
                self.recreates |= not plain_add and name not in calls.WITHOUT_RECREATION[1:]

    def _operation(self, name: str, made: Made, node: ast.Call) -> Value:
        if name in _ABOUT_NOTHING:
            return Const(plain(made.args[0])) if name == "f" and _is_text(made.args) else made  # type: ignore[arg-type]
        if name == "batch_alter_table":
            self.emit(calls.unknown("a batch that is not opened by `with`", made), node, "op.batch_alter_table")
            return made
        self._note(name, calls.Call(made, None), node, f"op.{name}")
        return made

    def _imported(self, path: Path, made: Made, node: ast.Call) -> Value:
        package, name = path.name.partition(".")[0], path.last
        if path.name.startswith("builtins.") and name in ("list", "tuple", "set", "sorted", "reversed", "frozenset"):
            return sequence(made) or made
        if path.name.startswith("builtins.") and name in _BACK_DOORS:
            self.emit(calls.unknown(f"`{name}`", made), node, name)
        elif name in _SESSIONS and package in ("sqlalchemy", "sqlmodel"):
            self.emit(calls.unknown("the ORM: what is done in a session", made), node, name)
        elif path.name == "alembic.context.execute":
            self._executed(made, node, "context.execute")
        elif package not in _HARMLESS:
            why = f"`{name}`, which is outside this file"
            self.emit(calls.unknown(why, made), node, name)
        return made

    def _method(self, of: Value, name: str, made: Made, node: ast.Call) -> Value:
        origin = root(of)
        if isinstance(origin, Const):
            return formatted(origin, name, made) or made
        if isinstance(of, Made) and of.last in ("Enum", "ENUM") and name in ("create", "drop"):
            operation = calls.enum_operation(of, name, made)
            if operation is not None:
                self.emit(operation, node, f"Enum.{name}")
        elif isinstance(of, Made) and rows.table_name(of) and name in ("create", "drop"):
            self._table_method(of, name, made, node)
        elif name in _EXECUTES:
            self._executed(made, node, name)
        elif name == "begin_transaction" or (name in ("begin", "begin_nested", "connect") and isinstance(origin, Made)):
            pass
        elif name in _REACHES_FAR or not _is_harmless(origin, name) or _may_change(origin, name):
            self.emit(calls.unknown("a call of something computed", made), node, name)
        elif name in _MUTATORS and isinstance(of, Items | Pairs) and isinstance(node.func, ast.Attribute):
            self.bind(node.func.value, Opaque(node))
        return made

    def _executed(self, made: Made, node: ast.Call, written: str) -> None:
        for operation in calls.executed(made.get(0, "statement"), made):
            self.emit(operation, node, written)

    def _table_method(self, of: Made, name: str, made: Made, node: ast.Call) -> None:
        table = rows.table_name(of)
        if table is None:
            return
        lenient = plain(made.get(1, "checkfirst")) is True
        if name == "drop":
            self.emit(DropTable(table, lenient), node, "Table.drop")
            return
        found = shapes.body(of.args[2:], table)
        complete = found.complete and not of.open
        temporary = shapes.is_temporary(of.keywords.get("prefixes"))
        operation = CreateTable(table, found.columns, found.constraints, found.indexes, lenient, complete, temporary)
        self.emit(operation, node, "Table.create")

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
            self.enter(function.name, function, (), {})
        return Opaque(node)

    def enter(
        self,
        name: str,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        args: tuple[Value, ...],
        keywords: Mapping[str, Value],
    ) -> Value:
        """Follow a function of the file where it is called; what it returns."""
        if self.silent:
            return Opaque(node)
        if node in self._inside or len(self._inside) >= MAX_DEPTH or node.decorator_list:
            self.emit(Unknown("a function that can't be followed", name, frozenset({name})), node, name)
            return Opaque(node)
        outer = self.names, self.left, self.engine
        if self.multidb and name.startswith("upgrade_"):
            self.engine = name.removeprefix("upgrade_")
        parameters = [*node.args.posonlyargs, *node.args.args]
        self.names = self.copied(self.names)
        last = parameters[len(parameters) - len(node.args.defaults) :]
        defaults = {each.arg: value for each, value in zip(last, node.args.defaults, strict=True)}
        defaults |= {
            each.arg: value for each, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value
        }
        for at, parameter in enumerate((*parameters, *node.args.kwonlyargs)):
            default = defaults.get(parameter.arg)
            given = keywords.get(parameter.arg, args[at] if at < len(args) and at < len(parameters) else None)
            self.names[parameter.arg] = given or (Opaque(parameter) if default is None else self.value(default))
        for rest in filter(None, (node.args.vararg, node.args.kwarg)):
            self.names[rest.arg] = Opaque(rest)
        self._inside.append(node)
        try:
            self.block(node.body)
        except Stop as end:
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
                    return calls.batch_of(Made(by, tuple(args), keywords, is_open, node))
                except shapes.Computed:
                    return Opaque(node)
            if isinstance(by, Attr) and by.name == "autocommit_block":
                return AUTOCOMMIT
        return self.value(node)


def _is_text(args: tuple[Value, ...]) -> bool:
    return bool(args) and isinstance(plain(args[0]), str)


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
