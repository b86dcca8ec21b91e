"""The names of a module as running it would leave them, for the readers that follow its assignments."""

from __future__ import annotations

import ast

from onehead.revisions.declared import Declared, Dynamic
from onehead.revisions.python_source import unparsed

NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
"""What Alembic reads from a revision module."""

Value = str | tuple[str, ...] | list[str] | None
"""What a name may be known to hold. Anything else is of no use to Alembic, and counts as not known."""


class Scope:
    """Top-level names of one module as they stand at its end.

    Attributes:
        values: name → value, where it is known.
        unknown: name → line and source of a value that can't be known without running the file.
    """

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.unknown: dict[str, tuple[int, ast.AST | str]] = {}

    def bind(self, name: str, value: Value) -> None:
        """A name has a known value from here on."""
        self.values[name] = value
        self.unknown.pop(name, None)

    def forget(self, name: str, line: int, source: ast.AST | str) -> None:
        """A name's value can't be known from here on: it comes from `source`, at `line`."""
        self.values.pop(name, None)
        self.unknown[name] = (line, source)

    def forget_everything(self, line: int, source: ast.AST | str) -> None:
        """Any name may have been bound by `source`, at `line`; what is assigned afterwards is known again."""
        for name in ("revision", "down_revision", *self.values):
            self.forget(name, line, source)


def declared(scope: Scope, doc: str, revises: tuple[str, ...] | None) -> Declared:
    """The four names as Alembic would take them from a module that ends with this scope."""
    # Only these are shown: a block that binds thousands of names would be written out for each of them.
    unknown = {name: scope.unknown[name] for name in NAMES if name in scope.unknown}
    dynamic = {name: Dynamic(name, line, _shown(source)) for name, (line, source) in unknown.items()}
    values = {name: value for name, value in scope.values.items() if name in NAMES}
    id_ = values.get("revision")
    if "revision" in values and not isinstance(id_, str):
        dynamic["revision"] = Dynamic("revision", 0, f"{id_!r:.80}")
    labels = tuple(filter(None, _strings(values.get("branch_labels"))))
    if "branch_labels" in dynamic:
        labels = (dynamic["branch_labels"].text,)
    return Declared(
        revision=id_ if isinstance(id_, str) else None,
        parents=_strings(values["down_revision"]) if "down_revision" in values else None,
        depends_on=tuple(filter(None, _strings(values.get("depends_on")))),
        branch_labels=labels,
        doc=doc,
        revises=revises,
        dynamic=tuple(dynamic[name] for name in NAMES if name in dynamic),
    )


def _strings(value: Value) -> tuple[str, ...]:
    """A declared value as Alembic's `to_tuple` sees it."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _shown(source: ast.AST | str) -> str:
    return (unparsed(source) if isinstance(source, ast.AST) else " ".join(source.split()))[:80]
