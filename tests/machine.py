"""What the machine that runs the tests or the demo must not bring into them: its owner's settings, and its CI job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOREIGN = (
    # The configuration, identity and repository of git, and a person's folders of configuration and caches.
    *("GIT_", "EMAIL", "XDG_"),
    # The job that runs the tests, which is not the one that a test is about.
    *("CI", "FORGEJO_", "GITEA_", "GITHUB_", "GITLAB_", "RUNNER_", "PRE_COMMIT"),
    # Databases and settings of its own.
    *("PG", "MYSQL_", "ONEHEAD_"),
    # How a terminal looks.
    *("CLICOLOR", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PY_COLORS"),
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def neutral(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """These variables without what belongs to a person or a CI job; everything is on loopback, so no proxy either.

    Args:
        variables: of the process.
        home: an empty directory, instead of the person's.
    """
    kept = {
        name: value
        for name, value in variables.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    # No configuration of git is read, neither from the home directory nor from the system's.
    return kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
