"""What the files of one project have in common: the comments and statements that belong to none of them alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import groupby

from onehead.revisions.positions import LINE_START, NEWLINE

_COMMENT = re.compile(r"#[^\r\n]*")
_ALEMBIC = re.compile(r"#\s*revision identifiers", re.IGNORECASE)
_COOKIE = re.compile(r"#.*?coding[:=]")
_LICENCE = re.compile(r"licen[cs]e|spdx", re.IGNORECASE)
_HOLDER = re.compile(r"copyright|[(]c[)]|\u00a9|\b(?:19|20)\d\d\b", re.IGNORECASE)
"""A holder or a year: the project's only where all files that name any name the same."""
_AUTHOR = re.compile(
    r"@|authors?_*\s*[:=]|\bmaintainer|\b(?:date|created|modified)\s*:"
    r"|\b(?:added|changed|created|generated|made|reviewed|written)[- ](?:at|by|on)\b",
    re.IGNORECASE,
)
"""Words that go before whoever wrote one file, or when."""


class FileStyle:
    """Further files of a project, asked about what one of them has."""

    def __init__(self, files: Sequence[bytes]) -> None:
        """Files that are not UTF-8 are read as far as ASCII goes."""
        self._texts = [data.decode("utf-8", "replace") for data in files]
        self._lines = [{line.strip() for line in NEWLINE.split(text)} for text in self._texts]
        self._comments = [{each.strip() for each in _COMMENT.findall(text)} for text in self._texts]

    def has_comment(self, comment: str) -> bool:
        """Whether a comment is the project's: another file has it as well."""
        if _ALEMBIC.match(comment):
            return True
        if comment.startswith("# ###"):
            return False  # Alembic's, around what it generated
        if not self._comments:
            return bool(_LICENCE.search(comment)) and not (_HOLDER.search(comment) or _AUTHOR.search(comment))
        if _HOLDER.search(comment):
            naming = [each for each in self._comments if any(map(_HOLDER.search, each))]
            return bool(naming) and all(comment in each for each in naming)
        return not _AUTHOR.search(comment) and any(comment in each for each in self._comments)

    def none_has(self, text: str) -> bool:
        """Whether there are other files, and this text is in none of them."""
        return bool(self._texts) and not any(text in each for each in self._texts)

    def all_have_line(self, line: str) -> bool:
        """Whether a line of the docstring is the project's: all the others have it."""
        return bool(self._lines) and not _AUTHOR.search(line) and all(line.strip() in each for each in self._lines)

    def has_statement(self, statement: str, names: Collection[str]) -> bool:
        """Whether an assignment is the project's: most other files have the same, or all assign these names."""
        if not self._texts or _AUTHOR.search(statement):
            return False
        if 2 * sum(statement in each for each in self._lines) > len(self._lines):
            return True
        assigned = [re.compile(rf"{LINE_START}{re.escape(name)}[ \t]*[:=]") for name in names]
        return all(each.search(text) for each in assigned for text in self._texts)

    def comments(self, gap: str, *, top: bool = False) -> str:
        """Blank lines and comments between two statements, without what belongs to one revision.

        Args:
            gap: whole lines; an indented comment belongs to the function above it.
            top: whether it is the beginning of the file, where Python looks for an encoding and the system for a
                program.
        """
        lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)", gap)
        kept: list[str] = []
        blank: list[str] = []
        for is_blank, run in groupby(enumerate(lines), key=lambda each: not each[1].strip()):
            if is_blank:
                blank = max(blank, [line for _, line in run], key=len)
                continue
            paragraph = _trimmed([line for number, line in run if self._stays(line, number if top else 2)])
            if paragraph:
                kept += [*blank, *paragraph]
                blank = []
        return "".join([*kept, *blank]).lstrip() if top else "".join([*kept, *blank])

    def _stays(self, line: str, number: int) -> bool:
        text = line.strip()
        special = (number < 2 and _COOKIE.match(text)) or (number == 0 and text.startswith("#!"))
        return line[0] == "#" and bool(special or text == "#" or self.has_comment(text))


def _trimmed(paragraph: list[str]) -> list[str]:
    """Comments without the spacers at their ends; nothing where only spacers and frames are left."""
    if not any(re.search(r"\w", line) for line in paragraph):
        return []
    words = [number for number, line in enumerate(paragraph) if line.strip() != "#"]
    return paragraph[words[0] : words[-1] + 1]
