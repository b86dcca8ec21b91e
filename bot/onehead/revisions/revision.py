"""The words of the chain: what one revision file declares about itself."""

from __future__ import annotations

from typing import NamedTuple

from onehead.revisions.declared import Refusal

MAX_ID = 32
"""Characters of an id that Alembic's own version table holds (the width of `alembic_version.version_num`)."""


class Revision(NamedTuple):
    """One revision of an environment, as its file declares it.

    Attributes:
        id: the value of `revision`.
        parents: the values of `down_revision`, in the order written (Alembic runs the last parent first);
            empty for a base.
        depends_on: the values of `depends_on`.
        branch_labels: the values of `branch_labels`; a label that is computed stands as its source text.
        path: where the file is, from the top of the repository.
        blob: git's object id of the file.
        doc: first line of the module's docstring, the message given to `alembic revision -m`.
        revises: the ids of the docstring's `Revises:` line; `None` where there is no such line.
            Alembic never reads it.
        computed: `branch_labels` or `depends_on`, where the value can't be known without running the file.
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

    Attributes:
        path: the file.
        blob: git's object id of the file.
        line: 1-based line of the trouble, 0 for the whole file.
        reason: a sentence without a full stop, for people.
        id: the revision id, where that at least is known.
        kind: `dynamic` (a value is computed), `broken` (not Python, too large, not decodable),
            `not-a-revision` (readable, but declares no revision: Alembic itself refuses such a file) or
            `unreachable` (a submodule or link in the place of a version directory).
    """

    path: str
    blob: str
    line: int
    reason: str
    id: str | None = None
    kind: str = "broken"
