from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal_runs import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The terminal: `run("check", "--target", "main")`."""
    return runner(capsys, tmp_path / "cache", monkeypatch)
