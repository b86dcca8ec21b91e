"""What was parsed before: git names content by its hash, so a file that was read once never has to be read again.

One JSON file per repository in a cache directory. It may vanish or be spoiled at any moment: then everything is read
anew. Nothing but speed rests on it.
"""

# `check` runs in every commit, and pathlib takes as long to load as a hundred revisions to read.
# ruff: noqa: PTH103, PTH105, PTH118, PTH120, PTH123

from __future__ import annotations

import json
import os
import sys
from binascii import crc32
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from onehead.revisions.model import Declared, Dynamic, Refusal
from onehead.revisions.parsers import SPENT

_FORMAT = [6, list(sys.version_info[:2])]
"""Part of every file: another reader, or another Python (whose parser knows other syntax), starts afresh."""

_MOST = 50_000
"""Files remembered per repository; beyond that only those of the last run are kept."""


class Memory:
    """Blob id → what the file declares, for one repository."""

    def __init__(self, file: str | None) -> None:
        """Remember in `file`; `None` remembers nothing beyond this process."""
        self._file = file
        self._known: dict[str, list[Any]] = {}
        self._used: set[str] = set()
        self._changed = False
        if file is not None:
            with suppress(OSError, ValueError, TypeError, KeyError, RecursionError), open(file, "rb") as stored:
                content = json.loads(stored.read())
                if content["format"] == _FORMAT and isinstance(content["blobs"], dict):
                    self._known = content["blobs"]

    def recall(self, blobs: Collection[str]) -> dict[str, Declared]:
        """What is known about some blobs."""
        found = {}
        for blob in blobs:
            record = self._known.get(blob)
            if record is not None:
                try:
                    found[blob] = _declared(*record)
                except (TypeError, ValueError):
                    continue  # spoiled: it is read anew
        self._used.update(found)
        return found

    def learn(self, blob: str, declared: Declared) -> None:
        """Remember one parsed blob; not one for which the examination had nothing left, as the next one may have."""
        if declared.broken == SPENT:
            return
        self._known[blob] = _record(declared)
        self._used.add(blob)
        self._changed = True

    def save(self) -> None:
        """Write to disk what is new; a cache that can't be written is no trouble."""
        if self._file is None or not self._changed:
            return
        kept = self._known
        if len(kept) > _MOST:
            kept = {blob: record for blob, record in kept.items() if blob in self._used}
        text = json.dumps({"format": _FORMAT, "blobs": kept}, separators=(",", ":"))
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            draft = f"{self._file}.{os.getpid()}"
            with open(draft, "w", encoding="ascii") as file:
                file.write(text)
            os.replace(draft, self._file)
            self._changed = False


def memory_for(repository: str, cache: str | os.PathLike[str] | None = None) -> Memory:
    """The memory of one repository, named by its absolute path, in the user's cache directory."""
    root = os.fspath(cache) if cache else _cache_directory()
    if root is None:
        return Memory(None)
    # Two repositories may share a name: what a blob declares is the same everywhere.
    return Memory(os.path.join(root, f"{crc32(os.fsencode(repository)):08x}.json"))


def _cache_directory() -> str | None:
    own = os.environ.get("ONEHEAD_CACHE_DIR")
    if own:
        return os.path.join(own, "parsed")
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return os.path.join(base, "onehead", "parsed")
    home = os.environ.get("HOME")
    return os.path.join(home, ".cache", "onehead", "parsed") if home else None


def _record(declared: Declared) -> list[Any]:
    """What most files say comes first; what most don't say is left out at the end."""
    record: list[Any] = [declared.revision, declared.parents, declared.doc, declared.revises]
    rare = (declared.depends_on, declared.branch_labels, declared.dynamic, declared.broken, declared.line)
    checked = (declared.checked, declared.refusal)
    return [*record, *rare, *checked] if any((*rare, *checked)) else record


def _declared(  # noqa: PLR0913, PLR0917 - the record, unpacked
    revision: str | None,
    parents: list[str] | None,
    doc: str,
    revises: list[str] | None,
    depends_on: Collection[str] = (),
    labels: Collection[str] = (),
    dynamic: Collection[list[Any]] = (),
    broken: str = "",
    line: int = 0,
    checked: bool = False,
    refusal: list[Any] | None = None,
) -> Declared:
    return Declared(
        revision,
        None if parents is None else tuple(parents),
        tuple(depends_on),
        tuple(labels),
        doc,
        None if revises is None else tuple(revises),
        tuple(Dynamic(*item) for item in dynamic),
        broken,
        line,
        checked,
        None if refusal is None else Refusal(*refusal),
    )
