from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from onehead.errors import OneheadError, UsageError
from onehead.forge.errors import Unauthorised
from onehead.service import rounds as module
from onehead.service.engine import MAX_DELAY, EmbeddedEngine
from onehead.service.health import FORGE_SILENCE, Health
from onehead.service.metrics import Metrics
from onehead.service.rounds import Rounds, next_time, pause_after

PATIENCE = 10.0
MOMENT = 0.05
NOON = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
AWAY = OneheadError("Forgejo does not answer.", "Look whether it runs.")


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("*/15 * * * *", datetime(2026, 6, 30, 12, 14, 59, tzinfo=UTC), datetime(2026, 6, 30, 12, 15, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 6, 30, 12, 15, tzinfo=UTC), datetime(2026, 6, 30, 12, 30, tzinfo=UTC)),
        ("0 3 * * 1", datetime(2026, 6, 30, 12, 0, tzinfo=UTC), datetime(2026, 7, 6, 3, 0, tzinfo=UTC)),
        ("@hourly", datetime(2026, 12, 31, 23, 30, tzinfo=UTC), datetime(2027, 1, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_the_next_time(cron: str, after: datetime, expected: datetime) -> None:
    assert next_time(cron, after) == expected


def test_a_round_is_never_given_up() -> None:
    assert pause_after(AWAY, 1) == 1
    assert pause_after(UsageError("wrong"), 1) == MAX_DELAY
    assert pause_after(KeyError("defect"), 1000) == MAX_DELAY


class Scene:
    """Rounds whose calls are counted and whose waits after a failure are as short as the test needs."""

    def __init__(self) -> None:
        self.engine = EmbeddedEngine(lambda _job: None)
        self.engine.start()
        self.health = Health(self.engine.state, now=lambda: self.now)
        self.metrics = Metrics()
        self.now = NOON
        self.swept = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.forge_errors: Iterator[Exception | None] = iter(())
        self.sweep_errors: Iterator[Exception | None] = iter(())
        self.ends: Iterator[datetime | None] = iter(())
        self.wanted: list[datetime] = []
        self.doubt = threading.Event()
        self.rounds: Rounds | None = None

    def begin(self, cron: str | None = None, canary: Callable[[], None] | None = None) -> None:
        self.rounds = Rounds(
            account=self._account,
            sweep=self._sweep,
            cron=cron,
            canary=canary,
            health=self.health,
            metrics=self.metrics,
            doubt=self.doubt,
            now=lambda: self.now,
        )
        self.rounds.start()

    def end(self) -> None:
        self.engine.stop(PATIENCE)
        if self.rounds:
            self.rounds.stop()
            for thread in self.rounds._threads:
                thread.join(PATIENCE)
                assert not thread.is_alive()

    def _account(self) -> int:
        error = next(self.forge_errors, None)
        self.asked.release()
        if error:
            raise error
        return 99

    def _sweep(self, wanted: datetime) -> datetime | None:
        self.wanted.append(wanted)
        error = next(self.sweep_errors, None)
        self.swept.release()
        if error:
            raise error
        return next(self.ends, self.now)


@pytest.fixture
def scene() -> Iterator[Scene]:
    built = Scene()
    yield built
    built.end()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Exception, int]]:
    """What a pause was asked for; each lasts a hundredth of a second."""
    asked: list[tuple[Exception, int]] = []

    def pause(error: Exception, attempt: int) -> float:
        asked.append((error, attempt))
        return 0.01

    monkeypatch.setattr(module, "pause_after", pause)
    return asked


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something becomes true, looked at often."""
    pause = threading.Event()
    return any(holds() or pause.wait(0.01) for _ in range(int(PATIENCE / 0.01)))


def test_the_first_sweep_follows_the_first_answer(scene: Scene) -> None:
    scene.begin()

    assert scene.swept.acquire(timeout=PATIENCE)
    assert eventually(lambda: scene.health.report()[1]["sweep"]["last_success"] == "2026-06-30T12:00:00+00:00")
    assert "onehead_last_sweep_success_timestamp_seconds 1.7828208e+09" in scene.metrics.text().decode().splitlines()
    # The schedule is off and the forge stays: nothing more.
    assert not scene.swept.acquire(timeout=MOMENT)


def test_a_forge_that_is_away_is_waited_for(scene: Scene, short_pauses: list[tuple[Exception, int]]) -> None:
    back = threading.Event()

    def away() -> Iterator[Exception | None]:
        while not back.is_set():
            yield AWAY

    scene.forge_errors = away()
    with capture_logs() as lines:
        scene.begin("* * * * *")
        for _ in range(3):
            assert scene.asked.acquire(timeout=PATIENCE)
        assert not scene.swept.acquire(timeout=MOMENT)
        is_ready, report = scene.health.report()
        assert not is_ready
        assert report["forge"] == {
            "reachable": False,
            "token_refused": False,
            "last_answer": None,
            "trouble": "Forgejo does not answer. Look whether it runs.",
        }
        assert "onehead_forge_reachable 0.0" in scene.metrics.text().decode().splitlines()
        back.set()
        assert scene.swept.acquire(timeout=PATIENCE)

    assert scene.health.report()[0] is True
    assert [attempt for _error, attempt in short_pauses[:3]] == [1, 2, 3]
    assert lines[0] == {
        "event": "Forgejo can't be used now; asking again.",
        "log_level": "warning",
        "error": "Forgejo does not answer. Look whether it runs.",
        "retry_in": 0.01,
    }


def test_a_token_that_is_refused_makes_it_unready_at_once(scene: Scene) -> None:
    scene.forge_errors = iter([None, Unauthorised("Forgejo does not accept the token.", status=401)])
    scene.begin()
    assert scene.asked.acquire(timeout=PATIENCE)
    assert eventually(lambda: scene.health.report()[0])

    scene.doubt.set()  # as a job does that was refused; the next question would come in a minute

    assert eventually(lambda: not scene.health.report()[0])
    told = scene.health.report()[1]["forge"]
    assert told["token_refused"]
    assert told["trouble"] == "Forgejo does not accept the token."


def test_when_the_forge_returns_everything_is_swept_again(
    scene: Scene, short_pauses: list[tuple[Exception, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SIGNS", 0.01)
    scene.forge_errors = iter([None, AWAY, AWAY, None])
    scene.begin()

    assert scene.swept.acquire(timeout=PATIENCE)
    assert scene.swept.acquire(timeout=PATIENCE)
    assert short_pauses == [(AWAY, 1), (AWAY, 2)]
    assert not scene.swept.acquire(timeout=MOMENT)


def test_a_sweep_that_broke_off_is_repeated(scene: Scene, short_pauses: list[tuple[Exception, int]]) -> None:
    defect = KeyError("branch")
    scene.sweep_errors = iter([AWAY, defect, None])
    scene.begin()

    for _ in range(3):
        assert scene.swept.acquire(timeout=PATIENCE)
    assert short_pauses == [(AWAY, 1), (defect, 2)]
    assert eventually(lambda: scene.health.report()[1]["sweep"]["trouble"] is None)


def test_sweeps_follow_the_schedule(scene: Scene) -> None:
    scene.now = NOON - timedelta(milliseconds=20)  # always: so each sweep is 20 ms before the next
    scene.begin("0 * * * *")

    for _ in range(3):
        assert scene.swept.acquire(timeout=PATIENCE)


def test_between_two_times_of_the_schedule_nothing_happens(scene: Scene) -> None:
    scene.begin("0 * * * *")

    assert scene.swept.acquire(timeout=PATIENCE)
    assert not scene.swept.acquire(timeout=MOMENT)


def test_the_canary_is_judged_at_once_and_again_and_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_CANARIES", 0.01)
    wrong = OneheadError("The canary has to be judged as fork, and was judged as ok.", "Stop it.")
    ends = iter([None, wrong, KeyError("defect"), None])
    judged, further = threading.Semaphore(0), threading.Semaphore(0)

    def canary() -> None:
        judged.release()
        assert further.acquire(timeout=PATIENCE)
        if (error := next(ends, None)) is not None:
            raise error

    def figure() -> str:
        [line] = [each for each in scene.metrics.text().decode().splitlines() if each.startswith("onehead_canary")]
        return line.partition(" ")[2]

    def report() -> object:
        return scene.health.report()[1]["canary"]

    assert figure() == "NaN"  # where no canary is judged there is nothing to be old
    with capture_logs() as lines:
        scene.begin(canary=canary)
        assert judged.acquire(timeout=PATIENCE)
        assert figure() == "0.0"
        assert report() == {"last_success": None, "seconds_ago": None, "trouble": None}

        further.release()
        assert judged.acquire(timeout=PATIENCE)
        passed = {"last_success": "2026-06-30T12:00:00+00:00", "seconds_ago": 0, "trouble": None}
        assert (report(), figure()) == (passed, "1.7828208e+09")
        scene.now += timedelta(minutes=5)

        further.release()
        assert judged.acquire(timeout=PATIENCE)
        told = "The canary has to be judged as fork, and was judged as ok. Stop it."
        assert report() == passed | {"seconds_ago": 300, "trouble": told}
        assert figure() == "1.7828208e+09"

        further.release()
        assert judged.acquire(timeout=PATIENCE)
        assert report() == passed | {"seconds_ago": 300, "trouble": "KeyError: 'defect'"}
        scene.health.forge_answered()
        assert scene.health.report()[0] is True  # a webhook that is turned away is lost

        further.release()
        assert judged.acquire(timeout=PATIENCE)
        assert report() == {"last_success": "2026-06-30T12:05:00+00:00", "seconds_ago": 0, "trouble": None}
        further.release(1000)
    said = [line for line in lines if line["log_level"] == "error"]
    assert [(line["event"], line["error"]) for line in said] == [
        ("The canary was not judged right.", told),
        ("The canary was not judged right.", "KeyError: 'defect'"),
    ]


def test_an_old_answer_is_no_sign_of_life(scene: Scene) -> None:
    scene.health.forge_answered()
    assert scene.health.report()[0] is True
    scene.now += FORGE_SILENCE
    assert scene.health.report()[0] is True
    scene.now += timedelta(seconds=1)

    assert scene.health.report()[0] is False


def test_a_failed_sweep_is_shown_but_does_not_turn_webhooks_away(scene: Scene) -> None:
    scene.health.forge_answered()
    scene.health.sweep_failed("Forgejo does not answer.")

    is_ready, report = scene.health.report()

    assert is_ready
    assert report["sweep"] == {"last_success": None, "trouble": "Forgejo does not answer."}


def test_while_another_process_sweeps_it_is_asked_again_for_the_same_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_UNTIL_SWEPT", 0.01)
    ended = NOON + timedelta(seconds=7)
    scene.ends = iter([None, None, ended])
    scene.begin()

    for _ in range(3):
        assert scene.swept.acquire(timeout=PATIENCE)
    assert eventually(lambda: scene.health.report()[1]["sweep"]["last_success"] == "2026-06-30T12:00:07+00:00")
    assert scene.wanted == [NOON] * 3
