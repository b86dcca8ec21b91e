"""Write what was decided about a repository: one comment per pull request, edited in place, one status per commit.

Each is "make it so": what is right already is not written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from onehead.examine import naming
from onehead.forge.api import ForgejoApi
from onehead.forge.intents import ForgeWriter, Marker
from onehead.forge.models import PullRequest, Repository
from onehead.gitrepo.refs import is_ancestor
from onehead.plan.rivals import Rival
from onehead.reports import replies
from onehead.reports.comment import CommentContent, comment
from onehead.reports.replies import Ending, Mended, ending_text
from onehead.service.desired import Desired, DesiredComment, Notice, Offer, Problem, ProblemGone, Verdict, tells
from onehead.service.judge import Judged
from onehead.service.snapshot import ENDED, PROBLEM, VERDICT, Pages, Provenance, Snapshot, Target
from onehead.service.troubles import NO_STATUS, NOT_JUDGED, NOT_TOLD, Troubles, page

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """One repository on its forge: what was read there, and what writes there.

    `commands`: whether somebody answers commands on its pages.
    """

    api: ForgejoApi
    snapshot: Snapshot
    pages: Pages
    provenance: Provenance
    troubles: Troubles
    writer: ForgeWriter
    commands: bool

    @property
    def repository(self) -> Repository:
        """As the forge describes it."""
        return self.snapshot.repository


def content_of(
    access: RepositoryAccess, target: Target, judged: Judged, made: Offer, rivals: tuple[Rival, ...] = ()
) -> CommentContent:
    """Everything that the texts of a verdict are made from."""
    return CommentContent(
        examination=judged.examination,
        diff=judged.diff,
        tables=judged.tables,
        own_databases=judged.own_databases,
        brought_by=access.provenance.brought_by(judged.examination),
        repair=f"#{made.pull.number}" if made.pull and not made.trouble else "",
        branch=f"{access.repository.clone_url} {made.branch}" if made.branch else "",
        patch=made.patch,
        pushed=made.pushed,
        merged_first=made.merged_first,
        trouble=made.trouble,
        rivals=rivals,
        source=made.source,
        commit=made.commit,
        signing=access.provenance.signing(target) if made.commit else "no",
        commands=access.commands,
    )


class VerdictWriter:
    """The comments and statuses of one run."""

    def __init__(self, desired: Desired, access: RepositoryAccess) -> None:
        self._desired = desired
        self._access = access

    def comments(self, offers: Mapping[str, Offer]) -> None:
        """The one comment of each pull request; `offers`: key of a repair → what became of it."""
        for number, told in self._desired.comments.items():
            with self._access.troubles.apart(page(number), NOT_TOLD):
                self._tell(number, told, offers)

    def _tell(self, number: int, told: DesiredComment, offers: Mapping[str, Offer]) -> None:
        match told:
            case Problem():
                made = offers[told.repair] if told.offer is None else told.offer
                text = comment(content_of(self._access, told.target, told.judged, made, told.rivals))
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
                if self._access.pages[number].ended_as != ending.title:
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
        told = self._access.pages[number]
        remembered = told.earlier_repair if repair is None else repair.number
        known = {} if remembered is None else {"repair": remembered}
        marker = Marker(VERDICT, facts={"state": state, **known, **(facts or {})})
        written, changed = self._access.writer.ensure_comment(number, marker=marker, text=text, known=told.comments)
        if changed:
            self._access.pages.forget(number)
            name = self._access.repository.name
            log.info("Commented.", repository=str(name), number=number, comment=written.id)
        return written.html_url

    def _mended(self, told: ProblemGone) -> Mended | None:
        """How a repair came in: by its pull request, or its commits by plain git or `/onehead apply`; else `None`."""
        if told.repair is None:
            return None
        if self._access.api.pull(self._access.repository.name, told.repair).merged:
            return Mended(told.repair, by_git=False)
        tip = self._access.snapshot.pull_heads.get(told.repair)
        if tip is not None and is_ancestor(self._access.snapshot.git, tip, told.judged.point.sha):
            return Mended(told.repair, by_git=True)
        return None

    def statuses(self) -> None:
        """What each commit says in the end: the next step or what could not be done, and the page that says more."""
        statuses = self._desired.statuses
        for trouble in reversed(self._access.troubles.kept):  # of several the first is told: it comes last
            if trouble.doing not in (NOT_JUDGED, NO_STATUS):
                statuses.note(trouble.subject, trouble.note)
        for subject, verdict in statuses.worst():
            self.write_status(subject, verdict)

    def write_status(self, subject: str, verdict: Verdict, *, keep_note: bool = False) -> None:
        """Let a commit say this; with `keep_note`, only where it does not tell this verdict already."""
        with self._access.troubles.apart(subject, NO_STATUS):
            present = self._access.writer.status(verdict.sha, naming.STATUS)
            if not (keep_note and present is not None and tells(present, verdict)):
                wanted = self._desired.statuses.wanted(subject, verdict, present)
                self._access.writer.set_status(verdict.sha, wanted)
