"""What a drawing of the chain shows: the neighbourhood that matters, long straight runs folded into one edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from onehead.plan.facts import Facts
from onehead.plan.forks import Fork, forks_of
from onehead.plan.plans import Merge, Plan, Reissue, Reparent
from onehead.revisions.graph import Graph

Owner = Literal["target", "head", "repair"]

MOST_BESIDE = 4
"""Revisions shown of each straight run before the middle is folded."""


class Node(NamedTuple):
    """One revision in a drawing: its id, its message, whose it is, and whether it is a head."""

    id: str
    doc: str
    owner: Owner
    is_head: bool


class Edge(NamedTuple):
    """From parent to child; `folded` revisions between them are not drawn; `repair`: what the plan would add."""

    parent: str
    child: str
    folded: int = 0
    repair: bool = False


class Picture(NamedTuple):
    """Nodes from the oldest to the newest, and their edges."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def children(self) -> dict[str, list[Edge]]:
        """Edges by their parent, in drawing order."""
        found: dict[str, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            found[edge.parent].append(edge)
        return found


def whole_picture(graph: Graph) -> Picture:
    """The whole chain: heads, bases, branch and merge points, and the ends of the runs between them."""
    marks = {id_ for id_ in graph.revisions if _is_joint(graph, id_)}
    kept = set(marks)
    for id_ in marks:
        kept.update(graph.children[id_], graph.parents(id_))
    return _picture(graph, kept, dict.fromkeys(graph.revisions, "target"))


def recent_picture(graph: Graph, most: int = 12) -> Picture:
    """The newest revisions: those nearest to the heads, whole runs of them unfolded."""
    near: dict[str, None] = dict.fromkeys(graph.heads)
    waiting = list(graph.heads)
    while waiting and len(near) < most:
        for parent in graph.parents(waiting.pop(0)):
            if parent in graph and parent not in near:
                near[parent] = None
                waiting.append(parent)
    return _picture(graph, near, dict.fromkeys(graph.revisions, "target"))


def fork_picture(facts: Facts, plan: Plan) -> Picture:
    """The neighbourhood of the environment's forks, with what the plan would add as dotted edges.

    Empty when nothing is forked.
    """
    graph = facts.merged
    forks: tuple[Fork, ...]
    forks = forks_of(facts, graph)
    near: set[str] = set()
    for fork in forks:
        shared = graph.ancestors(*fork.points)
        near |= graph.ancestors(*fork.heads) - shared
        near.update(fork.points)
    owners: dict[str, Owner] = {
        id_: "target" if facts.head is None or id_ in facts.target else "head" for id_ in graph.revisions
    }
    marks = {id_ for id_ in near if _is_joint(graph, id_) or any(p not in near for p in graph.parents(id_))}
    kept = marks | {child for id_ in marks for child in graph.children[id_] if child in near}
    kept |= {parent for id_ in marks for parent in graph.parents(id_) if parent in near}
    if len(near) <= MOST_BESIDE * max(2, len(forks) * 2):
        kept = near
    picture = _picture(graph, kept, owners)
    return _with_repair(picture, plan)


def _is_joint(graph: Graph, id_: str) -> bool:
    return len(graph.children[id_]) != 1 or len(graph.parents(id_)) != 1


def _picture(graph: Graph, kept: Iterable[str], owners: Mapping[str, Owner]) -> Picture:
    """Draw the kept revisions; a run of others between two kept ones becomes one edge with their number."""
    shown = set(kept)
    # A run of one takes as much room as the note that it was left out.
    shown |= {
        between
        for id_ in shown
        for between in graph.parents(id_)
        if not shown.isdisjoint(graph.parents(between)) and len(graph.parents(between)) == 1
    }
    edges = []
    for id_ in sorted(shown):
        for parent in graph.parents(id_):
            folded, below = 0, parent
            while below not in shown:
                parents = graph.parents(below)
                if len(parents) != 1:
                    break
                folded, below = folded + 1, parents[0]
            if below in shown:
                edges.append(Edge(below, id_, folded))
    nodes = [
        Node(id_, graph.revisions[id_].doc, owners[id_], not graph.children[id_]) for id_ in _oldest_first(shown, edges)
    ]
    place = {node.id: number for number, node in enumerate(nodes)}
    return Picture(tuple(nodes), tuple(sorted(edges, key=lambda e: (place[e.parent], place[e.child]))))


def _oldest_first(ids: set[str], edges: list[Edge]) -> list[str]:
    """A stable order in which every parent comes before its children; a circle is cut at its first id."""
    waiting = dict.fromkeys(sorted(ids), 0)
    children: dict[str, list[str]] = {id_: [] for id_ in ids}
    for edge in edges:
        waiting[edge.child] += 1
        children[edge.parent].append(edge.child)
    ready = [id_ for id_, parents in waiting.items() if parents == 0]
    order: list[str] = []
    while waiting:
        done = heappop(ready) if ready else next(iter(waiting))
        order.append(done)
        del waiting[done]
        for child in children[done]:
            if child in waiting:
                waiting[child] -= 1
                if waiting[child] == 0:
                    heappush(ready, child)
    return order


def _with_repair(picture: Picture, plan: Plan) -> Picture:
    shown = {node.id for node in picture.nodes}
    match plan:
        case Reparent(moves=moves) | Reissue(moves=moves):
            extra = [
                Edge(parent, move.revision, repair=True)
                for move in moves
                for parent in move.new_parents
                if parent in shown and move.revision in shown
            ]
            return Picture(picture.nodes, (*picture.edges, *extra))
        case Merge(merges=merges):
            nodes, edges = list(picture.nodes), list(picture.edges)
            for number, parents in enumerate(merges):
                name = "merge" if len(merges) == 1 else f"merge {number + 1}"
                nodes.append(Node(name, "", "repair", True))
                edges += [Edge(parent, name, repair=True) for parent in parents if parent in shown]
            return Picture(tuple(nodes), tuple(edges))
        case _:
            return picture
