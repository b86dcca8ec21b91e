"""Read what both sides of a fork do, and judge it; only where a fork was found."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb

from onehead.examine.read import ReadBlobs
from onehead.operations.conflict_rules import Act
from onehead.operations.conflicts import OperationConflict, judge
from onehead.operations.model import EVERYWHERE, Step
from onehead.operations.read import read, unknown_step
from onehead.plan.findings import Facts
from onehead.plan.forks import ConflictMessage, Interaction, forks_of

MAX_REVISIONS = 200
"""Of one side of a fork; a longer one is not read."""

MAX_HEADS = 6
"""Of one fork; with more, not every pair is compared."""

MAX_PAIRS = 30
"""Of heads in one environment; those of further forks are not compared."""


def interactions_of(facts: Facts, read_blobs: ReadBlobs) -> tuple[Interaction, ...]:
    """How the sides of each fork of the judged branch get along, pair by pair."""
    side = "target" if facts.head is None else "head"
    found: list[Interaction] = []
    for fork in forks_of(facts):
        if fork.introduced_by == side:
            # What the target has comes first, so that a sentence begins with what is known.
            heads = sorted(fork.heads, key=lambda head: (head in fork.new, head))
            room = max(0, MAX_PAIRS - len(found))
            compared = list(islice(combinations(heads[:MAX_HEADS], 2), room))
            found += [_compared(facts, one, other, read_blobs) for one, other in compared]
            left_out = comb(len(heads), 2) - len(compared)
            if left_out:
                found.append(_not_compared((heads[0], heads[-1]), left_out))
                if not room:
                    break
    return tuple(found)


def _not_compared(heads: tuple[str, str], number: int) -> Interaction:
    pairs = "1 more pair" if number == 1 else f"{number} more pairs"
    message = f"Too many heads: {pairs} of this fork, and those of forks after it, were not compared by what they do."
    return Interaction(heads, "unknown", None, (ConflictMessage("unknown", False, message, heads),))


def _compared(facts: Facts, one: str, other: str, read_blobs: ReadBlobs) -> Interaction:
    graph = facts.merged
    below = {head: graph.ancestors(head) for head in (one, other)}
    own = (graph.parents_first(below[one] - below[other]), graph.parents_first(below[other] - below[one]))
    if max(map(len, own)) > MAX_REVISIONS:
        message = f"A side of the fork between `{one}` and `{other}` is too long to be compared operation by operation."
        return Interaction((one, other), "unknown", None, (ConflictMessage("unknown", False, message, (one, other)),))
    contents = read_blobs({graph.revisions[id_].blob for ids in own for id_ in ids}).data
    left, right = ([(id_, _steps(contents.get(graph.revisions[id_].blob))) for id_ in ids] for ids in own)
    verdict = judge(left, right)
    first = None if verdict.first is None else {"left": one, "right": other}[verdict.first]
    alone = tuple(
        ConflictMessage("alone", True, each.message, (each.act.revision,), (_place(facts, each.act),))
        for each in verdict.alone
    )
    told = tuple(_told(facts, each, one, other) for each in verdict.clashes)
    return Interaction((one, other), verdict.kind.value, first, told, alone)


def _steps(data: bytes | None) -> tuple[Step, ...]:
    return (unknown_step("a file that is too large to be read"),) if data is None else read(data)


def _told(facts: Facts, clash: OperationConflict, one: str, other: str) -> ConflictMessage:
    acts = [act for act in (clash.left, clash.right) if act is not None]
    ids = tuple(act.revision for act in acts) or (one, other)
    partly = set(clash.dialects) != set(EVERYWHERE)
    where = "" if not partly else "On PostgreSQL: " if "postgresql" in clash.dialects else "On SQLite: "
    places = tuple(_place(facts, act) for act in acts)
    return ConflictMessage(clash.kind.value, partly, f"{where}{clash.message}", ids, places)  # type: ignore[arg-type]


def _place(facts: Facts, act: Act) -> tuple[str, int]:
    return facts.merged.revisions[act.revision].path, act.step.line
