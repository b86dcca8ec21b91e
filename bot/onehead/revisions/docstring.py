"""The layout of a revision file's docstring, and a new one in the same layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onehead.revisions.anatomy import Anatomy, quotes_of
from onehead.revisions.positions import NEWLINE

_KEYS = (("id", "Revision ID"), ("parents", "Revises"), ("date", "Create Date"))


@dataclass(frozen=True, slots=True)
class DocLine:
    """One line: `kind` is `message`, `id`, `parents`, `date` or `blank`; `lead` stands before its text."""

    kind: str
    lead: str = ""

    @staticmethod
    def usual() -> tuple[DocLine, ...]:
        """The layout of Alembic's own template."""
        keys = (DocLine(kind, f"{key}: ") for kind, key in _KEYS)
        return DocLine("message"), DocLine("blank"), *keys, DocLine("blank"), DocLine("blank")


def doc_lines(file: Anatomy) -> tuple[str, tuple[DocLine, ...]]:
    """Quotes and lines of the file's docstring; the words of this one revision are left out.

    A file without one gets a line for the message: a merge that doesn't say why it is there is a riddle.
    """
    source = file.text[slice(*file.strings[0])] if file.strings else ""
    prefix, quote = quotes_of(source) or ("", '"""')
    if not source or len(quote) != 3 or re.sub(r"#[^\r\n]*", "", file.text[: file.strings[0][0]]).strip():
        return '"""', (DocLine("message"),)
    lines = [_doc_line(text) for text in NEWLINE.split(source[len(prefix) + 3 : -3])]
    closing = [lines.pop()] if len(lines) > 1 and lines[-1].kind == "blank" else []
    kept: list[DocLine] = []
    for line in lines:
        again = line.kind == "message" and any(each.kind == "message" for each in kept)
        if not again and not (line.kind == "blank" and len(kept) > 1 and kept[-1].kind == "blank"):
            kept.append(line)
    if not any(line.kind == "message" for line in kept):
        kept = [DocLine("message"), DocLine("blank"), *(line for line in kept if line.kind != "blank")]
    return quote, (*kept, *closing)


def _doc_line(text: str) -> DocLine:
    for kind, key in _KEYS:
        found = re.match(rf"[ \t]*{key}[ \t]*:[ \t]*", text, re.IGNORECASE)
        if found:
            lead = found[0]
            return DocLine(kind, lead if lead[-1] in " \t" else f"{lead} ")
    return DocLine("message" if text.strip() else "blank")


def written(quotes: str, lines: Sequence[DocLine], values: dict[str, str]) -> str:
    """The docstring with its quotes; a line whose value is empty is left out.

    Args:
        quotes: the three quotes.
        lines: its layout.
        values: the text for `message`, `id`, `parents` and `date`.
    """
    texts = [line.lead + values.get(line.kind, "") for line in lines if line.kind == "blank" or values[line.kind]]
    return f"{quotes}{chr(10).join(texts)}{quotes}"


def create_date(file: Anatomy) -> str:
    """What the docstring says after `Create Date:`; empty where it says nothing that could stand in another one."""
    for start, end in file.strings:
        found = re.search(r"(?:^|[\r\n])[ \t]*Create Date[ \t]*:[ \t]*([^\r\n]*)", file.text[start:end], re.IGNORECASE)
        if found:
            text = found[1].strip(" \t\f\"'")
            return text if re.fullmatch(r"[\w .:,/()+-]{1,60}", text) else ""
    return ""
