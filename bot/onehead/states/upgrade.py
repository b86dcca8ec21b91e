"""What `alembic upgrade head` would do to a database, computed with Alembic's own code and without a database.

Alembic is given the revisions as values: no file of the repository is loaded, no `env.py` is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from alembic.runtime.migration import HeadMaintainer
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionError, RevisionMap
from alembic.util import CommandError

from onehead.revisions.graph import Graph
from onehead.states.outcome import Outcome


def upgrade_head(graph: Graph, rows: tuple[str, ...], applied: frozenset[str]) -> Outcome:
    """Run `alembic upgrade head` in thought.

    Args:
        graph: the chain as the deployed files declare it.
        rows: content of `alembic_version` before; empty for a fresh database.
        applied: the revisions that the database really went through, whatever its rows imply.
    """
    try:
        steps = _script_directory(graph)._upgrade_revs("head", rows)  # type: ignore[arg-type] # noqa: SLF001
        runs = tuple(step.revision.revision for step in steps)
        database = _Rows(rows)
        for step in steps:
            database.update_to_step(step)
    except (CommandError, RevisionError) as error:
        return Outcome("error", (), tuple(sorted(rows)), error=str(error))
    except KeyError as error:
        return Outcome("error", (), tuple(sorted(rows)), error=f"KeyError: {error}")
    after = tuple(sorted(database.heads))
    lost = graph.ancestors(*after) - applied - set(runs)
    return Outcome("loss" if lost else "ok", runs, after, tuple(sorted(lost)))


def _script_directory(graph: Graph) -> ScriptDirectory:
    directory: ScriptDirectory = ScriptDirectory.__new__(ScriptDirectory)
    directory.revision_map = RevisionMap(lambda: _revisions(graph))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # missing parents and duplicates are findings of their own
        directory.revision_map.heads  # noqa: B018 - builds the map
    return directory


def _revisions(graph: Graph) -> Iterator[AlembicRevision]:
    """Alembic consumes these, so they are made anew each time; path order decides the order of unmerged heads."""
    for revision in sorted(graph, key=lambda r: r.path):
        made = AlembicRevision(
            revision.id, revision.parents or None, revision.depends_on or None, revision.branch_labels or None
        )
        made.module = SimpleNamespace(upgrade=None, downgrade=None)  # type: ignore[attr-defined]
        yield made


class _Rows(HeadMaintainer):
    """Alembic's bookkeeping of `alembic_version`, without the SQL."""

    def __init__(self, rows: tuple[str, ...]) -> None:
        nothing: Any = None
        super().__init__(nothing, rows)

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)
