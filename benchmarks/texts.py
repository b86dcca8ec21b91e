"""What the costliest texts take that a stranger may push: the longest of each kind that is parsed, and one byte more.

    .venv/bin/python -m benchmarks.texts

prints a table of benchmarks/README.md. Each text is read in a process of its own, by whatever reads such a text.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from onehead.operations.read import read as operations_of
from onehead.operations.sql import operations_in
from onehead.plan.policy import read_policy_files
from onehead.revisions.config import read_config
from onehead.revisions.edit import CannotEdit, open_revision
from onehead.revisions.parse import parse
from onehead.revisions.parsers import MAX_ALL_PIECES, MAX_PIECES, examination, pieces, too_large

IDS = b"revision = 'b' + ''\ndown_revision = 'a'\n"
SECTION = b"[alembic]\nscript_location = a\n"
TABLE = b"[tool.alembic]\nscript_location = 'a'\n"

Maker = Callable[[int], bytes]
"""A number of repetitions in, a text out."""


def revision(data: bytes) -> None:
    """All that a migration in a collision goes through."""
    parse(data)
    operations_of(data)
    with suppress(CannotEdit):
        open_revision(data)


def files_of_one_examination(data: bytes) -> None:
    """More of them than one examination parses."""
    for _ in range(2 * MAX_ALL_PIECES // pieces(data) + 1):
        parse(data)


READERS: dict[str, Callable[[bytes], object]] = {
    "migration": revision,
    "SQL": lambda data: operations_in(data.decode()),
    "`alembic.ini`": lambda data: read_config("alembic.ini", data),
    "`pyproject.toml`": lambda data: read_config("pyproject.toml", data),
    "`.onehead.toml`": lambda data: read_policy_files({".onehead.toml": data}),
    "examination": files_of_one_examination,
}

TEXTS: list[tuple[str, str, Maker]] = [
    ("migration", "a sum", lambda n: IDS + b"x = " + b"1+" * n + b"1\n"),
    ("migration", "rows", lambda n: IDS + b"x = [" + b"(1,'a')," * n + b"]\n"),
    ("migration", "assignments", lambda n: IDS + b"a=1;" * n + b"\n"),
    ("migration", "an f-string", lambda n: IDS + b"x = f'" + b"{a}" * n + b"'\n"),
    ("migration", "attributes", lambda n: IDS + b"x = a" + b".a" * n + b"\n"),
    ("migration", "lambdas", lambda n: IDS + b"x = [" + b"lambda:1," * n + b"]\n"),
    ("migration", "openings", lambda n: IDS + b"print 1\n" + b"a = (\n" * n),
    ("migration", "quotes that stay open", lambda n: IDS + b"print 1\n" + b'\\"""' * n + b"\n"),
    (
        "migration",
        "branches over names",
        lambda n: IDS + b"".join(b"v%d=1\n" % i for i in range(n)) + b"def upgrade():\n" + b"  if x: pass\n" * n,
    ),
    ("SQL", "comments that stay open", lambda n: b"/*" * n),
    ("SQL", "brackets that stay open", lambda n: b"[a" * n),
    ("SQL", "statements", lambda n: b"drop table a;" * n),
    ("SQL", "references", lambda n: b"create table a (a" + b" references" * n + b")"),
    ("`alembic.ini`", "keys", lambda n: SECTION + b"".join(b"a%d=%%(b)s\n" % i for i in range(n))),
    ("`pyproject.toml`", "tables", lambda n: TABLE + b"".join(b"[a%d]\n" % i for i in range(n))),
    (
        "`pyproject.toml`",
        "keys of 31 parts",
        lambda n: TABLE + b"".join(b"a%d%s=1\n" % (i, b".a" * 30) for i in range(n)),
    ),
    ("`pyproject.toml`", "one key", lambda n: TABLE + b"a" + b".a" * n + b" = 1\n"),
    ("`.onehead.toml`", "one key", lambda n: b"a" + b".a" * n + b" = 1\n"),
    ("examination", "sums", lambda n: IDS + b"x = " + b"1+" * n + b"1\n"),
]


def longest(make: Maker) -> int:
    """The most repetitions that are parsed."""
    low, high = 1, MAX_PIECES
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if too_large(make(middle)) else (middle, high)
    return low


def cost(reader: str, data: bytes) -> tuple[float, int]:
    """CPU seconds, and how many bytes the largest resident set grew by."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_cost, (reader, data))


def _cost(reader: str, data: bytes) -> tuple[float, int]:
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF)
    with examination():
        READERS[reader](data)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, (after.ru_maxrss - before.ru_maxrss) * unit


def main() -> None:
    """Measure all, and print one table."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores\n")
    print(
        "| read as | made of | the longest that is parsed, KiB | CPU, s | memory, MB "
        "| ten times as long: CPU, s | memory, MB |"
    )
    print("|---|---|--:|--:|--:|--:|--:|")
    for reader, name, make in TEXTS:
        most = longest(make)
        cells = [f"{len(make(most)) / 1024:,.0f}"]
        for times in (1, 10):
            seconds, memory = cost(reader, make(most * times))
            cells += [f"{seconds:.2f}", f"{memory / 1e6:.0f}"]
        print(f"| {reader} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
