"""Every environment of one commit, for `onehead graph`: as text for people and as one JSON object for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onehead.plan.verdict import Coverage, Point
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.picture import Picture
from onehead.reports.text import MOST_ENVIRONMENTS, NO_ENVIRONMENT, coverage_text, short_ref
from onehead.reports.tree import draw
from onehead.revisions.graph import Graph
from onehead.wording import listed, shortened

_MOST_TROUBLES = 50
"""Of one environment, told in text."""


@dataclass(frozen=True, slots=True)
class Chains:
    """What one commit holds.

    Attributes:
        at: the commit, and the name it was asked for by.
        graphs: path of the environment → its revisions.
        configs: path of the environment → the file that declares it, if one does.
        coverage: what was looked at.
    """

    at: Point
    graphs: Mapping[str, Graph]
    configs: Mapping[str, str | None]
    coverage: Coverage


def chains_text(chains: Chains, pictures: Mapping[str, Picture], paint: Paint = plain) -> str:
    """The text of `onehead graph`.

    Args:
        chains: what the commit holds.
        pictures: path of the environment → what to draw of it, for those that are drawn.
        paint: colours.
    """
    at = chains.at
    where = at.sha[:10] if short_ref(at.ref) == at.sha[:10] else f"{visible(short_ref(at.ref))} ({at.sha[:10]})"
    if not chains.graphs:
        return f"Revisions at {where}.\n{NO_ENVIRONMENT}\n"
    lines = [f"Revisions at {where}, oldest first. {coverage_text(chains.coverage)}"]
    for path, picture in islice(pictures.items(), MOST_ENVIRONMENTS):
        graph = chains.graphs[path]
        lines += ["", f"{paint('strong', visible(path or '.'))}: {_summary(graph)}"]
        lines += draw(picture, {}, paint, with_older=True)
        troubles = list(_troubles(graph))
        lines += [f"  {paint('error', trouble)}" for trouble in troubles[:_MOST_TROUBLES]]
        if len(troubles) > _MOST_TROUBLES:
            lines.append(f"  and {len(troubles) - _MOST_TROUBLES} more; `--format json` lists them all")
    rest = len(pictures) - MOST_ENVIRONMENTS
    if rest > 0:
        lines += ["", f"{rest} more environments are not shown; `--format json` lists them all."]
    if any(len(picture.nodes) < len(chains.graphs[path]) for path, picture in pictures.items()):
        lines += ["", "⋮ marks revisions that are not drawn: `--full` draws all, `--around REV` draws those near one."]
    return "\n".join(lines) + "\n"


def chains_document(chains: Chains) -> dict[str, Any]:
    """The object of `onehead graph --format json` (docs/schema/onehead.graph-1.json)."""
    at, coverage = chains.at, chains.coverage
    return {
        "schema": "onehead.graph/1",
        "at": {"ref": at.ref, "sha": at.sha},
        "coverage": {"environments": coverage.environments, "files": coverage.files, "read": coverage.read},
        "environments": [_environment(path, chains.configs[path], graph) for path, graph in chains.graphs.items()],
    }


def _environment(path: str, config: str | None, graph: Graph) -> dict[str, Any]:
    return {
        "path": path,
        "config": config,
        "heads": list(graph.heads),
        "bases": list(graph.bases),
        "branch_points": list(graph.branch_points()),
        "merge_points": list(_merge_points(graph)),
        "missing": [{"revision": revision, "parent": parent} for revision, parent in graph.missing],
        "duplicates": [{"id": id_, "paths": [r.path for r in found]} for id_, found in graph.duplicates.items()],
        "cycles": list(graph.cycles),
        "unreadable": [{"path": u.path, "line": u.line, "reason": u.reason, "id": u.id} for u in graph.unreadable],
        "revisions": [
            {
                "id": revision.id,
                "parents": list(revision.parents),
                "depends_on": list(revision.depends_on),
                "branch_labels": list(revision.branch_labels),
                "path": revision.path,
                "doc": revision.doc,
            }
            for revision in graph
        ],
    }


def _merge_points(graph: Graph) -> tuple[str, ...]:
    return tuple(sorted(revision.id for revision in graph.revisions.values() if len(set(revision.parents)) > 1))


def _summary(graph: Graph) -> str:
    heads = visible(listed([*map(shortened, graph.heads)], last=", "))
    count = "1 revision" if len(graph) == 1 else f"{len(graph)} revisions"
    if not graph.heads:
        return f"{count}, no head"
    return f"{count}, {'1 head' if len(graph.heads) == 1 else f'{len(graph.heads)} heads'} ({heads})"


def _troubles(graph: Graph) -> Iterator[str]:
    for revision, parent in graph.missing:
        yield f"missing: {visible(shortened(revision))} needs {visible(shortened(parent))}, which no file declares"
    for id_, found in graph.duplicates.items():
        yield f"duplicate: {visible(shortened(id_))} is declared by {listed([visible(r.path) for r in found])}"
    if graph.cycles:
        yield f"circle: {visible(listed([*map(shortened, graph.cycles)]))} follow each other"
    for unreadable in graph.unreadable:
        line = f", line {unreadable.line}" if unreadable.line else ""
        yield f"not read: {visible(unreadable.path)}{line}: {visible(unreadable.reason)}"
