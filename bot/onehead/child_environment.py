"""What the processes that onehead starts see of its own variables.

Onehead's settings hold secrets (`ONEHEAD_TOKEN`, `ONEHEAD_WEBHOOK_SECRET`, `ONEHEAD_REPORT_SECRET` and more). A process
that does not get them can't leak them: in a crash report, to a helper it starts, or to whoever reads `/proc`.
"""

from __future__ import annotations

import os

OWN = "ONEHEAD_"
"""How the names of all settings begin; those of the files with secrets (`ONEHEAD_TOKEN_FILE`) too."""

NEEDED = frozenset(
    {
        *("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"),
        # Where git or its libraries stand elsewhere than usual.
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        # The way to the forge, and the authority that vouches for it.
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE"),
    }
)
"""All that a process of ours may need that acts for onehead itself. (curl never reads `HTTP_PROXY`.)"""


def needed() -> dict[str, str]:
    """The variables for a process that acts for onehead itself."""
    return {name: value for name, value in os.environ.items() if name in NEEDED}


def all_but_our_own() -> dict[str, str]:
    """The variables for a process that acts for the person who called: their keys, agents and helpers."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN)}


class OursHidden:
    """Onehead's own variables are out of sight while this context lasts: for libraries that start programs themselves.

    For the main thread, while no other reads settings.
    """

    def __enter__(self) -> None:
        self._ours = {name: value for name, value in os.environ.items() if name.startswith(OWN)}
        for name in self._ours:
            del os.environ[name]

    def __exit__(self, *_: object) -> None:
        os.environ.update(self._ours)
