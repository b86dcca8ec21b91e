"""Where it is measured, and what with."""

from __future__ import annotations

import compileall
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

TIMES = "\N{MULTIPLICATION SIGN}"

DOOR = "import sys; from onehead.cli.main import main; sys.exit(main())"
"""The script that pip makes for `onehead`, and the one in the hook."""


def installed(place: Path) -> Path:
    """A compiled copy of the package: an installed one has its bytecode beside it, a checkout may not."""
    package = place / "site"
    shutil.copytree(_ROOT / "bot", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_ROOT / "templates", package / "onehead" / "_templates")
    compileall.compile_dir(package, quiet=2)
    return package


def machine(rounds: int) -> str:
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True, timeout=60).stdout.split()[2]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, git {git}, Alembic {version('alembic')}; load at the start "
        f"{os.getloadavg()[0]:.1f}. Median of {rounds} interleaved rounds."
    )
