"""What a refusal means, and the way out that it names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from onehead.forge.errors import (
    Archived,
    Forbidden,
    ForgeError,
    MissingScope,
    NotFound,
    Refused,
    StateConflict,
    TooSoon,
    Unauthorised,
    Unavailable,
    refusal,
    seconds_to_wait,
)

NOW = datetime(2026, 6, 30, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, "body changed", Refused),
        (401, "token is required", Unauthorised),
        (403, "user should have a permission to write to this repo", Forbidden),
        (404, "The target couldn't be found.", NotFound),
        (405, "Please try again later", TooSoon),
        (405, "Not allowed to merge", Refused),
        (409, "pull request already exists for these targets", StateConflict),
        (412, "cannot close this issue because it still has open dependencies", StateConflict),
        (413, "quota exceeded", Refused),
        (422, "[Title]: Required", Refused),
        (423, "Repo is archived", Archived),
        (429, "", Unavailable),
        (500, "", Unavailable),
        (503, "", Unavailable),
    ],
)
def test_kind(status: int, answer: str, kind: type[ForgeError]) -> None:
    error = refusal(status, "POST /x", answer)
    assert type(error) is kind
    assert error.status == status
    assert error.message.startswith(f"Forgejo answered {status} to POST /x")
    assert error.hint.endswith(".")


def test_missing_scope_is_named_with_the_place_to_add_it() -> None:
    answer = "token does not have at least one of required scope(s): [write:issue]"
    error = refusal(403, "POST /repos/a/b/issues/3/comments", answer)
    assert isinstance(error, MissingScope)
    assert error.scopes == ("write:issue",)
    assert error.message == (
        "Forgejo answered 403 to POST /repos/a/b/issues/3/comments: token does not have at least one of required "
        "scope(s): [write:issue]. The token lacks the scope write:issue."
    )
    assert error.hint == (
        "Make a new token for the bot's account (Forgejo → Settings → Applications → Access tokens; the scopes of an "
        "existing one can't be changed) with write:repository, write:issue, read:user, and give it to onehead as "
        "ONEHEAD_TOKEN."
    )
    assert error.exit_code == 2


def test_several_scopes() -> None:
    error = refusal(403, "GET /x", "token does not have at least one of required scope(s): [read:issue read:user]")
    assert isinstance(error, MissingScope)
    assert error.scopes == ("read:issue", "read:user")
    assert "the scope read:issue or read:user." in error.message


def test_public_only_token() -> None:
    error = refusal(403, "GET /x", "token scope is limited to public repos")
    assert type(error) is Forbidden
    assert "for public repositories only" in error.message


def test_wrong_token_is_a_matter_of_configuration() -> None:
    error = refusal(401, "GET /user", "user does not exist [uid: 0, name: ]")
    assert error.exit_code == 2
    assert "ONEHEAD_TOKEN" in error.hint


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Tue, 30 Jun 2026 09:00:30 GMT", 30.0),
        ("Tue, 30 Jun 2026 08:00:00 GMT", 0.0),
        ("Tue, 30 Jun 2026 09:00:30 -0000", 30.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, NOW) == seconds


def test_retry_after_is_kept() -> None:
    error = refusal(503, "GET /x", "", 12.5)
    assert isinstance(error, Unavailable)
    assert error.retry_after == 12.5
