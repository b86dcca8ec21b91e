"""What to type for a database that a fix harms: every remedy is run in thought before it is shown.

The rule behind it: first say what really is there (`stamp --purge`), run what is missing beneath it, then say again
what is there, and let `upgrade` do the rest. Nothing runs twice and nothing is left out, or there is no remedy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import join

from onehead.states.databases import parents_first, rows_of
from onehead.states.outcome import Database, Target
from onehead.states.upgrade import AlembicStops, Deployed


@dataclass(frozen=True, slots=True)
class Command:
    """One `alembic` command line: `upgrade` with one target, or `stamp --purge` with any number of revisions."""

    verb: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        options = ("--purge",) if self.verb == "stamp" else ()
        return join(("alembic", self.verb, *options, *self.arguments))


def remedy(deployed: Deployed, database: Database, target: Target, *, is_sure: bool = False) -> tuple[str, ...]:
    """Command lines, in order, that bring the database to the end of the chain; empty where none is proven.

    A database that ran what no file declares has been where these files don't lead, so nothing is proposed. Nor is for
    a row that no file declares, unless it `is_sure` what ran all the same.
    """
    if not deployed.graph.revisions.keys() >= database.applied:
        return ()
    if not is_sure and any(row not in deployed.graph for row in database.rows):
        return ()
    for commands in _candidates(deployed, database, target):
        if proven(deployed, database, commands):
            return tuple(str(command) for command in commands)
    return ()


def proven(deployed: Deployed, database: Database, commands: tuple[Command, ...]) -> bool:
    """Whether the commands run every revision that is missing, once, after its parents, and end well.

    They end well without an error, and with each row once.
    """
    rows, applied = database.rows, set(database.applied)
    try:
        for command in commands:
            if command.verb == "stamp":
                rows = deployed.stamp_purge(() if command.arguments == ("base",) else command.arguments)
                continue
            runs, rows = deployed.upgrade(rows, command.arguments[0])
            for id_ in runs:
                if id_ in applied or not applied.issuperset(deployed.graph.parents(id_)):
                    return False
                applied.add(id_)
    except AlembicStops:
        return False
    is_clean = len(rows) == len(set(rows))
    return is_clean and deployed.graph.ancestors(*rows) == applied == set(deployed.graph.revisions)


def _candidates(deployed: Deployed, database: Database, target: Target) -> Iterator[tuple[Command, ...]]:
    graph = deployed.graph
    finish = Command("upgrade", (target,))
    everything = Command("upgrade", ("heads",))
    yield (everything,)
    below = graph.ancestors(*database.applied)
    missing = below - database.applied
    # Only what stands on complete ground may be claimed before the missing ones have run.
    ground = database.applied - graph.descendants(*missing)
    start = Command("stamp", rows_of(graph, ground) or ("base",))
    there = Command("stamp", rows_of(graph, below) or ("base",))
    last = [id_ for id_ in parents_first(graph, missing) if not missing.intersection(graph.children[id_])]
    late = tuple(Command("upgrade", (id_,)) for id_ in last)
    steps = (start, *late, there) if late else (there,)
    if rows_of(graph, ground) == database.rows:
        steps = steps[1:]
    yield (*steps, finish)
    yield (*steps, everything)
