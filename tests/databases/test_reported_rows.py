"""What a deploy job reports: signed, fresh, of one repository, and nothing that could do harm."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.databases.reported import (
    MAX_BYTES,
    MAX_ROW_LENGTH,
    MAX_ROWS,
    WINDOW,
    Purpose,
    ReportRefused,
    key_of,
    opened,
    report_of,
    signature,
    written,
)
from onehead.errors import UsageError

SECRET = "a-secret-of-the-service"
SHOP = "acme/shop"
NOW = datetime(2026, 11, 28, 10, 15, tzinfo=UTC)
REPORT = report_of(SHOP, "production", "", ["020", "019", "019"], NOW)
FIELDS = {
    "schema": "onehead.rows/1",
    "repository": "acme/shop",
    "database": "production",
    "environment": "",
    "rows": ["019", "020"],
    "at": "2026-11-28T10:15:00Z",
}


def signed(body: bytes, repository: str = SHOP, secret: str = SECRET, purpose: Purpose = "report") -> str:
    return signature(key_of(secret, repository, purpose), body)


def refusal(body: bytes, given: str | None = None, now: datetime = NOW) -> ReportRefused:
    with pytest.raises(ReportRefused) as caught:
        opened([SECRET], signed(body) if given is None else given, body, now)
    return caught.value


def test_a_report_arrives_as_it_was_sent() -> None:
    body = written(REPORT)
    assert json.loads(body) == FIELDS
    assert opened([SECRET], signed(body), body, NOW) == REPORT
    assert opened(["new-one", SECRET], signed(body).upper(), body, NOW) == REPORT


def test_the_key_is_what_openssl_makes_of_the_secret() -> None:
    """As docs/how-to/report-rows.md shows; case does not count in a name, as it does not in Forgejo."""
    expected = hmac.new(SECRET.encode(), b"onehead:report\nacme/shop", hashlib.sha256).hexdigest()
    assert key_of(SECRET, SHOP) == key_of(SECRET, "Acme/Shop") == expected
    body = written(REPORT)
    assert signature(expected, body) == hmac.new(expected.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "0" * 64,
        "sha256=",
        "ä" * 64,
        signed(written(REPORT), "acme/other"),
        signed(written(REPORT), secret="another"),
        signed(written(REPORT), purpose="forget"),
        signature(SECRET, written(REPORT)),
        signed(written(REPORT) + b" "),
    ],
)
def test_whoever_has_not_the_key_of_this_repository_is_turned_away(given: str) -> None:
    refused = refusal(written(REPORT), given)
    assert (refused.outcome, refused.message) == (
        "bad-signature",
        "The report is not signed with the key of this repository.",
    )


def test_without_a_secret_nothing_is_accepted() -> None:
    body = written(REPORT)
    with pytest.raises(ReportRefused):
        opened([], signature(key_of("", SHOP), body), body, NOW)


def test_the_key_of_a_deploy_job_can_not_make_anything_be_forgotten() -> None:
    forget = report_of(SHOP, "production", "", None, NOW)
    body = written(forget)
    assert json.loads(body)["rows"] is None
    assert opened([SECRET], signed(body, purpose="forget"), body, NOW) == forget
    refused = refusal(body, signed(body))
    assert refused.outcome == "bad-signature"
    assert "the secret itself" in refused.message


@pytest.mark.parametrize("late", [WINDOW + timedelta(seconds=1), -WINDOW - timedelta(seconds=1), timedelta(days=400)])
def test_a_report_is_of_no_use_later(late: timedelta) -> None:
    body = written(REPORT)
    assert opened([SECRET], signed(body), body, NOW + WINDOW) == REPORT
    assert opened([SECRET], signed(body), body, NOW - WINDOW) == REPORT
    refused = refusal(body, now=NOW + late)
    assert refused.outcome == "not-fresh"
    assert refused.message.startswith("The report says it is of 2026-11-28T10:15:00Z, and here it is ")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b"[" * 10_000,
        b"{}",
        json.dumps({**FIELDS, "repository": 7}).encode(),
        json.dumps({**FIELDS, "repository": "acme/\ud800"}).encode(),
        json.dumps({**FIELDS, "repository": "shop"}).encode(),
    ],
)
def test_what_is_no_report_is_said_to_be_none(body: bytes) -> None:
    assert refusal(body).outcome == "not-understood"


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": "onehead.rows/2"},
        {"more": 1},
        {"database": ""},
        {"database": " production"},
        {"database": "a" * 101},
        {"database": "a`b"},
        {"database": "a\nb"},
        {"database": "a\u202eb"},
        {"database": 7},
        {"environment": "x" * 300},
        {"environment": None},
        {"rows": "019"},
        {"rows": [19]},
        {"rows": [""]},
        {"rows": ["0`19"]},
        {"rows": ["x" * (MAX_ROW_LENGTH + 1)]},
        {"rows": [str(number) for number in range(MAX_ROWS + 1)]},
        {"at": "yesterday"},
        {"at": "2026-11-28T10:15:00+00:00"},
        {"at": "2026-13-28T10:15:00Z"},
        {"at": 0},
    ],
)
def test_a_signed_report_that_is_not_of_the_form_is_not_taken(changed: dict[str, Any]) -> None:
    assert refusal(json.dumps({**FIELDS, **changed}).encode()).outcome == "not-understood"


@pytest.mark.parametrize("name", ["shop", "acme/", "/shop", "a/b/c", "acme/shop\n", "acme/`shop"])
def test_a_repository_is_owner_and_name(name: str) -> None:
    with pytest.raises(UsageError, match="This can't be reported: the repository is not named as owner/name"):
        report_of(name, "production", "", [], NOW)
    body = json.dumps({**FIELDS, "repository": name}).encode()
    assert refusal(body, signed(body, name)).outcome == "not-understood"


def test_the_largest_report_fits() -> None:
    rows = [f"{number:03}" + "\U00020000" * (MAX_ROW_LENGTH - 3) for number in range(MAX_ROWS)]
    body = written(report_of(SHOP, "ж" * 100, "ж" * 255, rows, NOW))
    assert len(body) < MAX_BYTES
    assert opened([SECRET], signed(body), body, NOW).rows == tuple(rows)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists) | st.binary())
def test_whatever_is_sent_is_answered(content: Any) -> None:
    body = content if isinstance(content, bytes) else json.dumps({**FIELDS, "rows": content}).encode()
    outcome = "taken"
    try:
        opened([SECRET], signed(body), body, NOW)
    except ReportRefused as refused:
        outcome = refused.outcome
    is_list = isinstance(content, list) and all(isinstance(row, str) for row in content)
    assert outcome in {"not-understood", "bad-signature", *(["taken"] if is_list else [])}
