"""What the Dockerfile and the files of `deploy/` say, and what they may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from onehead.settings import SETTINGS, Settings, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VARIABLES = {name for s in SETTINGS for name in (s.variable, f"{s.variable}_FILE" if s.is_secret else s.variable)}
DATABASE_URL = "postgresql://onehead@postgresql/onehead"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: (name, arguments), continued lines joined and comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in pairs]


def last(name: str) -> str:
    """The arguments of the last such instruction, which is the one that counts."""
    return [rest for each, rest in instructions() if each == name][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def settings_with(variables: Mapping[str, str], secrets: str, folder: Path) -> Settings:
    """What the service reads where these variables are set, and files with secrets lie below `secrets`."""
    named = {name: text for name, text in variables.items() if text.startswith(f"{secrets}/")}
    for name, text in named.items():
        content = DATABASE_URL if name == "ONEHEAD_DATABASE_URL_FILE" else "content"
        (folder / Path(text).name).write_text(f"{content}\n")
    return load({**variables, **{name: str(folder / Path(text).name) for name, text in named.items()}})
