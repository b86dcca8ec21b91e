"""How a repair reaches people: as a pull request, as a push where that is wanted or asked for, or as a patch.

Whatever the way, a person's work is never overwritten: branches only move forward, a repair branch that somebody else
has committed to is left alone, and a repair that somebody has closed is not offered again until it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import structlog

from onehead.examine import naming
from onehead.examine.repair import NotAsPromised, RepairDraft, WrittenRepair, confirm, write_draft
from onehead.forge.intents import Marker, ensure_pull, mark
from onehead.forge.models import PullRequest
from onehead.gitrepo.commit import patch_of
from onehead.gitrepo.remote import PushOutcome, PushStatus, RefUpdate, RemoteRefused
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Point
from onehead.reports.comment import pull_body, pull_title
from onehead.reports.terminal import short_ref
from onehead.service import verdicts
from onehead.service.agenda import is_local
from onehead.service.bench import HEADS, Bench, Case, Target
from onehead.service.closing import close, declined, reopen, withdrawn
from onehead.service.engine import BranchMoved, PullChanged
from onehead.service.offered import Offer, source_of
from onehead.service.page import Choices
from onehead.service.say import remark
from onehead.service.troubles import page
from onehead.text import code, inline, inline_code

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Occasion:
    """For whom a repair is made.

    Attributes:
        pull: the pull request that it repairs; `None` for the target and for a branch without one.
        choices: what people chose on its page.
        earlier: numbers of repair pull requests that were offered for it before.
        tell: pull requests that are told about a fork of the target, and will be told when it is gone; remembered in
            the hidden marker of the repair, so that nothing else needs storage.
        alone: whether it is a branch without a pull request: nothing is pushed onto it unasked.
    """

    pull: PullRequest | None = None
    choices: Choices = field(default_factory=Choices)
    earlier: Collection[int] = ()
    tell: Sequence[int] = ()
    alone: bool = False


def offer(bench: Bench, case: Case, occasion: Occasion) -> Offer:
    """Offer the repair in the way that the repository wants; other repairs of ours for the same branch go.

    Where there is none to offer, earlier ones are marked as unneeded: another pull request of the branch may need them.
    """
    made = _offer(bench, case, occasion)
    if occasion.pull is not None:
        remove_laid_ready(bench, occasion.pull, but=made.branch)
    return made


def _offer(bench: Bench, case: Case, occasion: Occasion) -> Offer:
    base = _base(case)
    before = bench.repairs_into(base) if _is_here(occasion) else []
    if case.judged.unmergeable:
        bench.unneeded.setdefault(base, "the branch conflicts with its target as text")
        return Offer(trouble=_unmergeable(case))
    if case.judged.repair is None:
        bench.unneeded.setdefault(base, _why_nothing(case))
        return Offer(trouble=_merged_elsewhere(bench, case))
    try:
        written = _written(bench, case.target, case.judged.repair)
    except NotAsPromised as obstacle:
        log.error("A repair was not as planned.", repository=str(bench.repository.name), branch=base)
        bench.unneeded.setdefault(base, "another repair would be needed now, and onehead failed to write it")
        return Offer(trouble=_not_written(obstacle))
    if case.target.policy.delivery == "comment":
        bench.unneeded.setdefault(base, "this repository wants no repair pull requests")
        patch = "" if _is_here(occasion) else patch_of(bench.git, written.sha)
        way = "make the change shown below, or let `/onehead apply` push it onto the branch."
        return Offer(patch=patch, merged_first=written.merged_first, trouble=way)
    if not _is_here(occasion):
        return _to_fork(bench, case, occasion, written)
    if case.target.policy.delivery == "push" and not occasion.alone:
        refusal = push_onto(bench, case, occasion.pull, written)
        if not refusal:
            close(bench, before, f"the repair was pushed onto `{base}` itself")
            return Offer(pushed=written.sha, merged_first=written.merged_first)
        log.info("A direct push was refused; a pull request is opened instead.", branch=base, reason=refusal)
    return _as_pull(bench, case, occasion, written, before)


def apply_repair(bench: Bench, case: Case, pull: PullRequest) -> Offer:
    """Push the repair onto the branch of a pull request, because somebody who may push there has asked for it."""
    if case.judged.unmergeable:
        return Offer(trouble=_unmergeable(case))
    if case.judged.repair is None:
        return Offer(trouble="there is no repair that could be applied.")
    try:
        written = _written(bench, case.target, case.judged.repair)
    except NotAsPromised as obstacle:
        return Offer(trouble=_not_written(obstacle))
    refusal = push_onto(bench, case, pull, written)
    return Offer(trouble=refusal) if refusal else Offer(pushed=written.sha, merged_first=written.merged_first)


def push_onto(bench: Bench, case: Case, pull: PullRequest | None, written: WrittenRepair) -> str:
    """Push the repair onto the judged branch itself, forward only; says why not, where it could not be."""
    subject = case.examination.head or case.examination.target
    branch = short_ref(subject.ref)
    elsewhere = None
    if pull is not None and (refusal := cannot_push(pull)):
        return refusal
    if pull is not None and pull.head.repository is not None and not is_local(pull):
        elsewhere = bench.desk.url_of(pull.head.repository.name)
    try:
        [outcome] = bench.mirror.push([RefUpdate(f"{HEADS}{branch}", written.sha, subject.sha)], elsewhere)
    except RemoteRefused as refused:
        if elsewhere is None:
            raise
        outcome = PushOutcome(f"{HEADS}{branch}", PushStatus.FORBIDDEN, refused.message)
    if "unverified commit" in outcome.text:
        return f"{code(branch)} takes signed commits only, and onehead has no key to sign with."
    if outcome.status not in (PushStatus.OK, PushStatus.UP_TO_DATE):
        if pull is not None and elsewhere is not None and not pull.allow_maintainer_edit:
            return (
                "the branch is in a fork, and its author has not allowed edits. Tick *Allow edits from maintainers* on "
                "the page of this pull request, then write `/onehead apply` once more."
            )
        return f"the forge did not take the push onto {code(branch)} ({inline(outcome.text, 200).rstrip('.')})."
    log.info("Pushed a repair onto its branch.", repository=str(bench.repository.name), branch=branch)
    again = BranchMoved(subject.ref) if pull is None else PullChanged(pull.number)
    bench.pushed[again] = written.sha
    if elsewhere is None:
        bench.heads[branch] = written.sha
    return ""


def cannot_push(pull: PullRequest) -> str:
    """Why nobody but its author can add commits to a pull request, or nobody at all; empty where pushing may work."""
    match source_of(pull):
        case "agit":
            return (
                "this pull request has no branch that could be pushed onto: it was made by a push to "
                f"`refs/for/{pull.base.ref}/…`, and only its author can push there again. The comment has the commands."
            )
        case "gone":
            return "the branch or the fork behind this pull request is gone."
        case "branch":
            return ""


def remove_laid_ready(bench: Bench, pull: PullRequest, but: str = "") -> None:
    """Delete the repairs that were laid ready for a pull request from a fork, but for one that still holds."""
    for ref, tip in list(bench.laid_ready.items()):
        if naming.laid_ready_for(ref) == pull.number and ref != but:
            drop_laid_ready(bench, ref, tip)


def drop_laid_ready(bench: Bench, ref: str, tip: str) -> None:
    """Delete one repair that was laid ready; where the forge does not take that, the next sweep tries again."""
    bench.mirror.push([RefUpdate(ref, None, tip)])
    del bench.laid_ready[ref]


def _is_here(occasion: Occasion) -> bool:
    return occasion.pull is None or is_local(occasion.pull)


def _base(case: Case) -> str:
    return short_ref((case.examination.head or case.examination.target).ref)


def _why_nothing(case: Case) -> str:
    existing = _existing_merge(case)
    return existing.rstrip(".") if existing else "there is nothing that could be repaired this way any more"


def _existing_merge(case: Case) -> str:
    """Where somebody else has made the merge already, a sentence; empty where nobody has."""
    reasons = (reason for examined in case.examination.environments for reason in examined.plan.reasons)
    return next((reason.message for reason in reasons if reason.code == ReasonCode.MERGE_EXISTS), "")


def _merged_elsewhere(bench: Bench, case: Case) -> str:
    """What to do where somebody else has made the merge already; empty where nobody has."""
    if not _existing_merge(case):
        return ""
    if case.examination.head is not None:
        return "take that merge over into this branch; it is judged again then."
    forks = {frozenset(fork.heads) for each in case.examination.environments for fork in forks_of(each.facts)}
    theirs = (pull for pull in bench.pulls if pull.base.ref == case.target.name and not bench.is_ours(pull))
    proposed = (
        (pull, item) for pull in theirs if (head := bench.head_of(pull)) for item in bench.brought(case.target, head)
    )
    found = (f"#{pull.number}" for pull, item in proposed if frozenset(item.revision.parents) in forks)
    place = next(found, "the branch that has it")
    return f"merge {place} into `{case.target.name}`; until then, deploys can use `alembic upgrade heads`."


def _written(bench: Bench, target: Target, draft: RepairDraft) -> WrittenRepair:
    """Write a repair, and judge it before anybody is told of it.

    Raises:
        NotAsPromised: it does not hold the chain that was planned.
    """
    written = write_draft(bench.git, draft, bench.desk.me.login)
    confirm(draft, bench.judge(target, Point(draft.start.ref, written.sha)).examination)
    return written


def _not_written(obstacle: NotAsPromised) -> str:
    return f"{obstacle.message[0].lower()}{obstacle.message[1:]} {obstacle.hint}"


def _unmergeable(case: Case) -> str:
    paths = ", ".join(f"`{path}`" for path in case.judged.unmergeable[:5])
    return (
        f"merge `{case.target.name}` into this branch by hand first (git can't merge {paths} by itself), and push; it "
        "is judged again then. The change shown below is what the chain needs."
    )


def _as_pull(
    bench: Bench, case: Case, occasion: Occasion, written: WrittenRepair, before: Collection[PullRequest]
) -> Offer:
    base = _base(case)
    name = f"{naming.BRANCHES}{written.kind}/{base}"
    if occasion.pull is not None:
        bench.mended[base] = occasion.pull.number
    open_already = [pull for pull in before if pull.head.ref == name]
    refused = None if before else _declined(bench, occasion, base, name)
    if refused is not None:
        bench.kept.add(name)
        return Offer(
            trouble=f"you decide: the repair, #{refused}, was closed, so onehead does not open another one. Reopen "
            "it, or ask for a new one with `/onehead merge` or `/onehead reparent`."
        )
    if not open_already:
        open_already = _opened_again(bench, base, name)
    refusal = _push(bench, name, written.sha, applicable=occasion.pull is not None)
    if refusal:
        bench.outdated.add(name)
        standing = next(iter(open_already), None)
        return Offer(trouble=refusal) if standing is None else _left_as_it_is(bench, case, occasion, standing, refusal)
    if not bench.has_pulls:
        return Offer(branch=name, merged_first=written.merged_first)
    close(bench, [pull for pull in before if pull not in open_already], "another repair fits better now")
    made = Offer(merged_first=written.merged_first, commit=written.sha)
    pull, _ = ensure_pull(
        bench.desk.api,
        bench.repository.name,
        head=name,
        base=base,
        title=pull_title(case.examination),
        body=_body(bench, case, occasion, made),
        known=next(iter(open_already), None),
        label=naming.LABEL,
    )
    return replace(made, pull=pull)


def _declined(bench: Bench, occasion: Occasion, base: str, name: str) -> int | None:
    since = occasion.pull.created_at if occasion.pull else None
    return declined(bench, base, name, earlier=occasion.earlier, since=since, asked=occasion.choices.strategy_at)


def _opened_again(bench: Bench, base: str, name: str) -> list[PullRequest]:
    """The repair of this kind that was closed before, open again; none where somebody works on its branch."""
    closed = withdrawn(bench, base, name) if name not in bench.heads or bench.holds_our_work(name) else None
    opened = reopen(bench, closed, name) if closed is not None else None
    return [] if opened is None else [opened]


def _body(bench: Bench, case: Case, occasion: Occasion, made: Offer) -> str:
    """What a repair's own page says, and what it remembers for us."""
    facts: dict[str, object] = {"told": list(occasion.tell)}
    asked_on = f"#{occasion.pull.number}" if occasion.pull else ""
    return mark(
        Marker("repair", facts=facts), pull_body(replace(remark(bench, case, made), alone=occasion.alone), asked_on)
    )


def _left_as_it_is(bench: Bench, case: Case, occasion: Occasion, standing: PullRequest, refusal: str) -> Offer:
    """An open repair whose branch could not be moved: it may still do what it is for, or be overtaken."""
    head = bench.head_of(standing)
    fault = verdicts.left_by_repair(bench, standing, head) if head is not None else ""
    theirs = not bench.holds_our_work(standing.head.ref)
    because = " Somebody has changed its branch, so onehead does not touch it." if theirs else ""
    if not fault:
        way = f"merge #{standing.number}, which still repairs the chain.{because}"
    else:
        again = f" and write `/onehead {occasion.choices.strategy or 'auto'}` for a new one" if occasion.pull else ""
        instead = f"Finish it there, or delete {code(standing.head.ref)}{again}." if theirs else f"Instead, {refusal}"
        way = (
            f"do not merge #{standing.number} as it is.{because} Merged, it would not repair {code(_base(case))}: "
            f"{inline_code(fault)} {instead}"
        )
    if fault:
        bench.statuses.note(page(standing.number), "Next: see the description.")
    made = Offer(standing, trouble=way)
    ensure_pull(
        bench.desk.api,
        bench.repository.name,
        head=standing.head.ref,
        base=standing.base.ref,
        title=standing.title,
        body=_body(bench, case, occasion, made),
        known=standing,
    )
    return made


def _to_fork(bench: Bench, case: Case, occasion: Occasion, written: WrittenRepair) -> Offer:
    """The branch lies in a fork: laid ready in the base repository, or pushed where policy and author want it so.

    Not pushed unasked: whether a shared database has run the branch, only its people know.
    """
    pull = occasion.pull
    if pull is None:
        raise ValueError("only a pull request can come from a fork")
    wanted = case.target.policy.delivery == "push" and pull.allow_maintainer_edit
    if wanted and not push_onto(bench, case, pull, written):
        return Offer(pushed=written.sha, merged_first=written.merged_first)
    ref = f"{naming.LAID_READY}{written.kind}/pr-{pull.number}"
    tip = bench.laid_ready.get(ref)
    refusal = ""
    if tip != written.sha:
        [outcome] = bench.mirror.push([RefUpdate(ref, written.sha, tip)])
        if outcome.status not in (PushStatus.OK, PushStatus.UP_TO_DATE):
            refusal = f"apply the patch below; the forge did not take the ref `{ref}` ({inline(outcome.text, 200)})."
    if not refusal:
        bench.laid_ready[ref] = written.sha
    return Offer(
        branch="" if refusal else ref,
        patch=patch_of(bench.git, written.sha),
        merged_first=written.merged_first,
        trouble=refusal,
        source=source_of(pull),
        commit=written.sha,
    )


def _push(bench: Bench, name: str, sha: str, *, applicable: bool = False) -> str:
    """Push a repair branch; says why not, where it could not be, or must not: a person's work is never overwritten.

    Args:
        bench: the repository.
        name: short name of the branch.
        sha: the repair.
        applicable: whether `/onehead apply` would push the same onto the judged branch.
    """
    tip = bench.heads.get(name)
    bench.kept.add(name)
    if tip == sha:
        return ""
    if tip is not None and not bench.holds_our_work(name):
        return (
            f"somebody has changed {code(name)}, so onehead does not touch it; finish it there, or delete that branch."
        )
    in_the_way = next((other for other in bench.heads if f"{name}/".startswith(f"{other}/") and other != name), None)
    if in_the_way is not None:
        return (
            f"{_meanwhile(applicable)} No repair branch can be made: git can't have {code(name)} beside the branch "
            f"{code(in_the_way)}. Rename or delete that one; {_AGAIN}"
        )
    [outcome] = bench.mirror.push([RefUpdate(f"{HEADS}{name}", sha, tip)])
    if outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE):
        bench.heads[name] = sha
        log.info("Pushed a repair.", repository=str(bench.repository.name), branch=name, commit=sha)
        return ""
    log.warning("The repair could not be pushed.", branch=name, reason=outcome.text)
    if _PROTECTED in outcome.text:
        rule = f"{code(f'{naming.BRANCHES}**')} (Settings → Branches)"
        return (
            f"{_meanwhile(applicable)} No repair branch can be made: a branch rule keeps {inline(bench.desk.me.login)} "
            f"from pushing to {code(name)}. Let it push to {rule}; {_AGAIN}"
        )
    said = inline(outcome.text, 300)
    return f"{_meanwhile(applicable)} The forge did not take the repair branch {code(name)} ({said})."


_AGAIN = "the next look opens the repair pull request, at once with `/onehead check`."

_PROTECTED = "protected branch"
"""In Forgejo's words where a rule refuses a push."""


def _meanwhile(applicable: bool) -> str:
    if applicable:
        return "comment `/onehead apply`, which pushes the repair onto this branch itself."
    return "make the change shown below by hand, or with `onehead fix` in a clone."
