"""Which revisions a database has really been through, by what its schema shows.

Rows claim; things bear witness. A table that exists bears witness for the revision that makes it, unless another
revision may have made it too, or taken it away again. So for each thing all revisions are considered that touch it:
every selection of them that could have run without an error and would leave the thing as it is found. What all of these
selections have in common is shown; nothing else is. No order of the chain is taken for granted: lost revisions are what
this looks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, product
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph
from onehead.states.databases import parents_first
from onehead.states.traces import Thing, Trace, Traces

Shown = Literal["applied", "absent", "partly", "untold"]
"""`untold`: nothing in the schema tells whether the revision ran."""

_MOST_TOUCHES = 8
"""A thing that more revisions touch bears no witness: selections grow with the power of two."""


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


class _Touch(NamedTuple):
    """One revision's deeds to one thing, in order."""

    revision: str
    traces: tuple[Trace, ...]


class _Case(NamedTuple):
    """One thing: who touches it (parents first), under which names it may be found, and whether it counts by itself."""

    touches: tuple[_Touch, ...]
    names: tuple[Thing, ...]


def things_to_look_for(graph: Graph, traces: Mapping[str, Traces]) -> tuple[Thing, ...]:
    """Everything whose presence tells something, each once, sorted."""
    return tuple(sorted({name for case in _cases(graph, traces) for name in case.names}))


def witnessed(graph: Graph, traces: Mapping[str, Traces], seen: Mapping[Thing, bool]) -> dict[str, Witnessed]:
    """What the schema shows about each revision of a chain.

    Args:
        graph: the chain.
        traces: revision → what it leaves; a revision without an entry can't be judged.
        seen: thing → whether it is there; a thing without an entry can't be seen in this database.
    """
    cases = [
        (case, any(seen[name] for name in case.names))
        for case in _cases(graph, traces)
        if all(name in seen for name in case.names)
    ]
    known: dict[str, bool] = {}
    while True:
        evidence: dict[str, list[Evidence]] = {}
        for case, there in cases:
            for revision, found in _told(case, there, known):
                evidence.setdefault(revision, []).append(found)
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


def _told(case: _Case, there: bool, known: Mapping[str, bool]) -> Iterable[tuple[str, Evidence]]:
    """What one thing shows about each revision that touches it, given what is known about the others."""
    ids = [touch.revision for touch in case.touches]
    possible = [
        ran
        for ran in product((False, True), repeat=len(ids))
        if there in _ends(list(compress(case.touches, ran)), _beginnings(case.touches))
    ]
    for place, touch in enumerate(case.touches):
        fitting = {
            ran[place]
            for ran in possible
            if all(known.get(id_, ran[n]) == ran[n] for n, id_ in enumerate(ids) if n != place)
        }
        own = [trace for trace in touch.traces if not trace.implied]
        if len(fitting) == 1 and own:
            # What a table brings with it speaks through the table.
            yield touch.revision, Evidence(own[-1].thing, there, fitting.pop(), own[-1].line)


def _beginnings(touches: Sequence[_Touch]) -> set[bool]:
    """Whether the thing was there before any revision: who makes it found nothing, who takes it away found it."""
    first = touches[0].traces[0]
    return {True, False} if first.lenient or not first.sure else {not first.there}


def _ends(ran: Sequence[_Touch], beginnings: set[bool]) -> set[bool]:
    """How the thing may be after some revisions ran; empty where they can't have run without an error."""
    states = set(beginnings)
    for trace in (trace for touch in ran for trace in touch.traces):
        after = {trace.there} if any(trace.lenient or state != trace.there for state in states) else set()
        states = after if trace.sure else states | after
    return states


def _cases(graph: Graph, traces: Mapping[str, Traces]) -> list[_Case]:
    order = [id_ for id_ in parents_first(graph, graph.revisions) if id_ in traces]
    book = _Book(_Aliases(traces[id_] for id_ in order))
    for id_ in order:
        book.enter(traces[id_])
    touches: dict[Thing, dict[str, list[Trace]]] = {key: {} for key in book.things}
    for id_ in order:
        for trace in traces[id_].left:
            for key, touch in book.touched(trace, traces[id_]):
                touches[key].setdefault(id_, []).append(touch)
        for key in book.in_doubt(traces[id_]):
            # Raw SQL that names it may have made it or taken it away.
            touches[key].setdefault(id_, []).extend(
                Trace(book.things[key], there, lenient=True, sure=False, implied=True) for there in (True, False)
            )
    return [
        _Case(tuple(_Touch(id_, tuple(found)) for id_, found in touched.items()), book.aliases.names(book.things[key]))
        for key, touched in touches.items()
        if len(touched) <= _MOST_TOUCHES
    ]


class _Book:
    """The things of a chain, and what comes and goes with what.

    Attributes:
        aliases: the names of its tables.
        things: key → the thing as it was first written.
    """

    def __init__(self, aliases: _Aliases) -> None:
        self.aliases = aliases
        self.things: dict[Thing, Thing] = {}
        self._below: dict[Thing, list[Thing]] = {}
        self._columns: dict[Thing, set[str]] = {}
        self._indexes: dict[str, list[Thing]] = {}

    def enter(self, traces: Traces) -> None:
        """Take down what one revision makes or takes away by itself."""
        for trace in traces.left:
            key = self.aliases.key(trace.thing)
            self._columns.setdefault(key, set()).update(column.casefold() for column in trace.columns)
            is_elsewhere = key.kind == "index" and not key.of and key.name in self._indexes
            if trace.implied or key in self.things or is_elsewhere or self.aliases.are_confused(trace.thing):
                continue
            self.things[key] = trace.thing
            self._below.setdefault(self._owner(key), []).append(key)
            if key.kind == "index":
                self._indexes.setdefault(key.name, []).append(key)

    def touched(self, trace: Trace, traces: Traces) -> Iterator[tuple[Thing, Trace]]:
        """What one deed touches: its own thing, and what comes and goes with it."""
        key = self.aliases.key(trace.thing)
        if key in self.things:
            yield key, trace
        elif key.kind == "index" and not key.of:
            # `DROP INDEX` need not name the table.
            yield from ((namesake, trace) for namesake in self._indexes.get(key.name, ()))
        if trace.there or any(old == trace.thing for old, _ in traces.renamed):
            return
        if key.kind in ("table", "type"):
            for below in self._below.get(self.aliases.group(trace.thing), ()):
                if below != key:
                    yield below, Trace(self.things[below], there=False, lenient=True, sure=trace.sure, implied=True)
        elif key.kind == "column":
            for beside in self._below.get(self._owner(key), ()):
                # An index or a constraint may go with its column, depending on the database.
                if beside.kind in ("index", "constraint") and key.name in (self._columns[beside] or {key.name}):
                    yield beside, Trace(self.things[beside], there=False, lenient=True, sure=False, implied=True)

    def in_doubt(self, traces: Traces) -> list[Thing]:
        """What a revision may touch in ways that can't be read."""
        words = {word.casefold() for each in traces.untraced for word in each.words}
        return [key for key in self.things if words and key.name.casefold() in words and self._is_named(key, words)]

    def _is_named(self, key: Thing, words: set[str]) -> bool:
        return not key.of or any(name.of.casefold() in words for name in self.aliases.names(self.things[key]))

    def _owner(self, key: Thing) -> Thing:
        if key.kind in ("table", "type"):
            return self.aliases.group(key)
        return Thing("type" if key.kind == "label" else "table", key.of, "", key.schema)


class _Aliases:
    """Tables that are called differently at different times: one group for all names of a table.

    Renamed types are not followed: their labels bear no witness.
    """

    def __init__(self, all_traces: Iterable[Traces]) -> None:
        every = list(all_traces)
        self._group: dict[Thing, Thing] = {}
        self._members: dict[Thing, list[Thing]] = {}
        pairs = [pair for traces in every for pair in traces.renamed]
        self._types = {_folded(thing) for pair in pairs for thing in pair if thing.kind == "type"}
        pairs = [(old, new) for old, new in pairs if old.kind == "table"]
        for old, new in pairs:
            first, second = self._of(_folded(old)), self._of(_folded(new))
            members = list(dict.fromkeys([*self._members.get(first, [old]), *self._members.get(second, [new])]))
            for member in members:
                self._group[_folded(member)] = first
            self._members[first] = members
        made = Counter(
            self._of(_folded(trace.thing))
            for traces in every
            for trace in traces.left
            if trace.thing.kind == "table" and trace.there and not trace.implied
        )
        # A name that was given away and taken again: what stands on such a table can't be told apart.
        renames = Counter(self._of(_folded(new)) for _, new in pairs)
        self._confused = {group for group in self._members if made[group] > 1 + renames[group]}

    def key(self, thing: Thing) -> Thing:
        """The thing under the first name of its table, in one case."""
        folded = _folded(thing)
        if thing.kind in ("table", "type", "label"):
            return folded
        table = self._of(Thing("table", folded.of, "", folded.schema))
        return folded._replace(of=table.name, schema=table.schema)

    def group(self, table: Thing) -> Thing:
        """The first name of a table; any other thing as it is."""
        return self._of(_folded(table))

    def names(self, thing: Thing) -> tuple[Thing, ...]:
        """Under all names of its table."""
        if thing.kind in ("table", "type", "label"):
            return (thing,)
        group = self._of(_folded(Thing("table", thing.of, "", thing.schema)))
        members = self._members.get(group)
        return (thing,) if members is None else tuple(thing._replace(of=m.name, schema=m.schema) for m in members)

    def are_confused(self, thing: Thing) -> bool:
        """Whether its table, or its type, can't be told from another one."""
        if thing.kind == "label":
            return _folded(Thing("type", thing.of, "", thing.schema)) in self._types
        if thing.kind in ("table", "type"):
            return False
        return self._of(_folded(Thing("table", thing.of, "", thing.schema))) in self._confused

    def _of(self, folded: Thing) -> Thing:
        return self._group.get(folded, folded)


def _folded(thing: Thing) -> Thing:
    """In one case: names written as text are folded by the database, each kind in its own way; labels never are."""
    name = thing.name if thing.kind == "label" else thing.name.casefold()
    return Thing(thing.kind, name, thing.of.casefold(), thing.schema.casefold())
