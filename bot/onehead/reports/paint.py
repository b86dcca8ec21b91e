"""Colours, or none: how a report marks words without knowing where it is read."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[[str, str], str]
"""Style name and text in, painted text out; the identity where there is no terminal."""


def plain(_style: str, text: str) -> str:
    """Paint nothing."""
    return text


def visible(text: str) -> str:
    """Text from a repository as a terminal may see it: no control characters, nothing invisible."""
    if text.isprintable():
        return text
    from onehead.quoting import visible as cleaned  # noqa: PLC0415 - rarely needed, and start-up time counts

    return cleaned(text)
