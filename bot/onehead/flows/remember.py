"""Write down what databases report: new commits on `refs/onehead/databases`, never a changed one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from onehead.databases.reported import learnt
from onehead.errors import CannotJudge
from onehead.flows import ours
from onehead.flows.ledger import FULL, MOST_DATABASES, Ledger, encoded, file_of, ledger_at, read_ledger
from onehead.gitrepo.commit import Draft, Signature, commit_message, write_commits
from onehead.gitrepo.git import Git
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.remote import PushStatus, RefUpdate
from onehead.jobs.job import RowsReported
from onehead.revisions.model import FileChange

_MOST_TRIES = 5
_MOST_NAMED = 5
"""Rows in the subject of a commit."""


def remember(mirror: Mirror, reports: Iterable[RowsReported]) -> str:
    """Write what reports tell, where it is new, and return the commit of the ref as it is on the forge then.

    Raises:
        OneheadError: the forge could not be reached, or does not take the ref.
    """
    told = sorted(reports, key=lambda report: (report.at, report.database, report.environment, report.rows or ()))
    for _ in range(_MOST_TRIES):
        mirror.fetch()
        tip = before = read_ledger(mirror.git).tip
        for report in told:
            tip = _told(mirror.git, tip, report)
        if tip == before:
            return before
        [outcome] = mirror.push([RefUpdate(ours.DATABASES, tip, before or None)])
        if outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE):
            return tip
        if outcome.status != PushStatus.STALE:
            raise CannotJudge(
                f"The forge did not take `{ours.DATABASES}`, so what a database has reported is not kept: "
                f"{outcome.text}",
                "Let the bot's account write to the repository, and let its hooks take refs that are no branches.",
            )
    raise CannotJudge(
        f"`{ours.DATABASES}` was moved by somebody else {_MOST_TRIES} times in a row.", "It is tried again later."
    )


def _told(git: Git, tip: str, report: RowsReported) -> str:
    """The tip after one report: the same where that told nothing new."""
    ledger = ledger_at(git, tip)
    if report.rows is None:
        return _forgotten(git, ledger, report)
    known = ledger.get(report.database, report.environment)
    if known is None and len(ledger.databases) >= MOST_DATABASES:
        refused = FileChange(FULL, b"{}\n")
        subject = f"Refuse to keep more than {MOST_DATABASES} databases"
        return tip if FULL in ledger.files else _committed(git, tip, [refused], subject, report.at)
    after = learnt(known, report.database, report.environment, report.rows, report.at)
    if after == known:
        return tip
    file = FileChange(file_of(after.name, after.environment), encoded(after))
    named = ", ".join(report.rows[:_MOST_NAMED]) or "no rows"
    subject = f"{after.name} holds {named}{' …' if len(report.rows) > _MOST_NAMED else ''}"
    return _committed(git, tip, [file], subject, report.at)


def _forgotten(git: Git, ledger: Ledger, report: RowsReported) -> str:
    """The tip without a database: in all environments where the report names none."""
    gone = [
        FileChange(file_of(known.name, known.environment), None)
        for known in ledger.databases
        if known.name == report.database and report.environment in ("", known.environment) and known.at <= report.at
    ]
    if not gone:
        return ledger.tip
    if FULL in ledger.files:
        gone.append(FileChange(FULL, None))
    return _committed(git, ledger.tip, gone, f"Forget {report.database}", report.at)


def _committed(git: Git, tip: str, changes: list[FileChange], subject: str, at: str) -> str:
    author = Signature(ours.AUTHOR, ours.EMAIL, datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
    [sha] = write_commits(git, tip or _nothing(git), [Draft(commit_message([subject]), changes)], author)
    return sha


def _nothing(git: Git) -> str:
    """What the first report stands on."""
    return "0" * (64 if git.run("rev-parse", "--show-object-format").strip() == b"sha256" else 40)
