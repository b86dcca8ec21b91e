"""Decide on a plan for one environment and give the reasons. A pure function that can't fail.

A re-parent is right only for revisions that no database has run: a database that ran the moved side silently skips the
other one (exit code 0, tables missing). A merge is right for every database. So revisions that have escaped, or may
have, are merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from onehead.plan.findings import MAX_LISTED, Code, Evidence, Facts, Finding
from onehead.plan.forks import Fork, Interaction, between, forks_of, nearest_old, parents_in_order
from onehead.plan.judge import named, run_again
from onehead.plan.plans import (
    BREAK_THE_CIRCLE,
    MadeLinear,
    Merge,
    Move,
    Nothing,
    NotMovable,
    Plan,
    Reason,
    ReasonCode,
    Refuse,
    Reissue,
    Reparent,
    bounded,
    decide_reissue,
    made_linear,
    merge_steps,
)
from onehead.plan.policy import Policy
from onehead.revisions.model import Revision
from onehead.text import becomes, listed

if TYPE_CHECKING:
    from onehead.revisions.file_names import Renumbered

MAX_NAMED = 3
"""Places that a sentence names; of more it only gives the number."""


def decide(
    facts: Facts,
    findings: Iterable[Finding],
    evidence: Evidence,
    policy: Policy,
    interactions: tuple[Interaction, ...] = (),
) -> Plan:
    """What should be done about one environment.

    No repair of the chain helps where the sides can't both be carried out, so that is refused. Where one has to run
    first, it comes last in the tuple of a merge; a re-parent runs the target's side first, so it is ruled out where
    the branch's has to be.

    Only what the judged side brought is repaired: a fork that the target has already is repaired by the target's
    own job, so that one broken main does not block every pull request.
    """
    side = "target" if facts.head is None else "head"
    own = [f for f in findings if f.severity == "error" and f.introduced_by == side]
    codes = {finding.code for finding in own}
    # A circle that two definitions of one id make is gone once each has an id of its own.
    refusal = _refuse_unrepairable(f for f in own if f.code is not Code.CYCLE or Code.DUPLICATE_ID not in codes)
    if refusal is not None:
        return refusal
    if Code.DUPLICATE_ID in codes:
        return decide_reissue(facts, evidence)
    forks = forks_of(facts)
    mine = tuple(fork for fork in forks if fork.introduced_by == side)
    if not mine:
        return _nothing(facts, forks)
    existing = _existing_merge(mine, evidence)
    if existing is not None:
        return existing
    clash = _clash(mine, interactions)
    if clash is not None:
        return clash
    if facts.head is None:
        heads = named([head for fork in mine for head in fork.heads])
        message = f"{heads} are published, so a database may be at any of them. Only a merge is right for all of them."
        return _merge(facts, mine, (Reason(ReasonCode.PUBLISHED_FORK, message),), interactions)
    return _join(facts, mine, evidence, policy, interactions)


_DOUBTFUL = (
    Reason(
        ReasonCode.POLICY_DOUBTFUL,
        "The policy on the target can't be understood completely, and what it meant may forbid a re-parent, so a "
        "merge is the safe choice.",
    ),
)
_FRESH = Reason(
    ReasonCode.FRESH_IDS,
    "The policy asks for new ids for moved revisions: a database that has run one under its old id stops with "
    '"Can\'t locate revision" instead of silently skipping the other side.',
)


_TAKE_THE_MERGE = (
    "Take the merge, which is right for that database too: `/onehead merge`, or `onehead fix --strategy merge`.",
    (
        "If that database no longer exists, remove its report: "
        "`onehead report-rows --forget --database NAME --repository OWNER/NAME`."
    ),
)


_REWRITE = (
    "Change the newer of the two revisions so that it starts from what the other one leaves, and push: the chain is "
    "then repaired as usual."
)


def _clash(forks: tuple[Fork, ...], interactions: tuple[Interaction, ...]) -> Refuse | None:
    """A refusal where an upgrade that runs both sides fails in whichever order."""
    hit = [
        interaction for fork in forks for interaction in between(interactions, fork) if interaction.kind == "conflict"
    ]
    told = [each for interaction in hit for each in interaction.told if each.kind == "conflict"]
    if not told:
        return None
    return Refuse(tuple(Reason(ReasonCode.SEMANTIC_CONFLICT, each.message) for each in told[:MAX_NAMED]), (_REWRITE,))


def _order(forks: tuple[Fork, ...], interactions: tuple[Interaction, ...]) -> tuple[Reason, ...]:
    """Which sides have to run first, and for whom that comes too late."""
    reasons = []
    for fork in forks:
        for interaction in between(interactions, fork):
            if interaction.kind == "order" and interaction.first is not None:
                [other] = set(interaction.heads) - {interaction.first}
                message = f"The side of `{interaction.first}` has to run before that of `{other}`."
                if interaction.first in fork.new:
                    message += (
                        f" A database that has run `{other}` already stops there: for these, change the branch so that "
                        "it starts from what the other side leaves."
                    )
                reasons.append(Reason(ReasonCode.ORDER_MATTERS, message))
    return bounded(reasons)


def repairable(facts: Facts) -> tuple[Revision, ...]:
    """The revisions that a repair may have to move: the head's own. Evidence is collected for these."""
    if facts.head is None:
        return ()
    known = {(revision.id, revision.blob) for revision in facts.target}
    return tuple(r for r in facts.merged if r.id not in facts.target or (
        r.id in facts.merged.duplicates and (r.id, r.blob) not in known
    ))  # fmt: skip


def _refuse_unrepairable(own: Iterable[Finding]) -> Plan | None:
    options = {
        Code.CYCLE: (ReasonCode.CYCLE, BREAK_THE_CIRCLE),
        Code.MISSING_PARENT: (
            ReasonCode.MISSING_PARENT,
            "Restore the missing file under the same id, or point the revision at a parent that exists.",
        ),
        Code.DYNAMIC_ID: (ReasonCode.UNREADABLE, "Write `revision` and `down_revision` as plain strings."),
        Code.UNREADABLE_FILE: (ReasonCode.UNREADABLE, "Correct the file so that it can be read as Python."),
        Code.UNREADABLE_FOLDER: (ReasonCode.UNREADABLE, "Put the revisions themselves into the version directory."),
        Code.NOT_A_REVISION: (ReasonCode.UNREADABLE, "Move the file out of the version directory."),
        Code.DUPLICATE_LABEL: (ReasonCode.NOT_MOVABLE, "Remove the branch label from one of the two revisions."),
    }
    hit = [finding for finding in own if finding.code in options]
    if not hit:
        return None
    return Refuse(
        bounded(Reason(options[finding.code][0], finding.message) for finding in hit),
        tuple(dict.fromkeys(options[finding.code][1] for finding in hit)),
    )


def _nothing(facts: Facts, forks: tuple[Fork, ...]) -> Nothing:
    graph = facts.merged
    reasons = []
    if len(graph.heads) == 1:
        reasons.append(Reason(ReasonCode.ONE_HEAD, f"There is one head, {named(graph.heads)}."))
    elif not forks and len(graph.heads) > 1:
        heads = named(graph.heads)
        message = f"The heads {heads} differ by label, or may be separate chains, so they are taken as intended."
        if forks_of(facts._replace(allowed_heads=1)):
            message = f"The heads {heads} are no more than the {facts.allowed_heads} that the policy allows."
        reasons.append(Reason(ReasonCode.INTENDED, message))
    inherited = [
        f"The target is forked already ({named(each.heads)}); its own repair joins these heads." for each in forks
    ]
    reasons += bounded(Reason(ReasonCode.INHERITED, message) for message in inherited)
    # Ways have met again where a single head stands above the point at which they parted.
    points = [] if forks else graph.branch_points()
    joined = [id_ for id_ in points if len(graph.heads) == 1 or graph.heads_above[id_].bit_count() == 1]
    if joined:
        where = f"after {named(joined)}" if len(joined) <= MAX_NAMED else f"in {len(joined)} places"
        message = f"The chain parts {where} and is rejoined by merge revisions: `alembic upgrade head` walks all sides."
        reasons.append(Reason(ReasonCode.REJOINED, message))
    return Nothing(tuple(reasons))


def _existing_merge(forks: tuple[Fork, ...], evidence: Evidence) -> Nothing | None:
    found = [evidence.merges.get(fork.heads) for fork in forks]
    places = [place for place in found if place is not None]
    if len(places) < len(forks):
        return None
    message = (
        f"A merge of exactly these heads exists already on {listed(sorted(set(places)))}; a second one would fork."
    )
    return Nothing((Reason(ReasonCode.MERGE_EXISTS, message),))


def _join(
    facts: Facts, forks: tuple[Fork, ...], evidence: Evidence, policy: Policy, interactions: tuple[Interaction, ...]
) -> Plan:
    """Re-parent where that is safe and possible for every fork, merge otherwise."""
    try:
        linear = made_linear(facts, facts.merged, *forks)
    except NotMovable as obstacle:
        if policy.strategy == "reparent":
            return Refuse((obstacle.reason,), ("Run `onehead fix --strategy merge`: a merge is always possible.",))
        return _merge(facts, forks, (obstacle.reason,), interactions)
    if policy.strategy == "merge":
        return _merge(facts, forks, (Reason(ReasonCode.STRATEGY, "A merge was asked for."),), interactions)
    order = _order(forks, interactions)
    if any(interaction.first in fork.new for fork in forks for interaction in between(interactions, fork)):
        if policy.strategy == "reparent":
            return Refuse(order, ("Run `onehead fix --strategy merge`: a merge can run the branch's side first.",))
        return _merge(facts, forks, (), interactions)
    moved = tuple(sorted(facts.merged.descendants(*(move.revision for move in linear.moves))))
    run = run_by_databases(facts, moved, evidence)
    if run and policy.strategy == "reparent":
        return Refuse(run, _TAKE_THE_MERGE)
    escape = (*run, *escapes(facts, moved, evidence), *(_DOUBTFUL if policy.doubtful else ()))
    if escape and policy.strategy != "reparent":
        return _merge(facts, forks, escape, interactions)
    return _moving(facts, linear, moved, policy, (escape, order), evidence.taken)


IN_A_TERMINAL = ": use `--strategy merge`"
"""The way to the merge that a reason names; a comment has one of its own, and leaves this out."""


def _moving(
    facts: Facts,
    linear: MadeLinear,
    moved: tuple[str, ...],
    policy: Policy,
    told: tuple[tuple[Reason, ...], tuple[Reason, ...]],
    taken: frozenset[str],
) -> Plan:
    """The re-parent, under new ids where the policy wants them; `told`: what speaks against it, and about the order."""
    (escape, order), moves = told, linear.moves
    renumbered = (
        () if policy.fresh_ids or _KEEP_IDS & {reason.code for reason in escape} else _renumbered(facts, moved, taken)
    )
    new_ids = {each.old_id: each.new_id for each in renumbered if each.new_id != each.old_id}
    below = {parent for move in moves for parent in move.new_parents}
    onto = named(sorted({id_ for id_ in below if id_ in facts.target} or below))
    why = (
        (Reason(ReasonCode.STRATEGY, "A re-parent was asked for explicitly."), *escape)
        if policy.strategy == "reparent"
        else ()
    )
    them = "it" if len(moved) == 1 else "them"
    # A row under an id that nothing bears any more stops the upgrade, so such a database skips nothing.
    kept = [id_ for id_ in moved if id_ not in new_ids]
    run = "" if len(kept) == len(moved) else f" run {named(kept)}"
    loses = kept and not policy.fresh_ids
    skips = f" If one has{run}, it would silently skip {_passed(facts, moves)}{IN_A_TERMINAL}." if loses else ""
    free = Reason(
        ReasonCode.NOT_ESCAPED,
        f"{named(moved)} exist{'s' if len(moved) == 1 else ''} on no other branch or tag, so no shared database should "
        f"have run {them}.{skips} The chain stays linear on {onto}.",
    )
    numbers = (_new_numbers(renumbered),) if renumbered else ()
    reasons = (*why, *(() if escape else (free,)), *numbers, *order)
    if policy.fresh_ids:
        files = tuple((id_, facts.merged.revisions[id_].path) for id_ in moved)
        return Reissue(files, moves, moved, (*reasons, _FRESH))
    heads = tuple(sorted(new_ids.get(head, head) for head in linear.after.heads))
    return Reparent(moves, moved, heads, reasons, renumbered=renumbered)


_KEEP_IDS = {ReasonCode.ESCAPED, ReasonCode.EVIDENCE_INCOMPLETE, ReasonCode.UNKNOWN_ROW}
"""Where a database may have run what moves, numbers stay: under a new id it would not be found any more."""


def _renumbered(facts: Facts, moved: Iterable[str], taken: frozenset[str]) -> tuple[Renumbered, ...]:
    """The chain under the next free numbers, where the target has taken one of its own."""
    from onehead.revisions.file_names import renumber  # noqa: PLC0415 - only where something moves

    chain = [facts.merged.revisions[id_] for id_ in facts.merged.parents_first(moved)]
    known = [id_ for graph in (facts.merged, facts.target, facts.head or ()) for id_ in (each.id for each in graph)]
    return renumber(chain, list(facts.target), known, taken, facts.environment.file_template)


def _new_numbers(renumbered: tuple[Renumbered, ...]) -> Reason:
    """What gets another number, and what that means to a database."""
    ids = {each.old_id: each.new_id for each in renumbered if each.new_id != each.old_id}
    if ids:
        message = (
            f"A number of the branch is taken on the target, so {becomes(ids, MAX_NAMED)}. A database that has run "
            'an old id stops with "Can\'t locate revision".'
        )
        return Reason(ReasonCode.RENUMBERED, message)
    files = {each.old_path: each.new_path.rpartition("/")[2] for each in renumbered}
    message = f"A number of the branch is taken on the target, so {becomes(files, MAX_NAMED)}. The ids stay."
    return Reason(ReasonCode.RENUMBERED, message)


def _passed(facts: Facts, moves: Iterable[Move]) -> str:
    """What a database never runs that has run the moved side by itself."""
    graph = facts.merged
    pairs = {(move.new_parents, move.old_parents) for move in moves}
    found = {id_ for new, old in sorted(pairs)[:MAX_LISTED] for id_ in graph.ancestors(*new) - graph.ancestors(*old)}
    return named(sorted(found)) if len(found) <= MAX_NAMED else f"{len(found)} revisions of the other side"


def escapes(facts: Facts, moved: Iterable[str], evidence: Evidence) -> tuple[Reason, ...]:
    """Why the moved revisions may stand in a database; empty when nothing suggests it."""
    reasons = []
    for held in evidence.unplaced[:MAX_NAMED]:
        message = (
            f"What has run on `{held.database}` is unknown: it has held `{held.row}` since {held.day}, which no file "
            "here and no other branch declares. Unknown counts as escaped, so a merge is the safe choice."
        )
        reasons.append(Reason(ReasonCode.UNKNOWN_ROW, message))
    if evidence.incomplete:
        message = f"{evidence.incomplete} Unknown counts as escaped, so a merge is the safe choice."
        return (*reasons, Reason(ReasonCode.EVIDENCE_INCOMPLETE, message))
    for id_ in moved:
        places = [place for r in facts.merged.definitions(id_) for place in evidence.escaped.get(r.path, ())]
        if places:
            shown = listed(places, MAX_NAMED)
            message = (
                f"{named([id_])} is also on {shown}, so a database may have run it. After a re-parent, that database "
                "would silently skip the other side."
            )
            reasons.append(Reason(ReasonCode.ESCAPED, message))
    return bounded(reasons)


def run_by_databases(facts: Facts, moved: Iterable[str], evidence: Evidence) -> tuple[Reason, ...]:
    """Which of the moved revisions a database has run for certain: it would lose by the move."""
    reasons = []
    for id_ in moved:
        found = list(dict.fromkeys(h for r in facts.merged.definitions(id_) for h in evidence.reported.get(r.path, ())))
        if found:
            shown = listed([*map(str, found)], MAX_NAMED, "; ", "; ")
            message = (
                f"{named([id_])} has been run: {shown}. After a re-parent, that database would silently skip the other "
                "side."
            )
            reasons.append(Reason(ReasonCode.REPORTED, message))
    return bounded(reasons)


def _merge(
    facts: Facts, forks: tuple[Fork, ...], reasons: tuple[Reason, ...], interactions: tuple[Interaction, ...]
) -> Merge:
    merges: list[tuple[str, ...]] = []
    needed = []
    for fork in forks:
        old = [head for head in fork.heads if facts.head is None or head in facts.target]
        new = [head for head in fork.heads if head not in old]
        if new and len(old) > 1:
            # Of a target that is forked itself, one head is enough to stand on: joining the rest is its own repair.
            old = [nearest_old(facts.merged, fork)]
        parents = parents_in_order((*new, *old), between(interactions, fork))
        steps = merge_steps(facts.merged, parents)
        merges += steps
        if len(steps) > 1:
            needed.append(
                f"One of {named(parents)} is needed by another side (`depends_on`), and Alembic stops with a "
                f"`KeyError` at one merge of {len(parents)} such heads; so they are joined two by two."
            )
    joined = {head for parents in merges for head in parents}
    return Merge(
        tuple(merges),
        tuple(head for head in facts.merged.heads if head not in joined),
        (
            *reasons,
            *_reruns(facts, forks),
            *_order(forks, interactions),
            *bounded(Reason(ReasonCode.TWO_BY_TWO, each) for each in needed),
        ),
    )


def _reruns(facts: Facts, forks: tuple[Fork, ...]) -> tuple[Reason, ...]:
    """Whom the merge of a fork harms that a changed parent of a published revision made."""
    heads = [head for fork in forks for head in fork.heads if facts.head is not None and head in facts.target]
    found = {head: again for head in heads if (again := run_again(facts, head))}
    return bounded(
        Reason(
            ReasonCode.RUNS_AGAIN,
            f"A database at `{head}` has run {named(again)} already, and the merge makes it run that again. Rather "
            "give back their old parents to the published revisions.",
        )
        for head, again in found.items()
    )
