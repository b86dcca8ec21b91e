"""What the page shows of a repository, from what a run knows. Pure; what a run did not look at stays as it was.

Every part has a bound: who may push, or open pull requests, must not fill the place where this is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from onehead.databases.reported import ReportedDatabase, progress
from onehead.plan.rivals import Brought
from onehead.plan.verdict import Examination
from onehead.reports.comment import leading_plan, one_line
from onehead.reports.graph import recent_picture
from onehead.reports.page_model import (
    MAX_DATABASES_SHOWN,
    MAX_ENVIRONMENTS,
    MAX_HEADS,
    MAX_PATH,
    MAX_PERSON,
    MAX_PROBLEMS,
    MAX_PULLS,
    MAX_RIVALS_SHOWN,
    MAX_ROWS_SHOWN,
    MAX_SENTENCE,
    MAX_TARGETS,
    MAX_TITLE,
    EnvironmentGraph,
    GraphRow,
    ProposedRows,
    RepositoryGraph,
    ShownDatabase,
    ShownEnvironment,
    ShownProblem,
    ShownPull,
    ShownRepository,
    ShownTarget,
    TargetGraph,
    plain_line,
    short_id,
)
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision
from onehead.service.desired import KnownPull, KnownState, KnownTarget
from onehead.service.judge import Judged
from onehead.service.troubles import page

MAX_GRAPH_ROWS = 5_000
"""Revisions of one repository that are kept, the newest of each environment; over all of its deployed branches."""

MAX_NOTED = 40
"""The newest revisions of an environment of which it is looked up who brought them, and what they do."""

_MAX_PROPOSED = 20  # revisions of one pull request in one environment
_MAX_ALL_PROPOSED = 500
_MAX_PARENTS = 32


def shown_after(
    before: ShownRepository | None,
    known: KnownState,
    repairs: Mapping[str, int],
    databases: Iterable[ReportedDatabase] | None,
    at: datetime,
) -> ShownRepository:
    """A repository after a look at it.

    Args:
        before: as it was shown before; `None` for never.
        known: what this look has found out.
        repairs: subject (`#12`, or the full name of a branch) → number of the pull request that repairs it.
        databases: all that have reported; `None` where that was not looked at.
        at: the time of this look.
    """
    snapshot = known.snapshot
    targets = {} if before is None else {each.branch: each for each in before.targets}
    targets |= {each.target.name: _target(each, repairs) for each in known.targets}
    pulls = {} if before is None else {each.number: each for each in before.pulls}
    pulls |= {each.pull.number: _pull(known, each, repairs) for each in known.pulls}
    open_now = sorted(pull.number for pull in snapshot.pulls)
    found = [pulls[number] for number in open_now if number in pulls]
    # What there is something to say about comes first where not all can be kept.
    kept = {each.number for each in sorted(found, key=lambda each: (_is_dull(each), each.number))[:MAX_PULLS]}
    return ShownRepository(
        at=at,
        targets=tuple(targets[name] for name in snapshot.targets if name in targets)[:MAX_TARGETS],
        pulls=tuple(each for each in found if each.number in kept),
        databases=tuple(_databases(before, known, databases)),
        more_pulls=len(found) - len(kept),
        url=snapshot.repository.clone_url.removesuffix(".git")[:MAX_PATH],
    )


def _is_dull(pull: ShownPull) -> bool:
    return pull.verdict in ("ok", "-") and not pull.rivals


def _target(each: KnownTarget, repairs: Mapping[str, int]) -> ShownTarget:
    name, point = each.target.name, each.target.point
    if each.judged is None:
        return ShownTarget(name, point.sha, "", plain_line(each.why, MAX_SENTENCE))
    examination = each.judged.examination
    problems = (*examination.own_errors(), *examination.own_warnings())
    return ShownTarget(
        branch=name,
        sha=point.sha,
        verdict=examination.verdict,
        says=_said(examination),
        coverage=examination.coverage,
        environments=tuple(
            _environment(e.facts.environment.path, e.facts.merged) for e in examination.environments[:MAX_ENVIRONMENTS]
        ),
        problems=tuple(
            ShownProblem(str(each.code), each.severity, plain_line(each.message, MAX_SENTENCE))
            for each in problems[:MAX_PROBLEMS]
        ),
        plan=_plan(each.judged),
        repair=repairs.get(point.ref),
    )


def _environment(path: str, graph: Graph) -> ShownEnvironment:
    heads = tuple(short_id(id_) for id_ in graph.heads[:MAX_HEADS])
    return ShownEnvironment(plain_line(path, MAX_PATH), heads, len(graph.heads), len(graph))


def _pull(known: KnownState, each: KnownPull, repairs: Mapping[str, int]) -> ShownPull:
    pull, judged = each.pull, each.judged
    verdict, says = "-", f"Goes into {pull.base.ref}, which is not deployed."
    if judged is not None:
        verdict, says = judged.examination.verdict, _said(judged.examination)
    elif each.why:
        verdict, says = "", each.why
    return ShownPull(
        number=pull.number,
        title=plain_line(pull.title, MAX_TITLE),
        author=plain_line(pull.author.login, MAX_PERSON),
        branch=plain_line(pull.head.ref, MAX_TITLE),
        base=plain_line(pull.base.ref, MAX_TITLE),
        verdict=verdict,
        says=plain_line(says, MAX_SENTENCE),
        plan="" if judged is None else _plan(judged),
        repair=repairs.get(page(pull.number)),
        rivals=tuple(
            rival._replace(environment=plain_line(rival.environment, MAX_PATH), what=short_id(rival.what))
            for rival in each.rivals[:MAX_RIVALS_SHOWN]
        ),
        draft=pull.draft,
        is_repair=known.snapshot.is_ours(pull),
    )


def _said(examination: Examination) -> str:
    return plain_line(one_line(examination), MAX_SENTENCE)


def _plan(judged: Judged) -> str:
    return "" if judged.is_ok else leading_plan(judged.examination).kind


def _databases(
    before: ShownRepository | None, known: KnownState, databases: Iterable[ReportedDatabase] | None
) -> Iterable[ShownDatabase]:
    if databases is None:
        yield from () if before is None else before.databases
        return
    main = known.snapshot.main.name
    judged = next((each.judged for each in known.targets if each.target.name == main), None)
    earlier = {} if before is None else {(each.name, each.environment): each for each in before.databases}
    for database in list(databases)[:MAX_DATABASES_SHOWN]:
        rows = tuple(short_id(row) for row in database.rows[:MAX_ROWS_SHOWN])
        shown = ShownDatabase(database.name, database.environment, rows, database.at, None)
        last = earlier.get((database.name, database.environment))
        if judged is None:
            yield shown if last is None else replace(shown, missing=last.missing, unknown=last.unknown)
            continue
        ways = (progress(e.facts, database) for e in judged.examination.environments)
        way = next((each for each in ways if each is not None), None)
        unknown = () if way is None else tuple(short_id(row) for row in way.unknown[:MAX_ROWS_SHOWN])
        yield replace(shown, missing=None if way is None else way.missing, unknown=unknown)


class FileOrigin(NamedTuple):
    """Who brought a file to a branch: a person, a commit, and a pull request; empty where that could not be found."""

    author: str = ""
    commit: str = ""
    pull: int | None = None


class Notes(NamedTuple):
    """What was looked up about files, by git's ids of them.

    `does`: what they do to the schema; `brought`: deployed branch and file → who brought it there.
    """

    does: dict[str, str]
    brought: dict[tuple[str, str], FileOrigin]


def notes_of(graph: RepositoryGraph) -> Notes:
    """What was looked up before."""
    return Notes(
        {row.blob: row.does for row in graph.rows() if row.blob},
        {
            (target.branch, row.blob): FileOrigin(row.author, row.commit, row.pull)
            for target in graph.targets
            for environment in target.environments
            for row in environment.rows
            if row.blob
        },
    )


class Unnoted(NamedTuple):
    """A revision of which more is to be looked up: on a deployed branch, or for an empty one in a pull request."""

    branch: str
    id: str
    path: str
    blob: str


def unnoted(known: KnownState, notes: Notes) -> list[Unnoted]:
    """What is to be looked up: the newest revisions of the branches of this look whose files have no notes yet."""
    found = [
        Unnoted(target.target.name, short_id(revision.id), revision.path, revision.blob)
        for target in known.targets
        for graph in _graphs(target).values()
        for revision in _newest(graph).values()
        if (target.target.name, revision.blob) not in notes.brought
    ]
    found += [
        Unnoted("", short_id(item.revision.id), item.revision.path, item.revision.blob)
        for pull in known.pulls
        for item in _brought(known, pull)
        if item.revision.blob not in notes.does
    ]
    return found


def graph_after(before: RepositoryGraph, known: KnownState, notes: Notes) -> RepositoryGraph:
    """What is drawn of a repository after a look at it."""
    snapshot = known.snapshot
    targets = {each.branch: each for each in before.targets}
    for each in known.targets:
        if each.judged is not None:
            name = each.target.name
            drawn = (_drawn(path, graph, name, notes) for path, graph in _graphs(each).items())
            targets[name] = TargetGraph(name, each.target.point.sha, tuple(drawn))
    proposed: dict[int, list[ProposedRows]] = defaultdict(list)
    for rows in before.proposed:
        proposed[rows.pull].append(rows)
    for pull in known.pulls:
        proposed[pull.pull.number] = list(_proposed(known, pull, notes))
    kept = [targets[name] for name in snapshot.targets if name in targets][:MAX_TARGETS]
    numbers = sorted(pull.number for pull in snapshot.pulls)
    return RepositoryGraph(_bounded(kept), tuple(_some(rows for number in numbers for rows in proposed[number])))


def _graphs(each: KnownTarget) -> dict[str, Graph]:
    environments = () if each.judged is None else each.judged.examination.environments[:MAX_ENVIRONMENTS]
    return {plain_line(e.facts.environment.path, MAX_PATH): e.facts.merged for e in environments}


def _newest(graph: Graph) -> dict[str, Revision]:
    nodes = recent_picture(graph, MAX_NOTED).nodes
    return {node.id: graph.revisions[node.id] for node in reversed(nodes)}


def _drawn(path: str, graph: Graph, branch: str, notes: Notes) -> EnvironmentGraph:
    newest = _newest(graph)
    rows = []
    for id_ in graph.parents_first(graph.revisions):
        row, blob = _row(graph.revisions[id_]), graph.revisions[id_].blob
        note = notes.brought.get((branch, blob)) if id_ in newest else None
        if note is not None:
            row = replace(row, does=notes.does.get(blob, ""), blob=blob, **note._asdict())
        rows.append(row)
    return EnvironmentGraph(path, tuple(rows))


def _row(revision: Revision) -> GraphRow:
    parents, needs, labels = (
        tuple(map(short_id, names[:_MAX_PARENTS]))
        for names in (revision.parents, revision.depends_on, revision.branch_labels)
    )
    return GraphRow(short_id(revision.id), parents, plain_line(revision.doc, MAX_TITLE), needs=needs, labels=labels)


def _brought(known: KnownState, each: KnownPull) -> Iterable[Brought]:
    """What an open pull request would bring, the first of each environment; a repair of ours brings nothing new."""
    counts: Counter[str] = Counter()
    if each.judged is not None and not known.snapshot.is_ours(each.pull):
        for item in each.judged.brought:
            counts[item.environment] += 1
            if counts[item.environment] <= _MAX_PROPOSED and len(counts) <= MAX_ENVIRONMENTS:
                yield item


def _proposed(known: KnownState, each: KnownPull, notes: Notes) -> Iterable[ProposedRows]:
    author, base = plain_line(each.pull.author.login, MAX_PERSON), plain_line(each.pull.base.ref, MAX_TITLE)
    rows: dict[str, list[GraphRow]] = defaultdict(list)
    for item in _brought(known, each):
        blob = item.revision.blob
        row = replace(_row(item.revision), author=author, pull=each.pull.number)
        if blob in notes.does:
            row = replace(row, does=notes.does[blob], blob=blob)
        rows[item.environment].append(row)
    for environment, found in rows.items():
        yield ProposedRows(each.pull.number, base, plain_line(environment, MAX_PATH), tuple(found))


def _some(proposed: Iterable[ProposedRows]) -> Iterable[ProposedRows]:
    room = _MAX_ALL_PROPOSED
    for rows in proposed:
        room -= len(rows.rows)
        if room < 0:
            return
        yield rows


def _without(row: GraphRow, gone: Collection[str]) -> GraphRow:
    parents, needs = (tuple(id_ for id_ in ids if id_ not in gone) for ids in (row.parents, row.needs))
    return replace(row, parents=parents, needs=needs)


def _bounded(targets: Iterable[TargetGraph]) -> tuple[TargetGraph, ...]:
    """The newest revisions of each environment; the first deployed branch has the first claim on the room."""
    room = MAX_GRAPH_ROWS
    found = []
    for target in targets:
        environments = []
        for environment in target.environments:
            rows = environment.rows[-room:] if room else ()
            room -= len(rows)
            older = len(environment.rows) - len(rows)
            if older:
                # Parents come first, so what is left out is below what is kept, and nothing else is below that.
                gone = {row.id for row in environment.rows[:older]}
                rows = tuple(_without(row, gone) for row in rows)
            environments.append(EnvironmentGraph(environment.path, rows, environment.older + older))
        found.append(replace(target, environments=tuple(environments)))
    return tuple(found)
