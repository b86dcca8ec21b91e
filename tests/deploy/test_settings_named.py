"""Every file of `deploy/` names settings that exist, in comments too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, VARIABLES

FILES = [file for file in sorted(DEPLOY.rglob("*")) if file.suffix in {".yaml", ".service", ".md"}] + [
    ROOT / "Dockerfile"
]
NAMED = {file: set(re.findall(r"\bONEHEAD_[A-Z_]+\b", file.read_text())) for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_setting_that_a_deployment_names_exists(file: Path) -> None:
    assert NAMED[file] <= VARIABLES


def test_settings_are_found_at_all() -> None:
    assert sum(1 for names in NAMED.values() if names) >= 10
