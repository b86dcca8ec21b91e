"""Several things in one sentence: the first of them by name, and the number of the rest. Pure.

Whoever may push decides how many there are and how long their names; a sentence stays one that a person reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

MOST_NAMED = 8
"""Things that a sentence names."""

LONGEST_NAME = 120
"""Characters of a name that a sentence shows."""


def listed(names: Collection[str], most: int = MOST_NAMED, joint: str = ", ", last: str = " and ") -> str:
    """`a`, `a and b`, `a, b and c`, or `a, b, c and 997 more`; nothing for none.

    Args:
        names: in the order in which they are to be named, shortened where that is needed.
        most: how many of them.
        joint: what stands between two of them.
        last: what stands before the last one; where some are left out, that is always "and".
    """
    shown = list(islice(names, most))
    rest = len(names) - len(shown)
    if rest:
        return f"{joint.join(shown)} and {rest} more"
    return joint.join(shown[:-1]) + (last if shown[1:] else "") + "".join(shown[-1:])


def quoted(names: Collection[str], most: int = MOST_NAMED, joint: str = ", ") -> str:
    """The same, each shortened and between backticks."""
    shown = [f"`{shortened(name)}`" for name in islice(names, most)]
    return listed([*shown, *[""] * (len(names) - len(shown))], most, joint)


def shortened(name: str) -> str:
    """A name as a sentence shows it."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def becomes(new_ids: Mapping[str, str], most: int = MOST_NAMED) -> str:
    """`a` becomes `b`, and so on; nothing for none.

    Args:
        new_ids: old name → new one.
        most: how many of them.
    """
    shown = [f"`{shortened(old)}` becomes `{shortened(new)}`" for old, new in islice(new_ids.items(), most)]
    return listed([*shown, *[""] * (len(new_ids) - len(shown))], most)
