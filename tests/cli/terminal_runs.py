"""The command line, run in this process: arguments in, exit code and what was printed out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onehead.cli.main import main
from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository


@dataclass(frozen=True)
class Done:
    """How one run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


def runner(capsys: pytest.CaptureFixture[str], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command line after another; nobody's cache or git configuration takes part."""
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(cache))
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*args: str | Path) -> Done:
        code = main([str(arg) for arg in args])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


def story(path: Path, *, bare: bool = True) -> Repository:
    """The main story: main and the branch `oauth` both grew from 002."""
    repo = Repository(path, bare=bare)
    repo.commit("main", merged(project(), chain(("001", None), ("002", "001"))), "Begin")
    repo.branch("oauth", "main")
    repo.commit("main", revision("003", "002", "player_teams"), "Player teams")
    repo.commit("oauth", merged(revision("004", "002", "custom_notes"), revision("005", "004", "oauth_tokens")))
    return repo


def clone(repo: Repository, path: Path, *options: str) -> Path:
    """A clone with a work tree, as a developer or a CI job has it."""
    repo.git("clone", "--quiet", *options, f"file://{repo.path}", str(path))
    return path
