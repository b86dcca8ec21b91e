"""The graph on a repository's page: the chains of a deployed branch, with what open pull requests would add. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple
from urllib.parse import urlencode

from onehead.reports.graph_svg import Annotation, Drawing, svg
from onehead.reports.lanes import Run
from onehead.reports.page_model import EnvironmentGraph, GraphRow, RepositoryGraph, TargetGraph
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision

MAX_IN_TABLE = 40
"""Revisions of one environment that are listed with what they do."""

MAX_OPENED_RUNS = 50
"""Folded parts that one address may open."""


class ChainTable(NamedTuple):
    """The newest revisions of an environment, the newest first; `more` are not listed."""

    path: str
    rows: tuple[GraphRow, ...]
    more: int


class ChainView(NamedTuple):
    """What is shown of a deployed branch: its name, the drawing, a table of each chain, and `older` ones not kept."""

    branch: str
    drawing: str
    tables: tuple[ChainTable, ...]
    older: int
    has_proposed: bool
    has_folds: bool


class RowLinks(NamedTuple):
    """Where rows lead to: the address of a pull request, and of a commit."""

    pull: Callable[[int], str]
    commit: Callable[[str], str]

    def of(self, row: GraphRow) -> str:
        """The address of what brought a row; empty where that is not known."""
        if row.pull is not None:
            return self.pull(row.pull)
        return self.commit(row.commit) if row.commit else ""


def chain_view(graph: RepositoryGraph, branch: str, opened: Collection[str], links: RowLinks) -> ChainView | None:
    """The chains of one deployed branch; of the first where that one is not known, `None` where none is.

    Args:
        graph: what is kept.
        branch: the one that is asked for.
        opened: ids in folded parts that are to be shown.
        links: where rows lead to.
    """
    known = [target for target in graph.targets if any(each.rows for each in target.environments)]
    target = next((each for each in known if each.branch == branch), known[0] if known else None)
    if target is None:
        return None
    chains = [(each, _proposed(graph, target, each)) for each in target.environments if each.rows]
    folds: list[Run] = []  # `svg` asks for the link of each that it draws

    def opening(run: Run) -> str:
        folds.append(run)
        ids = [*dict.fromkeys([*opened, run.newest])][-MAX_OPENED_RUNS:]
        first = [] if target == known[0] else [("branch", target.branch)]
        return f"?{urlencode([*first, *(('open', each) for each in ids)], errors='replace')}#graph"

    drawings = [
        Drawing(
            each.path,
            _graph([*each.rows, *proposed]),
            _annotations(target.branch, each.rows, proposed, links),
            opened=opened,
            link=opening,
        )
        for each, proposed in chains
    ]
    tables = tuple(_table(each, proposed) for each, proposed in chains)
    older = sum(each.older for each, _ in chains)
    has_proposed = any(proposed for _, proposed in chains)
    drawing = svg(drawings, styled=False)
    return ChainView(target.branch, drawing, tables, older, has_proposed, has_folds=bool(folds))


def _proposed(graph: RepositoryGraph, target: TargetGraph, environment: EnvironmentGraph) -> list[GraphRow]:
    """What open pull requests would add to an environment; of one id that is there already, the other one is shown."""
    known = {row.id for row in environment.rows}
    found: dict[str, GraphRow] = {}
    for proposed in graph.proposed:
        if (proposed.base, proposed.environment) == (target.branch, environment.path):
            for row in proposed.rows:
                if row.id not in known:
                    found.setdefault(row.id, row)
    return list(found.values())


def _graph(rows: Iterable[GraphRow]) -> Graph:
    return Graph(Revision(row.id, row.parents, row.id, "", row.needs, row.labels, row.message) for row in rows)


def _annotations(
    branch: str, rows: Collection[GraphRow], proposed: Collection[GraphRow], links: RowLinks
) -> dict[str, Annotation]:
    below = {parent for row in rows for parent in row.parents}
    # What is proposed on top of a head of the branch takes that name from it in the drawing.
    covered = {parent for row in proposed for parent in row.parents} - below
    found = {}
    for row in rows:
        note = ["a head of " + branch if row.id in covered else "", row.does.replace("`", "")]
        by = [row.author, "" if row.pull is None else f"#{row.pull}"]
        found[row.id] = Annotation("", ": ".join(filter(None, note)), ", ".join(filter(None, by)), links.of(row))
    for row in proposed:
        found[row.id] = Annotation(f"#{row.pull}", row.does.replace("`", ""), row.author, links.of(row))
    return found


def _table(environment: EnvironmentGraph, proposed: list[GraphRow]) -> ChainTable:
    newest = [*reversed(proposed), *reversed(environment.rows)]
    return ChainTable(environment.path, tuple(newest[:MAX_IN_TABLE]), max(0, len(newest) - MAX_IN_TABLE))
