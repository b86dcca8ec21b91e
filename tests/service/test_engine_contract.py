"""What every engine promises (`onehead.service.engine.Engine`)."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO

import pytest
import structlog

from onehead import logs
from onehead.service.engine import (
    MAX_DELIVERIES,
    CommandGiven,
    EmbeddedEngine,
    Engine,
    Everything,
    Handler,
    Job,
    JobRun,
    PullChanged,
    Retry,
    Subject,
)
from onehead.service.postgres_engine import PostgresEngine
from onehead.service.postgres_schema import upgrade
from tests.postgres import POSTGRESQL, Postgres, postgres

__all__ = ["postgres"]

PATIENCE = 30.0  # for what is expected to happen
MOMENT = 0.05  # for what is expected not to happen

Compose = Callable[..., Engine]


@pytest.fixture(params=["embedded", POSTGRESQL])
def compose(request: pytest.FixtureRequest) -> Iterator[Compose]:
    """Composes an engine of each kind, and stops it after the test."""
    engines: list[Engine] = []
    kind: Callable[..., Engine] = EmbeddedEngine
    if request.param == "postgresql":
        url = database(request.getfixturevalue("postgres"))
        kind = partial(PostgresEngine, url=url)

    def composed(
        handler: Handler,
        *,
        concurrency: int = 4,
        retry: Retry = lambda _error, _attempt: None,
        on_run: Callable[[JobRun], None] = lambda _run: None,
    ) -> Engine:
        engine = kind(handler, concurrency=concurrency, retry=retry, on_run=on_run)
        engines.append(engine)
        return engine

    yield composed
    for engine in engines:
        engine.stop(PATIENCE)
        if isinstance(engine, PostgresEngine):
            engine.close()


def database(postgres: Postgres) -> str:
    """An empty database with all tables."""
    url = postgres.fresh().replace("postgresql+psycopg", "postgresql")
    upgrade(url)
    return url


class Workshop:
    """A handler under the test's control: every run is noted and waits until it is let go."""

    def __init__(self, *, gated: bool = False) -> None:
        self.jobs: list[Job] = []
        self.most_at_once: dict[str, int] = {}
        self.peak = 0
        self._at_once: list[str] = []
        self._lock = threading.Lock()
        self._entered = threading.Semaphore(0)
        self._let_go = threading.Semaphore(0 if gated else sys.maxsize)

    def __call__(self, job: Job) -> None:
        with self._lock:
            self.jobs.append(job)
            self._at_once.append(job.repository)
            self.peak = max(self.peak, len(self._at_once))
            now = self._at_once.count(job.repository)
            self.most_at_once[job.repository] = max(now, self.most_at_once.get(job.repository, 0))
        self._entered.release()
        assert self._let_go.acquire(timeout=PATIENCE)
        with self._lock:
            self._at_once.remove(job.repository)

    def let_go(self, count: int = 1) -> None:
        self._let_go.release(count)

    def has_entered(self, timeout: float = PATIENCE) -> bool:
        return self._entered.acquire(timeout=timeout)


def job(repository: str, *subjects: int | Subject) -> Job:
    return Job(repository, frozenset(PullChanged(s) if isinstance(s, int) else s for s in subjects))


def test_a_job_is_run_once(compose: Compose) -> None:
    shop = Workshop()
    engine = compose(shop)
    engine.start()
    engine.submit(job("a/a", 1))

    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs == [job("a/a", 1)]


def test_what_is_submitted_before_the_start_waits_and_is_merged(compose: Compose) -> None:
    shop = Workshop()
    engine = compose(shop, concurrency=1)
    for number in (1, 2, 2, 3):
        engine.submit(job("a/a", number))
    engine.submit(job("b/b", 9))
    assert engine.state()[:3] == (False, 2, 0)
    engine.start()

    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs == [job("a/a", 1, 2, 3), job("b/b", 9)]
    assert engine.state()[:3] == (True, 0, 0)


def test_what_waits_longest_is_an_event_and_not_what_the_sweep_asks_for(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop, concurrency=1)
    engine.submit(job("a/a", Everything()))
    assert (engine.state().waiting, engine.state().oldest) == (1, 0)
    time.sleep(0.5)
    begun = time.monotonic()
    engine.submit(job("a/a", 1))
    assert 0 < engine.state().oldest < time.monotonic() - begun + 0.1
    engine.submit(job("b/b", Everything()))
    engine.start()
    assert shop.has_entered()

    assert (engine.state().busy, engine.state().oldest) == (1, 0)
    shop.let_go(2)
    assert engine.wait_until_idle(PATIENCE)


def test_events_during_a_run_make_exactly_one_more(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop)
    engine.start()
    engine.submit(job("a/a", 1))
    assert shop.has_entered()
    for number in (2, 3, 2):
        engine.submit(job("a/a", number))

    assert not shop.has_entered(timeout=MOMENT)
    assert engine.state()[1:3] == (1, 1)
    shop.let_go(2)
    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs == [job("a/a", 1), job("a/a", 2, 3)]
    assert shop.most_at_once == {"a/a": 1}


def test_repositories_run_side_by_side_up_to_the_limit(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop, concurrency=2)
    engine.start()
    for name in ("a/a", "b/b", "c/c"):
        engine.submit(job(name, 1))
    assert shop.has_entered()
    assert shop.has_entered()

    assert not shop.has_entered(timeout=MOMENT)
    assert engine.state()[1:3] == (1, 2)
    shop.let_go(3)
    assert engine.wait_until_idle(PATIENCE)
    assert sorted(each.repository for each in shop.jobs) == ["a/a", "b/b", "c/c"]
    assert shop.peak == 2


def test_events_are_run_before_the_sweep(compose: Compose) -> None:
    shop = Workshop()
    engine = compose(shop, concurrency=1)
    for name in ("a/a", "b/b"):
        engine.submit(job(name, Everything()))
    engine.submit(job("c/c", 1))
    engine.start()

    assert engine.wait_until_idle(PATIENCE)
    assert [each.repository for each in shop.jobs] == ["c/c", "a/a", "b/b"]


def test_a_failing_job_is_tried_again_and_a_success_resets_the_count(compose: Compose) -> None:
    asked: list[tuple[str, int]] = []
    runs: list[JobRun] = []
    failures = iter([ValueError("one"), ValueError("two"), None, ValueError("three"), None])

    def handler(_job: Job) -> None:
        if (error := next(failures)) is not None:
            raise error

    def retry(error: BaseException, attempt: int) -> float:
        asked.append((str(error), attempt))
        return 0.001

    engine = compose(handler, retry=retry, on_run=runs.append)
    engine.start()
    for number in (1, 2):
        engine.submit(job("a/a", number))
        assert engine.wait_until_idle(PATIENCE)

    assert asked == [("one", 1), ("two", 2), ("three", 1)]
    assert [(run.outcome, run.attempt, run.job) for run in runs] == [
        ("retried", 1, job("a/a", 1)),
        ("retried", 2, job("a/a", 1)),
        ("done", 3, job("a/a", 1)),
        ("retried", 1, job("a/a", 2)),
        ("done", 2, job("a/a", 2)),
    ]


def test_a_job_that_is_given_up_is_gone_and_the_next_one_starts_afresh(compose: Compose) -> None:
    attempts: list[int] = []
    runs: list[JobRun] = []

    def handler(_job: Job) -> None:
        raise ValueError

    def retry(_error: BaseException, attempt: int) -> float | None:
        attempts.append(attempt)
        return 0.001 if attempt < 3 else None

    engine = compose(handler, retry=retry, on_run=runs.append)
    engine.start()
    for number in (1, 2):
        engine.submit(job("a/a", number))
        assert engine.wait_until_idle(PATIENCE)

    assert attempts == [1, 2, 3, 1, 2, 3]
    assert [run.outcome for run in runs] == ["retried", "retried", "given-up"] * 2
    assert runs[-1].job == job("a/a", 2)


def test_an_event_does_not_wait_for_a_retry(compose: Compose) -> None:
    failed = threading.Event()
    seen: list[Job] = []

    def handler(each: Job) -> None:
        seen.append(each)
        if len(seen) == 1:
            raise ValueError

    engine = compose(handler, retry=lambda _error, _attempt: 3600, on_run=lambda _run: failed.set())
    engine.start()
    engine.submit(job("a/a", 1))
    assert failed.wait(PATIENCE)
    assert not engine.wait_until_idle(MOMENT)
    engine.submit(job("a/a", 2))

    assert engine.wait_until_idle(PATIENCE)
    assert seen == [job("a/a", 1), job("a/a", 1, 2)]


def test_what_a_command_may_do_is_not_lost_among_other_events(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop)
    engine.start()
    engine.submit(job("a/a", 1))
    assert shop.has_entered()
    command = CommandGiven(comment=7, number=2, may_write=True)
    for subject in (2, command, 3, Everything()):
        engine.submit(job("a/a", subject))
    shop.let_go(2)

    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs[1:] == [job("a/a", 2, command, 3, Everything())]


def test_one_failing_repository_does_not_hold_up_another(compose: Compose) -> None:
    done = threading.Event()

    def handler(each: Job) -> None:
        if each.repository == "bad/bad":
            raise ValueError
        done.set()

    engine = compose(handler, concurrency=1, retry=lambda _error, _attempt: 3600)
    engine.start()
    engine.submit(job("bad/bad", 1))
    engine.submit(job("a/a", 1))

    assert done.wait(PATIENCE)


def test_a_handler_that_wants_to_exit_does_not_end_the_engine(compose: Compose) -> None:
    runs: list[JobRun] = []

    def handler(each: Job) -> None:
        if each.repository == "bad/bad":
            sys.exit(1)

    engine = compose(handler, concurrency=1, on_run=runs.append)
    engine.start()
    engine.submit(job("bad/bad", 1))
    engine.submit(job("a/a", 1))

    assert engine.wait_until_idle(PATIENCE)
    assert [(run.job.repository, run.outcome) for run in runs] == [("bad/bad", "given-up"), ("a/a", "done")]
    assert engine.state().running


def test_stopping_waits_for_what_runs_and_begins_nothing_new(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop, concurrency=1)
    engine.start()
    engine.submit(job("a/a", 1))
    assert shop.has_entered()
    engine.submit(job("b/b", 1))
    threading.Timer(MOMENT, shop.let_go).start()

    assert engine.stop(PATIENCE) is True
    assert shop.jobs == [job("a/a", 1)]
    assert engine.state()[:3:2] == (False, 0)
    engine.submit(job("c/c", 1))
    assert not shop.has_entered(timeout=MOMENT)


def test_stopping_does_not_wait_longer_than_it_may(compose: Compose) -> None:
    shop = Workshop(gated=True)
    engine = compose(shop)
    engine.start()
    engine.submit(job("a/a", 1))
    assert shop.has_entered()

    assert engine.stop(MOMENT) is False
    shop.let_go()


@pytest.fixture
def lines(logging_as_before: None) -> Callable[[], list[dict[str, str]]]:
    """The log, line by line."""
    del logging_as_before
    stream = StringIO()
    logs.configure("json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_line_of_a_run_names_its_job_its_repository_and_its_deliveries(
    compose: Compose, lines: Callable[[], list[dict[str, str]]]
) -> None:
    failures = iter([ValueError("once")])

    def handler(each: Job) -> None:
        structlog.get_logger("ours").info("Ours.")
        logging.getLogger("theirs").info("A library's.")
        if each.repository == "a/a" and (error := next(failures, None)) is not None:
            raise error

    engine = compose(handler, retry=lambda _error, _attempt: 0.001)
    for number, delivery in ((1, "one"), (1, "two"), (2, "one")):
        engine.submit(Job("a/a", frozenset({PullChanged(number)}), (delivery,)))
    engine.submit(job("b/b", Everything()))
    engine.start()

    assert engine.wait_until_idle(PATIENCE)
    said = [(line["message"], line.get("delivery"), line["job"]) for line in lines() if line.get("repository") == "a/a"]
    assert [each[:2] for each in said] == [
        ("Ours.", "one,two"),
        ("A library's.", "one,two"),
        ("A job failed and will be tried again.", "one,two"),
        ("Ours.", "one,two"),
        ("A library's.", "one,two"),
        ("A job is done.", "one,two"),
    ]
    first, second = {each[2] for each in said[:3]}, {each[2] for each in said[3:]}
    [swept] = {(line["job"], line.get("delivery")) for line in lines() if line.get("repository") == "b/b"}
    assert (len(first), len(second), swept[1]) == (1, 1, None)
    assert len({*first, *second, swept[0]}) == 3


def test_a_flood_of_deliveries_makes_no_endless_lines(
    compose: Compose, lines: Callable[[], list[dict[str, str]]]
) -> None:
    shop = Workshop()
    engine = compose(shop)
    for number in range(3 * MAX_DELIVERIES):
        engine.submit(Job("a/a", frozenset({PullChanged(1)}), (f"{number}",)))
    engine.start()

    assert engine.wait_until_idle(PATIENCE)
    [told] = [line["delivery"] for line in lines() if line["message"] == "A job is done."]
    assert told == ",".join([*map(str, range(MAX_DELIVERIES)), "..."])
    assert shop.jobs == [job("a/a", 1)]


def test_under_load_every_subject_is_seen_and_no_repository_runs_twice_at_once(compose: Compose) -> None:
    shop = Workshop()
    engine = compose(shop, concurrency=4)
    engine.start()
    expected = {f"r/{name}": set(range(1, 101)) for name in range(5)}

    def send(offset: int) -> None:
        for number in range(1 + offset, 101, 4):
            for name in expected:
                engine.submit(job(name, number))

    senders = [threading.Thread(target=send, args=(offset,)) for offset in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert engine.wait_until_idle(PATIENCE)
    seen: dict[str, set[int]] = {name: set() for name in expected}
    for each in shop.jobs:
        seen[each.repository] |= {s.number for s in each.subjects if isinstance(s, PullChanged)}
    assert seen == expected
    assert shop.most_at_once == dict.fromkeys(expected, 1)
