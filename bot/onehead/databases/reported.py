"""Rows that deploy jobs report: the signed report, and what it proves about the revisions of an environment. Pure.

A report is the content of `alembic_version`. It can prove that a revision was run, never that one was not. So a row
that a database has reported once is remembered, whatever it reports later.

A deploy job is trusted less than Forgejo. It has a key for its repository alone, derived from the secret of the
service, which allows it to report and nothing else. To remove a database from the record takes the secret itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from onehead.databases.states import read_rows, with_rows
from onehead.errors import UsageError
from onehead.plan.findings import Facts, Held
from onehead.revisions.model import Revision

MAX_HELD = 2000
"""Rows remembered per database; one that has named more counts as one that has run everything."""


MAX_ROW_LENGTH = 255
"""Characters. Alembic's own column has 32, and some projects have widened it."""


def is_quotable(text: str, longest: int = MAX_ROW_LENGTH) -> bool:
    """Whether a name or row can be one, and can stand between backticks: whoever may push can write it down."""
    return len(text) <= longest and text.isprintable() and "`" not in text


class ReportedDatabase(NamedTuple):
    """A database that has reported itself.

    Attributes:
        name: as its deploy job names it.
        environment: path of the environment, or of its configuration or scripts; empty where the report named none.
        rows: content of `alembic_version` in the newest report, sorted.
        at: time of the report that brought these rows, in UTC: `2026-11-28T10:15:00Z`.
        held: every row that it ever named → the time at which it was named first.
        overfull: whether it has named more rows than are remembered.
    """

    name: str
    environment: str
    rows: tuple[str, ...]
    at: str
    held: tuple[tuple[str, str], ...]
    overfull: bool = False


class Proof(NamedTuple):
    """What the known databases prove about one environment.

    `run`: path of a revision file → what databases held when they had run that revision. `unplaced`: rows of today that
    no file of either side declares. `overfull`: names of databases that have named more rows than are remembered.
    """

    run: dict[str, tuple[Held, ...]]
    unplaced: tuple[Held, ...]
    overfull: tuple[str, ...]


class Standpoint(NamedTuple):
    """Where a known database stands: its name, its rows by their full ids (sorted), and since which day."""

    database: str
    rows: tuple[str, ...]
    day: str


def after_report(
    known: ReportedDatabase | None, name: str, environment: str, rows: Iterable[str], at: str
) -> ReportedDatabase:
    """What is known of a database after one more report: the very same value where that says nothing new.

    A report that is older than the newest one adds to `held` and to nothing else.
    """
    now = tuple(sorted(set(rows)))
    if known is None:
        return _bounded(ReportedDatabase(name, environment, now, at, tuple((row, at) for row in now)))
    held = known.held + tuple((row, at) for row in now if row not in dict(known.held))
    is_newest = at > known.at and (now, environment) != (known.rows, known.environment)
    after = known._replace(rows=now, at=at, environment=environment) if is_newest else known
    return _bounded(after._replace(held=held))


def _bounded(known: ReportedDatabase) -> ReportedDatabase:
    if len(known.held) <= MAX_HELD:
        return known
    return known._replace(held=known.held[:MAX_HELD], overfull=True)


def proof_of(facts: Facts, databases: Iterable[ReportedDatabase], movable: Iterable[Revision]) -> Proof:
    """What databases prove about an environment, of the revisions that a repair may have to move.

    What the target has is published anyway, so a row of the target proves nothing more: of two files with one id, it
    is the target's that such a database has run.
    """
    wanted, databases = tuple(movable), tuple(databases)
    rows = sorted({row for each in databases for row in (*each.rows, *dict(each.held)) if row not in facts.target})
    graphs = filter(None, (facts.target, facts.merged, facts.head))
    # An ambiguous row means all of its ids, for who knows.
    meanings = [(graph, {row.text: row.means for row in read_rows(graph, rows)}) for graph in graphs]
    run_by = {
        row: frozenset[str]().union(*(with_rows(graph, means[row]).applied for graph, means in meanings if means[row]))
        for row in rows
    }
    run: dict[str, list[Held]] = {}
    unplaced: list[Held] = []
    for database in databases:
        for row, at in database.held:
            if _is_about(facts, database, row):
                for revision in wanted:
                    if revision.id in run_by.get(row, ()):
                        run.setdefault(revision.path, []).append(Held(database.name, row, day(at)))
        unplaced += [
            Held(database.name, row, day(database.at))
            for row in database.rows
            if _names_it(facts, database) and row not in facts.elsewhere and row in run_by and not run_by[row]
        ]
    overfull = tuple(database.name for database in databases if database.overfull)
    return Proof({path: tuple(found) for path, found in run.items()}, tuple(unplaced), overfull)


def standpoints(facts: Facts, databases: Iterable[ReportedDatabase]) -> tuple[Standpoint, ...]:
    """Where the databases of an environment stand now, by name."""
    found = []
    for database in databases:
        rows = read_rows(facts.merged, database.rows)
        here = any(row.means and _is_about(facts, database, row.text) for row in rows)
        lost = _names_it(facts, database) and facts.elsewhere.isdisjoint(database.rows)
        if here or lost:
            # By the ids that Alembic takes them for.
            full = {row.means[0] if row.kind == "prefix" else row.text for row in rows}
            found.append(Standpoint(database.name, tuple(sorted(full)), day(database.at)))
    return tuple(sorted(found))


class Progress(NamedTuple):
    """How far a database is along one chain: the rows that no file declares, and how many revisions it has not run."""

    unknown: tuple[str, ...]
    missing: int


def progress(facts: Facts, known: ReportedDatabase) -> Progress | None:
    """How far a database is; `None` where it is one of another environment."""
    for at in standpoints(facts, (known,)):
        unknown = tuple(row for row in at.rows if row not in facts.merged)
        return Progress(unknown, len(facts.merged) - len(with_rows(facts.merged, at.rows).applied))
    return None


def day(at: str) -> str:
    """The day of a time."""
    return at[:10]


def _names_it(facts: Facts, database: ReportedDatabase) -> bool:
    """Whether a database may be one of this environment, as far as its report tells."""
    place = facts.environment
    return database.environment in ("", place.path, place.script_location, place.config)


def _is_about(facts: Facts, database: ReportedDatabase, row: str) -> bool:
    """Whether a row speaks of this environment: of two that both use an id, the report has to say which it means."""
    return _names_it(facts, database) or row not in facts.elsewhere


PATH = "/reports/rows"
"""Where the service takes reports, below its own address."""

SIGNATURE = "X-Onehead-Signature"
"""Header with the HMAC-SHA256 of the body, in hexadecimal digits."""

SCHEMA = "onehead.rows/1"

MAX_BYTES = 128 * 1024
"""Bytes of a report; the longest that can be written is shorter."""

WINDOW = timedelta(minutes=5)
"""How far the time of a report may be from the service's own: a recorded one is of no use later."""

MAX_ROWS = 100
MAX_NAME_LENGTH = 100

_TIME = "%Y-%m-%dT%H:%M:%SZ"

Purpose = Literal["report", "forget"]


class RowsReport(NamedTuple):
    """What is told of one database of a repository (`owner/name`).

    `environment` is a path; empty where that is plain. `rows` are sorted; `None`: forget the database. `at` is in UTC,
    whole seconds.
    """

    repository: str
    database: str
    environment: str
    rows: tuple[str, ...] | None
    at: datetime

    @property
    def time(self) -> str:
        """When, as it is written: `2026-11-28T10:15:00Z`."""
        return self.at.strftime(_TIME)


class ReportRefused(UsageError):
    """A report is not taken; `outcome` is a fixed word for scripts and metrics."""

    def __init__(self, outcome: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint or "Send what `onehead report-rows` of the same version sends.")
        self.outcome = outcome


def key_of(secret: str, repository: str, purpose: Purpose = "report") -> str:
    """The key with which reports about one repository are signed; case does not count in its name."""
    return hmac.new(secret.encode(), f"onehead:{purpose}\n{repository.lower()}".encode(), hashlib.sha256).hexdigest()


def report_of(repository: str, database: str, environment: str, rows: Iterable[str] | None, at: datetime) -> RowsReport:
    """A report that can be sent.

    Raises:
        UsageError: something can't be told this way.
    """
    rows = None if rows is None else tuple(sorted(set(rows)))
    report = RowsReport(repository, database, environment, rows, at.astimezone(UTC).replace(microsecond=0))
    trouble = _trouble(report)
    if trouble:
        raise UsageError(f"This can't be reported: {trouble}.")
    return report


def written(report: RowsReport) -> bytes:
    """The body."""
    return json.dumps({"schema": SCHEMA, **report._asdict(), "at": report.time}, ensure_ascii=False).encode()


def signature(key: str, body: bytes) -> str:
    """The value of the header."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def opened(secrets: Iterable[str], given: str, body: bytes, now: datetime) -> RowsReport:
    """The report in a body, signed for its repository, and fresh.

    The key of any of the service's `secrets` may have signed; `given` is the value of the header.

    Raises:
        ReportRefused: it is none, or not signed by whom it says, or of another time.
    """
    fields = _parsed(body)
    repository = fields.get("repository")
    if not isinstance(repository, str) or not _is_repository(repository):
        raise ReportRefused("not-understood", "The report names no repository.")
    purpose: Purpose = "forget" if fields.get("rows", ()) is None else "report"
    expected = [signature(key_of(secret, repository, purpose), body) for secret in secrets]
    # Every secret is compared, in constant time, whatever the first says.
    if not sum(hmac.compare_digest(each.encode(), given.lower().encode()) for each in expected):
        with_what = "key of this repository" if purpose == "report" else "secret itself, as forgetting has to be"
        raise ReportRefused(
            "bad-signature",
            f"The report is not signed with the {with_what}.",
            "Give the job the key that `onehead report-rows --show-key` prints for this repository."
            if purpose == "report"
            else "Run `onehead report-rows --forget` where ONEHEAD_REPORT_SECRET is set.",
        )
    report = _checked(fields)
    if abs(now - report.at) > WINDOW:
        minutes = int(WINDOW.total_seconds() // 60)
        raise ReportRefused(
            "not-fresh",
            f"The report says it is of {report.time}, and here it is {now.astimezone(UTC).strftime(_TIME)}: more than "
            f"{minutes} minutes apart.",
            "Set the clocks right and report again; an old report is not taken twice.",
        )
    return report


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ReportRefused("not-understood", "The report is not JSON.") from None
    if not isinstance(content, dict):
        raise ReportRefused("not-understood", "The report is not a JSON object.")
    return content


def _checked(fields: dict[str, Any]) -> RowsReport:
    if fields.keys() != {"schema", *RowsReport._fields} or fields["schema"] != SCHEMA:
        raise ReportRefused("not-understood", f"The report is not of the form {SCHEMA}.")
    rows = fields["rows"]
    is_text = all(isinstance(fields[name], str) for name in ("database", "environment", "at"))
    if not is_text or not (rows is None or isinstance(rows, list)):
        raise ReportRefused("not-understood", f"A field of the report is not what {SCHEMA} has there.")
    if rows is not None and not all(isinstance(row, str) for row in rows):
        raise ReportRefused("not-understood", "A row of the report is not text.")
    try:
        at = datetime.strptime(fields["at"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise ReportRefused("not-understood", "The time of the report is not like 2026-11-28T10:15:00Z.") from None
    rows = None if rows is None else tuple(sorted(set(rows)))
    report = RowsReport(fields["repository"], fields["database"], fields["environment"], rows, at)
    trouble = _trouble(report)
    if trouble:
        raise ReportRefused("not-understood", f"The report is not taken: {trouble}.")
    return report


def _trouble(report: RowsReport) -> str:
    """Why something can't be told, a clause; empty where it can. Names go into comments: they are short and plain."""
    name, rows = report.database, report.rows or ()
    if not _is_repository(report.repository):
        return "the repository is not named as owner/name"
    if not name or not is_quotable(name, MAX_NAME_LENGTH) or name != name.strip():
        return (
            f"the name of the database is empty, has more than {MAX_NAME_LENGTH} characters, or one that is not plain"
        )
    if not is_quotable(report.environment):
        return "the path of the environment is too long, or not plain text"
    if len(rows) > MAX_ROWS:
        return f"{len(rows)} rows are more than the {MAX_ROWS} that a version table may have"
    if not all(row and is_quotable(row) for row in rows):
        return f"a row has more than {MAX_ROW_LENGTH} characters, or one that no revision has"
    return ""


def _is_repository(text: str) -> bool:
    owner, _, name = text.partition("/")
    return bool(owner and name) and "/" not in name and " " not in text and is_quotable(text, 2 * MAX_NAME_LENGTH)


@dataclass(frozen=True, slots=True)
class RowsReported:
    """A database has told what its `alembic_version` holds; unlike the other subjects, nothing else knows of it.

    Environment, rows and time are those of a `RowsReport`, the time as it is written.
    """

    database: str
    environment: str
    rows: tuple[str, ...] | None
    at: str
