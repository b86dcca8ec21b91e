"""A developer's clone: commit files and push them, with real git over the forge's HTTP."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.forgejos.administration import HostedRepository, clone_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.forgejos.port import Account


class PushRefusedError(Exception):
    """A push was refused. The text is what git told the pusher."""


class WorkCopy:
    """A clone of a repository on a forge, in `folder`, that commits and pushes as one `account`."""

    def __init__(self, folder: Path, url: str, repository: HostedRepository, account: Account) -> None:
        self.folder = folder
        self.account = account
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "maintenance.auto",
            "GIT_CONFIG_VALUE_0": "false",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": account.name.title(),
            "GIT_AUTHOR_EMAIL": account.email,
            "GIT_COMMITTER_NAME": account.name.title(),
            "GIT_COMMITTER_EMAIL": account.email,
        }
        folder.mkdir(parents=True)
        self.git("clone", "-q", "--template=", clone_url(url, repository, account), ".")

    def git(self, *arguments: str) -> str:
        result = self._run(*arguments)
        assert result.returncode == 0, f"git {' '.join(arguments)}: {result.stderr}"
        return result.stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def branch(self, name: str, start: str = "main") -> None:
        """Make a branch and go there."""
        self.git("checkout", "-q", "-b", name, start)

    def switch(self, name: str) -> None:
        self.git("checkout", "-q", name)

    def commit(self, files: Mapping[str, str | None], message: str = "Change files") -> str:
        """Write files (None deletes one), commit them, and give the commit."""
        for name, content in files.items():
            file = self.folder / name
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *refspecs: str, force: bool = False) -> str:
        """Push refspecs (default: the current branch) and give what git said.

        Raises:
            PushRefusedError: the forge refused.
        """
        result = self._run("push", *(["--force"] if force else []), "origin", *(refspecs or ("HEAD",)))
        if result.returncode:
            raise PushRefusedError(result.stderr)
        return result.stderr

    def pull(self) -> None:
        """Bring the current branch up to the forge's state."""
        branch = self.git("rev-parse", "--abbrev-ref", "HEAD")
        self.git("fetch", "-q", "origin")
        self.git("reset", "-q", "--hard", f"origin/{branch}")
