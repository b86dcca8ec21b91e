"""Which Forgejos take part, and how to start one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.forgejos.real import VARIABLE, RealForgejo
from tests.forgejos.standin import StandinForgejo

if TYPE_CHECKING:
    from tests.forgejos.port import Forgejo

STANDIN = "stand-in"


def binaries() -> list[str]:
    """Give the Forgejo binaries that ONEHEAD_TEST_FORGEJO names: one, or several with the path separator between."""
    return [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]


def start(kind: str = STANDIN) -> Forgejo:
    """Start the stand-in, or the real Forgejo of a binary."""
    return StandinForgejo() if kind == STANDIN else RealForgejo(Path(kind))
