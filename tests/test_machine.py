"""The tests and the demo say the same on everybody's machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import neutral

ROOT = Path(__file__).parents[1]

OWNER = """
[user]
    useConfigOnly = true
[init]
    defaultBranch = master
[commit]
    gpgSign = true
[core]
    autocrlf = true
    hooksPath = /nonexistent
[diff]
    noprefix = true
[protocol "file"]
    allow = never
[push]
    default = nothing
[url "https://nowhere.invalid/"]
    insteadOf = http://127.0.0.1
"""
"""What people really write into ~/.gitconfig, as far as it changes what git does."""

SHELL = {
    "GIT_DIR": "/nonexistent",
    "GIT_AUTHOR_DATE": "never",
    "GIT_CONFIG_COUNT": "broken",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "FORGEJO_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": "acme/onehead",
    "GITHUB_SHA": "0" * 40,
    "GITEA_REPO_IS_WIKI": "true",
    "ONEHEAD_TOKEN": "somebody's",
    "ONEHEAD_CACHE_DIR": "/nonexistent",
    "PGHOST": "nowhere.invalid",
    "LC_ALL": "C",
    "TZ": "Asia/Kathmandu",
    "COLUMNS": "20",
    "FORCE_COLOR": "1",
}

WITNESSES = (
    # Where each of these would show: a bare repository, a clone and a push over HTTP, a service, a CI job, a hook.
    "tests/cli/test_fix.py",
    "tests/stories/test_ci.py",
    "tests/cli/test_pre_commit.py",
    "tests/stories/test_fork_pulls.py",
    "tests/stories/test_pre_receive.py",
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tests_depend_on_nobodys_configuration(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text(OWNER)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", *WITNESSES],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **SHELL},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


def test_what_a_program_needs_stays(tmp_path: Path) -> None:
    needed = {"PATH": "/usr/bin", "TMPDIR": "/var/tmp", "LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin"}

    assert neutral({**needed, **SHELL} | needed, tmp_path) == {
        **needed,
        "LC_ALL": "C",
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
