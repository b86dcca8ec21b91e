"""What happens in a round of chaos. Pure: a seed in, choices out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Blow(StrEnum):
    """What is killed, other than at a named step."""

    PROCESS = "a process, at a random moment"
    ALL = "all processes at once"
    DOOR = "a door"
    ANALYZER = "an analyzer"
    GIT = "a git"
    POSTGRES = "PostgreSQL"
    NOTED = "between inbox read and delete"


class Trouble(StrEnum):
    """What is wrong for the length of a round."""

    LOST = "webhooks are lost"
    DOUBLED = "webhooks come twice, late and out of order"
    FORGE = "the forge answers wrongly"
    DISK = "files can't grow"
    MIRROR = "a mirror is damaged"
    CLOCK = "the clock of the schedule is wrong"
    STALL = "a process stands still"
    RESTART = "PostgreSQL is restarted"


CHILDREN = {Blow.DOOR: "onehead.service.door", Blow.ANALYZER: "onehead.service.analyzer", Blow.GIT: "git"}
"""What the command line of a child process holds."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    Attributes:
        kills: in this order; `None`: at a named step.
        delays: seconds before each kill at a random moment.
        troubles: for its whole length.
        moves: what people do meanwhile, at most.
    """

    kills: tuple[Blow | None, ...]
    delays: tuple[float, ...]
    troubles: frozenset[Trouble]
    moves: int


def planned(chance: random.Random, *, postgres: bool, most: int) -> Round:
    """Draw a round of at most so many kills."""
    blows = [Blow.PROCESS] * 4 + [Blow.ALL, Blow.DOOR] + [Blow.ANALYZER, Blow.GIT] * 3
    if postgres:
        blows += [Blow.POSTGRES] * 2 + [Blow.NOTED] * 2
    kills = [None if chance.random() < 0.4 else chance.choice(blows) for _ in range(min(most, chance.randint(10, 20)))]
    troubles = frozenset(
        trouble for trouble in Trouble if (postgres or trouble is not Trouble.RESTART) and chance.random() < 0.12
    )
    return Round(tuple(kills), tuple(chance.uniform(0.0, 0.7) for _ in kills), troubles, chance.randint(1, 6))
