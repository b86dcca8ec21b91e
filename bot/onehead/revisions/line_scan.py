"""Reader 3: top-level assignments found by their lines, for files that this Python can't parse.

Python 2 `print` statements, syntax newer than the running Python, and rows of data as code that are too large for a
syntax tree are the usual reasons.
"""

from __future__ import annotations

import ast
import re
from collections import Counter

from onehead.revisions import python_source, syntax_tree
from onehead.revisions.allowance import too_large
from onehead.revisions.declared import Declared, docstring
from onehead.revisions.refusal import CONFLICT
from onehead.revisions.scope import Scope, declared

_NAME = r"(revision|down_revision|branch_labels|depends_on)"
_ASSIGNMENT = re.compile(rf"^{_NAME}[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*", re.MULTILINE)
_OTHER_USE = re.compile(rf"^{_NAME}\b[ \t]*(?![ \t:=])[^\s]|^[ \t]+{_NAME}[ \t]*=(?!=)", re.MULTILINE)
"""A name changed in place (`+=`, a method, unpacking), or bound inside an indented block."""
_ABOVE = re.compile(r"\s*(?:\#[^\n]*\n\s*)*")
_FARTHEST = 64 * 1024
"""Characters above the docstring."""
_ANY_DOCSTRING = re.compile(r"""[rRuU]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})""", re.DOTALL)
_UNSEEN = re.compile(r"\bexec\(|\bglobals\(|\bsetattr\(|\bimport \*")
_FIRST_BLOCK = re.compile(r"^(?:def|async|class|@)", re.MULTILINE)
_LONGEST_VALUE = 16 * 1024
_MOST_LINES = 40


def read(data: bytes) -> Declared:
    """Read top-level assignments of a file that this Python can't parse."""
    if b"\0" in data:
        return Declared(broken="it holds zero bytes, so it is not text that Python reads")
    text = _decoded(data)
    conflict = CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        return Declared(broken="it is not Python while git's conflict markers are in it", line=line)
    above = _ABOVE.match(text, 0, _FARTHEST)
    found = _ANY_DOCSTRING.match(text, above.end() if above else 0)
    start = found.end() if found else 0
    too_much = too_large(data)
    if too_much and not _leaves_no_doubt(text, start):
        return Declared(broken=f"{too_much}, and its header is not plain")
    scope = _scan(text, start)
    if not scope.values and not scope.unknown:
        line, reason = _why_not_python(data)
        return Declared(broken=reason, line=line)
    doc, revises = docstring((found[1] or found[2] or "") if found else "")
    return declared(scope, doc, revises)


def _leaves_no_doubt(text: str, start: int) -> bool:
    """Whether lines tell enough of a file that was never parsed, where one of them may as well stand in a string."""
    times = Counter(match[1] for match in _ASSIGNMENT.finditer(text, start))
    return {times["revision"], times["down_revision"]} == {1} == set(times.values()) and not _UNSEEN.search(text, start)


def _scan(text: str, start: int) -> Scope:
    """The names as the last assignment of each leaves them."""
    scope = Scope()
    last = {match[1]: match for match in _ASSIGNMENT.finditer(text, start)}
    for name, match in sorted(last.items(), key=lambda item: item[1].start()):
        value = _expression(text, match.end())
        if value is None:
            scope.forget(name, _line(text, match), _first_line(text, match.end()))
        else:
            syntax_tree.assign([ast.Name(name, ast.Store())], value, scope)
    block = _FIRST_BLOCK.search(text, start)
    header = _OTHER_USE.finditer(text, start, block.start() if block else len(text))
    for name, match in {match[1] or match[2]: match for match in header}.items():
        scope.forget(name, _line(text, match), _first_line(text, match.start()))
    return scope


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.end()) + 1


def _first_line(text: str, start: int) -> str:
    return text[start : start + 80].split("\n", maxsplit=1)[0].strip()


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # never fails, and ids are ASCII in every encoding that it may really be
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _expression(text: str, start: int) -> ast.expr | None:
    """The shortest run of whole lines from `start` that parses as one expression."""
    end = start
    for _ in range(_MOST_LINES):
        newline = text.find("\n", end)
        end = len(text) if newline < 0 else newline + 1
        if end - start > _LONGEST_VALUE:
            return None
        found = python_source.expression(text[start:end].strip())
        if found is not None or end == len(text):
            return found
    return None


def _why_not_python(data: bytes) -> tuple[int, str]:
    try:
        python_source.parse(data)
    except SyntaxError as error:
        return error.lineno or 0, f"it is not Python that this version understands ({error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"it can't be parsed as Python ({type(error).__name__})"
    return 0, "it declares no revision"
