"""From a verdict to what people see: repair branch and pull request, comment, commit status.

Each of these is "make it so": what is right already is not written again, so a story can be told any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from onehead.flows import ours
from onehead.flows.changes import Repairs, contents_before, prepare
from onehead.flows.desk import STATUS, Bench
from onehead.flows.examine import Trees
from onehead.flows.people import brought_by, pulls_behind
from onehead.flows.repair import TextConflict, Written, write_repair
from onehead.forge.errors import NotFound
from onehead.forge.intents import close_pull, delete_branch, ensure_comment, ensure_pull, ensure_status
from onehead.forge.markers import Marker, mark, parse
from onehead.forge.values import PullRequest, StatusState
from onehead.gitrepo.refs import describe, list_refs
from onehead.gitrepo.remote import PushStatus, RefUpdate
from onehead.plan.verdict import Examination, Point
from onehead.reports.comment import Remark, comment, one_line, pull_body, pull_title, resolved
from onehead.reports.diff import diff
from onehead.reports.text import short_ref
from onehead.states.table import state_tables

log = structlog.get_logger(__name__)

_VERDICT = Marker("verdict")
_SETTLED = Marker("verdict", facts={"settled": True})


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a repair: its pull request if there is one, and why not otherwise."""

    pull: PullRequest | None = None
    merged_first: bool = False
    trouble: str = ""


def publish_pull(bench: Bench, pull: PullRequest, sha: str, pulls: tuple[PullRequest, ...]) -> None:
    """Judge an open pull request and say so on it."""
    target = short_ref(bench.target.ref)
    if pull.base.ref != target:
        text = f"Goes into {pull.base.ref}, which is not deployed; judged once it goes into {target}."
        _status(bench, sha, StatusState.SUCCESS, text)
        return
    head = Point(f"refs/heads/{pull.head.ref}", sha)
    examination, trees = bench.examine(head)
    repairs = prepare(examination, trees)
    examination = repairs.examination
    if examination.verdict == "ok":
        if not _is_repair(bench, pull):  # what a repair's own page says is told by the story of its target
            _settle(bench, pull.number, examination)
            _withdraw(bench, _ours(bench, pulls, pull.head.ref), "the branch does not need it any more")
        _status(bench, sha, StatusState.SUCCESS, one_line(examination))
        return
    # The red status first: whatever fails below, nobody merges meanwhile.
    _status(bench, sha, StatusState.FAILURE, one_line(examination))
    if _is_local(pull):
        repair = _offer(bench, repairs, trees, pulls, f"#{pull.number}")
    else:
        repair = Repair(trouble="apply the change shown above to the branch of the fork; onehead may not push there.")
    _comment(bench, pull.number, comment(_remark(bench, repairs, trees, repair)))


def publish_branch(bench: Bench, head: Point, pulls: tuple[PullRequest, ...]) -> None:
    """Judge a branch that has no pull request; what there is to say goes on the repair's own."""
    examination, trees = bench.examine(head)
    repairs = prepare(examination, trees)
    examination = repairs.examination
    if examination.verdict == "ok":
        _withdraw(bench, _ours(bench, pulls, short_ref(head.ref)), "the branch does not need it any more")
        _status(bench, head.sha, StatusState.SUCCESS, one_line(examination))
        return
    _status(bench, head.sha, StatusState.FAILURE, one_line(examination))
    repair = _offer(bench, repairs, trees, pulls, "")
    if repair.pull is not None:
        _comment(bench, repair.pull.number, comment(_remark(bench, repairs, trees, repair)))


def publish_target(bench: Bench, pulls: tuple[PullRequest, ...]) -> None:
    """Judge the deployed branch itself; a fork is told to the pull requests that brought its sides."""
    examination, trees = bench.examine(None)
    repairs = prepare(examination, trees)
    examination = repairs.examination
    target = short_ref(bench.target.ref)
    if examination.verdict == "ok":
        for number in _told(bench, target):
            _settle(bench, number, examination)
        _withdraw(bench, _ours(bench, pulls, target), "the branch is at one head again")
        _status(bench, bench.target.sha, StatusState.SUCCESS, one_line(examination))
        return
    _status(bench, bench.target.sha, StatusState.FAILURE, one_line(examination))
    numbers = set(pulls_behind(bench, examination))
    repair = _offer(bench, repairs, trees, pulls, "", tell=sorted(numbers))
    text = comment(_remark(bench, repairs, trees, repair))
    if repair.pull is not None:
        numbers.add(repair.pull.number)
    for number in sorted(numbers):
        _comment(bench, number, text)


def withdraw(bench: Bench, branch: str, pulls: tuple[PullRequest, ...], reason: str) -> None:
    """Remove what was offered for a branch that is gone: pull requests, and repair branches without one."""
    _withdraw(bench, _ours(bench, pulls, branch), reason)
    for kind in ("reparent", "merge", "reissue"):
        name = f"{ours.BRANCHES}{kind}/{branch}"
        if _tip(bench, name) is not None and _is_our_work(bench, name):
            delete_branch(bench.desk.api, bench.repository.name, name)


def _offer(
    bench: Bench,
    repairs: Repairs,
    trees: Trees,
    pulls: tuple[PullRequest, ...],
    asked_on: str,
    tell: Sequence[int] = (),
) -> Repair:
    """The repair as a branch and a pull request; other repairs of ours for the same branch are withdrawn.

    Args:
        bench: the repository.
        repairs: what would be changed.
        trees: what was read.
        pulls: all open pull requests.
        asked_on: the pull request that it repairs ("#1"), if there is one.
        tell: pull requests that are told about the fork, and will be told when it is gone; remembered in the hidden
            marker of the repair, so that nothing else needs storage.
    """
    subject = repairs.examination.head or repairs.examination.target
    base = short_ref(subject.ref)
    before = _ours(bench, pulls, base)
    if not repairs.changes:
        _withdraw(bench, before, "there is nothing that could be repaired this way any more")
        return Repair()
    try:
        written = write_repair(bench.mirror.git, repairs, trees, author=bench.desk.me.login)
    except TextConflict as conflict:
        _withdraw(bench, before, "the branch conflicts with its target as text")
        paths = ", ".join(f"`{path}`" for path in conflict.paths[:5])
        return Repair(
            trouble=f"merge `{short_ref(bench.target.ref)}` into this branch by hand first (git can't merge {paths} by "
            "itself), and push; it is judged again then. The change shown above is what the chain needs."
        )
    if written is None:
        return Repair()
    name = f"{ours.BRANCHES}{written.kind}/{base}"
    refusal = _push(bench, name, written)
    if refusal:
        return Repair(trouble=refusal)
    _withdraw(bench, [pull for pull in before if pull.head.ref != name], "another repair fits better now")
    remark = _remark(bench, repairs, trees, Repair(merged_first=written.merged_first))
    pull, _ = ensure_pull(
        bench.desk.api,
        bench.repository.name,
        head=name,
        base=base,
        title=pull_title(repairs.examination),
        body=mark(Marker("repair", facts={"told": list(tell)}), pull_body(remark, asked_on)),
    )
    return Repair(pull, written.merged_first)


def _push(bench: Bench, name: str, written: Written) -> str:
    """Push the repair; says why not, where it could not be, or must not: a person's work is never overwritten."""
    tip = _tip(bench, name)
    if tip == written.sha:
        return ""
    if tip is not None and not _is_our_work(bench, name):
        return f"somebody has worked on `{name}`, so onehead stands back; finish it there, or delete that branch."
    [outcome] = bench.mirror.push([RefUpdate(f"refs/heads/{name}", written.sha, tip)])
    if outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE):
        log.info("Pushed a repair.", repository=str(bench.repository.name), branch=name, commit=written.sha)
        return ""
    log.warning("The repair could not be pushed.", branch=name, reason=outcome.text)
    return f"make the change shown above by hand; the forge did not take the branch `{name}` ({outcome.text})."


def _tip(bench: Bench, name: str) -> str | None:
    ref = f"refs/heads/{name}"
    return next((found.sha for found in list_refs(bench.mirror.git, ref) if found.name == ref), None)


def _is_our_work(bench: Bench, name: str) -> bool:
    tip = _tip(bench, name)
    return tip is not None and describe(bench.mirror.git, [tip])[tip].author_email == ours.EMAIL


def _ours(bench: Bench, pulls: tuple[PullRequest, ...], base: str) -> list[PullRequest]:
    """Open repair pull requests of ours into a branch."""
    return [pull for pull in pulls if pull.base.ref == base and _is_repair(bench, pull)]


def _is_repair(bench: Bench, pull: PullRequest) -> bool:
    return pull.head.ref.startswith(ours.BRANCHES) and pull.author.id == bench.desk.me.id


def _withdraw(bench: Bench, pulls: list[PullRequest], reason: str) -> None:
    api, name = bench.desk.api, bench.repository.name
    for pull in pulls:
        text = f"Closed, because {reason}.\n\n**Next:** nothing to do here.\n"
        close_pull(api, name, pull.number, marker=Marker("closed"), reason=text, author=bench.desk.me)
        if _is_our_work(bench, pull.head.ref):
            delete_branch(api, name, pull.head.ref)
        log.info("Withdrew a repair.", repository=str(name), pull=pull.number, reason=reason)


def _remark(bench: Bench, repairs: Repairs, trees: Trees, repair: Repair) -> Remark:
    examination = repairs.examination
    return Remark(
        examination=examination,
        diff=diff(repairs.all(), contents_before(repairs, trees)),
        tables={e.facts.environment.path: state_tables(e.facts) for e in examination.environments},
        brought_by=brought_by(bench, examination),
        repair=f"#{repair.pull.number}" if repair.pull else "",
        merged_first=repair.merged_first,
        trouble=repair.trouble,
    )


def _comment(bench: Bench, number: int, text: str, marker: Marker = _VERDICT) -> None:
    api, name = bench.desk.api, bench.repository.name
    written, changed = ensure_comment(api, name, number, marker=marker, text=text, author=bench.desk.me)
    if changed:
        log.info("Commented.", repository=str(name), number=number, comment=written.id)


def _settle(bench: Bench, number: int, examination: Examination) -> None:
    """A comment of ours that tells of a problem now tells that it is gone; where there is none, nothing is said."""
    api, name = bench.desk.api, bench.repository.name
    for found in api.comments(name, number):
        marker = parse(found.body)
        if marker is not None and found.author.id == bench.desk.me.id and _VERDICT.same_place(marker):
            if marker.facts != _SETTLED.facts:
                _comment(bench, number, resolved(examination), _SETTLED)
            return


def _told(bench: Bench, target: str) -> list[int]:
    """Pull requests on which the newest fork of the target was explained: the repair's own, and those it remembers."""
    try:
        repair = bench.desk.api.pull_between(bench.repository.name, target, f"{ours.BRANCHES}merge/{target}")
    except NotFound:
        return []
    marker = parse(repair.body)
    if marker is None or repair.author.id != bench.desk.me.id:
        return []
    told = marker.facts.get("told")
    numbers = [number for number in told if isinstance(number, int)] if isinstance(told, list) else []
    return [repair.number, *numbers]


def _status(bench: Bench, sha: str, state: StatusState, text: str) -> None:
    ensure_status(bench.desk.api, bench.repository.name, sha, context=STATUS, state=state, description=text)


def _is_local(pull: PullRequest) -> bool:
    """Whether the branch is one of the repository itself, not of a fork."""
    head, base = pull.head.repository, pull.base.repository
    return head is not None and base is not None and head.id == base.id and not pull.head.ref.startswith("refs/")
