"""When to try a failed job again. Pure: takes no clock and no randomness."""

from __future__ import annotations

from onehead.errors import OneheadError, UsageError

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
ATTEMPTS_AT_TROUBLE = 300
ATTEMPTS_AT_WHAT_LASTS = 8


def delay_after(error: BaseException, attempt: int) -> float | None:
    """How long to wait before the next attempt.

    The delay doubles from one second to five minutes. Trouble that onehead knows (the forge is away, git was
    refused) is tried for a day, so that a verdict appears soon after an outage; a longer one is the sweep's
    affair. What most likely stays is given up after eight attempts, about two minutes, and taken up by each sweep: an
    unknown exception, which is a defect in onehead, and what only a person can change (`OneheadError.lasting`). Wrong
    configuration does not heal by waiting.

    Args:
        error: what the attempt raised. A `retry_after` attribute (seconds, from the forge's own header)
            makes the delay at least that long.
        attempt: how many attempts have failed in a row, this one included; starts at 1.

    Returns:
        Seconds to wait, or `None` to give up.
    """
    if isinstance(error, UsageError):
        return None
    passes = isinstance(error, OneheadError) and not error.lasting
    if attempt >= (ATTEMPTS_AT_TROUBLE if passes else ATTEMPTS_AT_WHAT_LASTS):
        return None
    delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1))
    asked: float | None = getattr(error, "retry_after", None)
    return delay if asked is None else max(delay, float(asked))
