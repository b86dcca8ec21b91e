"""The databases that rules are measured on."""

from __future__ import annotations

from typing import Literal

Dialect = Literal["postgresql", "sqlite"]
EVERYWHERE: tuple[Dialect, ...] = ("postgresql", "sqlite")
POSTGRESQL: tuple[Dialect, ...] = ("postgresql",)
SQLITE: tuple[Dialect, ...] = ("sqlite",)
