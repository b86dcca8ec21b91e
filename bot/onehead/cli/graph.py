"""`onehead graph`: draw every environment of one commit."""

from __future__ import annotations

import argparse
import json
import sys
from difflib import get_close_matches

from onehead.cli.sides import commit_named, sign_of_life
from onehead.errors import UsageError
from onehead.examine.read import Listing, Survey, memory_for, read_trees
from onehead.gitrepo.tree import list_tree, read
from onehead.plan.verdict import Coverage, Point
from onehead.reports.formats import Chains, chains_document, chains_text, mermaids
from onehead.reports.graph import Picture, full_picture, picture_around, whole_picture
from onehead.reports.graph_svg import Drawing, svg
from onehead.revisions.graph import Graph
from onehead.revisions.model import MAX_BYTES
from onehead.screen import painter

_MAX_NAMED = 5
"""Revisions of which an error names each."""


def run(options: argparse.Namespace) -> int:
    """Read and draw. It judges nothing, so it exits with 0 whatever there is to see."""
    if options.open and options.format != "svg":
        raise UsageError(
            "`--open` unfolds a run in a picture, so it goes with `--format svg` alone.",
            "`--around REV` shows what is near a revision in every format, `--full` all of it.",
        )
    git, at = commit_named(options)
    with sign_of_life("reading revisions"):
        listing = Listing(list_tree(git, at.sha).entries)
        [reading] = read_trees([listing], lambda oids: read(git, oids, MAX_BYTES), memory_for(git.directory))
        chains = _chains(at, reading.survey)
        text = _drawn(chains, options)
    sys.stdout.write(text)
    return 0


def _chains(at: Point, found: Survey) -> Chains:
    chains = dict(sorted(found.chains.items()))
    files = sum(chain.files for chain in chains.values())
    unreadable = sum(len(chain.graph.unreadable) for chain in chains.values())
    return Chains(
        at,
        {path: chain.graph for path, chain in chains.items()},
        {path: chain.environment.config for path, chain in chains.items()},
        Coverage(len(chains), files, files - unreadable),
    )


def _drawn(chains: Chains, options: argparse.Namespace) -> str:
    if options.format == "json":
        return json.dumps(chains_document(chains), indent=2) + "\n"
    named = None if options.around is None else _by_name(chains, options.around)
    opened = [_by_name(chains, name) for name in options.open]
    if options.format == "svg":
        return svg(_drawings(chains, named, opened, full=options.full))
    pictures = _pictures(chains, named, full=options.full)
    return chains_text(chains, pictures, painter(sys.stdout)) if options.format == "text" else mermaids(pictures)


def _drawings(
    chains: Chains, named: dict[str, str] | None, opened: list[dict[str, str]], *, full: bool
) -> list[Drawing]:
    if named is None:
        return [
            Drawing(path, graph, full=full, opened={each[path] for each in opened if path in each})
            for path, graph in chains.graphs.items()
        ]
    return [
        Drawing(path, chains.graphs[path], only={node.id for node in picture_around(chains.graphs[path], id_).nodes})
        for path, id_ in named.items()
    ]


def _pictures(chains: Chains, named: dict[str, str] | None, *, full: bool) -> dict[str, Picture]:
    if named is None:
        return {path: full_picture(graph) if full else whole_picture(graph) for path, graph in chains.graphs.items()}
    return {path: picture_around(chains.graphs[path], id_) for path, id_ in named.items()}


def _by_name(chains: Chains, name: str) -> dict[str, str]:
    """The revision that was named, by the path of each environment that has it."""
    found = {path: _named(graph, name) for path, graph in chains.graphs.items()}
    known = {path: ids for path, ids in found.items() if ids}
    if not known:
        every = {id_ for graph in chains.graphs.values() for id_ in graph.revisions}
        near = get_close_matches(name, every, 1)
        raise UsageError(
            f"No revision at {chains.at.ref} has the id or label {name!r}, or an id that begins with it.",
            f"Did you mean {near[0]}?" if near else "`onehead graph --full` draws all that there are.",
        )
    for ids in known.values():
        if len(ids) > 1:
            raise UsageError(
                f"{len(ids)} revisions at {chains.at.ref} match {name!r}, so it is not clear which one is meant.",
                f"Write the id of one of them in full: {', '.join(ids[:_MAX_NAMED])}"
                f"{', …' if len(ids) > _MAX_NAMED else ''}.",
            )
    return {path: ids[0] for path, ids in known.items()}


def _named(graph: Graph, name: str) -> list[str]:
    """The revisions that go by a name: as an id, as a branch label, or as the beginning of an id."""
    if name in graph:
        return [name]
    return sorted(set(graph.labelled.get(name, ()))) or sorted(id_ for id_ in graph.revisions if id_.startswith(name))
