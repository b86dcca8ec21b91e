"""Which heads of a chain should be one, and how the two sides of a fork get along.

A head is meant where it has a branch label of its own, as in expand/contract layouts. One line without a label may
stand beside labelled ones, because it is older than the labels. Any other head makes `alembic upgrade head` stop, and
nothing says that this is meant. A branch answers only for heads that come in addition to the target's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Literal, NamedTuple

from onehead.plan.findings import KINDS, Code, Facts, Finding, Side
from onehead.revisions.graph import Graph, Groups
from onehead.revisions.model import Revision


class Fork(NamedTuple):
    """Heads of one environment that should be one, with those that the judged branch brings in addition.

    `points` are where their ways part (nearest common ancestors); none for unrelated bases.
    """

    heads: tuple[str, ...]
    new: tuple[str, ...]
    points: tuple[str, ...]
    introduced_by: Side

    def narrowed(self, most: int) -> Fork:
        """The same with so many heads at most, of both sides some, and what is new first."""
        old = [head for head in self.heads if head not in self.new]
        room = most - min(len(old), most // 2)
        shown = {*self.new[:room], *old[: most - len(self.new[:room])]}
        return self._replace(
            heads=tuple(head for head in self.heads if head in shown), new=tuple(h for h in self.new if h in shown)
        )


def forks_of(facts: Facts, graph: Graph | None = None) -> tuple[Fork, ...]:
    """The forks of one environment, as it is judged; with `graph`, as they would be with that chain in its place.

    As many heads as the repository's policy allows are no fork. Of more, those are one that parted last: two lines
    that live side by side stay two.
    """
    chain = graph or (facts.target if facts.head is None else facts.merged)
    excess = len(chain.heads) - facts.allowed_heads
    if excess <= 0:
        return ()
    certain = facts.environment.certain
    forks = (
        forks_within(chain, certain=certain)
        if facts.head is None
        else forks_between(facts.target, chain, certain=certain)
    )
    return forks if facts.allowed_heads == 1 else _nearest(chain, forks, excess)


def _nearest(chain: Graph, forks: tuple[Fork, ...], excess: int) -> tuple[Fork, ...]:
    """The nearest relatives, as many as have to become one; where a branch brings heads, these and nobody else."""
    brought = [fork for fork in forks if fork.new]
    if brought:
        forks, excess = tuple(brought), min(excess, sum(len(fork.new) for fork in brought))
    new = {head for fork in forks for head in fork.new}
    groups = Groups(head for fork in forks for head in fork.heads)
    for one, other in _by_nearness(chain, forks):
        if excess == 0:
            break
        excess -= groups.join(one, other)
    found = []
    for group in groups.all():
        if len(group) > 1:
            mine = tuple(head for head in group if head in new)
            found.append(Fork(group, mine, chain.fork_points(group), "head" if mine else "target"))
    return tuple(found)


def _by_nearness(chain: Graph, forks: tuple[Fork, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of rivals, those first that part at the revision with the most beneath it; unrelated ones last.

    Of a fork that a branch brings, only pairs with a head of its own. Pairs that follow from those before are left out.
    """
    heads = chain.heads
    place = {head: number for number, head in enumerate(heads)}
    beneath = chain.below({id_: 1 << number for number, id_ in enumerate(chain.revisions)})
    points = sorted(chain.branch_points(), key=lambda id_: (-beneath[id_].bit_count(), id_))
    masks = [
        [sum(1 << place[head] for head in part) for part in (fork.heads, fork.new or fork.heads)] for fork in forks
    ]
    apart = [1 << number for number in range(len(heads))]
    for sides in (*([chain.heads_above[child] for child in chain.children[point]] for point in points), apart):
        for everybody, own in masks:
            # Those above one child are of one group by now, if any of them may be joined.
            met = sorted({n for side in sides for n in _numbers(side & own, 1) or _numbers(side & everybody)})
            mine = [number for number in met if own >> number & 1]
            if mine:
                yield from ((heads[met[0]], heads[number]) for number in mine)
                yield from ((heads[mine[0]], heads[number]) for number in met)


def nearest_old(chain: Graph, fork: Fork) -> str:
    """Of the heads that a fork has beside the branch's, the one that parts last from these; by name where two do."""
    pairs = ({*pair} - {*fork.new} for pair in _by_nearness(chain, (fork,)))
    return next(min(old) for old in pairs if len(old) == 1)


def _numbers(bits: int, most: int = -1) -> list[int]:
    """The places of the ones, lowest first."""
    found: list[int] = []
    while bits and len(found) != most:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found


_MAX_REMEMBERED = 4
"""Chains whose forks are remembered: judging, planning and telling of one examination ask for the same ones."""


@lru_cache(_MAX_REMEMBERED)
def forks_within(graph: Graph, *, certain: bool = True) -> tuple[Fork, ...]:
    """The forks of a branch that is judged by itself.

    `certain`: Alembic loads all of it together; where that is a guess, unrelated heads may be separate chains.
    """
    lines = _lines(graph, certain=certain).all()
    return tuple(Fork(group, (), graph.fork_points(group), "target") for group in lines if len(group) > 1)


@lru_cache(_MAX_REMEMBERED)
def forks_between(target: Graph, merged: Graph, *, certain: bool = True) -> tuple[Fork, ...]:
    """The forks of the merged tree, each with the heads that come in addition to the target's; `certain` as above."""
    merged = _without_gaps(target, merged)
    extra = frozenset(additional_heads(target, merged))
    lines = _lines(merged, certain=certain)
    if extra and target.heads:
        alone = len(_lines(target, certain=certain).all()) == 1
        _add_newcomers(lines, merged, extra, beside_one_line=alone, certain=certain)
    forks = []
    for group in lines.all():
        if len(group) > 1:
            new = tuple(head for head in group if head in extra)
            forks.append(Fork(group, new, merged.fork_points(group), "head" if new else "target"))
    return tuple(forks)


def unnamed_heads(graph: Graph) -> tuple[str, ...]:
    """Heads that no branch label tells from each of the others; sorted, none where there is one head."""
    below = _labels_below(graph)
    own = {head: below.get(head, 0) for head in graph.heads}
    return tuple(
        head for head, bits in own.items() if any(not bits & ~others for other, others in own.items() if other != head)
    )


def additional_heads(target: Graph, merged: Graph) -> tuple[str, ...]:
    """Heads of the merged tree that take no target head's place; sorted.

    Each target head's place is taken by at most one merged head: itself, a descendant of it, or, where the branch
    removed it, a head that grows from what is left of its chain. A squash that replaces a whole chain takes the
    place of the chain that is gone. As many places are taken as possible.
    """
    if {*target.heads} <= {*merged.heads}:  # as nearly everywhere: each takes its own place
        return tuple(head for head in merged.heads if head not in target.heads)
    above = merged.heads_above
    anyone = (1 << len(merged.heads)) - 1
    old = sum(1 << number for number, head in enumerate(merged.heads) if head in target)
    gone = any(head not in merged for head in target.heads)
    left = target.below({id_: above[id_] for id_ in target.revisions if id_ in above}) if gone else {}
    heirs = [(head not in merged, above[head] if head in merged else left[head] or anyone) for head in target.heads]
    places = _Places(anyone, old)
    # Those that are still there choose first: a removed head takes what is left over.
    for _, bits in sorted(heirs, key=lambda heir: (heir[0], heir[1].bit_count())):
        places.give(bits)
    return tuple(merged.heads[number] for number in _numbers(places.free))


class _Places:
    """A bipartite matching, grown place by place along alternating ways; heads without a place are bits in `free`."""

    def __init__(self, everybody: int, preferred: int) -> None:
        self.free = everybody
        self._preferred = preferred
        self._heirs: dict[int, int] = {}
        self._hopeless = 0

    def give(self, heirs: int) -> None:
        """Find somebody for one more place, others moved on where that helps; one that nobody can take stays empty."""
        came_from: dict[int, int] = {}
        todo, seen = [(-1, heirs)], self._hopeless
        for owner, options in todo:  # grows while it is walked: breadth first
            free = options & self.free
            if free:
                [head] = _numbers(free & self._preferred or free, 1)
                self._move(came_from, owner, head, heirs)
                return
            for taken in _numbers(options & ~seen):
                came_from[taken] = owner
                todo.append((taken, self._heirs[taken]))
            seen |= options
        # Whoever was asked in vain can be asked in vain forever: nobody of them gets any freer.
        self._hopeless = seen

    def _move(self, came_from: dict[int, int], owner: int, head: int, heirs: int) -> None:
        self.free ^= 1 << head
        while owner != -1:
            self._heirs[head] = self._heirs[owner]
            head, owner = owner, came_from[owner]
        self._heirs[head] = heirs


def new_lineages(target: Graph, merged: Graph, *, certain: bool = True) -> tuple[str, ...]:
    """Additional heads that are meant: a new base or branch with a label of its own; `certain` as above."""
    merged = _without_gaps(target, merged)
    rivals = {head for fork in forks_between(target, merged, certain=certain) for head in fork.heads}
    torn = _torn(merged)
    return tuple(head for head in additional_heads(target, merged) if head not in rivals and head not in torn)


def _torn(graph: Graph) -> frozenset[str]:
    """Revisions below which the chain is not known to its end: there is no telling whom they are related to."""
    if not graph.missing:
        return frozenset()
    return graph.descendants(*(id_ for id_, r in graph.revisions.items() if any(p not in graph for p in r.parents)))


def _without_gaps(target: Graph, merged: Graph) -> Graph:
    """The merged chain with the revisions that the branch removed although others still follow them.

    Such a gap breaks the chain, which is a finding of its own; what lies below it did not become a rival head.
    """
    if not merged.missing:
        return merged
    found: dict[str, Revision] = {}
    todo = [parent for revision in merged for parent in revision.parents]
    for parent in todo:  # grows while it is walked
        if parent not in merged and parent in target and parent not in found:
            found[parent] = target.revisions[parent]
            todo += found[parent].parents
    return merged.replaced(found.values()) if found else merged


def _labels_below(graph: Graph) -> dict[str, int]:
    """Id → the labelled revisions that it stands on, itself included, as bits; empty where nothing has a label."""
    labelled = [revision.id for revision in graph.revisions.values() if revision.branch_labels]
    return graph.below({id_: 1 << number for number, id_ in enumerate(labelled)}) if labelled else {}


def _lines(graph: Graph, *, certain: bool) -> Groups:
    """The heads in groups that should be one: told apart by no branch label.

    Two heads are of one line where the same labelled revisions stand beneath both, also where these are none. Unrelated
    heads without a label may have something to do with each other in another package, where a parent is missing.
    """
    below = _labels_below(graph)
    groups = Groups(graph.heads)
    first: dict[object, str] = {}
    plain = []
    for head in graph.heads:
        if below.get(head, 0):
            groups.join(head, first.setdefault(below[head], head))
        else:
            plain.append(head)
    if len(plain) > 1:
        for id_, head in _owned(graph, plain):
            owner = first.setdefault(id_, head)
            if owner != head:
                groups.join(head, owner)
        torn = _torn(graph)
        known = [head for head in plain if head not in torn] if certain else []
        for head in known[1:]:
            groups.join(known[0], head)
    return groups


def _owned(graph: Graph, heads: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Revisions beneath some heads, each with a head that it is beneath; where two heads meet, with both."""
    seen: set[str] = set()
    for head in heads:
        todo = [head]
        while todo:
            id_ = todo.pop()
            yield id_, head
            if id_ not in seen:
                seen.add(id_)
                todo += graph.parents(id_)


def _add_newcomers(
    lines: Groups, merged: Graph, extra: frozenset[str], *, beside_one_line: bool, certain: bool
) -> None:
    """Join every additional head without a label of its own to the target's head that it is nearest to."""
    old = [head for head in merged.heads if head not in extra]
    below = _labels_below(merged)
    known = 0
    for head in old:
        known |= below.get(head, 0)
    torn, of_target = _torn(merged), sum(1 << number for number, head in enumerate(merged.heads) if head not in extra)
    taken = {lines.leader(head) for head in old}
    for head in sorted(extra):
        if below.get(head, 0) & ~known or lines.leader(head) in taken:
            continue
        near = _nearest_heads(merged, head, of_target)
        if not near and head not in torn:
            # A second base: what it is meant to follow is clear beside a single line only.
            plain = [other for other in old if not below.get(other, 0)]
            near = old if beside_one_line else (plain or old)[:1] if certain else []
        for other in near:
            lines.join(head, other)
        taken = {lines.leader(head) for head in old} if near else taken


def _nearest_heads(graph: Graph, head: str, wanted: int) -> list[str]:
    """The one of some other heads, given as bits, whose way parts from a head's last; none if they share nothing."""
    level, seen = [head], {head}
    while level:
        met = 0
        for id_ in level:
            met |= graph.heads_above[id_] & wanted
        if met:
            return [graph.heads[_numbers(met, 1)[0]]]
        level = [*{parent for id_ in level for parent in graph.parents(id_)} - seen]
        seen.update(level)
    return []


MAX_TOLD = 8
"""Findings about one pair of sides; of more, the last one gives the number."""


class ConflictMessage(NamedTuple):
    """One thing that two sides do to each other, or that one does to itself.

    A `conflict` fails in every order, `order` in one; `silent` differs without an error, `unknown` can't be told, and
    `alone` fails by itself; `partly`: on one kind of database only. The places are those of the operations, path and
    line; the message is a full sentence.
    """

    kind: Literal["alone", "unknown", "silent", "order", "conflict"]
    partly: bool
    message: str
    revisions: tuple[str, ...]
    places: tuple[tuple[str, int], ...] = ()


class Interaction(NamedTuple):
    """Two heads of a fork, and how what stands between them and the fork gets along.

    `kind` is the worst of what is told; `conflict` only where no database takes either order. `first` is the head whose
    side has to run first. What is `alone` fails on one side, whatever the other does.
    """

    heads: tuple[str, str]
    kind: Literal["independent", "unknown", "silent", "order", "conflict"]
    first: str | None = None
    told: tuple[ConflictMessage, ...] = ()
    alone: tuple[ConflictMessage, ...] = ()


_CODES = {
    "alone": Code.NOT_IN_TRANSACTION,
    "conflict": Code.SEMANTIC_CONFLICT,
    "order": Code.ORDER_MATTERS,
    "silent": Code.SILENT_DIFFERENCE,
    "unknown": Code.UNKNOWN_OPERATION,
}
ABOUT_BOTH_SIDES = frozenset(_CODES.values())
"""The findings that come from here."""


def findings_about(facts: Facts, interactions: Iterable[Interaction]) -> tuple[Finding, ...]:
    """One finding for each thing told; those of the target alone count as its own."""
    found = (finding for interaction in interactions for finding in _findings(facts, interaction))
    # A side that meets several others says what it does to itself each time.
    return tuple(dict.fromkeys(found))


def _findings(facts: Facts, interaction: Interaction) -> Iterator[Finding]:
    side: Side = "target" if facts.head is None else "head"
    for told in (*interaction.told[:MAX_TOLD], *interaction.alone[:MAX_TOLD]):
        code = _CODES[told.kind]
        severity = "warning" if told.kind == "conflict" and told.partly else KINDS[code].severity
        paths = {facts.merged.revisions[id_].path for id_ in told.revisions if id_ in facts.merged}
        yield Finding(
            code,
            severity,
            side,
            told.message,
            tuple(sorted(told.revisions)),
            tuple(sorted(paths)),
            places=tuple(sorted(told.places)),
        )
    for rest in filter(None, (interaction.told[MAX_TOLD:], interaction.alone[MAX_TOLD:])):
        code = _CODES[rest[0].kind]
        one, other = interaction.heads
        message = f"{len(rest)} more of the kind between `{one}` and `{other}` are not listed."
        yield Finding(code, KINDS[code].severity, side, message, tuple(sorted(interaction.heads)))


def between(interactions: Iterable[Interaction], fork: Fork) -> tuple[Interaction, ...]:
    """The meetings of one fork."""
    return tuple(interaction for interaction in interactions if set(interaction.heads) <= set(fork.heads))


def parents_in_order(parents: tuple[str, ...], interactions: Iterable[Interaction]) -> tuple[str, ...]:
    """The parents of a merge so that what has to run first does: Alembic runs the last parent first.

    Where nothing is demanded they stay as they are; demands that go in a circle can't be met.
    """
    before: dict[str, set[str]] = {parent: set() for parent in parents}
    for interaction in interactions:
        if interaction.first in before and before.keys() >= set(interaction.heads):
            [other] = set(interaction.heads) - {interaction.first}
            before[other].add(interaction.first)
    left = list(reversed(parents))
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError:
        return parents
    runs: list[str] = []
    while left:
        ready = next(parent for parent in left if before[parent] <= set(runs))
        runs.append(ready)
        left.remove(ready)
    return tuple(reversed(runs))
