"""What kustomize makes of `deploy/kubernetes/`, kept here because not every machine has kustomize.

`python -m tests.deploy.kustomize` renders it again, with `kubectl` 1.27 or newer.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.files import DEPLOY

SOURCES = DEPLOY / "kubernetes"
RENDERED = Path(__file__).parent / "rendered"
PLACES = {"embedded": "base", "postgresql": "overlays/postgresql", "example": "overlays/example"}
"""Variant → its folder below `deploy/kubernetes/`."""

IMAGE = re.compile(rb"(onehead:|newTag: )\d\S*$", re.MULTILINE)

Document = dict[str, Any]


def digest() -> str:
    """Of everything that is rendered: the same after a change means that nobody has rendered again.

    But for the version of the image, which a release writes into the sources and into what is kept.
    """
    found = hashlib.sha256()
    for file in sorted(SOURCES.rglob("*.yaml")):
        content = IMAGE.sub(rb"\1", file.read_bytes())
        found.update(f"{file.relative_to(SOURCES).as_posix()}\n{hashlib.sha256(content).hexdigest()}\n".encode())
    return found.hexdigest()


def first_line() -> str:
    """That of each file below `rendered/`."""
    return f"# By `python -m tests.deploy.kustomize`, of files with the digest {digest()}\n"


def kept(variant: str) -> str:
    return (RENDERED / f"{variant}.yaml").read_text(encoding="utf-8")


@cache
def documents(variant: str) -> list[Document]:
    return list(yaml.safe_load_all(kept(variant)))


def has_kustomize() -> bool:
    """Whether there is a kubectl that knows everything the files use; that of Debian 12 does not."""
    if shutil.which("kubectl") is None:
        return False
    asked = ["kubectl", "version", "--client", "--output=json"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    version = json.loads(done.stdout or "{}").get("kustomizeVersion", "v0")
    return int(version.removeprefix("v").split(".")[0]) >= 5


def render(variant: str) -> str:
    command = ["kubectl", "kustomize", str(SOURCES / PLACES[variant])]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


if __name__ == "__main__":
    if not has_kustomize():
        sys.exit("kubectl 1.27 or newer was not found on PATH.")
    for each in PLACES:
        (RENDERED / f"{each}.yaml").write_text(first_line() + render(each), encoding="utf-8")
