"""What one file says about itself, before it has a place in a chain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
"""What Alembic reads from a revision module."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A declared value that can't be known without running the file.

    Attributes:
        name: `revision`, `down_revision`, `branch_labels` or `depends_on`.
        line: 1-based line of the assignment.
        text: the source text of the value, shortened.
    """

    name: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Declared:
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


@dataclass(slots=True)
class Scope:
    """Top-level names of one module as they stand at its end."""

    values: dict[str, object] = field(default_factory=dict)
    dynamic: dict[str, Dynamic] = field(default_factory=dict)

    def bind(self, name: str, value: object) -> None:
        """A name has a known value from here on."""
        self.values[name] = value
        self.dynamic.pop(name, None)

    def forget(self, name: str, line: int, text: str) -> None:
        """A name's value can't be known from here on: it comes from `text`, at `line`."""
        self.values.pop(name, None)
        self.dynamic[name] = Dynamic(name, line, " ".join(text.split())[:80])


def declared(scope: Scope, doc: str, revises: tuple[str, ...] | None) -> Declared:
    """The four names as Alembic would take them from a module that ends with this scope."""
    dynamic = {name: scope.dynamic[name] for name in NAMES if name in scope.dynamic}
    read: dict[str, tuple[str, ...] | None] = {}
    for name in NAMES:
        value = scope.values.get(name)
        read[name] = _strings(value)
        if read[name] is None and name not in dynamic:
            dynamic[name] = Dynamic(name, 0, f"{value!r:.80}")
    declares_id = "revision" in scope.values and scope.values["revision"] is not None
    ids = read["revision"] or ()
    if declares_id and len(ids) != 1 and "revision" not in dynamic:
        dynamic["revision"] = Dynamic("revision", 0, f"{scope.values['revision']!r:.80}")
    labels = tuple(filter(None, read["branch_labels"] or ()))
    if "branch_labels" in dynamic:
        labels = (dynamic["branch_labels"].text,)
    return Declared(
        revision=ids[0] if len(ids) == 1 and "revision" not in dynamic else None,
        parents=read["down_revision"] if "down_revision" in scope.values and "down_revision" not in dynamic else None,
        depends_on=tuple(filter(None, read["depends_on"] or ())),
        branch_labels=labels,
        doc=doc,
        revises=revises,
        dynamic=tuple(dynamic.values()),
    )


def _strings(value: object) -> tuple[str, ...] | None:
    """A declared value as Alembic's `to_tuple` sees it; `None` for what Alembic can't use."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return tuple(dict.fromkeys(value))
    return None


_REVISES = re.compile(r"^[ \t]*Revises:[ \t]*([^\r\n]*)", re.MULTILINE)


def docstring(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The message, and the ids of the `Revises:` line."""
    message = next((line.strip() for line in text.splitlines() if line.strip()), "")
    match = _REVISES.search(text)
    if match is None:
        return message, None
    ids = tuple(part for part in re.split(r"[\s,]+", match[1].strip()) if part and part != "None")
    return message, ids
