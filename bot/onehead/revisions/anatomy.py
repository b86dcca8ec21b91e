"""A revision file taken apart, to the byte. Nothing here runs the file.

Editing needs positions, which a reader of values can do without.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass

from onehead.revisions.allowance import Spent, examination, too_large
from onehead.revisions.declarations import Declaration, declarations
from onehead.revisions.fragments import fragments, hidden_bindings
from onehead.revisions.positions import LINE_START, Lines
from onehead.revisions.python_source import syntax

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")

_BOM = b"\xef\xbb\xbf"
_QUOTE = re.compile(r"(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|\"|')")
_ID = r"[^\s,()\[\]]+"
_IDS = rf"[(\[][^)\]\r\n]*[)\]]|{_ID}(?:[ \t]*,[ \t]*{_ID})*|"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a file can't be taken apart: a sentence without a full stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A revision file with the place of everything that matters.

    Attributes:
        data: its bytes.
        text: its text without the byte order mark; all spans count characters of it.
        encoding: how the text becomes bytes.
        tree: the syntax tree, with the positions of `text`; of a part only where `complete` is false.
        complete: whether the tree covers the whole file.
        declared: the declaration of every name assigned at the top level.
        strings: spans of the top-level string statements, the docstring first.
    """

    data: bytes
    text: str
    encoding: str
    tree: ast.Module
    complete: bool
    declared: Mapping[str, Declaration]
    strings: tuple[tuple[int, int], ...]

    def label(self, key: str) -> tuple[int, int] | None:
        """Span of the ids in the docstring line that starts with `key` and a colon; what follows them is left out."""
        pattern = re.compile(rf"{LINE_START}[ \t]*{re.escape(key)}[ \t]*:[ \t]*(?P<ids>{_IDS})", re.IGNORECASE)
        for start, end in self.strings:
            quotes = quotes_of(self.text[start:end])
            if quotes is None:
                continue
            opened, closed = start + len("".join(quotes)), end - len(quotes[1])
            found = pattern.search(self.text[opened:closed])
            if found:
                return opened + found.start("ids"), opened + found.end("ids")
        return None


def quotes_of(source: str) -> tuple[str, str] | None:
    """Prefix and quotes of a string literal, from its source; `None` if it is something else."""
    found = _QUOTE.match(source)
    return (found["prefix"], found["quote"]) if found else None


@examination()
def dissect(data: bytes) -> Anatomy | Trouble:
    """Take a revision file apart; a hostile or broken file gives a `Trouble`, never an exception."""
    reason = too_large(data)
    if reason:
        return Trouble(reason)
    try:
        # Python looks for the cookie in the first two lines, and a lone carriage return ends a line too.
        encoding, _ = tokenize.detect_encoding(io.BytesIO(re.sub(rb"\r\n?", b"\n", data)).readline)
        body = data.removeprefix(_BOM)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = body.decode(encoding)
        if text.encode(encoding) != body:
            return Trouble(f"its encoding, {encoding}, does not give back the same bytes")
    except (SyntaxError, ValueError, LookupError):
        return Trouble("it can't be decoded with the encoding it declares")
    try:
        tree = syntax(text)
        if tree is not None:
            return _anatomy(data, text, encoding, tree, complete=True)
        for fragment in fragments(text, NAMES):
            tree = syntax(fragment)
            if tree is not None:
                return _anatomy(data, text, encoding, tree, complete=False)
    except Spent as limit:
        return Trouble(str(limit))
    except (RecursionError, MemoryError):
        return Trouble("it is nested too deeply to be read")
    return Trouble("it isn't Python, and its header can't be read either")


def _anatomy(data: bytes, text: str, encoding: str, tree: ast.Module, *, complete: bool) -> Anatomy:
    lines = Lines(text)
    hidden = frozenset() if complete else frozenset(hidden_bindings(text))
    strings = tuple(
        lines.span(node)
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    return Anatomy(data, text, encoding, tree, complete, declarations(tree, lines, hidden), strings)
