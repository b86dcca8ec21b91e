"""What rivals are told: values in, the text of `templates/comment/heads-up.md.j2` and a status line out."""

from __future__ import annotations

from collections.abc import Sequence

from onehead.plan.rivals import MOST_RIVALS, Clash, Rival
from onehead.plan.verdict import Examination
from onehead.quoting import code, plain
from onehead.render import environment
from onehead.reports.endings import compared
from onehead.reports.text import coverage_line
from onehead.wording import listed

MOST_NAMED = MOST_RIVALS - 1
"""Rivals that are named. Of more it only says that there are others: how many, nobody counts beyond `MOST_RIVALS`."""


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
        "rivals": clashes(rivals),
        "order": " → ".join(
            [*(f"#{each}" + (" (this one)" if each == number else "") for each in order), *_others(rivals)]
        ),
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


def clashes(rivals: Sequence[Rival]) -> list[str]:
    """What each rival shares with a pull request: a clause per thing, with everybody who shares it."""
    sharing: dict[tuple[Clash, str], list[str]] = {}
    for rival in rivals[:MOST_NAMED]:
        sharing.setdefault((rival.clash, rival.what), []).append(f"#{rival.number}")
    clauses = [
        f"{listed(numbers, MOST_NAMED)} {_shared(clash, what, many=len(numbers) > 1)}"
        for (clash, what), numbers in sharing.items()
    ]
    return [*clauses, *_others(rivals)]


def _others(rivals: Sequence[Rival]) -> list[str]:
    return ["others"] if len(rivals) > MOST_NAMED else []


def _shared(clash: Clash, what: str, *, many: bool) -> str:
    s = "" if many else "s"
    match clash:
        case Clash.ID:
            return f"{'carry' if many else 'carries'} another revision with the id {code(what)}"
        case Clash.PARENT:
            return (
                f"also add{s} a revision after {code(what)}"
                if what
                else f"also start{s} a chain of {'their' if many else 'its'} own"
            )
        case Clash.NUMBER:
            return f"also use{s} the number {code(what)}"
