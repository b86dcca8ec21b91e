"""Where a pre-receive hook that onehead 0.1.0 installed finds the command line: an upgrade must not stop its pushes."""  # noqa: INP001

from onehead.cli.main import main

__all__ = ["main"]
