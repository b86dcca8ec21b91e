"""`onehead states`: what `alembic upgrade head` does to each database that may exist, under each possible fix."""

from __future__ import annotations

import argparse
import json
import sys

from onehead.databases.reported import standpoints
from onehead.databases.table import accounts
from onehead.entrypoints.examining import examined, narrowed
from onehead.entrypoints.terminal import SignOfLife, painter
from onehead.examine.changes import Repairs
from onehead.examine.ledger import read_ledger
from onehead.plan.plans import Merge
from onehead.reports.states import states_document, states_text
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse, revision_of


def run(options: argparse.Namespace) -> int:
    """Tell, whatever there is to tell; exits with 3 only when what could not be read may hide a fork."""
    rows = None if options.rows is None else tuple(filter(None, map(str.strip, options.rows.split(","))))
    # What a merge would look like is wanted whether or not one is the right repair.
    work = examined(options, "merge")
    repairs = work.repairs()
    examination = narrowed(repairs.examination if repairs else work.examination, options.environment)
    with SignOfLife("computing states"):
        merges = _merges(repairs) if repairs else {}
        databases = read_ledger(work.git).databases
        told = {
            each.facts.environment.path: accounts(
                each.facts,
                rows,
                merges.get(each.facts.environment.path),
                standpoints(each.facts, databases),
                each.moved_ids,
            )
            for each in examination.environments
        }
    if options.format == "json":
        text = json.dumps(states_document(examination, told), indent=2) + "\n"
    else:
        text = states_text(examination, told, painter(sys.stdout), work.found, with_corrupt=options.all)
    sys.stdout.write(text)
    return 3 if examination.verdict == "unreadable" else 0


def _merges(repairs: Repairs) -> dict[str, dict[frozenset[str], str]]:
    """Environment → heads → id of the merge revision that `onehead fix` would write."""
    found: dict[str, dict[frozenset[str], str]] = {}
    for path in (e.facts.environment.path for e in repairs.examination.environments if isinstance(e.plan, Merge)):
        for change in repairs.changes.get(path, ()):
            made = revision_of(change.path, "", parse(change.data or b""))
            if isinstance(made, Revision):
                found.setdefault(path, {})[frozenset(made.parents)] = made.id
    return found
