"""From what a file declares to its place in a chain, by Alembic's own rules about file names."""

from __future__ import annotations

import re

from onehead.revisions.declared import Declared
from onehead.revisions.revision import Revision, Unreadable

_LEGACY_NAME = re.compile(r"([a-f0-9]+)\.py$")
"""Alembic takes the id from such a file name when the module declares no `revision`."""


def revision_of(path: str, blob: str, declared: Declared) -> Revision | Unreadable:
    """The revision that a file in a version directory holds, or why it can't be known."""
    if declared.broken:
        return Unreadable(path, blob, declared.line, declared.broken)
    for dynamic in declared.dynamic:
        if dynamic.name in ("revision", "down_revision"):
            reason = (
                f"`{dynamic.name}` is not a plain string but `{dynamic.text}`, which is only known once the file runs"
            )
            return Unreadable(path, blob, dynamic.line, reason, declared.revision, "dynamic")
    id_ = declared.revision
    if id_ is None:
        legacy = _LEGACY_NAME.match(path.rpartition("/")[2])
        if legacy is None:
            reason = "it declares no `revision`; Alembic refuses to load a version directory with such a file"
            return Unreadable(path, blob, 0, reason, None, "not-a-revision")
        id_ = legacy[1]
    if declared.parents is None:
        reason = "it declares no `down_revision`; Alembic refuses to load it"
        return Unreadable(path, blob, 0, reason, id_, "not-a-revision")
    return Revision(
        id=id_,
        parents=declared.parents,
        path=path,
        blob=blob,
        depends_on=declared.depends_on,
        branch_labels=declared.branch_labels,
        doc=declared.doc,
        revises=declared.revises,
        computed=tuple(dynamic.name for dynamic in declared.dynamic),
        refusal=declared.refusal,
    )
