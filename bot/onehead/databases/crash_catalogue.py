"""The texts with which Alembic, a database or its driver stops, and the crash that each stands for. Pure.

Those of Alembic come from the source of 1.4 to 1.20, and a test compares them with the installed version. `{name}`
marks what Alembic inserts. A text counts only where Alembic itself says it: by its logger, after `FAILED:`, as its
exception, or as a warning of its modules. The few exceptions are texts that no other program writes.

Those of databases are the texts of PostgreSQL, SQLite, MySQL, MariaDB and SQL Server, whichever driver passes them on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

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


_TEXTS: Mapping[CrashKind, str] = {
    CrashKind.MULTIPLE_HEADS: """
        Multiple head revisions are present for given argument '{argument}'; please specify a specific target \
revision, '<branchname>@{argument2}' to narrow to a specific head, or 'heads' for all heads
        Multiple heads are present for given argument '{argument}'; {names}
        Multiple heads are present; please specify a single target revision
        Multiple heads are present; please specify the head revision on which the new revision should be based, or \
perform a merge.
        The script directory has multiple heads (due to branching).Please use get_heads(), or merge the branches using \
alembic merge.
        Only a single head is supported. The script directory has multiple heads{any}
        Version table '{argument}' has more than one head present; please use get_current_heads()
    """,
    CrashKind.CANNOT_LOCATE: """
        Can't locate revision identified by '{subject}'
        No such revision '{subject}'
        No such revision or branch '{subject}'
        No such revision or branch '{subject}'; please ensure at least four characters are present for partial \
revision identifier matches
    """,
    CrashKind.AMBIGUOUS_ID: """
        Multiple revisions start with '{subject}': {names}...
    """,
    CrashKind.NO_SUCH_BRANCH: """
        No such branch: '{subject}'
        Revision {argument} is not a member of branch '{subject}'
    """,
    CrashKind.OVERLAPS: """
        Requested revision {subject} overlaps with other requested revisions {names}
    """,
    CrashKind.MISSING_PARENT: """
        Revision {subject} referenced from {any} is not present
    """,
    CrashKind.DUPLICATE_ID: """
        Revision {subject} is present more than once
    """,
    CrashKind.CYCLE: """
        Cycle is detected in revisions ({names})
        Dependency cycle is detected in revisions ({names})
        Self-loop is detected in revisions ({names})
        Dependency self-loop is detected in revisions ({names})
        Dependency resolution failed; broken map
        Dependency resolution failed; iteration can't proceed
    """,
    CrashKind.LABEL_CLASH: """
        Branch name '{argument}' in revision {subject} already used by revision {names}
    """,
    CrashKind.ILLEGAL_ID: """
        Character(s) '{any}' not allowed in revision identifier '{subject}'
    """,
    CrashKind.NO_ID_IN_FILE: """
        Could not determine revision id from filename {path}. Be sure the 'revision' variable is declared inside \
the script (please see 'Upgrading from Alembic 0.1 to 0.2' in the documentation).
    """,
    CrashKind.LOADED_TWICE: """
        File {path} loaded twice! ignoring. Please ensure version_locations is unique.
    """,
    CrashKind.NO_SCRIPTS: """
        Path doesn't exist: {path}. Please use the 'init' command to create a new scripts folder.
        Can't find Python file {path}
    """,
    CrashKind.NO_CONFIGURATION: """
        No config file {path} found, or file has no '[{argument}]' section
        No 'script_location' key found in configuration.
        Incorrect TOML format
        boolean value expected for TOML parameter {any}
        unsupported TOML value type for key: {any}
        '{argument}' is not a valid value for {any}; expected 'space', 'newline', 'os', ':', ';'
        Did not locate plugins: {any}
        A plugin named {argument} is already registered
        Invalid plugin expression {any}
        Python >= 3.9 is required for timezone support or the 'backports.zoneinfo' package must be installed.
        Can't locate timezone: {any}
        The library 'python-dateutil' is required for timezone support
        SQLAlchemy {argument} or greater is required.
        SQLAlchemy {argument} required
    """,
    CrashKind.NOT_UP_TO_DATE: """
        Target database is not up to date.
        Database is not on all head revisions
    """,
    CrashKind.MODELS_DIFFER: """
        New upgrade operations detected: {any}
    """,
    CrashKind.NOT_ON_ONE_LINE: """
        Requested range {argument}:{argument2} does not refer to ancestor/descendant revisions along the same branch
        Destination {subject} is not a valid upgrade target from current head(s)
        Destination {subject} is not a valid downgrade target from current head(s)
        Revision {subject} is not an ancestor of revision {names}
        Revision Nothing to drop is not an ancestor of revision {names}
        Relative revision {argument} didn't produce {argument2} migrations
        Ambiguous walk
        Walked too far
        Ambiguous upgrade from multiple current revisions
        Not a valid downgrade target from current heads
        downgrade -1 from multiple heads is ambiguous; this usage will be disallowed in a future release.
        The script directory has multiple bases. Please use get_bases().
        No revision files indicated by symbol '{argument}'
        No current revisions
    """,
    CrashKind.ROW_CHANGED: """
        Online migration expected to match one row when deleting '{subject}' in '{argument}'; {argument2} found
        Online migration expected to match one row when updating '{subject}' to '{names}' in '{argument}'; {argument2} \
found
    """,
    CrashKind.ROW_IS_NO_TEXT: """
        revision identifier {path} is not a string; ensure database driver settings are correct
    """,
    CrashKind.WRONG_OPERATION: """
        No such constraint: '{subject}'
        No such index: '{subject}'
        Constraint must have a name
        recreate may be one of 'auto', 'always', or 'never'.
        Can't specify insert_before or insert_after when using ALTER; please specify recreate='always'
        This operation cannot proceed in --sql mode; batch mode with dialect {any}
        MS-SQL ALTER COLUMN operations with NULL or NOT NULL require the existing_type or a new type_ be passed.
        All MySQL CHANGE/MODIFY COLUMN operations require the existing type.
        Individual alter column constructs not supported by MySQL
        No generic 'DROP CONSTRAINT' in MySQL - please specify constraint type
        The {any} method does not apply to a batch table alter operation.
        Can't create table in batch mode
        Can't drop table in batch mode
        Cannot call run_async in SQL mode
        postgresql_using must be used with the type_ parameter
        No support for ALTER of constraints in SQLite dialect. Please refer to the batch mode feature which allows for \
SQLite migrations using a copy-and-move strategy.
        No support for ALTER of constraints in SQLite dialect{any}
        '{argument}' can be one of {any}
        List expected
        List of dictionaries expected
        SQL parameters not allowed with as_sql
        Can't send params and multiparams at the same time
        String or text() construct expected
        Migration "{any}" has left an uncommitted transaction opened; {any2}
        Cannot call run_async with a sync engine
    """,
    CrashKind.WRONG_SIGNATURE: """
        {argument}() got an unexpected keyword argument {any}
        {argument}() takes {any}
        {argument}() missing {any}
    """,
    CrashKind.BROKEN_FILE: """
        module '{subject}' has no attribute 'down_revision'
    """,
    CrashKind.WRONG_CALL: """
        Range revision not allowed
        downgrade with --sql requires <fromrev>:<torev>
        History range requires [start]:[end], [start]:, or :[end]
        Stamp operation with --sql only supports a single starting revision at a time
        Can't use --purge with --sql mode
        Can't specify current_rev to context when using a database connection
        Can't use literal_binds setting without as_sql mode
        No starting revision argument is available.
        'connection' argument to configure() is expected to be a sqlalchemy.engine.Connection instance, got {any}
        Connection, url, or dialect_name is required.
        No context has been configured yet.
        pyproject.toml indicated more than once
        only one ini file may be indicated
        {any} is not in the same subtree as {any2}
    """,
    CrashKind.NEW_REVISION: """
        Directory {any} already exists and is not empty
        No such template {any}
        Using --sql with --autogenerate does not make any sense
        Using --sql with the revision command when revision_environment is not configured does not make any sense
        autogenerate can't use as_sql=True as it prevents querying the database for schema information
        Can't proceed with --autogenerate option; environment script {any}
        Autogenerate rendering of SQL Expression language constructs not supported here; please use a plain SQL string
        can't return inspector as this AutogenContext has no database connection
        Duplicate table keys across multiple MetaData objects: {any}
        Can only return single object for {any}
        Multiple version_locations present
        Multiple version locations present, please specify --version-path
        Path {any} is not represented in current version locations
        Duplicate head revisions specified
        Revision {subject} is not a head revision; please specify --splice to create a new branch from this revision
        Version {subject} specified branch_labels {any}, however the migration file {any2}
        Template rendering failed; see {any} for a template-oriented traceback.
        No formatter with name '{argument}' registered
        Key {any} is required for post write hook {any2}
        Could not find entrypoint console_scripts.{any}
        Could not find module {any}
        Error executing editor ({any})
    """,
}

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

    Args:
        text: the message.
        more: the lines after it: a terminal may have broken the message, within a word or between two.
        line: the line that holds the message; it is quoted with all that the terminal had broken off.
        is_framed: whether it came in a frame of Alembic's.
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


def _patterns() -> Iterator[tuple[CrashKind, re.Pattern[str]]]:
    for trouble, texts in _TEXTS.items():
        for text in texts.strip().split("\n"):
            yield trouble, re.compile(_pattern(text.strip()) + r"""[\s'"`*.)\]}]*$""")


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


_PATTERNS = tuple(_patterns())
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
_REFUSALS = r"""
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

_TELLING_OF_REFUSALS = re.compile(
    r"exist|no such|uplicate|there is already|unsafe use|invalid input|too long|lock|Unknown|Can't|Cannot|has no column"
    r"|truncated|[Mm]ultiple primary|concurrently|violates unique|already|Invalid|is not a|more than once"
)
"""What every one of these texts holds: most messages need no closer look."""


def _refusal_patterns() -> Iterator[tuple[CrashKind, str, re.Pattern[str]]]:
    for line in _REFUSALS.strip().split("\n"):
        trouble, _, rest = line.strip().partition(" | ")
        kind, _, pattern = rest.partition("| ")
        if not trouble.startswith("#"):
            yield CrashKind(trouble), kind.strip(), re.compile(re.sub(r"@\w+", lambda part: _PARTS[part[0]], pattern))


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
    """What the text of a database's error says; `None` where it is none of these texts.

    Args:
        text: the error, with or without its driver's decoration.
        sql: the statement, where it is known: it tells the version table from a table of the application.
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
