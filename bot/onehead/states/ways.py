"""Ways out for one database: commands in order, each marked by what it may cost, and each way under its condition.

A way is offered only where it is proven in thought (see `remedy`). Where it rests on something that nobody but a person
can know, it says on what; where even that would be guessing, there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from shlex import join

from onehead.revisions.environment import Environment
from onehead.states.ailments import Ailment, Diagnosis, Step, Way
from onehead.states.command_line import typed
from onehead.states.databases import rows_of
from onehead.states.outcome import Database
from onehead.states.remedy import Command, proven, remedy
from onehead.states.traces import Dialect
from onehead.states.upgrade import Deployed
from onehead.states.witnesses import Evidence


def ways_out(diagnosis: Diagnosis, environment: Environment) -> tuple[Way, ...]:
    """The ways out of what ails a database; empty where all is well, and where none is proven."""

    def as_typed(step: Step) -> Step:
        [command] = typed(environment, (step.command,))
        return replace(step, command=command)

    return tuple(replace(way, steps=tuple(map(as_typed, way.steps))) for way in _ways_out(diagnosis))


def _ways_out(diagnosis: Diagnosis) -> tuple[Way, ...]:
    if diagnosis.is_healthy or diagnosis.of(Ailment.BROKEN_CHAIN):
        return ()
    if diagnosis.of(Ailment.UNKNOWN_ROW) or diagnosis.of(Ailment.AMBIGUOUS_ROW):
        # It has been where these files don't lead: every command would be a guess.
        return ()
    if diagnosis.of(Ailment.HALF_APPLIED) or diagnosis.of(Ailment.LEFTOVER_TABLE):
        ways = tuple(_of_the_half_done(diagnosis))
    else:
        ways = tuple(_of_the_rows(diagnosis))
    return _after_what_is_unbuilt(diagnosis, ways) if diagnosis.unbuilt else ways


def _after_what_is_unbuilt(diagnosis: Diagnosis, ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """An invalid index is dropped first, so that the upgrade can build it."""
    drops = tuple(
        Step(
            f"DROP INDEX CONCURRENTLY {_quoted(f'{index.schema}.{index.name}' if index.schema else index.name)}",
            "destructive",
            "PostgreSQL does not use it; the upgrade builds it again",
        )
        for index in diagnosis.unbuilt
    )
    errors = {complaint.ailment for complaint in diagnosis.complaints if complaint.severity == "error"}
    if errors == {Ailment.INVALID_INDEX}:
        ways = (Way("", (_step(f"alembic upgrade {diagnosis.target}", ()),)),)
    nobody = "nobody is building it at this moment, and the cause is removed"
    return tuple(Way(" and ".join(filter(None, (way.condition, nobody))), (*drops, *way.steps)) for way in ways)


def _of_the_rows(diagnosis: Diagnosis) -> Iterator[Way]:
    doubtful = frozenset(diagnosis.doubtful)
    lost = diagnosis.of(Ailment.LOST)
    on_purpose = f"nobody has removed what {_listed(lost)} made on purpose" if lost else ""
    named = _listed(diagnosis.doubtful)
    unseen = diagnosis.sight is None and diagnosis.of(Ailment.OVERLAPPING_ROWS)
    options = [(f"what {_listed(unseen)} make is really there, all of it" if unseen else "", diagnosis.applied)]
    if doubtful:
        yes, no = ("has run", "has not run") if len(doubtful) == 1 else ("have all run", "have none of them run")
        options = [(f"{named} {yes}", diagnosis.applied | doubtful), (f"{named} {no}", diagnosis.applied)]
    for condition, applied in options:
        steps = _steps(diagnosis, applied)
        if steps:
            yield Way(" and ".join(filter(None, (condition, on_purpose))), steps)


def _steps(diagnosis: Diagnosis, applied: frozenset[str]) -> tuple[Step, ...]:
    deployed = Deployed(diagnosis.graph)
    rows = tuple(sorted(row.text for row in diagnosis.rows or ()))
    database = Database(rows, applied)
    commands: tuple[str, ...] = ()
    if diagnosis.of(Ailment.PREFIX_ROW) or diagnosis.of(Ailment.REPEATED_ROW):
        told = Command("stamp", rows_of(diagnosis.graph, applied) or ("base",))
        for candidate in [(told, Command("upgrade", (target,))) for target in (diagnosis.target, "heads")]:
            if proven(deployed, database, candidate):
                commands = tuple(map(str, candidate))
                break
    else:
        # Of a row under an old id it is known what ran.
        is_sure = bool(diagnosis.of(Ailment.RENAMED_ROW))
        commands = remedy(deployed, database, diagnosis.target, is_sure=is_sure)
    return tuple(_step(command, rows) for command in commands)


def _step(command: str, rows: tuple[str, ...]) -> Step:
    if command.startswith("alembic stamp"):
        if not rows:
            return Step(command, "destructive", "writes rows and runs nothing: what is wrong in them is never made")
        return Step(command, "destructive", f"rewrites the rows ({', '.join(rows)}) and runs nothing: note them first")
    return Step(command, "safe", "runs migrations, as a deploy does")


def _of_the_half_done(diagnosis: Diagnosis) -> Iterator[Way]:
    sight = diagnosis.sight
    if sight is None:
        return
    partly = diagnosis.of(Ailment.HALF_APPLIED)
    leftovers = [
        Step(f"DROP TABLE {_quoted(name, sight.dialect)}", "destructive", "the copy that was cut off")
        for name in diagnosis.of(Ailment.LEFTOVER_TABLE)
    ]
    if not partly:
        after = _steps(diagnosis, diagnosis.applied) if diagnosis.complaints[1:] else ()
        finish = after or (_step(f"alembic upgrade {diagnosis.target}", ()),)
        yield Way("the table that it was copied from is whole", (*leftovers, *finish))
        return
    if len(partly) > 1 or diagnosis.doubtful:
        return
    [id_] = partly
    evidence = diagnosis.revisions[id_].witnessed.evidence
    undo = [_undo(each, sight.dialect) for each in reversed(evidence) if each.ran]
    rest = _steps(diagnosis, diagnosis.applied) or _rows_are_right(diagnosis)
    if None not in undo and rest:
        steps = (*leftovers, *(step for step in undo if step), *rest)
        yield Way(f"nothing was written yet into what {id_} has made", steps)
    done = _steps(diagnosis, diagnosis.applied | {id_})
    if done:
        parents = diagnosis.graph.parents(id_)
        span = f"{parents[0]}:{id_}" if len(parents) == 1 else id_
        show = Step(
            join(("alembic", "upgrade", span, "--sql")), "reads", "prints the statements; run those that are missing"
        )
        yield Way(f"what {id_} has made is in use", (*leftovers, show, *done))


def _rows_are_right(diagnosis: Diagnosis) -> tuple[Step, ...]:
    """An upgrade from the rows as they are, once the half of a revision is undone."""
    rows = tuple(sorted(row.text for row in diagnosis.rows or ()))
    finish = Command("upgrade", (diagnosis.target,))
    if proven(Deployed(diagnosis.graph), Database(rows, diagnosis.applied), (finish,)):
        return (_step(str(finish), rows),)
    return ()


def _undo(evidence: Evidence, dialect: Dialect) -> Step | None:
    """The statement that takes back what was made; `None` for what was taken away, which can't be brought back."""
    thing = evidence.thing
    if not evidence.there:
        return None
    table = _quoted(f"{thing.schema}.{thing.of}" if thing.schema else thing.of, dialect)
    name = _quoted(thing.name, dialect)
    match thing.kind:
        case "table":
            full = _quoted(f"{thing.schema}.{thing.name}" if thing.schema else thing.name, dialect)
            return Step(f"DROP TABLE {full}", "destructive", "with all of its rows; look first whether it has any")
        case "column":
            return Step(f"ALTER TABLE {table} DROP COLUMN {name}", "destructive", "with all of its values")
        case "index" if dialect in ("mysql", "mariadb"):
            return Step(f"DROP INDEX {name} ON {table}", "destructive", "it is made again")
        case "index":
            full = _quoted(f"{thing.schema}.{thing.name}" if thing.schema else thing.name, dialect)
            return Step(f"DROP INDEX {full}", "destructive", "it is made again")
        case "constraint" if dialect != "sqlite":
            return Step(f"ALTER TABLE {table} DROP CONSTRAINT {name}", "destructive", "it is made again")
    return None


def _quoted(name: str, dialect: Dialect = "postgresql") -> str:
    mark = "`" if dialect in ("mysql", "mariadb") else '"'
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def _listed(ids: tuple[str, ...]) -> str:
    return f"{', '.join(ids[:-1])} and {ids[-1]}" if len(ids) > 1 else "".join(ids)
