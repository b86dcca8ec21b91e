"""Where else the revisions of a branch stand: the evidence that decides between re-parent and merge."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from onehead.flows import ours
from onehead.flows.memory import Memory
from onehead.gitrepo.command import Git
from onehead.gitrepo.history import Presence, presence
from onehead.gitrepo.refs import current_branch, describe, is_ancestor, is_shallow, list_refs
from onehead.gitrepo.snapshot import read
from onehead.plan.decide import repairable
from onehead.plan.facts import Evidence, Facts
from onehead.plan.policy import Policy
from onehead.plan.verdict import Point
from onehead.revisions.environment import is_revision_file
from onehead.revisions.parse import MAX_BYTES, parse
from onehead.revisions.reading import revision_of
from onehead.revisions.revision import Revision


def gather_evidence(
    git: Git, facts: Facts, policy: Policy, target: Point, head: Point | None, memory: Memory
) -> Evidence:
    """Look at every other branch, tag and pull request of the repository.

    Args:
        git: the repository.
        facts: the environment whose repair is to be decided.
        policy: names the branches whose migrations long-lived databases run.
        target: the branch that is deployed.
        head: the branch that was pushed, if one is judged.
        memory: what was parsed before.
    """
    incomplete = _why_incomplete(git)
    place = facts.environment.locations
    subject = head or target
    found = presence(
        git,
        sorted({location.path for location in place} | _folders(facts)),
        subject.sha,
        own=_own_names(git, subject),
        recursive=any(location.recursive is not False for location in place),
    )
    contents = _revisions_by_tree(git, found, _known(facts), memory)
    escaped: dict[str, list[str]] = {}
    for name in _shared_names(git, subject, policy):
        for revision in repairable(facts):
            escaped.setdefault(revision.path, []).append(f"branch {name}, whose migrations a shared database runs")
    for ref in _twins(git, subject):
        for revision in repairable(facts):
            escaped.setdefault(revision.path, []).append(_spoken(ref))
    merges: dict[tuple[str, ...], str] = {}
    repairs = {holding.sha for holding in found.holdings if _is_ours(holding.ref)}
    for holding in found.holdings:
        if holding.sha in repairs or holding.sha == target.sha:
            continue
        revisions = [revision for tree in holding.directories.values() for revision in contents[tree]]
        ids = {revision.id for revision in revisions}
        blobs = {revision.blob for revision in revisions}
        held = [r for r in repairable(facts) if (r.blob in blobs if r.id in facts.target else r.id in ids)]
        joining = [r for r in revisions if len(r.parents) > 1 and r.id not in facts.merged]
        if not (held or joining) or _is_no_evidence(git, holding.ref, holding.sha, subject.sha):
            continue
        if joining and _is_later_state(git, holding.sha, subject.sha):
            joining = []
        for revision in held:
            escaped.setdefault(revision.path, []).append(_spoken(holding.ref))
        for revision in joining:
            merges.setdefault(tuple(sorted(revision.parents)), _spoken(holding.ref))
    return Evidence({path: tuple(dict.fromkeys(places)) for path, places in escaped.items()}, merges, incomplete)


def _why_incomplete(git: Git) -> str:
    if is_shallow(git):
        return "This clone is shallow, so other branches could not be looked at."
    answer = git.ask("config", "--get-all", "remote.origin.fetch")
    if answer.code == 0 and b"*" not in answer.out:
        return "This clone holds a single branch, so the others could not be looked at."
    return ""


def _own_names(git: Git, subject: Point) -> list[str]:
    """Full names under which the judged branch itself may stand at another commit (its remote-tracking copy)."""
    short = _short_name(git, subject)
    if not short:
        return []
    remotes = git.run("remote").decode("utf-8", "surrogateescape").split()
    return [f"refs/heads/{short}", *(f"refs/remotes/{remote}/{short}" for remote in remotes)]


def _short_name(git: Git, subject: Point) -> str:
    """The name of the judged branch; empty for a commit that is the tip of none."""
    name = subject.ref if subject.ref != "HEAD" else current_branch(git) or ""
    return _short(name)


def _short(ref: str) -> str:
    return re.sub(r"^refs/(?:heads|remotes/[^/]+)/", "", ref)


def _shared_names(git: Git, subject: Point, policy: Policy) -> list[str]:
    """Branches at the judged commit, the judged one included, whose migrations long-lived databases run.

    By commit as well as by name: a checkout in CI often stands on no branch.
    """
    if not policy.shared_databases:
        return []
    here = {_short(ref.name) for ref in list_refs(git, "refs/heads", "refs/remotes") if ref.sha == subject.sha}
    return sorted(name for name in {*here, _short_name(git, subject)} if name and policy.is_shared(name))


def _folders(facts: Facts) -> set[str]:
    """Where the revisions of both sides lie: another branch may still have them where they were before a move."""
    graphs = [facts.target, *([facts.head] if facts.head else [])]
    return {revision.path.rpartition("/")[0] for graph in graphs for revision in graph}


def _twins(git: Git, subject: Point) -> list[str]:
    """Other branches and tags at the very commit of the judged branch, such as a staging branch moved up to it.

    Only where the branch goes by name: of a bare commit nobody can say which of its names is its own.
    """
    here = [ref for ref in list_refs(git, "refs/heads", "refs/remotes", "refs/tags") if ref.sha == subject.sha]
    own = set(_own_names(git, subject))
    if not any(ref.name in own for ref in here):
        return []
    return [ref.name for ref in here if ref.name not in own and not _is_ours(ref.name)]


def _known(facts: Facts) -> dict[str, Revision]:
    graphs = [facts.target, facts.merged, *([facts.head] if facts.head else [])]
    return {revision.blob: revision for graph in graphs for revision in graph}


def _revisions_by_tree(
    git: Git, found: Presence, known: Mapping[str, Revision], memory: Memory
) -> dict[str, list[Revision]]:
    """Object id of a directory → the revisions in it."""
    unknown = {
        blob for files in found.trees.values() for name, blob in files.items() if _counts(name) and blob not in known
    }
    declared = memory.recall(unknown)
    for blob, data in read(git, _without(unknown, declared), MAX_BYTES).data.items():
        declared[blob] = parse(data)
        memory.learn(blob, declared[blob])
    memory.save()
    result: dict[str, list[Revision]] = {}
    for tree, files in found.trees.items():
        result[tree] = []
        for name, blob in files.items():
            if blob in known and _counts(name):
                result[tree].append(known[blob])
            elif blob in declared:
                outcome = revision_of(name, blob, declared[blob])
                if isinstance(outcome, Revision):
                    result[tree].append(outcome)
    return result


def _counts(path: str) -> bool:
    return is_revision_file(path.rpartition("/")[2])


def _without(blobs: Iterable[str], known: Collection[str]) -> list[str]:
    return [blob for blob in blobs if blob not in known]


def _is_ours(ref: str) -> bool:
    return re.match(rf"refs/(?:heads|remotes/[^/]+)/{ours.BRANCHES}", ref) is not None


def _is_no_evidence(git: Git, ref: str, sha: str, head: str) -> bool:
    """Whether a pull request only shows an earlier state of the judged branch, or a repair of ours.

    Forgejo keeps `refs/pull/N/head` for ever, also of a repair that was closed and whose branch is gone.
    """
    if not ref.startswith("refs/pull/"):
        return False
    return is_ancestor(git, sha, head) or describe(git, [sha])[sha].author_email == ours.EMAIL


def _is_later_state(git: Git, sha: str, subject: str) -> bool:
    """Whether the judged commit is an old one that a branch has left behind: then what came after it is its own future.

    While it is the tip of a branch, what grows from it is somebody's work on that branch, such as a merge to point to.
    """
    if is_shallow(git) or any(ref.sha == subject for ref in list_refs(git)):
        return False
    return is_ancestor(git, subject, sha)


def _spoken(ref: str) -> str:
    for prefix, kind in (("refs/heads/", "branch"), ("refs/remotes/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(prefix):
            return f"{kind} {ref.removeprefix(prefix)}"
    return f"pull request #{ref.split('/')[2]}" if ref.startswith("refs/pull/") else ref
