"""What depends on where a release is published: the project's addresses, and where the links of its README lead."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "RELEASE_URL"
"""The repository's page on its Forgejo, such as https://git.example.org/tools/onehead. No code knows the real one."""

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?!https?:|#)(?P<path>[^()\s]+)\)")
PICTURE = re.compile(r"<picture>.*?</picture>\n*", re.DOTALL)
PICTURED = re.compile(r'(?:(?<=src=")|(?<=srcset="))[^":]+(?=")')


def urls(home: str, tree: str) -> dict[str, str]:
    """What a package index shows beside the text."""
    return {
        "Source": home,
        "Documentation": f"{home}/src/{tree}/docs/index.md",
        "Changelog": f"{home}/src/{tree}/CHANGELOG.md",
        "Issues": f"{home}/issues",
    }


def readme(text: str, home: str, tree: str) -> str:
    """The README for a place without the files that it links to.

    Without a `home`, its links become their words, and its pictures for light and dark are left out.
    """

    def absolute(link: re.Match[str]) -> str:
        image, words, path = link.group("image", "text", "path")
        return f"{image}[{words}]({home}/{'raw' if image else 'src'}/{tree}/{path})" if home else words

    pictured = PICTURED.sub(rf"{home}/raw/{tree}/\g<0>", text) if home else PICTURE.sub("", text)
    return LINK.sub(absolute, pictured)


class AddressHook(MetadataHookInterface):
    """Sets `urls` and `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Read where the release is published. An sdist holds both already, and hatchling asks for neither again."""
        home = os.environ.get(VARIABLE, "").rstrip("/")
        version = metadata["version"]
        tree = f"tag/v{version}" if re.fullmatch(r"[\d.]+((a|b|rc)\d+)?", version) else "branch/main"
        if home:
            metadata["urls"] = urls(home, tree)
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": readme(text, home, tree)}
