"""`onehead database`: what an upgrade of the shared tables would do, and whether the old version may go on."""

from __future__ import annotations

import pytest

from onehead.cli.main import main
from onehead.service import postgres_schema

ADDS = "procrastinate 03.03.00_01_pre_priority_lock_fetch_job"
REMOVES = "procrastinate 03.04.00_50_post_add_retry_failed_job_procedure"
OURS = "onehead 0001 inbox"


@pytest.mark.parametrize(
    ("steps", "stops"),
    [([ADDS, OURS], False), ([ADDS, REMOVES, OURS], True), ([f"onehead {n:04}" for n in range(9)], False)],
)
def test_every_step_is_named_and_what_has_to_stop(
    steps: list[str], stops: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgres_schema, "missing", lambda _url: steps)
    monkeypatch.setenv("ONEHEAD_DATABASE_URL", "postgresql://onehead@127.0.0.1/onehead")

    assert main(["database"]) == 1

    shown = capsys.readouterr().out
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")] == steps
    assert ("Stop every older onehead first" in shown) == stops
    assert shown.endswith("Next: onehead database upgrade\n")
