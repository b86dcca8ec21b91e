"""Everything that a verdict depends on, as values that are collected before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from onehead.revisions.graph import Graph
from onehead.revisions.model import MAX_ID, ConfigProblem, Environment, Revision


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
