"""The canary: a repository with known problems, judged like any other, so that a judge that is broken gets noticed.

A service can answer, fetch and sweep, and yet judge nothing right: git was replaced, a directory is not there, an
analyzer is not allowed to start. So a few commits are made, and the analyzers are asked about them as in each run, with
the same budget and isolation: what is wrong, and what repairs it. What they say is compared with what is right, as it
is written down here. No forge is asked. A repository waits for the canary as for another one: for parts of a second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from onehead.errors import OneheadError
from onehead.examine import naming
from onehead.examine.repair import confirm, write_drafts
from onehead.gitrepo.commit import CommitDraft, CommitSeries, Signature, update_ref, write_commits
from onehead.gitrepo.git import Git
from onehead.gitrepo.refs import HEADS
from onehead.plan.verdict import Point
from onehead.revisions.model import FileChange
from onehead.service.analyzer import Analyzers, RemoteAnalysis
from onehead.throwaway import throwaway

_MIGRATION = '''"""Create {id}

Revision ID: {id}
Revises: {parent}
"""

from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("{id}", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade():
    op.drop_table("{id}")
'''

_MERGE = "the merge"
"""In the place of a merge revision's id, which is chosen when it is made."""

_SIGNATURE = Signature(naming.AUTHOR, naming.EMAIL, datetime(2024, 1, 1, tzinfo=UTC))


class CanaryFailed(OneheadError):
    """The canary was not judged as it has to be."""

    def __init__(self, what: str, expected: str, found: str) -> None:
        super().__init__(
            f"The canary, {what}, has to be judged as {expected}, and was judged as {found}.",
            "Don't trust the verdicts of this process: stop it. Start the image or the packages again that were used "
            "before; if it goes on, report this line as a bug of onehead.",
        )


class _Judgement(NamedTuple):
    """A verdict, and the chain that the repair leaves: revision → its parents; empty where there is no repair."""

    verdict: str
    repaired: dict[str, tuple[str, ...]]

    def __str__(self) -> str:
        chain = [f"{id_} on {' and '.join(parents) or 'nothing'}" for id_, parents in sorted(self.repaired.items())]
        return f"{self.verdict} (repaired: {', '.join(chain)})" if chain else self.verdict


class _Canary(NamedTuple):
    """Two branches that collide, and a commit in which they have met: names, and commits."""

    git: Git
    main: Point
    branch: Point
    forked: Point


def check(analyzers: Analyzers) -> None:
    """Make the canary and have it judged.

    Raises:
        CanaryFailed: a verdict or a repair is not the right one.
        OneheadError: it could not be judged at all, or not be made.
    """
    with throwaway("canary") as folder:
        canary = _made(folder / "canary.git")
        analysis = analyzers.open(folder / "canary.git", folder / "parsed", "canary", is_counted=False)
        for what, target, head, right in (
            ("a healthy branch", canary.main, None, _HEALTHY),
            ("a branch that collides", canary.main, canary.branch, _REPARENTED),
            ("a forked branch", canary.forked, None, _MERGED),
        ):
            found = _judged(canary.git, analysis, target, head)
            if found != right:
                raise CanaryFailed(what, str(right), str(found))


_HEALTHY = _Judgement("ok", {})
_REPARENTED = _Judgement("collision", {"first": (), "second": ("first",), "other": ("second",)})
_MERGED = _Judgement("fork", {"first": (), "second": ("first",), "other": ("first",), _MERGE: ("other", "second")})


def _made(place: Path) -> _Canary:
    place.mkdir()
    git = Git.of_our_own(place)
    git.run("init", "--quiet", "--bare", "--object-format=sha1", "--initial-branch=main")
    configuration = FileChange("alembic.ini", b"[alembic]\nscript_location = alembic\n")
    drafts = [
        CommitDraft("Begin\n", [configuration, FileChange("alembic/env.py", b""), _migration("first", None)]),
        CommitDraft("Go on\n", [_migration("second", "first")]),
    ]
    [[begin, main]] = write_commits(git, CommitSeries("0" * 40, drafts, _SIGNATURE))
    other = [CommitDraft("Branch off\n", [_migration("other", "first")])]
    series = (CommitSeries(start, other, _SIGNATURE) for start in (begin, main))
    [[branch], [forked]] = write_commits(git, *series)
    canary = _Canary(git, Point(f"{HEADS}main", main), Point(f"{HEADS}branch", branch), Point(f"{HEADS}main", forked))
    # No branch leads to the forked commit: what has reached one is not moved any more.
    for point in (canary.main, canary.branch):
        update_ref(git, point.ref, point.sha, None)
    return canary


def _migration(id_: str, parent: str | None) -> FileChange:
    return FileChange(f"alembic/versions/{id_}.py", _MIGRATION.format(id=id_, parent=parent).encode())


def _judged(git: Git, analysis: RemoteAnalysis, target: Point, head: Point | None) -> _Judgement:
    """What is said of a branch; its repair is written, and read again."""
    judged = analysis.judge(target, head, None)
    draft = judged.repair
    if draft is None:
        return _Judgement(judged.examination.verdict, {})
    [repair] = write_drafts(git, [draft])
    written = analysis.written(target, Point(draft.start.ref, repair.sha))
    confirm(draft, written)
    chain = {each.id: tuple(sorted(each.parents)) for found in written for each in found.merged}
    return _Judgement(
        judged.examination.verdict,
        {id_ if id_ in _MERGED.repaired else _MERGE: parents for id_, parents in chain.items()},
    )
