"""`onehead sweep` where nothing can be swept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.repositories import environment


def test_a_forge_that_does_not_answer_is_said_in_a_sentence(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'forgejo_url = "http://127.0.0.1:9"\ntoken = "x"\ncache_dir = "{tmp_path}"\n')
    done = subprocess.run(
        [sys.executable, "-m", "onehead", "sweep", "--config", str(settings)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 3
    assert "onehead: Forgejo at 127.0.0.1:9 gave no answer to GET /user" in done.stderr
    assert "Traceback" not in done.stderr
