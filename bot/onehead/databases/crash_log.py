"""Read the log of a crash: which complaints of Alembic or of a database it holds. Pure.

The texts of databases are those of PostgreSQL, SQLite, MySQL, MariaDB and SQL Server, whichever driver passes them on.
They count only in a driver's exception or in a server's own log: a `NOTICE … skipping` stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple

from onehead.databases.crash_catalogue import TELLING, CrashKind, Said, said
from onehead.databases.crash_messages import BegunMigration, Message, TraceFrame, is_of_alembic, lines_of, messages_in

Dialect = Literal["postgresql", "sqlite", "mysql", "mssql", ""]


class StatementProblem(NamedTuple):
    """What is wrong with a statement.

    Attributes:
        trouble: what.
        kind: which kind of thing ("table", "column", "trigger", …). `relation` is PostgreSQL's word for a table, an
            index, a view or a sequence; `object` stands for any kind.
        name: of the thing, without its schema.
        of: the table or type it belongs to; empty where the text does not say.
    """

    trouble: CrashKind
    kind: str = ""
    name: str = ""
    of: str = ""


_PARTS = {
    "@name": r"""["'`]?(?P<name>[^\s"'`;:,]{1,200})["'`]?""",
    "@of": r"""["'`]?(?P<of>[^\s"'`;:,]{1,200})["'`]?""",
    "@quoted": r'"(?P<name>[^"\n]{1,200})"',
    "@belongs": r' (?:of|for|on) (?:relation|table|type) "(?P<of>[^"\n]{1,200})"',
    "@loud": r"(?! *, *skipping)",
    "@clause": r"[A-Z ]+|[a-z ]+ (?:list|clause|statement|function)",
    "@kinds": "table|relation|column|index|constraint|trigger|type|function|procedure|view|materialized view|sequence|"
    "schema|policy|rule|role|extension|domain|collation|publication|statistics object|enum label|database",
}
_TEXTS = r"""
    # PostgreSQL
    already-there | | (?P<kind>@kinds) @quoted(?:@belongs)? already exists@loud
    not-there | | (?P<kind>@kinds) @quoted(?:@belongs| referenced in foreign key constraint)? does not exist@loud
    not-there | column | column (?P<of>[^\s\".]{1,100})\.(?P<name>[^\s\"]{1,200}) does not exist
    not-there | function | (?:function|procedure) (?P<name>[^\s(]{1,200})\([^\n]{0,300}?\) does not exist
    not-there | enum label | @quoted is not an existing enum label
    not-there | enum label | invalid input value for enum (?P<of>[^\s:]{1,200}): "(?P<name>[^"\n]{1,200})"
    already-there | primary key | multiple primary keys for table "(?P<of>[^"\n]{1,200})" are not allowed
    new-enum-value | enum label | unsafe use of new value @name of enum type @of
    at-the-same-time | object | violates unique constraint "pg_\w{1,100}_index"|tuple concurrently (?:updated|deleted)
    at-the-same-time | row | violates unique constraint "alembic_version_pkc"
    value-too-long | | value too long for type character varying\(\d{1,9}\)
    # SQLite
    already-there | | (?P<kind>table|index|view|trigger) @name already exists
    already-there | | there is already an? (?P<kind>table|index) named @name
    already-there | object | there is already another table or index with this name: @name
    already-there | column | duplicate column name: @name
    not-there | column | no such column: "?(?P<of>[^\s".]{1,100})\.(?P<name>[^\s"]{1,200})
    not-there | | no such (?P<kind>table|index|view|trigger|column): @name
    not-there | column | table @of has no column named @name
    locked | | database (?:table )?is locked
    # MySQL and MariaDB
    already-there | | (?P<kind>Table|Trigger) @name already exists
    already-there | | (?P<kind>PROCEDURE|FUNCTION) @name already exists
    already-there | column | Duplicate column name @name
    already-there | index | Duplicate key name @name
    already-there | constraint | Duplicate (?:foreign key|check|CHECK) constraint name @name
    already-there | primary key | Multiple primary key defined
    already-there | constraint | Can't create table @of \(errno: 121[ ]
    already-there | database | Can't create database @name; database exists
    not-there | | Unknown (?P<kind>table|VIEW|SEQUENCE):? @name
    not-there | | (?P<kind>Table) @name doesn't exist
    # Where MySQL knows only the part of the statement, it names that: 'field list', 'where clause', 'SELECT'.
    not-there | column | Unknown column @name in '(?:@clause|(?P<of>[^'\n]{1,200}))'
    not-there | column | Key column @name doesn't exist in table
    not-there | index | Key @name doesn't exist in table @of
    not-there | | Can't DROP (?P<kind>INDEX|COLUMN|CONSTRAINT|FOREIGN KEY|PARTITION) @name; check that it exists
    not-there | object | Can't DROP @name; check that column/key exists
    not-there | constraint | (?:Check constraint|Constraint) @name (?:is not found in the table|does not)
    not-there | trigger | Trigger does not exist
    not-there | | (?P<kind>PROCEDURE|FUNCTION) @name does not exist
    value-too-long | | Data too long for column '(?P<name>[^'\n]{1,200})'
    locked | | Lock wait timeout exceeded|Deadlock found when trying to get lock
    # SQL Server
    already-there | object | There is already an object named @name in the database
    already-there | column | must be unique\. Column name @name in table @of is specified more than once
    already-there | index | an index or statistics with name @name already exists on table @of
    already-there | primary key | Table @of already has a primary key defined on it
    not-there | object | Invalid object name @name
    not-there | column | Invalid column name @name
    not-there | | Cannot drop the (?P<kind>[a-z]{1,20}) @name, because it does not exist
    not-there | column | ALTER TABLE (?:DROP|ALTER) COLUMN failed because column @name does not exist in table @of
    not-there | object | Cannot find the object @name because it does not exist
    not-there | constraint | @name is not a constraint
    value-too-long | | String or binary data would be truncated(?:[^\n]{0,300}?, column '(?P<name>[^'\n]{1,200})')?
    locked | | was deadlocked on lock resources|Lock request time out period exceeded
    # PostgreSQL again
    locked | | deadlock detected|canceling statement due to (?:lock|statement) timeout|could not obtain lock on
"""
"""A line each: what is wrong, which kind of thing it is about if the text does not say that, and a pattern."""

_TELLING = re.compile(
    r"exist|no such|uplicate|there is already|unsafe use|invalid input|too long|lock|Unknown|Can't|Cannot|has no column"
    r"|truncated|[Mm]ultiple primary|concurrently|violates unique|already|Invalid|is not a|more than once"
)
"""What every one of these texts holds: most messages need no closer look."""


def _patterns() -> Iterator[tuple[CrashKind, str, re.Pattern[str]]]:
    for line in _TEXTS.strip().split("\n"):
        trouble, _, rest = line.strip().partition(" | ")
        kind, _, pattern = rest.partition("| ")
        if not trouble.startswith("#"):
            yield CrashKind(trouble), kind.strip(), re.compile(re.sub(r"@\w+", lambda part: _PARTS[part[0]], pattern))


_PATTERNS = tuple(_patterns())

_DIALECTS: Mapping[str, Dialect] = {
    **dict.fromkeys(("psycopg", "psycopg2", "asyncpg", "pg8000", "postgresql"), "postgresql"),
    **dict.fromkeys(("sqlite3", "aiosqlite", "pysqlcipher3"), "sqlite"),
    **dict.fromkeys(("pymysql", "MySQLdb", "aiomysql", "asyncmy", "mysql", "mariadb"), "mysql"),
    **dict.fromkeys(("pyodbc", "pymssql", "aioodbc", "mssql"), "mssql"),
}
_DRIVER = re.compile(rf"\b(?P<driver>{'|'.join(_DIALECTS)})\b[.\w]*")
_OF_A_DRIVER = re.compile(
    rf"(?:sqlalchemy\.(?:exc|dialects)|oracledb|cx_Oracle|{'|'.join(_DIALECTS)})\.|"
    r"(?:Programming|Operational|Integrity|Data|Internal|NotSupported|Database|DBAPI|Interface)Error$"
)
_WORDS = {
    "enum label": "label",
    "materialized view": "view",
    "foreign key": "constraint",
    "domain": "type",
    "procedure": "function",
}
_SHOWN = re.compile(r"'M': (?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")  # pg8000 shows the fields of the protocol


def is_of_a_driver(name: str, text: str) -> bool:
    """Whether an exception of this class, with this text, is a database's."""
    return _OF_A_DRIVER.match(name) is not None or re.match(rf"\((?:{'|'.join(_DIALECTS)})\.", text) is not None


def dialect_of(name: str, text: str) -> Dialect:
    """Whose database it is, by the driver's name; empty where that shows none."""
    match = _DRIVER.search(name) or _DRIVER.search(text[:200])
    return "" if match is None else _DIALECTS[match["driver"]]


def refused(text: str, sql: str = "") -> StatementProblem | None:
    """What the text of a database's error says; `None` where it is none of these texts.

    Args:
        text: the error, with or without its driver's decoration.
        sql: the statement, where it is known: it tells the version table from a table of the application.
    """
    shown = _SHOWN.search(text)
    plain = text if shown is None else shown["text"][1:-1]
    if not _TELLING.search(plain):
        return None
    plain = plain.replace("\\'", "'").replace('\\"', '"')
    for trouble, kind, pattern in _PATTERNS:
        match = pattern.search(plain)
        if match is None:
            continue
        named = match.groupdict()
        word = (named.get("kind") or kind).lower()
        thing, owner = named.get("name") or "", named.get("of") or ""
        return _versioned(StatementProblem(trouble, _WORDS.get(word, word), _local(thing), _local(owner)), thing, sql)
    return None


_BY_CLASS: Mapping[str, tuple[CrashKind, str]] = {
    "DuplicateTable": (CrashKind.ALREADY_THERE, "relation"),
    "DuplicateColumn": (CrashKind.ALREADY_THERE, "column"),
    "DuplicateObject": (CrashKind.ALREADY_THERE, "object"),
    "DuplicateSchema": (CrashKind.ALREADY_THERE, "schema"),
    "DuplicateFunction": (CrashKind.ALREADY_THERE, "function"),
    "UndefinedTable": (CrashKind.NOT_THERE, "relation"),
    "UndefinedColumn": (CrashKind.NOT_THERE, "column"),
    "UndefinedObject": (CrashKind.NOT_THERE, "object"),
    "UndefinedFunction": (CrashKind.NOT_THERE, "function"),
    "StringDataRightTruncation": (CrashKind.VALUE_TOO_LONG, ""),
    "LockNotAvailable": (CrashKind.LOCKED, ""),
    "DeadlockDetected": (CrashKind.LOCKED, ""),
}
_CLASS = re.compile(rf"\b(?P<name>{'|'.join(_BY_CLASS)})(?:Error)?\b")
_IN_QUOTES = re.compile(r"[«»„“\"'](?:\s|\xa0)?(?P<name>[^«»„“”\"'\n]{1,200}?)(?:\s|\xa0)?[»«“”\"']")


def by_class(text: str, name: str, sql: str = "") -> StatementProblem | None:
    """What PostgreSQL says in another language than English: the class of the exception is the same in each."""
    match = _CLASS.search(name) or _CLASS.search(text[:200])
    if match is None:
        return None
    trouble, kind = _BY_CLASS[match["name"]]
    named = _IN_QUOTES.search(text, match.end() if match.string is text else 0)
    return _versioned(StatementProblem(trouble, kind, _local(named["name"]) if named and kind else ""), "", sql)


def _versioned(found: StatementProblem, column: str, sql: str) -> StatementProblem:
    """The same; a value that is too long for the version table is an id."""
    is_too_long = found.trouble == CrashKind.VALUE_TOO_LONG
    return (
        StatementProblem(CrashKind.ID_TOO_LONG)
        if is_too_long and (column == "version_num" or "version_num" in sql)
        else found
    )


def _local(name: str) -> str:
    """A name without its schema and quotes."""
    return name.strip("`\"'[]").rpartition(".")[2].strip("`\"'[]")


MAX_CRASHES = 8
"""Different complaints of one log that are explained: the last ones."""

_MAX_QUOTED = 300


class Crash(NamedTuple):
    """One complaint.

    Attributes:
        trouble: which.
        subject: the revision, file or thing that it names; empty where it names none.
        line: as it stands in the log.
        names: further revisions that it names.
        argument: what Alembic was called with, or which error the code of a migration raised.
        kind: which kind of thing a database names ("table", "trigger", …).
        of: the table or type to which that belongs.
        step: the migration that was running, if the log shows one.
        file: the revision file in which it happened, as the image has it, and the line there.
        dialect: whose database complained.
        is_migrating: whether a migration was running; an application says the same words without one.
        is_framed: whether the log shows that it comes from Alembic, its migrations or a database. Where it does not,
            it counts only if `subject` is a revision of this repository.
    """

    trouble: CrashKind
    subject: str = ""
    line: str = ""
    names: tuple[str, ...] = ()
    argument: str = ""
    kind: str = ""
    of: str = ""
    step: BegunMigration | None = None
    file: tuple[str, int] = ("", 0)
    dialect: Dialect = ""
    is_migrating: bool = True
    is_framed: bool = True

    @property
    def revisions(self) -> tuple[str, ...]:
        """Every revision that it names."""
        step = () if self.step is None else (*self.step.origin, self.step.revision)
        subject = () if self.kind or self.file[0] or not self.subject else (self.subject,)
        return (*subject, *self.names, *step)


class Foreign(NamedTuple):
    """An error that is none of Alembic's: what it says, and the file and line in which it was raised, where known."""

    line: str
    path: str = ""
    number: int = 0


class CrashReport(NamedTuple):
    """What a log says.

    Attributes:
        crashes: different complaints, in order, `MAX_CRASHES` at most.
        left_out: how many more there were.
        foreign: the last error that has nothing to do with Alembic, if there is one.
    """

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
    for message in messages_in(lines_of(text), TELLING):
        crash = _crash(message)
        if crash is None:
            if message.frame == "exception":
                place = _own(message)
                foreign = Foreign(message.line[:_MAX_QUOTED], place.path, place.line)
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
    if message.frame == "exception":
        return _raised(message)
    return _of_a_database(message) if message.frame == "server" else _of_alembic(message)


def _of_alembic(message: Message) -> Crash | None:
    if message.frame == "warning" and not (not message.places or is_of_alembic(message.places[-1])):
        return None
    found = said(message.text, message.more, is_framed=message.frame != "text")
    return None if found is None else _from(found, message)


def _from(found: Said, message: Message) -> Crash:
    # What a terminal had broken is shown whole.
    line = " ".join([message.line, *message.more[: found.lines]])[:_MAX_QUOTED]
    return Crash(found.trouble, found.subject, line, found.names, found.argument, step=message.step)


def _raised(message: Message) -> Crash | None:
    """The end of a traceback: who raised it decides."""
    name = message.name.rpartition(".")[2]
    if is_of_a_driver(message.name, message.text):
        crash = _of_a_database(message)
        if crash is not None:
            return crash
    elif message.name.startswith("alembic.") or name in _OF_ALEMBIC:
        found = said(message.text, message.more)
        if found is not None:
            return _from(found, message)
    innermost = message.places[-1] if message.places else None
    if name == "KeyError":
        return _key_error(message, innermost)
    if innermost is not None and is_of_alembic(innermost):
        found = said(message.text, message.more)
        if found is not None and found.trouble != CrashKind.WRONG_SIGNATURE:
            return _from(found, message)
        if found is not None and innermost.path.replace("\\", "/").endswith("runtime/migration.py"):
            return _from(found, message)
    return _of_a_revision_file(message) or _of_unmistakable(message)


_OF_ALEMBIC = {
    *("CommandError", "RevisionError", "ResolutionError", "MultipleHeads", "RangeNotAncestorError", "CycleDetected"),
    *("LoopDetected", "DependencyCycleDetected", "DependencyLoopDetected", "DatabaseNotAtHead"),
    "AutogenerateDiffsDetected",
}


def _of_unmistakable(message: Message) -> Crash | None:
    """Alembic's text in an exception of the project's own: it was wrapped."""
    found = said(message.text, message.more, is_framed=False)
    return None if found is None else _from(found, message)


_KEY = re.compile(r"""(?P<quote>['"]?)(?P<key>[^'"\n]{0,200})(?P=quote)[\s'"}\])]*$""")


def _key_error(message: Message, innermost: TraceFrame | None) -> Crash | None:
    match = _KEY.match(message.text.strip())
    for line in message.more if innermost is None or is_of_alembic(innermost) else ():
        if match is None and message.text.startswith(("'", '"')):
            match = _KEY.match(message.text.strip() + line)
    if match is None:
        return None if innermost is None else _of_a_revision_file(message)
    key = match["key"]
    if innermost is None:
        if not key or " " in key:
            return None
        return Crash(CrashKind.MISSING_PARENT, key, message.line[:_MAX_QUOTED], step=message.step, is_framed=False)
    if is_of_alembic(innermost, "script/revision.py"):
        # Where a row is looked up, the KeyError is caught: it is the first half of "Can't locate".
        trouble = CrashKind.CANNOT_LOCATE if innermost.function == "_revision_for_ident" else CrashKind.MISSING_PARENT
        return Crash(trouble, key, message.line[:_MAX_QUOTED], step=message.step)
    if is_of_alembic(innermost, "operations/batch.py"):
        return Crash(
            CrashKind.NOT_THERE, key, message.line[:_MAX_QUOTED], kind="column", step=message.step, file=_file(message)
        )
    return _of_a_revision_file(message)


_VERSIONS = re.compile(r"(?:^|[/\\])[\w.-]*version[\w.-]*[/\\](?:[^/\\\n]{1,100}[/\\]){0,4}[^/\\\n]{1,200}\.py$")


def _of_a_revision_file(message: Message) -> Crash | None:
    """An error of the code in a revision file: while it was loaded, or while it ran."""
    places = message.places
    at = next((n for n in range(len(places) - 1, -1, -1) if _is_revision_file(places, n)), None)
    if at is None:
        return None
    place = places[at]
    is_loading = place.function in ("", "<module>") or any(
        is_of_alembic(each, "script/base.py") and each.function in ("_load_revisions", "_from_path", "_from_filename")
        for each in places[:at]
    )
    trouble = CrashKind.BROKEN_FILE if is_loading else CrashKind.MIGRATION_CODE
    return Crash(
        trouble,
        line=message.line[:_MAX_QUOTED],
        argument=message.line[:_MAX_QUOTED],
        step=message.step,
        file=(place.path, place.line),
    )


def _is_revision_file(places: tuple[TraceFrame, ...], at: int) -> bool:
    """Whether a frame is a migration's: Alembic called it, or it lies in a folder of versions."""
    place = places[at]
    if is_of_alembic(place) or not place.path.endswith(".py") or place.path.endswith("env.py"):
        return False
    if at and is_of_alembic(places[at - 1], "runtime/migration.py") and place.function in ("upgrade", "downgrade"):
        return True
    return _VERSIONS.search(place.path) is not None and "site-packages" not in place.path


def _of_a_database(message: Message) -> Crash | None:
    dialect = dialect_of(message.name, message.text)
    line = message.line[:_MAX_QUOTED]
    found = refused(message.text, message.sql)
    if found is None and message.more:
        found = refused(message.text + message.more[0], message.sql)
        line = line if found is None else (message.line + message.more[0])[:_MAX_QUOTED]
    found = found or by_class(message.text, message.name, message.sql)
    file = _file(message)
    is_migrating = bool(file[0]) or any(map(_migrates, message.places))
    if not is_migrating and any(map(_is_own, message.places)):
        return None
    if not is_migrating:
        # Frames of libraries alone do not show who called; what ran, and the statement, do.
        is_migrating = message.step is not None or bool(_DDL.search(message.sql or message.text))
    if found is not None and found.trouble in _ONLY_OF_MIGRATIONS:
        is_migrating = True
    step = message.step if is_migrating else None
    if found is None:
        if step is None and not file[0]:
            return None
        argument = message.text[:_MAX_QUOTED]
        return Crash(CrashKind.STATEMENT_FAILED, line=line, argument=argument, step=step, file=file, dialect=dialect)
    if message.frame == "server" and not is_migrating:
        return None
    return Crash(
        found.trouble,
        found.name,
        line,
        kind=found.kind or "object",
        of=found.of,
        step=step,
        file=file,
        dialect=dialect,
        is_migrating=is_migrating,
    )


_ONLY_OF_MIGRATIONS = (CrashKind.ALREADY_THERE, CrashKind.NEW_ENUM_VALUE, CrashKind.ID_TOO_LONG)
"""What only a statement that changes a schema, or Alembic itself, runs into."""

_DDL = re.compile(r"^\s*(?:CREATE|ALTER|DROP|COMMENT ON)\b|Can't DROP|Cannot drop the|\bversion_num\b", re.IGNORECASE)


def _migrates(place: TraceFrame) -> bool:
    return is_of_alembic(place) and place.function in ("run_migrations", "_exec", "execute", "invoke", "update_to_step")


def _file(message: Message) -> tuple[str, int]:
    places = message.places
    for at in range(len(places) - 1, -1, -1):
        if _is_revision_file(places, at):
            return places[at].path, places[at].line
    return "", 0


def _own(message: Message) -> TraceFrame:
    """Where an error came from: the project's own innermost frame."""
    return next((each for each in reversed(message.places) if _is_own(each)), TraceFrame("", 0, ""))


_LIBRARY = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python\d|^<")


def _is_own(place: TraceFrame) -> bool:
    return _LIBRARY.search(place.path) is None
