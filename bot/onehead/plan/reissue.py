"""Two files with one revision id: which of them gets a new id, and where it has to stand then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from onehead.plan.facts import Evidence, Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import Plan, Reason, ReasonCode, Refuse, Reissue
from onehead.plan.reparent import NotMovable, moves_for
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision
from onehead.wording import listed, quoted

_OPTIONS = (
    "Keep the id of the file that databases have run; give the other one a new id and a parent of its own.",
    "If both hold the same operations, delete the newer file.",
)


def decide_reissue(facts: Facts, evidence: Evidence) -> Plan:
    """Give the branch's copies new ids, and move them when they would fork the chain under these."""
    fresh: dict[str, Revision] = {}
    blobs = frozenset(revision.blob for revision in facts.target)
    for id_, found in facts.merged.duplicates.items():
        if len(facts.target.definitions.get(id_, ())) >= len(found):
            continue  # the target's own, repaired by its own job
        chosen = _fresh(facts, found, blobs)
        if isinstance(chosen, Reason):
            return Refuse((chosen,), _OPTIONS)
        fresh[id_] = chosen
    taken = _published(fresh, evidence)
    if taken is not None:
        return Refuse((taken,), _OPTIONS)
    names = {id_: f"{id_}\0" for id_ in fresh}
    renamed = _renamed(facts, fresh, names)
    label = _label_twice(fresh, renamed, names)
    if label is not None:
        return Refuse((label,), ("Remove the branch label from the newer of the two files, and push again.",))
    try:
        moves = moves_for(facts.target, renamed, *(f for f in forks_of(facts, renamed) if f.introduced_by == "head"))
    except NotMovable as obstacle:
        return Refuse((obstacle.reason,), _OPTIONS)
    old = {new: id_ for id_, new in names.items()}
    roots = {*names.values(), *(move.revision for move in moves)}
    along = renamed.descendants(*roots)
    seen = {old.get(id_, id_): _places(evidence, renamed.revisions[id_].path) for id_ in along}
    if any(seen.values()):
        where = _where(sorted(seen.items()))
        message = f"What would move along with the new id may have been run by databases ({where})."
        return Refuse((Reason(ReasonCode.DUPLICATE_PUBLISHED, message),), _OPTIONS)
    moved = sorted(seen)
    files = tuple((id_, revision.path) for id_, revision in sorted(fresh.items()))
    message = (
        f"{quoted([path for _, path in files])} is the newer definition and stands on no other branch or tag, "
        "so it gets a new id; a merge would leave one of the two unrun."
    )
    return Reissue(
        files,
        tuple(move._replace(revision=old.get(move.revision, move.revision)) for move in moves),
        tuple(moved),
        (Reason(ReasonCode.DUPLICATE_NOT_ESCAPED, message),),
    )


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


def _published(fresh: dict[str, Revision], evidence: Evidence) -> Reason | None:
    """Why none of the two ids is free to be changed, if so."""
    escaped = {id_: _places(evidence, revision.path) for id_, revision in fresh.items()}
    where = _where(escaped.items())
    lost = (f"what ran on `{held.database}`, which holds `{held.row}`, is unknown" for held in evidence.unplaced[:3])
    where = where or "; ".join(lost) or evidence.incomplete or ("" if fresh else "both are published")
    if not where:
        return None
    message = f"Both definitions may have been run by databases ({where}), so neither id is free."
    return Reason(ReasonCode.DUPLICATE_PUBLISHED, message)


def _where(seen: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    return listed([f"{quoted([id_])} on {listed(places, 3)}" for id_, places in seen if places], 3, "; ", "; ")


def _places(evidence: Evidence, path: str) -> tuple[str, ...]:
    """Where else a revision stands, databases included."""
    databases = dict.fromkeys(f"the database `{held.database}`" for held in evidence.reported.get(path, ()))
    return (*evidence.escaped.get(path, ()), *databases)


def _fresh(facts: Facts, found: tuple[Revision, ...], blobs: frozenset[str]) -> Revision | Reason:
    """The definition that the branch brought, or why there is none to choose."""
    if len({revision.blob for revision in found}) < len(found):
        message = f"{quoted([r.path for r in found])} hold the same content: one of them is a copy to delete."
        return Reason(ReasonCode.DUPLICATE_COPY, message)
    ours = [revision for revision in found if revision.blob not in blobs]
    places = {revision.path for revision in facts.target.definitions.get(found[0].id, ())}
    moved_in = [revision for revision in ours if revision.path not in places] or ours
    if not moved_in:
        message = f"`{found[0].id}` is declared by files that are all published already."
        return Reason(ReasonCode.DUPLICATE_PUBLISHED, message)
    return moved_in[-1]


def _renamed(facts: Facts, fresh: dict[str, Revision], names: dict[str, str]) -> Graph:
    """The merged graph with the branch's copies under other ids, and the branch's own revisions following them."""
    result = []
    for revision in facts.merged:
        renewed = revision == fresh.get(revision.id)
        if revision.id in facts.target and not renewed:
            result.append(revision)  # published: it follows the published definition, edited or not
            continue
        result.append(
            revision._replace(
                id=names[revision.id] if renewed else revision.id,
                parents=tuple(names.get(parent, parent) for parent in revision.parents),
                depends_on=tuple(names.get(need, need) for need in revision.depends_on),
            )
        )
    return Graph(result, facts.merged.unreadable)
