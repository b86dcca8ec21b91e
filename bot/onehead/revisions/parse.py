"""Read one revision file: bytes in, what it declares out. Nothing is run.

Three readers, from quick to tolerant: patterns for the header that Alembic's own templates write, Python's syntax tree,
and single lines where Python can't parse the file. Each gives up rather than guess, and the next one takes over; a
value that would need running code to know is reported as dynamic. The first is several times quicker than the second,
and most files of every project are left to it alone.
"""

from __future__ import annotations

import re
from functools import lru_cache

from onehead.revisions import parsers
from onehead.revisions.model import MAX_BYTES, Declared, Revision, Unreadable, docstring
from onehead.revisions.parsers import Spent, has_cookie, python, refusal_of


def parse(data: bytes) -> Declared:
    """Read what a file declares; never raises and never runs anything, whatever the bytes are."""
    if len(data) > MAX_BYTES:
        return Declared(broken=f"it is larger than {MAX_BYTES // (1024 * 1024)} MiB, so it was not read")
    found = plain_header(data) or _patiently(data)
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
    from onehead.revisions.syntax import read_lines  # noqa: PLC0415 - for the few files without a plain header

    try:
        return syntax_tree(data) or check(read_lines(data), data)
    except Spent as limit:
        return Declared(broken=str(limit))
    except (RecursionError, MemoryError):
        return Declared(broken="it is nested too deeply to be read")


def syntax_tree(data: bytes) -> Declared | None:
    """Read the header alone where that is enough, else the whole file.

    Returns:
        `None` where Python can't parse it, or where it is too large (rows of data as code).

    Raises:
        Spent: the examination has parsed as much as it may.
        RecursionError, MemoryError: it is nested too deeply.
    """
    from onehead.revisions import syntax  # noqa: PLC0415 - loading it costs more than reading 100 plain headers

    block = re.search(_FIRST_BLOCK, data[: parsers.MAX_BYTES])
    if block and not has_cookie(data) and not _mentioned(data, block.start()):
        # A cut inside a string or a bracket never parses, so a header that parses really is a prefix.
        module = python(data[: block.start()])
        if module is not None:
            return syntax.read(module, may_hold_global=False)
    module = python(data)
    return None if module is None else syntax.read(module, may_hold_global=b"global" in data or has_cookie(data))


_FIRST_BLOCK = rb"(?m)^(?:def|async|class|@)"
"""Where the header of a revision file ends: nothing below runs while Alembic reads the ids."""

_HEADER = re.compile(
    rb"""
    (?:[ \t\r\f]*(?:\#.*)?\n)*                                     # comments
    (?:\"\"\"([^"\\]*(?:"(?!"")[^"\\]*)*)\"\"\"[ \t\r]*\n)?      # a plain docstring with nothing after it
    ((?:(?!def|async|class|@|(?:down_)?revision\b)(?:.+\n?|\n))*)  # lines above both ids
    ((?:(?:down_)?revision\b.*\n?)*)                               # both ids
    ((?:(?!def|async|class|@)(?:.+\n?|\n))*)                       # lines below them, up to the first block
    """,
    re.VERBOSE,
)
"""Fits any text. The lines above and below the ids are the same in most files of a project."""
_STRING = rb"""(?:"[^"\\]*"|'[^'\\]*')"""
_QUOTED = re.compile(_STRING)
_LITERAL = rb"None|" + _STRING + rb"|\((?:\s*" + _STRING + rb"(?:\s*,)?)*\s*\)"
_PLAIN_LINE = re.compile(
    rb"(?:from [\w.]+ )?import [\w., ]+(?:\s*\#.*)?|"
    rb"(revision|down_revision|branch_labels|depends_on)(?:\s*:[\w\s.,|\[\]]+)?\s*=\s*(" + _LITERAL + rb")\s*(?:\#.*)?"
)
_MAX_LINE_LENGTH = 2000
"""A line of the header that is longer is left to the syntax tree, so that no line can keep the patterns busy."""
_MAX_HEADER_LENGTH = 64 * 1024
"""Bytes; a longer one holds rows of data, and they are not plain."""
_TELLTALES = (b"revision", b"branch_labels", b"depends_on", b"import *", b"exec(", b"globals(", b"setattr(")


def plain_header(data: bytes) -> Declared | None:
    """What a plain header declares; `None` where the header is not plain."""
    if not data.isascii() or has_cookie(data) or (b"\r" in data and data.count(b"\r") != data.count(b"\r\n")):
        return None  # Python ends a line at a lone carriage return, the patterns here don't
    header = _HEADER.match(data, 0, _MAX_HEADER_LENGTH)
    if header is None or header.end() == _MAX_HEADER_LENGTH or _mentioned(data, header.end()):
        return None
    text, above, ids, below = header.groups(b"")
    values: dict[bytes, tuple[str, ...]] = {}
    for bound in (_bound_as_elsewhere(above), _bound_in(ids), _bound_as_elsewhere(below)):
        if bound is None:
            return None
        values.update(bound)
    if len(values.get(b"revision", ())) != 1 or b"down_revision" not in values:
        return None
    doc, revises = docstring(text.decode())
    return Declared(
        revision=values[b"revision"][0],
        parents=tuple(dict.fromkeys(values[b"down_revision"])),
        depends_on=tuple(filter(None, values.get(b"depends_on", ()))),
        branch_labels=tuple(filter(None, values.get(b"branch_labels", ()))),
        doc=doc,
        revises=revises,
    )


def _bound_in(lines: bytes) -> dict[bytes, tuple[str, ...]] | None:
    """What some lines bind our names to; `None` where one is not plain."""
    values = {}
    for line in lines.splitlines():
        if not line.strip() or line.startswith(b"#"):
            continue
        match = _PLAIN_LINE.fullmatch(line.rstrip()) if len(line) <= _MAX_LINE_LENGTH else None
        if match is None:
            return None
        name, literal = match.groups()
        if name is None:
            if _mentioned(line, 0):
                return None  # it may import one of the names
            continue
        quoted = _QUOTED.findall(literal) if literal.startswith(b"(") else [literal] if literal != b"None" else []
        if len(quoted) > 1 and literal.count(b",") < len(quoted) - 1:
            return None  # two strings with no comma between are one string to Python
        if name == b"revision" and b"," in literal:
            return None  # a tuple is no id
        values[name] = tuple([text[1:-1].decode() for text in quoted])
    return values


_bound_as_elsewhere = lru_cache(maxsize=64)(_bound_in)
"""Of lines that other files have as well; the answer is shared, so nobody may change it."""


def _mentioned(data: bytes, start: int) -> bool:
    """Whether one of the names, or a way to bind names unseen, appears after `start`: only then may it be rebound."""
    for word in _TELLTALES:  # noqa: SIM110 - a generator takes a quarter longer, for every file
        if data.find(word, start) >= 0:
            return True
    return False


_LEGACY_NAME = r"([a-f0-9]+)\.py$"
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
        legacy = re.match(_LEGACY_NAME, path.rpartition("/")[2])
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
        computed=tuple([dynamic.name for dynamic in declared.dynamic]),
        refusal=declared.refusal,
    )
