"""The pictures of the documentation: diagrams are what onehead draws today, and every one is on a page, described.

`make diagrams` draws the diagrams again, `make gallery` takes the pictures of comments again.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.diagrams import CASES, IMAGES, drawn
from tests.test_docs import DOCS, ROOT


@pytest.mark.parametrize("name", CASES)
def test_a_diagram_is_up_to_date(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHEAD_CACHE_DIR", str(tmp_path / "cache"))
    assert (IMAGES / f"{name}.svg").read_text(encoding="utf-8") == drawn(tmp_path / "repo.git", CASES[name])


GALLERY = IMAGES / "gallery"
MAX_BYTES = 1_500_000


def test_the_gallery_shows_what_was_taken() -> None:
    files = {path.stem for path in GALLERY.iterdir()}
    taken = re.findall(r'shoot\("([\w-]+)"', (ROOT / "tests/stories/gallery.py").read_text(encoding="utf-8"))
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"!\[([^\]]{40,})\]\(images/gallery/([\w-]+)\.webp\)", page))
    on_top = re.findall(r"docs/images/gallery/([\w-]+)\.webp", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert files == set(taken) == {*shown.values(), *on_top}
    assert sum(path.stat().st_size for path in GALLERY.iterdir()) < MAX_BYTES


@pytest.mark.parametrize(
    ("programs", "missing"), [(["git"], "Chromium"), (["git", "chromium"], "ONEHEAD_TEST_FORGEJO")]
)
def test_the_gallery_says_what_it_lacks_and_fails(programs: list[str], missing: str, tmp_path: Path) -> None:
    for name in programs:
        (tmp_path / name).symlink_to(shutil.which("git") or "")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/stories/gallery.py"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "ONEHEAD_TEST_FORGEJO": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert missing in done.stdout


def test_every_diagram_is_on_a_page_and_described() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    shown = {name: alt for alt, name in re.findall(r"!\[([^\]]+)\]\([./]*images/([\w-]+)\.svg\)", pages)}
    assert shown.keys() == CASES.keys()
    assert all(len(alt) > 40 for alt in shown.values())
