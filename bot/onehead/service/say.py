"""What is said on the forge: the commit status, and the one comment per pull request, edited in place.

Each is "make it so": what is right already is not written again, so a story can be told any number of times.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from onehead.examine import naming
from onehead.forge.intents import Marker, ensure_comment, ensure_status
from onehead.forge.models import PullRequest, Status
from onehead.plan.rivals import Rival
from onehead.reports.comment import Remark
from onehead.reports.short_comments import Ending, ending_text
from onehead.service.bench import Bench, Case
from onehead.service.offered import Offer
from onehead.service.page import VERDICT
from onehead.service.people import brought_by
from onehead.service.signing import signing
from onehead.service.statuses import Description, Verdict, tells
from onehead.service.troubles import NO_STATUS, NOT_JUDGED, page

PROBLEM, HEADS_UP, WARNED, ENDED = "problem", "heads-up", "warned", "ended"
"""What the one comment is about at present; kept in its marker."""

log = structlog.get_logger(__name__)


def statuses(bench: Bench) -> None:
    """The status of each judged commit, always of the repository that a pull request goes into: Forgejo looks there."""
    for subject, verdict in bench.statuses.worst():
        present = bench.statuses.written.get(verdict.sha)
        if present is None or not tells(present, verdict):
            _write_status(bench, subject, verdict, bench.statuses.wanted(subject, verdict), tells)


def notes_on_statuses(bench: Bench) -> None:
    """What is known only at the end: the next step or what could not be done, and the page that says more."""
    for trouble in reversed(bench.troubles.kept):  # of several the first is told: it comes last
        if trouble.doing not in (NOT_JUDGED, NO_STATUS):
            bench.statuses.note(trouble.subject, trouble.note)
    for subject, verdict in bench.statuses.worst():
        present = bench.statuses.written.get(verdict.sha)
        if present is not None and present != (wanted := bench.statuses.wanted(subject, verdict, present)):
            _write_status(bench, subject, verdict, wanted, lambda _present, _verdict: False)


def _write_status(
    bench: Bench, subject: str, verdict: Verdict, wanted: Description, will_do: Callable[[Description, Verdict], bool]
) -> None:
    with bench.troubles.apart(subject, NO_STATUS):
        status, _ = ensure_status(
            bench.desk.api,
            bench.repository.name,
            verdict.sha,
            context=naming.STATUS,
            state=verdict.state,
            description=wanted.text,
            target_url=wanted.url,
            will_do=lambda status: will_do(_description(status), verdict),
        )
        bench.statuses.written[verdict.sha] = _description(status)


def _description(status: Status) -> Description:
    return Description(status.state, status.description, status.target_url)


def verdict(
    bench: Bench, number: int, text: str, state: str, *, repair: PullRequest | None = None, ended_as: str = ""
) -> str:
    """The one comment of a pull request.

    Args:
        bench: the repository.
        number: of the pull request.
        text: Markdown.
        state: `PROBLEM`, `HEADS_UP` or `ENDED`.
        repair: the repair pull request that it points to; remembered, also when it is closed later.
        ended_as: how it ended, in a word.

    Returns:
        its address.
    """
    before = bench.page(number).verdict
    facts: dict[str, object] = {"state": state}
    remembered = repair.number if repair else before.facts.get("repair") if before else None
    if remembered is not None:
        facts["repair"] = remembered
    if ended_as:
        facts["as"] = ended_as
    place = Marker(VERDICT, facts=facts)
    comments = bench.page(number).comments
    written, changed = ensure_comment(
        bench.desk.api, bench.repository.name, number, marker=place, text=text, author=bench.desk.me, known=comments
    )
    if changed:
        bench.forget_page(number)
        log.info("Commented.", repository=str(bench.repository.name), number=number, comment=written.id)
    bench.statuses.link(page(number), written.html_url)
    return written.html_url


def state(bench: Bench, number: int) -> str:
    """What the one comment is about at present; empty where there is none."""
    marker = bench.page(number).verdict
    return str(marker.facts.get("state", "")) if marker is not None else ""


def ended_as(bench: Bench, number: int) -> str:
    """The title under which the comment told how it ended; empty where nothing was said or something is going on."""
    marker = bench.page(number).verdict
    return str(marker.facts.get("as", "")) if marker is not None and marker.facts.get("state") == ENDED else ""


def end(bench: Bench, number: int, ending: Ending) -> None:
    """A comment of ours that tells of something else now tells how it ended; where there is none, nothing is said."""
    if bench.page(number).verdict is not None and ended_as(bench, number) != ending.title:
        verdict(bench, number, ending_text(ending), ENDED, ended_as=ending.title)


def earlier_repair(bench: Bench, number: int) -> int | None:
    """The number of the repair pull request that the comment points to."""
    marker = bench.page(number).verdict
    known = marker.facts.get("repair") if marker else None
    return known if isinstance(known, int) else None


def remark(bench: Bench, case: Case, made: Offer, rivals: tuple[Rival, ...] = ()) -> Remark:
    """Everything that the texts of a verdict are made from."""
    examination = case.examination
    return Remark(
        examination=examination,
        diff=case.judged.diff,
        tables=case.judged.tables,
        own_databases=case.judged.own_databases,
        brought_by=brought_by(bench, examination),
        repair=f"#{made.pull.number}" if made.pull and not made.trouble else "",
        branch=f"{bench.repository.clone_url} {made.branch}" if made.branch else "",
        patch=made.patch,
        pushed=made.pushed,
        merged_first=made.merged_first,
        trouble=made.trouble,
        rivals=rivals,
        source=made.source,
        commit=made.commit,
        signing=signing(bench, case.target) if made.commit else "no",
    )
