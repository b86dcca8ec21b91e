"""The `onehead` command: runs one verb, and turns its outcome into text and an exit code.

Exit codes: 0 healthy · 1 findings that would break a deploy · 2 wrong usage or configuration · 3 could not judge
(130 interrupted, 141 nobody reads the output any more, as shells have it).
Start-up time counts (`check` runs in every commit), so a verb is loaded only when it is asked for.
"""

from __future__ import annotations

import io
import os
import sys
from _thread import RLock
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from onehead.errors import OneheadError
from onehead.text import shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Any, Self, TextIO

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout, sys.stderr = self._before


def bare(stream: TextIO) -> TextIO:
    """The stream behind a screen, for libraries that draw themselves; what they draw must be `shown` before."""
    return stream.bare if isinstance(stream, Screen) else stream


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    with Screens():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(words: list[str]) -> int:
    options = _of_the_hook(words) or _of_a_person(words)
    try:
        module, _, function = options.run_by.partition(":")
        code: int = getattr(import_module(f"onehead.{module}"), function or "run")(options)
        sys.stdout.flush()
    except OneheadError as error:
        print(f"onehead: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  → {error.hint}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has enough of it. What Python still holds would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:
        from traceback import print_exc  # noqa: PLC0415

        print("onehead: Something is wrong inside onehead, so nothing was judged.", file=sys.stderr)
        print("  → Report what follows; it may hold names from your repository.", file=sys.stderr)
        print_exc()
        return 3
    except KeyboardInterrupt:
        print("onehead: interrupted.", file=sys.stderr)
        return 130
    return code


def _of_the_hook(words: list[str]) -> SimpleNamespace | None:
    """The options of `pre-receive` as `install hook` writes them; `None` for every other command line.

    It runs in every push, and loading argparse takes as long as letting most pushes through.
    """
    match words:
        case ["pre-receive", "--on-error", "allow" | "refuse" as on_error, "--timeout", seconds] if seconds.isdecimal():
            if int(seconds) > 0:
                return SimpleNamespace(run_by="cli.pre_receive", on_error=on_error, timeout=float(seconds))
    return None


def _of_a_person(words: list[str]) -> argparse.Namespace:
    from onehead.cli.verbs import parse  # noqa: PLC0415

    return parse(words)


if __name__ == "__main__":
    sys.exit(main())
