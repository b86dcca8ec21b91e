"""Make a repository look as is desired: with `verdict_writer`, the only place that writes.

Each step is "make it so": what is right already is not written again. What the forge refuses for one subject is
collected, and raised by whoever runs the job, once all the rest is done.
"""

from __future__ import annotations

from contextlib import suppress

from onehead.examine import naming
from onehead.forge.errors import Forbidden
from onehead.forge.models import PullRequest, StatusState
from onehead.gitrepo.refs import HEADS
from onehead.gitrepo.remote import RefUpdate
from onehead.plan.verdict import Point
from onehead.service.context import Look
from onehead.service.decide import next_step, repair_verdict
from onehead.service.desired import Desired, Offer
from onehead.service.repairs import RepairWriter
from onehead.service.troubles import NOT_JUDGED, NOT_REMOVED, NOT_TOLD, page
from onehead.service.verdict_writer import VerdictWriter


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
        self._verdicts = VerdictWriter(desired, look)
        self.offers: dict[str, Offer] = {}

    def failures(self) -> None:
        """First of all, what must not be merged is red; the next step is told once it is known."""
        for subject, verdict in self._desired.statuses.worst():
            if verdict.state is not StatusState.SUCCESS:
                self._verdicts.write_status(subject, verdict, keep_note=True)

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
        """The one comment of each pull request; what a CI job wrote instead gives way to it."""
        self._verdicts.comments(self.offers)
        troubled = {each.subject for each in self._look.troubles.kept}
        for number, comments in self._desired.replaced.items():
            if page(number) not in troubled:
                # Not everybody who may comment may delete: then there are two, and the service's own is right.
                with self._look.troubles.apart(page(number), NOT_TOLD), suppress(Forbidden):
                    for each in comments:
                        self._look.writer.delete_comment(each)
                self._look.pages.forget(number)

    def statuses(self) -> None:
        """What each commit says in the end."""
        self._verdicts.statuses()

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
        pulls = {each.head.ref for each in self._look.snapshot.pulls if page(each.number) in troubled and each.is_local}
        return pulls | {subject.removeprefix(HEADS) for subject in troubled}
