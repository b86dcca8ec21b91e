"""The tables of the reference that only list what the code has. `python -m docs.generated` writes them into the pages.

A test compares them, so a page never lags behind. Tables that explain more than the code does are written by hand, and
compared by tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from onehead.commands import COMMANDS, usage
from onehead.plan.findings import KINDS, Code
from onehead.settings import SETTINGS

PAGES = Path(__file__).parent
BLOCK = re.compile(r"(?<=<!-- from the code: )(?P<name>[a-z-]+) -->\n.*?\n(?=<!-- end -->)", re.DOTALL)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, *rows)).replace("\n", f"\n|{'---|' * len(head)}\n", 1)


def _settings() -> str:
    return _table(
        ("setting", "default", "meaning"),
        (
            (
                f"[`{setting.variable}`](#{setting.variable.lower()})",
                "**required**" if setting.default is None else f"`{setting.default}`" if setting.default else "empty",
                setting.meaning,
            )
            for setting in SETTINGS
        ),
    )


def _commands() -> str:
    return _table(
        ("command", "what it does", "who may"),
        ((f"`{usage(verb)}`", kind.meaning, str(kind.who)) for verb, kind in COMMANDS.items()),
    )


def _findings() -> str:
    return _table(
        ("code", "severity", "in one line"),
        (
            (
                f"[`{code}`](#{code})",
                f"{KINDS[code].severity}{' that blinds' if KINDS[code].blinds else ''}",
                # What follows explains it, and is in the section of the code.
                re.split(r"[:;.](?:\s|$)", " ".join(KINDS[code].meaning.split()), maxsplit=1)[0],
            )
            for code in Code
        ),
    )


BLOCKS: dict[str, Callable[[], str]] = {"settings": _settings, "commands": _commands, "findings": _findings}


def refreshed(page: str) -> str:
    """A page with what the code has now in each of its blocks.

    Raises:
        KeyError: a block has a name that is none of `BLOCKS`.
    """
    return BLOCK.sub(lambda found: f"{found['name']} -->\n\n{BLOCKS[found['name']]()}\n", page)


if __name__ == "__main__":
    for path in PAGES.rglob("*.md"):
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
