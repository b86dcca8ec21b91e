"""What rivals are told: values in, the text of `templates/comment/heads-up.md.j2` and a status line out."""

from __future__ import annotations

from collections.abc import Sequence

from onehead.plan.rivals import Clash, Rival
from onehead.plan.verdict import Examination
from onehead.quoting import code, plain
from onehead.render import environment
from onehead.reports.endings import compared
from onehead.reports.text import coverage_line

MOST_NAMED = 3
"""Rivals that are named. Of more it only says that there are others: a number would change with every new one."""


def waits(number: int, rivals: Sequence[Rival]) -> tuple[Rival, ...]:
    """Those that a pull request has to let go first: older ones with another revision under the same id."""
    return tuple(rival for rival in rivals if rival.clash is Clash.ID and rival.number < number)


def heads_up(number: int, rivals: Sequence[Rival], examination: Examination) -> str:
    """The comment on a pull request that is well but for its rivals."""
    shown = rivals[:MOST_NAMED]
    order = sorted({number, *(rival.number for rival in shown)})
    values = {
        "waits": [f"#{rival.number}" for rival in waits(number, rivals)[:MOST_NAMED]],
        "id": next((code(rival.what) for rival in waits(number, rivals)), ""),
        "rivals": [{"number": f"#{rival.number}", "clash": clash(rival)} for rival in shown],
        "others": len(rivals) > len(shown),
        "order": " → ".join(f"#{each}" + (" (this one)" if each == number else "") for each in order),
        "coverage": coverage_line(examination),
        "compared": compared(examination),
    }
    return environment().get_template("comment/heads-up.md.j2").render(**values).strip() + "\n"


def rivals_line(number: int, rivals: Sequence[Rival]) -> str:
    """What the commit status says; it stays green, but for the younger of two with the same id."""
    blocking = waits(number, rivals)
    if blocking:
        first = blocking[0]
        return (
            f"#{first.number} carries another revision with the id {plain(first.what)}; merge that first, or give this "
            "one an id of its own."
        )
    named = " and ".join(f"#{rival.number}" for rival in rivals[:2])
    more = " and others" if len(rivals) > 2 else ""
    return f"One head. Heads-up: {named}{more} would collide with this once both land; the second is repaired then."


def clash(rival: Rival) -> str:
    """What it shares with this one, as a clause."""
    match rival.clash:
        case Clash.ID:
            return f"carries another revision with the id {code(rival.what)}"
        case Clash.PARENT:
            return f"also adds a revision after {code(rival.what)}" if rival.what else "also starts a chain of its own"
        case Clash.NUMBER:
            return f"also uses the number {code(rival.what)}"
