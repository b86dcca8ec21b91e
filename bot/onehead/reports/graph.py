"""Choose what a drawing of the chain shows, and draw it as lines of text.

A revision is drawn under its dominator, the nearest revision that every path to it passes. For a revision with one
parent that is the parent. For a merge it is the place where its parents parted, so what follows a merge returns to the
main line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Merge, Plan, Reissue, Reparent
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.screen import Paint, plain
from onehead.text import cut_words, listed, named, visible

Owner = Literal["target", "head", "repair"]

MAX_DRAWN = 40
"""Revisions in a drawing of a fork, before the nearest of each straight run are added."""

MAX_HEADS = 12
"""Heads in a drawing of a fork."""

MAX_IN_A_CHAIN = 60
"""Revisions where lines part, meet or end in the drawing of a chain, before the nearest of each run are added."""

MAX_AROUND = 15
"""Revisions in a drawing of what is around one."""

MAX_BESIDE = 4
"""Revisions shown of each straight run before the middle is folded."""


class Node(NamedTuple):
    """One revision in a drawing: its id, message and owner, whether it is a head, and its parents, drawn or not."""

    id: str
    doc: str
    owner: Owner
    is_head: bool
    parents: tuple[str, ...] = ()


class Edge(NamedTuple):
    """From parent to child; `folded` revisions between them are not drawn.

    `repair`: the plan would add it, and give the child that `new_id`, if any.
    """

    parent: str
    child: str
    folded: int = 0
    repair: bool = False
    new_id: str = ""


class Picture(NamedTuple):
    """Nodes from the oldest to the newest, and their edges; `left_out` revisions that matter were too many to draw."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int = 0


def full_picture(graph: Graph) -> Picture:
    """Every revision."""
    return _picture(graph, graph.revisions)


def picture_around(graph: Graph, id_: str) -> Picture:
    """One revision and those nearest to it, older and newer ones."""
    near = _nearest([id_], lambda at: (*graph.parents(at), *graph.children[at]), graph.revisions, MAX_AROUND)
    return _picture(graph, near)


def whole_picture(graph: Graph) -> Picture:
    """Heads, bases, branch and merge points, and the ends of the runs between them; of a large chain, the newest."""
    everything = frozenset(graph.revisions)
    marks = {id_ for id_ in everything if _is_joint(graph, id_, everything)}
    # What follows a circle is below no head.
    near = _nearest([*graph.heads, *graph.cycles], graph.parents, marks, MAX_IN_A_CHAIN)
    kept = near.union(*(graph.children[id_] for id_ in near), *(graph.parents(id_) for id_ in near))
    if len(kept) > 4 * MAX_IN_A_CHAIN:
        kept = near
    return _picture(graph, kept, len(marks) - len(near))


def recent_picture(graph: Graph, most: int = 12) -> Picture:
    """The newest revisions: those nearest to the heads, whole runs of them unfolded."""
    return _picture(graph, _nearest(graph.heads, graph.parents, graph.revisions, most))


def _nearest(
    start: Iterable[str], neighbours: Callable[[str], Iterable[str]], wanted: Collection[str], most: int
) -> set[str]:
    """The wanted ones that are nearest to some revisions."""
    seen = dict.fromkeys(start)
    near: set[str] = set()
    todo = list(seen)
    for id_ in todo:  # grows while it is walked: breadth first
        if len(near) == most:
            break
        if id_ in wanted:
            near.add(id_)
        fresh = [other for other in neighbours(id_) if other not in seen]
        seen.update(dict.fromkeys(fresh))
        todo += fresh
    return near


def fork_picture(facts: Facts, plan: Plan) -> Picture:
    """The neighbourhood of the environment's forks, with what the plan would add; empty when nothing is forked."""
    graph = facts.merged
    forks = forks_of(facts, graph)
    heads: list[str] = []
    near: set[str] = set()
    for fork in forks:
        shown = fork.narrowed(MAX_HEADS - len(heads)).heads
        heads += shown
        if shown:
            near |= graph.ancestors(*shown) - graph.ancestors(*fork.points)
            near.update(fork.points)
    left_out = sum(len(fork.heads) for fork in forks) - len(heads)
    branch = {id_ for id_ in graph.revisions if facts.head is not None and id_ not in facts.target}
    marks = {id_ for id_ in near if _is_joint(graph, id_, near) or not near.issuperset(graph.parents(id_))}
    beside = {other for id_ in marks for other in (*graph.children[id_], *graph.parents(id_))}
    kept = marks | (beside & near)
    if len(near) <= MAX_BESIDE * max(2, len(forks) * 2):
        kept = near
    if len(kept) > MAX_DRAWN:
        drawn = _nearest(heads, graph.parents, kept, MAX_DRAWN)
        drawn |= {id_ for fork in forks[:MAX_HEADS] for id_ in fork.points[:MAX_HEADS]}
        left_out += len(kept - drawn)
        kept = kept & drawn
    return _with_repair(_picture(graph, kept, left_out, branch), plan)


def _is_joint(graph: Graph, id_: str, near: Collection[str]) -> bool:
    children = [child for child in graph.children[id_] if child in near]
    return len(children) != 1 or len(graph.parents(id_)) != 1


def _picture(graph: Graph, kept: Iterable[str], left_out: int = 0, branch: Collection[str] = ()) -> Picture:
    """Draw the kept revisions; others between two kept ones become one edge with their number.

    `branch`: those of the judged branch among them.
    """
    shown = set(kept)
    # A run of one takes as much room as the note that it was left out.
    shown |= {
        between
        for id_ in shown
        for between in graph.parents(id_)
        if not shown.isdisjoint(graph.parents(between)) and len(graph.parents(between)) == 1
    }
    edges = [
        Edge(below, id_, folded) for id_ in sorted(shown) for below, folded in _drawn_below(graph, id_, shown).items()
    ]
    order = _oldest_first(shown, edges)
    nodes = []
    for id_ in order:
        owner: Owner = "head" if id_ in branch else "target"
        nodes.append(Node(id_, graph.revisions[id_].doc, owner, not graph.children[id_], graph.parents(id_)))
    place = {id_: number for number, id_ in enumerate(order)}
    ordered = sorted(edges, key=lambda edge: (place[edge.parent], place[edge.child]))
    return Picture(tuple(nodes), tuple(ordered), left_out)


def _drawn_below(graph: Graph, id_: str, shown: Collection[str]) -> dict[str, int]:
    """The nearest drawn revisions that one stands on, by any way, and how many lie between that are not drawn."""
    found = {parent: 0 for parent in graph.parents(id_) if parent in shown}
    between = {parent: None for parent in graph.parents(id_) if parent not in shown}
    ends: dict[str, list[str]] = {}
    todo = list(between)
    for at in todo:  # grows while it is walked
        for parent in graph.parents(at):
            if parent in shown:
                ends.setdefault(parent, []).append(at)
            elif parent not in between:
                between[parent] = None
                todo.append(parent)
    for end, above in ends.items():
        if end != id_ and end not in found:
            near = _nearest(above, lambda at: filter(between.__contains__, graph.children[at]), between, len(between))
            found[end] = len(near)
    return found


def _oldest_first(ids: set[str], edges: list[Edge]) -> list[str]:
    """A stable order in which every parent comes before its children; a circle is cut at its first id."""
    below: dict[str, list[str]] = {id_: [] for id_ in ids}
    for edge in edges:
        below[edge.child].append(edge.parent)
    return Graph(Revision(id_, tuple(parents), "", "") for id_, parents in below.items()).parents_first(ids)


def _with_repair(picture: Picture, plan: Plan) -> Picture:
    shown = {node.id for node in picture.nodes}
    match plan:
        case Reparent(moves=moves) | Reissue(moves=moves):
            extra = [
                Edge(parent, move.revision, repair=True, new_id=plan.new_ids.get(move.revision, ""))
                for move in moves
                for parent in move.new_parents
                if parent in shown and move.revision in shown
            ]
            return picture._replace(edges=(*picture.edges, *extra))
        case Merge(merges=merges):
            nodes, edges = list(picture.nodes), list(picture.edges)
            for number, parents in enumerate(merges[:MAX_HEADS]):
                name = "merge" if len(merges) == 1 else f"merge {number + 1}"
                nodes.append(Node(name, "", "repair", True))
                edges += [Edge(parent, name, repair=True) for parent in parents if parent in shown]
            return picture._replace(nodes=tuple(nodes), edges=tuple(edges))
        case _:
            return picture


Turn = Literal["start", "straight", "side", "last side"]
"""How a revision hangs on the one above: a line of its own, straight below it, as one of its sides, as the last one."""


class OutlineLine(NamedTuple):
    """One revision and how it hangs on its dominator, with its edges from parents in drawing order.

    `bars`: for every level of indentation, whether the line of that level goes on below.
    """

    id: str
    turn: Turn
    bars: tuple[bool, ...]
    parents: tuple[Edge, ...]


def outline(picture: Picture) -> Iterator[OutlineLine]:
    """Every revision of the picture once, each after all its parents; what a repair would add is left out."""
    place = {node.id: number for number, node in enumerate(picture.nodes) if node.owner != "repair"}
    parents: dict[str, list[Edge]] = {id_: [] for id_ in place}
    for edge in picture.edges:
        # In a circle one edge leads backwards: it is not followed.
        if not edge.repair and place.get(edge.parent, len(place)) < place.get(edge.child, -1):
            parents[edge.child].append(edge)
    under = _dominators(parents)
    below: dict[str | None, list[str]] = {None: []}
    for id_ in place:
        below.setdefault(under[id_], []).append(id_)
    todo: list[tuple[str, Turn, tuple[bool, ...]]] = [(id_, "start", ()) for id_ in reversed(below[None])]
    while todo:
        id_, turn, bars = todo.pop()
        yield OutlineLine(id_, turn, bars, tuple(parents[id_]))
        inner = bars if turn in ("start", "straight") else (*bars, turn == "side")
        todo += reversed(_hung(below.get(id_, []), parents, inner))


def _hung(
    children: list[str], parents: dict[str, list[Edge]], bars: tuple[bool, ...]
) -> list[tuple[str, Turn, tuple[bool, ...]]]:
    """How the revisions under one hang on it: sides first, then the merges that close them, the last one straight."""
    ordered = sorted(children, key=lambda id_: len(parents[id_]) > 1)
    closes = len(ordered) == 1 or any(len(parents[id_]) > 1 for id_ in ordered)
    last: Turn = "straight" if closes else "last side"
    return [(id_, last if id_ == ordered[-1] else "side", bars) for id_ in ordered]


def _dominators(parents: dict[str, list[Edge]]) -> dict[str, str | None]:
    """Id → the nearest revision that every way to it passes; `None` where there is no such one."""
    under: dict[str, str | None] = {}
    depth: dict[str | None, int] = {None: 0}
    for id_, edges in parents.items():
        found: str | None = edges[0].parent if edges else None
        for edge in edges[1:]:
            other: str | None = edge.parent
            while found != other:
                if depth[found] >= depth[other]:
                    found = under[found] if found is not None else None
                else:
                    other = under[other] if other is not None else None
        under[id_], depth[id_] = found, depth[found] + 1
    return under


_LEADS = {"start": "", "straight": "", "side": "├─", "last side": "└─"}


def draw(picture: Picture, names: dict[str, str], paint: Paint = plain, *, with_older: bool = False) -> list[str]:
    """Lines that show who follows whom.

    Each revision is drawn once: below its parent, indented where several follow the same one, and a merge where the
    sides that it joins have been drawn, back on the line from which they parted. `names`: owner → how to name that side
    at the end of a line.
    """
    nodes = {node.id: node for node in picture.nodes}
    width = max((len(named(node.id)) for node in picture.nodes), default=0)
    lines: list[str] = []
    for place in outline(picture):
        if place.turn == "start" and not place.parents and lines:
            lines.append("")
        indent = "  " + "".join("│ " if bar else "  " for bar in place.bars)
        lines += _folds(place, indent)
        node = nodes[place.id]
        if with_older and node.parents and not place.parents:
            lines.append(f"{indent}⋮ older ones")
        lines.append(f"{indent}{_LEADS[place.turn]}{_line(node, names.get(node.owner, ''), width, paint)}")
    for node in picture.nodes:
        if node.owner == "repair":
            joined = listed([named(edge.parent) for edge in picture.edges if edge.child == node.id])
            lines.append(f"  {paint('repair', '◆ ' + node.id)}  would join {joined}")
    for edge in picture.edges:
        if edge.repair and nodes[edge.child].owner != "repair":
            new = f", as {named(edge.new_id)}" if edge.new_id else ""
            words = f"◆ repair: {named(edge.child)} would follow {named(edge.parent)}{new}"
            lines.append(f"  {paint('repair', words)}")
    if picture.left_out:
        lines.append(f"  … and {picture.left_out} more where lines part, meet or end")
    return lines


def _line(node: Node, name: str, width: int, paint: Paint) -> str:
    mark = paint(node.owner, "●" if node.is_head else "○")
    said = [paint(node.owner, named(node.id).ljust(width)), cut_words(visible(node.doc), 50)]
    if len(node.parents) > 1:
        said.append(f"joins {listed([*map(named, node.parents)])}")
    if node.is_head:
        said.append(f"← head, {visible(name)}" if name else "← head")
    elif name:
        said.append(f"({visible(name)})")
    return f"{mark} {'  '.join(filter(None, said))}".rstrip()


def _folds(place: OutlineLine, indent: str) -> list[str]:
    lead = "" if place.turn in ("start", "straight") else "│ "
    return [
        f"{indent}{lead}⋮ {edge.folded} more" + (f" after {named(edge.parent)}" if len(place.parents) > 1 else "")
        for edge in place.parents
        if edge.folded
    ]
