"""`onehead fix`: write the repair as one commit on a new branch, without touching the work tree."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from onehead.cli.sides import PreparedWork, again, examined
from onehead.databases.model import OwnDatabase
from onehead.errors import UsageError
from onehead.examine import naming
from onehead.examine.changes import Repairs, contents_before, own_databases
from onehead.examine.locations import lines_of
from onehead.examine.repair import NotAsPromised, TextConflict, WrittenRepair, write_repair
from onehead.gitrepo.commit import is_branch_name, refuse_bad_name, update_ref
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import describe, list_refs
from onehead.gitrepo.worktree import taking
from onehead.plan.verdict import Examination
from onehead.reports.formats import document
from onehead.reports.states import own_database_document, own_database_lines
from onehead.reports.terminal import diff, painted, repair_report, short_ref
from onehead.screen import painter


class _FixOutcome(NamedTuple):
    """What became of a repair.

    Attributes:
        examination: with a refusal in place of every plan that could not be carried out.
        repairs: what was to be written; `None`: there was no plan.
        branch: that the written commit is on.
        conflict: why none was written, where the two sides conflict as text.
        own: environment path → what the author's own database needs, where a commit was written.
    """

    examination: Examination
    repairs: Repairs | None
    written: WrittenRepair | None = None
    branch: str = ""
    conflict: TextConflict | None = None
    own: Mapping[str, OwnDatabase] = MappingProxyType({})


def run(options: argparse.Namespace) -> int:
    """Write what `check` would plan. Exit codes are those of `check`: 1 while there is a repair to apply."""
    with examined(options, options.strategy) as work:
        if options.onto_branch is not None:
            refuse_bad_name(work.git, options.onto_branch)
        outcome = _written(work, options.onto_branch)
        if options.format == "json":
            print(json.dumps(_document(outcome, work), indent=2))
        else:
            _tell(options, outcome, work)
    return outcome.examination.exit_code


def _written(work: PreparedWork, onto_branch: str | None) -> _FixOutcome:
    repairs = work.repairs()
    if repairs is None:
        return _FixOutcome(work.examination, None)
    try:
        written = write_repair(work.git, repairs, work.trees)
    except TextConflict as conflict:
        return _FixOutcome(repairs.examination, repairs, conflict=conflict)
    except NotAsPromised as mistake:
        repairs = repairs.refused(mistake.message)
        return _FixOutcome(repairs.examination, repairs)
    if written is None:
        return _FixOutcome(repairs.examination, repairs)
    branch = onto_branch or _branch_name(work.git, repairs.examination, written)
    _point(work, branch, written)
    return _FixOutcome(repairs.examination, repairs, written, branch, own=own_databases(repairs))


def _branch_name(git: Git, examination: Examination, written: WrittenRepair) -> str:
    subject = examination.head or examination.target
    name = f"{naming.BRANCHES}{written.kind}/{short_ref(subject.ref)}"
    # `HEAD~1` and `main@{upstream}` name commits, but no branches.
    return name if is_branch_name(git, name) else f"{naming.BRANCHES}{written.kind}/{subject.sha[:10]}"


def _point(work: PreparedWork, branch: str, written: WrittenRepair) -> None:
    """Give the commit its name; a branch that holds somebody's own work is never moved."""
    ref = f"refs/heads/{branch}"
    old = next((found.sha for found in list_refs(work.git, ref) if found.name == ref), None)
    if old == written.sha:
        return
    if old is not None and describe(work.git, [old])[old].author_email != naming.EMAIL:
        raise UsageError(
            f"The branch `{branch}` exists and its last commit is not onehead's, so it was not changed.",
            "Choose another name with `--onto-branch NAME`, or delete that branch if it is no longer wanted.",
        )
    update_ref(work.git, ref, written.sha, old)


def _document(outcome: _FixOutcome, work: PreparedWork) -> dict[str, Any]:
    changes = outcome.repairs.changes if outcome.repairs else {}
    content = document(outcome.examination, changes, lines_of(outcome.examination, work.trees), "onehead.fix/1")
    if outcome.written:
        content |= {"branch": outcome.branch, "sha": outcome.written.sha, "base": outcome.written.base}
        content["own_databases"] = own_database_document(outcome.own)
    if outcome.conflict:
        content["text_conflicts"] = list(outcome.conflict.paths)
    return content


def _tell(options: argparse.Namespace, outcome: _FixOutcome, work: PreparedWork) -> None:
    examination, repairs, written = outcome.examination, outcome.repairs, outcome.written
    paint = painter(sys.stdout)
    sys.stdout.write(again(options, repair_report(examination, work.found, paint)))
    if repairs and repairs.changes:
        print()
        print(painted(diff(repairs.all(), contents_before(repairs, work.trees)), paint), end="")
    print()
    if outcome.conflict:
        print(f"{paint('bad', 'No branch was written.')} {outcome.conflict.message}")
        print(f"  → {again(options, outcome.conflict.hint)}")
    elif written:
        print(f"{paint('good', 'Written')}: branch {outcome.branch}, commit {written.sha}")
        if written.merged_first:
            print("  The branch starts with a clean merge of the target, which has the new parent revision.")
        for line in own_database_lines(outcome.own, paint):
            print(line)
        subject = examination.head or examination.target
        command = taking(work.git, subject.ref, subject.sha, outcome.branch)
        if command:
            print(f"Next: {paint('strong', command)}")
    else:
        print("Nothing to write.")
