"""Python's own parser, behind the gate and in one thread at a time.

Before CPython 3.11.8 and 3.12.2 two threads that build syntax trees at once disturb each other ("AST constructor
recursion depth mismatch"), and so do, in every version, two that silence warnings.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from onehead.revisions.allowance import admit

NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What is raised for a text that the parser can't read, or is not given because it is too large."""

_MOST_SHOWN = 500
"""Nodes of an expression that is written out: an enumeration of some hundred labels, but no table of rows."""

_parser = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    with _parser, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody's file are not our user's business
        yield


def parse(source: str | bytes) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        NOT_PYTHON: this Python can't parse it, or it is larger than any text that is parsed.
        Spent: the examination has parsed as much as it may.
    """
    admit(source)
    with _alone():
        return ast.parse(source)


def syntax(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a file, or `None` for what this Python can't parse; raises `Spent` as above."""
    try:
        return parse(source)
    except NOT_PYTHON:
        return None


def expression(text: str) -> ast.expr | None:
    """The syntax tree of one expression, or `None` for what is none; raises `Spent` as above."""
    try:
        admit(text)
        with _alone():
            return ast.parse(text, mode="eval").body
    except NOT_PYTHON:
        return None


def unparsed(node: ast.AST) -> str:
    """The source of a node in one line; one that is too long or too deep to be written out is named by its place."""
    if sum(1 for _ in islice(ast.walk(node), _MOST_SHOWN + 1)) <= _MOST_SHOWN:
        try:
            return " ".join(ast.unparse(node)[:2000].split())
        except (RecursionError, ValueError):
            pass
    return f"a long expression in line {getattr(node, 'lineno', 0)}"
