"""Where else the revisions of a branch are, and who has run them: what decides between re-parent and merge.

When a target moves, hundreds of branches are judged in one run, and each of them asks what all the others hold.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from onehead.examine import naming
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.gitrepo.history import Holding, Presence, presence, published_refs
from onehead.gitrepo.refs import PULLS, Ref, current_branch, describe, is_ancestor, is_shallow, reached, reaching
from onehead.gitrepo.tree import read
from onehead.plan.decide import repairable
from onehead.plan.findings import Evidence, Facts, Held
from onehead.plan.policy import Policy
from onehead.plan.verdict import Point
from onehead.revisions.graph import Graph
from onehead.revisions.model import MAX_BYTES, Revision
from onehead.revisions.parse import parse, revision_of
from onehead.revisions.path_hints import is_revision_file

if TYPE_CHECKING:
    from onehead.databases.reported import ReportedDatabase
    from onehead.examine.ledger import Ledger

_BRANCHES = ("refs/heads/", "refs/remotes/")
_MAX_NAMES = 10_000
"""Refs whose names are remembered: each judged branch is compared with all of them."""
_OURS = re.compile(rf"refs/(?:heads|remotes/[^/]+)/{naming.BRANCHES}")


class RefIndex:
    """Which refs hold which revisions, those of one known commit aside.

    By tree, not by ref: thousands of refs share some hundred trees, and each tree may hold hundreds of revisions.
    """

    def __init__(self, holdings: Iterable[Holding], revisions: Mapping[str, list[Revision]]) -> None:
        """Index what was found. `revisions`: object id of a tree → the revisions in it that count."""
        self._holdings = list(holdings)
        self._revisions = revisions
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, holding in enumerate(self._holdings):
            for tree in holding.directories.values():
                self._places[tree].append(place)
        self.files: dict[str, Revision] = {}
        self._by_id: dict[str, list[str]] = defaultdict(list)
        self._by_blob: dict[str, list[str]] = defaultdict(list)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._merges: dict[str, list[Revision]] = defaultdict(list)
        for tree in self._places:
            for revision in revisions[tree]:
                self.files.setdefault(revision.id, revision)
                self._by_id[revision.id].append(tree)
                self._by_blob[revision.blob].append(tree)
                for name in (revision.id, revision.path.rpartition("/")[2].removesuffix(".py")):
                    self._by_name[name].add(tree)
                if len(revision.parents) > 1:
                    self._merges[tree].append(revision)

    def with_id(self, id_: str) -> list[Holding]:
        """Refs that hold a revision of this id, by name."""
        return self._with(self._by_id.get(id_, ()))

    def with_blob(self, blob: str) -> list[Holding]:
        """Refs that hold a revision file of this very content, by name."""
        return self._with(self._by_blob.get(blob, ()))

    def held(self) -> Iterator[tuple[Holding, Revision]]:
        """Every ref with every revision that it holds, by name of the ref, each under its whole path."""
        for holding in self._holdings:
            for folder, tree in holding.directories.items():
                for revision in self._revisions[tree]:
                    yield holding, revision._replace(path=f"{folder}/{revision.path}" if folder else revision.path)

    def merges(self) -> Iterator[tuple[Revision, Holding]]:
        """Every merge revision with every ref that holds it, by name of the ref."""
        for holding in self._holdings if self._merges else ():
            for tree in holding.directories.values():
                yield from ((revision, holding) for revision in self._merges.get(tree, ()))

    def names(self, counts: Callable[[Holding], bool]) -> frozenset[str]:
        """Ids and file stems of revisions on any ref that counts."""
        counted = {tree for holding in self._holdings if counts(holding) for tree in holding.directories.values()}
        return frozenset(name for name, trees in self._by_name.items() if not counted.isdisjoint(trees))

    def _with(self, trees: Iterable[str]) -> list[Holding]:
        return [self._holdings[place] for place in sorted({place for tree in trees for place in self._places[tree]})]


class Others:
    """The refs of one repository as they were when the first question was asked."""

    def __init__(
        self,
        git: Git,
        memory: Memory,
        *,
        own: Collection[str] = (),
        more: Collection[Ref] = (),
        unseen: str | None = None,
    ) -> None:
        """Look at nothing yet.

        `own`: full names of refs that are the judged branch's own, beside those that bear its name. `more`: refs that
        the remote has for commits of this clone; they go before the clone's own. `unseen`: why not everything on the
        remote could be looked at, empty where it could; `None`: as far as the clone itself tells.
        """
        self.git = git
        self.own = own
        self.memory = memory
        self._more = more
        self._unseen = unseen
        self._standing: dict[tuple[frozenset[str], bool, frozenset[str]], RefIndex] = {}
        self._present: dict[tuple[frozenset[str], bool], Presence] = {}

    @cached_property
    def _listed(self) -> list[Ref]:
        return published_refs(self.git, naming.DATABASES)

    @cached_property
    def refs(self) -> list[Ref]:
        """All of them, by name, those of pull requests by number."""
        published = (ref for ref in self._listed if not ref.name.startswith(naming.DATABASES))
        more = (ref for ref in self._more if not ref.name.startswith(naming.DATABASES))
        return list(dict.fromkeys((*published, *more)))

    @cached_property
    def tips(self) -> dict[str, list[Ref]]:
        """Commit → the refs that point to it."""
        found: dict[str, list[Ref]] = defaultdict(list)
        for ref in self.refs:
            found[ref.sha].append(ref)
        return found

    def is_ours(self, ref: Ref) -> bool:
        """Whether a ref shows a repair of ours and no work of a person."""
        return ref.sha in self._repairs or (ref.name.startswith(PULLS) and ref.sha in self._written)

    @cached_property
    def _repairs(self) -> frozenset[str]:
        return frozenset(ref.sha for ref in self.refs if is_repair(ref.name))

    @cached_property
    def _written(self) -> frozenset[str]:
        """Pull requests' commits that we wrote; Forgejo keeps `refs/pull/N/head` forever, also of closed repairs."""
        return self._written_below(PULLS)

    @cached_property
    def _tips_of_ours(self) -> frozenset[str]:
        """Of the commits of branches, those that we wrote: repairs under whatever name, and branches that took one."""
        return self._written_below(*_BRANCHES)

    def _written_below(self, *prefixes: str) -> frozenset[str]:
        found = describe(self.git, [ref.sha for ref in self.refs if ref.name.startswith(prefixes)])
        return frozenset(sha for sha, commit in found.items() if commit.author_email == naming.EMAIL)

    def is_repair_of(self, holding: Holding, branch: str, sha: str) -> bool:
        """Whether a ref shows a repair that must not keep its ids from the repair of a branch.

        The branch's own one, or its ids would change at each look. And those of branches that come later by name: of
        two repairs, one has to go by the other's ids, or both would change at each look.
        """
        name = bare_name(holding.ref)
        if name.startswith(naming.BRANCHES):
            return naming.repaired_by(name) >= branch
        if holding.ref.startswith(PULLS):
            return self.is_ours(Ref(holding.ref, holding.sha))
        return holding.sha in self._tips_of_ours and is_ancestor(self.git, sha, holding.sha)

    @cached_property
    def ledger(self) -> Ledger | None:
        """What databases have reported; `None` where none has."""
        tip = next((ref.sha for ref in (*self._more, *self._listed) if ref.name == naming.DATABASES), "")
        if not tip:
            return None
        from onehead.examine.ledger import ledger_at  # noqa: PLC0415 - few repositories have one

        return ledger_at(self.git, tip)

    @property
    def databases(self) -> tuple[ReportedDatabase, ...]:
        """Those that have reported themselves, by name."""
        return () if self.ledger is None else self.ledger.databases

    @cached_property
    def _remotes(self) -> dict[str, dict[str, list[str]]]:
        """Name of each remote → variable of its configuration → its values."""
        found: dict[str, dict[str, list[str]]] = {}
        out = self.git.ask("config", "-z", "--get-regexp", r"^remote\..+\.").out.decode("utf-8", "surrogateescape")
        for record in out.split("\0")[:-1]:
            key, _, value = record.partition("\n")
            name, _, variable = key.removeprefix("remote.").rpartition(".")
            found.setdefault(name, {}).setdefault(variable, []).append(value)
        return found

    @property
    def remotes(self) -> list[str]:
        """Names of the remotes."""
        return sorted(self._remotes)

    @cached_property
    def is_shallow(self) -> bool:
        """Whether history was cut off."""
        return is_shallow(self.git)

    @cached_property
    def incomplete(self) -> str:
        """Why not all branches are here, as a sentence; empty when they are."""
        if self.is_shallow:
            return "This clone is shallow, so other branches could not be looked at."
        if self._unseen is not None:
            return self._unseen
        origin = self._remotes.get("origin", {})
        fetched = origin.get("fetch", [])
        everything = any(each.lstrip("+").startswith(("refs/heads/*:", "refs/*:")) for each in fetched)
        if fetched and (not everything or any(each.startswith("^") for each in fetched)):
            return "This clone does not hold every branch, so the others could not be looked at."
        if origin.get("tagopt", [""])[-1] == "--no-tags":
            return "This clone holds no tags, so they could not be looked at."
        return ""

    def standing(self, facts: Facts, known: Graph, folders: Collection[str] = ()) -> RefIndex:
        """What stands in an environment's directories and some more, on any ref; files that are `known` don't count."""
        locations = facts.environment.locations
        places = frozenset([*(place.path for place in locations), *folders])
        recursive = any(place.recursive is not False for place in locations)
        key = (places, recursive, frozenset(revision.blob for revision in known))
        if key not in self._standing:
            if key[:2] not in self._present:
                self._present[key[:2]] = presence(self.git, self.refs, sorted(places), recursive=recursive)
            found = self._present[key[:2]]
            self._standing[key] = RefIndex(found.holdings, self._revisions(found.trees, key[2]))
        return self._standing[key]

    def _revisions(self, trees: Mapping[str, Mapping[str, str]], known: frozenset[str]) -> dict[str, list[Revision]]:
        """Object id of a tree → the revisions in it that are not known."""
        files = {
            tree: [
                (p, blob) for p, blob in found.items() if blob not in known and is_revision_file(p.rpartition("/")[2])
            ]
            for tree, found in trees.items()
        }
        wanted = {blob for found in files.values() for _, blob in found}
        declared = self.memory.recall(wanted)
        contents = read(self.git, wanted - declared.keys(), MAX_BYTES).data
        parsed = {blob: parse(data) for blob, data in contents.items()}
        self.memory.learn(parsed)
        self.memory.save()
        declared |= parsed
        result: dict[str, list[Revision]] = {}
        for tree, found in files.items():
            outcomes = [revision_of(path, blob, declared[blob]) for path, blob in found if blob in declared]
            result[tree] = [outcome for outcome in outcomes if isinstance(outcome, Revision)]
        return result


@lru_cache(_MAX_NAMES)
def bare_name(ref: str) -> str:
    """A branch's name without where it is: that of a remote's branch without the remote."""
    return re.sub(r"^refs/(?:heads|remotes/[^/]+)/", "", ref)


def is_repair(ref: str) -> bool:
    """Whether a branch has the name of one of our repairs."""
    return _OURS.match(ref) is not None


def standing_beside(others: Others, facts: Facts) -> RefIndex:
    """What stands on any ref in an environment's directories and is not on its target."""
    # Of both sides: another branch may still have the revisions where they were before a move.
    folders = {each.path.rpartition("/")[0] for graph in (facts.target, facts.head or ()) for each in graph}
    return others.standing(facts, facts.target, folders)


def gather_evidence(others: Others, facts: Facts, policy: Policy, target: Point, head: Point | None) -> Evidence:
    """Look at every other branch, tag and pull request of the repository, and at what databases have reported."""
    subject = head or target
    own = own_names(others, subject)
    standing = standing_beside(others, facts)
    placed = [
        (revision, standing.with_blob(revision.blob) if revision.id in facts.target else standing.with_id(revision.id))
        for revision in repairable(facts)
    ]
    joined = [(revision, holding) for revision, holding in standing.merges() if revision.id not in facts.merged]
    said = _reported(others, facts)
    rows_held = [(held, standing.with_id(held.row)) for held in said.unplaced]
    looked_at = [holding for _, holdings in (*placed, *rows_held) for holding in holdings]
    looked_at += [holding for _, holding in joined]
    earlier = _earlier_states(others, looked_at, subject.sha)

    def evident(holdings: Iterable[Holding]) -> list[Holding]:
        return [
            holding
            for holding in holdings
            if holding.sha not in (subject.sha, target.sha)
            and not others.is_ours(Ref(holding.ref, holding.sha))
            and holding.ref not in own
            and not (holding.sha in earlier and holding.ref.startswith(PULLS))
        ]

    escaped: dict[str, list[str]] = {}
    everywhere = [
        f"branch {name}, whose migrations a shared database runs" for name in _shared(others, subject, policy)
    ]
    everywhere += [spoken(ref) for ref in _twins(others, subject, own)]
    for revision, holdings in placed:
        places = [*everywhere, *(spoken(holding.ref) for holding in evident(holdings))]
        if places:
            escaped[revision.path] = places
    merges: dict[tuple[str, ...], str] = {}
    later = _later_states(others, [holding for _, holding in joined], subject.sha)
    for revision, holding in joined:
        heads = tuple(sorted(revision.parents))
        if heads not in merges and holding.sha not in later and evident([holding]):
            merges[heads] = spoken(holding.ref)
    branch = short_name(others, subject)
    taken = standing.names(lambda at: at.ref not in own and not others.is_repair_of(at, branch, subject.sha))
    return Evidence(
        {path: tuple(dict.fromkeys(places)) for path, places in escaped.items()},
        merges,
        others.incomplete or said.trouble,
        said.run,
        tuple(held for held, holdings in rows_held if not evident(holdings)),
        taken | said.rows,
    )


class _Reported(NamedTuple):
    """What databases have reported, as far as it concerns an environment: nothing where none has.

    `run`: path of a revision file → what databases held when they had run it. `unplaced` are rows of today that no file
    of either side declares, `rows` all that was ever named. `trouble`: why this may not be all, a sentence.
    """

    run: Mapping[str, tuple[Held, ...]] = MappingProxyType({})
    unplaced: tuple[Held, ...] = ()
    rows: frozenset[str] = frozenset()
    trouble: str = ""


def _reported(others: Others, facts: Facts) -> _Reported:
    if others.ledger is None:
        return _Reported()
    from onehead.databases.reported import proof_of  # noqa: PLC0415 - as above

    proof = proof_of(facts, others.databases, repairable(facts))
    names = ", ".join(f"`{name}`" for name in proof.overfull)
    overfull = f"The database {names} has named more revisions than are remembered." if names else ""
    rows = frozenset(row for database in others.databases for row in (*database.rows, *dict(database.held)))
    return _Reported(proof.run, proof.unplaced, rows, others.ledger.trouble or overfull)


def own_names(others: Others, subject: Point) -> set[str]:
    """Full names under which the judged branch itself may stand, at another commit too (its remote-tracking copy)."""
    short = short_name(others, subject)
    if not short:
        return {*others.own}
    return {f"refs/heads/{short}", *(f"refs/remotes/{remote}/{short}" for remote in others.remotes), *others.own}


def short_name(others: Others, subject: Point) -> str:
    """The name of the judged branch; empty for a commit that is the tip of none."""
    name = bare_name(subject.ref if subject.ref != "HEAD" else current_branch(others.git) or "")
    return next((name.removeprefix(f"{remote}/") for remote in others.remotes if name.startswith(f"{remote}/")), name)


def _shared(others: Others, subject: Point, policy: Policy) -> list[str]:
    """Branches at the judged commit that long-lived databases run; by commit, for CI often stands on no branch."""
    if not policy.shared_databases:
        return []
    here = {bare_name(ref.name) for ref in _branches_at(others, subject.sha)}
    return sorted(name for name in {*here, short_name(others, subject)} if name and policy.is_shared(name))


def _branches_at(others: Others, sha: str) -> list[Ref]:
    return [ref for ref in others.tips.get(sha, []) if ref.name.startswith(_BRANCHES)]


def _twins(others: Others, subject: Point, own: set[str]) -> list[str]:
    """Other branches and tags at the very commit of the judged branch, such as a staging branch moved up to it.

    Of a bare commit nobody can say which of its branches is its own, but where there are two names, at least one is
    not. What is tagged is published, whatever is judged.
    """
    branches = [ref.name for ref in _branches_at(others, subject.sha) if not is_repair(ref.name)]
    tags = [ref.name for ref in others.tips.get(subject.sha, []) if ref.name.startswith("refs/tags/")]
    is_named = own.intersection(branches) or others.own or subject.ref.startswith(_BRANCHES)
    if is_named:
        branches = [name for name in branches if name not in own]
    elif len({bare_name(name) for name in branches}) == 1:
        branches = []
    return [*branches, *tags]


def _earlier_states(others: Others, holdings: Iterable[Holding], subject: str) -> frozenset[str]:
    """Pull request commits that show an earlier state of the judged branch; asked at once, for there are thousands."""
    pulls = {holding.sha for holding in holdings if holding.ref.startswith(PULLS)}
    return reached(others.git, pulls - {subject}, subject)


def _later_states(others: Others, holdings: Iterable[Holding], subject: str) -> frozenset[str]:
    """What came after the judged commit, if that is an old one that a branch has left behind: its own future.

    While it is the tip of a branch, what grows from it is somebody's work on that branch, such as a merge to point to.
    """
    if others.is_shallow or subject in others.tips:
        return frozenset()
    return reaching(others.git, {holding.sha for holding in holdings}, subject)


def spoken(ref: str) -> str:
    """A ref as people name it: "branch oauth", "tag v2"."""
    for prefix, kind in (("refs/heads/", "branch"), ("refs/remotes/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(prefix):
            return f"{kind} {ref.removeprefix(prefix)}"
    return f"pull request #{ref.split('/')[2]}" if ref.startswith(PULLS) else ref
