"""What databases have reported, kept in the repository itself: the ref `refs/onehead/databases`.

Its tree has one JSON file per database, and each report that told something new is one commit on top, so the history of
what a database has held stays. Whoever may push can write there too: what is read is data, and what can't be understood
is said, never guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from onehead.databases.reported import ReportedDatabase, RowsReported, after_report, is_quotable
from onehead.errors import CannotJudge
from onehead.examine import naming
from onehead.gitrepo.commit import CommitDraft, CommitSeries, Signature, commit_message, write_commits
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import list_refs
from onehead.gitrepo.remote import PushStatus, RefUpdate
from onehead.gitrepo.tree import list_tree, read
from onehead.revisions.model import FileChange

if TYPE_CHECKING:
    from onehead.gitrepo.mirror import Mirror

MAX_DATABASES = 100
"""Databases of one repository; more are not kept, and everything counts as escaped until some are forgotten."""

_MAX_FILE_BYTES = 1 << 20
_MAX_FILES = MAX_DATABASES + 1  # the note that there were more is a file too
FULL = "full.json"
"""A file that says that there were more."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Ledger(NamedTuple):
    """What is known: databases by name, and the tip of the ref, empty where there is none, with its files.

    `trouble`: why this may not be all, a sentence; empty when it is.
    """

    tip: str
    databases: tuple[ReportedDatabase, ...]
    trouble: str = ""
    files: frozenset[str] = frozenset()

    def get(self, name: str, environment: str) -> ReportedDatabase | None:
        """One database."""
        return next((each for each in self.databases if (each.name, each.environment) == (name, environment)), None)


def read_ledger(git: Git) -> Ledger:
    """Read what the repository at hand knows of databases; nothing where the ref was never fetched."""
    tip = next((ref.sha for ref in list_refs(git, naming.DATABASES) if ref.name == naming.DATABASES), "")
    return ledger_at(git, tip)


def ledger_at(git: Git, tip: str) -> Ledger:
    """The same for one commit of that ref; for none, nothing is known."""
    if not tip:
        return Ledger("", ())
    entries = list_tree(git, tip).entries
    paths = sorted(entries)[:_MAX_FILES]
    data = read(git, [entries[path].oid for path in paths], _MAX_FILE_BYTES).data
    found: dict[tuple[str, str], ReportedDatabase] = {}
    trouble = f"`{naming.DATABASES}` holds more than is read." if len(entries) > _MAX_FILES else ""
    for path in paths:
        known = None if path == FULL else _decoded(data.get(entries[path].oid, b""))
        if known is not None and path == file_of(known.name, known.environment):
            found[known.name, known.environment] = known
        elif path == FULL:
            trouble = f"More than {MAX_DATABASES} databases have reported their rows, and no more are kept."
        else:
            trouble = f"A file of `{naming.DATABASES}` is not as onehead writes it, so what databases held is not sure."
    return Ledger(tip, tuple(found[key] for key in sorted(found)), trouble, frozenset(entries))


def file_of(name: str, environment: str) -> str:
    """The file of one database: readable, and unique whatever the name holds."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    digest = hashlib.sha256(json.dumps([name, environment]).encode()).hexdigest()[:12]
    return f"{words or 'database'}-{digest}.json"


def encoded(known: ReportedDatabase) -> bytes:
    """The file of a database."""
    fields = {
        "schema": "onehead.database/1",
        "database": known.name,
        "environment": known.environment,
        "rows": list(known.rows),
        "at": known.at,
        "held": dict(known.held),
        "overfull": known.overfull,
    }
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def _decoded(data: bytes) -> ReportedDatabase | None:
    """The database that a file tells of; `None` where it is not exactly what onehead writes."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match content:
        case {
            "schema": "onehead.database/1",
            "database": str(name),
            "environment": str(environment),
            "rows": [*rows],
            "at": str(at),
            "held": dict(held),
            "overfull": bool(overfull),
        } if all(isinstance(text, str) for text in (*rows, *held.values())) and _TIME.fullmatch(at):
            if all(map(_TIME.fullmatch, held.values())) and all(map(is_quotable, (name, environment, *rows, *held))):
                return ReportedDatabase(name, environment, tuple(rows), at, tuple(held.items()), overfull)
    return None


_MAX_TRIES = 5
_MAX_NAMED = 5
"""Rows in the subject of a commit."""


def remember(mirror: Mirror, reports: Iterable[RowsReported]) -> str:
    """Write what reports tell, where it is new, and return the commit of the ref as it is on the forge then.

    Raises `OneheadError` where the forge could not be reached, or does not take the ref.
    """
    told = sorted(reports, key=lambda report: (report.at, report.database, report.environment, report.rows or ()))
    for _ in range(_MAX_TRIES):
        mirror.fetch()
        tip = before = read_ledger(mirror.git).tip
        for report in told:
            tip = _told(mirror.git, tip, report)
        if tip == before:
            return before
        [outcome] = mirror.push([RefUpdate(naming.DATABASES, tip, before or None)])
        if outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE):
            return tip
        if outcome.status != PushStatus.STALE:
            raise CannotJudge(
                f"The forge did not take `{naming.DATABASES}`, so what a database has reported is not kept: "
                f"{outcome.text}",
                "Let the bot's account write to the repository, and let its hooks take refs that are no branches.",
            )
    raise CannotJudge(
        f"`{naming.DATABASES}` was moved by somebody else {_MAX_TRIES} times in a row.", "It is tried again later."
    )


def _told(git: Git, tip: str, report: RowsReported) -> str:
    """The tip after one report: the same where that told nothing new."""
    ledger = ledger_at(git, tip)
    if report.rows is None:
        return _forgotten(git, ledger, report)
    known = ledger.get(report.database, report.environment)
    if known is None and len(ledger.databases) >= MAX_DATABASES:
        refused = FileChange(FULL, b"{}\n")
        subject = f"Refuse to keep more than {MAX_DATABASES} databases"
        return tip if FULL in ledger.files else _committed(git, tip, [refused], subject, report.at)
    after = after_report(known, report.database, report.environment, report.rows, report.at)
    if after == known:
        return tip
    file = FileChange(file_of(after.name, after.environment), encoded(after))
    named = ", ".join(report.rows[:_MAX_NAMED]) or "no rows"
    subject = f"{after.name} holds {named}{' …' if len(report.rows) > _MAX_NAMED else ''}"
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
    author = Signature(naming.AUTHOR, naming.EMAIL, datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
    draft = CommitDraft(commit_message([subject]), changes)
    if not tip:  # what the first report stands on
        tip = "0" * (64 if git.run("rev-parse", "--show-object-format").strip() == b"sha256" else 40)
    [[sha]] = write_commits(git, CommitSeries(tip, [draft], author))
    return sha
