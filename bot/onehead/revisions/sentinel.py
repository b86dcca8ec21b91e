"""Sentinel files: text files in which a project writes down its head, so that git shows two heads as a conflict.

Seen in the wild: `.current-alembic-head`, `HEADS`, `EXPAND_HEAD` and `CONTRACT_HEAD` beside the versions, and
`alembic_version_conflict_detection.txt` with the lines of `alembic heads`. A repair that leaves such a file behind is
half a repair: the project's own check would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from onehead.revisions.environment import Environment
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
from onehead.revisions.tree import parent

MAX_BYTES = 4096
"""A file that names heads and nothing else is not longer."""

_NAME = re.compile(r"\.?[\w-]*(?:head|alembic|migration|revision)[\w-]*(?:\.txt)?", re.IGNORECASE)
# The head, and what `alembic heads` prints after it: labels and "(head)".
_LINE = re.compile(r"(\S+)((?:[ \t]+\([^()]*\))*[ \t]*)")


def candidates(environment: Environment, paths: Iterable[str]) -> tuple[str, ...]:
    """Files that may be sentinels of an environment by place and name, sorted: in its directories and above them."""
    places = {environment.script_location or "", parent(environment.config or "")}
    todo = [*(location.path for location in environment.locations), *places]
    while todo:
        place = todo.pop()
        places.add(place)
        if place:
            todo.append(parent(place))
    found = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder in places and _NAME.fullmatch(name):
            found.append(path)
    return tuple(sorted(found))


def names_heads(data: bytes, graph: Graph) -> bool:
    """Whether every line of a file names a head of this chain, and at least one does."""
    return _read(data, graph) is not None


def advanced(data: bytes, before: Graph, after: Graph) -> bytes | None:
    """The same file once the chain has grown or moved: every head replaced by the one that it has become.

    Heads that have become one take one line. `None` where the file names no heads of `before`, or where it can't be
    told what one of them has become.
    """
    lines = _read(data, before)
    if lines is None:
        return None
    text: list[str] = []
    written: set[str] = set()
    for line, named in lines:
        if named is None:
            text.append(line)
            continue
        heirs = [head for head in after.heads if named.id in after.ancestors(head)]
        # A revision that got a new number is not found under the old one: where one head is left, that is it.
        heirs = heirs or (list(after.heads) if named.id not in after else [])
        if len(heirs) != 1:
            return None
        if heirs[0] not in written:
            written.add(heirs[0])
            word = line.split(None, 1)[0]
            text.append(line.replace(word, _spelled(after.revisions[heirs[0]], _forms(named).index(word)), 1))
    return "".join(text).encode()


def _read(data: bytes, graph: Graph) -> list[tuple[str, Revision | None]] | None:
    """Every line with the head that it names, `None` for an empty one; nothing where one names something else."""
    if len(data) > MAX_BYTES:
        return None
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return None
    known: dict[str, Revision] = {}
    for form in (2, 1, 0):  # an id goes before a file name
        known |= {_spelled(graph.revisions[head], form): graph.revisions[head] for head in graph.heads}
    found: list[tuple[str, Revision | None]] = []
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        named = known.get(match[1]) if match else None
        if named is None and line.strip():
            return None
        found.append((line, named))
    return found if any(named for _, named in found) else None


def _forms(revision: Revision) -> list[str]:
    """How a file may call a revision: by id, by the stem of its file, by the file's name."""
    name = revision.path.rpartition("/")[2]
    return [revision.id, name.removesuffix(".py"), name]


def _spelled(revision: Revision, form: int) -> str:
    return _forms(revision)[form]
