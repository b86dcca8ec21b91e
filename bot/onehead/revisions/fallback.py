"""What can still be read of a file that this Python can't parse: Python 2, newer syntax, or a broken file.

Python 2 `print` statements, syntax newer than the running Python, and rows of data as code that are too large for a
syntax tree are the usual reasons.

Every fragment keeps the positions of the whole text, so that an edit made by it is exact in the original.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from operator import itemgetter

from onehead.revisions import parsers
from onehead.revisions.model import Declared, docstring
from onehead.revisions.parsers import CONFLICT, python, too_large
from onehead.revisions.syntax import LINE_START, Lines, Scope, declared

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
_MAX_VALUE_LENGTH = 16 * 1024
_MAX_LINES = 40


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
    """Whether lines alone are enough of a file that was never parsed, where one of them may be part of a string."""
    times = Counter(match[1] for match in _ASSIGNMENT.finditer(text, start))
    return {times["revision"], times["down_revision"]} == {1} == set(times.values()) and not _UNSEEN.search(text, start)


def _scan(text: str, start: int) -> Scope:
    """The names as the last assignment of each leaves them."""
    scope = Scope()
    last = {match[1]: match for match in _ASSIGNMENT.finditer(text, start)}
    for name, match in sorted(last.items(), key=lambda item: item[1].start()):
        value = _expression(text, match.end())
        if value is None:
            scope.forget({name}, _line(text, match), _first_line(text, match.end()))
        else:
            scope.assign([ast.Name(name, ast.Store())], value)
    block = _FIRST_BLOCK.search(text, start)
    header = _OTHER_USE.finditer(text, start, block.start() if block else len(text))
    for name, match in {match[1] or match[2]: match for match in header}.items():
        scope.forget({name}, _line(text, match), _first_line(text, match.start()))
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
    for _ in range(_MAX_LINES):
        newline = text.find("\n", end)
        end = len(text) if newline < 0 else newline + 1
        if end - start > _MAX_VALUE_LENGTH:
            return None
        found = parsers.expression(text[start:end].strip())
        if found is not None or end == len(text):
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


_HEADER_END = re.compile(LINE_START + r"(?:async[ \t]+def\b|def\b|class\b|@)")
_STATEMENT = re.compile(LINE_START + r"(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\r\n]+)?=(?!=)")
_INDENTED = re.compile(LINE_START + r"[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\r\n]+|[-+*/])?=(?!=)")
_GLOBAL = re.compile(LINE_START + r"[ \t]+global[ \t]+(?P<names>[^\r\n#]+)")
_STRING = re.compile(
    r"(?P<comment>#[^\r\n]*)"
    # What is never closed ends with its line or with the text; looking again behind it would take quadratic time.
    r"|(?P<block>[A-Za-z]{0,2}(?P<triple>\"\"\"|''')(?>(?:\\[\s\S]|(?!(?P=triple))[^\\])*)(?:(?P=triple))?)"
    r"|\"(?>(?:\\.|[^\"\\\r\n])*)\"?|'(?>(?:\\.|[^'\\\r\n])*)'?"
)
_MAX_STATEMENT_LENGTH = 60  # lines; no header value is longer, and a hostile file must not cost more


def fragments(text: str, names: Collection[str]) -> Iterator[str]:
    """Parts to try, best first: everything above the first function, then single statements.

    Args:
        text: the whole file.
        names: the assignments that matter; the header alone is not offered when one of them follows it.
    """
    blocks = [found.span() for found in _STRING.finditer(text) if found["block"]]

    def in_string(found: re.Match[str]) -> bool:
        at = bisect_left(blocks, found.start(), key=itemgetter(0)) - 1
        return at >= 0 and found.start() < blocks[at][1]

    statements = [found for found in _STATEMENT.finditer(text) if not in_string(found)]
    if not any(found["name"] in names for found in statements):
        return
    first = next((found.start() for found in _HEADER_END.finditer(text) if not in_string(found)), len(text))
    if not any(found["name"] in names and found.start() > first for found in statements):
        yield text[:first]
    starts = [found.start() for found in statements]
    if blocks and not re.sub(r"#[^\r\n]*", "", text[: blocks[0][0]]).strip():
        starts.insert(0, blocks[0][0])
    lines = Lines(text)
    kept = _readable_lines(lines, starts)
    # A line that is left out is replaced: a lone carriage return before it and its own ending would be one ending.
    yield "".join(text[lines.starts[n] : lines.end(n)] if n in kept else "#\n" for n in range(len(lines.starts)))


def _readable_lines(lines: Lines, starts: list[int]) -> set[int]:
    """0-based lines of the statements that begin at `starts` and parse on their own."""
    kept: set[int] = set()
    for start in starts:
        first = bisect_right(lines.starts, start) - 1
        for last in range(first, min(first + _MAX_STATEMENT_LENGTH, len(lines.starts))):
            if python(lines.text[lines.starts[first] : lines.end(last)]) is not None:
                kept |= set(range(first, last + 1))
                break
    return kept


def hidden_bindings(text: str) -> set[str]:
    """Names that the unread rest may bind: in a block of the header, or through `global`."""
    masked = _STRING.sub(lambda found: re.sub(r"[^\r\n]", "-", found.group()), text)
    first = _HEADER_END.search(masked)
    bound = {found["name"] for found in _INDENTED.finditer(masked, 0, first.start() if first else len(masked))}
    for found in _GLOBAL.finditer(masked):
        bound |= set(re.findall(r"\w+", found["names"]))
    return bound
