"""What a repository wants of onehead. The defaults suit a project that never heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Strategy = Literal["auto", "merge", "reparent"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices of one repository.

    Attributes:
        strategy: `auto` re-parents what has not escaped and merges the rest; `merge` always merges; `reparent`
            re-parents even what has escaped, and says what that costs.
    """

    strategy: Strategy = "auto"
