"""Which names of a module its statements use and bind."""

from __future__ import annotations

import ast
import re

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


def names_bound(node: ast.AST) -> set[str]:
    """Names that a top-level statement gives to the module; `*` for whatever another module has."""
    found: set[str] = set()
    todo = [node]
    while todo:
        inner = todo.pop()
        match inner:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
                continue
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name.partition(".")[0])
            case _:
                pass
        todo.extend(ast.iter_child_nodes(inner))
    return found
