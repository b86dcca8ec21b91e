"""A connection to the forge that counts what is asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from onehead.forge.client import ApiAnswer, Connection


class Counting(Connection):
    """Counts requests by method."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.requests: Counter[str] = Counter()

    def send(self, method: str, *args: Any, **more: Any) -> ApiAnswer:
        """Count, and ask."""
        self.requests[method] += 1
        return super().send(method, *args, **more)
