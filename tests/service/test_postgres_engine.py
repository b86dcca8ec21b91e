"""What the engine on PostgreSQL promises beyond the contract: workers that die, leases that end, restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from procrastinate.jobs import Job as QueuedJob
from psycopg_pool import ConnectionPool
from psycopg_pool.base import AttemptWithBackoff

from onehead.databases.reported import RowsReported
from onehead.service import postgres_engine, shards
from onehead.service.engine import Everything, Handler, Job, JobRun, PullChanged
from onehead.service.inbox import DatabaseIsAway, alone
from onehead.service.postgres_engine import PostgresEngine
from tests.postgres import Postgres, postgres
from tests.service.test_engine_contract import PATIENCE, Workshop, database, job

__all__ = ["postgres"]

pytestmark = pytest.mark.slow

Worker = Callable[..., PostgresEngine]


@pytest.fixture
def url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database; rescues and second tries come fast."""
    monkeypatch.setattr(postgres_engine, "_SECONDS_BETWEEN_RESCUES", 0.1)
    monkeypatch.setattr(postgres_engine, "_SECONDS_UNTIL_FREE", 0.1)
    monkeypatch.setattr(postgres_engine, "_SECONDS_UNTIL_QUEUED", 0.0)
    monkeypatch.setattr(postgres_engine, "_SECONDS_TO_LET_GO", 0.1)
    monkeypatch.setattr(shards, "SECONDS_TO_HELP", 0.5)
    return database(postgres)


@pytest.fixture
def worker(url: str) -> Iterator[Worker]:
    """Starts one worker after another on the same database."""
    engines: list[PostgresEngine] = []

    def started(
        handler: Handler, on_run: Callable[[JobRun], None] = lambda _run: None, name: str = ""
    ) -> PostgresEngine:
        name = name or f"worker-{len(engines)}"
        engine = PostgresEngine(handler, url, worker=name, retry=lambda _error, _attempt: None, on_run=on_run)
        engines.append(engine)
        engine.start()
        return engine

    yield started
    for engine in engines:
        engine.stop(PATIENCE)
        engine.close()


END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_workers_share_the_work_and_never_a_repository(worker: Worker) -> None:
    shops = Workshop(), Workshop()
    for shop in shops:
        engine = worker(shop)
    for number in range(40):
        for name in "abcdef":
            engine.submit(job(f"{name}/{name}", number))

    assert engine.wait_until_idle(PATIENCE)
    seen = {s.number for shop in shops for each in shop.jobs for s in each.subjects if isinstance(s, PullChanged)}
    assert seen == set(range(40))
    assert max(max(shop.most_at_once.values(), default=1) for shop in shops) == 1


def test_a_worker_whose_signs_are_lost_is_left_to_finish_alone(url: str, worker: Worker) -> None:
    first, second = Workshop(gated=True), Workshop()
    slow = worker(first)
    slow.submit(job("a/a", 1))
    assert first.has_entered()
    worker(second)
    run(url, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    time.sleep(0.5)

    assert second.jobs == []
    first.let_go()
    assert slow.wait_until_idle(PATIENCE)
    assert (first.jobs, second.jobs) == ([job("a/a", 1)], [])


def test_a_worker_that_has_lost_the_database_too_is_replaced(url: str, worker: Worker) -> None:
    first, second = Workshop(gated=True), Workshop()
    worker(first).submit(job("a/a", 1))
    assert first.has_entered()
    run(url, "DELETE FROM procrastinate_workers")
    run(url, END_CONNECTIONS)
    other = worker(second)

    eventually(lambda: second.jobs == [job("a/a", 1)])
    first.let_go()
    assert other.wait_until_idle(PATIENCE)
    other.submit(job("a/a", 2))
    eventually(lambda: job("a/a", 2) in [*first.jobs, *second.jobs])


def test_a_worker_that_has_lost_its_lock_does_not_run_a_repository_beside_itself(url: str, worker: Worker) -> None:
    shop = Workshop(gated=True)
    engine = worker(shop)
    engine.submit(job("a/a", 1))
    assert shop.has_entered()
    run(url, END_CONNECTIONS)
    run(url, "DELETE FROM procrastinate_jobs")
    engine.submit(job("a/a", 2))
    engine.submit(job("b/b", 3))

    def queued() -> int:
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SELECT last_value FROM procrastinate_jobs_id_seq").fetchone()
            return int(found[0]) if found else 0

    # The second job was fetched, and is put off.
    eventually(lambda: queued() > 3)
    # Others are begun meanwhile.
    eventually(lambda: job("b/b", 3) in shop.jobs)
    shop.let_go(3)
    assert engine.wait_until_idle(PATIENCE)
    assert {subject for each in shop.jobs for subject in each.subjects} == {PullChanged(n) for n in (1, 2, 3)}
    assert shop.most_at_once == {"a/a": 1, "b/b": 1}


def test_a_job_whose_end_was_not_noted_is_begun_again(
    url: str, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_engine, "MAX_SECONDS", 0.2)
    run(url, """INSERT INTO onehead_inbox (repository, subject) VALUES ('a/a', '{"kind": "Everything"}')""")
    run(url, "INSERT INTO procrastinate_workers DEFAULT VALUES")
    run(
        url,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id)"
        " SELECT 'default', 'look', 'a/a', 'doing', max(id) FROM procrastinate_workers",
    )
    shop = Workshop()
    worker(shop)

    eventually(lambda: shop.jobs == [job("a/a", Everything())])


def test_what_was_kept_and_never_queued_is_found(url: str, worker: Worker) -> None:
    run(url, """INSERT INTO onehead_inbox (repository, subject) VALUES ('a/a', '{"kind": "Everything"}')""")
    shop = Workshop()
    worker(shop)

    eventually(lambda: shop.jobs == [job("a/a", Everything())])


def test_what_another_version_has_written_asks_for_everything(url: str, worker: Worker) -> None:
    run(url, """INSERT INTO onehead_inbox (repository, subject) VALUES ('a/a', '{"kind": "Unheard", "of": 1}')""")
    shop = Workshop()
    worker(shop)

    eventually(lambda: shop.jobs == [job("a/a", Everything())])


def test_a_report_of_rows_comes_through_as_it_was(worker: Worker) -> None:
    shop = Workshop()
    report = RowsReported("production", "", ("018", "019"), "2026-11-28T10:15:00Z")
    engine = worker(shop)
    engine.submit(Job("a/a", frozenset({report})))

    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs == [Job("a/a", frozenset({report}))]


def test_what_is_cut_off_by_a_stop_is_begun_elsewhere(worker: Worker) -> None:
    first, second = Workshop(gated=True), Workshop()
    stopped = worker(first)
    stopped.submit(job("a/a", 1))
    assert first.has_entered()
    other = worker(second)

    assert stopped.stop(0.1) is False
    first.let_go()
    assert other.wait_until_idle(PATIENCE)
    assert {each for shop in (first, second) for each in shop.jobs} == {job("a/a", 1)}


def test_a_job_of_which_only_the_end_was_not_noted_does_not_lock_its_repository(url: str, worker: Worker) -> None:
    shop = Workshop()
    engine = worker(shop, on_run=lambda _run: run(url, END_CONNECTIONS))
    engine.submit(job("a/a", 1))
    eventually(lambda: shop.jobs == [job("a/a", 1)])
    engine.submit(job("a/a", 2))

    eventually(lambda: job("a/a", 2) in shop.jobs)


def test_the_database_may_end_all_connections(url: str, worker: Worker) -> None:
    shop, done = Workshop(), threading.Event()
    engine = worker(shop, on_run=lambda _run: done.set())
    engine.submit(job("a/a", 1))
    assert done.wait(PATIENCE)
    run(url, END_CONNECTIONS)
    engine.submit(job("a/a", 2))

    eventually(lambda: job("a/a", 2) in shop.jobs)
    assert engine.state().running


def test_a_worker_takes_its_own_repositories_and_helps_when_others_are_busy(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SECONDS_TO_HELP", 3.0)  # enough for the first four to be begun
    names = ["one", "two"]
    theirs = {
        name: [r for r in (f"a/{n}" for n in range(40)) if shards.shard_of(r) in shards.shards_of(name, names)]
        for name in names
    }
    busy, free = Workshop(gated=True), Workshop()
    first = worker(busy, name="one")
    worker(free, name="two")
    eventually(lambda: len(first._shards.taken) == len(shards.shards_of("one", names)))
    # More than the four that it can do at once.
    for repository in theirs["one"][:6]:
        first.submit(job(repository, 1))

    eventually(lambda: {each.repository for each in free.jobs} == set(theirs["one"][4:6]))
    busy.let_go(4)
    assert first.wait_until_idle(PATIENCE)
    assert {each.repository for each in busy.jobs} == set(theirs["one"][:4])


def test_a_worker_that_was_killed_is_forgotten(url: str, worker: Worker) -> None:
    run(url, "INSERT INTO onehead_worker (name, seen_at) VALUES ('killed', now() - interval '1 minute')")
    first = worker(Workshop(), name="one")
    eventually(lambda: len(first._shards.taken) == shards.SHARDS)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT name FROM onehead_worker").fetchall() == [("one",)]


def test_the_state_is_that_of_all_and_says_when_the_database_is_away(url: str, worker: Worker) -> None:
    shop = Workshop(gated=True)
    engine = worker(shop)
    for number in range(6):
        engine.submit(job(f"a/{number}", 1))
    assert shop.has_entered()
    eventually(lambda: engine.state()[:3] == (True, 2, 4))

    assert 0 < engine.state().oldest < PATIENCE
    run(url, "INSERT INTO onehead_inbox (repository, subject, failed_at) VALUES ('b/b', '{}', now())")
    assert engine.state().given_up == 1
    shop.let_go(6)
    assert engine.wait_until_idle(PATIENCE)
    engine.close()
    state = engine.state()
    assert (state.running, state.waiting) == (True, None)
    assert state.trouble is not None


def test_a_query_that_hangs_keeps_nobody_waiting_for_the_state(url: str, worker: Worker) -> None:
    engine = worker(Workshop())
    assert engine.state().trouble is None

    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE onehead_inbox IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        states = [engine.state() for _ in range(3)]
        assert time.monotonic() - begun < 5  # what the door waits for one answer
        assert {each.trouble for each in states} == {"PostgreSQL does not answer within 1 s."}
        assert [thread.name for thread in threading.enumerate()].count("onehead-depth") == 1

    eventually(lambda: engine.state().trouble is None)


def test_while_a_sweep_runs_no_other_process_begins_one(worker: Worker) -> None:
    one, other = worker(Workshop()), worker(Workshop())

    with one.shelf.alone("sweep") as first, other.shelf.alone("sweep") as second:
        assert (first, second) == (True, False)
    with other.shelf.alone("sweep") as third:
        assert third is True


def pages_read_to_take_one_of(url: str, waiting: int) -> int:
    """How many pages PostgreSQL looks at until a worker has a job, where a flood has just filled an empty table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
        connection.execute("VACUUM ANALYZE procrastinate_jobs")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock)"
            " SELECT 'shard-00', 'look', 'a/' || number FROM generate_series(1, %s) AS number",
            (waiting,),
        )
        found = connection.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM procrastinate_fetch_job_v2(ARRAY['shard-00'], NULL)"
        ).fetchone()
        assert found is not None
        plan = found[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def test_to_take_a_job_is_cheap_where_a_flood_of_them_waits(url: str) -> None:
    waiting = 8_000

    assert pages_read_to_take_one_of(url, waiting) < 10 * waiting  # 33 of each, where each is compared with each


def test_a_flood_is_kept_as_long_as_what_it_is_about(url: str, worker: Worker) -> None:
    shop = Workshop(gated=True)
    engine = worker(shop)
    engine.submit(job("a/a", 1))
    assert shop.has_entered()
    for _ in range(100):
        engine.submit(job("a/a", 1))
        engine.submit(job("a/a", 2))
        engine.state()  # waits until they are posted
    with psycopg.connect(url) as connection:
        kept = connection.execute("SELECT is_begun, subject ->> 'number' FROM onehead_inbox ORDER BY id").fetchall()

    assert kept == [(True, "1"), (False, "1"), (False, "2")]
    shop.let_go(2)
    assert engine.wait_until_idle(PATIENCE)
    assert shop.jobs == [job("a/a", 1), job("a/a", 1, 2)]


def test_a_worker_holds_no_more_connections_than_said(url: str, worker: Worker) -> None:
    shop = Workshop()
    engine = worker(shop)
    for number in range(200):
        engine.submit(job(f"a/{number}", number))
    assert engine.wait_until_idle(PATIENCE)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()

    assert found is not None
    assert 0 < found[0] <= 4 + 7


def test_a_sweep_of_more_than_is_held_loses_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_engine, "MAX_HELD", 20)
    engine = PostgresEngine(Workshop(), url, concurrency=0)
    for number in range(1_000):
        engine.submit(job(f"a/{number}", Everything()))
    engine.stop(PATIENCE)
    engine.close()
    with psycopg.connect(url) as connection:
        queued = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()

    assert queued == (1_000,)


def test_where_another_process_queues_one_of_many_first_the_rest_is_queued_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = (PostgresEngine(Workshop(), url, concurrency=0) for _ in range(2))
    manager = slow._queue.job_manager
    queue_all = manager.batch_defer_jobs

    def overtaken(jobs: list[QueuedJob], connection: None = None) -> list[QueuedJob]:
        fast._queue_looks([("a/b", "event")])
        return queue_all(jobs, connection)

    monkeypatch.setattr(manager, "batch_defer_jobs", overtaken)
    slow._queue_looks([(name, "event") for name in ("a/a", "a/b", "a/c")])
    slow.close()
    fast.close()
    with psycopg.connect(url) as connection:
        queued = connection.execute("SELECT lock FROM procrastinate_jobs ORDER BY lock").fetchall()

    assert queued == [("a/a",), ("a/b",), ("a/c",)]


def test_what_is_remembered_can_be_away_like_the_forge(worker: Worker) -> None:
    engine = worker(Workshop())
    engine.stop(PATIENCE)
    engine.close()

    with pytest.raises(DatabaseIsAway, match="PostgreSQL does not do its part: PoolClosed") as raised:
        engine.shelf.read("sweep")
    assert "ONEHEAD_DATABASE_URL" in raised.value.hint


def test_a_lock_that_was_lost_with_the_database_does_not_hide_what_was_done(url: str) -> None:
    with ConnectionPool(url, min_size=1, open=True) as pool:
        with alone(pool, "a/a") as is_alone:
            assert is_alone
            run(url, END_CONNECTIONS)
        with alone(pool, "a/a") as is_alone:
            assert is_alone


def test_after_a_long_outage_the_database_is_used_again_soon(
    url: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptWithBackoff, "DELAY_BACKOFF", 1_000.0)  # the third attempt would never come
    monkeypatch.setattr(postgres_engine, "_SECONDS_TO_CONNECT", 2.0)
    engine = PostgresEngine(Workshop(), url, concurrency=0)
    eventually(lambda: engine.state().waiting == 0)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as connection:
        run(postgres.uri, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute(END_CONNECTIONS)
    eventually(lambda: engine.state().waiting is None)
    time.sleep(2.0)  # the second attempt has failed too
    run(postgres.uri, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    eventually(lambda: engine.state().waiting == 0)
    engine.stop(PATIENCE)
    engine.close()
