"""What one file says about itself, before it has a place in a chain."""

from __future__ import annotations

import re
from typing import NamedTuple


class Dynamic(NamedTuple):
    """A declared value that can't be known without running the file.

    Attributes:
        name: `revision`, `down_revision`, `branch_labels` or `depends_on`.
        line: 1-based line of the assignment.
        text: the source text of the value, at most 80 characters.
    """

    name: str
    line: int
    text: str


class Refusal(NamedTuple):
    """What Python says to a file that it can't load.

    Attributes:
        line: 1-based, 0 where none is named.
        reason: a sentence that begins with "it", without a full stop.
        certain: no version of Python loads the file.
    """

    line: int
    reason: str
    certain: bool


class Declared(NamedTuple):
    """What one file says about itself, whatever its path.

    Attributes:
        revision: the id; `None` where the file declares none or it is dynamic.
        parents: values of `down_revision`; `None` where the file has no such name or it is dynamic.
        depends_on: values of `depends_on`.
        branch_labels: values of `branch_labels`; a computed label stands as its source text.
        doc: first line of the module's docstring.
        revises: ids of the docstring's `Revises:` line, `None` where there is no such line.
        dynamic: the names whose values can't be known.
        broken: why nothing could be read; empty when the file was read.
        line: the line of the trouble when `broken`.
        checked: whether it was looked for what Python refuses below the header.
        refusal: what that is.
    """

    revision: str | None = None
    parents: tuple[str, ...] | None = None
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    doc: str = ""
    revises: tuple[str, ...] | None = None
    dynamic: tuple[Dynamic, ...] = ()
    broken: str = ""
    line: int = 0
    checked: bool = False
    refusal: Refusal | None = None


_REVISES = re.compile(r"^[ \t]*Revises:[ \t]*([^\r\n]*)", re.MULTILINE)


def docstring(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The message, and the ids of the `Revises:` line."""
    message = next((line.strip() for line in text.splitlines() if line.strip()), "")
    match = _REVISES.search(text)
    if match is None:
        return message, None
    ids = tuple(part for part in match[1].replace(",", " ").split() if part != "None")
    return message, ids
