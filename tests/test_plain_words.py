"""What people read has none of the words that made readers stop: idioms and inverted phrases.

Texts of the program are its string constants, docstrings apart; besides, the templates and the pages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IDIOMS = {
    "all the same": "still",
    "in silence": "silently",
    r"mend(?:s|ed|ing)?": "correct, repair",
    r"say [`'\"]?/onehead": "comment",
    "at three in the morning": "troubleshooting",
    "get well": "is repaired",
    r"(?:stands?|stood)(?!-in)": "is",
    r"(?:tells?|told)": "say, show, distinguish",
    "for ever": "forever",
    "anew": "again",
    "gets? along": "conflict, with the opposite sense",
    "fares?": "the result of something is",
    "worked on it": "changed it",
    "cope with": "meet",
    "amid": "during",
    "goes? by the name": "match",
    "in thought": "step by step",
    "in so many words": "explicitly",
    "took leave": "stopped",
}
"""Idiom → what to write instead."""


def texts(path: Path) -> Iterator[str]:
    """What a file shows to people."""
    words = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield words
        return
    tree = ast.parse(words)
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


@pytest.mark.parametrize("idiom", IDIOMS)
def test_no_text_has_the_idiom(idiom: str) -> None:
    read = [
        *(ROOT / "bot").rglob("*.py"),
        *(ROOT / "templates").rglob("*.j2"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").rglob("*.json"),
        *(ROOT / "deploy").rglob("*.md"),
        *ROOT.glob("*.md"),
    ]
    pattern = re.compile(rf"\b{idiom}".replace(" ", r"\s+") + r"\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {' '.join(text[max(0, hit.start() - 40) : hit.end() + 20].split())}"
        for path in read
        for text in texts(path)
        for hit in pattern.finditer(text)
        if " " in text.strip()
    ]
    assert found == [], f"write: {IDIOMS[idiom]}"
