"""Find out from its schema which revisions a database has run.

A table shows that the revision which creates it has run, unless another revision may have created or dropped it too. So
for each thing all revisions are considered that touch it: every selection of them that could have run without an error
and would leave the thing as it was found. What all of these selections have in common is certain; nothing else is.

A renamed table keeps its columns, indexes and constraints, so these are looked for under every name of the table. Where
two tables have had the same name and one of them was renamed, their parts can't be told apart and are left out.

A statement that was not understood may drop anything that is there when it runs. It may also create anything, as long
as the rest of the chain can still run afterwards. Whether it has run is taken from the rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import compress, product
from typing import Literal, NamedTuple

from onehead.databases.schema_effects import Dialect, SchemaEffect, SchemaEffects, Thing
from onehead.databases.states import parents_first
from onehead.revisions.graph import Graph

MAX_TOUCHES = 8
"""A thing that more revisions touch is not evidence: the number of selections grows with the power of two."""


class RevisionTouch(NamedTuple):
    """What one revision does to one thing.

    `place` is that of the revision in the chain, parents first. `effects` are in order; `None` stands for statements in
    between that could not be read.
    """

    revision: str
    place: int
    effects: tuple[SchemaEffect | None, ...]


class TouchedThing(NamedTuple):
    """One thing: who touches it, parents first, and under which names it may be found."""

    touches: tuple[RevisionTouch, ...]
    names: tuple[Thing, ...]


def touched_things(graph: Graph, effects: Mapping[str, SchemaEffects]) -> list[TouchedThing]:
    """Every thing of a chain whose presence may tell something."""
    place = {id_: n for n, id_ in enumerate(parents_first(graph, graph.revisions))}
    order = [id_ for id_ in place if id_ in effects]
    index = _ThingIndex([effects[id_] for id_ in order])
    touches: dict[Thing, dict[str, list[SchemaEffect | None]]] = {key: {} for key in index.things}
    for id_ in order:
        for key, touch in index.touches_of(effects[id_]):
            touches[key].setdefault(id_, []).append(touch)
    return [
        TouchedThing(
            tuple(RevisionTouch(id_, place[id_], tuple(found)) for id_, found in touched.items()),
            index.names.of(index.things[key]),
        )
        for key, touched in touches.items()
        if len(touched) <= MAX_TOUCHES
    ]


class _ThingIndex:
    """The things of a chain, and what comes and goes with what."""

    def __init__(self, all_effects: Sequence[SchemaEffects]) -> None:
        self.names = _NameGroups(all_effects)
        self.things: dict[Thing, Thing] = {}  # key → as it was first written
        self._below: defaultdict[Thing, list[Thing]] = defaultdict(list)
        self._made: defaultdict[Thing, list[SchemaEffect]] = defaultdict(list)
        self._namesakes: defaultdict[tuple[str, str, str], list[Thing]] = defaultdict(list)
        for effects in all_effects:
            for effect in effects.left:
                self._add(effect)

    def _add(self, effect: SchemaEffect) -> None:
        key = self.names.key(effect.thing)
        if effect.there:
            self._made[key].append(effect)
        # Without its table, a constraint can't be looked for.
        can_tell = not effect.implied and not (key.kind == "constraint" and not key.of)
        if can_tell and key not in self.things and not self.names.are_confused(effect.thing):
            self.things[key] = effect.thing
            if key.kind not in ("table", "type"):
                self._below[_owner(key)].append(key)
            self._namesakes[key.kind, key.schema, key.name].append(key)

    def touches_of(self, effects: SchemaEffects) -> Iterator[tuple[Thing, SchemaEffect | None]]:
        """What one revision does to which thing, in order; unread statements only between what was read."""
        unread = [each.at for each in effects.unseen if each.unread]
        since: dict[Thing, int] = {}
        for at, effect in enumerate(effects.left):
            for key, touch in self._touched(effect, effects):
                if any(since.get(key, 0) <= each <= at for each in unread):
                    yield key, None
                since[key] = at + 1
                yield key, touch
        for key, start in since.items():
            if any(start <= each for each in unread):
                yield key, None
        for table in effects.rebuilt:
            for key in self._below[self.names.group(table)]:
                if any(effect.fragile for effect in self._made[key]):
                    yield key, self._perhaps_gone(key)

    def _touched(self, effect: SchemaEffect, effects: SchemaEffects) -> Iterator[tuple[Thing, SchemaEffect]]:
        """What one trace touches: its own thing, and what goes with it."""
        key = self.names.key(effect.thing)
        if key.kind in ("index", "constraint"):
            # `DROP INDEX` and `ALTER INDEX` need not name the table.
            for namesake in self._namesakes[key.kind, key.schema, key.name]:
                if namesake == key or not (key.of and namesake.of):
                    yield namesake, effect
        elif key in self.things:
            yield key, effect
        if effect.there or any(_folded(old) == _folded(effect.thing) for old, _ in effects.renamed):
            return
        if key.kind in ("table", "type"):
            for below in self._below[self.names.group(effect.thing)]:
                yield below, SchemaEffect(self.things[below], there=False, lenient=True, sure=effect.sure, implied=True)
        elif key.kind == "column":
            for beside in self._below[_owner(key)]:
                # An index or a constraint may go with its column, depending on the database.
                if beside.kind in ("index", "constraint") and self._stands_on(beside, key):
                    yield beside, self._perhaps_gone(beside)
        if key.kind in ("table", "column"):
            # An index of which only the name is known may stand on it.
            yield from ((index, self._perhaps_gone(index)) for index in self._below[Thing("table", "", "", key.schema)])

    def _stands_on(self, thing: Thing, column: Thing) -> bool:
        columns = {name.casefold() for effect in self._made[thing] for name in effect.columns}
        return not columns or column.name in columns or _owner(column) in self.names.with_renamed_columns

    def _perhaps_gone(self, key: Thing) -> SchemaEffect:
        return SchemaEffect(self.things[key], there=False, lenient=True, sure=False, implied=True)


class _NameGroups:
    """Tables that are called differently at different times: one group for all names of a table.

    Renamed types are not followed: their labels are not evidence.
    """

    def __init__(self, all_effects: Iterable[SchemaEffects]) -> None:
        self._first: dict[Thing, Thing] = {}
        self._members: defaultdict[Thing, list[Thing]] = defaultdict(list)
        self._types: set[Thing] = set()
        self._confused: set[Thing] = set()
        columns: set[Thing] = set()
        held: dict[Thing, Thing] = {}  # a name → the first name of the table that has it now
        given_up: set[Thing] = set()
        for effects in all_effects:
            renamed = {_folded(old): new for old, new in effects.renamed}
            for effect in effects.left:
                folded = _folded(effect.thing)
                if folded.kind == "table" and effect.there and not effect.implied:
                    self._given(folded, held.setdefault(folded, folded))
                    if folded in given_up:
                        self._confused.add(self._of(folded))
                new = None if effect.there else renamed.get(folded)
                if new is None:
                    continue
                if folded.kind == "type":
                    self._types |= {folded, _folded(new)}
                elif folded.kind == "column":
                    columns.add(_owner(folded))
                else:
                    self._renamed(effect.thing, new, held)
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
        if thing.kind in _OF_NO_TABLE:
            return folded
        table = self._of(_owner(folded))
        return folded._replace(of=table.name, schema=table.schema)

    def group(self, table: Thing) -> Thing:
        """The first name of a table; any other thing as it is."""
        return self._of(_folded(table))

    def of(self, thing: Thing) -> tuple[Thing, ...]:
        """The thing under all names of its table."""
        members = [] if thing.kind in _OF_NO_TABLE else self._members.get(self._of(_owner(_folded(thing))), [])
        return tuple(thing._replace(of=each.name, schema=each.schema) for each in members) or (thing,)

    def are_confused(self, thing: Thing) -> bool:
        """Whether its table, or its type, can't be told from another one."""
        owner = _owner(_folded(thing))
        if thing.kind in _OF_NO_TABLE:
            return thing.kind == "label" and owner in self._types
        return self._of(owner) in self._confused

    def _of(self, folded: Thing) -> Thing:
        return self._first.get(folded, folded)


_OF_NO_TABLE = ("table", "type", "label")


def _owner(key: Thing) -> Thing:
    """The table that it stands on; one without a name where that is not known. Of a label its type."""
    return Thing("type" if key.kind == "label" else "table", key.of, "", key.schema)


def _folded(thing: Thing) -> Thing:
    """In one case: names written as text are folded by the database, each kind in its own way; labels never are."""
    name = thing.name if thing.kind == "label" else thing.name.casefold()
    schema = "" if thing.schema == "public" else thing.schema.casefold()  # projects write both for the same place
    return Thing(thing.kind, name, thing.of.casefold(), schema)


Shown = Literal["applied", "absent", "partly", "untold"]
"""`untold`: nothing in the schema tells whether the revision ran."""


class SchemaEvidence(NamedTuple):
    """What one thing shows about one revision: it was found or not, so the revision has run or has not."""

    thing: Thing
    there: bool
    ran: bool
    line: int


class RevisionEvidence(NamedTuple):
    """What a schema shows about one revision: the sum of it, and thing by thing.

    One that does nothing at all (a merge) is `empty`: nothing depends on whether it ran.
    """

    shown: Shown
    evidence: tuple[SchemaEvidence, ...] = ()
    empty: bool = False


def things_to_look_for(graph: Graph, effects: Mapping[str, SchemaEffects]) -> tuple[Thing, ...]:
    """Everything whose presence tells something, each once, sorted."""
    return tuple(sorted({name for case in touched_things(graph, effects) for name in case.names}))


def evidence_in_schema(
    graph: Graph,
    effects: Mapping[str, SchemaEffects],
    seen: Mapping[Thing, bool],
    claimed: Collection[str] = (),
    *,
    rolls_back: bool = True,
) -> dict[str, RevisionEvidence]:
    """What the schema shows about each revision of a chain.

    A revision without an entry in `effects` may do anything; a thing without one in `seen` can't be seen in this
    database. `claimed` have run, as the rows say. `rolls_back`: an upgrade that fails leaves nothing behind; else a
    part of the next revisions may have run.
    """
    unread = _Unread(graph, effects, claimed, rolls_back=rolls_back)
    found = [
        (case, any(seen[name] for name in case.names))
        for case in touched_things(graph, effects)
        if all(name in seen for name in case.names)
    ]
    possible = [(case, there, unread.selections(case, there=there)) for case, there in found]
    known: dict[str, bool] = {}
    while True:
        evidence: dict[str, list[SchemaEvidence]] = {}
        for case, there, selections in possible:
            for revision, each in _shown_by(case, selections, known, there=there):
                evidence.setdefault(revision, []).append(each)
        clear = {id_: found[0].ran for id_, found in evidence.items() if len({each.ran for each in found}) == 1}
        # A contradiction can make an answer waver; what was clear once is enough to go on with.
        if clear.keys() <= known.keys():
            break
        known = {**clear, **known}
    return {id_: _summed(evidence.get(id_, []), effects.get(id_)) for id_ in graph.revisions}


def _summed(evidence: Sequence[SchemaEvidence], effects: SchemaEffects | None) -> RevisionEvidence:
    if not evidence:
        is_empty = effects is not None and not (effects.left or effects.unseen or effects.renamed)
        return RevisionEvidence("untold", empty=is_empty)
    ran = {each.ran for each in evidence}
    shown: Shown = "partly" if len(ran) > 1 else "applied" if True in ran else "absent"
    return RevisionEvidence(shown, tuple(sorted(evidence, key=lambda each: (each.line, each.thing))))


def _shown_by(
    case: TouchedThing, selections: Sequence[tuple[bool, ...]], known: Mapping[str, bool], *, there: bool
) -> Iterable[tuple[str, SchemaEvidence]]:
    """What one thing shows about each revision that touches it, given what is known about the others."""
    ids = [touch.revision for touch in case.touches]
    for place, touch in enumerate(case.touches):
        fitting = {
            ran[place]
            for ran in selections
            if all(known.get(id_, ran[n]) == ran[n] for n, id_ in enumerate(ids) if n != place)
        }
        own = [effect for effect in touch.effects if effect is not None and not effect.implied]
        if len(fitting) == 1 and own:
            # What a table brings with it speaks through the table.
            yield touch.revision, SchemaEvidence(own[-1].thing, there, fitting.pop(), own[-1].line)


class _ThingState(Enum):
    """How a thing may be; `BROUGHT`: there because a statement that was not understood has made it."""

    GONE = 0
    THERE = 1
    BROUGHT = 2


class _Unread:
    """The statements of a chain that were not understood: between which touches they ran, and what they allow."""

    def __init__(
        self, graph: Graph, effects: Mapping[str, SchemaEffects], claimed: Collection[str], *, rolls_back: bool
    ) -> None:
        ran, begun, waiting = [], [], []
        for place, id_ in enumerate(parents_first(graph, graph.revisions)):
            if id_ in effects and not any(each.unread for each in effects[id_].unseen):
                continue
            if id_ in claimed:
                ran.append(place)
                continue
            waiting.append(place)
            if not rolls_back and all(parent in claimed for parent in graph.parents(id_)):
                begun.append(place)
        self._ran, self._begun, self._waiting = ran, begun, waiting

    def selections(self, case: TouchedThing, *, there: bool) -> list[tuple[bool, ...]]:
        """For each touch of a thing whether it ran: all possibilities after which the thing is as it was found."""
        return [
            ran
            for ran in product((False, True), repeat=len(case.touches))
            if self._is_possible(case.touches, ran, there=there)
        ]

    def _is_possible(self, touches: Sequence[RevisionTouch], ran: tuple[bool, ...], *, there: bool) -> bool:
        states, last = _beginnings(touches), -1
        for touch in compress(touches, ran):
            states = _after(self._between(states, last, touch.place, touches, ran), touch.effects)
            last = touch.place
        states = self._between(states, last, None, touches, ran)
        if not there:
            return _ThingState.GONE in states
        return _ThingState.THERE in states or (_ThingState.BROUGHT in states and self._goes_on(touches, ran))

    def _between(
        self,
        states: set[_ThingState],
        after: int,
        before: int | None,
        touches: Sequence[RevisionTouch],
        ran: tuple[bool, ...],
    ) -> set[_ThingState]:
        """What statements that were not understood make of it, in revisions that are not selected themselves."""
        if _any_between(self._ran, after, before, [touch.place for touch in touches]):
            states = _anything(states)
        if _any_between(self._begun, after, before, [touch.place for touch in compress(touches, ran)]):
            states = states | _anything(states)
        return states

    def _goes_on(self, touches: Sequence[RevisionTouch], ran: tuple[bool, ...]) -> bool:
        """Whether what has not run yet can, with the thing there: else a chain that works has not brought it."""
        states, last, places = {_ThingState.BROUGHT}, -1, [touch.place for touch in touches]
        for touch in compress(touches, (not each for each in ran)):
            if _any_between(self._waiting, last, touch.place, places):
                states = states | _anything(states)
            states, last = _after(states, touch.effects), touch.place
        return bool(states)


def _any_between(places: Sequence[int], after: int, before: int | None, besides: Sequence[int]) -> bool:
    start = bisect_left(places, after + 1)
    end = len(places) if before is None else bisect_left(places, before)
    return any(places[at] not in besides for at in range(start, min(end, start + len(besides) + 1)))


def _beginnings(touches: Sequence[RevisionTouch]) -> set[_ThingState]:
    """How the thing may have been before any revision: who makes it found nothing."""
    first = next(effect for touch in touches for effect in touch.effects if effect is not None)
    has_made_it = first.there and first.sure and not first.lenient
    return {_ThingState.GONE} if has_made_it else {_ThingState.GONE, _ThingState.THERE}


def _after(states: set[_ThingState], effects: Iterable[SchemaEffect | None]) -> set[_ThingState]:
    """How the thing may be after one revision; empty where it can't have run without an error."""
    for effect in effects:
        if effect is None:
            states = _anything(states)
        else:
            after = set(_made(states, effect))
            states = after if effect.sure else states | after
    return states


def _made(states: set[_ThingState], effect: SchemaEffect) -> Iterator[_ThingState]:
    for state in states:
        if (state != _ThingState.GONE) == effect.there:
            if effect.lenient:
                yield state
        else:
            yield _ThingState.THERE if effect.there else _ThingState.GONE


def _anything(states: set[_ThingState]) -> set[_ThingState]:
    """What a statement that was not understood may make of it."""
    return states | {_ThingState.GONE} | ({_ThingState.BROUGHT} if _ThingState.GONE in states else set())


_SAID: dict[str, dict[str, tuple[str, str]]] = {
    "postgresql": {
        "table": ('relation "{name}" already exists', 'table "{name}" does not exist'),
        "index": ('relation "{name}" already exists', 'index "{name}" does not exist'),
        "column": (
            'column "{name}" of relation "{of}" already exists',
            'column "{name}" of relation "{of}" does not exist',
        ),
        "constraint": (
            'constraint "{name}" for relation "{of}" already exists',
            'constraint "{name}" of relation "{of}" does not exist',
        ),
        "type": ('type "{name}" already exists', 'type "{name}" does not exist'),
        "label": ('enum label "{name}" already exists', ""),
    },
    "sqlite": {
        "table": ("table {name} already exists", "no such table: {name}"),
        "index": ("index {name} already exists", "no such index: {name}"),
        "column": ("duplicate column name: {name}", 'no such column: "{name}"'),
    },
    "mariadb": {
        "table": ("Table '{name}' already exists", "Unknown table '{name}'"),
        "column": ("Duplicate column name '{name}'", "Can't DROP COLUMN `{name}`; check that it exists"),
        "index": ("Duplicate key name '{name}'", "Can't DROP INDEX `{name}`; check that it exists"),
    },
}
"""Dialect, kind of a thing → what is said where it is there already, and where it is gone already."""


def would_say(evidence: Sequence[SchemaEvidence], dialect: Dialect) -> str:
    """The error of the first statement that can't be done again, without what the driver puts around it.

    Where its words are not known, what is there or gone already.
    """
    first = next((each for each in evidence if each.ran), None)
    if first is None:
        return ""
    thing = first.thing
    if_there, if_gone = _SAID["mariadb" if dialect == "mysql" else dialect].get(thing.kind, ("", ""))
    said = (if_there if first.there else if_gone).format(name=thing.name, of=thing.of)
    return said or f"{thing} is {'there' if first.there else 'gone'} already"
