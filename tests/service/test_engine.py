"""What the embedded engine says and when it tries again; what it does is in test_engine_contract.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.forge.errors import Unavailable
from onehead.service.engine import (
    BranchGone,
    BranchMoved,
    CommandGiven,
    EmbeddedEngine,
    Everything,
    Job,
    PullChanged,
    delay_after,
)

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


def test_a_job_without_subjects_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a job for acme/shop without subjects asks for nothing$"):
        Job("acme/shop", frozenset())


def test_merging_unites_the_subjects_and_drops_repetitions() -> None:
    moved = BranchMoved("refs/heads/main")
    first = Job("acme/shop", frozenset({moved, PullChanged(7)}))
    second = Job("acme/shop", frozenset({BranchMoved("refs/heads/main"), BranchGone("refs/heads/main")}))

    assert first.merged_with(second) == Job(
        "acme/shop", frozenset({moved, PullChanged(7), BranchGone("refs/heads/main")})
    )


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ({Everything()}, True),
        ({Everything(), PullChanged(1)}, False),
        ({CommandGiven(comment=5, number=1)}, False),
    ],
)
def test_only_a_sweep_alone_is_routine(subjects: set[Everything], expected: bool) -> None:
    assert Job("acme/shop", frozenset(subjects)).is_routine is expected


AWAY = OneheadError("Forgejo is away.")
DEFECT = KeyError("x")


def test_the_delay_doubles_from_a_second_to_five_minutes() -> None:
    assert [delay_after(AWAY, attempt) for attempt in range(1, 12)] == [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
    ]  # fmt: skip


def test_known_trouble_is_tried_for_a_day() -> None:
    delays = [delay_after(AWAY, attempt) for attempt in range(1, 301)]

    assert delays[-1] is None
    assert None not in delays[:-1]
    assert 24 * 3600 < sum(delay for delay in delays if delay) < 25 * 3600


def test_a_defect_is_given_up_after_eight_attempts() -> None:
    assert [delay_after(DEFECT, attempt) for attempt in (1, 7, 8, 9)] == [1, 64, None, None]


def test_wrong_configuration_is_not_tried_again() -> None:
    assert delay_after(UsageError("wrong"), 1) is None
    assert delay_after(CannotJudge("unreadable"), 1) == 1


@pytest.mark.parametrize(
    ("asked", "attempt", "expected"), [(None, 1, 1), (90.0, 1, 90), (0.0, 3, 4), (10.0, 9, 256), (4000.0, 20, 4000)]
)
def test_the_forges_own_wish_is_a_lower_limit(asked: float | None, attempt: int, expected: float) -> None:
    assert delay_after(Unavailable("Busy.", status=429, retry_after=asked), attempt) == expected
