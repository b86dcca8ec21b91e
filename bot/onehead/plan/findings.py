"""What a verdict depends on, collected before anything is decided, and what is found wrong. All of it is values.

The codes are a contract: scripts match on them, and docs/reference/findings.md lists them. The sentences may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple

from onehead.revisions.graph import Graph
from onehead.revisions.model import MAX_ID, ConfigProblem, Environment, Revision
from onehead.text import quoted

MAX_LISTED = 50
"""Findings of one kind that are told one by one; the rest becomes one finding with their number."""

Severity = Literal["error", "warning", "note"]
Side = Literal["head", "target"]


class Code(StrEnum):
    """The stable names of all findings."""

    COLLISION = "collision"
    FORK = "fork"
    DUPLICATE_ID = "duplicate-id"
    DUPLICATE_LABEL = "duplicate-label"
    CYCLE = "cycle"
    MISSING_PARENT = "missing-parent"
    DYNAMIC_ID = "dynamic-id"
    DYNAMIC_LABEL = "dynamic-label"
    UNREADABLE_FILE = "unreadable-file"
    UNREADABLE_FOLDER = "unreadable-folder"
    NOT_A_REVISION = "not-a-revision"
    NOT_LOADED = "not-loaded"
    UNREADABLE_CONFIG = "unreadable-config"
    HISTORY_EDITED = "history-edited"
    BODY_CHANGED = "body-changed"
    ID_TOO_LONG = "id-too-long"
    INVALID_ID = "invalid-id"
    AMBIGUOUS_PREFIX = "ambiguous-prefix"
    COMPETING_MERGES = "competing-merges"
    NEW_BASE = "new-base"
    STALE_REVISES = "stale-revises"
    TEXT_CONFLICT = "text-conflict"
    BAD_POLICY = "bad-policy"
    SEMANTIC_CONFLICT = "semantic-conflict"
    ORDER_MATTERS = "order-matters"
    SILENT_DIFFERENCE = "silent-difference"
    UNKNOWN_OPERATION = "unknown-operation"
    NOT_IN_TRANSACTION = "not-in-transaction"


class FindingKind(NamedTuple):
    """What one code means, as the reference page says it, and how bad it is when the judged branch brings it.

    `blinds`: it may hide a collision, so that no verdict can be given (exit 3). The hint says what to do next.
    """

    severity: Severity
    meaning: str
    hint: str
    blinds: bool = False


KINDS: dict[Code, FindingKind] = {
    Code.COLLISION: FindingKind(
        "error",
        "Once this branch is merged, the environment has more heads than it is meant to have: `alembic upgrade head` "
        'stops with "Multiple head revisions" whatever the database holds.',
        "Run `onehead fix`, or merge the repair pull request into the branch.",
    ),
    Code.FORK: FindingKind(
        "error",
        "The branch itself has more heads than it is meant to have: its next `alembic upgrade head` stops with "
        '"Multiple head revisions".',
        "Run `onehead fix --target BRANCH`, or merge the repair pull request.",
    ),
    Code.DUPLICATE_ID: FindingKind(
        "error",
        "Two files declare the same revision id: Alembic keeps one of them and never runs the other.",
        "Give the newer one another id (`onehead fix` does it where that is safe); a merge is the wrong fix.",
    ),
    Code.DUPLICATE_LABEL: FindingKind(
        "error",
        "Two revisions declare the same branch label: every Alembic command stops with an error.",
        "Remove the label from one of them.",
    ),
    Code.CYCLE: FindingKind(
        "error",
        "Revisions follow or need each other in a circle: every Alembic command stops with CycleDetected, or with "
        "DependencyCycleDetected where `depends_on` is part of it.",
        "Set the `down_revision` of one of them to the revision it really follows.",
    ),
    Code.MISSING_PARENT: FindingKind(
        "error",
        "A revision names a parent (or dependency) that no file declares: every Alembic command stops with KeyError.",
        "Restore the missing file with the same id, or point the revision at a parent that exists.",
    ),
    Code.DYNAMIC_ID: FindingKind(
        "error",
        "`revision` or `down_revision` is computed when the file is imported; onehead never runs it and can't know it.",
        "Write the ids as plain strings.",
        blinds=True,
    ),
    Code.DYNAMIC_LABEL: FindingKind(
        "warning",
        "`branch_labels` or `depends_on` is computed when the file is imported; the chain itself is known.",
        "Nothing to do for the chain; write it as plain strings to have it checked too.",
    ),
    Code.UNREADABLE_FILE: FindingKind(
        "error",
        "A file among the revisions can't be read as Python: Alembic stops at it, and what it declares may be unknown.",
        "Correct the file; `python -m py_compile FILE` shows where it breaks.",
        blinds=True,
    ),
    Code.UNREADABLE_FOLDER: FindingKind(
        "error",
        "A version directory is a submodule, or a link that leads out of the repository: which revisions are in it is "
        "not known.",
        "Keep the revisions in this repository, or exclude the environment with `ignore-environments` in the policy.",
        blinds=True,
    ),
    Code.NOT_A_REVISION: FindingKind(
        "error",
        "A Python file among the revisions declares no `revision` or no `down_revision`: Alembic refuses the whole "
        "directory.",
        "Move it out of the version directory, or declare both names.",
    ),
    Code.NOT_LOADED: FindingKind(
        "warning",
        "A revision file is where Alembic does not look, so it never runs, and no command reports it.",
        "Move the file into the version directory; or, if sub-folders are meant, set `recursive_version_locations = "
        "true`.",
    ),
    Code.UNREADABLE_CONFIG: FindingKind(
        "warning",
        "A configuration that declares an environment can't be understood completely.",
        "Correct the configuration at the line shown: until then, onehead may miss an environment.",
    ),
    Code.HISTORY_EDITED: FindingKind(
        "warning",
        "A published revision got another parent, was removed, or had a revision put beneath it: databases that "
        "already passed that place never run what was put there.",
        "Check the state table for the databases that lose something; leave published revisions as they are and add "
        "a new one on top.",
    ),
    Code.BODY_CHANGED: FindingKind(
        "note",
        "The content of a published revision changed; databases that already ran it don't run it again.",
        "Make sure that databases that ran the old content and databases that run the new one end up the same.",
    ),
    Code.ID_TOO_LONG: FindingKind(
        "error",
        "The revision id is longer than 32 characters: PostgreSQL refuses to store it in `alembic_version`.",
        "Choose a shorter id.",
    ),
    Code.INVALID_ID: FindingKind(
        "error",
        "The revision id holds a character that Alembic refuses (`@`, `-`, `+` or `:`).",
        "Choose an id of letters, digits and underscores.",
    ),
    Code.AMBIGUOUS_PREFIX: FindingKind(
        "warning",
        "One revision id begins with another: a shortened id, or a database row whose file is gone, may resolve to "
        "the wrong one.",
        "Prefer ids of equal length.",
    ),
    Code.COMPETING_MERGES: FindingKind(
        "warning",
        "Two merge revisions join the same parents; one is enough, and two of them fork again.",
        "Delete the one that is not published.",
    ),
    Code.NEW_BASE: FindingKind(
        "warning",
        "A second chain starts beside the existing one: a newly labelled line, or one without a label beside "
        "labelled ones.",
        "If it is intended, deploy with `alembic upgrade heads`, or give each line a label; if not, set its "
        "`down_revision`.",
    ),
    Code.STALE_REVISES: FindingKind(
        "note",
        "The docstring's `Revises:` line names another parent than `down_revision`; Alembic reads only the latter.",
        "Correct the docstring, so that it does not mislead its readers.",
    ),
    Code.TEXT_CONFLICT: FindingKind(
        "note",
        "Git can't merge the two sides by itself; the files of both were judged together.",
        "Resolve the conflict; the result is judged again after the next push.",
    ),
    Code.BAD_POLICY: FindingKind(
        "error",
        "Something in `.onehead.toml` or `[tool.onehead]` can't be used; what it was meant to forbid is not known.",
        "Correct the line. The keys are `targets`, `strategy`, `shared-databases`, `fresh-ids`, `ignore-environments`, "
        "`allowed-heads`, `delivery`, `branches`, `merge-template` and `heads-up`.",
    ),
    Code.SEMANTIC_CONFLICT: FindingKind(
        "error",
        "An operation of one side and one of the other can't both be carried out, in whichever order: an upgrade that "
        "runs both sides stops with an error of the database.",
        "Change one of the two revisions so that it starts from what the other one leaves; a repair of the chain alone "
        "does not help.",
    ),
    Code.ORDER_MATTERS: FindingKind(
        "warning",
        "The two sides work in one order only: a database that has already run the other side first stops with an "
        "error.",
        "Where the side that has to run first is the newer one, change it so that it starts from what the other one "
        "leaves.",
    ),
    Code.SILENT_DIFFERENCE: FindingKind(
        "warning",
        "The two sides run without an error in both orders, but leave different tables or rows: databases drift apart.",
        "Decide which result is right, and set it in a revision on top of both.",
    ),
    Code.UNKNOWN_OPERATION: FindingKind(
        "note",
        "What a revision does is not known without running it, or depends on the rows: a person has to decide "
        "whether the two sides conflict.",
        "Look at the two revisions named, and make sure that each can run before the other.",
    ),
    Code.NOT_IN_TRANSACTION: FindingKind(
        "warning",
        "PostgreSQL refuses an operation inside a transaction, and Alembic runs it in one: the upgrade stops there, "
        "with or without the other side.",
        "Put it into `with op.get_context().autocommit_block():`.",
    ),
}


class Finding(NamedTuple):
    """One problem, found once: a full sentence, and the revisions, paths and places it concerns, all sorted.

    `blinds`: no verdict can be given because of it. `line` is that in the only path, 0 where it concerns no single
    line; `places` are path and line of operations.
    """

    code: Code
    severity: Severity
    introduced_by: Side
    message: str
    revisions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    blinds: bool = False
    line: int = 0
    places: tuple[tuple[str, int], ...] = ()

    @property
    def hint(self) -> str:
        """What to do next."""
        return KINDS[self.code].hint


def bounded(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The first of each kind, and one for all others of the kind, which concerns whatever they do."""
    kinds: dict[object, list[Finding]] = {}
    for finding in found:
        kinds.setdefault((finding.code, finding.severity, finding.introduced_by, finding.blinds), []).append(finding)
    told: list[Finding] = []
    for kind in kinds.values():
        told += kind[:MAX_LISTED]
        if rest := kind[MAX_LISTED:]:
            ids = sorted({id_ for finding in rest for id_ in finding.revisions})
            paths = sorted({path for finding in rest for path in finding.paths})
            message = f"{len(rest)} more of the kind are not listed one by one, about {quoted(ids or paths)}."
            told.append(kind[0]._replace(message=message, revisions=tuple(ids), paths=tuple(paths), line=0))
    return tuple(told)


class Facts(NamedTuple):
    """One environment as it stands on both sides and would stand once they are merged.

    Attributes:
        target: its graph on the branch that is deployed.
        head: its graph on the branch that was pushed; `None` when the target itself is judged.
        merged: its graph in the tree that git would make of both, if there are two.
        conflicts: paths of this environment that git can't merge by itself.
        elsewhere: ids that other environments of the repository declare.
        set_in_code: Python code beside the environment may give it further directories, those of others too.
        problems: what of its configuration can't be understood, in the judged tree.
        old_problems: the same for the target.
        allowed_heads: how many heads the environment may have before that is a fork.
        id_width: how many characters an id may have, as far as the project's own code says.
        unloaded: revisions of the judged tree that Alembic does not load: their files are in sub-folders that it does
            not read, or where the branch has its revisions and the target has none any more.
        old_unloaded: ids of those of the target.
        behaviours: of an id that several files declare, object id of a file → what it does, equal for files that do the
            same; a file that can't be read is absent.
    """

    environment: Environment
    target: Graph
    head: Graph | None
    merged: Graph
    conflicts: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    problems: tuple[ConfigProblem, ...] = ()
    old_problems: tuple[ConfigProblem, ...] = ()
    allowed_heads: int = 1
    set_in_code: bool = False
    id_width: int = MAX_ID
    unloaded: tuple[Revision, ...] = ()
    old_unloaded: frozenset[str] = frozenset()
    behaviours: Mapping[str, str] = MappingProxyType({})


class Held(NamedTuple):
    """What a database has reported of itself: its name, the row it held, and since which day (`2026-11-28`)."""

    database: str
    row: str
    day: str

    def __str__(self) -> str:
        return f"the database `{self.database}` held `{self.row}` on {self.day}"


class Evidence(NamedTuple):
    """Where the revisions that a repair could move have been seen; collected only when a repair is needed.

    Attributes:
        escaped: path of a revision file in the merged tree → where else that revision stands ("branch release/2.1",
            "tag v4"), for revisions that have escaped.
        merges: sorted heads → where a merge revision of exactly these heads already exists.
        incomplete: why not every other branch and tag could be looked at; when not empty, everything counts as
            escaped.
        reported: path of a revision file in the merged tree → the databases that have run that revision.
        unplaced: rows at which databases stand now and which nothing declares: what these have run is unknown, so
            everything counts as escaped.
        taken: revision ids and file stems that other branches, tags and pull requests use, and rows that databases
            have named: what a repair invents must be none of these.
    """

    escaped: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    merges: Mapping[tuple[str, ...], str] = MappingProxyType({})
    incomplete: str = ""
    reported: Mapping[str, tuple[Held, ...]] = MappingProxyType({})
    unplaced: tuple[Held, ...] = ()
    taken: frozenset[str] = frozenset()
