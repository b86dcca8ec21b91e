"""Where else the revisions of a branch stand, and who has run them: what decides between re-parent and merge."""

from __future__ import annotations

import re
from collections.abc import Iterable

from onehead.databases.reported import proof_of
from onehead.flows.others import Others, is_repair
from onehead.gitrepo.history import Holding
from onehead.gitrepo.refs import Ref, current_branch, is_ancestor
from onehead.plan.decide import repairable
from onehead.plan.facts import Evidence, Facts
from onehead.plan.policy import Policy
from onehead.plan.verdict import Point


def gather_evidence(others: Others, facts: Facts, policy: Policy, target: Point, head: Point | None) -> Evidence:
    """Look at every other branch, tag and pull request of the repository, and at what databases have reported.

    Args:
        others: the refs of the repository.
        facts: the environment whose repair is to be decided.
        policy: names the branches whose migrations long-lived databases run.
        target: the branch that is deployed.
        head: the branch that was pushed, if one is judged.
    """
    place = facts.environment.locations
    subject = head or target
    own = {*_own_names(others, subject), *others.own}
    standing = others.standing(
        {location.path for location in place} | _folders(facts),
        [revision.blob for revision in facts.target],
        recursive=any(location.recursive is not False for location in place),
    )

    def evident(holdings: Iterable[Holding]) -> list[Holding]:
        return [
            holding
            for holding in holdings
            if holding.sha not in (subject.sha, target.sha)
            and not others.is_ours(Ref(holding.ref, holding.sha))
            and holding.ref not in own
            and not _is_earlier_state(others, holding, subject.sha)
        ]

    escaped: dict[str, list[str]] = {}
    everywhere = [
        f"branch {name}, whose migrations a shared database runs" for name in _shared(others, subject, policy)
    ]
    everywhere += [spoken(ref) for ref in _twins(others, subject, own)]
    for revision in repairable(facts):
        holdings = standing.with_blob(revision.blob) if revision.id in facts.target else standing.with_id(revision.id)
        places = [*everywhere, *(spoken(holding.ref) for holding in evident(holdings))]
        if places:
            escaped[revision.path] = places
    merges: dict[tuple[str, ...], str] = {}
    for revision, holding in standing.merges:
        if revision.id in facts.merged or not evident([holding]) or _is_later_state(others, holding.sha, subject.sha):
            continue
        merges.setdefault(tuple(sorted(revision.parents)), spoken(holding.ref))
    branch = _short_name(others, subject)
    taken = standing.names(lambda at: at.ref not in own and not others.is_repair_of(at, branch, subject.sha))
    rows = {row for database in others.ledger.databases for row in (*database.rows, *dict(database.held))}
    said = proof_of(facts, others.ledger.databases, repairable(facts))
    return Evidence(
        {path: tuple(dict.fromkeys(places)) for path, places in escaped.items()},
        merges,
        others.incomplete or others.ledger.trouble or _too_much(said.overfull),
        said.run,
        tuple(held for held in said.unplaced if not evident(standing.with_id(held.row))),
        taken | rows,
    )


def _too_much(overfull: tuple[str, ...]) -> str:
    names = ", ".join(f"`{name}`" for name in overfull)
    return f"The database {names} has named more revisions than are remembered." if overfull else ""


def _own_names(others: Others, subject: Point) -> list[str]:
    """Full names under which the judged branch itself may stand at another commit (its remote-tracking copy)."""
    short = _short_name(others, subject)
    if not short:
        return []
    return [f"refs/heads/{short}", *(f"refs/remotes/{remote}/{short}" for remote in others.remotes)]


def _short_name(others: Others, subject: Point) -> str:
    """The name of the judged branch; empty for a commit that is the tip of none."""
    name = _short(subject.ref if subject.ref != "HEAD" else current_branch(others.git) or "")
    return next((name.removeprefix(f"{remote}/") for remote in others.remotes if name.startswith(f"{remote}/")), name)


def _short(ref: str) -> str:
    return re.sub(r"^refs/(?:heads|remotes/[^/]+)/", "", ref)


def _shared(others: Others, subject: Point, policy: Policy) -> list[str]:
    """Branches at the judged commit, the judged one included, whose migrations long-lived databases run.

    By commit as well as by name: a checkout in CI often stands on no branch.
    """
    if not policy.shared_databases:
        return []
    here = {_short(ref.name) for ref in _branches_at(others, subject.sha)}
    return sorted(name for name in {*here, _short_name(others, subject)} if name and policy.is_shared(name))


def _branches_at(others: Others, sha: str) -> list[Ref]:
    return [ref for ref in others.tips.get(sha, []) if ref.name.startswith(("refs/heads/", "refs/remotes/"))]


def _folders(facts: Facts) -> set[str]:
    """Where the revisions of both sides lie: another branch may still have them where they were before a move."""
    graphs = [facts.target, *([facts.head] if facts.head else [])]
    return {revision.path.rpartition("/")[0] for graph in graphs for revision in graph}


def _twins(others: Others, subject: Point, own: set[str]) -> list[str]:
    """Other branches and tags at the very commit of the judged branch, such as a staging branch moved up to it.

    Of a bare commit nobody can say which of its branches is its own, but where there are two names, at least one is
    not. What is tagged is published, whatever is judged.
    """
    branches = [ref.name for ref in _branches_at(others, subject.sha) if not is_repair(ref.name)]
    tags = [ref.name for ref in others.tips.get(subject.sha, []) if ref.name.startswith("refs/tags/")]
    is_named = own.intersection(branches) or others.own or subject.ref.startswith(("refs/heads/", "refs/remotes/"))
    if is_named:
        branches = [name for name in branches if name not in own]
    elif len({_short(name) for name in branches}) == 1:
        branches = []
    return [*branches, *tags]


def _is_earlier_state(others: Others, holding: Holding, head: str) -> bool:
    """Whether a pull request only shows an earlier state of the judged branch."""
    return holding.ref.startswith("refs/pull/") and is_ancestor(others.git, holding.sha, head)


def _is_later_state(others: Others, sha: str, subject: str) -> bool:
    """Whether the judged commit is an old one that a branch has left behind: then what came after it is its own future.

    While it is the tip of a branch, what grows from it is somebody's work on that branch, such as a merge to point to.
    """
    if others.is_shallow or subject in others.tips:
        return False
    return is_ancestor(others.git, subject, sha)


def spoken(ref: str) -> str:
    """A ref as people name it: "branch oauth", "tag v2"."""
    for prefix, kind in (("refs/heads/", "branch"), ("refs/remotes/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(prefix):
            return f"{kind} {ref.removeprefix(prefix)}"
    return f"pull request #{ref.split('/')[2]}" if ref.startswith("refs/pull/") else ref
