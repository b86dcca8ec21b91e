"""The essential change of a repair as a unified diff: two lines for a re-parent, a new file for a merge."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from onehead.reports.paint import Paint
from onehead.revisions.model import FileChange


def diff(changes: Iterable[FileChange], before: Mapping[str, bytes], context: int = 1) -> str:
    """Unified diff of all changes.

    Args:
        changes: what the repair does.
        before: content of the files as they are, by path; a path that is absent is a new file.
        context: unchanged lines around each change.
    """
    parts = []
    for change in changes:
        old, new = before.get(change.path), change.data
        name = change.new_path or change.path
        lines = difflib.unified_diff(
            _lines(old),
            _lines(new),
            f"a/{change.path}" if old is not None else "/dev/null",
            f"b/{name}" if new is not None else "/dev/null",
            n=context,
            lineterm="",
        )
        parts += [line.rstrip("\r\n") for line in lines]
    return "\n".join(parts) + "\n" if parts else ""


def painted(text: str, paint: Paint) -> str:
    """A unified diff in the colours that git gives it."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return "".join(f"{paint(style, line) if (style := _style(line)) else line}\n" for line in lines)


def _style(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "strong"
    return {"@": "place", "+": "added", "-": "removed"}.get(line[:1], "")


def _lines(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8", "replace").split("\n")
