"""Reader 3: top-level assignments found by their lines, for files that this Python can't parse.

Python 2 `print` statements and syntax newer than the running Python are the usual reasons.
"""

from __future__ import annotations

import ast
import re
import warnings

from onehead.revisions.declared import Declared, Scope, declared, docstring
from onehead.revisions.syntax_tree import assign

_TOP_LEVEL = re.compile(
    r"^(revision|down_revision|branch_labels|depends_on)[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*", re.MULTILINE
)
_ANY_DOCSTRING = re.compile(r"""\s*(?:\#[^\n]*\n\s*)*[rRuU]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})""", re.DOTALL)


def read(data: bytes) -> Declared:
    """Read top-level assignments of a file that this Python can't parse."""
    text = _decoded(data)
    if text is None:
        return Declared(broken="it is not text in any encoding that Python source may have")
    found = _ANY_DOCSTRING.match(text)
    start = found.end() if found else 0
    scope = Scope()
    for match in _TOP_LEVEL.finditer(text, start):
        value = _expression(text, match.end())
        line = text.count("\n", 0, match.start()) + 1
        if value is None:
            scope.forget(match[1], line, text[match.end() : match.end() + 80].split("\n")[0])
        else:
            assign(ast.Name(match[1], ast.Store()), value, scope)
    if not scope.values and not scope.dynamic:
        line, reason = _why_not_python(data)
        return Declared(broken=reason, line=line)
    doc, revises = docstring((found[1] or found[2] or "") if found else "")
    return declared(scope, doc, revises)


def _decoded(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    text = data.decode("utf-8-sig", errors="surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _expression(text: str, start: int) -> ast.expr | None:
    """The shortest run of whole lines from `start` that parses as one expression (at most 40 lines)."""
    end = start
    for _ in range(40):
        newline = text.find("\n", end)
        end = len(text) if newline < 0 else newline + 1
        try:
            return ast.parse(text[start:end].strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            if end == len(text):
                return None
    return None


def _why_not_python(data: bytes) -> tuple[int, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except SyntaxError as error:
        return error.lineno or 0, f"it is not Python that this version understands ({error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"it can't be parsed as Python ({type(error).__name__})"
    return 0, "it declares no revision"
