"""Whether two revision files do the same: a rebased or cherry-picked copy differs in its header alone."""

from __future__ import annotations

import ast
import hashlib

from onehead.revisions.parsers import Spent, python


def deeds(data: bytes) -> str | None:
    """What `upgrade()` of a file does, as a digest: equal for files that say the same in the same words.

    Of the module counts what `upgrade()` reaches, so neither header nor `downgrade()`, and of that neither comments nor
    docstrings, annotations, quotes or line breaks. Files that do the same in other words get different ones.

    Returns:
        `None` where the file can't be read, or has no `upgrade`.
    """
    try:
        module = python(data)
        told = None if module is None else _told(module)
    except (Spent, RecursionError, MemoryError):
        return None
    return None if told is None else hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _told(module: ast.Module) -> str | None:
    statements = [(node, _bound(node)) for node in module.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    # Templates for several databases call `upgrade_<name>()` by a name that is put together.
    reached = {name for _, names in statements for name in names or () if name.split("_")[0] == "upgrade"}
    if not reached:
        return None
    wanted: list[ast.stmt] = []
    left = [(node, names) for node, names in statements if names is not None]
    todo = True
    while todo:
        todo = False
        for node, names in list(left):
            if reached & names:
                left.remove((node, names))
                wanted.append(node)
                reached |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                todo = True
    # What binds no name may do anything, such as a condition around definitions.
    kept = {id(node) for node in wanted} | {id(node) for node, names in statements if names is None}
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
            silent = [each for each in node.body if not isinstance(each, ast.Expr) or not _is_text(each.value)]
            node.body = [each for each in silent if not isinstance(each, ast.Pass)]
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


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
