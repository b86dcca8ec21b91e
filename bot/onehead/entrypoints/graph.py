"""`onehead graph`: draw every environment of one commit."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from onehead.entrypoints.terminal import SignOfLife, painter
from onehead.flows.memory import memory_for
from onehead.flows.reading import Listing, Survey, read_trees
from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import resolve
from onehead.gitrepo.snapshot import list_tree, read
from onehead.plan.verdict import Coverage, Point
from onehead.reports.chains import Chains, chains_document, chains_text
from onehead.revisions.parse import MAX_BYTES


def run(options: argparse.Namespace) -> int:
    """Read and draw. It judges nothing, so it exits with 0 whatever there is to see."""
    git = Git(Path(options.repo).absolute())
    at = Point(options.at, resolve(git, options.at))
    with SignOfLife("reading revisions"):
        listing = Listing(list_tree(git, at.sha).entries)
        memory = memory_for(os.path.realpath(options.repo))
        found = read_trees([listing], lambda oids: read(git, oids, MAX_BYTES), memory)[0].survey
        text = _drawn(_chains(at, found), options.format)
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


def _drawn(chains: Chains, form: str) -> str:
    if form == "json":
        return json.dumps(chains_document(chains), indent=2) + "\n"
    if form == "text":
        return chains_text(chains, painter(sys.stdout))
    from onehead.reports.picture import whole_picture  # noqa: PLC0415

    pictures = {path: whole_picture(graph) for path, graph in chains.graphs.items()}
    if form == "svg":
        from onehead.reports.svg import svg  # noqa: PLC0415

        return svg(pictures)
    from onehead.reports.mermaid import mermaids  # noqa: PLC0415

    return mermaids(pictures)
