"""Where each revision of a drawing stands: runs are folded, rows put in order, and lines given lanes.

Rows go from the oldest revision to the newest, each below all that it stands on. The line of a revision runs down in
its own lane to the last of those that stand on it, and the others leave it on the way: a lane never holds two lines at
once, and a point with thousands of children takes one lane. Everything takes time in proportion to rows and links.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision

Tie = Literal["parent", "needs", "repair", "replaced"]
"""Why one stands on another: `down_revision`, `depends_on`, what a repair would add, and what it would take away."""

TIES: tuple[Tie, ...] = ("parent", "needs", "repair", "replaced")

MAX_LANES = 40
"""Lanes with lines; a revision that finds none free stands beside them, and what is tied to it says so in words."""

MAX_SHORT = 3
"""Revisions in a straight run that is never folded."""

MAX_NEAR_A_HEAD = 4
"""Revisions shown of the run that leads to a head."""

MAX_OPENED = 200
"""Revisions shown of a run that a reader opens; the older ones are another run to open."""


class Link(NamedTuple):
    """`upper` stands on `lower`; ids, or numbers of runs."""

    lower: str
    upper: str
    tie: Tie = "parent"


class Run(NamedTuple):
    """What has one row: a revision, or several in a straight line that are folded into one, the oldest first."""

    ids: tuple[str, ...]

    @property
    def is_fold(self) -> bool:
        """Whether it is several."""
        return len(self.ids) > 1

    @property
    def newest(self) -> str:
        """The one by which a run is opened: what comes above it later does not change it."""
        return self.ids[-1]


class Track(NamedTuple):
    """A line: from the revision in `row` down in `lane`, to the revisions in the rows `ends`, of which one or more."""

    row: int
    lane: int
    tie: Tie
    ends: tuple[int, ...]


class UndrawnLink(NamedTuple):
    """A link that has no line, between two rows: it leads back in a circle, or no lane was free."""

    lower: int
    upper: int
    tie: Tie
    in_circle: bool


class Lanes(NamedTuple):
    """The runs in the order of their rows, the lane of each, and the lines between them."""

    runs: tuple[Run, ...]
    lane: tuple[int, ...]
    tracks: tuple[Track, ...]
    without_line: tuple[UndrawnLink, ...]

    @property
    def number(self) -> int:
        """How many lanes there are."""
        return 1 + max([0, *self.lane, *(track.lane for track in self.tracks)])


def folded(
    ids: Iterable[str],
    links: Iterable[Link],
    kept: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
    opened: Collection[str] = (),
) -> list[Run]:
    """Every id once: straight runs become one each.

    A run is straight where each stands on one and carries one, and all are of one group. The `kept` are never part of
    one. A run is opened by any of its ids, which is then shown with those below it.
    """
    below: dict[str, list[Link]] = {id_: [] for id_ in ids}
    above: dict[str, list[Link]] = {id_: [] for id_ in below}
    for link in links:
        below[link.upper].append(link)
        above[link.lower].append(link)
    straight = {
        id_
        for id_ in below
        if id_ not in kept
        and [link.tie for link in below[id_]] == ["parent"]
        and [link.tie for link in above[id_]] == ["parent"]
    }
    group = groups or {}

    def goes_on(id_: str) -> bool:
        """Whether a run goes on through here from the one below."""
        lower = below[id_][0].lower
        return lower in straight and group.get(lower) == group.get(id_)

    runs: list[Run] = []
    seen: set[str] = set()
    # What is left after the first pass is a circle of nothing but straight ones: it is cut at its first.
    for start in (*(id_ for id_ in below if id_ not in straight or not goes_on(id_)), *below):
        if start in seen:
            continue
        run = [start]
        seen.add(start)
        while run[-1] in straight:
            upper = above[run[-1]][0].upper
            if upper not in straight or upper in seen or not goes_on(upper):
                break
            run.append(upper)
            seen.add(upper)
        near_head = run[-1] in straight and not above[above[run[-1]][0].upper]
        runs += _pieces(run, MAX_NEAR_A_HEAD if near_head else 0, opened)
    return runs


def _pieces(run: list[str], newest: int, opened: Collection[str]) -> Iterator[Run]:
    """A run as runs: `newest` and opened ones by themselves, and what is between them folded where it is long."""
    shown = [False] * len(run)
    left = newest
    for at in range(len(run) - 1, -1, -1):
        left = MAX_OPENED if run[at] in opened else left
        shown[at] = left > 0
        left -= 1
    at = 0
    while at < len(run):
        end = at + 1
        while end < len(run) and shown[end] == shown[at]:
            end += 1
        if shown[at] or end - at <= MAX_SHORT:
            yield from (Run((id_,)) for id_ in run[at:end])
        else:
            yield Run(tuple(run[at:end]))
        at = end


class _Tied(NamedTuple):
    """A link between two runs, by number."""

    lower: int
    upper: int
    tie: Tie


def nearest_to_heads(runs: Sequence[Run], links: Iterable[Link], most: int) -> set[int]:
    """The numbers of at most so many runs: those nearest to what carries nothing, which is half of them at most."""
    below: dict[int, list[int]] = defaultdict(list)
    carries = set()
    for link in _between(runs, links):
        below[link.upper].append(link.lower)
        carries.add(link.lower)
    tops = [at for at in range(len(runs)) if at not in carries]
    # Where all go round in a circle, nothing is on top.
    near = dict.fromkeys((tops or [*range(len(runs))])[: max(1, most // 2)])
    todo = list(near)
    for at in todo:  # grows while it is walked: breadth first
        for lower in below[at]:
            if lower not in near and len(near) < most:
                near[lower] = None
                todo.append(lower)
    return set(near)


def _between(runs: Sequence[Run], links: Iterable[Link]) -> list[_Tied]:
    """The links from row to row, each once; those inside one, and to what is not there, are left out."""
    number = {id_: at for at, run in enumerate(runs) for id_ in run.ids}
    return list(
        dict.fromkeys(
            _Tied(number[link.lower], number[link.upper], link.tie)
            for link in links
            if link.lower in number and link.upper in number and number[link.lower] != number[link.upper]
        )
    )


def lanes_of(runs: Sequence[Run], links: Iterable[Link], aside: Collection[str] = ()) -> Lanes:
    """Give every run a row and a lane, and every link a line where there is room.

    `aside`: ids that leave the straight line to the others where they part.
    """
    tied = _between(runs, links)
    place = [0] * len(runs)
    for number, at in enumerate(_parents_first(len(runs), tied)):
        place[at] = number
    forward = [link for link in tied if place[link.lower] < place[link.upper]]
    order = _order(len(runs), forward, place, [run.newest in aside for run in runs])
    row = {at: number for number, at in enumerate(order)}
    ends: dict[int, dict[Tie, list[int]]] = defaultdict(lambda: defaultdict(list))
    for link in forward:
        ends[row[link.lower]][link.tie].append(row[link.upper])
    circles = [
        UndrawnLink(row[link.lower], row[link.upper], link.tie, True)
        for link in tied
        if place[link.lower] >= place[link.upper]
    ]
    lane, tracks, told = _laid(len(order), ends)
    return Lanes(tuple(runs[at] for at in order), lane, tracks, (*circles, *told))


def _laid(
    rows: int, ends: Mapping[int, Mapping[Tie, list[int]]]
) -> tuple[tuple[int, ...], tuple[Track, ...], tuple[UndrawnLink, ...]]:
    """The lane of every row, the lines, and the links that find no lane."""
    free = list(range(MAX_LANES))
    lanes: list[int] = []
    tracks: list[Track] = []
    told: list[UndrawnLink] = []
    arriving: dict[int, list[tuple[bool, int]]] = defaultdict(list)
    for row in range(rows):
        here = sorted(arriving.pop(row, []))
        # The last that stands on another takes over its lane: so the main line stays straight and its sides leave it.
        lane = here.pop(0)[1] if here else heappop(free) if free else MAX_LANES
        lanes.append(lane)
        for _, ended in here:
            heappush(free, ended)
        own = [lane] if lane < MAX_LANES else []
        upward = ends.get(row, {})
        for tie in TIES:
            if tie not in upward:
                continue
            uppers = sorted(upward[tie])
            if own or free:
                track = Track(row, own.pop() if own else heappop(free), tie, tuple(uppers))
                tracks.append(track)
                arriving[uppers[-1]].append((tie != "parent", track.lane))
            else:
                told += [UndrawnLink(row, upper, tie, False) for upper in uppers]
        for unused in own:
            heappush(free, unused)
    return tuple(lanes), tuple(tracks), tuple(told)


def _parents_first(number: int, links: list[_Tied]) -> list[int]:
    """Each after all below it; those of a circle follow each other, and some link of it leads back."""
    below: list[list[str]] = [[] for _ in range(number)]
    for link in links:
        below[link.upper].append(str(link.lower))
    graph = Graph(Revision(str(at), tuple(lower), "", "") for at, lower in enumerate(below))
    return [int(id_) for circle in graph.circles for id_ in circle]


def _order(number: int, links: list[_Tied], place: list[int], aside: list[bool]) -> list[int]:
    """An order with few lines side by side; no link leads back.

    A line is followed until it waits for another one. Of several, what stands aside comes first, then the one that ends
    soonest; of those that begin anew, the one that goes on longest, for it is met first by the others.
    """
    height = [0] * number
    for link in sorted(links, key=lambda link: place[link.lower], reverse=True):
        height[link.lower] = max(height[link.lower], height[link.upper] + 1)
    waiting, above = _counted(number, links)
    todo = sorted((at for at in range(number) if waiting[at] == 0), key=lambda at: (height[at], -at))
    order: list[int] = []
    while todo:
        at = todo.pop()
        order.append(at)
        fresh = []
        for upper in above[at]:
            waiting[upper] -= 1
            if waiting[upper] == 0:
                fresh.append(upper)
        todo += sorted(fresh, key=lambda at: (aside[at], -height[at], -at))
    return order


def _counted(number: int, links: list[_Tied]) -> tuple[list[int], list[list[int]]]:
    """How many links lead to each from below, and what each carries."""
    waiting = [0] * number
    above: list[list[int]] = [[] for _ in range(number)]
    for link in links:
        waiting[link.upper] += 1
        above[link.lower].append(link.upper)
    return waiting, above
