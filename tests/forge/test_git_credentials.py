from __future__ import annotations

from base64 import b64decode

from onehead.forge.credentials import git_authorization


def test_header_line_for_git() -> None:
    assert git_authorization("s3cret") == "Authorization: Basic b25laGVhZDpzM2NyZXQ="
    assert b64decode("b25laGVhZDpzM2NyZXQ=") == b"onehead:s3cret"


def test_long_token_stays_on_one_line() -> None:
    assert "\n" not in git_authorization("x" * 500)
