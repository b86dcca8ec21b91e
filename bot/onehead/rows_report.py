"""What a deploy job reports of its database: values in, signed bytes out, and back. Pure.

A deploy job is trusted less than Forgejo: it gets a key of its repository alone, derived from the secret of the
service, which can do nothing but report. Nor can it make anything be forgotten; that takes the secret itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from onehead.errors import UsageError

PATH = "/reports/rows"
"""Where the service takes reports, below its own address."""

SIGNATURE = "X-Onehead-Signature"
"""Header with the HMAC-SHA256 of the body, in hexadecimal digits."""

SCHEMA = "onehead.rows/1"

LARGEST = 128 * 1024
"""Bytes of a report; the longest that can be written is shorter."""

WINDOW = timedelta(minutes=5)
"""How far the time of a report may be from the service's own: a recorded one is of no use later."""

MOST_ROWS = 100
LONGEST_ROW = 255
"""Characters. Alembic's own column has 32, and some projects have widened it."""
LONGEST_NAME = 100

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HINT = "Send what `onehead report-rows` of the same version sends."

Purpose = Literal["report", "forget"]


class Report(NamedTuple):
    """What is told of one database.

    Attributes:
        repository: `owner/name`.
        database: its name.
        environment: path of the environment that it belongs to; empty where that is plain.
        rows: content of `alembic_version`, sorted; `None`: forget the database.
        at: when, in UTC, whole seconds.
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


class Refused(UsageError):
    """A report is not taken.

    Attributes:
        outcome: a fixed word for scripts and metrics.
    """

    def __init__(self, outcome: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.outcome = outcome


def key_of(secret: str, repository: str, purpose: Purpose = "report") -> str:
    """The key with which reports about one repository are signed; case does not count in its name."""
    subject = f"onehead:{purpose}\n{repository.lower()}"
    return hmac.new(secret.encode(), subject.encode(), hashlib.sha256).hexdigest()


def report_of(repository: str, database: str, environment: str, rows: Iterable[str] | None, at: datetime) -> Report:
    """A report that can be sent.

    Raises:
        UsageError: something can't be told this way.
    """
    told = None if rows is None else tuple(sorted(set(rows)))
    trouble = _trouble(repository, database, environment, told)
    if trouble:
        raise UsageError(f"This can't be reported: {trouble}.")
    return Report(repository, database, environment, told, at.astimezone(UTC).replace(microsecond=0))


def written(report: Report) -> bytes:
    """The body."""
    fields: dict[str, object] = {
        "schema": SCHEMA,
        "repository": report.repository,
        "database": report.database,
        "environment": report.environment,
        "rows": None if report.rows is None else list(report.rows),
        "at": report.time,
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def signature(key: str, body: bytes) -> str:
    """The value of the header."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def opened(secrets: Iterable[str], given: str, body: bytes, now: datetime) -> Report:
    """The report in a body, signed for its repository, and fresh.

    Args:
        secrets: of the service; the key of any of them may have signed.
        given: the value of the header.
        body: as it came.
        now: with a time zone.

    Raises:
        Refused: it is none, or not signed by whom it says, or of another time.
    """
    fields = _parsed(body)
    repository = fields.get("repository")
    if not isinstance(repository, str) or not _is_repository(repository):
        raise Refused("not-understood", "The report names no repository.", _HINT)
    purpose: Purpose = "forget" if fields.get("rows", ()) is None else "report"
    expected = [signature(key_of(secret, repository, purpose), body) for secret in secrets]
    # Every secret is compared, in constant time, whatever the first says.
    if not sum(hmac.compare_digest(each.encode(), given.lower().encode()) for each in expected):
        with_what = "key of this repository" if purpose == "report" else "secret itself, as forgetting has to be"
        raise Refused(
            "bad-signature",
            f"The report is not signed with the {with_what}.",
            "Give the job the key that `onehead report-rows --show-key` prints for this repository."
            if purpose == "report"
            else "Run `onehead report-rows --forget` where ONEHEAD_REPORT_SECRET is set.",
        )
    report = _checked(fields)
    if abs(now - report.at) > WINDOW:
        minutes = int(WINDOW.total_seconds() // 60)
        raise Refused(
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
        raise Refused("not-understood", "The report is not JSON.", _HINT) from None
    if not isinstance(content, dict):
        raise Refused("not-understood", "The report is not a JSON object.", _HINT)
    return content


def _checked(fields: dict[str, Any]) -> Report:
    expected = {"schema", "repository", "database", "environment", "rows", "at"}
    if fields.keys() != expected or fields["schema"] != SCHEMA:
        raise Refused("not-understood", f"The report is not of the form {SCHEMA}.", _HINT)
    texts = [fields["database"], fields["environment"], fields["at"]]
    rows = fields["rows"]
    if not all(isinstance(text, str) for text in texts) or not (rows is None or isinstance(rows, list)):
        raise Refused("not-understood", f"A field of the report is not what {SCHEMA} has there.", _HINT)
    if rows is not None and not all(isinstance(row, str) for row in rows):
        raise Refused("not-understood", "A row of the report is not text.", _HINT)
    told = None if rows is None else tuple(sorted(set(rows)))
    trouble = _trouble(fields["repository"], fields["database"], fields["environment"], told)
    if trouble:
        raise Refused("not-understood", f"The report is not taken: {trouble}.", _HINT)
    try:
        at = datetime.strptime(fields["at"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise Refused("not-understood", "The time of the report is not like 2026-11-28T10:15:00Z.", _HINT) from None
    return Report(fields["repository"], fields["database"], fields["environment"], told, at)


def _trouble(repository: str, database: str, environment: str, rows: tuple[str, ...] | None) -> str:
    """Why something can't be told, a clause; empty where it can. Names go into comments: they are short and plain."""
    if not _is_repository(repository):
        return "the repository is not named as owner/name"
    if not database or not _is_plain(database, LONGEST_NAME) or database != database.strip():
        return f"the name of the database is empty, has more than {LONGEST_NAME} characters, or one that is not plain"
    if not _is_plain(environment, LONGEST_ROW):
        return "the path of the environment is too long, or not plain text"
    if rows is not None and len(rows) > MOST_ROWS:
        return f"{len(rows)} rows are more than the {MOST_ROWS} that a version table may have"
    bad = [row for row in rows or () if not row or not _is_plain(row, LONGEST_ROW)]
    if bad:
        return f"a row has more than {LONGEST_ROW} characters, or one that no revision has"
    return ""


def _is_repository(text: str) -> bool:
    owner, _, name = text.partition("/")
    return bool(owner and name) and "/" not in name and " " not in text and _is_plain(text, 2 * LONGEST_NAME)


def _is_plain(text: str, longest: int) -> bool:
    return len(text) <= longest and text.isprintable() and "`" not in text
