"""What a terminal gets beyond plain text: colours, and a sign of life when something takes long."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from types import SimpleNamespace
from typing import TYPE_CHECKING, TextIO

from onehead.reports.terminal import named_again
from onehead.screen import Paint, Screen, bare, plain

if TYPE_CHECKING:
    from rich.progress import Progress

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


@contextmanager
def sign_of_life(what: str, stream: TextIO | None = None, after: float = 1.0) -> Iterator[None]:
    """A line on a terminal's standard error when the work inside takes longer than a second; gone afterwards."""
    terminal = bare(stream or sys.stderr)
    if not terminal.isatty():
        yield
        return
    is_shown = threading.Event()

    def show() -> None:
        is_shown.set()
        print(f"\ronehead: {what} …", end="", file=terminal, flush=True)

    timer = threading.Timer(after, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if is_shown.is_set():
            print("\r\033[K", end="", file=terminal, flush=True)


_COMMAND = r"`onehead (check|databases|doctor|explain|fix|graph|states|verify)((?: [^`\n]*)?)`"
_WITH_SIDES = ("check", "fix", "graph", "states")
_NAMES_SIDES = r" --(?:at|target|head) "


def again(options: argparse.Namespace | SimpleNamespace, text: str, *, with_bare: bool = True) -> str:
    """A text of a verb that reads a repository, its commands between backticks as they are typed where the verb was.

    `with_bare`: also those that are no more than a verb.
    """
    repo, sides = named_again(options.repo), _sides(options)
    if not repo and not sides:
        return text

    def whole(found: re.Match[str]) -> str:
        verb, rest = found.groups()
        if not (rest or with_bare):
            return found[0]
        place = "" if " --repo " in rest else repo
        named = "" if verb not in _WITH_SIDES or re.search(_NAMES_SIDES, rest) else sides
        # `fix` repairs a target by itself where the others judge one.
        return f"`onehead {verb}{place}{named.replace(' --at ', ' --target ', 1) if verb == 'fix' else named}{rest}`"

    return re.sub(_COMMAND, whole, text)


def _sides(options: argparse.Namespace | SimpleNamespace) -> str:
    at = getattr(options, "at", None)
    if not hasattr(options, "head"):
        # A verb with one side, which is HEAD unless another is named.
        return "" if at in (None, "HEAD") else f" --at {quote(at)}"
    named = {"at": at, "target": options.target, "head": options.head}
    given = "".join(f" --{name} {quote(ref)}" for name, ref in named.items() if ref is not None)
    # What was asked of origin has to be asked again.
    return given if options.fetch == "auto" else f"{given} --fetch {options.fetch}"
