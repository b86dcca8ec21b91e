"""One side of a fork: its operations in the order they run, and what they amount to for somebody outside."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.operations.clash import Act
from onehead.operations.footprint import touches
from onehead.operations.operation import Step
from onehead.operations.touch import Thing, Touch, inside

Side = tuple[Act, ...]


def side(revisions: Iterable[tuple[str, tuple[Step, ...]]]) -> Side:
    """The operations of revisions, in the order they run.

    What a side makes and unmakes by itself concerns nobody else: a temporary type is left out, what it does to a table
    that it created too; and a thing that it drops and creates again counts as replaced, whatever else it does to it.
    """
    acts = [Act(id_, step, touches(step.does)) for id_, steps in revisions for step in steps]
    first: dict[Thing, Touch] = {}
    last: dict[Thing, Touch] = {}
    for act in acts:
        for touch in act.touches:
            if touch.verb in ("create", "drop"):
                first.setdefault(touch.thing, touch)
                last[touch.thing] = touch
    made = {thing for thing, touch in first.items() if touch.verb == "create"}
    passing = {thing for thing in made if last[thing].verb == "drop"}
    replaced = {thing for thing, touch in first.items() if touch.verb == "drop" and last[thing].verb == "create"}
    found = []
    for act in acts:
        kept = [_net(touch, last, made, replaced) for touch in act.touches if touch.thing not in passing]
        seen = tuple(touch for touch in kept if touch is not None)
        on: dict[Thing, tuple[Touch, ...]] = {}
        for touch in seen:
            on[touch.thing] = (*on.get(touch.thing, ()), touch)
        found.append(act._replace(touches=seen, on=on))
    return tuple(found)


def _net(touch: Touch, last: dict[Thing, Touch], made: set[Thing], replaced: set[Thing]) -> Touch | None:
    thing = touch.thing
    if inside(thing) in made or (touch.verb in ("use", "set") and thing in made | replaced):
        return None
    if touch.verb in ("create", "drop") and thing in replaced:
        return touch._replace(verb="replace") if touch is last[thing] else None
    return touch
