from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from tests.forgejos.port import eventually
from tests.standin.later import Later

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def later() -> Iterator[Later]:
    running = Later("test")
    yield running
    running.stop()


def wait(event: threading.Event) -> None:
    assert event.wait(10)


def test_work_runs_when_it_is_due_not_when_it_was_given(later: Later) -> None:
    done: list[str] = []

    later.after(0.2, lambda: done.append("late"))
    later.after(0.0, lambda: done.append("soon"))
    later.after(0.0, lambda: done.append("next"))
    eventually(lambda: later.idle)

    assert done == ["soon", "next", "late"]


def test_broken_work_is_logged_and_does_not_stop_the_rest(later: Later, caplog: pytest.LogCaptureFixture) -> None:
    after = threading.Event()

    def break_down() -> None:
        raise ValueError("broken on purpose")

    with caplog.at_level(logging.ERROR, logger="standin"):
        later.after(0, break_down)
        later.after(0, after.set)
        wait(after)

    assert "failed in its background work" in caplog.text


def test_it_is_idle_only_when_nothing_waits_and_nothing_runs(later: Later) -> None:
    started, finish = threading.Event(), threading.Event()
    before = later.idle

    def work() -> None:
        started.set()
        wait(finish)

    later.after(0, work)
    wait(started)
    during = later.idle
    finish.set()

    assert (before, during) == (True, False)
    eventually(lambda: later.idle)


def test_stopping_forgets_what_has_not_begun() -> None:
    later = Later("test")
    done: list[str] = []
    later.after(60, lambda: done.append("never"))

    later.stop()

    assert (done, later.idle) == ([], True)
