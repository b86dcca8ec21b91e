"""Passwords in addresses, hidden wherever an address may be repeated."""

from __future__ import annotations

import re

HIDDEN = "***"


def mask_urls(text: str) -> str:
    """A text with the passwords of all addresses in it hidden."""
    return re.sub(r"(://[^\s/:@]*):[^\s/]*@", rf"\1:{HIDDEN}@", text)
