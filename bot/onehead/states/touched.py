"""The things of a chain, and which revisions touch them: who makes a table, who takes it away, what goes with it.

A table that is renamed keeps what stands on it, so such a thing is looked for under every name of its table. Where two
tables have ever had one name and one of them was renamed, what stands on them can't be told apart: it is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from onehead.revisions.graph import Graph
from onehead.states.databases import parents_first
from onehead.states.traces import Thing, Trace, Traces

MOST_TOUCHES = 8
"""A thing that more revisions touch bears no witness: selections grow with the power of two."""


class Touch(NamedTuple):
    """What one revision does to one thing.

    Attributes:
        revision: which.
        place: of the revision in the chain, parents first.
        traces: in order; `None` stands for statements in between that could not be read.
    """

    revision: str
    place: int
    traces: tuple[Trace | None, ...]


class Touched(NamedTuple):
    """One thing: who touches it, parents first, and under which names it may be found."""

    touches: tuple[Touch, ...]
    names: tuple[Thing, ...]


def touched_things(graph: Graph, traces: Mapping[str, Traces]) -> list[Touched]:
    """Every thing of a chain whose presence may tell something."""
    place = {id_: n for n, id_ in enumerate(parents_first(graph, graph.revisions))}
    order = [id_ for id_ in place if id_ in traces]
    book = _Book(_Names(traces[id_] for id_ in order))
    for id_ in order:
        book.enter(traces[id_])
    touches: dict[Thing, dict[str, list[Trace | None]]] = {key: {} for key in book.things}
    for id_ in order:
        for key, deed in book.deeds(traces[id_]):
            touches[key].setdefault(id_, []).append(deed)
    return [
        Touched(
            tuple(Touch(id_, place[id_], tuple(deeds)) for id_, deeds in touched.items()),
            book.names.of(book.things[key]),
        )
        for key, touched in touches.items()
        if len(touched) <= MOST_TOUCHES
    ]


class _Book:
    """The things of a chain, and what comes and goes with what.

    Attributes:
        names: of its tables.
        things: key → the thing as it was first written.
    """

    def __init__(self, names: _Names) -> None:
        self.names = names
        self.things: dict[Thing, Thing] = {}
        self._below: defaultdict[Thing, list[Thing]] = defaultdict(list)
        self._made: defaultdict[Thing, list[Trace]] = defaultdict(list)
        self._namesakes: defaultdict[tuple[str, str, str], list[Thing]] = defaultdict(list)

    def enter(self, traces: Traces) -> None:
        """Take down what one revision makes or takes away by itself."""
        for trace in traces.left:
            key = self.names.key(trace.thing)
            if trace.there:
                self._made[key].append(trace)
            if trace.implied or key in self.things or self.names.are_confused(trace.thing):
                continue
            if key.kind == "constraint" and not key.of:
                continue  # without its table it can't be looked for
            self.things[key] = trace.thing
            if key.kind not in ("table", "type"):
                self._below[_owner(key)].append(key)
            self._namesakes[key.kind, key.schema, key.name].append(key)

    def deeds(self, traces: Traces) -> Iterator[tuple[Thing, Trace | None]]:
        """What one revision does to which thing, in order; unread statements only between what was read."""
        met: set[Thing] = set()
        unread = [each.at for each in traces.untraced if each.unread]
        since: dict[Thing, int] = {}
        for at, trace in enumerate(traces.left):
            for key, touch in self._touched(trace, traces):
                if any(since.get(key, 0) <= each <= at for each in unread):
                    yield key, None
                met.add(key)
                since[key] = at + 1
                yield key, touch
        for key in met:
            if any(since[key] <= each for each in unread):
                yield key, None
        for table in traces.rebuilt:
            for key in self._below[self.names.group(table)]:
                if any(trace.fragile for trace in self._made[key]):
                    yield key, self._perhaps_gone(key)

    def _touched(self, trace: Trace, traces: Traces) -> Iterator[tuple[Thing, Trace]]:
        """What one trace touches: its own thing, and what goes with it."""
        key = self.names.key(trace.thing)
        if key.kind in ("index", "constraint"):
            # `DROP INDEX` and `ALTER INDEX` need not name the table.
            for namesake in self._namesakes[key.kind, key.schema, key.name]:
                if namesake == key or not (key.of and namesake.of):
                    yield namesake, trace
        elif key in self.things:
            yield key, trace
        if trace.there or any(_folded(old) == _folded(trace.thing) for old, _ in traces.renamed):
            return
        if key.kind in ("table", "type"):
            for below in self._below[self.names.group(trace.thing)]:
                yield below, Trace(self.things[below], there=False, lenient=True, sure=trace.sure, implied=True)
        elif key.kind == "column":
            for beside in self._below[_owner(key)]:
                # An index or a constraint may go with its column, depending on the database.
                if beside.kind in ("index", "constraint") and self._stands_on(beside, key):
                    yield beside, self._perhaps_gone(beside)
        if key.kind in ("table", "column"):
            # An index of which only the name is known may stand on it.
            yield from ((index, self._perhaps_gone(index)) for index in self._below[Thing("table", "", "", key.schema)])

    def _stands_on(self, thing: Thing, column: Thing) -> bool:
        columns = {name.casefold() for trace in self._made[thing] for name in trace.columns}
        return not columns or column.name in columns or _owner(column) in self.names.with_renamed_columns

    def _perhaps_gone(self, key: Thing) -> Trace:
        return Trace(self.things[key], there=False, lenient=True, sure=False, implied=True)


class _Names:
    """Tables that are called differently at different times: one group for all names of a table.

    Renamed types are not followed: their labels bear no witness.

    Attributes:
        with_renamed_columns: tables, by their first name, of which a column was renamed.
    """

    def __init__(self, all_traces: Iterable[Traces]) -> None:
        self._first: dict[Thing, Thing] = {}
        self._members: defaultdict[Thing, list[Thing]] = defaultdict(list)
        self._types: set[Thing] = set()
        self._confused: set[Thing] = set()
        columns: set[Thing] = set()
        held: dict[Thing, Thing] = {}  # a name → the first name of the table that has it now
        given_up: set[Thing] = set()
        for traces in all_traces:
            renamed = {_folded(old): new for old, new in traces.renamed}
            for trace in traces.left:
                folded = _folded(trace.thing)
                if folded.kind == "table" and trace.there and not trace.implied:
                    self._given(folded, held.setdefault(folded, folded))
                    if folded in given_up:
                        self._confused.add(self._of(folded))
                new = None if trace.there else renamed.get(folded)
                if new is None:
                    continue
                if folded.kind == "type":
                    self._types |= {folded, _folded(new)}
                elif folded.kind == "column":
                    columns.add(Thing("table", folded.of, "", folded.schema))
                else:
                    self._renamed(trace.thing, new, held)
                    given_up = (given_up | {folded}) - {_folded(new)}
        self.with_renamed_columns = {self._of(table) for table in columns}

    def _renamed(self, old: Thing, new: Thing, held: dict[Thing, Thing]) -> None:
        first = held.pop(_folded(old), _folded(old))
        self._given(_folded(old), first)
        self._members[first] = list(dict.fromkeys([*(self._members[first] or [old]), new]))
        self._given(_folded(new), first)
        held[_folded(new)] = first

    def _given(self, name: Thing, first: Thing) -> None:
        """A table gets a name; that another one has had it makes both of them doubtful."""
        other = self._first.setdefault(name, first)
        if other != first:
            self._confused |= {other, first}

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

    def of(self, thing: Thing) -> tuple[Thing, ...]:
        """The thing under all names of its table."""
        if thing.kind in ("table", "type", "label"):
            return (thing,)
        members = self._members.get(self._of(_folded(Thing("table", thing.of, "", thing.schema))))
        return (thing,) if not members else tuple(thing._replace(of=m.name, schema=m.schema) for m in members)

    def are_confused(self, thing: Thing) -> bool:
        """Whether its table, or its type, can't be told from another one."""
        if thing.kind == "label":
            return _folded(Thing("type", thing.of, "", thing.schema)) in self._types
        if thing.kind in ("table", "type"):
            return False
        return self._of(_folded(Thing("table", thing.of, "", thing.schema))) in self._confused

    def _of(self, folded: Thing) -> Thing:
        return self._first.get(folded, folded)


def _owner(key: Thing) -> Thing:
    """The table that it stands on; one without a name where that is not known. Of a label its type."""
    return Thing("type" if key.kind == "label" else "table", key.of, "", key.schema)


def _folded(thing: Thing) -> Thing:
    """In one case: names written as text are folded by the database, each kind in its own way; labels never are."""
    name = thing.name if thing.kind == "label" else thing.name.casefold()
    schema = "" if thing.schema == "public" else thing.schema.casefold()  # projects write both for the same place
    return Thing(thing.kind, name, thing.of.casefold(), schema)
