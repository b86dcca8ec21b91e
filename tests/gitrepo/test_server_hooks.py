"""Places of hooks that only show with another owner; the rest is told in tests/cli/test_install_hook.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.process import UntrustedRepository
from onehead.gitrepo.server_hooks import of_repository
from tests.repositories import Repository


def test_a_hook_is_put_into_a_repository_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets up a server is often root; git itself would not open the repository."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = Repository(tmp_path / "shop.git").path
    # Git's own switch for testing this; changing the owner would need root.
    git = Git(path, environment={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    with pytest.raises(UntrustedRepository):
        git.run("rev-parse", "--git-dir")
    assert of_repository(git, path).program == path / "hooks/pre-receive.d/onehead"
