"""Bytes of a revision file in, the operations of its `upgrade()` out; and whether two files do the same.

The function is followed statement by statement: names are folded where they are made of constants, loops over constants
are unrolled, functions of the file are read where they are called. What depends on a condition says so; what is not
known is an operation too, `Unknown`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NoReturn

from onehead.operations.interpreter import AUTOCOMMIT, BlockEnd, Evaluation, TooMuch
from onehead.operations.model import Batch, Step, Unknown
from onehead.operations.values import BatchOp, Choice, Const, Function, Items, Opaque, Path, Value
from onehead.revisions.parsers import Spent, python, too_large, unparsed

MAX_ROUNDS = 256
"""A loop over more constants than that is read once, as one whose rounds are not known."""


def read(data: bytes) -> tuple[Step, ...]:
    """What `upgrade()` of a file does (all `upgrade_<engine>()`), in order; never raises, whatever the bytes are."""
    reader = _StatementReader()
    try:
        module = python(data)
        if module is None:
            why = "is too large to be read" if too_large(data) else "can't be read as Python"
            return (unknown_step(f"the file {why}"),)
        reader.module(module)
    except (RecursionError, MemoryError):
        return (unknown_step("the file is nested too deeply to be read"),)
    except Spent:
        reader.steps.append(unknown_step("a file beyond what is read at once"))
    except TooMuch:
        reader.steps.append(unknown_step("there is more in this file than is read"))
    return tuple(reader.steps)


def unknown_step(why: str) -> Step:
    """The one step of a file about which nothing is known."""
    return Step(Unknown(why, "upgrade()"), 1, "upgrade")


class _StatementReader(Evaluation):
    """Follows statements; `Evaluation` follows expressions and calls."""

    def module(self, module: ast.Module) -> None:
        """Read the module for its names, then its `upgrade` for what it does."""
        self.silent = True
        self.block(module.body)
        self.silent = False
        upgrade = self.names.get("upgrade")
        if not isinstance(upgrade, Function) or isinstance(upgrade.node, ast.Lambda):
            self.steps.append(unknown_step("the file has no function `upgrade`"))
            return
        arguments = upgrade.node.args
        self.multidb = bool(arguments.args or arguments.posonlyargs or arguments.vararg or arguments.kwarg)
        self.enter(upgrade.node, (), {})

    def block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.spend()
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=value):
                self.value(value)
            case ast.Assign(targets=targets, value=value):
                found = self.value(value)
                for target in targets:
                    self.bind(target, found)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name) as target, op=operator, value=value):
                sum_ = ast.BinOp(ast.Name(name, ast.Load()), operator, value)
                self.bind(target, self.value(ast.copy_location(sum_, node)))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.names[node.name] = Function(node)
            case ast.ClassDef():
                self.names[node.name] = _class(node)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                self._stop(node)
            case ast.Pass() | ast.Global() | ast.Nonlocal() | ast.AnnAssign():
                pass
            case _:
                self._compound(node)

    def _stop(self, node: ast.Return | ast.Raise | ast.Break | ast.Continue) -> NoReturn:
        match node:
            case ast.Return(value=value):
                raise BlockEnd(self.value(value) if value else Const(None), "return")
            case ast.Raise():
                raise BlockEnd(Opaque(node), "raise")
        raise BlockEnd(Opaque(node), "break" if isinstance(node, ast.Break) else "continue")

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                self._if(test, body, orelse)
            case ast.For() | ast.AsyncFor():
                self._for(node)
            case ast.While(test=test, body=body, orelse=orelse):
                self.value(test)
                self._repeated(body)
                self.block(orelse)
            case ast.With() | ast.AsyncWith():
                self._with(node.items, node.body)
            case ast.Try() | ast.TryStar():
                self._branches(
                    [(node.body, "no error before"), *((each.body, "an error before") for each in node.handlers)]
                )
                self.block(node.orelse)
                self.block(node.finalbody)
            case ast.Match(subject=subject, cases=cases):
                self.value(subject)
                self._branches([(each.body, f"match {unparsed(subject)}") for each in cases])
            case _:
                for name in (each for each in ast.walk(node) if isinstance(each, ast.Name)):
                    self.spend()
                    self.names[name.id] = Opaque(node)

    def _if(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        found = self.value(test)
        if isinstance(found, Const):
            self.block(body if found.value else orelse)
            return
        condition = unparsed(test)[:80]
        self._branches([(body, condition), (orelse, f"not ({condition})")])

    def _branches(self, branches: list[tuple[list[ast.stmt], str]]) -> None:
        """Follow each as one that may or may not be taken; afterwards only what is sure in all is known."""
        before, outside = self.copied(self.names), self.condition
        after: list[dict[str, Value]] = []
        end = BlockEnd(Opaque(), "raise")
        for body, condition in branches:
            self.names = self.copied(before)
            self.condition = f"{outside} and {condition}" if outside else condition
            try:
                self.block(body)
                after.append(self.names)
            except BlockEnd as stop:
                # What follows a `raise` that may come never runs in an upgrade that succeeds.
                if stop.kind != "raise":
                    end, self.left = stop, f"not ({condition})"
        self.condition = outside
        if not after:
            raise end
        first, *rest = after
        self.names = {name: Opaque() for other in rest for name in other}
        for name, value in first.items():
            self.names[name] = value if all(other.get(name) == value for other in rest) else Opaque()

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        found = self.value(node.iter)
        if isinstance(found, Items) and len(found.items) <= MAX_ROUNDS:
            for item in found.items:
                self.bind(node.target, item)
                try:
                    self.block(node.body)
                except BlockEnd as stop:
                    if stop.kind in ("return", "raise"):
                        raise
                    if stop.kind == "break":
                        break
        else:
            self.bind(node.target, Opaque(node.iter))
            self._repeated(node.body)
        self.block(node.orelse)

    def _repeated(self, body: list[ast.stmt]) -> None:
        before = self.repeated
        self.repeated = True
        # What a round changes, the next one sees: only what no round assigns is known inside.
        for each in (inner for statement in body for inner in ast.walk(statement)):
            self.spend()
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                self.names[each.id] = Opaque(each)
        try:
            self._branches([(body, "a round of the loop"), ([], "")])
        finally:
            self.repeated = before

    def _with(self, items: list[ast.withitem], body: list[ast.stmt]) -> None:
        outer = self.autocommit, self.recreates
        self.recreates = False
        opened: list[int] = []
        for item in items:
            found = self.entered(item.context_expr)
            if isinstance(found, Batch):
                opened.append(len(self.steps))
                self.emit(found, item.context_expr, "op.batch_alter_table")
            elif found == AUTOCOMMIT:
                self.autocommit = True
            if item.optional_vars is not None:
                self.bind(item.optional_vars, BatchOp(found.table) if isinstance(found, Batch) else found)
        try:
            self.block(body)
        finally:
            for at in opened:  # at the end it shows whether SQLite makes the table anew
                step = self.steps[at] if at < len(self.steps) else None
                if step is not None and isinstance(step.does, Batch) and step.does.recreate == "auto":
                    self.steps[at] = step._replace(does=step.does._replace(recreates=self.recreates))
            self.autocommit, self.recreates = outer

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                self.names[alias.asname or alias.name.partition(".")[0]] = Path(
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
            else:
                module = "." * node.level + (node.module or "")
                self.names[alias.asname or alias.name] = Path(f"{module}.{alias.name}")


def _class(node: ast.ClassDef) -> Value:
    """A class: its members where it lists plain values, as enums do."""
    labels = tuple(
        target.id
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    )
    is_enum = any("enum" in unparsed(base).lower() for base in node.bases)
    return Choice(labels) if is_enum and labels else Opaque(node)


def digest(data: bytes) -> str | None:
    """What `upgrade()` of a file does, as a digest: equal for files that say the same in the same words.

    Of the module counts what `upgrade()` reaches, so neither header nor `downgrade()`, and of that neither comments nor
    docstrings, annotations, quotes or line breaks. `None` where the file can't be read, or has no `upgrade`.
    """
    try:
        module = python(data)
        text = None if module is None else _reached_by_upgrade(module)
    except (Spent, RecursionError, MemoryError):
        return None
    import hashlib  # noqa: PLC0415 - only where an id is there twice

    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _reached_by_upgrade(module: ast.Module) -> str | None:
    statements = [(node, _bound(node)) for node in module.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    # Templates for several databases call `upgrade_<name>()` by a name that is put together.
    reached = {name for _, names in statements for name in names or () if name.split("_")[0] == "upgrade"}
    if not reached:
        return None
    # What binds no name may do anything, such as a condition around definitions.
    kept = {id(node) for node, names in statements if names is None}
    while fresh := [node for node, names in statements if names and reached & names and id(node) not in kept]:
        kept.update(map(id, fresh))
        reached.update(each.id for node in fresh for each in ast.walk(node) if isinstance(each, ast.Name))
    return "\n".join(ast.dump(_Plain().visit(node)) for node, _ in statements if id(node) in kept)


def _bound(node: ast.stmt) -> frozenset[str] | None:
    """The names that a statement gives a value and nothing else; `None` for any other statement."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return frozenset({name})
        case ast.Assign(targets=targets) if all(isinstance(target, ast.Name) for target in targets):
            return frozenset(target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return frozenset({name})
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return frozenset()
    return None


class _Plain(ast.NodeTransformer):
    """The same without what only people read."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [each for each in node.body if not _is_silent(each)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.Pass()
        return ast.Assign([node.target], node.value, lineno=node.lineno)


def _is_silent(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
