"""Look ahead: what others bring, what a new revision takes, and where the branch's own revisions belong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from onehead.examine import naming
from onehead.examine.changes import Repairs, prepare
from onehead.examine.evidence import (
    Others,
    bare_name,
    gather_evidence,
    is_repair,
    own_names,
    spoken,
    standing_beside,
)
from onehead.examine.examine import TargetTree, Trees, examine
from onehead.gitrepo.history import Holding
from onehead.gitrepo.refs import PULLS, Ref, describe, head_of_pull, reached
from onehead.plan.findings import Evidence, Facts
from onehead.plan.next_revision import (
    MESSAGE,
    Ahead,
    Claimant,
    Reservation,
    looked_ahead,
    one_each,
    own_plan,
    reservations,
    without_strangers,
)
from onehead.plan.plans import Nothing, Plan
from onehead.plan.policy import Policy
from onehead.plan.verdict import Examination, Point
from onehead.revisions.command_line import typed
from onehead.revisions.graph import Graph

if TYPE_CHECKING:
    from onehead.databases.model import OwnDatabase


class OpenPull(NamedTuple):
    """An open pull request: the commit of its branch, and the branch's name if it is one of this repository."""

    number: int
    sha: str
    author: str
    branch: str = ""

    @property
    def ref(self) -> str:
        """Under which a forge keeps it."""
        return head_of_pull(self.number)


class OpenPulls(NamedTuple):
    """The open pull requests of everybody else, and the number of the branch's own one, if it has one."""

    others: tuple[OpenPull, ...]
    mine: int | None = None


class LookAhead(NamedTuple):
    """What was looked at, and every environment; `repairs` is what moves the branch's own revisions."""

    examination: Examination
    trees: Trees
    repairs: Repairs
    environments: tuple[Ahead, ...]

    def own_databases(self) -> dict[str, OwnDatabase]:
        """Environment path → a database that has run the branch's own revisions, where moving them concerns it."""
        found = {each.path: _own_database(each, self.repairs) for each in self.environments}
        return {path: own for path, own in found.items() if own is not None}


def look_ahead(
    others: Others,
    against: TargetTree,
    target: Point,
    head: Point | None,
    pulls: OpenPulls | None,
    now: datetime,
    message: str = MESSAGE,
) -> LookAhead:
    """Answer for every environment; `head` is the branch with what is its own, `None` where only the target is asked.

    `pulls` are the open pull requests as the forge has them, `None` where it can't be asked: then branches count.
    """
    claims = _Claims(others, head or target, target, pulls)

    def evidence(facts: Facts, policy: Policy) -> Evidence:
        found = gather_evidence(others, facts, policy, target, head)
        found = found._replace(taken=claims.without_closed(facts, found.taken))
        return without_strangers(found, facts, claims.everywhere(facts))

    # A merge is no answer to the question, so a policy that prefers merges does not count; all else of it does.
    examination, trees = examine(
        others.git, target, head, against=against, strategy="auto", memory=others.memory, evidence=evidence
    )
    policy = against.policy.policy
    settled = []
    for examined in examination.environments:
        found = evidence(examined.facts, policy)
        plan: Plan = Nothing(())
        if head is not None:
            plan = own_plan(examined.facts, examined.plan, found, claims.pressing(examined.facts))
        settled.append(examined._replace(plan=plan, taken=found.taken, asked=None))
    repairs = prepare(examination._replace(environments=tuple(settled)), trees)
    ahead = tuple(
        looked_ahead(
            examined,
            repairs.changes.get(path, ()),
            repairs.promised.get(path, examined.facts.merged),
            claims.of(examined.facts),
            now,
            message,
        )
        for examined in repairs.examination.environments
        if not _moves_elsewhere(examined.facts, repairs.examination)
        for path in [examined.facts.environment.path]
    )
    return LookAhead(repairs.examination, trees, repairs, ahead)


def _moves_elsewhere(facts: Facts, examination: Examination) -> bool:
    """Whether the branch moves all of a chain into another environment, which has the answer then."""
    heads = facts.target.heads
    others = [each.facts.merged for each in examination.environments if each.facts is not facts]
    return bool(heads) and not len(facts.merged) and any(all(id_ in each for id_ in heads) for each in others)


def _own_database(ahead: Ahead, repairs: Repairs) -> OwnDatabase | None:
    """What a move means to a database that has run the branch's own revisions; `None`: nothing, or nothing moves.

    The work tree may hold the target's revisions already, under the same ids too: such a database has not run those.
    """
    facts, after = ahead.examined.facts, repairs.promised.get(ahead.path)
    if not ahead.changes or after is None or facts.head is None:
        return None
    from dataclasses import replace  # noqa: PLC0415 - as below

    from onehead.databases.upgrade import own_database  # noqa: PLC0415 - it loads Alembic

    own = {each.id for each in ahead.own}
    below = facts.head.ancestors(*(id_ for id_ in facts.head.heads if id_ in own))
    theirs = {each.path for each in facts.target if each.id in own}
    branch = Graph(each for each in facts.head if each.id in below and each.path not in theirs)
    found = own_database(branch, ahead.examined.plan, after)
    place = facts.environment
    return found and replace(found, before=typed(place, found.before), after=typed(place, found.after))


class _Claims:
    """Who brings what, of everybody but the branch itself."""

    def __init__(self, others: Others, subject: Point, target: Point, pulls: OpenPulls | None) -> None:
        self._others = others
        self._known = pulls is not None
        self._mine = pulls.mine if pulls else None
        self._pulls = {each.ref: each for each in pulls.others} if pulls else {}
        self._branches = {each.branch for each in self._pulls.values() if each.branch}
        self._left_out = own_names(others, subject) | own_names(others, target)
        self._target = target
        self._found: dict[str, tuple[tuple[Ref, Reservation], ...]] = {}

    def of(self, facts: Facts) -> tuple[Reservation, ...]:
        """What the others bring, each revision once; copies of the branch's own are not theirs."""
        return one_each(each for _, each in self._all(facts) if _is_not_own(facts, each))

    def pressing(self, facts: Facts) -> tuple[Reservation, ...]:
        """Of these, those that the branch has to make room for.

        Of two pull requests the older one keeps what both use. Where no forge tells which is older, what is on a remote
        goes before what is in the work tree.
        """
        if self._known:
            found = (each for each in self.of(facts) if each.by.pull is not None)
            return tuple(each for each in found if self._mine is None or (each.by.pull or 0) < self._mine)
        pushed = (each for ref, each in self._all(facts) if ref.name.startswith("refs/remotes/"))
        return one_each(each for each in pushed if _is_not_own(facts, each))

    def everywhere(self, facts: Facts) -> tuple[Reservation, ...]:
        """What all places hold under the ids of the branch, each named as evidence names it."""
        own = facts.merged.revisions.keys() - facts.target.revisions.keys()
        held = standing_beside(self._others, facts).held()
        return reservations(facts, [(Claimant(spoken(at.ref)), each) for at, each in held if each.id in own])

    def without_closed(self, facts: Facts, taken: frozenset[str]) -> frozenset[str]:
        """Of all ids and file stems in use, those that are so elsewhere than in pull requests that are not open."""
        if not self._known:
            return taken
        index = standing_beside(self._others, facts)
        rows = {row for database in self._others.databases for row in (*database.rows, *dict(database.held))}
        return taken - (index.names(self._is_closed) - index.names(lambda at: not self._is_closed(at)) - rows)

    def _is_closed(self, at: Holding) -> bool:
        """Forges keep the refs of pull requests forever."""
        return at.ref.startswith(PULLS) and self._known and at.ref not in self._pulls

    def _all(self, facts: Facts) -> tuple[tuple[Ref, Reservation], ...]:
        path = facts.environment.path
        if path not in self._found:
            held = [
                (ref, revision)
                for holding, revision in standing_beside(self._others, facts).held()
                if revision.id not in facts.target
                and not self._is_closed(holding)
                and self._counts(ref := Ref(holding.ref, holding.sha))
            ]
            merged = reached(self._others.git, {ref.sha for ref, _ in held}, self._target.sha)
            held = [(ref, revision) for ref, revision in held if ref.sha not in merged]
            authors = self._authors({ref.sha for ref, _ in held if ref.name not in self._pulls})
            claims = reservations(facts, [(self._claimant(ref, authors), revision) for ref, revision in held])
            self._found[path] = tuple(zip((ref for ref, _ in held), claims, strict=True))
        return self._found[path]

    def _counts(self, ref: Ref) -> bool:
        if ref.name in self._left_out or is_repair(ref.name) or self._others.is_ours(ref):
            return False
        # A branch that is proposed counts as it is proposed.
        return ref.name.startswith(("refs/tags/", PULLS)) or bare_name(ref.name) not in self._branches

    def _claimant(self, ref: Ref, authors: Mapping[str, str]) -> Claimant:
        pull = self._pulls.get(ref.name)
        if pull is not None:
            return Claimant(f"branch {pull.branch}" if pull.branch else "from a fork", pull.number, pull.author)
        remote = next((f"{name}/" for name in self._others.remotes if ref.name.startswith(f"refs/remotes/{name}/")), "")
        return Claimant(spoken(ref.name).replace(f"branch {remote}", "branch ", 1), None, authors.get(ref.sha, ""))

    def _authors(self, shas: Collection[str]) -> Mapping[str, str]:
        found = describe(self._others.git, sorted(shas)) if shas else MappingProxyType({})
        return {sha: commit.author_name for sha, commit in found.items() if commit.author_email != naming.EMAIL}


def _is_not_own(facts: Facts, reserved: Reservation) -> bool:
    mine = facts.merged.revisions.get(reserved.revision.id)
    return mine is None or reserved.is_other_than(mine)
