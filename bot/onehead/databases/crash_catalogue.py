"""The texts with which Alembic stops or warns, and the kind of problem that each stands for. Pure.

They come from the source of Alembic 1.4 to 1.20, and a test compares them with the installed version. `{name}` marks
what Alembic inserts. A text counts only where Alembic itself says it: by its logger, after `FAILED:`, as its exception,
or as a warning of its modules. The few exceptions are texts that no other program writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


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
    r"(?P<heads>Multiple head revisions are present for given argument ['\"](?P<argument>[^'\"]{1,200})['\"])"
    r"|(?P<locate>Can't locate revision identified by ['\"](?P<located>[^'\"]{1,200})['\"])"
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


class Said(NamedTuple):
    """One text of the catalogue, as it was found.

    Attributes:
        trouble: what it is about.
        subject: the revision, file or name it is about; empty where it names none.
        names: the further ones that it names.
        argument: what Alembic was called with, where it says so.
        lines: how many further lines a terminal had broken it into.
    """

    trouble: CrashKind
    subject: str = ""
    names: tuple[str, ...] = ()
    argument: str = ""
    lines: int = 0


def said(text: str, more: tuple[str, ...] = (), *, is_framed: bool = True) -> Said | None:
    """What a text of Alembic's says; `None` where the catalogue does not have it.

    Args:
        text: the message.
        more: the lines after it: a terminal may have broken the message, within a word or between two.
        is_framed: whether it came in a frame of Alembic's.
    """
    whole = text.strip()
    if not is_framed:
        # Only the last place where such a text begins: before it stands what somebody else has written.
        starts = [match.start() for match in _STARTS.finditer(whole)]
        whole = whole[starts[-1] :] if starts else ""
    for lines, line in enumerate(("", *more) if whole else ()):
        whole = (whole + line)[:_MAX_TEXT]
        found = _whole(whole, is_framed=is_framed)
        if found is not None:
            return found._replace(lines=lines)
    for line in ("", *more[:1]):
        text += line
        match = _UNMISTAKABLE.search(text)
        if match is not None and match["heads"]:
            return Said(CrashKind.MULTIPLE_HEADS, argument=match["argument"])
        if match is not None:
            return Said(CrashKind.CANNOT_LOCATE, match["located"])
    return None


def _whole(text: str, *, is_framed: bool) -> Said | None:
    for trouble, pattern in _BY_FIRST.get(text[:1], _BY_FIRST[""]) if is_framed else _ANYWHERE_PATTERNS:
        match = pattern.match(text)
        if match is not None:
            named = match.groupdict()
            names = re.findall(r"[^\s,'\"()]+", (named.get("names") or "").replace("(head)", ""))
            subject = (named.get("subject") or named.get("path") or "").strip("'\" ")
            return Said(trouble, subject, tuple(names), named.get("argument") or "")
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
            quote = (
                "['\"]?" if name in ("subject", "path") else ""
            )  # Alembic has put some names in quotes, and others later
            parts.append(f"{quote}(?P<{name}>{field}){quote}" if not name.startswith("any") else f"(?:{field})")
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
