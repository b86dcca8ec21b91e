"""What is done about what was judged: a pull request, a branch without one, a deployed branch; and how each ends.

The commit statuses are written before any of this, see `onehead.service.verdicts`.
"""

from __future__ import annotations

from collections.abc import Collection
from shlex import quote

from onehead.examine import naming
from onehead.forge.errors import NotFound
from onehead.forge.intents import parse
from onehead.forge.models import PullRequest
from onehead.gitrepo.refs import is_ancestor
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Examination, Point
from onehead.reports import short_comments
from onehead.reports.comment import comment
from onehead.reports.short_comments import harms_databases, heads_up, waits, warning_comment
from onehead.reports.terminal import short_ref
from onehead.service import say, verdicts
from onehead.service.agenda import is_local
from onehead.service.bench import HEADS, Bench, Case, Target
from onehead.service.closing import close, remove_branch
from onehead.service.offer import Occasion, offer, remove_laid_ready
from onehead.service.offered import Offer
from onehead.service.people import pages_told, pulls_behind
from onehead.service.troubles import NOT_REPAIRED, NOT_TOLD, cause, page
from onehead.text import code


def publish_pull(bench: Bench, pull: PullRequest, head: Point, rivals: tuple[Rival, ...]) -> None:
    """Say on an open pull request what was found, and offer its repair."""
    if bench.is_ours(pull):
        return  # what a repair's own page says is told by the story of its target
    target = bench.targets.get(pull.base.ref)
    if target is None:
        _withdraw(bench, pull, f"the pull request goes into {pull.base.ref} now")
        say.end(bench, pull.number, short_comments.retargeted(pull.base.ref))
        return
    choices = bench.page(pull.number).choices
    case = verdicts.as_chosen(bench, bench.judge(target, head), choices)
    ignored = verdicts.lives_with(choices, case.examination)
    if case.examination.verdict == "ok":
        _healthy(bench, pull, case, rivals)
    elif ignored is not None:
        _withdraw(bench, pull, f"{ignored.by} has chosen to live with it")
        say.end(bench, pull.number, short_comments.ignored(ignored.by, ignored.reason))
    elif pull.draft:
        _withdraw(bench, pull, "the pull request is a draft; it is offered again once that is ready")
        say.end(bench, pull.number, short_comments.draft())
    else:
        _collides(bench, pull, case, rivals)


def publish_branch(bench: Bench, branch: str) -> None:
    """Repair a branch that has no pull request; what there is to say stands in the repair's own description."""
    subject = f"{HEADS}{branch}"
    case = bench.judge(bench.main, Point(subject, bench.heads[branch]))
    if case.examination.verdict == "ok":
        close(bench, bench.repairs_into(branch), "the branch does not need it any more")
        return
    bench.statuses.note(subject, _in_a_clone(case))
    if case.target.policy.branches == "status":
        close(bench, bench.repairs_into(branch), "this repository wants no repairs of branches without a pull request")
        return
    if _was_refused(bench, branch):
        close(bench, bench.repairs_into(branch), "the branch's pull request was closed")
        return
    made = _offered(bench, case, Occasion(alone=True))
    if made.pull is not None:
        bench.statuses.link(subject, made.pull.html_url)


def publish_target(bench: Bench, target: Target, closed: Collection[PullRequest] = ()) -> None:
    """Repair a deployed branch itself; a fork is told to the pull requests that brought its sides.

    The repair's own page says all of it in its description.

    Args:
        bench: the repository.
        target: the branch.
        closed: pull requests that were closed lately, repairs among them.
    """
    case = bench.judge(target, None)
    if case.examination.verdict == "ok":
        repair, told = _told(bench, target.name, closed)
        elsewhere = pages_told(bench) if told else {}
        for number in told:
            if number not in elsewhere:
                with bench.troubles.apart(page(number), NOT_TOLD):
                    _settle(bench, number, case.examination, repair)
        close(bench, bench.repairs_into(target.name), "the branch is at one head again")
        for other in dict.fromkeys(elsewhere[number] for number in told if number in elsewhere):
            bench.statuses.learn(other.point.ref, verdicts.of_target(bench, other))
            say.statuses(bench)
            publish_target(bench, other)
        return
    behind = pulls_behind(bench, case.examination)
    numbers = {number for number, speaker in pages_told(bench).items() if speaker == target}
    earlier = set()
    for number in numbers:
        with bench.troubles.apart(page(number), NOT_TOLD):
            if (known := say.earlier_repair(bench, number)) is not None:
                earlier.add(known)
    made = _offered(bench, case, Occasion(earlier=earlier, tell=behind))
    text = _comment(bench, case, made)
    if made.pull is not None:
        bench.statuses.link(target.point.ref, made.pull.html_url)
    for number in sorted(numbers):
        with bench.troubles.apart(page(number), NOT_TOLD):
            url = say.verdict(bench, number, text, say.PROBLEM, repair=made.pull)
            bench.statuses.link(target.point.ref, url)
    if numbers and (made.pull is None or made.trouble):
        bench.statuses.note(target.point.ref, "Next: see the comment.")
    bench.told |= numbers


def finish_pull(bench: Bench, pull: PullRequest) -> None:
    """Close the loop of a pull request that is not open any more."""
    if bench.is_ours(pull) and pull.head.ref not in bench.kept:
        remove_branch(bench, pull.head.ref)
    remaining = [other for other in bench.pulls if other.head.ref == pull.head.ref and is_local(other)]
    if is_local(pull) and not remaining:
        reason = "its pull request was merged" if pull.merged else "its pull request was closed"
        # The branch may have gone on since, and be repaired for its own sake.
        close(
            bench, [repair for repair in bench.repairs_into(pull.head.ref) if repair.head.ref not in bench.kept], reason
        )
    remove_laid_ready(bench, pull)
    if pull.number in bench.told:
        return
    ending = short_comments.merged(pull.base.ref) if pull.merged else short_comments.closed()
    warned = short_comments.merged_all_the_same(pull.base.ref)
    is_warned = say.state(bench, pull.number) == say.WARNED or say.ended_as(bench, pull.number) == warned.title
    say.end(bench, pull.number, warned if pull.merged and is_warned else ending)


def finish_branch(bench: Bench, branch: str) -> None:
    """Remove what was offered for a branch that is gone: pull requests, and repair branches without one."""
    close(bench, bench.repairs_into(branch), "its branch was deleted")
    for kind in naming.KINDS:
        remove_branch(bench, f"{naming.BRANCHES}{kind}/{branch}")


def _healthy(bench: Bench, pull: PullRequest, case: Case, rivals: tuple[Rival, ...]) -> None:
    _withdraw(bench, pull, "the branch does not need it any more")
    if harms_databases(case.examination):
        _warn(bench, pull, case, rivals)
        return
    blocked = bool(waits(pull.number, rivals))
    if not blocked and not (rivals and case.target.policy.heads_up):
        _settle(bench, pull.number, case.examination, say.earlier_repair(bench, pull.number))
        return
    text = heads_up(pull.number, rivals, case.examination) + _beside(bench, pull.number, case.examination)
    say.verdict(bench, pull.number, text, say.PROBLEM if blocked else say.HEADS_UP)


def _warn(bench: Bench, pull: PullRequest, case: Case, rivals: tuple[Rival, ...]) -> None:
    """Say on a healthy pull request which databases lose by it; on a draft the status alone says so."""
    if pull.draft:
        say.end(bench, pull.number, short_comments.draft())
        return
    text = warning_comment(pull.number, rivals, case.examination, case.judged.edits)
    text += _beside(bench, pull.number, case.examination)
    say.verdict(bench, pull.number, text, say.PROBLEM if waits(pull.number, rivals) else say.WARNED)


def _collides(bench: Bench, pull: PullRequest, case: Case, rivals: tuple[Rival, ...]) -> None:
    choices = bench.page(pull.number).choices
    earlier = say.earlier_repair(bench, pull.number)
    first = bench.mended.get(pull.head.ref, pull.number) if is_local(pull) else pull.number
    if first == pull.number:
        made = _offered(bench, case, Occasion(pull, choices, () if earlier is None else (earlier,)))
    else:
        # One branch is repaired for one target at a time: two repairs would undo each other.
        made = Offer(trouble=f"wait for #{first}, which proposes the same branch: it is repaired for that one first.")
    text = _comment(bench, case, made, rivals)
    # A repair that was pushed ends the matter: the new commit is judged next, and has nothing to add.
    state, title = (say.ENDED, "Resolved") if made.pushed else (say.PROBLEM, "")
    say.verdict(bench, pull.number, text, state, repair=made.pull, ended_as=title)


def _offered(bench: Bench, case: Case, occasion: Occasion) -> Offer:
    """Offer the repair; its pull request gets its own status at once, for no event of ours ever comes back to us."""
    judged = case.examination.head or case.examination.target
    subject = judged.ref if occasion.pull is None else page(occasion.pull.number)
    with bench.troubles.apart(subject, NOT_REPAIRED) as step:
        made = offer(bench, case, occasion)
    if step.error is not None:
        why = cause(step.error)
        return Offer(trouble=f"wait, or make the change shown below: the repair could not be offered now ({why}).")
    bench.statuses.note(subject, _next(bench, case, made, alone=occasion.pull is None))
    head = bench.head_of(made.pull) if made.pull is not None else None
    if made.pull is not None and head is not None:
        bench.statuses.learn(page(made.pull.number), verdicts.of_pull(bench, made.pull, head, ()))
        say.statuses(bench)
    return made


def _next(bench: Bench, case: Case, made: Offer, *, alone: bool) -> str:
    """The next step, for a commit status; `alone`: no page of a person's tells it."""
    if made.branch and not bench.has_pulls:
        return f"Pull requests are switched off; merge {made.branch}, which repairs it."
    if made.pull is not None and not made.trouble:
        return verdicts.merge(made.pull.number)
    if made.branch:
        return verdicts.APPLY
    if made.pull is not None or not alone:
        return "Next: see the comment."
    return _in_a_clone(case)


def _in_a_clone(case: Case) -> str:
    head = f" --head {quote(short_ref(case.examination.head.ref))}" if case.examination.head else ""
    return f"Next: onehead fix --target {quote(case.target.name)}{head}"


def close_unneeded(bench: Bench) -> None:
    """Close the repairs of branches of which no pull request needs one: a branch may have two, into two targets."""
    for branch, reason in bench.unneeded.items():
        if branch not in bench.mended and branch not in bench.in_doubt:
            close(bench, bench.repairs_into(branch), reason)


def _withdraw(bench: Bench, pull: PullRequest, reason: str) -> None:
    if is_local(pull):
        bench.unneeded.setdefault(pull.head.ref, reason)
    remove_laid_ready(bench, pull)


def _settle(bench: Bench, number: int, examination: Examination, repair: int | None) -> None:
    """Say that a problem is gone, and what mended it."""
    red = _red_beside(bench, number, examination)
    if bench.page(number).verdict is None or (not red and say.ended_as(bench, number) in ("Resolved", "Repaired")):
        return
    mended = None if repair is None else _mended_by(bench, repair, examination)
    gone = "No published migration is changed here any more." if say.state(bench, number) == say.WARNED else ""
    ending = short_comments.resolved(examination, mended, gone or "There is no collision any more.")
    say.end(bench, number, short_comments.but_not(ending, red) if red else ending)


def _mended_by(bench: Bench, repair: int, examination: Examination) -> short_comments.Mended | None:
    """How a repair came in: by its pull request, or its commits by plain git or `/onehead apply`; else `None`."""
    if bench.desk.api.pull(bench.repository.name, repair).merged:
        return short_comments.Mended(repair, by_git=False)
    tip = bench.pull_heads.get(repair)
    judged = examination.head or examination.target
    if tip is not None and is_ancestor(bench.git, tip, judged.sha):
        return short_comments.Mended(repair, by_git=True)
    return None


def _red_beside(bench: Bench, number: int, examination: Examination) -> str:
    """What keeps the status of a pull request's commit red although it is well itself, as Markdown; else empty."""
    subject = bench.statuses.red_beside(page(number), examination.head.sha) if examination.head else ""
    pull = next((pull for pull in bench.pulls if page(pull.number) == subject), None)
    if pull is not None:
        return f"{subject} into {code(pull.base.ref)}"
    return code(subject.removeprefix(HEADS)) if subject else ""


def _beside(bench: Bench, number: int, examination: Examination) -> str:
    red = _red_beside(bench, number, examination)
    return f"\n{short_comments.red_because_of(red)}\n" if red else ""


def _comment(bench: Bench, case: Case, made: Offer, rivals: tuple[Rival, ...] = ()) -> str:
    return comment(say.remark(bench, case, made, rivals))


def _was_refused(bench: Bench, branch: str) -> bool:
    """Whether somebody has closed the branch's pull request without merging it, and left the branch."""
    try:
        pull = bench.desk.api.pull_between(bench.repository.name, bench.main.name, branch)
    except NotFound:
        return False
    return not pull.is_open and not pull.merged


def _told(bench: Bench, target: str, closed: Collection[PullRequest]) -> tuple[int | None, list[int]]:
    """The newest repair of a target, and the pull requests on which its fork was explained: it remembers them."""
    lately = [pull for pull in closed if pull.base.ref == target and bench.is_ours(pull)]
    repair = max([*bench.repairs_into(target), *lately], key=lambda pull: pull.number, default=None)
    if repair is None:
        try:  # any one of them, as the forge knows no order here
            repair = bench.desk.api.pull_between(bench.repository.name, target, f"{naming.BRANCHES}merge/{target}")
        except NotFound:
            return None, []
    marker = parse(repair.body)
    if marker is None or repair.author.id != bench.desk.me.id:
        return None, []
    told = marker.facts.get("told")
    numbers = [number for number in told if isinstance(number, int)] if isinstance(told, list) else []
    return repair.number, [repair.number, *numbers]
