"""The diagrams of the documentation are what onehead draws today; `make diagrams` draws them again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.diagrams import CASES, IMAGES, drawn
from tests.test_docs import DOCS


@pytest.mark.parametrize("name", CASES)
def test_a_diagram_is_up_to_date(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))
    assert (IMAGES / f"{name}.svg").read_text(encoding="utf-8") == drawn(tmp_path / "repo.git", CASES[name])


def test_every_diagram_is_on_a_page_and_described() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    shown = {name: alt for alt, name in re.findall(r"!\[([^\]]+)\]\([./]*images/([\w-]+)\.svg\)", pages)}
    assert shown.keys() == CASES.keys()
    assert all(len(alt) > 40 for alt in shown.values())
