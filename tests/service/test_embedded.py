"""What the embedded engine says; what it does is in test_engine_contract.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from onehead.errors import OneheadError
from onehead.service.engine import EmbeddedEngine, Job, PullChanged

JOB = Job("acme/shop", frozenset({PullChanged(1)}))


def said_about(failure: BaseException | None, retry: Callable[[BaseException, int], float | None]) -> list[EventDict]:
    """The lines logged while one job is run until it succeeds or is given up."""
    failures = iter([failure] if failure else [])

    def handler(_job: Job) -> None:
        if (error := next(failures, None)) is not None:
            raise error

    engine = EmbeddedEngine(handler, concurrency=1, retry=retry)
    with capture_logs() as lines:
        engine.submit(JOB)
        engine.start()
        assert engine.wait_until_idle(10)
        assert engine.stop(10)
    for line in lines:
        assert line.pop("seconds") >= 0
    return lines


def test_a_done_job_is_one_line() -> None:
    assert said_about(None, lambda _error, _attempt: None) == [
        {"event": "A job is done.", "log_level": "info", "repository": "acme/shop"}
    ]


def test_known_trouble_has_its_sentence_and_hint_and_no_trace() -> None:
    lines = said_about(OneheadError("Forgejo is away.", "Look at its log."), lambda _error, _attempt: 0.001)

    assert lines == [
        {
            "event": "A job failed and will be tried again.",
            "log_level": "warning",
            "repository": "acme/shop",
            "attempt": 1,
            "error": "Forgejo is away.",
            "hint": "Look at its log.",
            "retry_in": 0.001,
            "exc_info": None,
        },
        {"event": "A job is done.", "log_level": "info", "repository": "acme/shop"},
    ]


@pytest.mark.parametrize(("defect", "text"), [(KeyError("branch"), "'branch'"), (ValueError(), "ValueError")])
def test_a_defect_comes_with_its_trace(defect: Exception, text: str) -> None:
    assert said_about(defect, lambda _error, _attempt: None) == [
        {
            "event": "A job failed and is given up; the next sweep takes it up again.",
            "log_level": "error",
            "repository": "acme/shop",
            "attempt": 1,
            "error": text,
            "exc_info": defect,
        }
    ]
