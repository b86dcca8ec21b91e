"""The plans that there are for one environment, and how each changes the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from onehead.plan.findings import Evidence, Facts
from onehead.plan.forks import Fork, forks_of
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.text import listed, quoted

if TYPE_CHECKING:
    from onehead.revisions.file_names import Renumbered


class ReasonCode(StrEnum):
    """Why a plan was chosen; stable names."""

    ONE_HEAD = "one-head"
    REJOINED = "rejoined"
    INTENDED = "intended"
    INHERITED = "inherited"
    NOT_ESCAPED = "not-escaped"
    ESCAPED = "escaped"
    EVIDENCE_INCOMPLETE = "evidence-incomplete"
    REPORTED = "reported"
    UNKNOWN_ROW = "unknown-row"
    SEVERAL_TARGET_HEADS = "several-target-heads"
    NOT_MOVABLE = "not-movable"
    STRATEGY = "strategy"
    PUBLISHED_FORK = "published-fork"
    RUNS_AGAIN = "runs-again"
    MERGE_EXISTS = "merge-exists"
    DUPLICATE_NOT_ESCAPED = "duplicate-not-escaped"
    DUPLICATE_PUBLISHED = "duplicate-published"
    DUPLICATE_COPY = "duplicate-copy"
    CYCLE = "cycle"
    MISSING_PARENT = "missing-parent"
    UNREADABLE = "unreadable"
    EDIT_FAILED = "edit-failed"
    POLICY_DOUBTFUL = "policy-doubtful"
    FRESH_IDS = "fresh-ids"
    RENUMBERED = "renumbered"
    SEMANTIC_CONFLICT = "semantic-conflict"
    ORDER_MATTERS = "order-matters"
    TWO_BY_TWO = "two-by-two"


class Reason(NamedTuple):
    """One step of the argument: a stable code and a sentence."""

    code: ReasonCode
    message: str


MAX_REASONS = 10
"""Reasons of one kind that a plan gives; the rest is one more, with their number."""


def bounded(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The first reasons, and the number of the others."""
    told = list(reasons)
    rest = len(told) - MAX_REASONS
    more = (Reason(told[-1].code, f"The same goes for {rest} more of the kind."),) if rest > 0 else ()
    return (*told[:MAX_REASONS], *more)


class Move(NamedTuple):
    """One revision gets other parents; all that grows from it moves along."""

    revision: str
    old_parents: tuple[str, ...]
    new_parents: tuple[str, ...]


class Nothing(NamedTuple):
    """Nothing to repair."""

    reasons: tuple[Reason, ...]
    kind: str = "none"


class Reparent(NamedTuple):
    """The branch's roots move onto the target's head; only for revisions that have not escaped.

    `moved` are all that move along with the roots that `moves` tells of, by old ids; `heads` those of the environment
    afterwards. Both are sorted. `renumbered` are revisions whose files get another number, and ids that carry it.
    """

    moves: tuple[Move, ...]
    moved: tuple[str, ...]
    heads: tuple[str, ...]
    reasons: tuple[Reason, ...]
    kind: str = "reparent"
    renumbered: tuple[Renumbered, ...] = ()

    @property
    def new_ids(self) -> dict[str, str]:
        """Old id → new one, of the revisions that get one; parents first."""
        return {each.old_id: each.new_id for each in self.renumbered if each.new_id != each.old_id}


class Merge(NamedTuple):
    """A merge revision joins the heads; right for every database.

    `merges` are the parents of each one to write, one for a fork or several in a row (see `merge_steps`); the target's
    head comes last, for Alembic runs the last parent first. `others` are heads that are meant to stay beside; sorted.
    """

    merges: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    reasons: tuple[Reason, ...]
    kind: str = "merge"


class Reissue(NamedTuple):
    """Revisions whose id is taken, or shall not be used again, get a new one, and move where they must.

    A copy, which does the same as the file that has the id, is `dropped` instead: two ids would run it twice. `files`:
    id → the file that gets a new id, the one that has not escaped. `moves` are revisions that also get other parents,
    `moved` every revision that changes or moves along, sorted; both by old ids. `issued`: old id → new one; empty until
    the files are written, for their content decides.
    """

    files: tuple[tuple[str, str], ...]
    moves: tuple[Move, ...]
    moved: tuple[str, ...]
    reasons: tuple[Reason, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    kind: str = "reissue"
    issued: tuple[tuple[str, str], ...] = ()

    @property
    def new_ids(self) -> dict[str, str]:
        """Old id → new one, of the revisions that get one; empty until the files are written."""
        return dict(self.issued)

    @property
    def by_policy(self) -> bool:
        """Whether no id is taken: the policy wants new ones for what is re-parented."""
        return any(reason.code == ReasonCode.FRESH_IDS for reason in self.reasons)


class Refuse(NamedTuple):
    """A person has to decide; each of the options is a full sentence."""

    reasons: tuple[Reason, ...]
    options: tuple[str, ...]
    kind: str = "refuse"


Plan = Nothing | Reparent | Merge | Reissue | Refuse


BEFORE = ""
"""Stands, among the parents of a merge, for the merge that is made in the step before."""


def merge_steps(graph: Graph, parents: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The parents of each merge to be made, in order; the sides run in the same order either way.

    One merge is enough, but for three heads and more of which some revision needs one (`depends_on`): Alembic (1.18)
    then stops with a `KeyError`, whatever the database holds, and does not when they are joined two by two.
    """
    if len(parents) < 3 or not set(parents) & set(_needed(graph, parents)):
        return (parents,)
    steps = [parents[-2:]]
    steps += [(parent, BEFORE) for parent in reversed(parents[:-2])]
    return tuple(steps)


def _needed(graph: Graph, parents: tuple[str, ...]) -> Iterator[str]:
    """What revisions beneath the heads need, labels resolved."""
    labels = {label: revision.id for revision in graph for label in revision.branch_labels}
    for id_ in graph.ancestors(*parents):
        revision = graph.revisions.get(id_)
        for need in revision.depends_on if revision is not None else ():
            yield labels.get(need, need)


class NotMovable(Exception):
    """The chain can't be made linear by moving its roots; says why."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


class MadeLinear(NamedTuple):
    """Moves, and the chain as they leave it."""

    moves: tuple[Move, ...]
    after: Graph


def moves_for(target: Graph, merged: Graph, *forks: Fork, last: Collection[str] = ()) -> MadeLinear:
    """The roots of the branch's side of each fork, moved onto the target's head; several sides one after the other.

    A whole chain moves by its root: nothing above it is edited. The result is checked on the graph itself, so a plan
    that would not leave exactly one head of each fork is never returned. Nothing is moved onto the heads that are to be
    `last`, if that can be.

    Raises `NotMovable` where the target has no single head here, or something published stands on what would move.
    """
    own = [id_ for id_ in merged.revisions if id_ not in target]
    # A side ends where the published begins, unless something published was put onto it.
    end = Graph(()) if any(id_ in target for id_ in merged.descendants(*own)) else target
    moves: dict[str, Move] = {}
    for fork in forks:
        moves |= {move.revision: move for move in _one_line(target, merged, end, fork, last)}
    left = set(merged.heads).difference(*(move.new_parents for move in moves.values()))
    after = merged.replaced(merged.revisions[id_]._replace(parents=move.new_parents) for id_, move in moves.items())
    if after.cycles or set(after.heads) != left:
        onto = dict.fromkeys(parent for move in moves.values() for parent in move.new_parents)
        message = f"Moving {quoted([*moves])} onto {quoted([*onto])} would not leave one line."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return MadeLinear(tuple(moves.values()), after)


def made_linear(facts: Facts, graph: Graph, *forks: Fork, last: Collection[str] = ()) -> MadeLinear:
    """The same, proven: with them the branch brings no fork, or else `NotMovable` is raised.

    Where lines that labels tell apart meet, a move may leave a head beside another one that nothing names as meant.
    """
    made = moves_for(facts.target, graph, *forks, last=last)
    left = [fork for fork in forks_of(facts, made.after) if fork.introduced_by == "head"]
    if left:
        movers = quoted([move.revision for move in made.moves])
        message = f"Moving {movers} would still leave several heads: {_names(left[0].heads)}."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)
    return made


def _one_line(target: Graph, merged: Graph, end: Graph, fork: Fork, last: Collection[str]) -> Iterator[Move]:
    """Side after side of the branch's heads, each put onto the head of the one before; the target's comes first."""
    old = [head for head in fork.heads if head not in fork.new]
    if len(old) > 1:
        message = (
            f"The target has several heads here already ({_names(old)}), so there is no single one to move onto: the "
            "branch is joined to the nearest of them, and joining the rest is the target's own repair."
        )
        raise NotMovable(ReasonCode.SEVERAL_TARGET_HEADS, message)
    # What stands on the target's head already goes first, and stays there.
    tips = old or [head for head in target.heads if not merged.descendants(head).isdisjoint(fork.new)]
    placed = merged.ancestors(*tips)
    for new in sorted(fork.new, key=lambda id_: (id_ in last, merged.ancestors(id_).isdisjoint(tips), id_)):
        side = frozenset(id_ for id_ in merged.ancestors(new, until=end) if id_ not in target and id_ not in placed)
        if not side:
            raise NotMovable(ReasonCode.NOT_MOVABLE, f"{quoted([new])} is published itself, so it can't be moved.")
        if len(tips) == 1:
            yield from _onto(target, merged, side, tips[0], placed)
        placed |= merged.ancestors(new)
        tips = [new]


def _onto(target: Graph, merged: Graph, side: frozenset[str], onto: str, placed: frozenset[str]) -> Iterator[Move]:
    roots = sorted(id_ for id_ in side if side.isdisjoint(merged.parents(id_)))
    for root in roots:
        revision = merged.revisions[root]
        if not placed.issuperset(revision.parents):
            message = (
                f"{quoted([root])} grows from {_names(revision.parents)}, which {quoted([onto])} does not contain."
            )
            raise NotMovable(ReasonCode.NOT_MOVABLE, message)
        if revision.parents != (onto,):
            yield Move(root, revision.parents, (onto,))
    published = sorted(id_ for id_ in merged.descendants(*roots) if id_ in target)
    if published:
        message = f"The published {_names(published)} would move along, and published revisions stay where they are."
        raise NotMovable(ReasonCode.NOT_MOVABLE, message)


def _names(ids: tuple[str, ...] | list[str]) -> str:
    return quoted(ids) or "nothing"


_FRESH = "\0"
"""Behind an id: the one that is to be found for it. No message shows that."""

_OPTIONS = (
    "Keep the id of the file that databases have run; give the other one a new id and a parent of its own.",
    "If both hold the same operations, delete the newer file.",
)
BREAK_THE_CIRCLE = "Point one revision of the circle at the one it really follows."


def decide_reissue(facts: Facts, evidence: Evidence) -> Plan:
    """Drop the branch's copies, give its other definitions new ids, and move what would fork the chain then."""
    fresh: dict[str, Revision] = {}
    copies: dict[Revision, Revision] = {}
    for id_, found in facts.merged.duplicates.items():
        if len(facts.target.definitions(id_)) >= len(found):
            continue  # the target's own, repaired by its own job
        copied = _copies(facts, found)
        copies |= copied
        left = [revision for revision in found if revision not in copied]
        if len(left) > 1:
            chosen = _fresh(facts, left)
            if isinstance(chosen, Reason):
                return Refuse((chosen,), _OPTIONS)
            fresh[id_] = chosen
    taken = _published((*fresh.values(), *copies), evidence)
    if taken is not None:
        return Refuse((taken,), _OPTIONS)
    names = {id_: f"{id_}{_FRESH}" for id_ in fresh}
    renamed = _renamed(facts, fresh, names, copies)
    label = _label_twice(fresh, renamed, names)
    if label is not None:
        return Refuse((label,), ("Remove the branch label from the newer of the two files, and push again.",))
    if renamed.cycles:
        message = f"{quoted(_plain(renamed.cycles))} follow or need each other in a circle, whatever their ids are."
        return Refuse((Reason(ReasonCode.CYCLE, message),), (BREAK_THE_CIRCLE,))
    try:
        forks = (fork for fork in forks_of(facts, renamed) if fork.introduced_by == "head")
        moves = made_linear(facts, renamed, *forks, last=names.values()).moves
    except NotMovable as obstacle:
        told = obstacle.reason._replace(message=obstacle.reason.message.replace(_FRESH, ""))
        return Refuse((told,), _OPTIONS)
    old = {new: id_ for id_, new in names.items()}
    moves = (*_closing(facts, renamed, copies, {move.revision for move in moves}), *moves)
    along = renamed.descendants(*names.values(), *(move.revision for move in moves))
    seen = {old.get(id_, id_): _places(evidence, renamed.revisions[id_].path) for id_ in along}
    if any(seen.values()):
        message = f"What would move along may have been run by databases ({_where(sorted(seen.items()))})."
        return Refuse((Reason(ReasonCode.DUPLICATE_PUBLISHED, message),), _OPTIONS)
    if any(parent in old for move in moves for parent in move.new_parents):
        message = "Several heads of the branch have ids that are taken, so no order among them can be written down."
        return Refuse((Reason(ReasonCode.NOT_MOVABLE, message),), _OPTIONS)
    return Reissue(
        tuple((id_, revision.path) for id_, revision in sorted(fresh.items())),
        tuple(Move(old.get(m.revision, m.revision), _plain(m.old_parents), m.new_parents) for m in moves),
        tuple(sorted(seen)),
        _reasons(fresh, copies),
        tuple(sorted((revision.id, revision.path) for revision in copies)),
    )


def _plain(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(id_.rstrip("\0") for id_ in ids)


def _reasons(fresh: dict[str, Revision], copies: dict[Revision, Revision]) -> tuple[Reason, ...]:
    reasons = [
        Reason(
            ReasonCode.DUPLICATE_COPY,
            f"`{copy.path}` does the same as `{kept.path}` under the same id, so the copy is dropped: under two ids it "
            "would run twice.",
        )
        for copy, kept in sorted(copies.items())
    ]
    if fresh:
        message = (
            f"{quoted([revision.path for _, revision in sorted(fresh.items())])} is the newer definition and is on "
            "no other branch or tag, so it gets a new id; a merge would leave one of the two unrun."
        )
        reasons.append(Reason(ReasonCode.DUPLICATE_NOT_ESCAPED, message))
    return bounded(reasons)


def _copies(facts: Facts, found: tuple[Revision, ...]) -> dict[Revision, Revision]:
    """Of the definitions of one id, those that only repeat another one, and that one: the published one, if any is."""
    target = facts.target.definitions(found[0].id)
    exact = {(revision.path, revision.blob) for revision in target}
    places = {revision.path for revision in target}
    ranked = sorted(found, key=lambda r: ((r.path, r.blob) in exact, r.path in places, r.path), reverse=True)
    kept: list[Revision] = []
    copies = {}
    for revision in ranked:
        same = next((other for other in kept if _do_the_same(facts, revision, other)), None)
        if same is None or (revision.path, revision.blob) in exact:
            kept.append(revision)
        else:
            copies[revision] = same
    return copies


def _do_the_same(facts: Facts, one: Revision, other: Revision) -> bool:
    behaviour = facts.behaviours.get(one.blob)
    return one.blob == other.blob or (behaviour is not None and behaviour == facts.behaviours.get(other.blob))


def _closing(facts: Facts, renamed: Graph, copies: dict[Revision, Revision], moved: Collection[str]) -> Iterator[Move]:
    """What grew from a dropped copy: it follows what the branch has beneath that, or else the one that is kept."""
    ids = {copy.id for copy in copies}
    for revision in facts.merged:
        if revision.id not in facts.target and revision.id not in moved and not ids.isdisjoint(revision.parents):
            new = renamed.revisions.get(revision.id)
            if new is not None and new.parents != revision.parents:
                yield Move(revision.id, revision.parents, new.parents)


def _label_twice(fresh: dict[str, Revision], renamed: Graph, names: dict[str, str]) -> Reason | None:
    """Why new ids would not be enough: under two ids, a branch label that both definitions carry is a duplicate."""
    owners: dict[str, set[str]] = defaultdict(set)
    for other in renamed:
        for label in other.branch_labels:
            owners[label].add(other.id)
    for id_, revision in sorted(fresh.items()):
        twice = sorted(label for label in revision.branch_labels if owners[label] - {names[id_]})
        if twice:
            message = (
                f"Both definitions of `{id_}` carry the branch label `{twice[0]}`, which only one revision may have."
            )
            return Reason(ReasonCode.NOT_MOVABLE, message)
    return None


def _published(changed: Collection[Revision], evidence: Evidence) -> Reason | None:
    """Why none of the definitions of an id is free to be changed, if so."""
    where = _where([(revision.id, _places(evidence, revision.path)) for revision in changed])
    lost = (f"what ran on `{held.database}`, which holds `{held.row}`, is unknown" for held in evidence.unplaced[:3])
    where = where or "; ".join(lost) or evidence.incomplete or ("" if changed else "both are published")
    if not where:
        return None
    message = f"Both definitions may have been run by databases ({where}), so neither id is free."
    return Reason(ReasonCode.DUPLICATE_PUBLISHED, message)


def _where(seen: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    return listed([f"{quoted([id_])} on {listed(places, 3)}" for id_, places in seen if places], 3, "; ", "; ")


def _places(evidence: Evidence, path: str) -> tuple[str, ...]:
    databases = dict.fromkeys(f"the database `{held.database}`" for held in evidence.reported.get(path, ()))
    return (*evidence.escaped.get(path, ()), *databases)


def _fresh(facts: Facts, found: list[Revision]) -> Revision | Reason:
    """The definition that the branch brought, or why there is none to choose."""
    blobs = {revision.blob for revision in facts.target}
    ours = [revision for revision in found if revision.blob not in blobs]
    places = {revision.path for revision in facts.target.definitions(found[0].id)}
    moved_in = [revision for revision in ours if revision.path not in places] or ours
    if not moved_in:
        message = f"`{found[0].id}` is declared by files that are all published already."
        return Reason(ReasonCode.DUPLICATE_PUBLISHED, message)
    return moved_in[-1]


def _renamed(
    facts: Facts, fresh: dict[str, Revision], names: dict[str, str], copies: dict[Revision, Revision]
) -> Graph:
    """The merged graph without copies, the branch's definitions under other ids, and its revisions following them."""
    beneath = {copy.id: copy.parents for copy in copies}

    def followed(parent: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
        if parent not in beneath or parent in seen:
            return (names.get(parent, parent),)
        # In the branch's own order, where it has something of its own beneath its copy.
        below = [each for old in beneath[parent] for each in followed(old, seen | {parent})]
        own = tuple(each for each in below if each not in facts.target and each.rstrip("\0") in facts.merged)
        return own or (parent,)

    result = []
    for revision in facts.merged:
        if revision in copies:
            continue
        renewed = revision == fresh.get(revision.id)
        if revision.id in facts.target and not renewed:
            result.append(revision)  # published: it follows the published definition, edited or not
            continue
        result.append(
            revision._replace(
                id=names[revision.id] if renewed else revision.id,
                parents=tuple(dict.fromkeys(new for parent in revision.parents for new in followed(parent))),
                depends_on=tuple(names.get(need, need) for need in revision.depends_on),
            )
        )
    return Graph(result, facts.merged.unreadable)
