"""What a repair does to a file."""

from __future__ import annotations

from typing import NamedTuple


class FileChange(NamedTuple):
    """What a repair does to one file.

    Attributes:
        path: the file to change; for a new file, where to create it.
        data: its new content; `None` deletes it.
        new_path: where the file moves to, when it is renamed.
    """

    path: str
    data: bytes | None
    new_path: str | None = None
