"""Write a repair: where needed a clean merge of the target first, then one ordinary commit with the fix.

The fix never hides in the merge commit: a pull request that is merged by rebasing drops merge commits and what they
contain. Commits depend on nothing but what they repair, so two makers of the same repair write the same commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onehead.errors import OneheadError
from onehead.flows import ours
from onehead.flows.changes import Repairs
from onehead.flows.examine import Trees
from onehead.gitrepo.command import Git
from onehead.gitrepo.merge import write_merged_tree
from onehead.gitrepo.refs import describe
from onehead.gitrepo.write import Draft, Merge, Signature, write_commits
from onehead.plan.findings import Side
from onehead.plan.plans import Reissue
from onehead.plan.verdict import Examination
from onehead.reports.text import short_ref
from onehead.revisions.source import FileChange


class TextConflict(OneheadError):
    """The two sides conflict as text outside what the repair edits, so no branch was written.

    Attributes:
        paths: where.
    """

    exit_code = 1

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(
            f"Git can't merge the two sides by itself ({', '.join(paths)}), so no branch was written.",
            "Merge the target into the branch by hand, then run onehead again; the lines to change are shown above.",
        )
        self.paths = paths


@dataclass(frozen=True, slots=True)
class Written:
    """A repair in the object store, not yet under any name.

    Attributes:
        sha: the one commit with the fix; also the tip.
        base: what it repairs.
        merged_first: whether a merge of the target stands beneath the fix.
        kind: `reparent`, `merge` or `reissue`; of several environments the most telling one.
    """

    sha: str
    base: Side
    merged_first: bool
    kind: str


def write_repair(git: Git, repairs: Repairs, trees: Trees, *, author: str = ours.AUTHOR) -> Written | None:
    """Write the commits of a repair; `None` where there is nothing to write.

    Raises:
        TextConflict: the sides conflict as text outside what the repair edits.
        OneheadError: git could not write.
    """
    changes = repairs.all()
    if not changes:
        return None
    examination = repairs.examination
    signature = Signature(author, ours.EMAIL, _date(git, examination))
    kinds = {e.plan.kind for e in examination.environments if e.facts.environment.path in repairs.changes}
    kind = next(kind for kind in ("reissue", "reparent", "merge") if kind in kinds)
    below = [_merge_of_target(git, repairs, trees)] if _needs_target(examination) else []
    start = examination.head or examination.target
    *_, sha = write_commits(git, start.sha, [*below, Draft(_message(repairs), changes)], signature)
    return Written(sha, "head" if examination.head else "target", bool(below), kind)


def _needs_target(examination: Examination) -> bool:
    """Whether the head branch lacks revisions of the target: a moved file would name a parent it can't find.

    An id that both sides declare in different files counts as lacking: the branch's own file gives it up.
    """
    for examined in examination.environments:
        head, target = examined.facts.head, examined.facts.target
        if head is None:
            continue
        held = {(revision.id, revision.blob) for revision in head}
        given_up = {id_ for id_, _ in examined.plan.files} if isinstance(examined.plan, Reissue) else set()
        for revision in target:
            if revision.id not in head or (revision.id in given_up and (revision.id, revision.blob) not in held):
                return True
    return False


def _merge_of_target(git: Git, repairs: Repairs, trees: Trees) -> Draft:
    """What merges the target into the head branch; what the fix replaces anyway is taken from the target."""
    examination = repairs.examination
    if examination.head is None or trees.merge is None:
        raise ValueError("a merge needs two sides")
    target, head = examination.target.sha, examination.head.sha
    tree = write_merged_tree(git, target, head)
    edited = {change.path for change in repairs.all()} | {
        revision.path
        for examined in examination.environments
        for revision in examined.facts.merged
        if examined.plan.kind in ("reissue", "reparent") and revision.id in getattr(examined.plan, "moved", ())
    }
    resolved, unresolved = [], []
    for path, conflict in trees.merge.conflicts.items():
        rewritten = path in repairs.replaced or (path in edited and conflict.base is None)
        if rewritten and conflict.target is not None:
            resolved.append(FileChange(path, trees.read([conflict.target.oid]).data[conflict.target.oid]))
        else:
            unresolved.append(path)
    if unresolved:
        raise TextConflict(tuple(sorted(unresolved)))
    message = f"Merge {short_ref(examination.target.ref)} into {short_ref(examination.head.ref)}\n"
    return Draft(message, resolved, Merge(target, tree))


def _date(git: Git, examination: Examination) -> datetime:
    """The younger commit's date: the same for everybody who repairs the same two commits."""
    points = [examination.target.sha, *([examination.head.sha] if examination.head else [])]
    return max(found.date for found in describe(git, points).values())


def _message(repairs: Repairs) -> str:
    lines = []
    for examined in repairs.examination.environments:
        path = examined.facts.environment.path
        if path in repairs.changes:
            lines.append(_subject(examined.plan.kind, path))
            lines += ["", *(reason.message for reason in examined.plan.reasons), ""]
    return "\n".join(lines).rstrip() + "\n"


def _subject(kind: str, path: str) -> str:
    what = {
        "merge": "merge the heads of the migration chain",
        "reparent": "move this branch's migrations onto the newest one",
        "reissue": "give this branch's migrations ids of their own",
    }
    return f"{path}: {what[kind]}"
