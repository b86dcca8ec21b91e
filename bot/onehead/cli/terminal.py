"""What a terminal gets beyond plain text: colours, and a sign of life when something takes long."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Self, TextIO

from onehead.cli.main import Screen, bare
from onehead.reports.parts import Paint, plain

_COLOURS = {
    "good": "1;32",
    "bad": "1;31",
    "strong": "1",
    "error": "31",
    "warning": "33",
    "note": "36",
    "target": "0",
    "head": "34",
    "repair": "32",
    "added": "32",
    "removed": "31",
    "place": "36",
}


def painter(stream: TextIO) -> Paint:
    """Colours for a terminal, plain text for anything else; NO_COLOR and then FORCE_COLOR decide otherwise."""
    if os.environ.get("NO_COLOR") or not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return plain
    mark = stream.mark if isinstance(stream, Screen) else "\033["
    return lambda style, text: f"{mark}{_COLOURS[style]}m{text}{mark}0m"


class SignOfLife:
    """A line on a terminal's standard error when the work inside takes longer than a second; gone afterwards."""

    def __init__(self, what: str, stream: TextIO | None = None, after: float = 1.0) -> None:
        """Announce `what` on `stream` (default: standard error) after so many seconds."""
        self._stream = bare(stream or sys.stderr)
        self._text = f"onehead: {what} …"
        self._timer = threading.Timer(after, self._show) if self._stream.isatty() else None
        self._shown = False

    def __enter__(self) -> Self:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer.join()
        if self._shown:
            print("\r\033[K", end="", file=self._stream, flush=True)

    def _show(self) -> None:
        self._shown = True
        print(f"\r{self._text}", end="", file=self._stream, flush=True)
