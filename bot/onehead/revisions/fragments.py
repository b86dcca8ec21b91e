"""What can still be read of a file that this Python can't parse (Python 2, or syntax newer than ours).

Every fragment keeps the positions of the whole text, so that an edit made by it is exact in the original.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from operator import itemgetter

from onehead.revisions.positions import LINE_START, Lines
from onehead.revisions.python_source import syntax

_FIRST_BLOCK = re.compile(LINE_START + r"(?:async[ \t]+def\b|def\b|class\b|@)")
_STATEMENT = re.compile(LINE_START + r"(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\r\n]+)?=(?!=)")
_INDENTED = re.compile(LINE_START + r"[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\r\n]+|[-+*/])?=(?!=)")
_GLOBAL = re.compile(LINE_START + r"[ \t]+global[ \t]+(?P<names>[^\r\n#]+)")
_QUOTED = re.compile(
    r"(?P<comment>#[^\r\n]*)"
    # What is never closed ends with its line or with the text; looking again behind it would take quadratic time.
    r"|(?P<block>[A-Za-z]{0,2}(?P<triple>\"\"\"|''')(?>(?:\\[\s\S]|(?!(?P=triple))[^\\])*)(?:(?P=triple))?)"
    r"|\"(?>(?:\\.|[^\"\\\r\n])*)\"?|'(?>(?:\\.|[^'\\\r\n])*)'?"
)
_LONGEST_STATEMENT = 60  # lines; no header value is longer, and a hostile file must not cost more


def fragments(text: str, names: Collection[str]) -> Iterator[str]:
    """Parts to try, best first: everything above the first function, then single statements.

    Args:
        text: the whole file.
        names: the assignments that matter; the header alone is not offered when one of them follows it.
    """
    blocks = [found.span() for found in _QUOTED.finditer(text) if found["block"]]

    def in_string(found: re.Match[str]) -> bool:
        at = bisect_left(blocks, found.start(), key=itemgetter(0)) - 1
        return at >= 0 and found.start() < blocks[at][1]

    statements = [found for found in _STATEMENT.finditer(text) if not in_string(found)]
    if not any(found["name"] in names for found in statements):
        return
    first = next((found.start() for found in _FIRST_BLOCK.finditer(text) if not in_string(found)), len(text))
    if not any(found["name"] in names and found.start() > first for found in statements):
        yield text[:first]
    starts = [found.start() for found in statements]
    if blocks and not re.sub(r"#[^\r\n]*", "", text[: blocks[0][0]]).strip():
        starts.insert(0, blocks[0][0])
    lines = Lines(text)
    kept = _readable_lines(lines, starts)
    # Something stands for a line that is left out: a lone carriage return before it and its own ending would be one.
    yield "".join(text[lines.starts[n] : lines.end(n)] if n in kept else "#\n" for n in range(len(lines.starts)))


def _readable_lines(lines: Lines, starts: list[int]) -> set[int]:
    """0-based lines of the statements that begin at `starts` and parse on their own."""
    kept: set[int] = set()
    for start in starts:
        first = bisect_right(lines.starts, start) - 1
        for last in range(first, min(first + _LONGEST_STATEMENT, len(lines.starts))):
            if syntax(lines.text[lines.starts[first] : lines.end(last)]) is not None:
                kept |= set(range(first, last + 1))
                break
    return kept


def hidden_bindings(text: str) -> set[str]:
    """Names that the unread rest may bind: in a block of the header, or through `global`."""
    masked = _QUOTED.sub(lambda found: re.sub(r"[^\r\n]", "-", found.group()), text)
    first = _FIRST_BLOCK.search(masked)
    bound = {found["name"] for found in _INDENTED.finditer(masked, 0, first.start() if first else len(masked))}
    for found in _GLOBAL.finditer(masked):
        bound |= set(re.findall(r"\w+", found["names"]))
    return bound
