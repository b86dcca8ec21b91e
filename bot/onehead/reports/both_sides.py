"""How the two sides of a fork get along, in a line and as an object. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onehead.plan.conflicts import Meeting, between
from onehead.plan.forks import Fork
from onehead.plan.verdict import Examined
from onehead.reports.paint import visible

INDEPENDENT = "no conflict: every operation on both sides was understood, and they touch different things"


def both_sides_lines(examined: Examined, fork: Fork) -> Iterator[str]:
    """One line per pair of heads; none where what they do was not read, as in a fork that the target has already."""
    for meeting in between(examined.meetings, fork):
        one, other = map(visible, meeting.heads)
        yield f"  {one} and {other}: {_said(meeting)}."


def independent_lines(examined: Examined) -> Iterator[str]:
    """The same for those that get along, where everything else is told as a finding."""
    for meeting in examined.meetings:
        if meeting.kind == "independent":
            one, other = map(visible, meeting.heads)
            yield f"  {one} and {other}: {_said(meeting)}."


def _said(meeting: Meeting) -> str:
    match meeting.kind:
        case "independent":
            return INDEPENDENT
        case "unknown":
            return "a person has to look whether they get along; `onehead check` says where"
        case "silent":
            return "both orders run, and leave different tables or rows; `onehead check` says which"
        case "order" if meeting.first is not None:
            return f"the side of {visible(meeting.first)} has to run first; `onehead check` says why"
        case "order":
            return "the order matters, and differs between databases; `onehead check` says why"
        case "conflict":
            return "they can't both run, in whichever order; `onehead check` says why"


def both_sides_document(examined: Examined, fork: Fork | None = None) -> list[dict[str, Any]]:
    """One object per pair of heads, of one fork or of all."""
    meetings = examined.meetings if fork is None else between(examined.meetings, fork)
    return [{"heads": list(each.heads), "verdict": each.kind, "first": each.first} for each in meetings]
