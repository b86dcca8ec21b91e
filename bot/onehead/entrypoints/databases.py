"""`onehead databases`: which databases have reported their rows, as far as this clone knows, and how far each is."""

from __future__ import annotations

import argparse
import json
import os
import sys

from onehead.databases.reported import progress
from onehead.entrypoints.terminal import SignOfLife, painter
from onehead.examine.examine import examine
from onehead.examine.ledger import read_ledger
from onehead.examine.naming import DATABASES
from onehead.examine.read import memory_for
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import as_typed
from onehead.gitrepo.refs import resolve
from onehead.plan.facts import Evidence
from onehead.plan.verdict import Point
from onehead.reports.doctor import Listed, databases_document, databases_text


def run(options: argparse.Namespace) -> int:
    """List them; 1 when one holds a row that nothing here declares, 3 when what is there can't be read to the end."""
    git = Git(os.path.realpath(options.repo))
    at = Point(options.at, resolve(git, options.at))
    ledger = read_ledger(git)
    with SignOfLife("reading revisions"):
        examination, _ = examine(
            git,
            at,
            None,
            strategy="merge",
            memory=memory_for(os.path.realpath(options.repo)),
            evidence=lambda _facts, _policy: Evidence(),
        )
    every = [examined.facts for examined in examination.environments]
    listed = [
        Listed(
            known,
            {facts.environment.path: found for facts in every if (found := progress(facts, known)) is not None},
        )
        for known in ledger.databases
    ]
    if options.format == "json":
        sys.stdout.write(json.dumps(databases_document(listed, at, ledger.trouble), indent=2) + "\n")
    else:
        # A pattern, because a plain name that origin does not have yet would be an error.
        fetch = as_typed(git.directory, "fetch", "origin", f"{DATABASES}*:{DATABASES}*")
        sys.stdout.write(databases_text(listed, at, ledger.trouble, fetch, painter(sys.stdout)))
    if ledger.trouble or examination.verdict == "unreadable":
        return 3
    return 1 if any(each.unknown for each in listed) else 0
