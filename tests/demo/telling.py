"""What the demo says: numbered steps, quoted texts, and colours on a terminal only."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

WIDTH = 96
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


class DemoFailedError(Exception):
    """What should have happened did not. The text is for the person who ran the demo."""


class Teller:
    """Writes the story as it goes. Every line is flushed, for the next one may take seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        self._colours = self._stream.isatty() and not plain
        self._step = 0

    def title(self, text: str) -> None:
        self._line(self._styled(text, "bold"))

    def step(self, text: str) -> None:
        """Begin the next numbered step."""
        self._step += 1
        self._line("")
        self._line(self._styled(f"{self._step}  {text}", "bold"))

    def say(self, text: str) -> None:
        """One sentence or a few, broken to the width of a page."""
        self._block("   ", text)

    def good(self, text: str) -> None:
        """Something that was checked and is as it should be."""
        self._block(f"   {self._styled('✔', 'green')} ", text, indent="     ")

    def bad(self, text: str) -> None:
        """Something that is broken, as the story wants it to be at this point."""
        self._block(f"   {self._styled('✖', 'red')} ", text, indent="     ")

    def command(self, command: str, output: str) -> None:
        """A command as a person would type it, and what it printed."""
        self._line(f"     {self._styled('$ ' + command, 'blue')}")
        for line in output.rstrip().splitlines():
            self._block("     ", line)

    def quote(self, text: str) -> None:
        """A text of somebody else's, word for word; the lines of a diff get their colours."""
        for line in text.rstrip().splitlines():
            self._line(f"   {self._styled('│', 'dim')} {self._diff_line(line)}".rstrip())

    def entry(self, name: str, text: str) -> None:
        """A line of a list: a name, and what it is."""
        self._block(f"   {self._styled(f'{name:18}', 'blue')} ", text, indent=" " * 22)

    def blank(self) -> None:
        self._line("")

    def _diff_line(self, line: str) -> str:
        if line.startswith("+") and not line.startswith("+++"):
            return self._styled(line, "green")
        if line.startswith("-") and not line.startswith(("---", "- ")):
            return self._styled(line, "red")
        return line

    def _block(self, first: str, text: str, *, indent: str = "") -> None:
        """One sentence or a few, broken to the width of a page; `indent` is that of every line but the first."""
        indent = indent or " " * len(first)
        room = WIDTH - len(indent)
        for number, line in enumerate(textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)):
            self._line((indent if number else first) + line)

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colours else text

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
