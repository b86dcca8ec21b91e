"""`python -m tests.demo`, which is what `make demo` runs: the main job of onehead, shown and checked in a minute.

Exit codes: 0 all of it is really so, 1 it is not, 130 interrupted.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo.stage import open_stage
from tests.demo.story import play
from tests.demo.telling import DemoFailedError, Teller

if TYPE_CHECKING:
    from types import FrameType

SECONDS = 240
"""No demo takes longer, whatever hangs."""

FILES = {
    "pull-request.html": "open it in a browser: both pull requests, the comment with its graph, and Alembic's answers",
    "comment.html": "the comment alone",
    "comment.md": "the comment as Markdown, and comment-resolved.md once the repair was merged",
    "pull-request.md": "the repair pull request with its diff",
    "service.log": "what onehead serve logged",
}


def main() -> int:
    """Play the demo; returns the exit code."""
    options = _options()
    out = options.out
    tell = Teller()
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        _prepare(out)
        tell.title("onehead: the main job, with real git, real webhooks and Alembic itself")
        with open_stage(out) as stage:
            address = play(stage, tell)
            signal.alarm(0)
            _show_where(tell, out)
            if options.keep:
                _keep(tell, address, stage.service.url, stage.page_token)
    except KeyboardInterrupt:
        print("The demo was interrupted; everything it started has ended.", file=sys.stderr)
        return 130
    except (DemoFailedError, AssertionError, RuntimeError, OSError) as error:
        print(f"\nThe demo failed: {error}\nWhat it wrote so far is in {out}.", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="Shows the main job of onehead.")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where its files go (default: demo-out)")
    parser.add_argument("--keep", action="store_true", help="keep the servers running until Ctrl-C")
    return parser.parse_args()


def _prepare(out: Path) -> None:
    """Make sure of git and of a folder without older results; nothing but files of a demo is removed.

    Raises:
        DemoFailedError: there is no git, or no place for the folder.
    """
    if shutil.which("git") is None:
        raise DemoFailedError("Git was not found. Install git 2.38 or newer and put it on PATH.")
    if out.exists() and not out.is_dir():
        raise DemoFailedError(f"{out} is a file. Name a folder with --out, or move the file away.")
    out.mkdir(parents=True, exist_ok=True)
    for name in (*FILES, "comment-resolved.md"):
        (out / name).unlink(missing_ok=True)


def _show_where(tell: Teller, out: Path) -> None:
    tell.step(f"Everything worked. Look at {out}/")
    for name, what in FILES.items():
        tell.entry(name, what)


def _keep(tell: Teller, address: str, service: str, token: str) -> None:
    tell.step("Still running, until you press Ctrl-C")
    tell.say(f"{address} is the pull request; {service}/metrics and {service}/readyz are onehead's own.")
    tell.say(f"{service}/repositories shows what onehead knows; any user, and the password {token}.")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    tell.blank()
    tell.say("Ending everything.")


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise DemoFailedError(f"It took longer than {SECONDS} seconds. onehead's log is service.log.")


if __name__ == "__main__":
    sys.exit(main())
