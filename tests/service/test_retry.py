from __future__ import annotations

import pytest

from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.forge.errors import Unavailable
from onehead.service.engine import delay_after

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
