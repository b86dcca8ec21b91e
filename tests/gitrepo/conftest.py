from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.git import Git
from tests.repositories import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """A bare repository, once with each of git's object formats."""
    return Repository(tmp_path / "repo.git", object_format=request.param)


@pytest.fixture
def git(repo: Repository) -> Git:
    return Git(repo.path)
