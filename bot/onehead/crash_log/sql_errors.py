"""What a database says of a statement that it refuses: which thing is there already, is missing, or does not fit. Pure.

The texts are those of PostgreSQL, SQLite, MySQL, MariaDB and SQL Server, whichever driver brings them. They count only
as the text of a driver's exception or of a server's own log: a `NOTICE … skipping` stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from onehead.crash_log.catalogue import Trouble

Dialect = Literal["postgresql", "sqlite", "mysql", "mssql", ""]


class Refused(NamedTuple):
    """What is wrong with a statement.

    Attributes:
        trouble: what.
        kind: which kind of thing ("table", "column", "trigger", …). `relation` is PostgreSQL's word for a table, an
            index, a view or a sequence; `object` stands for any kind.
        name: of the thing, without its schema.
        of: the table or type it belongs to; empty where the text does not say.
    """

    trouble: Trouble
    kind: str = ""
    name: str = ""
    of: str = ""


_NAME = r"""["'`]?(?P<name>[^\s"'`;:,]{1,200})["'`]?"""
_OF = r"""["'`]?(?P<of>[^\s"'`;:,]{1,200})["'`]?"""
_QUOTED = r'"(?P<name>[^"\n]{1,200})"'
_BELONGS = r' (?:of|for|on) (?:relation|table|type) "(?P<of>[^"\n]{1,200})"'
_KINDS = (
    "table|relation|column|index|constraint|trigger|type|function|procedure|view|materialized "
    "view|sequence|schema|policy|rule|role|extension|domain|collation|publication|statistics object|enum label|database"
)

_TEXTS: tuple[tuple[Trouble, str, str], ...] = (
    # PostgreSQL
    (
        Trouble.ALREADY_THERE,
        "",
        rf"(?P<kind>{_KINDS}) {_QUOTED}(?:{_BELONGS})? already exists(?! *, *skipping)",
    ),
    (
        Trouble.NOT_THERE,
        "",
        (
            rf"(?P<kind>{_KINDS}) {_QUOTED}(?:{_BELONGS}| referenced in foreign key constraint)? does not exist"
            r"(?! *, *skipping)"
        ),
    ),
    (Trouble.NOT_THERE, "column", r"column (?P<of>[^\s\".]{1,100})\.(?P<name>[^\s\"]{1,200}) does not exist"),
    (Trouble.NOT_THERE, "function", r"(?:function|procedure) (?P<name>[^\s(]{1,200})\([^\n]{0,300}?\) does not exist"),
    (Trouble.NOT_THERE, "enum label", rf"{_QUOTED} is not an existing enum label"),
    (Trouble.NOT_THERE, "enum label", r'invalid input value for enum (?P<of>[^\s:]{1,200}): "(?P<name>[^"\n]{1,200})"'),
    (Trouble.ALREADY_THERE, "primary key", r'multiple primary keys for table "(?P<of>[^"\n]{1,200})" are not allowed'),
    (Trouble.NEW_ENUM_VALUE, "enum label", rf"unsafe use of new value {_NAME} of enum type {_OF}"),
    (
        Trouble.AT_THE_SAME_TIME,
        "object",
        r'violates unique constraint "pg_\w{1,100}_index"|tuple concurrently (?:updated|deleted)',
    ),
    (Trouble.AT_THE_SAME_TIME, "row", r'violates unique constraint "alembic_version_pkc"'),
    (
        Trouble.VALUE_TOO_LONG,
        "",
        r"value too long for type character varying\(\d{1,9}\)",
    ),
    # SQLite
    (Trouble.ALREADY_THERE, "", rf"(?P<kind>table|index|view|trigger) {_NAME} already exists"),
    (Trouble.ALREADY_THERE, "", rf"there is already an? (?P<kind>table|index) named {_NAME}"),
    (Trouble.ALREADY_THERE, "object", rf"there is already another table or index with this name: {_NAME}"),
    (Trouble.ALREADY_THERE, "column", rf"duplicate column name: {_NAME}"),
    (Trouble.NOT_THERE, "column", r'no such column: "?(?P<of>[^\s".]{1,100})\.(?P<name>[^\s"]{1,200})'),
    (Trouble.NOT_THERE, "", rf"no such (?P<kind>table|index|view|trigger|column): {_NAME}"),
    (Trouble.NOT_THERE, "column", rf"table {_OF} has no column named {_NAME}"),
    (Trouble.LOCKED, "", r"database (?:table )?is locked"),
    # MySQL and MariaDB
    (Trouble.ALREADY_THERE, "", rf"(?P<kind>Table|Trigger) {_NAME} already exists"),
    (Trouble.ALREADY_THERE, "", rf"(?P<kind>PROCEDURE|FUNCTION) {_NAME} already exists"),
    (Trouble.ALREADY_THERE, "column", rf"Duplicate column name {_NAME}"),
    (Trouble.ALREADY_THERE, "index", rf"Duplicate key name {_NAME}"),
    (Trouble.ALREADY_THERE, "constraint", rf"Duplicate (?:foreign key|check|CHECK) constraint name {_NAME}"),
    (Trouble.ALREADY_THERE, "primary key", r"Multiple primary key defined"),
    (Trouble.ALREADY_THERE, "constraint", rf"Can't create table {_OF} \(errno: 121 "),
    (Trouble.ALREADY_THERE, "database", rf"Can't create database {_NAME}; database exists"),
    (Trouble.NOT_THERE, "", rf"Unknown (?P<kind>table|VIEW|SEQUENCE):? {_NAME}"),
    (Trouble.NOT_THERE, "", rf"(?P<kind>Table) {_NAME} doesn't exist"),
    # Where MySQL knows only the part of the statement, it names that: 'field list', 'where clause', 'SELECT'.
    (
        Trouble.NOT_THERE,
        "column",
        rf"Unknown column {_NAME} in '(?:[A-Z ]+|[a-z ]+ (?:list|clause|statement|function)|(?P<of>[^'\n]{{1,200}}))'",
    ),
    (Trouble.NOT_THERE, "column", rf"Key column {_NAME} doesn't exist in table"),
    (Trouble.NOT_THERE, "index", rf"Key {_NAME} doesn't exist in table {_OF}"),
    (
        Trouble.NOT_THERE,
        "",
        rf"Can't DROP (?P<kind>INDEX|COLUMN|CONSTRAINT|FOREIGN KEY|PARTITION) {_NAME}; check that it exists",
    ),
    (Trouble.NOT_THERE, "object", rf"Can't DROP {_NAME}; check that column/key exists"),
    (
        Trouble.NOT_THERE,
        "constraint",
        rf"(?:Check constraint|Constraint) {_NAME} (?:is not found in the table|does not)",
    ),
    (Trouble.NOT_THERE, "trigger", r"Trigger does not exist"),
    (Trouble.NOT_THERE, "", rf"(?P<kind>PROCEDURE|FUNCTION) {_NAME} does not exist"),
    (Trouble.VALUE_TOO_LONG, "", r"Data too long for column '(?P<name>[^'\n]{1,200})'"),
    (Trouble.LOCKED, "", r"Lock wait timeout exceeded|Deadlock found when trying to get lock"),
    # SQL Server
    (Trouble.ALREADY_THERE, "object", rf"There is already an object named {_NAME} in the database"),
    (
        Trouble.ALREADY_THERE,
        "column",
        rf"Column names in each table must be unique\. Column name {_NAME} in table {_OF} is specified more than once",
    ),
    (
        Trouble.ALREADY_THERE,
        "index",
        rf"an index or statistics with name {_NAME} already exists on table {_OF}",
    ),
    (Trouble.ALREADY_THERE, "primary key", rf"Table {_OF} already has a primary key defined on it"),
    (Trouble.NOT_THERE, "object", rf"Invalid object name {_NAME}"),
    (Trouble.NOT_THERE, "column", rf"Invalid column name {_NAME}"),
    (
        Trouble.NOT_THERE,
        "",
        rf"Cannot drop the (?P<kind>[a-z]{{1,20}}) {_NAME}, because it does not exist",
    ),
    (
        Trouble.NOT_THERE,
        "column",
        rf"ALTER TABLE (?:DROP|ALTER) COLUMN failed because column {_NAME} does not exist in table {_OF}",
    ),
    (Trouble.NOT_THERE, "object", rf"Cannot find the object {_NAME} because it does not exist"),
    (Trouble.NOT_THERE, "constraint", rf"{_NAME} is not a constraint"),
    (
        Trouble.VALUE_TOO_LONG,
        "",
        r"String or binary data would be truncated(?:[^\n]{0,300}?, column '(?P<name>[^'\n]{1,200})')?",
    ),
    (Trouble.LOCKED, "", r"was deadlocked on lock resources|Lock request time out period exceeded"),
    # PostgreSQL again
    (
        Trouble.LOCKED,
        "",
        r"deadlock detected|canceling statement due to (?:lock|statement) timeout|could not obtain lock on",
    ),
)

_TELLING = re.compile(
    r"exist|no such|uplicate|there is already|unsafe use|invalid input|too long|lock|Unknown|Can't|Cannot|has no column"
    r"|truncated|[Mm]ultiple primary|concurrently|violates unique|already|Invalid|is not a|more than once"
)
"""What every one of these texts holds: most messages need no closer look."""

_PATTERNS = tuple((trouble, kind, re.compile(pattern)) for trouble, kind, pattern in _TEXTS)

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


def refused(text: str, sql: str = "") -> Refused | None:
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
        return _versioned(Refused(trouble, _WORDS.get(word, word), _local(thing), _local(owner)), thing, sql)
    return None


_BY_CLASS: Mapping[str, tuple[Trouble, str]] = {
    "DuplicateTable": (Trouble.ALREADY_THERE, "relation"),
    "DuplicateColumn": (Trouble.ALREADY_THERE, "column"),
    "DuplicateObject": (Trouble.ALREADY_THERE, "object"),
    "DuplicateSchema": (Trouble.ALREADY_THERE, "schema"),
    "DuplicateFunction": (Trouble.ALREADY_THERE, "function"),
    "UndefinedTable": (Trouble.NOT_THERE, "relation"),
    "UndefinedColumn": (Trouble.NOT_THERE, "column"),
    "UndefinedObject": (Trouble.NOT_THERE, "object"),
    "UndefinedFunction": (Trouble.NOT_THERE, "function"),
    "StringDataRightTruncation": (Trouble.VALUE_TOO_LONG, ""),
    "LockNotAvailable": (Trouble.LOCKED, ""),
    "DeadlockDetected": (Trouble.LOCKED, ""),
}
_CLASS = re.compile(rf"\b(?P<name>{'|'.join(_BY_CLASS)})(?:Error)?\b")
_IN_QUOTES = re.compile(r"[«»„“\"'](?:\s|\xa0)?(?P<name>[^«»„“”\"'\n]{1,200}?)(?:\s|\xa0)?[»«“”\"']")


def by_class(text: str, name: str, sql: str = "") -> Refused | None:
    """What PostgreSQL says in another language than English: the class of the exception is the same in each."""
    match = _CLASS.search(name) or _CLASS.search(text[:200])
    if match is None:
        return None
    trouble, kind = _BY_CLASS[match["name"]]
    named = _IN_QUOTES.search(text, match.end() if match.string is text else 0)
    return _versioned(Refused(trouble, kind, _local(named["name"]) if named and kind else ""), "", sql)


def _versioned(found: Refused, column: str, sql: str) -> Refused:
    """The same; a value that is too long for the version table is an id."""
    is_too_long = found.trouble == Trouble.VALUE_TOO_LONG
    return Refused(Trouble.ID_TOO_LONG) if is_too_long and (column == "version_num" or "version_num" in sql) else found


def _local(name: str) -> str:
    """A name without its schema and quotes."""
    return name.strip("`\"'[]").rpartition(".")[2].strip("`\"'[]")
