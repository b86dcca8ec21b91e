"""Text as a terminal may have it: what would move its cursor, recolour it, or reorder letters is shown, not obeyed.

A ref, a path, an option, a file name or an answer of a server can hold such characters, and a terminal that obeys them
shows another verdict than the one that was printed.
"""

from __future__ import annotations

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_REORDERING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_BREAKING = (0x2028, 0x2029)
_SHOWN = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\n\t"}
_SHOWN |= {code: f"\\u{code:04x}" for code in (*_REORDERING, *_BREAKING)}


def shown(text: str) -> str:
    r"""The text with every such character in the notation of a Python string (`\x1b`); lines and tabs stay."""
    return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)
