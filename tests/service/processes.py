"""What can be seen of another process (Linux)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path


def written_memory(number: int, memory: FileIO) -> Iterator[bytes]:
    """All that a process may have written to in its memory, region by region."""
    for line in Path(f"/proc/{number}/maps").read_text().splitlines():
        place, rights, *_ = line.split()
        if rights.startswith("rw"):
            begin, end = (int(each, 16) for each in place.split("-"))
            with suppress(OSError):
                memory.seek(begin)
                yield memory.read(end - begin)
