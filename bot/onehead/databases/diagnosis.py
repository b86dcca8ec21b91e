"""Diagnose one database: compare what its rows claim with what its schema shows, and compute its next upgrade.

It works on values, so it does not matter whether the rows were read from a database or typed by a person. In the second
case there is no schema to compare with, and the rows are believed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from shlex import join
from types import MappingProxyType

from onehead.databases.model import (
    Complaint,
    Diagnosis,
    ProblemKind,
    Remedy,
    RemedyStep,
    RevisionState,
    Severity,
)
from onehead.databases.schema_effects import Dialect, Inspection, SchemaEffects, Thing
from onehead.databases.schema_evidence import RevisionEvidence, SchemaEvidence, evidence_in_schema, would_say
from onehead.databases.states import (
    Database,
    Former,
    Outcome,
    Row,
    RowKind,
    Target,
    parents_first,
    ran_under_old_ids,
    read_rows,
    rows_of,
    with_rows,
)
from onehead.databases.upgrade import Deployed, line, proven, remedy, stamping, upgrade
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.revisions.command_line import typed
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment
from onehead.text import listed

_NONE: Mapping[str, Former] = MappingProxyType({})
_NOTHING = frozenset[str]()


def diagnose_rows(facts: Facts, rows: tuple[str, ...], former: Mapping[str, Former] = _NONE) -> Diagnosis:
    """A database of which only the rows are known; `former`: what became of ids that no file declares any more."""
    read = read_rows(facts.merged, rows, former)
    claimed = _claimed(facts.merged, read, former)
    nothing = RevisionEvidence("untold")
    revisions = {id_: RevisionState(id_, id_ in claimed, nothing) for id_ in facts.merged.revisions}
    return _Doctor(facts, read, None, revisions).diagnosis()


def diagnose(
    facts: Facts,
    effects: Mapping[str, SchemaEffects],
    inspection: Inspection,
    former: Mapping[str, Former] = _NONE,
    *,
    version_table_is_sure: bool = True,
) -> Diagnosis:
    """A database that was looked at.

    `effects` tells what each revision leaves, `former` what became of ids that the files declare no more, and
    `version_table_is_sure` that it is certain which table Alembic reads.
    """
    graph = facts.merged
    read = None if inspection.version is None else read_rows(graph, inspection.version.rows, former)
    claimed = _claimed(graph, read or (), former)
    unbuilt = {
        id_: {
            effect.thing: effect.lenient
            for effect in effects[id_].left
            if effect.there and effect.thing in inspection.invalid
        }
        for id_ in graph.revisions.keys() & effects.keys() - claimed
    }
    waiting = {thing for things in unbuilt.values() for thing in things}
    # One that is recorded was built by whoever recorded it, and may have become invalid since: it shows nothing.
    seen = {
        thing: there for thing, there in inspection.seen.items() if thing in waiting or thing not in inspection.invalid
    }
    shown = evidence_in_schema(graph, effects, seen, claimed, rolls_back=inspection.rolls_back)
    revisions = {
        id_: RevisionState(id_, id_ in claimed, shown[id_], effects[id_].unseen if id_ in effects else ())
        for id_ in graph.revisions
    }
    return _Doctor(facts, read, inspection, revisions, unbuilt, version_table_is_sure=version_table_is_sure).diagnosis()


def _claimed(graph: Graph, rows: Iterable[Row], former: Mapping[str, Former]) -> frozenset[str]:
    """What the rows say has run; of a renamed revision that is what it followed when the database ran it."""
    rows = tuple(rows)
    alone, below = ran_under_old_ids(rows, former)
    known = {id_ for row in rows if row.kind != "renamed" and len(row.means) == 1 for id_ in row.means}
    return with_rows(graph, {*known, *(id_ for id_ in below if id_ in graph)}).applied | alone


class _Doctor:
    def __init__(
        self,
        facts: Facts,
        rows: tuple[Row, ...] | None,
        inspection: Inspection | None,
        revisions: Mapping[str, RevisionState],
        unbuilt: Mapping[str, Mapping[Thing, bool]] = MappingProxyType({}),
        *,
        version_table_is_sure: bool = True,
    ) -> None:
        self._facts = facts
        self._graph = facts.merged
        self._rows = rows
        self._texts = tuple(sorted(row.text for row in rows or ()))
        self._inspection = inspection
        self._order = parents_first(self._graph, self._graph.revisions)
        self._revisions = {id_: revisions[id_] for id_ in self._order}
        self._unbuilt = {id_: things for id_, things in unbuilt.items() if things}
        self._is_sure = version_table_is_sure
        self._claimed = frozenset(id_ for id_, revision in self._revisions.items() if revision.claimed)
        self._empty = frozenset(id_ for id_, revision in self._revisions.items() if revision.in_schema.empty)
        self._ran = self._shown("applied")

    def diagnosis(self) -> Diagnosis:
        # A row that no file declares stands for nobody knows what: the rest can't be held against the rows.
        astray = any(row.kind in ("unknown", "ambiguous") for row in self._rows or ())
        shown = {kind: _NOTHING if astray else self._shown(kind) for kind in ("absent", "applied", "partly")}
        lost, ahead = shown["absent"] & self._claimed, shown["applied"] - self._claimed
        incomplete, half_applied = shown["partly"] & self._claimed, shown["partly"] - self._claimed
        doubtful = self._doubtful(lost, ahead)
        applied = self._applied(lost, frozenset(doubtful))
        heads, forks = self._graph.heads, forks_of(self._facts)
        # Where other heads are meant to stay, deploys can only run `upgrade heads`.
        is_one = len(heads) <= 1 or any(len(fork.heads) == len(heads) for fork in forks)
        target: Target = "head" if is_one else "heads"
        deployed = Deployed(self._graph)
        outcome = upgrade(deployed, Database(self._texts, applied), target, self._empty)
        if outcome.kind == "error" and self._inspection is not None and self._inspection.rolls_back:
            outcome = replace(outcome, runs=(), rows_after=self._texts)
        outcome, says = self._in_the_database(outcome, ahead | half_applied)
        complaints = self._about_the_chain(outcome, is_forked=bool(forks)) + self._about_rows() + self._about_tables()
        has_no_rows = any(complaint.problem == ProblemKind.NO_ROWS for complaint in complaints)
        passed_over = lost.union(outcome.lost if outcome.kind == "loss" else ()) - self._empty
        for problem, ids in (
            (ProblemKind.HALF_APPLIED, half_applied),
            (ProblemKind.AHEAD, _NOTHING if has_no_rows else ahead),
            (ProblemKind.INCOMPLETE, incomplete),
            (ProblemKind.LOST, passed_over.difference(doubtful)),
        ):
            severity: Severity = "warning" if problem == ProblemKind.INCOMPLETE else "error"
            complaints += [Complaint(problem, self._in_order(ids), severity)] if ids else []
        too_long = self._too_long(outcome)
        complaints += [Complaint(ProblemKind.ID_TOO_LONG, too_long)] if too_long else []
        order = list(ProblemKind)
        found = Diagnosis(
            self._graph,
            self._rows,
            self._inspection,
            self._revisions,
            applied,
            doubtful,
            target,
            outcome,
            says,
            tuple(sorted(complaints, key=lambda complaint: order.index(complaint.problem))),
            tuple(sorted({thing for things in self._unbuilt.values() for thing in things})),
        )
        return replace(found, ways=_WaysOut(found, deployed).found(self._facts.environment))

    def _shown(self, kind: str) -> frozenset[str]:
        return frozenset(id_ for id_, revision in self._revisions.items() if revision.in_schema.shown == kind)

    def _in_order(self, ids: frozenset[str]) -> tuple[str, ...]:
        return tuple(id_ for id_ in self._order if id_ in ids)

    def _applied(self, lost: frozenset[str], doubtful: frozenset[str]) -> frozenset[str]:
        """What has run: what shows it, and what is claimed and neither shown to be missing nor in doubt."""
        # A revision that does nothing has run wherever something above it has.
        beneath = {id_ for id_ in self._empty if not self._ran.isdisjoint(self._graph.descendants(id_) - {id_})}
        return self._ran | (self._claimed - lost - doubtful) | beneath

    def _doubtful(self, lost: frozenset[str], ahead: frozenset[str]) -> tuple[str, ...]:
        """Revisions that leave no trace and may have run or not, where the rows can't be relied on."""
        if not lost and not ahead:
            return ()
        graph = self._graph
        has_run = {*self._ran, *self._claimed, *self._empty}
        found: list[str] = []
        for id_ in self._in_order(self._shown("untold") - self._empty):
            below, above = graph.ancestors(id_) - {id_}, graph.descendants(id_) - {id_}
            if id_ in self._claimed:
                # What stands on it has run, so it has, too; beside lost ones it may be lost with them.
                is_doubtful = self._ran.isdisjoint(above) and not lost.isdisjoint(below | above)
            else:
                is_doubtful = not ahead.isdisjoint(below | above) and has_run.issuperset(graph.parents(id_))
            if is_doubtful:
                found.append(id_)
                has_run.add(id_)
        return tuple(found)

    def _in_the_database(self, outcome: Outcome, there: frozenset[str]) -> tuple[Outcome, str]:
        """The outcome where a revision that would run finds its work done, or half done."""
        unbuilt = {
            id_: next((thing for thing, lenient in things.items() if not lenient), None)
            for id_, things in self._unbuilt.items()
        }
        clash = next((id_ for id_ in outcome.runs if id_ in there or unbuilt.get(id_)), None)
        if clash is None or self._inspection is None:
            return outcome, ""
        evidence = self._revisions[clash].in_schema.evidence if clash in there else ()
        if not evidence and (index := unbuilt[clash]) is not None:
            evidence = (SchemaEvidence(index, there=True, ran=True, line=0),)
        says = would_say(evidence, self._inspection.dialect)
        kept = () if self._inspection.rolls_back else outcome.runs[: outcome.runs.index(clash)]
        return Outcome("error", kept, self._texts, error=f"{clash}: {says}"), says

    def _about_the_chain(self, outcome: Outcome, *, is_forked: bool) -> list[Complaint]:
        graph = self._graph
        broken = {id_ for pair in graph.missing for id_ in pair} | set(graph.cycles) | set(graph.duplicates)
        if broken:
            return [Complaint(ProblemKind.BROKEN_CHAIN, tuple(sorted(broken)))]
        if is_forked and (outcome.error or "").startswith("Multiple head"):
            return [Complaint(ProblemKind.MULTIPLE_HEADS, graph.heads)]
        return []

    def _about_rows(self) -> list[Complaint]:
        rows = self._rows or ()

        def of_kind(kind: RowKind) -> tuple[str, ...]:
            return tuple(dict.fromkeys(row.text for row in rows if row.kind == kind))

        known = frozenset(id_ for row in rows if row.kind in ("known", "prefix") for id_ in row.means)
        below = frozenset[str]().union(*(with_rows(self._graph, (id_,)).applied - {id_} for id_ in known))
        found = [
            (ProblemKind.UNKNOWN_ROW, of_kind("unknown")),
            (ProblemKind.RENAMED_ROW, of_kind("renamed")),
            (ProblemKind.AMBIGUOUS_ROW, of_kind("ambiguous")),
            (ProblemKind.PREFIX_ROW, of_kind("prefix")),
            (ProblemKind.REPEATED_ROW, tuple(sorted({t for t in self._texts if self._texts.count(t) > 1}))),
            (ProblemKind.OVERLAPPING_ROWS, () if known.isdisjoint(below) else self._in_order(known)),
        ]
        return [Complaint(problem, names) for problem, names in found if names]

    def _about_tables(self) -> list[Complaint]:
        inspection = self._inspection
        if inspection is None:
            return []
        found = []
        if not self._rows and self._ran:
            found.append(Complaint(ProblemKind.NO_ROWS, ()))
        if inspection.others:
            rows = inspection.version.rows if inspection.version else ()
            is_harmless = self._is_sure or all(other.rows == rows for other in inspection.others)
            names = tuple(str(other) for other in inspection.others)
            found.append(Complaint(ProblemKind.OTHER_VERSION_TABLE, names, "warning" if is_harmless else "error"))
        if inspection.leftovers:
            found.append(Complaint(ProblemKind.LEFTOVER_TABLE, inspection.leftovers))
        if inspection.invalid:
            names = tuple(dict.fromkeys(_in_schema(index, index.name) for index in inspection.invalid))
            found.append(Complaint(ProblemKind.INVALID_INDEX, names, "error" if self._unbuilt else "warning"))
        return found

    def _too_long(self, outcome: Outcome) -> tuple[str, ...]:
        version = self._inspection.version if self._inspection else None
        width = version.width if version else None
        return () if width is None else tuple(id_ for id_ in outcome.runs if len(id_) > width)


class _WaysOut:
    """The ways out of what is wrong with a database; none where all is well, and where none is proven."""

    def __init__(self, diagnosis: Diagnosis, deployed: Deployed) -> None:
        self._diagnosis = diagnosis
        self._deployed = deployed
        self._rows = tuple(sorted(row.text for row in diagnosis.rows or ()))

    def found(self, environment: Environment) -> tuple[Remedy, ...]:
        of = self._diagnosis.of
        # With an unknown row, it has been where these files don't lead: every command would be a guess.
        hopeless = (ProblemKind.BROKEN_CHAIN, ProblemKind.UNKNOWN_ROW, ProblemKind.AMBIGUOUS_ROW)
        if self._diagnosis.is_healthy or any(map(of, hopeless)):
            return ()
        is_half_done = of(ProblemKind.HALF_APPLIED) or of(ProblemKind.LEFTOVER_TABLE)
        ways = tuple(self._of_the_half_done() if is_half_done else self._of_the_rows())
        if self._diagnosis.unbuilt:
            ways = self._after_what_is_unbuilt(ways)
        return tuple(Remedy(way.condition, tuple(_typed(step, environment) for step in way.steps)) for way in ways)

    def _after_what_is_unbuilt(self, ways: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
        """An invalid index is dropped first, so that the upgrade can build it."""
        drops = tuple(
            RemedyStep(
                f"DROP INDEX CONCURRENTLY {_quoted(_in_schema(index, index.name))}",
                "destructive",
                "PostgreSQL does not use it; the upgrade builds it again",
            )
            for index in self._diagnosis.unbuilt
        )
        errors = {complaint.problem for complaint in self._diagnosis.complaints if complaint.severity == "error"}
        if errors == {ProblemKind.INVALID_INDEX}:
            ways = (Remedy("", (self._step(f"alembic upgrade {self._diagnosis.target}"),)),)
        nobody = "nobody is building it at this moment, and the cause is removed"
        return tuple(Remedy(" and ".join(filter(None, (way.condition, nobody))), (*drops, *way.steps)) for way in ways)

    def _of_the_rows(self) -> Iterator[Remedy]:
        diagnosis, doubtful = self._diagnosis, self._diagnosis.doubtful
        lost = diagnosis.of(ProblemKind.LOST)
        on_purpose = f"nobody has removed what {_all_of(lost)} made on purpose" if lost else ""
        unseen = diagnosis.inspection is None and diagnosis.of(ProblemKind.OVERLAPPING_ROWS)
        options = [(f"what {_all_of(unseen)} make is really there, all of it" if unseen else "", diagnosis.applied)]
        if doubtful:
            yes, no = ("has run", "has not run") if len(doubtful) == 1 else ("have all run", "have none of them run")
            options = [
                (f"{_all_of(doubtful)} {yes}", diagnosis.applied.union(doubtful)),
                (f"{_all_of(doubtful)} {no}", diagnosis.applied),
            ]
        for condition, applied in options:
            steps = self._steps(applied)
            if steps:
                yield Remedy(" and ".join(filter(None, (condition, on_purpose))), steps)

    def _steps(self, applied: frozenset[str]) -> tuple[RemedyStep, ...]:
        """The commands that bring the database to the end of the chain, if it has really run these revisions."""
        diagnosis, database = self._diagnosis, Database(self._rows, applied)
        if not diagnosis.of(ProblemKind.PREFIX_ROW) and not diagnosis.of(ProblemKind.REPEATED_ROW):
            # Of a row under an old id it is known what ran.
            is_sure = bool(diagnosis.of(ProblemKind.RENAMED_ROW))
            return tuple(map(self._step, remedy(self._deployed, database, diagnosis.target, is_sure=is_sure)))
        for target in (diagnosis.target, "heads"):
            candidate = (stamping(rows_of(diagnosis.graph, applied)), ("upgrade", target))
            if proven(self._deployed, database, candidate):
                return tuple(self._step(line(command)) for command in candidate)
        return ()

    def _step(self, command: str) -> RemedyStep:
        if not command.startswith("alembic stamp"):
            return RemedyStep(command, "safe", "runs migrations, as a deploy does")
        why = "writes rows and runs nothing: what is wrong in them is never made"
        if self._rows:
            why = f"rewrites the rows ({', '.join(self._rows)}) and runs nothing: note them first"
        return RemedyStep(command, "destructive", why)

    def _of_the_half_done(self) -> Iterator[Remedy]:
        diagnosis, inspection = self._diagnosis, self._diagnosis.inspection
        if inspection is None:
            return
        partly = diagnosis.of(ProblemKind.HALF_APPLIED)
        leftovers = [
            RemedyStep(f"DROP TABLE {_quoted(name, inspection.dialect)}", "destructive", "the copy that was cut off")
            for name in diagnosis.of(ProblemKind.LEFTOVER_TABLE)
        ]
        finish = f"alembic upgrade {diagnosis.target}"
        if not partly:
            after = self._steps(diagnosis.applied) if diagnosis.complaints[1:] else ()
            yield Remedy("the table that it was copied from is whole", (*leftovers, *(after or (self._step(finish),))))
            return
        if len(partly) > 1 or diagnosis.doubtful:
            return
        [id_] = partly
        evidence = diagnosis.revisions[id_].in_schema.evidence
        undo = [_undo(each, inspection.dialect) for each in reversed(evidence) if each.ran]
        rest = self._steps(diagnosis.applied)
        database = Database(self._rows, diagnosis.applied)
        if not rest and proven(self._deployed, database, (("upgrade", diagnosis.target),)):
            # The rows are right once the half of a revision is undone.
            rest = (self._step(finish),)
        if None not in undo and rest:
            steps = (*leftovers, *(step for step in undo if step), *rest)
            yield Remedy(f"nothing was written yet into what {id_} has made", steps)
        done = self._steps(diagnosis.applied | {id_})
        if done:
            parents = diagnosis.graph.parents(id_)
            command = join(("alembic", "upgrade", f"{parents[0]}:{id_}" if len(parents) == 1 else id_, "--sql"))
            show = RemedyStep(command, "reads", "prints the statements; run those that are missing")
            yield Remedy(f"what {id_} has made is in use", (*leftovers, show, *done))


def _typed(step: RemedyStep, environment: Environment) -> RemedyStep:
    [command] = typed(environment, (step.command,))
    return replace(step, command=command)


def _undo(evidence: SchemaEvidence, dialect: Dialect) -> RemedyStep | None:
    """The statement that takes back what was made; `None` for what was taken away, which can't be brought back."""
    thing = evidence.thing
    if not evidence.there:
        return None
    name, full = _quoted(thing.name, dialect), _quoted(_in_schema(thing, thing.name), dialect)
    table = _quoted(_in_schema(thing, thing.of), dialect)
    match thing.kind:
        case "table":
            return RemedyStep(
                f"DROP TABLE {full}", "destructive", "with all of its rows; look first whether it has any"
            )
        case "column":
            return RemedyStep(f"ALTER TABLE {table} DROP COLUMN {name}", "destructive", "with all of its values")
        case "index":
            what = f"{name} ON {table}" if dialect in ("mysql", "mariadb") else full
            return RemedyStep(f"DROP INDEX {what}", "destructive", "it is made again")
        case "constraint" if dialect != "sqlite":
            return RemedyStep(f"ALTER TABLE {table} DROP CONSTRAINT {name}", "destructive", "it is made again")
    return None


def _in_schema(thing: Thing, name: str) -> str:
    return f"{thing.schema}.{name}" if thing.schema else name


def _quoted(name: str, dialect: Dialect = "postgresql") -> str:
    mark = "`" if dialect in ("mysql", "mariadb") else '"'
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def _all_of(ids: Collection[str]) -> str:
    return listed(ids, len(ids))
