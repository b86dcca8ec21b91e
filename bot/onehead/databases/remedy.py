"""Find the commands that repair a database. Each list of commands is simulated before it is shown.

The method: `stamp --purge` records what is really there, upgrades run what is missing beneath it, a second stamp
records the result, and `upgrade` does the rest. If a revision would run twice or be left out, no remedy is offered.

Nearly every migration was run once by its author. After a re-parent, that database skips the other side or no longer
finds its row. The remedy is to downgrade on the branch as it is, before the merge, and to upgrade afterwards.

A remedy that depends on something that only a person can know says on what. Where even that would be a guess, none is
offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from posixpath import relpath
from shlex import join, quote, split

from onehead.databases.model import Diagnosis, OwnDatabase, ProblemKind, Remedy, RemedyStep
from onehead.databases.schema_effects import Dialect
from onehead.databases.schema_evidence import SchemaEvidence
from onehead.databases.states import Database, Fix, Target, parents_first, rows_of, with_rows
from onehead.databases.upgrade import AlembicStops, Deployed, from_the_point, upgrade
from onehead.plan.plans import Plan, Reissue, Reparent
from onehead.revisions.config import is_sample
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment


@dataclass(frozen=True, slots=True)
class AlembicCommand:
    """One `alembic` command line: `upgrade` with one target, or `stamp --purge` with any number of revisions."""

    verb: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        options = ("--purge",) if self.verb == "stamp" else ()
        return join(("alembic", self.verb, *options, *self.arguments))


def remedy(deployed: Deployed, database: Database, target: Target, *, is_sure: bool = False) -> tuple[str, ...]:
    """Command lines, in order, that bring the database to the end of the chain; empty where none is proven.

    A database that ran what no file declares has been where these files don't lead, so nothing is proposed. Nor is for
    a row that no file declares, unless it `is_sure` what ran all the same.
    """
    if not deployed.graph.revisions.keys() >= database.applied:
        return ()
    if not is_sure and any(row not in deployed.graph for row in database.rows):
        return ()
    for commands in _candidates(deployed, database, target):
        if proven(deployed, database, commands):
            return tuple(str(command) for command in commands)
    return ()


def proven(deployed: Deployed, database: Database, commands: tuple[AlembicCommand, ...]) -> bool:
    """Whether the commands run every revision that is missing, once, after its parents, and end well.

    They end well without an error, and with each row once.
    """
    rows, applied = database.rows, set(database.applied)
    try:
        for command in commands:
            if command.verb == "stamp":
                rows = deployed.stamp_purge(() if command.arguments == ("base",) else command.arguments)
                continue
            runs, rows = deployed.upgrade(rows, command.arguments[0])
            for id_ in runs:
                if id_ in applied or not applied.issuperset(deployed.graph.parents(id_)):
                    return False
                applied.add(id_)
    except AlembicStops:
        return False
    is_clean = len(rows) == len(set(rows))
    return is_clean and deployed.graph.ancestors(*rows) == applied == set(deployed.graph.revisions)


def _candidates(deployed: Deployed, database: Database, target: Target) -> Iterator[tuple[AlembicCommand, ...]]:
    graph = deployed.graph
    finish = AlembicCommand("upgrade", (target,))
    everything = AlembicCommand("upgrade", ("heads",))
    yield (everything,)
    below = graph.ancestors(*database.applied)
    missing = below - database.applied
    # Only what stands on complete ground may be claimed before the missing ones have run.
    ground = database.applied - graph.descendants(*missing)
    start = AlembicCommand("stamp", rows_of(graph, ground) or ("base",))
    there = AlembicCommand("stamp", rows_of(graph, below) or ("base",))
    last = [id_ for id_ in parents_first(graph, missing) if not missing.intersection(graph.children[id_])]
    late = tuple(AlembicCommand("upgrade", (id_,)) for id_ in last)
    steps = (start, *late, there) if late else (there,)
    if rows_of(graph, ground) == database.rows:
        steps = steps[1:]
    yield (*steps, finish)
    yield (*steps, everything)


def own_database(branch: Graph | None, plan: Plan, after: Graph) -> OwnDatabase | None:
    """What a re-parent or re-issue means to that database; `None` where it means nothing.

    Args:
        branch: the chain on the branch as it is.
        plan: what is done.
        after: the chain once that is merged.
    """
    if branch is None or not isinstance(plan, Reparent | Reissue) or branch.duplicates or branch.missing:
        return None
    moved = frozenset(plan.moved) & branch.revisions.keys()
    branch, after = _above(branch, after, moved)
    database = with_rows(branch, branch.heads)
    fix = Fix("reparent", after, new_ids=plan.new_ids)
    deployed = Deployed(after)
    target: Target = "head" if len(after.heads) == 1 else "heads"
    outcome = upgrade(deployed, fix.meets(database), target)
    if not moved or outcome.kind == "ok":
        return None
    here = Deployed(branch)
    before = next((each for each in _ways_back(branch, moved) if _is_undone(here, deployed, database, each, moved)), ())
    ways = remedy(deployed, fix.meets(database), target, is_sure=True)
    return OwnDatabase(database.rows, tuple(join(("alembic", "downgrade", place)) for place in before), outcome, ways)


def _above(branch: Graph, after: Graph, moved: frozenset[str]) -> tuple[Graph, Graph]:
    """Both chains from where the ways part, which says the same in less time; as they are where they differ below."""
    points = {parent for id_ in moved for parent in branch.parents(id_)} - moved
    if len(points) != 1 or not points <= after.revisions.keys():
        return branch, after
    [point] = points
    short = from_the_point(branch, point), from_the_point(after, point)
    left_out = [
        whole.revisions.keys() - kept.revisions.keys() for whole, kept in zip((branch, after), short, strict=True)
    ]
    return short if left_out[0] == left_out[1] else (branch, after)


def _ways_back(branch: Graph, moved: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Places to go back to: beneath each revision that moves by itself, the highest first; or one of them alone."""
    roots = [id_ for id_ in parents_first(branch, moved) if moved.isdisjoint(branch.parents(id_))]
    places = list(dict.fromkeys(next(iter(branch.parents(root)), f"{root}@base") for root in reversed(roots)))
    yield tuple(places)
    yield from ((place,) for place in reversed(places))
    yield ("base",)


def _is_undone(
    here: Deployed, repaired: Deployed, database: Database, places: tuple[str, ...], moved: frozenset[str]
) -> bool:
    """Whether nothing that moves is left, and an upgrade after the repair then ends well."""
    rows, applied = database.rows, set(database.applied)
    try:
        for place in places:
            undone, rows = here.downgrade(rows, place)
            applied.difference_update(undone)
    except AlembicStops:
        return False
    left = Database(rows, frozenset(applied))
    return (
        applied.isdisjoint(moved)
        and rows == rows_of(here.graph, left.applied)
        and upgrade(repaired, left, "heads").kind == "ok"
    )


_FOUND_BY_ITSELF = ("alembic.ini", "pyproject.toml")
_RUNS_WITHOUT_NAME = ("alembic", "tool.alembic", "DEFAULT")


def typed(environment: Environment, lines: Iterable[str]) -> tuple[str, ...]:
    """Lines that begin with `alembic`, as they work at the top of the repository; others as they are.

    Alembic resolves relative paths, its `prepend_sys_path` too, against the working directory. So a configuration in
    a sub-folder is not only named: the line goes to where its paths lead. Where no configuration is known, Alembic is
    run by code of the project, and the line says with which arguments.
    """
    return tuple(_typed(environment, line) if line.startswith("alembic ") else line for line in lines)


def _typed(environment: Environment, line: str) -> str:
    arguments = split(line)[1:]
    command = _flask(environment, arguments) if environment.by_flask else join(_alembic(environment, arguments))
    return f"(cd {quote(environment.run_from)} && {command})" if environment.run_from else command


def _alembic(environment: Environment, arguments: list[str]) -> list[str]:
    options = []
    config = environment.config
    # A sample is copied first, under a name that is not known.
    if config is not None and not is_sample(config):
        name = relpath(config, environment.run_from or ".")
        options += [] if name in _FOUND_BY_ITSELF else ["-c", name]
    if environment.section is not None and environment.section not in _RUNS_WITHOUT_NAME:
        options += ["-n", environment.section]
    return ["alembic", *options, *arguments]


def _flask(environment: Environment, arguments: list[str]) -> str:
    """The same by Flask-Migrate, which stamps one revision at a time."""
    folder = relpath(environment.script_location or ".", environment.run_from or ".")
    named = [] if folder == "migrations" else ["-d", folder]
    verb, *rest = arguments
    if verb != "stamp":
        return join(("flask", "db", verb, *named, *rest))
    purge, first, *others = rest
    stamps = [["flask", "db", verb, *named, purge, first], *(["flask", "db", verb, *named, id_] for id_ in others)]
    return " && ".join(map(join, stamps))


def remedies(diagnosis: Diagnosis, environment: Environment) -> tuple[Remedy, ...]:
    """The ways out of what ails a database; empty where all is well, and where none is proven."""

    def as_typed(step: RemedyStep) -> RemedyStep:
        [command] = typed(environment, (step.command,))
        return replace(step, command=command)

    return tuple(replace(way, steps=tuple(map(as_typed, way.steps))) for way in _remedies(diagnosis))


def _remedies(diagnosis: Diagnosis) -> tuple[Remedy, ...]:
    if diagnosis.is_healthy or diagnosis.of(ProblemKind.BROKEN_CHAIN):
        return ()
    if diagnosis.of(ProblemKind.UNKNOWN_ROW) or diagnosis.of(ProblemKind.AMBIGUOUS_ROW):
        # It has been where these files don't lead: every command would be a guess.
        return ()
    if diagnosis.of(ProblemKind.HALF_APPLIED) or diagnosis.of(ProblemKind.LEFTOVER_TABLE):
        ways = tuple(_of_the_half_done(diagnosis))
    else:
        ways = tuple(_of_the_rows(diagnosis))
    return _after_what_is_unbuilt(diagnosis, ways) if diagnosis.unbuilt else ways


def _after_what_is_unbuilt(diagnosis: Diagnosis, ways: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    """An invalid index is dropped first, so that the upgrade can build it."""
    drops = tuple(
        RemedyStep(
            f"DROP INDEX CONCURRENTLY {_quoted(f'{index.schema}.{index.name}' if index.schema else index.name)}",
            "destructive",
            "PostgreSQL does not use it; the upgrade builds it again",
        )
        for index in diagnosis.unbuilt
    )
    errors = {complaint.problem for complaint in diagnosis.complaints if complaint.severity == "error"}
    if errors == {ProblemKind.INVALID_INDEX}:
        ways = (Remedy("", (_step(f"alembic upgrade {diagnosis.target}", ()),)),)
    nobody = "nobody is building it at this moment, and the cause is removed"
    return tuple(Remedy(" and ".join(filter(None, (way.condition, nobody))), (*drops, *way.steps)) for way in ways)


def _of_the_rows(diagnosis: Diagnosis) -> Iterator[Remedy]:
    doubtful = frozenset(diagnosis.doubtful)
    lost = diagnosis.of(ProblemKind.LOST)
    on_purpose = f"nobody has removed what {_listed(lost)} made on purpose" if lost else ""
    named = _listed(diagnosis.doubtful)
    unseen = diagnosis.inspection is None and diagnosis.of(ProblemKind.OVERLAPPING_ROWS)
    options = [(f"what {_listed(unseen)} make is really there, all of it" if unseen else "", diagnosis.applied)]
    if doubtful:
        yes, no = ("has run", "has not run") if len(doubtful) == 1 else ("have all run", "have none of them run")
        options = [(f"{named} {yes}", diagnosis.applied | doubtful), (f"{named} {no}", diagnosis.applied)]
    for condition, applied in options:
        steps = _steps(diagnosis, applied)
        if steps:
            yield Remedy(" and ".join(filter(None, (condition, on_purpose))), steps)


def _steps(diagnosis: Diagnosis, applied: frozenset[str]) -> tuple[RemedyStep, ...]:
    deployed = Deployed(diagnosis.graph)
    rows = tuple(sorted(row.text for row in diagnosis.rows or ()))
    database = Database(rows, applied)
    commands: tuple[str, ...] = ()
    if diagnosis.of(ProblemKind.PREFIX_ROW) or diagnosis.of(ProblemKind.REPEATED_ROW):
        told = AlembicCommand("stamp", rows_of(diagnosis.graph, applied) or ("base",))
        for candidate in [(told, AlembicCommand("upgrade", (target,))) for target in (diagnosis.target, "heads")]:
            if proven(deployed, database, candidate):
                commands = tuple(map(str, candidate))
                break
    else:
        # Of a row under an old id it is known what ran.
        is_sure = bool(diagnosis.of(ProblemKind.RENAMED_ROW))
        commands = remedy(deployed, database, diagnosis.target, is_sure=is_sure)
    return tuple(_step(command, rows) for command in commands)


def _step(command: str, rows: tuple[str, ...]) -> RemedyStep:
    if command.startswith("alembic stamp"):
        if not rows:
            return RemedyStep(
                command, "destructive", "writes rows and runs nothing: what is wrong in them is never made"
            )
        return RemedyStep(
            command, "destructive", f"rewrites the rows ({', '.join(rows)}) and runs nothing: note them first"
        )
    return RemedyStep(command, "safe", "runs migrations, as a deploy does")


def _of_the_half_done(diagnosis: Diagnosis) -> Iterator[Remedy]:
    inspection = diagnosis.inspection
    if inspection is None:
        return
    partly = diagnosis.of(ProblemKind.HALF_APPLIED)
    leftovers = [
        RemedyStep(f"DROP TABLE {_quoted(name, inspection.dialect)}", "destructive", "the copy that was cut off")
        for name in diagnosis.of(ProblemKind.LEFTOVER_TABLE)
    ]
    if not partly:
        after = _steps(diagnosis, diagnosis.applied) if diagnosis.complaints[1:] else ()
        finish = after or (_step(f"alembic upgrade {diagnosis.target}", ()),)
        yield Remedy("the table that it was copied from is whole", (*leftovers, *finish))
        return
    if len(partly) > 1 or diagnosis.doubtful:
        return
    [id_] = partly
    evidence = diagnosis.revisions[id_].in_schema.evidence
    undo = [_undo(each, inspection.dialect) for each in reversed(evidence) if each.ran]
    rest = _steps(diagnosis, diagnosis.applied) or _rows_are_right(diagnosis)
    if None not in undo and rest:
        steps = (*leftovers, *(step for step in undo if step), *rest)
        yield Remedy(f"nothing was written yet into what {id_} has made", steps)
    done = _steps(diagnosis, diagnosis.applied | {id_})
    if done:
        parents = diagnosis.graph.parents(id_)
        span = f"{parents[0]}:{id_}" if len(parents) == 1 else id_
        show = RemedyStep(
            join(("alembic", "upgrade", span, "--sql")), "reads", "prints the statements; run those that are missing"
        )
        yield Remedy(f"what {id_} has made is in use", (*leftovers, show, *done))


def _rows_are_right(diagnosis: Diagnosis) -> tuple[RemedyStep, ...]:
    """An upgrade from the rows as they are, once the half of a revision is undone."""
    rows = tuple(sorted(row.text for row in diagnosis.rows or ()))
    finish = AlembicCommand("upgrade", (diagnosis.target,))
    if proven(Deployed(diagnosis.graph), Database(rows, diagnosis.applied), (finish,)):
        return (_step(str(finish), rows),)
    return ()


def _undo(evidence: SchemaEvidence, dialect: Dialect) -> RemedyStep | None:
    """The statement that takes back what was made; `None` for what was taken away, which can't be brought back."""
    thing = evidence.thing
    if not evidence.there:
        return None
    table = _quoted(f"{thing.schema}.{thing.of}" if thing.schema else thing.of, dialect)
    name = _quoted(thing.name, dialect)
    match thing.kind:
        case "table":
            full = _quoted(f"{thing.schema}.{thing.name}" if thing.schema else thing.name, dialect)
            return RemedyStep(
                f"DROP TABLE {full}", "destructive", "with all of its rows; look first whether it has any"
            )
        case "column":
            return RemedyStep(f"ALTER TABLE {table} DROP COLUMN {name}", "destructive", "with all of its values")
        case "index" if dialect in ("mysql", "mariadb"):
            return RemedyStep(f"DROP INDEX {name} ON {table}", "destructive", "it is made again")
        case "index":
            full = _quoted(f"{thing.schema}.{thing.name}" if thing.schema else thing.name, dialect)
            return RemedyStep(f"DROP INDEX {full}", "destructive", "it is made again")
        case "constraint" if dialect != "sqlite":
            return RemedyStep(f"ALTER TABLE {table} DROP CONSTRAINT {name}", "destructive", "it is made again")
    return None


def _quoted(name: str, dialect: Dialect = "postgresql") -> str:
    mark = "`" if dialect in ("mysql", "mariadb") else '"'
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def _listed(ids: tuple[str, ...]) -> str:
    return f"{', '.join(ids[:-1])} and {ids[-1]}" if len(ids) > 1 else "".join(ids)
