"""`onehead database` and `onehead jobs`: the PostgreSQL in which several machines share their work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onehead.screen import painter
from onehead.settings import load_database_url

if TYPE_CHECKING:
    from onehead.service.inbox import Inbox, InboxEntry


def run_status(options: argparse.Namespace) -> int:
    """Whether the tables are up to date; 1 where they are not."""
    from onehead.service.postgres_schema import missing  # noqa: PLC0415 - of an extra

    steps = missing(_url(options))
    if steps:
        print("Steps that are missing, in order:", *steps, sep="\n  ")
        # procrastinate's own mark of what removes something.
        if any("_post_" in step for step in steps):
            print("Stop every older onehead first: a step with _post_ in its name removes what it needs.")
        print("Next: onehead database upgrade")
        return 1
    print("The tables are up to date.")
    return 0


def run_upgrade(options: argparse.Namespace) -> int:
    """Bring the tables up to date, and say what was done."""
    from onehead.service.postgres_schema import upgrade  # noqa: PLC0415 - of an extra

    done = upgrade(_url(options))
    for step in done:
        print(f"Done: {step}.")
    print("The tables are up to date." if done else "The tables are up to date: already so.")
    return 0


def run_jobs(options: argparse.Namespace) -> int:
    """List what waits and what was given up; 1 where something was given up and is not restarted."""
    with _inbox(_url(options)) as inbox:
        if options.restart or options.restart_all:
            restarted = inbox.restart(None if options.restart_all else options.restart)
            print(f"Tried again within ten seconds: {', '.join(restarted) or 'nothing, as nothing was given up'}.")
            return 0
        entries = inbox.listed()
    if options.format == "json":
        print(json.dumps({"schema": "onehead.jobs/1", "jobs": [_document(each) for each in entries]}, indent=2))
    else:
        sys.stdout.write(_text(entries))
    return 1 if any(each.failed_at for each in entries) else 0


def _url(options: argparse.Namespace) -> str:
    return load_database_url(os.environ, Path(options.config) if options.config else None)


@contextmanager
def _inbox(url: str) -> Iterator[Inbox]:
    from onehead.service.postgres_schema import require  # noqa: PLC0415 - of an extra

    require(url)
    from psycopg_pool import ConnectionPool  # noqa: PLC0415

    from onehead.service.inbox import Inbox  # noqa: PLC0415

    with ConnectionPool(url, min_size=1, max_size=1) as pool:
        yield Inbox(pool)


def _document(entry: InboxEntry) -> dict[str, object]:
    return {
        "repository": entry.repository,
        "state": _state(entry),
        "subjects": entry.subjects,
        "since": entry.since.isoformat(),
        "attempts": entry.attempts,
        "error": entry.error,
    }


def _state(entry: InboxEntry) -> str:
    if entry.failed_at is not None:
        return "given-up"
    return "retrying" if entry.attempts else "waiting"


def _text(entries: list[InboxEntry]) -> str:
    if not entries:
        return "Nothing waits, and nothing was given up.\n"
    paint, lines = painter(sys.stdout), []
    for entry in entries:
        state = paint("bad" if entry.failed_at else "note", f"{_state(entry):<9}")
        lines.append(f"{state} {entry.repository}: {entry.subjects} since {entry.since:%Y-%m-%d %H:%M} UTC")
        if entry.error:
            lines.append(f"          after {entry.attempts} attempts: {entry.error}")
    if any(entry.failed_at for entry in entries):
        lines += ["The next sweep takes up what was given up. To do it at once:", "Next: onehead jobs --restart-all"]
    return "\n".join(lines) + "\n"
