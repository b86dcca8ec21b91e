"""What collectors, formats and terminals put around a line goes, and nothing of the line itself."""

from __future__ import annotations

import json
import time

import pytest

from onehead.databases.crash_log import MAX_LINE, MAX_LINES, lines_of

TRACEBACK = """\
Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/alembic/script/revision.py", line 240, in _revision_map
    down_revision = map_[downrev]
                    ~~~~^^^^^^^^^
KeyError: '3f9d1c'"""


def carried(text: str) -> list[str]:
    return [line.text for line in lines_of(text)]


PREFIXES = {
    "kubectl --prefix": "[pod/shop-7d9c8b-x2x4z/app] ",
    "kubectl --timestamps": "2026-02-01T10:00:00.123456789Z ",
    "both": "[pod/shop-7d9c8b-x2x4z/app] 2026-02-01T10:00:00.123456789Z ",
    "containerd": "2026-02-01T10:00:00.123456789+01:00 stderr F ",
    "compose": "migrate-1  | ",
    "compose -t": "migrate-1  | 2026-02-01T10:00:00.123456789Z ",
    "swarm": "shop_migrate.1.x8s9d7f@node-3    | ",
    "foreman": "10:00:01 release.1  | ",
    "heroku": "2026-02-01T10:00:00.000000+00:00 app[release.4411]: ",
    "syslog": "Feb  1 10:00:00 web-3 alembic[4711]: ",
    "journal": "2026-02-01T10:00:00+0100 web-3 alembic[4711]: ",
    "fly": "2026-02-01T10:00:00Z app[148e2] ams [info]",
    "stern": "shop-7d9c8b5f4-x2x4z app ",
    "stern of a stateful set": "shop-0 app ",
    "stern of all namespaces": "prod shop-7d9c8b5f4-x2x4z app ",
    "gh run view": "deploy\tRun alembic upgrade head\t2026-02-01T10:00:00.1234567Z ",
    "actions": "2026-02-01T10:00:00.1234567Z ",
    "gitlab": "2026-02-01T10:00:00.123456Z 01E ",
    "markdown": "> ",
    "coloured": "\x1b[31m",
    "coloured compose": "\x1b[36mmigrate-1  |\x1b[0m ",
    "colours as text": "^[[0;31m",
    "an exception group": "  | ",
    "unknown": "<<7>> job 14 says ~ ",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_a_prefix_goes_and_indentation_stays(prefix: str) -> None:
    assert carried("\n".join(prefix + line for line in TRACEBACK.split("\n"))) == TRACEBACK.split("\n")


def test_two_programs_are_two_streams() -> None:
    both = [f"{name}  | {line}" for line in TRACEBACK.split("\n") for name in ("migrate-1", "worker-1")]
    lines = lines_of("\n".join(both))
    streams = {line.stream for line in lines}
    assert len(streams) == 2
    for stream in streams:
        assert [line.text for line in lines if line.stream == stream] == TRACEBACK.split("\n")


def test_a_time_makes_no_stream_of_its_own() -> None:
    text = "\n".join(f"2026-02-01T10:00:0{n}Z {line}" for n, line in enumerate(TRACEBACK.split("\n")))
    assert {line.stream for line in lines_of(text)} == {""}


RECORDS: dict[str, list[object]] = {
    "python-json-logger": [{"asctime": "2026-02-01 10:00:00,123", "message": "boot failed", "exc_info": TRACEBACK}],
    "structlog": [{"event": "boot failed", "level": "error", "exception": TRACEBACK}],
    "ecs": [{"@timestamp": "…", "message": "boot failed", "error": {"type": "KeyError", "stack_trace": TRACEBACK}}],
    "gcp": [{"severity": "ERROR", "jsonPayload": {"message": "boot failed\n" + TRACEBACK}}],
    "docker": [
        {"log": f"{line}\n", "stream": "stderr", "time": "2026-02-01T10:00:00Z"} for line in TRACEBACK.split("\n")
    ],
    "structlog in fields": [
        {
            "event": "boot failed",
            "exception": [
                {
                    "exc_type": "KeyError",
                    "exc_value": "'3f9d1c'",
                    "frames": [
                        {"filename": "/x/alembic/script/revision.py", "lineno": 240, "name": "_revision_map"},
                    ],
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("records", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("prefix", ["", "web-1  | ", "2026-02-01T10:00:00Z "])
def test_json_lines_are_read(records: list[object], prefix: str) -> None:
    lines = carried("\n".join(prefix + json.dumps(record) for record in records))
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "KeyError: '3f9d1c'"
    assert any("revision.py" in line and "_revision_map" in line for line in lines)


def test_a_whole_document_is_read() -> None:
    document = {"events": [{"timestamp": n, "message": line} for n, line in enumerate(TRACEBACK.split("\n"))]}
    assert carried(json.dumps(document, indent=2)) == TRACEBACK.split("\n")
    assert carried(json.dumps(["boot failed", {"message": TRACEBACK}])) == TRACEBACK.split("\n")


def test_json_keeps_the_logger() -> None:
    record = {"level": "ERROR", "logger": "alembic.util.messaging", "message": "Target database is not up to date."}
    assert carried(json.dumps(record)) == ["[alembic.util.messaging] Target database is not up to date."]


def test_other_containers_of_texts() -> None:
    assert carried(f"level=error ts=1 msg={json.dumps(TRACEBACK)}")[-1] == "KeyError: '3f9d1c'"
    ansible = {
        "changed": True,
        "cmd": "alembic upgrade head",
        "stderr": TRACEBACK,
        "stderr_lines": TRACEBACK.split("\n"),
    }
    assert carried(f"fatal: [web-3]: FAILED! => {json.dumps(ansible)}") == TRACEBACK.split("\n")
    assert carried("b'" + TRACEBACK.replace("\n", "\\n").replace("'", "\\'") + "'")[-1] == "KeyError: '3f9d1c''"


@pytest.mark.parametrize("width", [60, 80, 132])
def test_what_a_terminal_broke_hard_is_whole_again(width: int) -> None:
    lines = [*TRACEBACK.split("\n"), "ERROR [alembic.util.messaging] " + "word " * 60 + "end"]
    broken = [piece for line in lines for piece in ([line[n : n + width] for n in range(0, len(line), width)] or [""])]
    assert carried("\n".join(broken)) == lines


def test_equal_lengths_are_no_width() -> None:
    same = [f"2026-02-01T10:00:0{n}Z the same words again and again and again" for n in range(3)]
    assert len(carried("\n".join(same))) == 3


def test_what_was_drawn_is_not_broken() -> None:
    table = ["+" + "-" * 60 + "+", "| id" + " " * 57 + "|", "+" + "-" * 60 + "+", "KeyError: '3f9d1c'"]
    box = ["╭" + "─" * 60 + "╮", "╰" + "─" * 60 + "╯", "KeyError: '3f9d1c'"]
    assert carried("\n".join(table)) == table
    assert carried("\n".join(box))[-1] == "KeyError: '3f9d1c'"


def test_lines_that_hold_nothing_of_the_kind_stay() -> None:
    lines = [
        "SELECT a | b FROM t",
        "    x = {",
        "{not json}",
        "[SQL: CREATE TABLE t (id INTEGER)]",
        'NOTICE:  relation "t" already exists, skipping',
    ]
    assert carried("\n".join(lines)) == lines


def test_a_log_is_read_in_bounded_pieces() -> None:
    assert len(lines_of("x\n" * (MAX_LINES + 5))) == MAX_LINES
    assert len(carried("x" * (3 * MAX_LINE))[0]) == MAX_LINE
    assert carried("[" * 100_000) != []  # nested too deeply to be JSON


@pytest.mark.parametrize(
    "line",
    [
        "a" * 200_000,
        "a-" * 100_000,
        "a.b/" * 50_000,
        "[" * 200_000,
        "\x1b[" * 100_000,
        "a=" * 100_000,
        'a="' * 60_000,
        " " * 200_000 + "|",
        "a\t" * 100_000,
        "a[" * 100_000,
        "\\n" * 100_000,
    ],
    ids=lambda line: repr(line[:4]),
)
def test_hostile_lines_cost_no_more_than_their_length(line: str) -> None:
    def cost(text: str) -> float:
        begin = time.process_time()
        lines_of(text)
        return time.process_time() - begin

    short, long = line[: len(line) // 8], line
    assert cost(long) < 8 * 8 * cost(short) + 0.2
