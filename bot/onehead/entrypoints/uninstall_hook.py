"""`onehead uninstall hook`: take the pre-receive hook away, and what was made for it."""

from __future__ import annotations

import argparse

from onehead.entrypoints.install_hook import place_of
from onehead.gitrepo.server_hooks import take_away


def run(options: argparse.Namespace) -> int:
    """Uninstall; returns 0, everything else is an error."""
    place = place_of(options)
    found = take_away(place)
    print(f"hook: {place.program}: {'removed' if found else 'not there: already so'}.")
    return 0
