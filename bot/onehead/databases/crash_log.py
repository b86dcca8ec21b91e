"""Read the log of a crash: which complaints of Alembic or of a database it holds. Pure.

First the lines: `kubectl --prefix`, `docker compose -t`, Heroku, stern, GitHub Actions, syslog and others put something
before each. It is removed, and it names the stream of the line: a traceback is read within one stream. A prefix of an
unknown shape is learned from the log itself, because Python writes the first line of a traceback at column 0.

Then the messages: the same words mean different things in different places. A `KeyError` of Alembic's revision map is a
missing file, one of `os.environ` a missing variable; a `NOTICE … skipping` of a database stops nothing. So every
message keeps the frame that it was found in, and the frame decides which texts count.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from onehead.databases.crash_catalogue import (
    MAX_QUOTED,
    TELLING,
    BegunMigration,
    Crash,
    CrashKind,
    by_class,
    dialect_of,
    is_of_a_driver,
    refused,
    said,
)

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
    """One line as the program wrote it, behind its stream: what stands before every line of the same program."""

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
    whole = _document(text) if text.lstrip()[:1] in ("{", "[") else None
    if whole is not None:
        return [Line("", line[:MAX_LINE]) for line in _lines_in(whole)][-MAX_LINES:]
    raw = [line[:_MAX_RECORD] for line in text.splitlines()[-MAX_LINES:]]
    found: list[Line] = []
    for line in _unwrapped([_COLOURS.sub("", line) if "\x1b" in line or "[" in line else line for line in raw]):
        stream, rest = _bare(line)
        found += (Line(stream, inner[:MAX_LINE]) for inner in _unpacked(rest))
    return _without_learned(found)[-MAX_LINES:]


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
            return _lines_in(record)
    if '="' in text and _LOGFMT.match(text):
        fields = {key: _unquoted(value) for key, value in _LOGFMT.findall(text[:_MAX_RECORD])}
        if len(fields) > 1 and any(key in fields for key in _MESSAGES):
            return _lines_in(fields)
    if _ESCAPED in text:
        return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'").replace('\\"', '"').splitlines()
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


def _lines_in(document: Any) -> list[str]:
    return [line for part in _texts(document) for line in part.splitlines()]


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


def _shape(prefix: str) -> str:
    return r"\d+".join(map(re.escape, re.split(r"\d+", prefix)))


Frame = Literal["alembic", "exception", "warning", "server", "text"]


class TraceFrame(NamedTuple):
    """One frame of a traceback: file, line (0 where it is not known) and function."""

    path: str
    line: int
    function: str


class Message(NamedTuple):
    """One message.

    Attributes:
        frame: `alembic`: its logger or its `FAILED:`; `exception`: the end of a traceback; `warning`: Python's
            warnings; `server`: a database's own log or command line; `text`: a line in no frame at all.
        text: what is said, without what stands before it in the line.
        name: the exception's or warning's class; the logger; the kind of server.
        places: of the traceback, the innermost last. Empty where none is seen: then nobody knows where it came from.
        step: the migration that had begun last.
        sql: the statement that failed; empty where the log does not show it.
        more: the lines that follow, for what a terminal has broken.
    """

    frame: Frame
    text: str
    line: str
    name: str = ""
    places: tuple[TraceFrame, ...] = ()
    step: BegunMigration | None = None
    sql: str = ""
    more: tuple[str, ...] = ()


_MAX_MORE = 6
_MAX_STATEMENT_LINES = 60
_MAX_STATEMENT = 4000
_MAX_PLACES = 400
_STEP_LASTS = 60
"""Lines after which a failure without a traceback is no longer put down to the last step."""

_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
_PLACE = re.compile(
    r"\s*File [\"'](?P<path>[^\"'\n]{1,500})[\"'], line (?P<line>\d{1,7})(?:, in (?P<function>\S{1,200}))?"
    r"|\s*(?P<path2>\S{1,500}\.py):(?P<line2>\d{1,7}):? in (?P<function2>[\w.<>]{1,200})"  # rich, pytest
)
_MAP_CODE = re.compile(r"\s*(?:down_revision = map_\[downrev\]|map_\[dep\] for dep in )")
_MAP = TraceFrame("alembic/script/revision.py", 0, "_revision_map")
_CHAINED = re.compile(r"\s*(?:During handling of the above exception|The above exception was the direct cause)")
_STEP = re.compile(
    r"Running (?P<verb>upgrade|downgrade|stamp_revision) (?P<origin>[^>\n]{0,300}?) ?-> (?P<revision>[^,\s]{0,200})"
)
_BEGIN = re.compile(r"\[alembic\.runtime\.migration\] Context impl|Context impl \w+Impl\.")
_LOGGER = re.compile(r"\b(?P<name>alembic\.util\.messaging|flask_migrate)\b(?P<rest>.*)$")
_AFTER_LOGGER = re.compile(r"(?::\w+:\d+|\s*[\])|:,-]|\s+|(?:ERROR|CRITICAL|WARNING|INFO)\b|Error: |\"|msg=|message=)*")
_FAILED = re.compile(r"(?:^|[\s\]|>:])FAILED: (?P<text>.*)$")
_WARNING = re.compile(r"(?:(?P<path>\S{1,500}\.py):(?P<line>\d{1,7}): )?(?P<name>\w{0,40}Warning): (?P<text>.*)$")
_SERVER = re.compile(
    r"(?:^|\s)(?:ERROR|FATAL|ERREUR|FEHLER):\s+(?:(?P<state>[0-9A-Z]{5}): )?(?P<text>\S.*)$"
    r"|^ERROR \d{4} \(\w{5}\)(?: at line \d+)?(?: in file: '[^']{0,300}')?: (?P<mysql>.*)$"
)
_SQLCMD = re.compile(r"\s*Msg \d{1,6}, Level \d")
_DRIVER_TUPLE = re.compile(r"^\s*\((?:\d{3,5}|'\w{5}'), b?[\"'\[]")
_EMBEDDED = re.compile(
    r"(?<![\w.])(?<!\w: )(?P<name>KeyError|(?:alembic|sqlalchemy|psycopg2?|asyncpg|sqlite3|pymysql|MySQLdb|pyodbc)"
    r"(?:\.\w{1,80}){1,6}): (?P<text>.*)$"
)
"""An exception at the end of a line, behind a prefix of an unknown shape; not behind words, which quote it."""
_EXCEPTION = re.compile(r"(?P<name>(?:[A-Za-z_]\w{0,80}\.){0,8}[A-Z]\w{1,80})(?:: (?P<text>.*))?$")
_ERROR_NAME = re.compile(
    r".*(?:Error|Exception|Detected|Heads|NotAtHead|Violation|Usage)$|(?:psycopg2?\.errors|asyncpg\.exceptions|sqlalchemy\.exc|alembic\.[\w.]+)\.\w+$"
)
_SQL = re.compile(r"\[SQL: ?(?P<sql>.*)$")
_STATEMENT = re.compile(r"(?:STATEMENT|ANWEISUNG):\s+(?P<sql>.*)$")


def messages_in(lines: Sequence[Line]) -> Iterator[Message]:
    """Every message of a log, in the order of its streams."""
    streams: dict[str, list[int]] = defaultdict(list)
    for at, line in enumerate(lines):
        streams[line.stream].append(at)
    for numbers in streams.values():
        yield from _LogReader(lines, numbers).messages()


class _LogReader:
    def __init__(self, lines: Sequence[Line], numbers: Sequence[int]) -> None:
        self._all = lines
        self._numbers = numbers
        self._lines = [lines[number].text for number in numbers]
        self._step: tuple[int, BegunMigration] | None = None

    def messages(self) -> Iterator[Message]:
        places: list[TraceFrame] = []
        margin: int | None = None  # indentation of the traceback that is being read
        waiting: Message | None = None  # an exception is held back until nothing says that it led to another one
        is_after_message_line = False
        for at, line in enumerate(self._lines):
            begin = _TRACEBACK.search(line)
            if begin is not None:
                places, margin = [], begin.start()
            elif (place := _place(line, places)) is not None:
                del places[:-_MAX_PLACES]
                places.append(place)
            elif _CHAINED.match(line):
                waiting, places = None, []
            elif _BEGIN.search(line):
                self._step = None
            elif (step := _STEP.search(line)) is not None:
                origin = tuple(step["origin"].replace(",", " ").split())
                self._step = (at, BegunMigration(step["verb"], origin, step["revision"]))
            elif is_after_message_line or not (places and line[: (margin or 0) + 1].isspace()):  # quoted source
                message = self._message(at, line, places, margin is not None, is_after_message_line)
                if message is not None:
                    if waiting is not None:
                        yield waiting
                    is_exception = message.frame == "exception"
                    waiting, places, margin = (message if is_exception else None), [], None
                    if not is_exception:
                        yield message
            is_after_message_line = _SQLCMD.match(line) is not None
        if waiting is not None:
            yield waiting

    def _message(self, at: int, line: str, places: Sequence[TraceFrame], is_open: bool, sqlcmd: bool) -> Message | None:
        logger = _LOGGER.search(line)
        if logger is not None:
            skipped = _AFTER_LOGGER.match(logger["rest"])
            rest = logger["rest"][skipped.end() if skipped else 0 :]
            return self._made("alembic", rest, at, logger["name"])
        failed = _FAILED.search(line)
        if failed is not None:
            return self._made("alembic", failed["text"], at, "FAILED")
        warning = _WARNING.search(line) if "Warning: " in line else None
        if warning is not None:
            place = (TraceFrame(warning["path"], int(warning["line"]), ""),) if warning["path"] else ()
            return self._made("warning", warning["text"], at, warning["name"], place)
        bare = line.strip()
        exception = _EXCEPTION.match(bare)
        if exception is not None and (is_open or places or _ERROR_NAME.match(exception["name"])):
            name = exception["name"]
            if not name.isupper() and (_ERROR_NAME.match(name) or places):
                return self._made("exception", exception["text"] or "", at, name, places)
        server = _SERVER.search(line)
        if server is not None:
            name = "mysql" if server["mysql"] else "postgresql"
            return self._made("server", server["text"] or server["mysql"] or "", at, name)
        if sqlcmd or _DRIVER_TUPLE.match(line):
            return self._made("server", bare, at, "mssql" if sqlcmd else "")
        embedded = _EMBEDDED.search(line)
        if embedded is not None:
            return self._made("exception", embedded["text"], at, embedded["name"], places)
        return self._made("text", bare, at) if TELLING.search(bare) else None

    def _made(self, frame: Frame, text: str, at: int, name: str = "", places: Sequence[TraceFrame] = ()) -> Message:
        step = self._step
        # Beside a traceback, the traceback says whether a migration was running.
        if step is not None and not places and at - step[0] > _STEP_LASTS:
            step = None
        return Message(
            frame,
            text,
            self._lines[at].strip(),
            name,
            tuple(places),
            None if step is None else step[1],
            self._statement(at) if frame in ("exception", "server") else "",
            self._more(at),
        )

    def _more(self, at: int) -> tuple[str, ...]:
        """The next lines; a line that a terminal has broken lacks its prefix from there on."""
        number = self._numbers[at]
        stream = self._all[number].stream
        near = islice(self._all, number + 1, number + 1 + 2 * _MAX_MORE)
        return tuple(each.text.strip() for each in near if each.stream in (stream, ""))[:_MAX_MORE]

    def _statement(self, at: int) -> str:
        """The SQL that SQLAlchemy or PostgreSQL shows beneath an error."""
        found: list[str] = []
        for line in self._lines[at : at + _MAX_STATEMENT_LINES]:
            if found:
                found.append(line)
            else:
                match = _SQL.search(line) or _STATEMENT.search(line)
                if match is None:
                    if _TRACEBACK.search(line) or _STEP.search(line) or _CHAINED.match(line):
                        return ""
                    continue
                found.append(match["sql"])
                if match.re is _STATEMENT:
                    break
            if line.rstrip().endswith("]"):
                break
        return "\n".join(found).strip().removesuffix("]")[:_MAX_STATEMENT].strip()


def _place(line: str, places: Sequence[TraceFrame]) -> TraceFrame | None:
    match = _PLACE.match(line)
    if match is not None:
        path = match["path"] or match["path2"]
        return TraceFrame(path, int(match["line"] or match["line2"]), match["function"] or match["function2"] or "")
    if _MAP_CODE.match(line) and not (places and is_of_alembic(places[-1])):
        return _MAP
    return None


_ALEMBIC = re.compile(
    r"(?:^|[/\\])alembic[/\\](?:(?:autogenerate|ddl|operations|runtime|script|util)[/\\][\w/\\]+"
    r"|command|config|context|environment|migration|op)\.py$"
)


def is_of_alembic(place: TraceFrame, module: str = "") -> bool:
    """Whether a frame lies in Alembic itself, not in a project's folder of that name; in one module of it."""
    return _ALEMBIC.search(place.path) is not None and place.path.replace("\\", "/").endswith(module)


MAX_CRASHES = 8
"""Different complaints of one log that are explained: the last ones."""


class Foreign(NamedTuple):
    """An error that is none of Alembic's: what it says, and the file and line in which it was raised, where known."""

    line: str
    path: str = ""
    number: int = 0


class CrashReport(NamedTuple):
    """What a log says: different complaints, in order, how many more there were, and its last error of another kind."""

    crashes: tuple[Crash, ...]
    left_out: int = 0
    foreign: Foreign | None = None

    def believed(self, known: Collection[str]) -> CrashReport:
        """The same with only what is certain: of complaints without a frame, those about a revision that is known."""
        kept = tuple(crash for crash in self.crashes if crash.is_framed or crash.subject in known)
        dropped = [crash for crash in self.crashes if crash not in kept]
        return CrashReport(kept, self.left_out, Foreign(dropped[-1].line) if dropped else self.foreign)


def read_log(text: str) -> CrashReport:
    """Every complaint of a log, each once."""
    found: dict[tuple[object, ...], Crash] = {}
    foreign: Foreign | None = None
    for message in messages_in(lines_of(text)):
        crash = _crash(message)
        if crash is None:
            if message.frame == "exception":
                place = next((each for each in reversed(message.places) if _is_own(each)), TraceFrame("", 0, ""))
                foreign = Foreign(message.line[:MAX_QUOTED], place.path, place.line)
            continue
        key = (crash.trouble, crash.subject, crash.names, crash.kind, crash.of)
        first = found.pop(key, crash)
        found[key] = crash._replace(line=first.line) if first.is_framed or not crash.is_framed else crash
    crashes = _without_echoes(list(found.values()))
    return CrashReport(tuple(crashes[-MAX_CRASHES:]), max(0, len(crashes) - MAX_CRASHES), foreign)


def _without_echoes(crashes: list[Crash]) -> list[Crash]:
    """Without what only repeats another complaint in fewer words."""
    located = {crash.subject for crash in crashes if crash.trouble in (CrashKind.CANNOT_LOCATE, CrashKind.AMBIGUOUS_ID)}
    warned = {crash.subject for crash in crashes if crash.trouble == CrashKind.MISSING_PARENT and crash.is_framed}
    heads = any(crash.trouble == CrashKind.MULTIPLE_HEADS and crash.argument for crash in crashes)
    return [
        crash
        for crash in crashes
        if not (
            (crash.trouble == CrashKind.MISSING_PARENT and not crash.is_framed and crash.subject in located | warned)
            or (crash.trouble == CrashKind.MULTIPLE_HEADS and not crash.argument and heads)
        )
    ]


def _crash(message: Message) -> Crash | None:
    """What a message complains of, by who says it."""
    match message.frame:
        case "exception":
            found = _raised(message)
        case "server":
            found = _of_a_database(message)
        case "warning" if message.places and not is_of_alembic(message.places[-1]):
            found = None
        case frame:
            found = _said(message, is_framed=frame != "text")
    if found is None:
        return None
    line = found.line or message.line[:MAX_QUOTED]
    return found._replace(line=line, step=message.step if found.is_migrating else None)


def _said(message: Message, *, is_framed: bool = True) -> Crash | None:
    return said(message.text, message.more, message.line, is_framed=is_framed)


def _raised(message: Message) -> Crash | None:
    """The end of a traceback: who raised it decides."""
    name = message.name.rpartition(".")[2]
    found = None
    if is_of_a_driver(message.name, message.text):
        found = _of_a_database(message)
    elif message.name.startswith("alembic.") or name in _OF_ALEMBIC:
        found = _said(message)
    if found is not None:
        return found
    innermost = message.places[-1] if message.places else None
    if name == "KeyError":
        return _key_error(message, innermost)
    if innermost is not None and is_of_alembic(innermost):
        found = _said(message)
        # Python says the same of a wrong call anywhere.
        if found is not None and (
            found.trouble != CrashKind.WRONG_SIGNATURE or is_of_alembic(innermost, "runtime/migration.py")
        ):
            return found
    # Alembic's text in an exception of the project's own: it was wrapped.
    return _of_a_revision_file(message) or _said(message, is_framed=False)


_OF_ALEMBIC = {
    *("CommandError", "RevisionError", "ResolutionError", "MultipleHeads", "RangeNotAncestorError", "CycleDetected"),
    *("LoopDetected", "DependencyCycleDetected", "DependencyLoopDetected", "DatabaseNotAtHead"),
    "AutogenerateDiffsDetected",
}


_KEY = re.compile(r"""(?P<quote>['"]?)(?P<key>[^'"\n]{0,200})(?P=quote)[\s'"}\])]*$""")


def _key_error(message: Message, innermost: TraceFrame | None) -> Crash | None:
    match = _KEY.match(message.text.strip())
    for line in message.more if innermost is None or is_of_alembic(innermost) else ():
        if match is None and message.text.startswith(("'", '"')):
            match = _KEY.match(message.text.strip() + line)
    if match is None:
        return _of_a_revision_file(message)
    key = match["key"]
    if innermost is None:
        return Crash(CrashKind.MISSING_PARENT, key, is_framed=False) if key and " " not in key else None
    if is_of_alembic(innermost, "script/revision.py"):
        # Where a row is looked up, the KeyError is caught: it is the first half of "Can't locate".
        is_of_a_row = innermost.function == "_revision_for_ident"
        return Crash(CrashKind.CANNOT_LOCATE if is_of_a_row else CrashKind.MISSING_PARENT, key)
    if is_of_alembic(innermost, "operations/batch.py"):
        return Crash(CrashKind.NOT_THERE, key, kind="column", file=_file(message))
    return _of_a_revision_file(message)


_VERSIONS = re.compile(r"(?:^|[/\\])[\w.-]*version[\w.-]*[/\\](?:[^/\\\n]{1,100}[/\\]){0,4}[^/\\\n]{1,200}\.py$")


def _of_a_revision_file(message: Message) -> Crash | None:
    """An error of the code in a revision file: while it was loaded, or while it ran."""
    places = message.places
    at = _innermost_of_a_revision(places)
    if at is None:
        return None
    is_loading = places[at].function in ("", "<module>") or any(
        is_of_alembic(each, "script/base.py") and each.function in ("_load_revisions", "_from_path", "_from_filename")
        for each in places[:at]
    )
    trouble = CrashKind.BROKEN_FILE if is_loading else CrashKind.MIGRATION_CODE
    return Crash(trouble, argument=message.line[:MAX_QUOTED], file=_file(message))


def _innermost_of_a_revision(places: Sequence[TraceFrame]) -> int | None:
    return next((at for at in range(len(places) - 1, -1, -1) if _is_revision_file(places, at)), None)


def _file(message: Message) -> tuple[str, int]:
    at = _innermost_of_a_revision(message.places)
    return ("", 0) if at is None else (message.places[at].path, message.places[at].line)


def _is_revision_file(places: Sequence[TraceFrame], at: int) -> bool:
    """Whether a frame is a migration's: Alembic called it, or it lies in a folder of versions."""
    place = places[at]
    if is_of_alembic(place) or not place.path.endswith(".py") or place.path.endswith("env.py"):
        return False
    if at and is_of_alembic(places[at - 1], "runtime/migration.py") and place.function in ("upgrade", "downgrade"):
        return True
    return _VERSIONS.search(place.path) is not None and "site-packages" not in place.path


def _of_a_database(message: Message) -> Crash | None:
    line = message.line
    found = refused(message.text, message.sql)
    if found is None and message.more:
        found = refused(message.text + message.more[0], message.sql)
        line = message.line if found is None else message.line + message.more[0]
    found = found or by_class(message.text, message.name, message.sql)
    file = _file(message)
    is_migrating = bool(file[0]) or any(is_of_alembic(p) and p.function in _MIGRATING for p in message.places)
    if not is_migrating:
        if any(map(_is_own, message.places)):
            return None
        # Frames of libraries alone do not show who called; what ran, and the statement, do.
        is_migrating = message.step is not None or bool(_DDL.search(message.sql or message.text))
    if found is not None:
        is_migrating = is_migrating or found.trouble in _ONLY_OF_MIGRATIONS
        if message.frame == "server" and not is_migrating:
            return None
        found = found._replace(kind=found.kind or "object", is_migrating=is_migrating)
    elif message.step is not None or file[0]:
        found = Crash(CrashKind.STATEMENT_FAILED, argument=message.text[:MAX_QUOTED])
    return found and found._replace(line=line[:MAX_QUOTED], file=file, dialect=dialect_of(message.name, message.text))


_ONLY_OF_MIGRATIONS = (CrashKind.ALREADY_THERE, CrashKind.NEW_ENUM_VALUE, CrashKind.ID_TOO_LONG)
"""What only a statement that changes a schema, or Alembic itself, runs into."""

_DDL = re.compile(r"^\s*(?:CREATE|ALTER|DROP|COMMENT ON)\b|Can't DROP|Cannot drop the|\bversion_num\b", re.IGNORECASE)


_MIGRATING = ("run_migrations", "_exec", "execute", "invoke", "update_to_step")


_LIBRARY = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python\d|^<")


def _is_own(place: TraceFrame) -> bool:
    return _LIBRARY.search(place.path) is None
