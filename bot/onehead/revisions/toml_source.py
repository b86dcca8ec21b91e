"""Python's own TOML reader, behind the gate."""

from __future__ import annotations

import re
from typing import Any

from onehead.revisions.allowance import TooLarge, admit

MAX_PARTS = 32
"""Parts of one key (`tool.alembic` has two): the reader keeps every beginning of it: memory grows with the square."""

# Wherever it stands, in a text too: what would be missed there costs more than what is refused. A part that is longer
# than this pattern looks for leaves room for too few of them.
_PART = r"""(?:(?<![\w-])[\w-]{1,256}|"(?:[^"\\\n]|\\.){0,256}"|'[^'\n]{0,256}')"""
_LONG_KEY = re.compile(rf"(?:{_PART}[ \t]*\.[ \t]*){{{MAX_PARTS}}}")


def parse(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        TooLarge: it exceeds a bound; a `ValueError` as the next one is.
        ValueError: it is not TOML.
        Spent: the examination has parsed as much as it may.
    """
    import tomllib  # noqa: PLC0415 - most repositories have none to read, and `check` runs in every commit

    admit(text)
    if _LONG_KEY.search(text):
        raise TooLarge(f"it has a key of more than {MAX_PARTS} parts, so it was not parsed")
    try:
        return tomllib.loads(text)
    except (RecursionError, MemoryError):
        raise TooLarge("it is nested too deeply, so it was not parsed") from None
