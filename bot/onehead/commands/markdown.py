"""Which lines of a comment its author says, and which ones they only show or quote. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST = 64 * 1024
"""Characters; nobody gives commands in a longer comment, and reading it would cost time."""

_SHOWN = "\0"
"""Stands for what is displayed and not said; no command begins with it."""


def spoken_lines(text: str) -> tuple[str, ...]:
    """The lines of plain paragraphs, those of list items included.

    Left out are quotes, code blocks (fenced and indented), headings, tables, HTML and HTML comments. Inline code is
    kept inside a line (`/onehead doctor `018``), but a line that begins with it is shown, not said; so is one that
    begins with a link, an image or a backslash.
    """
    if len(text) > LONGEST:
        return ()
    lines: list[str] = []
    quotes = 0
    tokens = _reader().parse(text.replace("\0", ""))
    for number, token in enumerate(tokens):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "inline" and not quotes and tokens[number - 1].type == "paragraph_open":
            lines += _lines(token.children or [])
    return tuple(line.strip() for line in lines if line.strip())


@cache
def _reader() -> MarkdownIt:
    # Without joining, an escaped character stays a token of its own: `\/onehead` shows a command and gives none.
    return MarkdownIt("commonmark").enable("table").disable("text_join")


def _lines(children: Sequence[Token]) -> list[str]:
    lines = [""]
    depth = 0
    for token in children:
        if token.type in ("softbreak", "hardbreak"):
            lines.append("")
        elif (token.type == "text" and depth == 0) or (token.type == "code_inline" and lines[-1].strip()):
            lines[-1] += token.content
        elif token.type.endswith("_open") or token.type.endswith("_close"):
            depth += token.nesting if token.type.startswith("link") else 0
            lines[-1] += _SHOWN
        else:
            lines[-1] += _SHOWN
    return lines
