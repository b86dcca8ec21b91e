"""Make a repository look as is desired: the only place that writes.

Each step is "make it so": what is right already is not written again. What the forge refuses for one subject is
collected, and raised by whoever runs the job, once all the rest is done.
"""

from __future__ import annotations

import structlog

from onehead.examine import naming
from onehead.forge.intents import Marker
from onehead.forge.models import PullRequest, StatusState
from onehead.gitrepo.refs import HEADS, is_ancestor
from onehead.gitrepo.remote import RefUpdate
from onehead.plan.verdict import Point
from onehead.reports import replies
from onehead.reports.comment import comment
from onehead.reports.replies import Ending, Mended, ending_text
from onehead.service.context import Look
from onehead.service.decide import next_step, repair_verdict
from onehead.service.desired import Desired, DesiredComment, Notice, Offer, Problem, ProblemGone, Verdict, tells
from onehead.service.repairs import RepairWriter, remark
from onehead.service.snapshot import ENDED, PROBLEM, VERDICT, is_local
from onehead.service.troubles import NO_STATUS, NOT_JUDGED, NOT_REMOVED, NOT_TOLD, page

log = structlog.get_logger(__name__)


def apply(desired: Desired, look: Look, repairs: RepairWriter) -> dict[str, Offer]:
    """Write everything, in this order; what became of each repair, by its key."""
    writer = _Writer(desired, look, repairs)
    for step in (writer.failures, writer.repairs, writer.comments, writer.statuses, writer.closings):
        step()
    return writer.offers


class _Writer:
    def __init__(self, desired: Desired, look: Look, repairs: RepairWriter) -> None:
        self._desired = desired
        self._look = look
        self._repairs = repairs
        self.offers: dict[str, Offer] = {}

    def failures(self) -> None:
        """First of all, what must not be merged is red; the next step is told once it is known."""
        for subject, verdict in self._desired.statuses.worst():
            if verdict.state is not StatusState.SUCCESS:
                self._write_status(subject, verdict, keep_note=True)

    def repairs(self) -> None:
        """All of them together; a repair gets its own status at once, for no event of ours ever comes back to us."""
        statuses, snapshot = self._desired.statuses, self._look.snapshot
        self.offers = self._repairs.offer(self._desired.repairs.values())
        for key, wanted in self._desired.repairs.items():
            made = self.offers[key]
            statuses.note(wanted.subject, next_step(wanted, made, has_pulls=snapshot.has_pulls))
            if made.pull is not None:
                self._learn_repair(made, made.pull)
                if wanted.pull is None:
                    statuses.link(wanted.subject, made.pull.html_url)

    def _learn_repair(self, made: Offer, pull: PullRequest) -> None:
        sha = self._repairs.heads.get(pull.head.ref)
        if sha is not None:
            target = self._look.snapshot.targets.get(pull.base.ref)
            head = Point(f"{HEADS}{pull.head.ref}", sha)
            with self._look.troubles.apart(page(pull.number), NOT_JUDGED):
                judged = None if target is None or made.fault else self._look.judged(target, head)
                self._desired.statuses.learn(page(pull.number), repair_verdict(pull, sha, judged, made.fault))
        if made.fault:
            self._desired.statuses.note(page(pull.number), "Next: see the description.")

    def comments(self) -> None:
        """The one comment of each pull request, edited in place."""
        for number, told in self._desired.comments.items():
            with self._look.troubles.apart(page(number), NOT_TOLD):
                self._tell(number, told)

    def _tell(self, number: int, told: DesiredComment) -> None:
        match told:
            case Problem():
                made = self.offers[told.repair] if told.offer is None else told.offer
                text = comment(remark(self._look, told.target, told.judged, made, told.rivals))
                # A repair that was pushed ends the matter: the new commit is judged next, and has nothing to add.
                ended = {"as": "Resolved"} if made.pushed else {}
                url = self._write_comment(number, text, ENDED if made.pushed else PROBLEM, ended, made.pull)
                self._desired.statuses.link(told.subject, url)
            case Notice():
                url = self._write_comment(number, told.text, told.state)
                self._desired.statuses.link(page(number), url)
            case ProblemGone():
                ending = replies.resolved(told.judged.examination, self._mended(told), told.gone)
                ending = replies.but_not(ending, told.red) if told.red else ending
                if self._look.pages[number].ended_as != ending.title:
                    self._write_ending(number, ending)
            case Ending():
                self._write_ending(number, told)

    def _write_ending(self, number: int, ending: Ending) -> None:
        self._write_comment(number, ending_text(ending), ENDED, {"as": ending.title})

    def _write_comment(
        self,
        number: int,
        text: str,
        state: str,
        facts: dict[str, str] | None = None,
        repair: PullRequest | None = None,
    ) -> str:
        """Write the comment and give its address.

        The repair that it points to is remembered, also when it is closed later.
        """
        told = self._look.pages[number]
        remembered = told.earlier_repair if repair is None else repair.number
        known = {} if remembered is None else {"repair": remembered}
        marker = Marker(VERDICT, facts={"state": state, **known, **(facts or {})})
        written, changed = self._look.writer.ensure_comment(number, marker=marker, text=text, known=told.comments)
        if changed:
            self._look.pages.forget(number)
            log.info("Commented.", repository=str(self._look.repository.name), number=number, comment=written.id)
        return written.html_url

    def _mended(self, told: ProblemGone) -> Mended | None:
        """How a repair came in: by its pull request, or its commits by plain git or `/onehead apply`; else `None`."""
        if told.repair is None:
            return None
        if self._look.context.api.pull(self._look.repository.name, told.repair).merged:
            return Mended(told.repair, by_git=False)
        tip = self._look.snapshot.pull_heads.get(told.repair)
        if tip is not None and is_ancestor(self._look.snapshot.git, tip, told.judged.point.sha):
            return Mended(told.repair, by_git=True)
        return None

    def statuses(self) -> None:
        """What each commit says in the end: the next step or what could not be done, and the page that says more."""
        statuses = self._desired.statuses
        for trouble in reversed(self._look.troubles.kept):  # of several the first is told: it comes last
            if trouble.doing not in (NOT_JUDGED, NO_STATUS):
                statuses.note(trouble.subject, trouble.note)
        for subject, verdict in statuses.worst():
            self._write_status(subject, verdict)

    def _write_status(self, subject: str, verdict: Verdict, *, keep_note: bool = False) -> None:
        with self._look.troubles.apart(subject, NO_STATUS):
            present = self._look.writer.status(verdict.sha, naming.STATUS)
            if not (keep_note and present is not None and tells(present, verdict)):
                self._look.writer.set_status(verdict.sha, self._desired.statuses.wanted(subject, verdict, present))

    def closings(self) -> None:
        """Last of all, what is not needed any more; nothing of a branch with which something went wrong."""
        needed = {wanted.base for wanted in self._desired.repairs.values() if wanted.is_branch}
        doubted = self._in_doubt()
        for branch, reason in self._desired.unneeded.items():
            if branch not in needed and branch not in doubted:
                self._repairs.closings += [(pull, reason) for pull in self._look.snapshot.repairs_into(branch)]
        for pull, reason in self._repairs.closings:
            self._repairs.close(pull, reason)
        for ref in self._desired.removed:
            branch = ref.removeprefix(HEADS)
            if doubted.isdisjoint((branch, naming.repaired_by(branch))):
                with self._look.troubles.apart(ref, NOT_REMOVED):
                    if ref.startswith(HEADS):
                        self._repairs.remove_branch(branch)
                    else:  # where the forge does not take that, the next sweep tries again
                        self._look.push([RefUpdate(ref, None, self._look.snapshot.laid_ready[ref])])

    def _in_doubt(self) -> set[str]:
        """Branches with which something went wrong: it is not known what they need."""
        troubled = {each.subject for each in self._look.troubles.kept}
        pulls = {
            each.head.ref for each in self._look.snapshot.pulls if page(each.number) in troubled and is_local(each)
        }
        return pulls | {subject.removeprefix(HEADS) for subject in troubled}
