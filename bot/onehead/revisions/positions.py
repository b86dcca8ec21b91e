"""Positions in a source text: from the lines and UTF-8 columns of `ast` to character indexes."""

from __future__ import annotations

import ast
import re

# Python ends a line at these three only; str.splitlines would also split at a form feed.
NEWLINE = re.compile(r"\r\n|\r|\n")
LINE_START = r"(?:^|(?<=[\r\n]))"


class Lines:
    """The lines of one text.

    Attributes:
        text: the text, without a byte order mark.
        starts: index of the first character of every line.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._is_ascii = text.isascii()
        self.starts = [0, *(found.end() for found in NEWLINE.finditer(text))]

    def end(self, number: int) -> int:
        """One past the last character of a 0-based line, its line ending included."""
        return self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)

    def index(self, line: int, column: int) -> int:
        """Character index of a 1-based line and a column in UTF-8 bytes."""
        start = self.starts[line - 1]
        if self._is_ascii:
            return start + column
        return start + len(self.text[start : self.end(line - 1)].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First character of a node and one past its last."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError("a node made by the parser always knows its end")
        return self.index(node.lineno, node.col_offset), self.index(node.end_lineno, node.end_col_offset)


def line_number(text: str, index: int) -> int:
    """1-based line of a character."""
    return 1 + sum(1 for _ in NEWLINE.finditer(text, 0, index))
