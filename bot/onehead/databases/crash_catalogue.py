"""The texts with which Alembic, a database or its driver stops (`templates/crash/`), and the crash each stands for.

A text of Alembic's counts only where Alembic itself says it: by its logger, after `FAILED:`, as its exception, or as a
warning of its modules. The few exceptions are texts that no other program writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from onehead.render import stock

Dialect = Literal["postgresql", "sqlite", "mysql", "mssql", ""]

MAX_QUOTED = 300
"""Characters of a log's line that are quoted."""


class CrashKind(StrEnum):
    """What went wrong."""

    # Alembic says so.
    MULTIPLE_HEADS = "multiple-heads"
    CANNOT_LOCATE = "cannot-locate"
    AMBIGUOUS_ID = "ambiguous-id"
    NO_SUCH_BRANCH = "no-such-branch"
    OVERLAPS = "overlaps"
    MISSING_PARENT = "missing-parent"
    DUPLICATE_ID = "duplicate-id"
    CYCLE = "cycle"
    LABEL_CLASH = "label-clash"
    ILLEGAL_ID = "illegal-id"
    NO_ID_IN_FILE = "no-id-in-file"
    LOADED_TWICE = "loaded-twice"
    NO_SCRIPTS = "no-scripts"
    NO_CONFIGURATION = "no-configuration"
    BROKEN_FILE = "broken-file"
    NOT_UP_TO_DATE = "not-up-to-date"
    MODELS_DIFFER = "models-differ"
    NOT_ON_ONE_LINE = "not-on-one-line"
    ROW_CHANGED = "row-changed"
    ROW_IS_NO_TEXT = "row-is-no-text"
    WRONG_OPERATION = "wrong-operation"
    WRONG_SIGNATURE = "wrong-signature"
    WRONG_CALL = "wrong-call"
    NEW_REVISION = "new-revision"
    # The code of a migration.
    MIGRATION_CODE = "migration-code"
    # The database says so.
    ALREADY_THERE = "already-there"
    NOT_THERE = "not-there"
    ID_TOO_LONG = "id-too-long"
    VALUE_TOO_LONG = "value-too-long"
    NEW_ENUM_VALUE = "new-enum-value"
    AT_THE_SAME_TIME = "at-the-same-time"
    LOCKED = "locked"
    STATEMENT_FAILED = "statement-failed"


class BegunMigration(NamedTuple):
    """A migration that Alembic began: what it is called, from which revisions, to which."""

    verb: str
    origin: tuple[str, ...]
    target: str

    @property
    def revision(self) -> str:
        """The revision whose code runs: a downgrade runs that of the one it leaves."""
        return self.origin[-1] if self.verb == "downgrade" and self.origin else self.target


class Crash(NamedTuple):
    """One complaint; what it does not tell is empty.

    Attributes:
        subject: the revision, file or thing that it names.
        line: as it stands in the log.
        names: further revisions that it names.
        argument: what Alembic was called with, or which error the code of a migration raised.
        kind: which kind of thing a database names ("table", "trigger", …). `relation` is PostgreSQL's word for a table,
            an index, a view or a sequence; `object` stands for any kind.
        of: the table or type to which that thing belongs.
        step: the migration that was running.
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


_UNMISTAKABLE = re.compile(
    r"Multiple head revisions are present for given argument ['\"](?P<argument>[^'\"]{1,200})['\"]"
    r"|Can't locate revision identified by ['\"](?P<located>[^'\"]{1,200})['\"]"
)
"""Texts that are recognised in any line, also where only their beginning was copied."""

TELLING = re.compile(
    r"Multiple\s+head|Can't\s*locate\s*revision|overlaps\s*with\s*other|Requested\s*revision|Online\s*migration\s*expected"
    r"|is\s*detected\s*in\s*revisions"
)
"""What a line outside of any frame has to hold to be looked at."""

_STARTS = re.compile(r"Requested\s*revision|Online\s*migration|(?:Dependency\s*)?(?:[Cc]ycle|[Ss]elf-loop)\s*is")
_MAX_TEXT = 2500
"""Characters of one text; what is longer than the longest of them ends in a list that need not be read to its end."""

_ANYWHERE = {CrashKind.OVERLAPS, CrashKind.ROW_CHANGED, CrashKind.CYCLE}
"""Texts that nothing but Alembic says, so that they need no frame; they have to be there in full."""

_FIELDS = {
    "subject": r"""[^\s'"]{1,200}?""",
    "path": r"\S(?:[^\n]{0,300}?\S)?",
    "names": r"\S(?:[^\n]{0,2000}?\S)?",
    "argument": r"[^\n]{1,200}?",
    "any": r"[^\n]{0,2500}?",
}


def said(text: str, more: tuple[str, ...] = (), line: str = "", *, is_framed: bool = True) -> Crash | None:
    """What a text of Alembic's says; `None` where the catalogue does not have it.

    `more` are the lines after it: a terminal may have broken the message, within a word or between two. `line` holds
    the message; it is quoted with all that the terminal had broken off. `is_framed`: it came in a frame of Alembic's.
    """
    whole = text.strip()
    if not is_framed:
        # Only the last place where such a text begins: before it stands what somebody else has written.
        starts = [match.start() for match in _STARTS.finditer(whole)]
        whole = whole[starts[-1] :] if starts else ""
    for lines, part in enumerate(("", *more) if whole else ()):
        whole = (whole + part)[:_MAX_TEXT]
        found = _in_catalogue(whole, is_framed=is_framed)
        if found is not None:
            return found._replace(line=" ".join((line, *more[:lines]))[:MAX_QUOTED])
    for part in ("", *more[:1]):
        text += part
        match = _UNMISTAKABLE.search(text)
        if match is not None and match["located"]:
            return Crash(CrashKind.CANNOT_LOCATE, match["located"])
        if match is not None:
            return Crash(CrashKind.MULTIPLE_HEADS, argument=match["argument"])
    return None


def _in_catalogue(text: str, *, is_framed: bool) -> Crash | None:
    for trouble, pattern in _BY_FIRST.get(text[:1], _BY_FIRST[""]) if is_framed else _ANYWHERE_PATTERNS:
        match = pattern.match(text)
        if match is not None:
            named = match.groupdict()
            names = re.findall(r"[^\s,'\"()]+", (named.get("names") or "").replace("(head)", ""))
            subject = (named.get("subject") or named.get("path") or "").strip("'\" ")
            return Crash(trouble, subject, names=tuple(names), argument=named.get("argument") or "")
    return None


def _lines(name: str) -> Iterator[tuple[CrashKind, str]]:
    """The lines of a file of texts: which crash, and the rest."""
    for line in stock(f"crash/{name}.txt").decode().splitlines():
        if not line.startswith("#"):
            trouble, _, rest = line.partition(" | ")
            yield CrashKind(trouble), rest


def _pattern(text: str) -> str:
    """A text as a pattern. Blanks may be missing: that is how the halves of a broken line come together."""
    parts = []
    for word in re.split(r"(\{\w+\}|\s+)", text):
        if word.startswith("{"):
            name = word[1:-1]
            field = _FIELDS[name.rstrip("0123456789")]
            # Alembic has put some names in quotes, and others later.
            quote = "['\"]?" if name in ("subject", "path") else ""
            parts.append(f"(?:{field})" if name.startswith("any") else f"{quote}(?P<{name}>{field}){quote}")
        else:
            parts.append(r"\s*" if word.isspace() else re.escape(word))
    return "".join(parts)


def _by_first_letter() -> dict[str, tuple[tuple[CrashKind, re.Pattern[str]], ...]]:
    """The patterns by the letter that they begin with: a log may hold many lines, and the catalogue many texts."""
    letters = {pattern.pattern[:1] for _, pattern in _PATTERNS} - {"(", "\\"}
    return {
        letter: tuple(each for each in _PATTERNS if each[1].pattern[:1] in (letter, "(", "\\", "'"))
        for letter in ("", *letters)
    }


_PATTERNS = tuple((kind, re.compile(_pattern(text) + r"""[\s'"`*.)\]}]*$""")) for kind, text in _lines("alembic"))
_BY_FIRST = _by_first_letter()
_ANYWHERE_PATTERNS = tuple(each for each in _PATTERNS if each[0] in _ANYWHERE)


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
_TELLING_OF_REFUSALS = re.compile(
    r"exist|no such|uplicate|there is already|unsafe use|invalid input|too long|lock|Unknown|Can't|Cannot|has no column"
    r"|truncated|[Mm]ultiple primary|concurrently|violates unique|already|Invalid|is not a|more than once"
)
"""What every one of these texts holds: most messages need no closer look."""


def _refusal_patterns() -> Iterator[tuple[CrashKind, str, re.Pattern[str]]]:
    for trouble, rest in _lines("databases"):
        kind, _, pattern = rest.partition("| ")
        yield trouble, kind.strip(), re.compile(re.sub(r"@\w+", lambda part: _PARTS[part[0]], pattern))


_REFUSAL_PATTERNS = tuple(_refusal_patterns())

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


def refused(text: str, sql: str = "") -> Crash | None:
    """What the text of a database's error says, with or without its driver's decoration; `None` for any other text.

    The statement, where it is known, tells the version table from a table of the application.
    """
    shown = _SHOWN.search(text)
    plain = text if shown is None else shown["text"][1:-1]
    if not _TELLING_OF_REFUSALS.search(plain):
        return None
    plain = plain.replace("\\'", "'").replace('\\"', '"')
    for trouble, kind, pattern in _REFUSAL_PATTERNS:
        match = pattern.search(plain)
        if match is not None:
            named = match.groupdict()
            word, name = (named.get("kind") or kind).lower(), named.get("name") or ""
            if _is_too_long_id(trouble, name, sql):
                return Crash(CrashKind.ID_TOO_LONG)
            return Crash(trouble, _local(name), kind=_WORDS.get(word, word), of=_local(named.get("of") or ""))
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


def by_class(text: str, name: str, sql: str = "") -> Crash | None:
    """What PostgreSQL says in another language than English: the class of the exception is the same in each."""
    match = _CLASS.search(name) or _CLASS.search(text[:200])
    if match is None:
        return None
    trouble, kind = _BY_CLASS[match["name"]]
    if _is_too_long_id(trouble, "", sql):
        return Crash(CrashKind.ID_TOO_LONG)
    named = _IN_QUOTES.search(text, match.end() if match.string is text else 0)
    return Crash(trouble, _local(named["name"]) if named and kind else "", kind=kind)


def _is_too_long_id(trouble: CrashKind, column: str, sql: str) -> bool:
    """Whether the value that is too long was one for the version table."""
    return trouble == CrashKind.VALUE_TOO_LONG and (column == "version_num" or "version_num" in sql)


def _local(name: str) -> str:
    """A name without its schema and quotes."""
    return name.strip("`\"'[]").rpartition(".")[2].strip("`\"'[]")
