"""Bytes of a revision file in, what it declares out; nothing is ever run.

Three readers, from quick to tolerant. Each one gives up rather than guess, and hands over to the next; a
value that would need running code to know is reported as dynamic.
"""

from __future__ import annotations

from onehead.revisions import plain_header
from onehead.revisions.allowance import Spent
from onehead.revisions.declared import Declared
from onehead.revisions.refusal import refusal_of

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is reported as unreadable."""


def parse(data: bytes) -> Declared:
    """Read what a file declares; never raises and never runs anything, whatever the bytes are."""
    if len(data) > MAX_BYTES:
        return Declared(broken=f"it is larger than {MAX_BYTES // (1024 * 1024)} MiB, so it was not read")
    found = plain_header.read(data) or _patiently(data)
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
    from onehead.revisions import line_scan, syntax_tree  # noqa: PLC0415

    try:
        return syntax_tree.read(data) or check(line_scan.read(data), data)
    except Spent as limit:
        return Declared(broken=str(limit))
    except (RecursionError, MemoryError):
        return Declared(broken="it is nested too deeply to be read")
