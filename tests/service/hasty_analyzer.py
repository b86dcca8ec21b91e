"""The real analyzer, which does not wait long for work."""

from __future__ import annotations

from onehead.service import analyzer


def main() -> int:
    """Judge."""
    analyzer.SECONDS_IDLE = 0.3
    return analyzer.main()
