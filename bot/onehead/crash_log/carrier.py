"""What carries a log, taken off: prefixes of collectors, JSON, logfmt, colours, breaks of a terminal. Pure.

`kubectl --prefix`, `docker compose -t`, Heroku, stern, GitHub Actions, syslog and others write something before each
line. Whatever a line is carried by goes, and tells which stream it belongs to: a traceback is read within one stream.
A prefix of an unknown shape is learned from the log itself, because Python writes the first line of a traceback at
column 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

MAX_LINES = 50_000
"""Lines that are read; of more, the last ones: a crash is at the end."""

MAX_LINE = 4_000
"""Characters of one line."""

_MAX_RECORD = 1024 * 1024
"""Characters of one JSON document."""

_MAX_DEPTH = 12
_MAX_LEARNED = 8
_WIDTHS = range(40, 400)


class Line(NamedTuple):
    """One line as the program wrote it.

    Attributes:
        stream: what stands before every line of the same program; empty for nothing.
        text: the rest.
    """

    stream: str
    text: str


_COLOURS = re.compile(
    r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]"  # colours and cursor movements
    r"|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[@-Z\\-_]"
    r"|(?:\^\[|#033|␛|\\x1b|\\033|\\e)\[[\d;]{0,16}m"  # as cat -v, rsyslog and others show them
)
_TIME = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?[,:]?(?=\s|$)\s?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s(?=\S)"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\s"
)
_PREFIX = re.compile(
    rf"(?P<time>\ufeff?(?:{_TIME}))"
    r"|(?P<mark>std(?:out|err) [FP]\s"  # containerd
    r"|\d\d[EO][ +]"  # GitLab
    r"|##\[(?:error|warning|debug|group|command)\]|::(?:error|warning)[^:\n]{0,200}::"  # Actions
    r"|>\s|E {3,}(?=\S)"  # quoted in Markdown; pytest
    r"|\s*(?:│|┃)\s?"  # rich
    r"|\s{2,}(?:\||\+-[-+ ]+)\s?)"  # exception groups
    r"|(?P<stream>\[[\w.-]+/[\w./-]+\]\s"  # kubectl --prefix
    r"|[\w.@:/-]{1,120}\s*\|\s?"  # docker compose, swarm, foreman
    r"|(?:[\w.-]{1,80} )?[\w./-]{1,80}\[[\w.-]{1,80}\]:\s"  # Heroku, syslog, journald
    r"|[\w.-]{1,80}\[[\w.-]{1,80}\]\s[a-z]{3} \[\w{1,10}\]"  # fly
    r"|(?:[+\u203a>] )?(?:[a-z0-9][a-z0-9.-]{0,100} )?[a-z0-9][a-z0-9.-]{0,100}-(?:[a-z0-9]{5}|\d{1,3}) "
    r"[a-z0-9][a-z0-9-]{0,60}\s(?:\u203a\s)?"  # stern
    rf"|[^\t\n]{{1,200}}\t[^\t\n]{{1,200}}\t(?=\ufeff?(?:{_TIME})))"  # gh run view --log
)
_MAX_PREFIXES = 6
_LOGFMT = re.compile(r'([A-Za-z_][\w.-]{0,60})=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPED = "(most recent call last):\\n"
_BEGINNING = re.compile(r"Traceback \(most recent call last\):|  File \"[^\"]{1,500}\", line \d")
"""What Python writes at the very beginning of a line, so that all before it is a prefix."""

_FRESH = re.compile(
    r"\s*$|Traceback \(|\s+File \"|\s*FAILED|[A-Z]{4,5}\s+\[|\[SQL|[a-z_]+(?:\.\w+)+: "
    r"|\w*(?:Error|Exception|Detected|Heads)\b|[╭│╰┃+|]"
)
_BOX = ("│", "┃", "╮", "╯", "|", "+", "-", "=")
"""How the lines of a table or a frame end: they are as long as each other because they were drawn so."""


def lines_of(text: str) -> list[Line]:
    """A log as the programs wrote it, in order."""
    whole = _document(text) if text.lstrip()[:1] in ("{", "[") and len(text) <= _MAX_RECORD else None
    if whole is not None:
        return [Line("", line[:MAX_LINE]) for part in _texts(whole) for line in part.splitlines()][-MAX_LINES:]
    raw = [_COLOURS.sub("", line) if "\x1b" in line or "[" in line else line for line in _split(text)]
    found: list[Line] = []
    for line in _unwrapped(raw):
        stream, rest = _bare(line)
        found += (Line(stream, inner[:MAX_LINE]) for inner in _unpacked(rest))
    return _without_learned(found)[-MAX_LINES:]


def _split(text: str) -> list[str]:
    return [line[:_MAX_RECORD] for line in text.splitlines()[-MAX_LINES:]]


def _bare(line: str) -> tuple[str, str]:
    """The stream of a line, and the line without what carries it."""
    stream = ""
    at = 0
    for _ in range(_MAX_PREFIXES):
        match = _PREFIX.match(line, at)
        if match is None or match.end() == at:
            break
        stream += " ".join((match["stream"] or "").split())
        at = match.end()
    return stream, line[at:]


def _unpacked(text: str) -> Iterable[str]:
    """The lines of what a JSON document, logfmt or an escaped text holds; else the text itself."""
    start = text.find("{")
    if start >= 0 and text.rstrip().endswith("}"):
        record = _document(text[start:])
        if record is not None:
            return [line for part in _texts(record) for line in part.splitlines()]
    if '="' in text and _LOGFMT.match(text):
        fields = {key: _unquoted(value) for key, value in _LOGFMT.findall(text[:_MAX_RECORD])}
        if len(fields) > 1 and any(key in fields for key in _MESSAGES):
            return [line for part in _texts(fields) for line in part.splitlines()]
    if _ESCAPED in text:
        plain = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'").replace('\\"', '"')
        return plain.splitlines()
    return (text,)


def _document(text: str) -> Any:
    if len(text) > _MAX_RECORD:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]


_MESSAGES = ("message", "msg", "event", "log", "text", "textPayload", "MESSAGE", "line", "short_message", "@message")
_MORE = (
    *("exc_info", "exception", "exc_text", "exc", "stack", "stack_trace", "stacktrace", "stack_info", "traceback"),
    *("full_message", "error", "err", "detail", "body", "stderr", "stdout", "output"),
)
_LOGGERS = ("logger", "logger_name", "loggerName", "name", "log.logger")


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """What a document tells, each text on its own."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        yield from _told_by(value)
        inner = [each for key, each in value.items() if key not in ("stdout_lines", "stderr_lines")]
    elif value and all(isinstance(each, str) for each in value):
        yield "\n".join(value)
        return
    elif value and all(isinstance(each, dict) and "exc_type" in each for each in value):
        yield from map(_structured, reversed(value))
        return
    else:
        inner = value
    for each in inner:
        if isinstance(each, dict | list):
            yield from _texts(each, depth + 1)


def _told_by(record: dict[str, Any]) -> Iterator[str]:
    """The texts of one record; its logger stands before its message as Alembic's own format has it."""
    logger = next((record[key] for key in _LOGGERS if isinstance(record.get(key), str)), "")
    for key in (*_MESSAGES, *_MORE):
        text = record.get(key)
        if isinstance(text, str):
            yield f"[{logger}] {text}" if key in _MESSAGES and logger.startswith("alembic.") else text


def _structured(exception: dict[str, Any]) -> str:
    """A traceback that was taken apart into fields (structlog), as Python writes it."""
    frames = exception.get("frames")
    lines = ["Traceback (most recent call last):"]
    lines += (
        f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
        for frame in (frames if isinstance(frames, list) else ())
        if isinstance(frame, dict)
    )
    lines.append(f"{exception.get('exc_type')}: {exception.get('exc_value')}")
    return "\n".join(lines)


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """Lines that a terminal has broken at its width, whole again.

    Only where different lines end at exactly the width that none exceeds; repeats of one line do not show a width.
    """
    width = max(map(len, lines), default=0)
    shapes = (
        {re.sub(r"\d+", "0", line) for line in lines if len(line) == width and not line.endswith(_BOX)}
        if width in _WIDTHS
        else set()
    )
    if len(shapes) < 2:
        yield from lines
        return
    whole = ""
    is_open = False
    for line in lines:
        if is_open and not _FRESH.match(line) and not _bare(line)[0] and len(whole) < MAX_LINE:
            whole += line
        else:
            if whole or is_open:
                yield whole
            whole = line
        is_open = len(line) == width and not line.endswith(_BOX)
        if not is_open:
            yield whole
            whole = ""
    if whole:
        yield whole


def _without_learned(lines: list[Line]) -> list[Line]:
    """The lines without prefixes of a shape that only the log itself shows."""
    found = {line.text[: match.start()] for line in lines if (match := _BEGINNING.search(line.text)) is not None}
    shapes = [prefix for prefix in sorted(found, key=len, reverse=True) if prefix.strip()][:_MAX_LEARNED]
    if not shapes:
        return lines
    pattern = re.compile("|".join(map(_shape, shapes)))

    def bare(line: Line) -> Line:
        match = pattern.match(line.text)
        if match is None:
            return line
        return Line(f"{line.stream} {re.sub(r'[0-9]+', '0', match.group())}", line.text[match.end() :])

    return [bare(line) for line in lines]


@lru_cache(maxsize=_MAX_LEARNED)
def _shape(prefix: str) -> str:
    return r"\d+".join(map(re.escape, re.split(r"\d+", prefix)))
