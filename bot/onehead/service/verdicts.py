"""What is found about each subject, for its commit status: from git, and what people chose on its page. Writes nothing.

A status depends on no comment of ours: whoever keeps onehead from writing on a page keeps no green status by that.
"""

from __future__ import annotations

from dataclasses import replace

from onehead.examine import naming
from onehead.examine.repair import merged_commit
from onehead.forge.models import PullRequest, StatusState
from onehead.plan.rivals import Rival
from onehead.plan.verdict import Examination, Point
from onehead.reports.comment import one_line, warned
from onehead.reports.replies import rivals_line, waits
from onehead.service.agenda import is_local
from onehead.service.bench import HEADS, Bench, Case, Target
from onehead.service.page import Choices, IgnoredFindings, problem_keys
from onehead.service.statuses import Verdict
from onehead.service.troubles import page

READY = "Next: mark it as ready; the repair is offered then."
APPLY = "Next: comment /onehead apply, or take the patch from the comment."


def merge(number: int) -> str:
    """The next step where a repair is open."""
    return f"Next: merge #{number}."


def of_pull(bench: Bench, pull: PullRequest, head: Point, rivals: tuple[Rival, ...]) -> Verdict:
    """An open pull request, as it would be once merged."""
    return replace(_of_pull(bench, pull, head, rivals), about=f"#{pull.number} into {pull.base.ref}")


def _of_pull(bench: Bench, pull: PullRequest, head: Point, rivals: tuple[Rival, ...]) -> Verdict:
    if bench.is_ours(pull):
        return _of_repair(bench, pull, head)
    target = bench.targets.get(pull.base.ref)
    if target is None:
        where = f"judged once it goes into {' or '.join(bench.targets)}"
        text = f"Goes into {pull.base.ref}, which is not deployed; {where}."
        return Verdict(head.sha, StatusState.SUCCESS, text)
    case = bench.judge(target, head)
    if case.examination.verdict == "ok":
        if not rivals:
            return _plain(case)
        state = StatusState.FAILURE if waits(pull.number, rivals) else StatusState.SUCCESS
        return Verdict(head.sha, state, f"{rivals_line(pull.number, rivals)}{warned(case.examination)}")
    choices = _choices(bench, pull)
    case = as_chosen(bench, case, choices)
    ignored = lives_with(choices, case.examination)
    if ignored is not None:
        text = f"Ignored by {ignored.by}. {one_line(case.examination)}"
        return Verdict(head.sha, StatusState.SUCCESS, text)
    return _next_to(_plain(case), _known_step(bench, pull))


def of_branch(bench: Bench, branch: str) -> Verdict:
    """A branch without a pull request, as it would be once merged into the first target."""
    verdict = _plain(bench.judge(bench.main, Point(f"{HEADS}{branch}", bench.heads[branch])))
    verdict = replace(verdict, about=f"{branch} into {bench.main.name}")
    return _next_to(verdict, _repair_of(bench, branch))


def of_target(bench: Bench, target: Target) -> Verdict:
    """A deployed branch by itself."""
    return _next_to(_plain(bench.judge(target, None)), _repair_of(bench, target.name))


def unknown(sha: str, why: str) -> Verdict:
    """What could not be judged must not be merged."""
    return Verdict(sha, StatusState.FAILURE, f"Cannot judge: {why}. Next: nothing; it is tried again.")


def as_chosen(bench: Bench, case: Case, choices: Choices) -> Case:
    """A pull request with problems, repaired in the way that people have chosen for it."""
    if case.examination.verdict == "ok" or choices.strategy is None:
        return case
    return bench.judge(case.target, case.examination.head, choices.strategy)


def lives_with(choices: Choices, examination: Examination) -> IgnoredFindings | None:
    """Who has chosen to live with all the problems that there are; `None` where nobody has."""
    ignored = choices.ignored
    if examination.verdict != "ok" and ignored is not None and problem_keys(examination) <= ignored.problems:
        return ignored
    return None


def _known_step(bench: Bench, pull: PullRequest) -> str:
    """What is to be done about a problem, as far as that is known from what is there: mostly it stays so."""
    if pull.draft:
        return READY
    if is_local(pull):
        return _repair_of(bench, pull.head.ref)
    return APPLY if any(naming.laid_ready_for(ref) == pull.number for ref in bench.laid_ready) else ""


def _repair_of(bench: Bench, branch: str) -> str:
    repair = open_repair(bench, branch)
    return merge(repair.number) if repair is not None else ""


def _next_to(verdict: Verdict, step: str) -> Verdict:
    return verdict if verdict.state is StatusState.SUCCESS else replace(verdict, next=step)


def _choices(bench: Bench, pull: PullRequest) -> Choices:
    """What people chose; nothing where the page can't be read, so that the status stays red."""
    with bench.troubles.apart(page(pull.number), "its comments could not be read"):
        return bench.page(pull.number).choices
    return Choices()


def _of_repair(bench: Bench, pull: PullRequest, head: Point) -> Verdict:
    """A repair of ours. As long as nobody else touches its branch, it is made anew whenever it has to be."""
    target = bench.targets.get(pull.base.ref)
    left_alone = pull.head.ref in bench.outdated or not bench.holds_our_work(pull.head.ref)
    fault = left_by_repair(bench, pull, head) if left_alone else ""
    if fault:
        return Verdict(head.sha, StatusState.FAILURE, f"As it is, this does not repair {pull.base.ref}: {fault}")
    if target is not None:
        return _plain(bench.judge(target, head))
    return Verdict(head.sha, StatusState.SUCCESS, f"A repair of {pull.base.ref}, which is judged itself.")


def left_by_repair(bench: Bench, pull: PullRequest, head: Point) -> str:
    """What would still be wrong with a branch once one of our repair pull requests is merged into it, a sentence."""
    base = bench.heads.get(pull.base.ref)
    if base is None:
        return ""
    merged = merged_commit(bench.git, base, head.sha)
    if merged is None:
        return f"git can't merge it into {pull.base.ref} by itself."
    into = bench.targets.get(pull.base.ref)
    if into is not None:
        after = [bench.judge(replace(into, point=Point(into.point.ref, merged)), None)]
    else:
        point = Point(f"{HEADS}{pull.base.ref}", merged)
        after = [bench.judge(target, point) for target in _needing(bench, pull.base.ref, Point(point.ref, base))[:1]]
    return next((one_line(case.examination) for case in after if case.examination.verdict != "ok"), "")


def open_repair(bench: Bench, branch: str) -> PullRequest | None:
    """An open repair of a branch that does what it is for, or is about to be brought up to date."""
    for pull in bench.repairs_into(branch):
        head = bench.head_of(pull)
        if bench.holds_our_work(pull.head.ref) or (head is not None and not left_by_repair(bench, pull, head)):
            return pull
    return None


def _needing(bench: Bench, branch: str, head: Point) -> list[Target]:
    """The targets for which a branch needs a repair; it is made for the first of them."""
    proposed = [pull.base.ref for pull in bench.pulls if is_local(pull) and pull.head.ref == branch]
    targets = [bench.targets[name] for name in dict.fromkeys(proposed) if name in bench.targets] or [bench.main]
    return [target for target in targets if bench.judge(target, head).examination.verdict != "ok"]


def _plain(case: Case) -> Verdict:
    point = case.examination.head or case.examination.target
    state = StatusState.SUCCESS if case.examination.verdict == "ok" else StatusState.FAILURE
    return Verdict(point.sha, state, one_line(case.examination))
