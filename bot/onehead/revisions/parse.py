"""Read one revision file: bytes in, what it declares out. Nothing is run.

Three readers, from quick to tolerant. Each one gives up rather than guess, and hands over to the next; a
value that would need running code to know is reported as dynamic.
"""

from __future__ import annotations

import re

from onehead.revisions import header
from onehead.revisions.model import Declared, Revision, Unreadable
from onehead.revisions.parsers import Spent, refusal_of

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is reported as unreadable."""


def parse(data: bytes) -> Declared:
    """Read what a file declares; never raises and never runs anything, whatever the bytes are."""
    if len(data) > MAX_BYTES:
        return Declared(broken=f"it is larger than {MAX_BYTES // (1024 * 1024)} MiB, so it was not read")
    found = header.read(data) or _patiently(data)
    # Of all that Python refuses, these are found without a parser.
    return check(found, data) if b"<<<<<<< " in data and not found.broken else found


def check(found: Declared, data: bytes) -> Declared:
    """The same with what Python refuses in the file, if that was not looked for; never raises."""
    if found.checked or found.broken:
        return found._replace(checked=True)
    try:
        return found._replace(checked=True, refusal=refusal_of(data))
    except Spent:
        return found


def _patiently(data: bytes) -> Declared:
    """For the few files without a plain header; loading Python's own parser costs more than reading 100 others."""
    from onehead.revisions import fallback, syntax  # noqa: PLC0415

    try:
        return syntax.read(data) or check(fallback.read(data), data)
    except Spent as limit:
        return Declared(broken=str(limit))
    except (RecursionError, MemoryError):
        return Declared(broken="it is nested too deeply to be read")


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
