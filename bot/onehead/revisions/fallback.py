"""Read a file that this Python can't parse by its lines: Python 2, newer syntax, something broken, or rows of data.

Of each of the four names, the last assignment at the start of a line is parsed by itself, at its own place, so that an
edit by it is exact; what may bind the name elsewhere makes it unknown.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter

from onehead.revisions import parsers
from onehead.revisions.model import Declared, docstring
from onehead.revisions.parsers import IN_CONFLICT, MAX_BYTES, conflict_line, python, too_large
from onehead.revisions.syntax import LINE_START, NEWLINE, Scope, declared, line_number

_NAME = r"(revision|down_revision|branch_labels|depends_on)"
_ASSIGNMENT = re.compile(rf"{LINE_START}{_NAME}[ \t]*(?::[^=\r\n]*)?=(?!=)")
_OTHER_USE = re.compile(rf"{LINE_START}(?:{_NAME}\b[ \t]*(?![ \t:=])[^\s]|[ \t]+{_NAME}[ \t]*=(?!=))")
"""A name changed in place (`+=`, a method, unpacking), or bound inside an indented block."""
_GLOBAL = re.compile(rf"{LINE_START}[ \t]+global[ \t]+(?:\w+[ \t]*,[ \t]*){{0,16}}{_NAME}\b")
_ABOVE = re.compile(r"\s*(?:\#[^\r\n]*[\r\n]\s*)*")
_MAX_ABOVE = 64 * 1024
"""Characters above the docstring."""
_ANY_DOCSTRING = re.compile(r"""[rRuU]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})""", re.DOTALL)
_UNSEEN = re.compile(r"\bexec\(|\bglobals\(|\bsetattr\(|\bimport \*")
_FIRST_BLOCK = re.compile(LINE_START + r"(?:def|async|class|@)")
_STRING = re.compile(
    r"(?P<comment>#[^\r\n]*)"
    # What is never closed ends with its line or with the text; looking again behind it would take quadratic time.
    r"|(?P<block>[A-Za-z]{0,2}(?P<triple>\"\"\"|''')(?>(?:\\[\s\S]|(?!(?P=triple))[^\\])*)(?:(?P=triple))?)"
    r"|\"(?>(?:\\.|[^\"\\\r\n])*)\"?|'(?>(?:\\.|[^'\\\r\n])*)'?"
)
_MAX_STATEMENT_LENGTH = 16 * 1024
_MAX_LINES = 40


def read(data: bytes) -> Declared:
    """Read top-level assignments of a file that this Python can't parse."""
    if b"\0" in data:
        return Declared(broken="it holds zero bytes, so it is not text that Python reads")
    text = _decoded(data)
    conflict = conflict_line(text)
    if conflict:
        return Declared(broken=IN_CONFLICT, line=conflict)
    found = _docstring_in(text)
    too_much = too_large(data)
    if too_much and not _is_beyond_doubt(text, found.end() if found else 0):
        return Declared(broken=f"{too_much}, and its header is not plain")
    scope = scanned(text)
    if not scope.values and not scope.unknown:
        line, reason = _why_not_python(data)
        return Declared(broken=reason, line=line)
    doc, revises = docstring((found[1] or found[2] or "") if found else "")
    return declared(scope, doc, revises)


def blocks_in(text: str) -> list[tuple[int, int]]:
    """Spans of the strings in triple quotes; none for a text that is too large to be parsed."""
    return [found.span() for found in _STRING.finditer(text) if found["block"]] if len(text) <= MAX_BYTES else []


def _docstring_in(text: str) -> re.Match[str] | None:
    """The module's docstring in triple quotes."""
    above = _ABOVE.match(text, 0, _MAX_ABOVE)
    return _ANY_DOCSTRING.match(text, above.end() if above else 0)


def _is_beyond_doubt(text: str, start: int) -> bool:
    """Whether lines alone are enough of a file that was never parsed, where one of them may be part of a string."""
    times = Counter(match[1] for match in _ASSIGNMENT.finditer(text, start))
    return {times["revision"], times["down_revision"]} == {1} == set(times.values()) and not _UNSEEN.search(text, start)


def scanned(text: str) -> Scope:
    """The four names, as far as they are assigned; the nodes of the scope have their places in the text."""
    scope = Scope()
    blocks = blocks_in(text)

    def outside(found: Iterable[re.Match[str]]) -> Iterator[re.Match[str]]:
        for match in found:
            at = bisect_left(blocks, match.start(), key=itemgetter(0)) - 1
            if at < 0 or match.start() >= blocks[at][1]:
                yield match

    opening = _docstring_in(text)
    start = opening.end() if opening else 0
    last = {match[1]: match for match in outside(_ASSIGNMENT.finditer(text, start))}
    for name, match in sorted(last.items(), key=lambda item: item[1].start()):
        line = line_number(text, match.start())
        statement = _statement(text, match.start())
        if statement is None:
            scope.forget({name}, line, _first_line(text, match.end()))
        else:
            scope.follow(ast.increment_lineno(statement, line - 1))
    block = _FIRST_BLOCK.search(text, start)
    header = _OTHER_USE.finditer(text, start, block.start() if block else len(text))
    others = {match[match.lastindex or 1]: match for match in outside((*header, *_GLOBAL.finditer(text, start)))}
    for name, match in others.items():
        scope.forget({name}, line_number(text, match.start()), _first_line(text, match.start()))
    return scope


def _first_line(text: str, start: int) -> str:
    return NEWLINE.split(text[start : start + 80], maxsplit=1)[0].strip()


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # never fails, and ids are ASCII in every encoding that it may really be
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _statement(text: str, start: int) -> ast.Module | None:
    """The shortest run of whole lines from `start` that parses."""
    end = start
    for _ in range(_MAX_LINES):
        newline = NEWLINE.search(text, end)
        end = newline.end() if newline else len(text)
        if end - start > _MAX_STATEMENT_LENGTH:
            return None
        found = python(text[start:end])
        if found is not None or newline is None:
            return found
    return None


def _why_not_python(data: bytes) -> tuple[int, str]:
    try:
        parsers.parse(data)
    except SyntaxError as error:
        return error.lineno or 0, f"it is not Python that this version understands ({error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"it can't be parsed as Python ({type(error).__name__})"
    return 0, "it declares no revision"
