"""The chain of one environment as a graph: heads, bases, ancestors, and what is wrong with it.

Alembic's words and rules, without Alembic: a head is a revision that no other one names in `down_revision`
(`depends_on` makes no difference to `upgrade head`). The tests hold this module against Alembic's own map.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from heapq import heapify, heappop, heappush
from operator import attrgetter

from onehead.revisions.model import Revision, Unreadable

_MAX_LINEAGES = 8
"""Answers of `Graph.ancestors` that one graph keeps."""


class Graph:
    """Revisions of one environment at one tree, and how they are linked.

    `revisions` are in path order; of two with one id, the one whose path sorts last is kept, as Alembic keeps it.
    """

    def __init__(self, revisions: Iterable[Revision], unreadable: Iterable[Unreadable] = ()) -> None:
        self._all = sorted(revisions, key=attrgetter("path"))
        self.revisions = {revision.id: revision for revision in self._all}
        self.unreadable = tuple(sorted(unreadable, key=attrgetter("path")))
        self._lineages: dict[tuple[str, ...], frozenset[str]] = {}

    def __contains__(self, revision: str) -> bool:
        return revision in self.revisions

    def __iter__(self) -> Iterator[Revision]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self.revisions)

    @cached_property
    def duplicates(self) -> dict[str, tuple[Revision, ...]]:
        """Id → all its definitions, for the ids that have more than one."""
        if len(self._all) == len(self.revisions):
            return {}
        found: dict[str, list[Revision]] = defaultdict(list)
        for revision in self._all:
            found[revision.id].append(revision)
        return {id_: tuple(same) for id_, same in found.items() if len(same) > 1}

    def definitions(self, revision: str) -> tuple[Revision, ...]:
        """Everything that declares an id; nothing where nothing does."""
        if revision in self.duplicates:
            return self.duplicates[revision]
        return (self.revisions[revision],) if revision in self.revisions else ()

    @cached_property
    def paths(self) -> frozenset[str]:
        """The files that declare the revisions."""
        return frozenset(revision.path for revision in self)

    def parents(self, revision: str) -> tuple[str, ...]:
        """Parents that are present; of a duplicated id, those of every definition."""
        return self._parents[revision]

    @cached_property
    def _parents(self) -> dict[str, tuple[str, ...]]:
        declared = {id_: revision.parents for id_, revision in self.revisions.items()}
        for id_, found in self.duplicates.items():
            declared[id_] = tuple(dict.fromkeys(parent for revision in found for parent in revision.parents))
        known = self.revisions.keys()
        for id_, parents in declared.items():
            if not known >= {*parents}:
                declared[id_] = tuple(parent for parent in parents if parent in known)
        return declared

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """Id → ids that name it in `down_revision`."""
        found: dict[str, list[str]] = {id_: [] for id_ in self.revisions}
        for id_, parents in self._parents.items():
            for parent in parents:
                found[parent].append(id_)
        return {id_: tuple(names) for id_, names in found.items()}

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Ids without children, sorted."""
        return tuple(sorted(id_ for id_, names in self.children.items() if not names))

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Ids that declare no parent at all, sorted (a missing parent does not make a base)."""
        return tuple(sorted(id_ for id_, r in self.revisions.items() if not r.parents))

    @cached_property
    def has_dependencies(self) -> bool:
        """Whether any revision names another one in `depends_on`; in most projects none does."""
        return any(revision.depends_on for revision in self)

    @cached_property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """Pairs (revision, parent or dependency that no file declares), sorted."""
        labels = {label for r in self for label in r.branch_labels}
        pairs = {(r.id, parent) for r in self for parent in r.parents if parent not in self.revisions}
        pairs |= {
            (r.id, need) for r in self for need in r.depends_on if need not in self.revisions and need not in labels
        }
        return tuple(sorted(pairs))

    @cached_property
    def cycles(self) -> tuple[str, ...]:
        """Ids on a cycle of parents and dependencies, or on a path between two cycles; sorted."""
        if self._is_plainly_ordered():
            return ()
        labels = {label: r.id for r in self for label in r.branch_labels}
        below: dict[str, set[str]] = {id_: set(self.parents(id_)) for id_ in self.revisions}
        for revision in self:
            needs = (labels.get(need, need) for need in revision.depends_on)
            below[revision.id].update(need for need in needs if need in self.revisions)
        above: dict[str, set[str]] = {id_: set() for id_ in below}
        for id_, names in below.items():
            for name in names:
                above[name].add(id_)
        left = set(below)
        for neighbours, onward in ((below, above), (above, below)):
            waiting = {id_: len(neighbours[id_] & left) for id_ in left}
            ready = [id_ for id_, count in waiting.items() if count == 0]
            while ready:
                done = ready.pop()
                left.discard(done)
                for other in onward[done] & left:
                    waiting[other] -= 1
                    if waiting[other] == 0:
                        ready.append(other)
        return tuple(sorted(left))

    def _is_plainly_ordered(self) -> bool:
        """Whether nothing but parents orders the revisions, and without a cycle: so it is nearly everywhere."""
        if self.has_dependencies:
            return False
        waiting = {id_: len(parents) for id_, parents in self._parents.items()}
        ready = [id_ for id_, count in waiting.items() if count == 0]
        for done in ready:  # grows while it is walked
            for child in self.children[done]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        return len(ready) == len(waiting)

    def ancestors(self, *revisions: str, until: Graph | None = None) -> frozenset[str]:
        """The given revisions and everything below them; with `until`, down to what is in that graph."""
        if until is not None:
            start = (id_ for id_ in revisions if id_ not in until)
            return self._reach(start, lambda id_: (p for p in self._parents[id_] if p not in until))
        found = self._lineages.get(revisions)
        if found is None:
            found = self._reach(revisions, self._parents.__getitem__)
            # The same few heads are asked for again and again; of a whole chain, all would take too much memory.
            if len(self._lineages) < _MAX_LINEAGES:
                self._lineages[revisions] = found
        return found

    def descendants(self, *revisions: str) -> frozenset[str]:
        """The given revisions and everything above them."""
        return self._reach(revisions, self.children.__getitem__)

    def _reach(self, start: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> frozenset[str]:
        seen = {id_ for id_ in start if id_ in self.revisions}
        todo = list(seen)
        while todo:
            for other in neighbours(todo.pop()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return frozenset(seen)

    @cached_property
    def circles(self) -> tuple[tuple[str, ...], ...]:
        """All revisions, parents before children; a circle (a strongly connected component, by Tarjan) is one entry."""
        entered: dict[str, int] = {}
        low: dict[str, int] = {}
        opened: list[str] = []
        found: list[tuple[str, ...]] = []
        for start in self.revisions:
            todo = [] if start in entered else [(start, iter(self._parents[start]))]
            while todo:
                id_, parents = todo[-1]
                if id_ not in entered:
                    entered[id_] = low[id_] = len(entered)
                    opened.append(id_)
                for parent in parents:
                    if parent not in entered:
                        todo.append((parent, iter(self._parents[parent])))
                        break
                    low[id_] = min(low[id_], low.get(parent, low[id_]))
                else:
                    todo.pop()
                    if todo:
                        low[todo[-1][0]] = min(low[todo[-1][0]], low[id_])
                    if low[id_] == entered[id_]:
                        circle = [opened.pop()]
                        while circle[-1] != id_:
                            circle.append(opened.pop())
                        for each in circle:
                            del low[each]
                        found.append(tuple(circle))
        return tuple(found)

    @cached_property
    def heads_above(self) -> dict[str, int]:
        """Id → the heads above it, itself included: a set of bits, the lowest one for the first of `heads`."""
        return self._gathered({head: 1 << number for number, head in enumerate(self.heads)}, upward=True)

    def below(self, own: Mapping[str, int]) -> dict[str, int]:
        """Id → the bits of all below it, its own included; in one pass, as a set of ancestors for each costs many."""
        return self._gathered(own, upward=False)

    def _gathered(self, own: Mapping[str, int], *, upward: bool) -> dict[str, int]:
        neighbours = self.children if upward else self._parents
        found: dict[str, int] = {}
        for circle in reversed(self.circles) if upward else self.circles:
            bits = 0
            for id_ in circle:
                for more in (own.get(id_, 0), *(found.get(other, 0) for other in neighbours[id_])):
                    # Along a straight line all share one number: it may be as long as there are heads.
                    bits = more if bits == 0 else bits if more in (0, bits) else bits | more
            found.update(dict.fromkeys(circle, bits))
        return found

    @cached_property
    def labelled(self) -> dict[str, tuple[str, ...]]:
        """Branch label → the ids that carry it, one where all is well."""
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for revision in self:
            for label in revision.branch_labels:
                found[label][revision.id] = None
        return {label: tuple(ids) for label, ids in found.items()}

    def branch_points(self) -> tuple[str, ...]:
        """Ids with two children or more, sorted."""
        return tuple(sorted(id_ for id_, names in self.children.items() if len(names) > 1))

    def fork_points(self, revisions: Iterable[str]) -> tuple[str, ...]:
        """The nearest common ancestors of several revisions: where their ways part; sorted, often just one."""
        place = self._places
        seen: dict[int, int] = {}
        starts = list(dict.fromkeys(revisions))
        if any(start not in place for start in starts):
            return ()
        for number, start in enumerate(starts):
            seen[place[start]] = seen.get(place[start], 0) | 1 << number
        everybody = (1 << len(starts)) - 1
        waiting = [-at for at in seen]
        heapify(waiting)
        apart, shared = set(seen), set[int]()
        points = []
        while apart:
            at = -heappop(waiting)
            apart.discard(at)
            circle = self.circles[at]
            if seen[at] == everybody and at not in shared and len(circle) == 1:
                points.append(circle[0])
            for below in {place[parent] for id_ in circle for parent in self._parents[id_]} - {at}:
                if below not in seen:
                    seen[below] = 0
                    heappush(waiting, -below)
                    apart.add(below)
                seen[below] |= seen[at]
                if seen[at] == everybody:
                    shared.add(below)
                    apart.discard(below)
        return tuple(sorted(points))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {id_: number for number, circle in enumerate(self.circles) for id_ in circle}

    def parents_first(self, ids: Iterable[str]) -> list[str]:
        """Some revisions, each after its parents as far as these are among them.

        Of several that could be next, the first by name is; a circle is entered at the first that is left.
        """
        waiting = dict.fromkeys(sorted(id_ for id_ in ids if id_ in self.revisions), 0)
        for id_ in waiting:
            waiting[id_] = sum(parent in waiting for parent in self._parents[id_])
        ready = [id_ for id_, parents in waiting.items() if parents == 0]
        left = iter(list(waiting))
        order: list[str] = []
        while waiting:
            done = heappop(ready) if ready else next(id_ for id_ in left if id_ in waiting)
            order.append(done)
            del waiting[done]
            for child in self.children[done]:
                if child in waiting:
                    waiting[child] -= 1
                    if waiting[child] == 0:
                        heappush(ready, child)
        return order

    def replaced(self, changed: Iterable[Revision]) -> Graph:
        """The same graph with some revisions declared anew, or added."""
        news = {revision.id: revision for revision in changed}
        return Graph([*(r for r in self if r.id not in news), *news.values()], self.unreadable)


class Groups:
    """Names in groups that are joined two by two (a disjoint-set forest)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._leader = {name: name for name in names}

    def leader(self, name: str) -> str:
        """The one that stands for the group of a name."""
        leader = self._leader
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    def join(self, one: str, other: str) -> bool:
        """Make one group of two; whether they were two."""
        one, other = sorted((self.leader(one), self.leader(other)))
        self._leader[other] = one
        return one != other

    def all(self) -> list[tuple[str, ...]]:
        """The groups, sorted, and so is each."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._leader):
            found.setdefault(self.leader(name), []).append(name)
        return [tuple(names) for names in found.values()]
