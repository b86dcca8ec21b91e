"""Examine a repository: read trees, judge, plan. Every entry point calls this."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from onehead.examine.read import (
    Chain,
    Listing,
    Memory,
    ReadBlobs,
    Survey,
    TreeReading,
    code_near,
    memory_for,
    read_trees,
    sets_directories,
    survey,
)
from onehead.gitrepo.git import Git
from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Contents, Entry, Tree, difference, list_tree, parse_listing, read
from onehead.gitrepo.worktree import checked_out, uncommitted
from onehead.plan.decide import decide
from onehead.plan.findings import Code, Evidence, Facts, Finding
from onehead.plan.forks import Interaction, findings_about
from onehead.plan.judge import configuration_findings, judge, named, policy_findings
from onehead.plan.plans import Merge
from onehead.plan.policy import FILES, Policy, PolicyRead, Strategy, read_policy_files
from onehead.plan.verdict import Coverage, Examination, Examined, Point, Unjudged
from onehead.revisions.graph import Graph
from onehead.revisions.model import MAX_BYTES, MAX_ID, Revision
from onehead.revisions.parsers import examination
from onehead.revisions.path_hints import is_revision_file

if TYPE_CHECKING:
    from onehead.gitrepo.merge import MergedTree

_MAX_BYTES = 1024 * 1024
"""Bytes; a configuration of this size is none."""
_DIRECTORY = "040000"


def read_policy(git: Git, sha: str) -> PolicyRead:
    """What a commit says that its repository wants."""
    entries = parse_listing(git.run("ls-tree", "-z", "--full-tree", "--end-of-options", sha, *FILES))
    return policies_in([entries], lambda oids: read(git, oids, _MAX_BYTES))[0]


def policies_in(trees: Sequence[Mapping[str, Entry]], read_blobs: ReadBlobs) -> list[PolicyRead]:
    """The policies of trees whose listing is known, read at once."""
    found = [{path: tree[path] for path in FILES if path in tree} for tree in trees]
    oids = {entry.oid for entries in found for entry in entries.values() if _is_file(entry)}
    data = read_blobs(oids).data if oids else {}
    return [_policy(entries, data) for entries in found]


def _policy(entries: Mapping[str, Entry], data: Mapping[str, bytes]) -> PolicyRead:
    """A link is not followed: what it stands for may lie outside of what the target's people look at."""
    plain = {path: entry.oid for path, entry in entries.items() if _is_file(entry)}
    unread = {path: "is too large" for path, oid in plain.items() if oid not in data}
    unread |= {path: "is a symbolic link" for path, entry in entries.items() if entry.mode == SYMLINK}
    return read_policy_files({path: data[oid] for path, oid in plain.items() if oid in data}, unread)


def _is_file(entry: Entry) -> bool:
    return entry.mode not in (SYMLINK, SUBMODULE, _DIRECTORY)


GatherEvidence = Callable[[Facts, Policy], Evidence]
"""Looks for the revisions that a repair could move on every other branch and tag."""


class TargetTree(NamedTuple):
    """A target as it was read: shared by all that is judged against it."""

    tree: Tree
    policy: PolicyRead
    reading: TreeReading


class Trees(NamedTuple):
    """What was read: kept, because a repair is written from it.

    `head` and `merge` are `None` when the target itself is judged. Where the head takes the target's place, that is the
    merge. `read` also reads blobs that only the merge made.
    """

    against: TargetTree
    head: Tree | None
    merge: MergedTree | None
    read: ReadBlobs
    memory: Memory

    @property
    def target(self) -> Tree:
        """Listing of the target."""
        return self.against.tree

    @property
    def judged(self) -> Mapping[str, Entry]:
        """The files of the tree that is judged."""
        return (self.merge or self.target).entries


@examination()
def read_target(git: Git, target: Point, memory: Memory) -> TargetTree:
    """Read a target."""
    tree, read_blobs = list_tree(git, target.sha), _reader(git)
    [policy] = policies_in([tree.entries], read_blobs)
    [reading] = read_trees([Listing(tree.entries)], read_blobs, memory)
    return TargetTree(tree, policy, reading)


def _reader(git: Git) -> ReadBlobs:
    return partial(read, git, limit=MAX_BYTES)


@examination()
def examine(
    git: Git,
    target: Point,
    head: Point | None,
    *,
    against: TargetTree | None = None,
    strategy: Strategy | None = None,
    memory: Memory,
    evidence: GatherEvidence = lambda _facts, _policy: Evidence(),
    replaces: bool = False,
) -> tuple[Examination, Trees]:
    """Judge a branch by itself (`head` is `None`), or as it would be once merged into the target.

    The policy is the target's: what a branch changes in it counts once that is merged.

    `against` is the target, where it has been read already; `strategy` what a person asked for. Unless `evidence` is
    given, a plan rests on the two commits alone. With `replaces` a push to the target is judged: the head takes its
    place instead of being merged into it.
    """
    against = against or read_target(git, target, memory)
    trees = _trees(git, against, memory, target, head, replaces=replaces)
    surveys = _surveys(trees)
    written, judged = against.policy, _judged_policy(trees)
    policy = written.policy if strategy is None else written.policy._replace(strategy=strategy)
    owners = _owners(surveys[-1], policy)
    homeless = [problem for problem in surveys[-1].problems if owners[problem.path] is None]
    environments = []
    files = known = 0
    ignored: list[str] = []
    for known_facts, chain in _facts(trees, surveys, policy, owners):
        if policy.ignores(known_facts.environment.path):
            ignored.append(known_facts.environment.path)
            continue
        facts = _with_behaviours(known_facts, trees.read)
        findings = judge(facts)
        interactions = _interactions(facts, findings, trees.read)
        findings = (*findings, *findings_about(facts, interactions)) if interactions else findings
        found = _evidence(facts, findings, policy, evidence)
        plan = decide(facts, findings, found, policy, interactions)
        asked = None
        if isinstance(plan, Merge) and head is not None:
            asked = decide(facts, findings, found, policy._replace(strategy="reparent"), interactions)
        environments.append(Examined(facts, findings, plan, interactions, found.taken, asked))
        files += chain.files
        known += chain.files - len(chain.graph.unreadable)
    examination = Examination(
        target=target,
        head=head,
        merge_base=trees.merge.merge_base if trees.merge else None,
        coverage=Coverage(len(environments), files, known, len(ignored)),
        environments=tuple(environments),
        findings=(
            *policy_findings(judged.problems, written.problems, alone=head is None),
            *configuration_findings(homeless, surveys[0].problems, alone=head is None),
        ),
        unjudged=_unjudged(ignored, environments),
    )
    return examination, trees


class WrittenChain(NamedTuple):
    """The chain of one environment in a commit, and once that is merged into the target."""

    environment: str
    alone: Graph
    merged: Graph


@examination()
def written_chains(
    git: Git, against: TargetTree, memory: Memory, target: Point, written: Point
) -> tuple[WrittenChain, ...]:
    """What a commit that onehead wrote holds, read as the commit of any branch is."""
    trees = _trees(git, against, memory, target, written, replaces=False)
    surveys = _surveys(trees)
    policy = against.policy.policy
    facts = [each for each, _ in _facts(trees, surveys, policy, _owners(surveys[-1], policy))]
    return tuple(WrittenChain(each.environment.path, each.head, each.merged) for each in facts if each.head is not None)


@examination()
def environments_alone(git: Git, against: TargetTree, memory: Memory) -> tuple[tuple[Facts, tuple[Finding, ...]], ...]:
    """Every environment of a commit by itself that its policy does not ignore, and what is wrong, without a plan."""
    trees = Trees(against, None, None, _reader(git), memory)
    surveys = _surveys(trees)
    policy = against.policy.policy
    known = (facts for facts, _ in _facts(trees, surveys, policy, _owners(surveys[-1], policy)))
    return tuple((facts, judge(facts)) for facts in known if not policy.ignores(facts.environment.path))


def judge_alone(git: Git, at: Point) -> tuple[Examination, Trees]:
    """One commit by itself, for what its revisions are and not for how they are best repaired."""
    return examine(git, at, None, strategy="merge", memory=memory_for(git.directory))


def _unjudged(ignored: list[str], environments: list[Examined]) -> tuple[Unjudged, ...]:
    if ignored:
        message = f"{named(ignored)}, ignored by the policy (`ignore-environments`)."
        return (Unjudged("ignored", message, tuple(ignored)),)
    return () if environments else (Unjudged("no-environment", "anything, for no Alembic environment was found."),)


def without_environment(target: Point, head: Point | None) -> Examination:
    """What `examine` says of commits in which there is nothing to find."""
    return Examination(target, head, None, Coverage(0, 0, 0), (), unjudged=_unjudged([], []))


def _judged_policy(trees: Trees) -> PolicyRead:
    if trees.merge is None:
        return trees.against.policy
    judged = {path: trees.merge.entries[path] for path in FILES if path in trees.merge.entries}
    for path in FILES:
        conflict = trees.merge.conflicts.get(path)
        if conflict is not None and conflict.head is not None:
            judged[path] = conflict.head
    if judged == {path: trees.target.entries[path] for path in FILES if path in trees.target.entries}:
        return trees.against.policy
    [policy] = policies_in([judged], trees.read)
    return policy


def _with_behaviours(facts: Facts, read_blobs: ReadBlobs) -> Facts:
    """The facts with what the files of a duplicated id do; hardly anybody has one, so hardly anybody pays for it."""
    new = [
        revision
        for id_, found in facts.merged.duplicates.items()
        if len(found) > len(facts.target.definitions(id_))
        for revision in found
    ]
    if not new:
        return facts
    from onehead.operations.read import digest  # noqa: PLC0415

    found = {blob: digest(data) for blob, data in read_blobs({revision.blob for revision in new}).data.items()}
    return facts._replace(behaviours={blob: does for blob, does in found.items() if does is not None})


def _interactions(facts: Facts, findings: tuple[Finding, ...], read_blobs: ReadBlobs) -> tuple[Interaction, ...]:
    """Whether the sides of a new fork conflict; who has none does not pay for it."""
    side = "target" if facts.head is None else "head"
    if not any(f.code in (Code.COLLISION, Code.FORK) and f.introduced_by == side for f in findings):
        return ()
    from onehead.examine.conflicts import interactions_of  # noqa: PLC0415

    return interactions_of(facts, read_blobs)


def _evidence(facts: Facts, findings: tuple[Finding, ...], policy: Policy, evidence: GatherEvidence) -> Evidence:
    """What is known elsewhere, where something is to be repaired."""
    side = "target" if facts.head is None else "head"
    needed = any(finding.severity == "error" and finding.introduced_by == side for finding in findings)
    return evidence(facts, policy) if needed else Evidence()


def _trees(
    git: Git, against: TargetTree, memory: Memory, target: Point, head: Point | None, *, replaces: bool
) -> Trees:
    read_blobs = _reader(git)
    if head is None:
        return Trees(against, None, None, read_blobs, memory)
    from onehead.gitrepo.merge import merge_trees, taken_over  # noqa: PLC0415 - a branch by itself merges nothing

    tree = against.tree
    other = Tree(head.sha, difference(git, tree, head.sha))
    if replaces:
        return Trees(against, other, taken_over(other), read_blobs, memory)
    merge = merge_trees(git, target.sha, head.sha, listed={target.sha: tree, head.sha: other}, limit=MAX_BYTES)

    def read_all(oids: Iterable[str]) -> Contents:
        wanted = set(oids)
        fresh = merge.fresh
        found = read_blobs(wanted - fresh.data.keys() - fresh.too_large.keys())
        return Contents(
            {**found.data, **{oid: data for oid, data in fresh.data.items() if oid in wanted}},
            {**found.too_large, **{oid: size for oid, size in fresh.too_large.items() if oid in wanted}},
        )

    return Trees(against, other, merge, read_all, memory)


def _surveys(trees: Trees) -> list[Survey]:
    reading = trees.against.reading
    surveys = survey([reading, *read_trees(_listings(trees), trees.read, trees.memory, reading)])
    surveys[-1] = _without_remains(surveys)
    return surveys


def _listings(trees: Trees) -> list[Listing]:
    """Head and merge, where there are any; in a conflict both sides' files stand in the merged listing."""
    if trees.head is None or trees.merge is None:
        return []
    head, merged, conflicts = trees.head.entries, trees.merge.entries, trees.merge.conflicts
    sides = {path: [side for side in (c.target, c.head) if side is not None] for path, c in conflicts.items()}
    if not any(sides.values()):
        return [Listing(head), Listing(merged)]
    first = {path: entries[0] for path, entries in sides.items() if entries}
    rivals = tuple(entry for entries in sides.values() for entry in entries[1:])
    return [Listing(head), Listing({**merged, **first}, rivals)]


def _facts(
    trees: Trees, surveys: list[Survey], policy: Policy, owners: dict[str, str | None]
) -> Iterator[tuple[Facts, Chain]]:
    """One set of facts per environment of the judged tree, and of the target where the branch drops one."""
    judged = surveys[-1]
    conflicts = trees.merge.conflicts if trees.merge else {}
    ids = {path: frozenset(chain.graph.revisions) for path, chain in judged.chains.items()}
    alone = trees.head is None
    followed: list[Graph] = []
    for path, chain in sorted(judged.chains.items()):
        before = _counterpart(chain, surveys[0], judged)
        followed.append(before)
        head = None if alone else _counterpart(chain, surveys[1], judged)
        facts = Facts(
            environment=chain.environment,
            target=chain.graph if alone else before,
            head=head,
            merged=chain.graph,
            conflicts=tuple(sorted(p for p in conflicts if _inside(p, chain))),
            elsewhere=frozenset().union(*(other for place, other in ids.items() if place != path)),
            problems=tuple(problem for problem in judged.problems if owners[problem.path] == path),
            old_problems=surveys[0].problems,
            allowed_heads=policy.heads_allowed(path),
            unloaded=(*judged.unloaded.get(path, ()), *_left_behind(head, before, judged, trees)),
            old_unloaded=frozenset(r.id for items in surveys[0].unloaded.values() for r in items),
        )
        if any(parent in facts.elsewhere for _, parent in chain.graph.missing):
            code = code_near(trees.judged, chain.environment, trees.read)
            facts = facts._replace(set_in_code=sets_directories(code))
        if any(len(id_) > MAX_ID and (alone or id_ not in before) for id_ in chain.graph.revisions):
            facts = facts._replace(id_width=_id_width(chain, trees))
        yield facts, chain
    for _, chain in sorted(surveys[0].chains.items()):
        if chain.files and not any(chain.graph is graph for graph in followed):
            yield Facts(chain.environment, chain.graph, Graph(()), Graph(())), Chain(chain.environment, Graph(()), 0)


def _id_width(chain: Chain, trees: Trees) -> int:
    """How wide the project makes the version table's column: in code beside the environment, or in a revision."""
    from onehead.revisions.version_table import width_in  # noqa: PLC0415 - few ids are so long

    revisions = trees.read({revision.blob for revision in chain.graph}).data
    return width_in([*code_near(trees.judged, chain.environment, trees.read), *revisions.values()])


def _without_remains(surveys: list[Survey]) -> Survey:
    """The judged tree without what a branch leaves in the place of an environment that the target has no more."""
    judged = surveys[-1]
    kept = {
        path: chain
        for path, chain in judged.chains.items()
        if chain.environment.certain
        or path in surveys[0].chains
        or not any(path in survey.chains and survey.chains[path].environment.certain for survey in surveys[:-1])
    }
    return judged._replace(chains=kept)


def _left_behind(head: Graph | None, before: Graph, judged: Survey, trees: Trees) -> tuple[Revision, ...]:
    """New revisions of the branch that stay where the target has moved its revisions away from."""
    if head is None or trees.merge is None:
        return ()
    entries = trees.merge.entries
    loaded = [chain.graph for chain in judged.chains.values()]
    new = [revision for revision in head if revision.id not in before and revision.path in entries]
    return tuple(revision for revision in new if not any(revision.id in graph for graph in loaded))


def _owners(judged: Survey, policy: Policy) -> dict[str, str | None]:
    """Configuration with a problem → the environment that reports it: its own, else the first judged one, if any."""
    configs = {chain.environment.config: path for path, chain in judged.chains.items()}
    first = min((path for path in judged.chains if not policy.ignores(path)), default=None)
    return {problem.path: configs.get(problem.path, first) for problem in judged.problems}


def _counterpart(chain: Chain, other: Survey, judged: Survey) -> Graph:
    """The same environment in another tree: under the same path or, if it moved, the one that shares its revisions."""
    same = other.chains.get(chain.environment.path)
    if same is not None:
        return same.graph
    gone = [c for path, c in other.chains.items() if path not in judged.chains]
    shared = [(len(chain.graph.revisions.keys() & c.graph.revisions.keys()), c.environment.path, c.graph) for c in gone]
    best = max(shared, default=(0, "", Graph(())), key=lambda item: item[:2])
    return best[2] if best[0] * 2 >= len(best[2]) and best[0] > 0 else Graph(())


def _inside(path: str, chain: Chain) -> bool:
    return any(
        posixpath.dirname(path) == place.path or path.startswith(f"{place.path}/")
        for place in chain.environment.locations
    )


def no_comparison(target: str) -> Unjudged:
    """Only the target was named, so it is not known whether a branch was meant to be compared with it."""
    message = f"what a branch would bring, for none was compared with `{target}`."
    message += f" Add `--head BRANCH`, or use `--at {target}`."
    return Unjudged("no-comparison", message)


def uncommitted_revisions(git: Git, examination: Examination, trees: Trees) -> tuple[Unjudged, ...]:
    """Revision files of the work tree that are not committed, where the commit that is judged is checked out."""
    here = checked_out(git) if examination.environments else None
    if here is None or here[1] != (examination.head or examination.target).sha:
        return ()
    places = [place for examined in examination.environments for place in examined.facts.environment.locations]
    folders = {place.path: place.recursive is True for place in places if not place.blocked}
    paths = tuple(uncommitted(here[0], (trees.head or trees.target).entries, folders, is_revision_file))
    if not paths:
        return ()
    what = "a revision file that is" if len(paths) == 1 else f"{len(paths)} revision files that are"
    message = f"{what} in the work tree and not committed: {named(paths)}. Commit, and check again."
    return (Unjudged("uncommitted", message, paths),)
