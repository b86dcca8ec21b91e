"""Two files with one revision id: which of them gets a new id, and where it has to stand then."""

from __future__ import annotations

from dataclasses import replace

from onehead.plan.facts import Evidence, Facts
from onehead.plan.forks import forks_between
from onehead.plan.plans import Move, Plan, Reason, ReasonCode, Refuse, Reissue
from onehead.plan.reparent import NotMovable, moves_for
from onehead.revisions.graph import Graph
from onehead.revisions.revision import Revision

_OPTIONS = (
    "Keep the id of the file that databases have run; give the other one a new id and a parent of its own.",
    "If both hold the same operations, delete the newer file.",
)


def decide_reissue(facts: Facts, evidence: Evidence) -> Plan:
    """Give the branch's copies new ids, and move them when they would fork the chain under these."""
    fresh: dict[str, Revision] = {}
    for id_, found in facts.merged.duplicates.items():
        if len(facts.target.definitions.get(id_, ())) >= len(found):
            continue  # the target's own, repaired by its own job
        chosen = _fresh(facts, found)
        if isinstance(chosen, Reason):
            return Refuse((chosen,), _OPTIONS)
        fresh[id_] = chosen
    seen = [(id_, evidence.escaped.get(r.path, ())) for id_, r in fresh.items()]
    escaped = [(id_, places) for id_, places in seen if places]
    if not fresh or escaped or evidence.incomplete:
        where = "; ".join(f"`{id_}` on {', '.join(places)}" for id_, places in escaped) or evidence.incomplete
        message = (
            f"Both definitions may have been run by databases ({where or 'both are published'}), so neither id is free."
        )
        return Refuse((Reason(ReasonCode.DUPLICATE_PUBLISHED, message),), _OPTIONS)
    names = {id_: f"{id_}\0" for id_ in fresh}
    renamed = _renamed(facts, fresh, names)
    moves: list[Move] = []
    try:
        for fork in forks_between(facts.target, renamed):
            if fork.introduced_by == "head":
                moves += moves_for(facts.target, renamed, fork)
    except NotMovable as obstacle:
        return Refuse((obstacle.reason,), _OPTIONS)
    old = {new: id_ for id_, new in names.items()}
    roots = {*names.values(), *(move.revision for move in moves)}
    moved = sorted(old.get(id_, id_) for id_ in renamed.descendants(*roots))
    files = tuple((id_, revision.path) for id_, revision in sorted(fresh.items()))
    message = (
        f"{', '.join(f'`{path}`' for _, path in files)} is the newer definition and stands on no other branch or tag, "
        "so it gets a new id; a merge would leave one of the two unrun."
    )
    return Reissue(
        files,
        tuple(replace(move, revision=old.get(move.revision, move.revision)) for move in moves),
        tuple(moved),
        (Reason(ReasonCode.DUPLICATE_NOT_ESCAPED, message),),
    )


def _fresh(facts: Facts, found: tuple[Revision, ...]) -> Revision | Reason:
    """The definition that the branch brought, or why there is none to choose."""
    blobs = {revision.blob for revision in facts.target}
    if len({revision.blob for revision in found}) < len(found):
        message = (
            f"{' and '.join(f'`{r.path}`' for r in found)} hold the same content: one of them is a copy to delete."
        )
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
    old = {(revision.path, revision.blob) for revision in facts.target}
    result = []
    for revision in facts.merged:
        if (revision.path, revision.blob) in old:
            result.append(revision)
            continue
        parents = tuple(names.get(parent, parent) for parent in revision.parents)
        own = fresh.get(revision.id)
        id_ = names[revision.id] if own is not None and own.blob == revision.blob else revision.id
        result.append(replace(revision, id=id_, parents=parents))
    return Graph(result, facts.merged.unreadable)
