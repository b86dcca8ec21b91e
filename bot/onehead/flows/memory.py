"""What was parsed before: git names content by its hash, so a file that was read once never has to be read again.

One JSON file per repository in a cache directory. It may vanish or be spoiled at any moment: then everything is read
anew. Nothing but speed rests on it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from onehead.revisions.declared import Declared, Dynamic

_FORMAT = [1, sys.version_info[:2]]
"""Part of every file: another reader, or another Python (whose parser knows other syntax), starts afresh."""

_MOST = 50_000
"""Files remembered per repository; beyond that only those of the last run are kept."""


class Memory:
    """Blob id → what the file declares, for one repository."""

    def __init__(self, file: Path | None) -> None:
        """Remember in `file`; `None` remembers nothing beyond this process."""
        self._file = file
        self._known: dict[str, list[Any]] = {}
        self._used: set[str] = set()
        self._changed = False
        if file is not None:
            with suppress(OSError, ValueError, TypeError, KeyError):
                stored = json.loads(file.read_bytes())
                if stored["format"] == json.loads(json.dumps(_FORMAT)):
                    self._known = stored["blobs"]

    def recall(self, blobs: Collection[str]) -> dict[str, Declared]:
        """What is known about some blobs."""
        found = {}
        for blob in blobs:
            record = self._known.get(blob)
            if record is not None:
                with suppress(TypeError, ValueError):
                    found[blob] = _declared(record)
                    self._used.add(blob)
        return found

    def learn(self, blob: str, declared: Declared) -> None:
        """Remember one parsed blob."""
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
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
            draft.write_text(text)
            draft.replace(self._file)
            self._changed = False


def memory_for(repository: str, cache: Path | None = None) -> Memory:
    """The memory of one repository, named by its absolute path, in the user's cache directory."""
    root = cache or _cache_directory()
    if root is None:
        return Memory(None)
    return Memory(root / f"{sha256(os.fsencode(repository)).hexdigest()[:24]}.json")


def _cache_directory() -> Path | None:
    own = os.environ.get("ONEHEAD_CACHE_DIR")
    if own:
        return Path(own) / "parsed"
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "onehead" / "parsed"
    home = os.environ.get("HOME")
    return Path(home) / ".cache" / "onehead" / "parsed" if home else None


def _record(declared: Declared) -> list[Any]:
    return [
        declared.revision,
        declared.parents,
        declared.depends_on,
        declared.branch_labels,
        declared.doc,
        declared.revises,
        [[dynamic.name, dynamic.line, dynamic.text] for dynamic in declared.dynamic],
        declared.broken,
        declared.line,
    ]


def _declared(record: list[Any]) -> Declared:
    revision, parents, depends_on, labels, doc, revises, dynamic, broken, line = record
    return Declared(
        revision=revision,
        parents=None if parents is None else tuple(parents),
        depends_on=tuple(depends_on),
        branch_labels=tuple(labels),
        doc=doc,
        revises=None if revises is None else tuple(revises),
        dynamic=tuple(Dynamic(*item) for item in dynamic),
        broken=broken,
        line=line,
    )
