"""Completion for bash, zsh and fish, made from the command line itself when a wheel is built."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {
    "bash": "share/bash-completion/completions/onehead",
    "zsh": "share/zsh/site-functions/_onehead",
    "fish": "share/fish/vendor_completions.d/onehead.fish",
}
"""Where each shell looks for it below the prefix of an installation."""


def scripts(root: Path) -> dict[str, str]:
    """Shell → its script, for the source tree at `root`."""
    import shtab  # noqa: PLC0415 - needed to build a wheel, not to look at this file

    sys.path.insert(0, str(root / "bot"))
    try:
        from onehead.cli.verbs import whole  # noqa: PLC0415
    finally:
        sys.path.remove(str(root / "bot"))
    return {shell: shtab.complete(whole(), shell) for shell in PLACES}


class CompletionHook(BuildHookInterface[Any]):
    """Puts the scripts into a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make them, unless the installation is an editable one."""
        if version == "editable":
            return
        folder = Path(tempfile.mkdtemp(prefix="onehead-completion-"))
        for shell, text in scripts(Path(self.root)).items():
            path = folder / shell
            path.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(path)] = PLACES[shell]
