"""A file as git stores it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a tree.

    Attributes:
        path: path from the top of the repository, with `/`; undecodable bytes are surrogate-escaped.
        blob: git's object id of the content, in hex.
        data: the content, untouched.
    """

    path: str
    blob: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a repair does to one file.

    Attributes:
        path: the file to change; for a new file, where to create it.
        data: its new content; `None` deletes it.
        new_path: where the file moves to, when it is renamed.
    """

    path: str
    data: bytes | None
    new_path: str | None = None
