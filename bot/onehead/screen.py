"""What a verb prints: the last step before a terminal, and the colours and bars that one gets."""

from __future__ import annotations

import io
import os
import sys
from _thread import RLock
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from onehead.text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self, TextIO

    from rich.progress import Progress

Paint = Callable[[str, str], str]
"""Style name and text in, painted text out; the identity where there is no terminal."""


def plain(_style: str, text: str) -> str:
    """Paint nothing."""
    return text


# Python before 3.11.10 can crash where two threads write to one stream of text at the same moment.
_writing = RLock()


class Screen:
    """A stream on which nothing but our own colours is obeyed.

    Attributes:
        mark: begins an escape sequence of ours. Nobody else can know it, so nobody else's text has one.
        bare: the stream behind it, for what is made of nothing but our own words.
    """

    def __init__(self, stream: TextIO) -> None:
        self.bare = stream
        self.mark = f"\033{os.urandom(8).hex()}["

    def write(self, text: str) -> int:
        """Write text; control characters are shown, and marks become what they stand for."""
        harmless = "\033[".join(map(shown, text.split(self.mark))) if "\033" in text else shown(text)
        with _writing:
            self.bare.write(harmless)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self.bare, name)


class Screens:
    """Standard output and standard error are screens while this context lasts."""

    def __enter__(self) -> Self:
        self._before = sys.stdout, sys.stderr
        for stream in self._before:
            if isinstance(stream, io.TextIOWrapper):
                # A file name of any bytes must not turn a verdict into a traceback.
                stream.reconfigure(errors="backslashreplace")
        sys.stdout, sys.stderr = cast("TextIO", Screen(sys.stdout)), cast("TextIO", Screen(sys.stderr))
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._before


def bare(stream: TextIO) -> TextIO:
    """The stream behind a screen, for libraries that draw themselves; what they draw must be `shown` before."""
    return stream.bare if isinstance(stream, Screen) else stream


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


def progress_bar() -> Progress:
    """A bar on a terminal's standard error, gone afterwards; nothing anywhere else."""
    from rich.console import Console  # noqa: PLC0415 - `check` runs in every commit
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(file=bare(sys.stderr)), transient=True, disable=not sys.stderr.isatty())
