"""What a repository wants of onehead. The defaults suit a project that never heard of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Strategy = Literal["auto", "merge", "reparent"]


class Policy(NamedTuple):
    """Choices of one repository.

    Attributes:
        strategy: `auto` re-parents what has not escaped and merges the rest; `merge` always merges; `reparent`
            re-parents even what has escaped, and says what that costs.
    """

    strategy: Strategy = "auto"
