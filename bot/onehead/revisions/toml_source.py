"""The TOML of a repository, which a stranger may have written: parsed within bounds."""

from __future__ import annotations

from typing import Any

MAX_LENGTH = 1024 * 1024
"""Characters of one file; the largest real `pyproject.toml` are a tenth of it."""

MAX_DOTS = 200
"""In one line. Python's parser keeps every beginning of a dotted key: 31 KB of `a.a.a… = 1` take it a gigabyte."""


def parse(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        ValueError: it is not TOML, or beyond the bounds; the text is a clause.
    """
    import tomllib  # noqa: PLC0415 - most repositories have none that concerns us, and `check` runs in every commit

    if len(text) > MAX_LENGTH:
        raise ValueError(f"it has more than {MAX_LENGTH // 1024} Ki characters")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"more than {MAX_DOTS} dots in one line (at line {number})")
    try:
        return tomllib.loads(text)
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply") from None
