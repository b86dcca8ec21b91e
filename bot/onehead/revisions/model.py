"""What one revision file and one environment are: values only."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_BYTES = 8 * 1024 * 1024
"""A larger file is no revision file: it is reported as unreadable, and mirrors of the service do without it."""


class Dynamic(NamedTuple):
    """A value that needs running the file, by the name it is assigned to; `text` is at most 80 of its characters."""

    name: str
    line: int
    text: str


class Refusal(NamedTuple):
    """What Python says to a file that it can't load: a sentence that begins with "it", without a full stop.

    `line` is 0 where none is named; `certain`: no version of Python loads the file.
    """

    line: int
    reason: str
    certain: bool


class Declared(NamedTuple):
    """What one file declares, whatever its path; the fields of `Revision` mean the same there.

    Id and parents are `None` where there are none or they are `dynamic`. `broken` says why nothing could be read,
    `checked` whether it was looked for what Python refuses below the header.
    """

    revision: str | None = None
    parents: tuple[str, ...] | None = None
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    doc: str = ""
    revises: tuple[str, ...] | None = None
    dynamic: tuple[Dynamic, ...] = ()
    broken: str = ""
    line: int = 0
    checked: bool = False
    refusal: Refusal | None = None


_REVISES = re.compile(r"^[ \t]*Revises:[ \t]*([^\r\n]*)", re.MULTILINE)


def docstring(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The message, and the ids of the `Revises:` line."""
    message = next(iter(text.strip().splitlines()), "").rstrip()
    at = text.find("Revises:")
    match = _REVISES.search(text, text.rfind("\n", 0, at) + 1) if at >= 0 else None
    if match is None:
        return message, None
    return message, tuple([part for part in match[1].replace(",", " ").split() if part != "None"])


MAX_ID = 32
"""Characters of an id that Alembic's own version table holds (the width of `alembic_version.version_num`)."""


class Revision(NamedTuple):
    """One revision of an environment, as its file declares it.

    Attributes:
        parents: in the order written, for Alembic runs the last one first.
        branch_labels: of a computed label, its source text.
        blob: git's object id of the file.
        doc: first line of the module's docstring, the message given to `alembic revision -m`.
        revises: what the docstring's `Revises:` line names, which Alembic never reads; `None` without such a line.
        computed: `branch_labels` or `depends_on`, where it can't be known without running the file.
        refusal: why Python can't load the file, although its header is known.
    """

    id: str
    parents: tuple[str, ...]
    path: str
    blob: str
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    doc: str = ""
    revises: tuple[str, ...] | None = None
    computed: tuple[str, ...] = ()
    refusal: Refusal | None = None


class Unreadable(NamedTuple):
    """Something that may declare a revision and can't be read without running it.

    `reason` is a sentence without a full stop, `line` 0 for the whole file. `kind` is `dynamic` (a value is computed),
    `broken` (not Python, too large, not decodable), `not-a-revision` (it declares none, so Alembic refuses it) or
    `unreachable` (a submodule or link in the place of a version directory).
    """

    path: str
    blob: str
    line: int
    reason: str
    id: str | None = None
    kind: str = "broken"


class Location(NamedTuple):
    """One directory that holds revision files; `path` is `""` for the top of the repository.

    `recursive` is `None` where nobody says whether sub-folders count, so `environments.settle` decides by the ids. What
    is in it is hidden by `blocked`: a submodule, or the symbolic link that leads out of the repository.
    """

    path: str
    recursive: bool | None
    blocked: str = ""


class Environment(NamedTuple):
    """One chain of revisions: what Alembic would load together.

    Attributes:
        path: its name everywhere, unique in its tree: the first version location, e.g. `alembic/versions`.
        config: the ini or toml file that declares it; `None` where only `env.py` or the files show it.
        script_location: the directory with `env.py`; `None` when the configuration names one that is not here.
        locations: where the revision files are; the directories need not exist yet.
        certain: declared by a configuration or by `env.py`; `False`: guessed from the revision files alone.
        run_from: the directory in which Alembic is run: from there the relative paths of `config` lead somewhere.
        by_flask: `config` is that of Flask-Migrate, which Alembic refuses by itself: it names no `script_location`.
    """

    path: str
    config: str | None
    section: str | None
    script_location: str | None
    locations: tuple[Location, ...]
    file_template: str | None = None
    timezone: str | None = None
    certain: bool = True
    run_from: str = ""
    by_flask: bool = False

    def widened(self) -> Environment:
        """The same with all sub-folders of its directories; not of the top, for that is the whole repository."""
        return self._replace(
            locations=tuple(
                each._replace(recursive=True) if each.path and not each.blocked else each for each in self.locations
            )
        )


class ConfigProblem(NamedTuple):
    """Something in a configuration that a person should know; `reason` is a sentence without a full stop.

    `unread`: a bound was exceeded, so there may be more here that Alembic would read.
    """

    path: str
    line: int
    reason: str
    unread: bool = False


class FileChange(NamedTuple):
    """What a repair does to one file: `data` is its new content, and `None` deletes it; it may move to `new_path`."""

    path: str
    data: bytes | None
    new_path: str | None = None
