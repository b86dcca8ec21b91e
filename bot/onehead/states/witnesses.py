"""Which revisions a database has really been through, by what its schema shows.

Rows claim; things bear witness. A table that exists bears witness for the revision that makes it, unless another
revision may have made it too, or taken it away again. So for each thing all revisions are considered that touch it:
every selection of them that could have run without an error and would leave the thing as it is found. What all of these
selections have in common is shown; nothing else is.

A statement that was not understood may take away anything that is there when it runs. It may bring back or make
anything, too, as long as the rest of the chain can still run afterwards. That it has run is believed of the rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import compress, product
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph
from onehead.states.databases import parents_first
from onehead.states.touched import Touch, Touched, touched_things
from onehead.states.traces import Thing, Trace, Traces

Shown = Literal["applied", "absent", "partly", "untold"]
"""`untold`: nothing in the schema tells whether the revision ran."""


class Evidence(NamedTuple):
    """What one thing shows about one revision.

    Attributes:
        thing: what was looked for.
        there: it was found.
        ran: what that shows: the revision has run, or it has not.
        line: where the revision touches it.
    """

    thing: Thing
    there: bool
    ran: bool
    line: int


class Witnessed(NamedTuple):
    """What a schema shows about one revision.

    Attributes:
        shown: the sum of it.
        evidence: thing by thing.
        empty: the revision does nothing at all (a merge), so nothing depends on whether it ran.
    """

    shown: Shown
    evidence: tuple[Evidence, ...] = ()
    empty: bool = False


def things_to_look_for(graph: Graph, traces: Mapping[str, Traces]) -> tuple[Thing, ...]:
    """Everything whose presence tells something, each once, sorted."""
    return tuple(sorted({name for case in touched_things(graph, traces) for name in case.names}))


def witnessed(
    graph: Graph,
    traces: Mapping[str, Traces],
    seen: Mapping[Thing, bool],
    claimed: Collection[str] = (),
    *,
    rolls_back: bool = True,
) -> dict[str, Witnessed]:
    """What the schema shows about each revision of a chain.

    Args:
        graph: the chain.
        traces: revision → what it leaves; one without an entry may do anything.
        seen: thing → whether it is there; a thing without an entry can't be seen in this database.
        claimed: the revisions that have run, as the rows say.
        rolls_back: an upgrade that fails leaves nothing behind; else a part of the next revisions may have run.
    """
    unread = _Unread(graph, traces, claimed, rolls_back=rolls_back)
    found = [
        (case, any(seen[name] for name in case.names))
        for case in touched_things(graph, traces)
        if all(name in seen for name in case.names)
    ]
    possible = [(case, there, unread.selections(case, there=there)) for case, there in found]
    known: dict[str, bool] = {}
    while True:
        evidence: dict[str, list[Evidence]] = {}
        for case, there, selections in possible:
            for revision, each in _told(case, selections, known, there=there):
                evidence.setdefault(revision, []).append(each)
        told = {id_: found[0].ran for id_, found in evidence.items() if len({each.ran for each in found}) == 1}
        # A contradiction can make an answer waver; what was told once is enough to go on with.
        if told.keys() <= known.keys():
            break
        known = {**told, **known}
    return {id_: _summed(evidence.get(id_, []), traces.get(id_)) for id_ in graph.revisions}


def _summed(evidence: Sequence[Evidence], traces: Traces | None) -> Witnessed:
    found = tuple(sorted(evidence, key=lambda e: (e.line, e.thing)))
    match {e.ran for e in found}:
        case ran if ran == {True}:
            return Witnessed("applied", found)
        case ran if ran == {False}:
            return Witnessed("absent", found)
        case ran if ran:
            return Witnessed("partly", found)
    return Witnessed("untold", (), traces is not None and not (traces.left or traces.untraced or traces.renamed))


def _told(
    case: Touched, selections: Sequence[tuple[bool, ...]], known: Mapping[str, bool], *, there: bool
) -> Iterable[tuple[str, Evidence]]:
    """What one thing shows about each revision that touches it, given what is known about the others."""
    ids = [touch.revision for touch in case.touches]
    for place, touch in enumerate(case.touches):
        fitting = {
            ran[place]
            for ran in selections
            if all(known.get(id_, ran[n]) == ran[n] for n, id_ in enumerate(ids) if n != place)
        }
        own = [trace for trace in touch.traces if trace is not None and not trace.implied]
        if len(fitting) == 1 and own:
            # What a table brings with it speaks through the table.
            yield touch.revision, Evidence(own[-1].thing, there, fitting.pop(), own[-1].line)


class _State(Enum):
    """How a thing may be; `BROUGHT`: there because a statement that was not understood has made it."""

    GONE = 0
    THERE = 1
    BROUGHT = 2


class _Unread:
    """The statements of a chain that were not understood: between which touches they ran, and what they allow."""

    def __init__(
        self, graph: Graph, traces: Mapping[str, Traces], claimed: Collection[str], *, rolls_back: bool
    ) -> None:
        ran, begun, waiting = [], [], []
        for place, id_ in enumerate(parents_first(graph, graph.revisions)):
            if id_ in traces and not any(each.unread for each in traces[id_].untraced):
                continue
            if id_ in claimed:
                ran.append(place)
                continue
            waiting.append(place)
            if not rolls_back and all(parent in claimed for parent in graph.parents(id_)):
                begun.append(place)
        self._ran, self._begun, self._waiting = ran, begun, waiting

    def selections(self, case: Touched, *, there: bool) -> list[tuple[bool, ...]]:
        """For each touch of a thing whether it ran: all possibilities after which the thing is as it was found."""
        return [
            ran
            for ran in product((False, True), repeat=len(case.touches))
            if self._is_possible(case.touches, ran, there=there)
        ]

    def _is_possible(self, touches: Sequence[Touch], ran: tuple[bool, ...], *, there: bool) -> bool:
        states, last = _beginnings(touches), -1
        for touch in compress(touches, ran):
            states = _after(self._between(states, last, touch.place, touches, ran), touch.traces)
            last = touch.place
        states = self._between(states, last, None, touches, ran)
        if not there:
            return _State.GONE in states
        return _State.THERE in states or (_State.BROUGHT in states and self._goes_on(touches, ran))

    def _between(
        self, states: set[_State], after: int, before: int | None, touches: Sequence[Touch], ran: tuple[bool, ...]
    ) -> set[_State]:
        """What statements that were not understood make of it, in revisions that are not selected themselves."""
        if _any_between(self._ran, after, before, [touch.place for touch in touches]):
            states = _anything(states)
        if _any_between(self._begun, after, before, [touch.place for touch in compress(touches, ran)]):
            states = states | _anything(states)
        return states

    def _goes_on(self, touches: Sequence[Touch], ran: tuple[bool, ...]) -> bool:
        """Whether what has not run yet can, with the thing there: else a chain that works has not brought it."""
        states, last, places = {_State.BROUGHT}, -1, [touch.place for touch in touches]
        for touch in compress(touches, (not each for each in ran)):
            if _any_between(self._waiting, last, touch.place, places):
                states = states | _anything(states)
            states, last = _after(states, touch.traces), touch.place
        return bool(states)


def _any_between(places: Sequence[int], after: int, before: int | None, besides: Sequence[int]) -> bool:
    start = bisect_left(places, after + 1)
    end = len(places) if before is None else bisect_left(places, before)
    return any(places[at] not in besides for at in range(start, min(end, start + len(besides) + 1)))


def _beginnings(touches: Sequence[Touch]) -> set[_State]:
    """How the thing may have been before any revision: who makes it found nothing."""
    first = next(trace for touch in touches for trace in touch.traces if trace is not None)
    return {_State.GONE} if first.there and first.sure and not first.lenient else {_State.GONE, _State.THERE}


def _after(states: set[_State], traces: Iterable[Trace | None]) -> set[_State]:
    """How the thing may be after one revision; empty where it can't have run without an error."""
    for trace in traces:
        if trace is None:
            states = _anything(states)
        else:
            after = set(_made(states, trace))
            states = after if trace.sure else states | after
    return states


def _made(states: set[_State], trace: Trace) -> Iterator[_State]:
    for state in states:
        if (state != _State.GONE) == trace.there:
            if trace.lenient:
                yield state
        else:
            yield _State.THERE if trace.there else _State.GONE


def _anything(states: set[_State]) -> set[_State]:
    """What a statement that was not understood may make of it."""
    return states | {_State.GONE} | ({_State.BROUGHT} if _State.GONE in states else set())
