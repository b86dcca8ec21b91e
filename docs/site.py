"""Builds the site of the documentation: `make docs`, or `python -m docs.site FOLDER`.

Each version has a folder of its own in FOLDER, beside those that were built before; a menu leads from one to another.
Any server of files can publish FOLDER. The build fails on a link or an anchor that leads nowhere, on an image, script
or style of another host, and on a page that the site would lay out in another way than a forge does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/**/*", "deploy/**/*", "benchmarks/*.md")
DEVELOPMENT = "dev"
"""Where a version that is none of the released ones is."""

_BLOCKS = {"ol", "ul", "li", "pre", "table", "tr", "blockquote", "h1", "h2", "h3", "h4"}
_ASSETS = {"img": "src", "script": "src", "link": "href", "source": "srcset", "iframe": "src"}


class BadSite(Exception):
    """The site would not be as it should be; each line says where."""


class Layout(HTMLParser):
    """What a page is built of and loads; where it has an article, only that one's blocks.

    Attributes:
        blocks: the tags of its blocks, in their order.
        headings: the heading above each of them.
        loaded: addresses of images, scripts and styles.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.headings: list[str] = []
        self.loaded: list[str] = []
        self._inside = "<article" not in html
        self._heading = ""
        self._names = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        given = dict(attrs)
        self._inside |= tag == "article"
        if self._inside and tag in _BLOCKS:
            self._names = tag.startswith("h")
            self._heading = "" if self._names else self._heading
            self.blocks.append(tag)
            self.headings.append(self._heading)
        address = given.get(_ASSETS.get(tag, ""))
        if address and given.get("rel") != "canonical":
            self.loaded.append(address)

    def handle_data(self, data: str) -> None:
        """Note the words of a heading."""
        self._heading += data if self._names else ""

    def handle_endtag(self, tag: str) -> None:
        """Leave a heading, or the article: what follows that is the menu."""
        self._names &= tag not in _BLOCKS
        self._inside &= tag != "article"


def build(folder: Path, release: str) -> None:
    """Build one version into a folder, and bring the list of versions up to date.

    Raises:
        BadSite: what the site builder or one of the checks found.
    """
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        for path in _sources():
            place = staged / "pages" / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        shutil.copyfile(ROOT / "docs" / "zensical.toml", staged / "zensical.toml")
        done = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(staged / "zensical.toml")],
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            # Its last words are where it was in its own code.
            raise BadSite(f"{done.stdout}{done.stderr}".partition("Traceback")[0].rstrip())
        built = staged / "built"
        if faults := [*_read_differently(built), *_of_other_hosts(built)]:
            raise BadSite("\n".join(faults))
        shutil.rmtree(folder / release, ignore_errors=True)
        shutil.copytree(built, folder / release)
    list_versions(folder)


def _sources() -> Iterator[Path]:
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".toml"):
                yield path


def _read_differently(built: Path) -> Iterator[str]:
    """Pages that Zensical's Markdown and that of a forge take apart in different ways: nested lists, mostly."""
    forge = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    for path in _sources():
        if path.suffix != ".md":
            continue
        page = path.relative_to(ROOT)
        folder = page.parent if page.stem in ("README", "index") else page.with_suffix("")
        site = Layout((built / folder / "index.html").read_text(encoding="utf-8"))
        if place := differs(site, Layout(forge.render(path.read_text(encoding="utf-8")))):
            yield (
                f"{page}: the site takes what is below {place!r} apart in another way than a forge. "
                "Indent nested blocks by four spaces, and leave a line empty before a list."
            )


def differs(one: Layout, other: Layout) -> str:
    """The heading above the first block that only `one` or only `other` has there; empty where they are alike."""
    for number, (here, there) in enumerate(zip_longest(one.blocks, other.blocks)):
        if here != there:
            return ["", *other.headings][: number + 2][-1] or "the beginning"
    return ""


def _of_other_hosts(built: Path) -> Iterator[str]:
    for path in sorted(built.rglob("*.html")):
        for address in Layout(path.read_text(encoding="utf-8")).loaded:
            if urlsplit(address).netloc:
                yield f"{path.relative_to(built)}: loads {address}"


def list_versions(folder: Path) -> None:
    """Newest first, as the menu of versions reads them; the first page leads to the newest release."""
    found = sorted((path.name for path in folder.iterdir() if path.is_dir()), key=_age, reverse=True)
    newest = next((name for name in found if name != DEVELOPMENT), found[0])
    listed = [{"version": name, "title": name, "aliases": ["latest"] if name == newest else []} for name in found]
    (folder / "versions.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    leads = f'<meta charset="utf-8"><title>onehead</title><meta http-equiv="refresh" content="0; url={newest}/">'
    page = f'<!doctype html><html lang="en">{leads}<a href="{newest}/">onehead {newest}</a></html>\n'
    (folder / "index.html").write_text(page, encoding="utf-8")


def _age(release: str) -> tuple[int, ...]:
    return (sys.maxsize,) if release == DEVELOPMENT else tuple(int(part) for part in release.split("."))


def main() -> int:
    """Build the version that is installed."""
    installed = version("onehead")
    release = installed if installed.replace(".", "").isdecimal() else DEVELOPMENT
    folder = Path(sys.argv[1] if sys.argv[1:] else "site")
    try:
        build(folder, release)
    except BadSite as error:
        print(f"The site was not built.\n{error}", file=sys.stderr)
        return 1
    print(f"Built {folder / release}. Look at it: python -m http.server --bind 127.0.0.1 --directory {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
