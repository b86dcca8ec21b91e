"""A real Chromium for tests of pages: Debian's, driven by Playwright, which brings none of its own here.

    apt-get install chromium

from tests.chromium import browser

__all__ = ["browser"]
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where the program is; `None` where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window, for one module: while it lives, Playwright's event loop runs in this thread."""
    program = chromium()
    if program is None:
        pytest.skip("NOT TESTED IN A BROWSER: no Chromium here; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        # Its own sandbox does not start for root; it opens nothing but our own pages.
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()
