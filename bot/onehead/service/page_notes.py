"""Looks up what the page says of revision files: who brought them to a branch, and what they do to the schema.

Once for each file: what was found stays with git's id of it (see `page_state`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

from onehead.errors import OneheadError
from onehead.gitrepo.history import introduced, landed
from onehead.gitrepo.refs import is_here
from onehead.reports.page_model import MAX_PERSON, MAX_SENTENCE, RepositoryGraph, plain_line
from onehead.service.desired import KnownState
from onehead.service.judge import Analyst
from onehead.service.page_state import FileOrigin, Notes, Unnoted, notes_of, unnoted
from onehead.service.snapshot import Snapshot

MAX_LOOKED_UP = 200
"""Files of which one look looks up what they do and who brought them; the rest waits for the next."""

_MAX_COMMITS = 60
"""Commits that are looked at for who brought the newest revisions: in a large repository all of them would take a
second. Who brought what is older is not shown."""


def noted(known: KnownState, before: RepositoryGraph, analysis: Analyst) -> Notes:
    """What was noted of the files before a look, and what is looked up because of it.

    Raises:
        OneheadError: git could not tell who brought them.
    """
    notes = notes_of(before)
    wanted = unnoted(known, notes)[:MAX_LOOKED_UP]
    if not wanted:
        return notes
    does = _effects(analysis, {each.blob for each in wanted} - notes.does.keys())
    brought = _brought(known.snapshot, [each for each in wanted if each.branch], before)
    return Notes(notes.does | does, notes.brought | brought)


def _effects(analysis: Analyst, blobs: Collection[str]) -> dict[str, str]:
    """What files do to the schema; of what can't be found out, nothing is said."""
    told: dict[str, str] = {}
    if blobs:
        with suppress(OneheadError):
            told = analysis.effects(tuple(sorted(blobs)))
    return {blob: plain_line(told.get(blob, ""), MAX_SENTENCE) for blob in blobs}


def _brought(
    snapshot: Snapshot, wanted: Iterable[Unnoted], before: RepositoryGraph
) -> dict[tuple[str, str], FileOrigin]:
    """Who brought files to deployed branches. Where all of them are new, only what is new of the history is read."""
    paths: dict[str, dict[str, Unnoted]] = {}
    for each in wanted:
        paths.setdefault(each.branch, {})[each.path] = each
    drawn = {target.branch: target for target in before.targets}
    found = {}
    git = snapshot.git
    for branch, files in paths.items():
        sha, earlier, not_in = snapshot.targets[branch].point.sha, drawn.get(branch), list[str]()
        if earlier is not None and earlier.ids().isdisjoint(each.id for each in files.values()):
            not_in = [earlier.sha] if is_here(git, earlier.sha) else []
        blobs = {path: each.blob for path, each in files.items()}
        commits = introduced(git, blobs, sha, not_in, _MAX_COMMITS)
        merges = landed(git, blobs, sha, not_in, _MAX_COMMITS)
        for path, blob in blobs.items():
            commit, merge = commits.get(path), merges.get(path)
            found[branch, blob] = FileOrigin(
                "" if commit is None else plain_line(commit.author_name, MAX_PERSON),
                "" if commit is None else commit.sha,
                None if merge is None else merge.pull,
            )
    return found
