"""Python's own parser, in one thread at a time.

Before CPython 3.11.8 and 3.12.2 two threads that build syntax trees at once disturb each other ("AST constructor
recursion depth mismatch"), and so do, in every version, two that silence warnings.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

MAX_BYTES = 512 * 1024
"""A longer text is not given to the parser, which may need some 400 bytes of memory for each byte of an expression."""

NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What the parser raises for a text that it can't read."""

_parser = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    with _parser, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody's file are not our user's business
        yield


def parse(source: str | bytes) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        NOT_PYTHON: this Python can't parse it, or it is too long.
    """
    if len(source) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES // 1024} KiB, too much for Python's parser")
    with _alone():
        return ast.parse(source)


def syntax(source: str | bytes) -> ast.Module | None:
    """The syntax tree of a file, or `None` for what this Python can't parse."""
    try:
        return parse(source)
    except NOT_PYTHON:
        return None


def expression(text: str) -> ast.expr | None:
    """The syntax tree of one expression, or `None` for what is none."""
    if len(text) > MAX_BYTES:
        return None
    try:
        with _alone():
            return ast.parse(text, mode="eval").body
    except NOT_PYTHON:
        return None
