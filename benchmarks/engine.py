"""What the engine on PostgreSQL costs by itself: jobs that do nothing, a sweep that is queued, a worker with no work.

    .venv/bin/python -m benchmarks.engine

prints the table of benchmarks/README.md. Jobs run in this process; PostgreSQL is one of our own, with `fsync`.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from benchmarks.large_host import Database, database
from benchmarks.place import machine
from benchmarks.serving import whole_cpu
from onehead.service.engine import Everything, Job, PullChanged
from onehead.service.postgres_engine import PostgresEngine

SECONDS_IDLE = 10.0


@contextmanager
def counted(name: str, store: Database, number: float, unit: str) -> Iterator[None]:
    """Print a row about what happens meanwhile, for each of so many."""
    wall, python, server = time.monotonic(), time.process_time(), whole_cpu(store.process)
    done, written = _done(store), _written(store)
    yield
    done, written = _done(store) - done, _written(store) - written
    figures = [
        time.monotonic() - wall,
        1000 * (time.process_time() - python) / number,
        1000 * (whole_cpu(store.process) - server) / number,
        done / number,
        written / number / 1000,
    ]
    print(f"| {name} | {unit} | {' | '.join(f'{each:,.3g}' for each in figures)} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--waiting", type=int, default=10_000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(machine(1))
    print("\n| what | for each | s in all | Python, CPU ms | PostgreSQL, CPU ms | transactions | WAL, KB |")
    print("|---|---|--:|--:|--:|--:|--:|")
    with database() as store:
        engine = PostgresEngine(lambda _job: None, store.url)
        engine.start()
        time.sleep(2)
        with counted("a worker without work", store, SECONDS_IDLE, "second"):
            time.sleep(SECONDS_IDLE)
        with counted("jobs that do nothing", store, options.jobs, "job"):
            for number in range(options.jobs):
                engine.submit(Job(f"owner/r{number}", frozenset({PullChanged(1)})))
            engine.wait_until_idle(600)
        engine.stop(10)
        engine.close()
        for name in ("a sweep is queued", "the same while all of it waits"):
            sweeper = PostgresEngine(lambda _job: None, store.url, concurrency=0)
            with counted(name, store, options.waiting, "repository"):
                for number in range(options.waiting):
                    sweeper.submit(Job(f"owner/r{number}", frozenset({Everything()})))
                sweeper.stop(600)
            sweeper.close()
        looker = PostgresEngine(lambda _job: None, store.url, concurrency=0)
        with counted(f"the state is asked for while {options.waiting:,} wait", store, 20, "question"):
            for _ in range(20):
                looker.state()
        looker.close()
        with counted(f"a job is taken while {options.waiting:,} wait", store, 20, "job"):
            for _ in range(20):
                store.connection.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, NULL)")


def _done(store: Database) -> float:
    """Transactions so far."""
    return store.figure("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")


def _written(store: Database) -> float:
    """Bytes of the write-ahead log so far."""
    return store.figure("SELECT wal_bytes FROM pg_stat_wal")


if __name__ == "__main__":
    main()
