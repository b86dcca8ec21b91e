"""The `onehead` command: runs one verb, and turns its outcome into text and an exit code.

Exit codes: 0 healthy · 1 findings that would break a deploy · 2 wrong usage or configuration · 3 could not judge
(130 interrupted, 141 nobody reads the output any more, as shells have it).
Start-up time counts (`check` runs in every commit), so a verb is loaded only when it is asked for.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

from onehead.errors import OneheadError
from onehead.screen import Screens

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    with Screens():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(words: list[str]) -> int:
    options: argparse.Namespace | SimpleNamespace | None = _of_the_hook(words)
    if options is None:
        from onehead.cli.verbs import parse  # noqa: PLC0415

        options = parse(words)
    try:
        module, _, function = options.run_by.partition(":")
        code: int = getattr(import_module(f"onehead.{module}"), function or "run")(options)
        sys.stdout.flush()
    except OneheadError as error:
        print(f"onehead: {error.message}", file=sys.stderr)
        hint = error.hint
        if hint and getattr(options, "reads_repository", False):
            from onehead.cli.sides import again  # noqa: PLC0415

            hint = again(options, hint)
        if hint:
            print(f"  → {hint}", file=sys.stderr)
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
