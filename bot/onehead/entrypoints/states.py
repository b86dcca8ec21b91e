"""`onehead states`: what `alembic upgrade head` does to each database that may exist, under each possible fix."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from onehead.entrypoints.sides import two_sides
from onehead.entrypoints.terminal import SignOfLife, painter
from onehead.errors import UsageError
from onehead.flows.changes import prepare
from onehead.flows.examine import Trees, examine
from onehead.flows.ledger import read_ledger
from onehead.flows.memory import memory_for
from onehead.gitrepo.command import Git
from onehead.plan.facts import Evidence
from onehead.plan.plans import Merge
from onehead.plan.verdict import Examination
from onehead.reports.states import states_document, states_text
from onehead.revisions.parse import parse
from onehead.revisions.reading import revision_of
from onehead.revisions.revision import Revision
from onehead.states.reported import standpoints
from onehead.states.table import accounts


def run(options: argparse.Namespace) -> int:
    """Tell, whatever there is to tell; exits with 3 only when what could not be read may hide a fork."""
    git = Git(Path(options.repo).absolute())
    if options.at is not None and (options.target is not None or options.head is not None):
        raise UsageError(
            "`--at` judges one commit by itself, so it does not go with `--target` or `--head`.",
            "Give either `--at REF`, or `--target REF --head REF` for what a merge would bring.",
        )
    sides = two_sides(git, argparse.Namespace(**{**vars(options), "target": options.at or options.target}))
    rows = None if options.rows is None else tuple(filter(None, map(str.strip, options.rows.split(","))))
    with SignOfLife("reading revisions"):
        # What a merge would look like is wanted whether or not one is the right repair, so no evidence is needed.
        examination, trees = examine(
            git,
            sides.target,
            sides.head,
            strategy="merge",
            memory=memory_for(os.path.realpath(options.repo)),
            evidence=lambda _facts, _policy: Evidence(),
        )
        merges = _merges(examination, trees)
        databases = read_ledger(git).databases
        told = {
            examined.facts.environment.path: accounts(
                examined.facts,
                rows,
                merges.get(examined.facts.environment.path),
                standpoints(examined.facts, databases),
            )
            for examined in examination.environments
        }
    if options.format == "json":
        text = json.dumps(states_document(examination, told), indent=2) + "\n"
    else:
        text = states_text(examination, told, painter(sys.stdout), sides.found)
    sys.stdout.write(text)
    return 3 if examination.verdict == "unreadable" else 0


def _merges(examination: Examination, trees: Trees) -> dict[str, dict[frozenset[str], str]]:
    """Environment → heads → id of the merge revision that `onehead fix` would write."""
    if not any(isinstance(examined.plan, Merge) for examined in examination.environments):
        return {}
    found: dict[str, dict[frozenset[str], str]] = {}
    for path, changes in prepare(examination, trees).changes.items():
        for change in changes:
            made = revision_of(change.path, "", parse(change.data or b""))
            if isinstance(made, Revision):
                found.setdefault(path, {})[frozenset(made.parents)] = made.id
    return found
