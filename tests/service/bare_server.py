"""A plain git server for tests: a bare repository with onehead's hook in it, and a developer who pushes."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from onehead.cli.main import main
from tests.repositories import Repository, environment

ZERO = "0" * 40


class Server:
    """A bare repository with the hook as `install hook` puts it there, and a repository that pushes to it."""

    def __init__(self, folder: Path, *options: str, object_format: str = "sha1", default_branch: str = "main") -> None:
        self.bare = Repository(folder / "shop.git", object_format=object_format, default_branch=default_branch)
        self.developer = Repository(folder / "developer.git", object_format=object_format)
        self.cache = folder / "cache"
        self.install(*options)

    def install(self, *options: str) -> str:
        """`onehead install hook`; gives what it prints."""
        with redirect_stdout(io.StringIO()) as printed:
            assert main(["install", "hook", "--repository", str(self.bare.path), *options]) == 0
        return printed.getvalue()

    def push(self, *refspecs: str, force: bool = False, **variables: str) -> tuple[bool, str]:
        """Whether the push was accepted, and the lines of the hook."""
        command = ["git", "push", "--quiet", *(["--force"] if force else []), f"file://{self.bare.path}", *refspecs]
        done = subprocess.run(
            command,
            cwd=self.developer.path,
            env=environment() | {"ONEHEAD_CACHE_DIR": str(self.cache)} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        lines = [line.removeprefix("remote: ").rstrip() for line in done.stderr.splitlines() if line[:7] == "remote:"]
        return done.returncode == 0, "\n".join(line.removeprefix("remote:") for line in lines)

    def commit(self, branch: str, files: Mapping[str, str | None], at: str = "") -> str:
        """A commit of the developer's, on a branch that begins at another one if it is new."""
        if at:
            self.developer.branch(branch, at)
        return self.developer.commit(branch, files)

    def tip(self, branch: str) -> str | None:
        """What a branch is on the server."""
        return self.bare.ref(f"refs/heads/{branch}")


def wrapped_git(folder: Path, case: str, action: str) -> str:
    """A PATH on which git does something else for the commands that match a shell pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    real = next(
        str(Path(place) / "git") for place in os.environ["PATH"].split(os.pathsep) if (Path(place) / "git").exists()
    )
    script = folder / "git"
    script.write_text(f'#!/bin/sh\ncase " $* " in {case}) {action};; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
