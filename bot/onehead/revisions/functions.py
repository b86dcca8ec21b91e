"""The two functions of a revision file: what they take and give is decided by the project's env.py."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice

from onehead.revisions.anatomy import Anatomy, quotes_of
from onehead.revisions.positions import LINE_START, Lines
from onehead.revisions.python_source import syntax

_SIGNATURE = re.compile(
    LINE_START + r"(?:async[ \t]+)?def[ \t]+(?:upgrade|downgrade)[ \t]*\([^()]*\)[ \t]*(?:->[^:\r\n]+)?:"
)
_MOST_NODES = 100
"""Of parameters or a return annotation; what `env.py` calls for has a handful."""
_GENERIC = re.compile(r"(?:up|down)grade(?: (?:the )?(?:schema|database|migrations?|data))?\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Function:
    """How `upgrade` or `downgrade` is written.

    Attributes:
        name: `upgrade` or `downgrade`.
        parameters: source between the parentheses. With the multidb template the name of the engine is passed;
            a function without it ends the whole run in a TypeError.
        returns: source of the return annotation, empty for none.
        docstring: source of the docstring with its quotes, empty for none.
        keyword: `def` or `async def`.
    """

    name: str
    parameters: str = ""
    returns: str = ""
    docstring: str = ""
    keyword: str = "def"

    @property
    def signature(self) -> str:
        """The line that starts the function, without its colon."""
        return f"{self.keyword} {self.name}({self.parameters}){f' -> {self.returns}' if self.returns else ''}"


def functions(file: Anatomy, names: Collection[str]) -> tuple[Function, Function]:
    """`upgrade` and `downgrade` as this file writes them; a missing one is written like the other.

    Args:
        file: the model.
        names: what its imports may be relied on to bind; annotations that need more are left out.
    """
    found: dict[str, Function] = {}
    for node, complete in _definitions(file):
        if node.name in ("upgrade", "downgrade"):
            found[node.name] = _function(node, file, names, complete=complete)
    some = found.get("upgrade") or found.get("downgrade") or Function("upgrade")
    up, down = (found.get(name) or replace(some, name=name) for name in ("upgrade", "downgrade"))
    return up, replace(down, docstring=down.docstring or up.docstring.replace("Upgrade", "Downgrade", 1))


def _definitions(file: Anatomy) -> list[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    if file.complete:
        return [(node, True) for node in file.tree.body if isinstance(node, kinds)]
    stubs = [syntax(found.group().lstrip("\r\n") + " pass") for found in _SIGNATURE.finditer(file.text)]
    return [(node, False) for stub in stubs if stub for node in stub.body if isinstance(node, kinds)]


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, file: Anatomy, names: Collection[str], *, complete: bool
) -> Function:
    needed = node.args if _known(node.args, names) else _bare(node.args)
    return Function(
        node.name,
        ast.unparse(needed),
        ast.unparse(node.returns) if node.returns and _known(node.returns, names) else "",
        _docstring(node, file) if complete else "",
        "async def" if isinstance(node, ast.AsyncFunctionDef) else "def",
    )


def _known(node: ast.AST, names: Collection[str]) -> bool:
    """Whether all names in it are bound in the merge too; what is too long to be written out is not known either."""
    nodes = list(islice(ast.walk(node), _MOST_NODES + 1))
    used = {inner.id for inner in nodes if isinstance(inner, ast.Name)}
    return len(nodes) <= _MOST_NODES and all(name in names or hasattr(builtins, name) for name in used)


def _bare(args: ast.arguments) -> ast.arguments:
    """The same parameters without annotations; defaults become None, as nothing in a merge reads them."""

    def bare(each: ast.arg) -> ast.arg:
        return ast.arg(each.arg)

    return ast.arguments(
        posonlyargs=[bare(each) for each in args.posonlyargs],
        args=[bare(each) for each in args.args],
        vararg=bare(args.vararg) if args.vararg else None,
        kwonlyargs=[bare(each) for each in args.kwonlyargs],
        kw_defaults=[None if each is None else ast.Constant(None) for each in args.kw_defaults],
        kwarg=bare(args.kwarg) if args.kwarg else None,
        defaults=[ast.Constant(None) for _ in args.defaults],
    )


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef, file: Anatomy) -> str:
    """The house's docstring where it says nothing in particular; where it does, Alembic's own words."""
    text = ast.get_docstring(node)
    if text is None:
        return ""
    start, end = Lines(file.text).span(node.body[0])
    source = file.text[start:end]
    if _GENERIC.fullmatch(text.strip()) and "\n" not in source and "\r" not in source:
        return source
    quote = (quotes_of(source) or ("", '"""'))[1]
    return f"{quote}{node.name.capitalize()} schema.{quote}"
