"""Write a repair: where needed a clean merge of the target first, then one ordinary commit with the fix.

The fix never hides in the merge commit: a pull request that is merged by rebasing drops merge commits and what they
contain. Commits depend on nothing but what they repair, so two makers of the same repair write the same commits.

What was written is read again from git and compared with what was promised, before anybody is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from onehead.errors import OneheadError
from onehead.examine import naming
from onehead.examine.changes import Repairs
from onehead.examine.examine import Trees, WrittenChain, written_chains
from onehead.gitrepo import commit
from onehead.gitrepo.commit import CommitDraft, CommitSeries, Signature, commit_message, write_commits
from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import write_clean_merge, write_merged_tree
from onehead.gitrepo.refs import PULLS, describe, is_ancestor
from onehead.plan.findings import Side
from onehead.plan.plans import BEFORE, Merge, Plan, Reissue, Reparent
from onehead.plan.verdict import Point
from onehead.reports.terminal import short_ref
from onehead.revisions.graph import Graph
from onehead.revisions.model import FileChange


class NotWritten(OneheadError):
    """A repair that can't be given out; nothing points to it."""

    exit_code = 1


class NotAsPromised(NotWritten):
    """The written commit, read again from git, does not hold the chain that was planned."""

    def __init__(self, environment: str, where: str) -> None:
        super().__init__(
            f"The repair of `{environment}` was written and read again, and {where} its chain is not the one that was "
            "planned, so it was thrown away.",
            "Repair the chain by hand. This is a mistake of onehead's: please report it, with both sides' files.",
        )


class TextConflict(NotWritten):
    """The two sides conflict as text, at `paths`, outside what the repair edits."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(
            f"Git can't merge the two sides by itself ({', '.join(paths)}), so no branch was written.",
            "Merge the target into the branch by hand, then run onehead again; the lines to change are shown above.",
        )
        self.paths = paths


class MergeDraft(NamedTuple):
    """A merge of the target into the head branch: its message, and what it changes in what git makes of both.

    `modes`: path → mode of the files of `changes`.
    """

    message: str
    changes: tuple[FileChange, ...]
    modes: dict[str, str]


@dataclass(frozen=True, slots=True)
class RepairDraft:
    """A repair as a value: it can be written by whoever has a git repository with both commits.

    `start` is the commit that it repairs, by the name of its branch, and `side` which of the two that is. Of several
    environments, `kind` (`reparent`, `merge`, `reissue`) is the most telling one. The merge of the target, where one is
    needed, stands `below` the fix. `modes` are those of the files of `changes` that exist; `promised`: environment path
    → its chain once the repair is merged; `when` is the younger commit's date, the same for everybody.
    """

    target: Point
    start: Point
    side: Side
    kind: str
    below: MergeDraft | None
    message: str
    changes: tuple[FileChange, ...]
    modes: dict[str, str]
    promised: dict[str, Graph]
    when: datetime


@dataclass(frozen=True, slots=True)
class WrittenRepair:
    """A repair that has no name yet: `sha` is the fix; `merged_first`: a merge of the target stands beneath it."""

    sha: str
    base: Side
    merged_first: bool
    kind: str


def write_repair(git: Git, repairs: Repairs, trees: Trees) -> WrittenRepair | None:
    """Write the commits of a repair; `None` where there is nothing to write.

    Raises `TextConflict` where the sides conflict as text outside what the repair edits, `NotAsPromised` where what was
    written would not leave the chain that was planned.
    """
    examination = repairs.examination
    points = [examination.target.sha, *([examination.head.sha] if examination.head else [])]
    draft = draft_repair(repairs, trees, {sha: found.date for sha, found in describe(git, points).items()})
    if draft is None:
        return None
    [written] = write_drafts(git, [draft])
    confirm(draft, written_chains(git, trees.against, trees.memory, draft.target, Point(draft.start.ref, written.sha)))
    return written


def draft_repair(repairs: Repairs, trees: Trees, dates: Mapping[str, datetime]) -> RepairDraft | None:
    """Work out the commits of a repair, without writing; `None` where there is nothing to write.

    Raises `TextConflict` where the sides conflict as text outside what the repair edits.
    """
    changes = repairs.all()
    if not changes:
        return None
    examination = repairs.examination
    below = _merge_of_target(repairs, trees) if _needs_target(repairs) else None
    files = (trees.head or trees.target).entries if below is None else trees.judged
    paths = [path for change in changes for path in (change.path, change.new_path) if path is not None]
    kinds = {e.plan.kind for e in examination.environments if e.facts.environment.path in repairs.changes}
    return RepairDraft(
        target=examination.target,
        start=examination.head or examination.target,
        side=examination.judged,
        kind=next(kind for kind in ("reissue", "reparent", "merge") if kind in kinds),
        below=below,
        message=_message(repairs),
        changes=changes,
        modes={path: entry.mode for path in paths if (entry := files.get(path)) is not None},
        promised=repairs.promised,
        when=max(dates[point.sha] for point in (examination.target, examination.head) if point is not None),
    )


def write_drafts(git: Git, drafts: Sequence[RepairDraft], author: str = naming.AUTHOR) -> list[WrittenRepair]:
    """Write the commits of repairs; what they hold is still to be compared with what was promised, by `confirm`."""
    series = []
    for draft in drafts:
        commits = [CommitDraft(draft.message, draft.changes, modes=draft.modes)]
        if draft.below is not None:
            merged = commit.MergedIn(draft.target.sha, write_merged_tree(git, draft.target.sha, draft.start.sha))
            commits.insert(0, CommitDraft(draft.below.message, draft.below.changes, merged, draft.below.modes))
        series.append(CommitSeries(draft.start.sha, commits, Signature(author, naming.EMAIL, draft.when)))
    tips = [shas[-1] for shas in write_commits(git, *series)] if series else []
    return [
        WrittenRepair(sha, draft.side, draft.below is not None, draft.kind)
        for sha, draft in zip(tips, drafts, strict=True)
    ]


def confirm(draft: RepairDraft, written: Iterable[WrittenChain]) -> None:
    """Compare the chains of a written commit with the promised ones; raises `NotAsPromised` where they differ."""
    found = {each.environment: each for each in written}
    for path, promised in draft.promised.items():
        chain = found.get(path)
        if chain is None or _chain(chain.alone) != _chain(promised):
            raise NotAsPromised(path, f"on `{short_ref(draft.start.ref)}`")
        if _chain(chain.merged) != _chain(promised):
            raise NotAsPromised(path, f"merged into `{short_ref(draft.target.ref)}`")


def merged_commit(git: Git, base: str, head: str) -> str | None:
    """The commit that merging `head` into `base` would give, under no name; `None` where git can't do it by itself."""
    if is_ancestor(git, base, head):
        return head
    tree = write_clean_merge(git, base, head)
    if tree is None:
        return None
    signature = Signature(naming.AUTHOR, naming.EMAIL, describe(git, [head])[head].date)
    draft = CommitDraft("What merging would give\n", (), commit.MergedIn(head, tree))
    [[sha]] = write_commits(git, CommitSeries(base, [draft], signature))
    return sha


def _chain(graph: Graph) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """All that Alembic sees of it."""
    return sorted(map(_SEEN_BY_ALEMBIC, graph))


_SEEN_BY_ALEMBIC = attrgetter("path", "id", "parents", "depends_on")


def _needs_target(repairs: Repairs) -> bool:
    """Whether a head branch with changes differs from what it is once merged: its repair is worked out on that.

    A branch that lacks revisions of the target would name a parent that it can't find; one of which the target has
    moved a file would have it changed where it is not.
    """
    changed = (e.facts for e in repairs.examination.environments if e.facts.environment.path in repairs.changes)
    return any(facts.head is not None and _chain(facts.head) != _chain(facts.merged) for facts in changed)


def _merge_of_target(repairs: Repairs, trees: Trees) -> MergeDraft:
    """What merges the target into the head branch; what the fix replaces anyway is taken from the target."""
    examination = repairs.examination
    if examination.head is None or trees.merge is None:
        raise ValueError("a merge needs two sides")
    edited = {change.path for change in repairs.all()} | {
        revision.path
        for examined in examination.environments
        for revision in examined.facts.merged
        if examined.plan.kind in ("reissue", "reparent") and revision.id in getattr(examined.plan, "moved", ())
    }
    resolved, unresolved, modes = [], [], {}
    for path, conflict in trees.merge.conflicts.items():
        rewritten = path in repairs.replaced or (path in edited and conflict.base is None)
        if rewritten and conflict.target is not None:
            resolved.append(FileChange(path, trees.read([conflict.target.oid]).data[conflict.target.oid]))
            modes[path] = conflict.target.mode
        else:
            unresolved.append(path)
    if unresolved:
        raise TextConflict(tuple(sorted(unresolved)))
    ref = examination.head.ref
    into = f"pull request {ref.split('/')[2]}" if ref.startswith(PULLS) else short_ref(ref)
    named = f"Merge {short_ref(examination.target.ref)} into {into}"
    return MergeDraft(commit_message([named, "Merge the target into this branch"]), tuple(resolved), modes)


def _message(repairs: Repairs) -> str:
    repaired = [
        examined for examined in repairs.examination.environments if examined.facts.environment.path in repairs.changes
    ]
    deeds = [_deed(examined.plan) for examined in repaired]
    if len(repaired) == 1:
        [examined] = repaired
        subjects = (f"{examined.facts.environment.path}: {deeds[0]}", f"migrations: {deeds[0]}")
        return commit_message(subjects, [reason.message for reason in examined.plan.reasons])
    body = []
    for examined, deed in zip(repaired, deeds, strict=True):
        body += [f"{examined.facts.environment.path}: {deed}", *(reason.message for reason in examined.plan.reasons)]
    return commit_message([f"migrations: repair {len(repaired)} environments"], body)


def _deed(plan: Plan) -> str:
    match plan:
        case Merge(merges=merges):
            heads = {head for parents in merges for head in parents if head != BEFORE}
            return f"merge {len(heads)} heads of the migration chain"
        case Reparent(moved=[_]):
            return "move this branch's migration onto the newest one"
        case Reparent():
            return "move this branch's migrations onto the newest one"
        case Reissue(files=[], dropped=dropped):
            copies = "copy of a published migration" if len(dropped) == 1 else "copies of published migrations"
            return f"drop this branch's {copies}"
        case Reissue(files=[_]):
            return "give this branch's migration an id of its own"
        case _:
            return "give this branch's migrations ids of their own"
