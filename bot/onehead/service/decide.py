"""Decide what a repository is to look like. Pure.

A status depends on no comment of ours: whoever keeps onehead from writing on a page keeps no green status by that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from shlex import quote

from onehead.examine import naming
from onehead.forge.models import PullRequest, StatusState
from onehead.gitrepo.refs import HEADS
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.rivals import Brought
from onehead.reports import replies
from onehead.reports.comment import one_line, warned
from onehead.reports.replies import Ending, harms_databases, heads_up, rivals_line, waits, warning_comment
from onehead.reports.terminal import short_ref
from onehead.service.desired import (
    Desired,
    KnownBranch,
    KnownPull,
    KnownState,
    KnownTarget,
    Notice,
    Offer,
    Problem,
    ProblemGone,
    Statuses,
    Verdict,
    WantedRepair,
)
from onehead.service.judge import Judged
from onehead.service.snapshot import (
    HEADS_UP,
    PROBLEM,
    WARNED,
    Choices,
    IgnoredFindings,
    Page,
    Snapshot,
    Target,
    problem_keys,
)
from onehead.service.troubles import page
from onehead.text import code

READY = "Next: mark it as ready; the repair is offered then."
APPLY = "Next: comment /onehead apply, or take the patch from the comment."


def desired(known: KnownState) -> Desired:
    """Decide everything."""
    wanted = Desired(_statuses(known))
    for target in known.targets:
        if target.judged is not None:
            _target(wanted, known, target, target.judged)
    for pull in known.pulls:
        if not pull.why and not known.snapshot.is_ours(pull.pull) and pull.pull.number in known.pages:
            _pull(wanted, known, pull)
            if of_jobs := known.pages[pull.pull.number].of_jobs:
                wanted.replaced[pull.pull.number] = of_jobs
    for branch in known.branches:
        if branch.judged is not None:
            _branch(wanted, known, branch, branch.judged)
    for name in known.gone:
        wanted.unneeded.setdefault(name, "its branch was deleted")
    for each in known.closed:
        _closed(wanted, known, each)
    wanted.removed = tuple(_removed(wanted, known))
    return wanted


def _statuses(known: KnownState) -> Statuses:
    statuses = Statuses()
    for target in known.targets:
        step = _repair_of(known, target.target.name)
        statuses.learn(target.target.point.ref, _judged(target.target.point.sha, target.judged, target.why, step))
    for pull in known.pulls:
        verdict = _unknown(pull.head.sha, pull.why) if pull.why else _verdict(known, pull)
        if not pull.why:
            verdict = replace(verdict, about=f"#{pull.pull.number} into {pull.pull.base.ref}")
        statuses.learn(page(pull.pull.number), verdict)
    for branch in known.branches:
        verdict = _judged(branch.head.sha, branch.judged, branch.why, _repair_of(known, branch.name))
        if branch.judged is not None:
            verdict = replace(verdict, about=f"{branch.name} into {known.snapshot.main.name}")
        statuses.learn(branch.head.ref, verdict)
    for number, found in known.pages.items():
        statuses.link(page(number), found.url)
    return statuses


def _judged(sha: str, judged: Judged | None, why: str, step: str = "") -> Verdict:
    if judged is None:
        return _unknown(sha, why)
    text = one_line(judged.examination)
    return (
        Verdict(sha, StatusState.SUCCESS, text) if judged.is_ok else Verdict(sha, StatusState.FAILURE, text, next=step)
    )


def _unknown(sha: str, why: str) -> Verdict:
    """What could not be judged must not be merged."""
    return Verdict(sha, StatusState.FAILURE, f"Cannot judge: {why}. Next: nothing; it is tried again.")


def _verdict(known: KnownState, each: KnownPull) -> Verdict:
    """An open pull request, as it would be once merged."""
    pull, judged, sha = each.pull, each.judged, each.head.sha
    if known.snapshot.is_ours(pull):
        return repair_verdict(pull, sha, judged, known.faults.get(pull.number, ""))
    if judged is None:
        where = f"judged once it goes into {' or '.join(known.snapshot.targets)}"
        return Verdict(sha, StatusState.SUCCESS, f"Goes into {pull.base.ref}, which is not deployed; {where}.")
    if judged.is_ok and each.rivals:
        state = StatusState.FAILURE if waits(pull.number, each.rivals) else StatusState.SUCCESS
        return Verdict(sha, state, f"{rivals_line(pull.number, each.rivals)}{warned(judged.examination)}")
    ignored = _lives_with(known.choices(pull), judged)
    if ignored is not None:
        return Verdict(sha, StatusState.SUCCESS, f"Ignored by {ignored.by}. {one_line(judged.examination)}")
    return _judged(sha, judged, "", _known_step(known, pull))


def repair_verdict(pull: PullRequest, sha: str, judged: Judged | None, fault: str) -> Verdict:
    """A repair of ours. As long as nobody else touches its branch, it is made anew whenever it has to be.

    `judged`: the target as it will be once the repair is merged; `None` for a repair of any other branch.
    """
    if fault:
        return Verdict(sha, StatusState.FAILURE, f"As it is, this does not repair {pull.base.ref}: {fault}")
    if judged is not None:
        return _judged(sha, judged, "")
    return Verdict(sha, StatusState.SUCCESS, f"A repair of {pull.base.ref}, which is judged itself.")


def _known_step(known: KnownState, pull: PullRequest) -> str:
    """What is to be done about a problem, as far as that is known from what is there: mostly it stays so."""
    if pull.draft:
        return READY
    if pull.is_local:
        return _repair_of(known, pull.head.ref)
    return APPLY if any(naming.laid_ready_for(ref) == pull.number for ref in known.snapshot.laid_ready) else ""


def _repair_of(known: KnownState, branch: str) -> str:
    repair = known.standing_repair(branch)
    return merge_step(repair.number) if repair is not None else ""


def merge_step(number: int) -> str:
    """The next step where a repair is open."""
    return f"Next: merge #{number}."


def next_step(wanted: WantedRepair, made: Offer, *, has_pulls: bool) -> str:
    """The next step once a repair was offered, for a commit status."""
    if made.branch and not has_pulls:
        return f"Pull requests are switched off; merge {made.branch}, which repairs it."
    if made.pull is not None and not made.trouble:
        return merge_step(made.pull.number)
    if made.branch:
        return APPLY
    if made.pull is not None or wanted.told:
        return "Next: see the comment."
    return in_a_clone(wanted.target, wanted.judged)


def in_a_clone(target: Target, judged: Judged) -> str:
    """The next step where no page tells it."""
    head = judged.examination.head
    return f"Next: onehead fix --target {quote(target.name)}{f' --head {quote(short_ref(head.ref))}' if head else ''}"


def _lives_with(choices: Choices, judged: Judged) -> IgnoredFindings | None:
    """Who has chosen to live with all the problems that there are; `None` where nobody has."""
    ignored = choices.ignored
    if not judged.is_ok and ignored is not None and problem_keys(judged.examination) <= ignored.problems:
        return ignored
    return None


def _target(wanted: Desired, known: KnownState, each: KnownTarget, judged: Judged) -> None:
    """A deployed branch; its fork is told to the pull requests that brought its sides.

    The repair's own page says all of it in its description.
    """
    target = each.target
    if judged.is_ok:
        wanted.unneeded.setdefault(target.name, "the branch is at one head again")
        for number in each.settles:
            _settle(wanted, known, number, judged, each.repair)
        return
    pages = {number: known.pages[number] for number in each.tells if number in known.pages}
    repair = WantedRepair(
        target.point.ref,
        target,
        judged,
        earlier=frozenset(found.earlier_repair for found in pages.values() if found.earlier_repair is not None),
        tell=each.behind,
        told=bool(each.tells),
    )
    offer = _want(wanted, known, repair, each.elsewhere)
    for number in pages:
        wanted.comments[number] = Problem(target, judged, (), repair.subject, repair.key, offer)


def _pull(wanted: Desired, known: KnownState, each: KnownPull) -> None:
    """What an open pull request is told, and its repair."""
    pull, number, judged, target = each.pull, each.pull.number, each.judged, each.target
    if target is None or judged is None:
        _withdraw(wanted, pull, f"the pull request goes into {pull.base.ref} now")
        _end(wanted, known, number, replies.retargeted(pull.base.ref))
        return
    ignored = _lives_with(known.choices(pull), judged)
    if judged.is_ok:
        _healthy(wanted, known, each, judged)
    elif ignored is not None:
        _withdraw(wanted, pull, f"{ignored.by} has chosen to live with it")
        _end(wanted, known, number, replies.ignored(ignored.by, ignored.reason))
    elif pull.draft:
        _withdraw(wanted, pull, "the pull request is a draft; it is offered again once that is ready")
        _end(wanted, known, number, replies.draft())
    else:
        _collides(wanted, known, each, target, judged)


def _healthy(wanted: Desired, known: KnownState, each: KnownPull, judged: Judged) -> None:
    pull, number, rivals = each.pull, each.pull.number, each.rivals
    _withdraw(wanted, pull, "the branch does not need it any more")
    blocked = bool(waits(number, rivals))
    red = _red_beside(wanted, known, number, judged)
    beside = f"\n{replies.red_because_of(red)}\n" if red else ""
    if harms_databases(judged.examination):
        if pull.draft:  # there the status alone says so
            _end(wanted, known, number, replies.draft())
            return
        text = warning_comment(number, rivals, judged.examination, judged.edits, commands=known.commands)
        wanted.comments[number] = Notice(text + beside, PROBLEM if blocked else WARNED)
    elif blocked or (rivals and each.target is not None and each.target.policy.heads_up):
        text = heads_up(number, rivals, judged.examination)
        wanted.comments[number] = Notice(text + beside, PROBLEM if blocked else HEADS_UP)
    else:
        _settle(wanted, known, number, judged, known.pages[number].earlier_repair)


def _collides(wanted: Desired, known: KnownState, each: KnownPull, target: Target, judged: Judged) -> None:
    pull, number = each.pull, each.pull.number
    earlier = known.pages[number].earlier_repair
    repair = WantedRepair(
        page(number),
        target,
        judged,
        pull,
        known.choices(pull),
        earlier=frozenset() if earlier is None else frozenset({earlier}),
        told=True,
    )
    before = wanted.repairs.get(repair.key)
    if before is not None:
        # One branch is repaired for one target at a time: two repairs would undo each other.
        which = f"{before.subject}, which proposes the same branch"
        if before.pull is None:
            which = f"the repair of {code(before.base)} itself"
        offer: Offer | None = Offer(trouble=f"wait for {which}: it is repaired for that one first.")
    else:
        offer = _want(wanted, known, repair)
    wanted.comments[number] = Problem(target, judged, each.rivals, repair.subject, repair.key, offer)


def _branch(wanted: Desired, known: KnownState, each: KnownBranch, judged: Judged) -> None:
    """A branch that has no pull request; what there is to say stands in the repair's own description."""
    main = known.snapshot.main
    if judged.is_ok:
        wanted.unneeded.setdefault(each.name, "the branch does not need it any more")
        return
    wanted.statuses.note(each.head.ref, in_a_clone(main, judged))
    if main.policy.branches == "status":
        wanted.unneeded.setdefault(each.name, "this repository wants no repairs of branches without a pull request")
    elif each.refused:
        wanted.unneeded.setdefault(each.name, "the branch's pull request was closed")
    else:
        _want(wanted, known, WantedRepair(each.head.ref, main, judged, alone=True))


def _closed(wanted: Desired, known: KnownState, pull: PullRequest) -> None:
    """Close the loop of a pull request that is not open any more."""
    if pull.is_local and not known.snapshot.proposing(pull.head.ref):
        reason = "its pull request was merged" if pull.merged else "its pull request was closed"
        wanted.unneeded.setdefault(pull.head.ref, reason)
    if pull.number in known.pages and pull.number not in wanted.comments:
        told = known.pages[pull.number]
        ending = replies.merged(pull.base.ref) if pull.merged else replies.closed()
        all_the_same = replies.merged_all_the_same(pull.base.ref)
        if pull.merged and (told.state == WARNED or told.ended_as == all_the_same.title):
            ending = all_the_same
        _end(wanted, known, pull.number, ending)


def _want(wanted: Desired, known: KnownState, repair: WantedRepair, elsewhere: str = "") -> Offer | None:
    """Want a repair; what there is instead, where there can be none."""
    judged, base = repair.judged, repair.base
    if judged.repair is not None:
        wanted.repairs[repair.key] = repair
        if repair.target.policy.delivery == "comment":
            wanted.unneeded.setdefault(base, "this repository wants no repair pull requests")
        return None
    merge = _existing_merge(judged)
    if judged.unmergeable:
        wanted.unneeded.setdefault(base, "the branch conflicts with its target as text")
        offer = Offer(trouble=unmergeable(repair.target, judged))
    else:
        reason = merge.rstrip(".") or "there is nothing that could be repaired this way any more"
        wanted.unneeded.setdefault(base, reason)
        offer = Offer(trouble=_merged_elsewhere(repair, elsewhere) if merge else "")
    wanted.statuses.note(repair.subject, next_step(repair, offer, has_pulls=known.snapshot.has_pulls))
    return offer


def unmergeable(target: Target, judged: Judged) -> str:
    """What to do where git can't merge what lies beneath a repair."""
    paths = ", ".join(f"`{path}`" for path in judged.unmergeable[:5])
    return (
        f"merge `{target.name}` into this branch by hand first (git can't merge {paths} by itself), and push; it "
        "is judged again then. The change shown below is what the chain needs."
    )


def _existing_merge(judged: Judged) -> str:
    """Where somebody else has made the merge already, a sentence; empty where nobody has."""
    reasons = (reason for examined in judged.examination.environments for reason in examined.plan.reasons)
    return next((reason.message for reason in reasons if reason.code == ReasonCode.MERGE_EXISTS), "")


def _merged_elsewhere(repair: WantedRepair, elsewhere: str) -> str:
    """What to do where somebody else has made the merge already."""
    if repair.judged.examination.head is not None:
        return "another branch has a merge of these heads: take it over into this one, which is judged again then."
    place = elsewhere or "the branch that has it"
    return f"merge {place} into `{repair.target.name}`; until then, deploys can use `alembic upgrade heads`."


def merges_fork(judged: Judged, brought: Collection[Brought]) -> bool:
    """Whether what a branch brings to a forked target is the merge that it needs."""
    forks = {frozenset(fork.heads) for each in judged.examination.environments for fork in forks_of(each.facts)}
    return any(frozenset(item.revision.parents) in forks for item in brought)


def _withdraw(wanted: Desired, pull: PullRequest, reason: str) -> None:
    if pull.is_local:
        wanted.unneeded.setdefault(pull.head.ref, reason)


def _end(wanted: Desired, known: KnownState, number: int, ending: Ending) -> None:
    """A comment of ours that tells of something else now tells how it ended; where there is none, nothing is said."""
    told = known.pages[number]
    if told.verdict is not None and told.ended_as != ending.title:
        wanted.comments[number] = ending


def _settle(wanted: Desired, known: KnownState, number: int, judged: Judged, repair: int | None) -> None:
    """Say that a problem is gone, and what mended it."""
    told = known.pages.get(number)
    if told is None or told.verdict is None:
        return
    red = _red_beside(wanted, known, number, judged)
    if red or told.ended_as not in ("Resolved", "Repaired"):
        wanted.comments[number] = ProblemGone(judged, repair, _gone(told), red)


def _gone(told: Page) -> str:
    """What is not there any more, as far as it is known what the comment was about."""
    if not told.believed:
        return "Nothing is wrong here any more."
    return f"{'No published migration is changed here' if told.state == WARNED else 'There is no collision'} any more."


def _red_beside(wanted: Desired, known: KnownState, number: int, judged: Judged) -> str:
    """What keeps the status of a pull request's commit red although it is well itself, as Markdown; else empty."""
    head = judged.examination.head
    subject = wanted.statuses.red_beside(page(number), head.sha) if head else ""
    pull = next((pull for pull in known.snapshot.pulls if page(pull.number) == subject), None)
    if pull is not None:
        return f"{subject} into {code(pull.base.ref)}"
    return code(subject.removeprefix(HEADS)) if subject else ""


def _removed(wanted: Desired, known: KnownState) -> Iterator[str]:
    """Refs of ours that nobody needs any more."""
    snapshot = known.snapshot
    needed = {each.ref for each in wanted.repairs.values() if each.target.policy.delivery != "comment"}
    heads = [name for name in snapshot.heads if name.startswith(naming.BRANCHES)]
    still_open = {pull.number for pull in snapshot.pulls}
    proposed = {pull.head.ref for pull in snapshot.pulls}
    closed = {pull.head.ref for pull in known.closed if snapshot.is_ours(pull)}
    for name in heads:
        is_left = naming.repaired_by(name) in known.gone or name in closed or known.everything
        if is_left and name not in proposed and f"{HEADS}{name}" not in needed:
            yield f"{HEADS}{name}"
    over = {pull.number for pull in known.closed}
    over |= {each.pull.number for each in known.pulls if not each.why and each.pull.number in known.pages}
    for ref in snapshot.laid_ready:
        number = naming.laid_ready_for(ref)
        if ref not in needed and (number in over or (known.everything and number not in still_open)):
            yield ref


def desired_at_the_end(snapshot: Snapshot, pages: Mapping[int, Page], red: Collection[str]) -> Desired:
    """What remains of a repository that is not looked after any more: nothing offered, nothing open, nothing red.

    `pages` are those of the open pull requests, `red` commits with a status of ours that is not green.
    """
    wanted = Desired(Statuses())
    for sha in sorted(red):
        wanted.statuses.learn(sha, Verdict(sha, StatusState.SUCCESS, LEFT))
    for pull in snapshot.pulls:
        if snapshot.is_ours(pull):
            wanted.unneeded[pull.base.ref] = "onehead does not look after this repository any more"
        elif pull.number in pages:
            _end(wanted, KnownState(snapshot, pages=pages), pull.number, replies.left())
    heads = (f"{HEADS}{name}" for name in snapshot.heads if name.startswith(naming.BRANCHES))
    wanted.removed = (*heads, *snapshot.laid_ready)
    return wanted


LEFT = "Not judged: onehead does not look after this repository any more."
