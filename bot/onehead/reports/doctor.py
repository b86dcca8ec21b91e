"""The report of `doctor` and the list of databases that have reported, as text and as JSON. Pure.

The texts about what is wrong are in `templates/answer/complaint.md.j2`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from onehead.databases.model import Complaint, Diagnosis, ProblemKind, Remedy, RevisionState
from onehead.databases.reported import Progress, ReportedDatabase, day
from onehead.databases.states import RevisionLocation
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Examination, Point
from onehead.render import rendered
from onehead.reports.formats import fields
from onehead.reports.terminal import compared_line, coverage_line, named_again, short_ref
from onehead.revisions.graph import Graph
from onehead.screen import Paint, plain
from onehead.text import listed, shortened, visible


class ComplaintText(NamedTuple):
    """One complaint as people read it: what is so and what it means, what to do, and what only a person can answer."""

    message: str
    next: str
    question: str = ""


def complaint_text(
    complaint: Complaint, diagnosis: Diagnosis, places: Mapping[str, RevisionLocation], target: str, repo: str = "."
) -> ComplaintText:
    """Say one complaint about a database to people who judge a branch or commit (`target`).

    `places` tells of revisions that the files don't declare where they stand otherwise; `repo` is the repository as it
    was named, for commands that are typed there.
    """
    rows, inspection = diagnosis.rows or (), diagnosis.inspection
    version = inspection.version if inspection else None
    strangers = [
        (row, _same_but_for_case(row, diagnosis), places.get(row, RevisionLocation())) for row in complaint.names
    ]
    of_kind = {kind: [row for row in rows if row.kind == kind] for kind in ("renamed", "ambiguous", "prefix")}
    begun = [f"the row {visible(r.text)} is only the beginning of {visible(r.means[0])}" for r in of_kind["prefix"]]
    text = rendered(
        "answer/complaint.md.j2",
        kind=str(complaint.problem),
        severity=complaint.severity,
        names=ids_in(complaint.names),
        is_one=len(complaint.names) == 1,
        target=target,
        repo=named_again(repo),
        visible=visible,
        ids_in=ids_in,
        strangers=strangers,
        is_riddle=any(not same and place == RevisionLocation() for _, same, place in strangers),
        now=listed([f"{visible(row.text)} is {visible(row.means[0])} now" for row in of_kind["renamed"]]),
        old=ids_in(row.text for row in of_kind["renamed"]),
        means=ids_in(id_ for row in of_kind["ambiguous"] for id_ in row.means),
        prefixes=ids_in(begun),
        version=version,
        width=version.width if version else None,
        rolls_back=inspection is not None and inspection.rolls_back,
        is_awaited=bool(diagnosis.unbuilt),
    )
    message, hint, *question = (each.replace("\n", " ") for each in re.split(r"\n(?:→|\?) ", text))
    return ComplaintText(message, hint, *question)


def _same_but_for_case(row: str, diagnosis: Diagnosis) -> str:
    return next((id_ for id_ in diagnosis.graph.revisions if id_.casefold() == row.strip().casefold()), "")


def ids_in(names: Iterable[str]) -> str:
    """Names in a sentence; many are cut short with their number."""
    return listed([visible(shortened(name)) for name in names])


NO_WAY = "No command is offered, as none is certain to help: follow the advice above before you change anything."
_MAX_LISTED = 20
_MAX_EVIDENCE = 4
_SHOWN = {"applied": "applied", "absent": "not applied", "partly": "partly applied", "untold": "leaves no trace"}


class DoctorReport(NamedTuple):
    """A doctor's visit.

    Attributes:
        database: its address without a password; `None` where only rows are known.
        diagnoses: by the path of the environment from which the database is seen.
        places: revisions that the files don't declare → where they stand otherwise.
        notes: what a person should know about the visit itself.
        repo: the repository as it was named, for commands that are typed there.
    """

    examination: Examination
    database: str | None
    diagnoses: Mapping[str, Diagnosis]
    places: Mapping[str, RevisionLocation]
    notes: tuple[str, ...] = ()
    repo: str = "."

    @property
    def is_healthy(self) -> bool:
        """Whether the next upgrade does what it should, in every environment that was asked about."""
        return all(diagnosis.is_healthy for diagnosis in self.diagnoses.values())


def doctor_text(visit: DoctorReport, paint: Paint = plain) -> str:
    """The text of `onehead doctor`."""
    style, word = ("good", "Healthy") if visit.is_healthy else ("bad", "Not healthy")
    if not visit.diagnoses:
        style, word = "strong", "Nothing to judge"
    lines = [f"{paint(style, word)}. {compared_line(visit.examination)}"]
    lines += [] if visit.database is None else [f"Looked at {visible(visit.database)}; nothing was changed."]
    lines.append(coverage_line(visit.examination))
    lines += [f"note: {visible(note)}" for note in visit.notes]
    for path, diagnosis in visit.diagnoses.items():
        lines += ["", *_environment(visit, path, diagnosis, paint)]
    return "\n".join(lines) + "\n"


def doctor_document(visit: DoctorReport) -> dict[str, Any]:
    """The object of `onehead doctor --format json` (docs/schema/onehead.doctor-1.json)."""
    target = visit.examination.target
    return {
        "schema": "onehead.doctor/1",
        "healthy": visit.is_healthy,
        "at": fields(target, "ref", "sha"),
        "database": visit.database,
        "coverage": visit.examination.coverage._asdict(),
        "notes": list(visit.notes),
        "environments": [_document(visit, path, diagnosis) for path, diagnosis in visit.diagnoses.items()],
    }


def _environment(visit: DoctorReport, path: str, diagnosis: Diagnosis, paint: Paint) -> Iterator[str]:
    yield f"{paint('strong', visible(path or '.'))}: {_holds(diagnosis)}"
    yield f"  {_next_upgrade(diagnosis, paint)}"
    if diagnosis.is_healthy:
        yield from _rejoined(visit, path)
    yield from ("", *_revisions(diagnosis))
    for complaint, words in _complaints(visit, diagnosis):
        yield ""
        yield f"  {paint(complaint.severity, f'{complaint.severity} {complaint.problem}')}: {words.message}"
        yield f"    → {words.next}"
        if words.question:
            yield f"    {paint('warning', '?')} {words.question}"
    for question in _doubts(diagnosis):
        yield from ("", f"  {paint('warning', 'question')}: {question}")
    for way in diagnosis.ways:
        yield from ("", *_way(way, paint))
    if not diagnosis.ways and not diagnosis.is_healthy:
        yield from ("", f"  {NO_WAY}")


def _complaints(visit: DoctorReport, diagnosis: Diagnosis) -> Iterator[tuple[Complaint, ComplaintText]]:
    target = short_ref(visit.examination.target.ref)
    for complaint in diagnosis.complaints:
        yield complaint, complaint_text(complaint, diagnosis, visit.places, target, visit.repo)


def _rejoined(visit: DoctorReport, path: str) -> Iterator[str]:
    """A fork that is no trouble any more: people suspect it all the same."""
    for examined in visit.examination.environments:
        if examined.facts.environment.path == path:
            reasons = [reason for reason in examined.plan.reasons if reason.code == ReasonCode.REJOINED]
            yield from (f"  {visible(reason.message)}" for reason in reasons)


def _holds(diagnosis: Diagnosis) -> str:
    if diagnosis.rows is None:
        return "there is no version table"
    inspection = diagnosis.inspection
    name = str(inspection.version) if inspection and inspection.version else "alembic_version"
    return f"{visible(name)} holds {ids_in(row.text for row in diagnosis.rows) or 'no row'}"


def _next_upgrade(diagnosis: Diagnosis, paint: Paint) -> str:
    outcome = diagnosis.outcome
    command = f"`alembic upgrade {diagnosis.target}`"
    if outcome.kind == "error":
        return f"{paint('error', f'{command} stops')}: {visible(outcome.error or '')}"
    if outcome.kind == "repeat":
        return f"{paint('bad', f'{command} runs {ids_in(outcome.again)} again')}, which has run already"
    if outcome.kind == "loss":
        verb = "runs" if len(outcome.lost) == 1 else "run"
        return f"{paint('bad', f'{command} exits with 0')}, but {ids_in(outcome.lost)} never {verb}"
    if not outcome.runs:
        return f"{command} has nothing to run"
    return f"{command} runs {ids_in(outcome.runs)} and ends at {ids_in(outcome.rows_after)}"


def _revisions(diagnosis: Diagnosis) -> Iterator[str]:
    """Those that differ from what the rows say, and those that are still to come; all others as numbers."""
    revisions = diagnosis.revisions.values()
    if diagnosis.inspection is None:
        claimed = sum(revision.claimed for revision in revisions)
        yield f"  The rows claim {claimed} of {len(revisions)} revisions. The tables were not looked at."
        return
    counts: Counter[str] = Counter(revision.in_schema.shown for revision in revisions)
    untold = counts.pop("untold", 0)
    numbers = [f"{counts[kind]} {_SHOWN[kind]}" for kind in _SHOWN if counts[kind] or kind == "applied"]
    if untold:
        numbers.append(f"{untold} can't be seen (data or nothing at all), so the rows are believed there")
    yield f"  Of {len(revisions)} revisions, the schema shows: {', '.join(numbers)}."
    odd = [revision for revision in revisions if _is_odd(revision, diagnosis)]
    for revision in odd[:_MAX_LISTED]:
        yield from _revision(revision, diagnosis.graph)
    if len(odd) > _MAX_LISTED:
        yield f"    … and {len(odd) - _MAX_LISTED} more; `--format json` lists all"


def _is_odd(revision: RevisionState, diagnosis: Diagnosis) -> bool:
    shown = revision.in_schema.shown
    return (
        shown == "partly"
        or revision.id in diagnosis.doubtful
        or (shown == "applied" and not revision.claimed and not diagnosis.of(ProblemKind.UNKNOWN_ROW))
        or (shown == "absent" and revision.claimed)
    )


def _revision(revision: RevisionState, graph: Graph) -> Iterator[str]:
    declared = graph.revisions[revision.id]
    recorded = "recorded" if revision.claimed else "not recorded"
    yield f"    {visible(revision.id)}  {recorded}, {_SHOWN[revision.in_schema.shown]}  {visible(declared.path)}"
    for each in revision.in_schema.evidence[:_MAX_EVIDENCE]:
        there = "is there" if each.there else "is not there"
        yield f"      line {each.line}: {visible(str(each.thing))} {there}"
    left = len(revision.in_schema.evidence) - _MAX_EVIDENCE
    if left > 0:
        yield f"      and {left} more"


def _doubts(diagnosis: Diagnosis) -> Iterator[str]:
    for id_ in diagnosis.doubtful:
        revision = diagnosis.revisions[id_]
        does = "; ".join(f"line {each.line}: {visible(each.text)[:100]}" for each in revision.unseen[:2])
        yield (
            f"has {visible(id_)} run? It leaves no trace in the schema, and the rows can't be relied on here"
            f"{f' ({does})' if does else ''}. Look into the data."
        )


def _way(way: Remedy, paint: Paint) -> Iterator[str]:
    yield f"  {paint('strong', 'Way out')}{f', if {visible(way.condition)}' if way.condition else ''}:"
    width = max(len(visible(step.command)) for step in way.steps)
    for number, step in enumerate(way.steps, 1):
        style = "warning" if step.effect == "destructive" else "good"
        yield f"    {number}. {visible(step.command).ljust(width)}  {paint(style, step.effect)}: {visible(step.why)}"


def _document(visit: DoctorReport, path: str, diagnosis: Diagnosis) -> dict[str, Any]:
    outcome, inspection = diagnosis.outcome, diagnosis.inspection
    return {
        "path": path,
        "healthy": diagnosis.is_healthy,
        "dialect": inspection.dialect if inspection else None,
        "version_table": fields(inspection.version, *_TABLE) if inspection and inspection.version else None,
        "other_version_tables": [fields(other, *_TABLE) for other in inspection.others] if inspection else [],
        "rows": None if diagnosis.rows is None else [row.text for row in diagnosis.rows],
        "next_upgrade": {
            "command": f"alembic upgrade {diagnosis.target}",
            "outcome": outcome.kind,
            **fields(outcome, "runs", "rows_after", "lost", "error"),
        },
        "revisions": [_revision_object(each, diagnosis) for each in diagnosis.revisions.values()],
        "complaints": [
            {
                "code": str(complaint.problem),
                **fields(complaint, "severity", "names"),
                **fields(words, "message", "next"),
                "question": words.question or None,
            }
            for complaint, words in _complaints(visit, diagnosis)
        ],
        "questions": list(_doubts(diagnosis)),
        "ways_out": [
            {
                "condition": way.condition or None,
                "steps": [fields(step, "command", "effect", "why") for step in way.steps],
            }
            for way in diagnosis.ways
        ],
    }


_TABLE = ("name", "schema", "rows")


def _revision_object(revision: RevisionState, diagnosis: Diagnosis) -> dict[str, Any]:
    shown = revision.in_schema.shown
    return {
        "id": revision.id,
        "path": diagnosis.graph.revisions[revision.id].path,
        "recorded": revision.claimed,
        "state": {"absent": "not-applied", "untold": "no-witness"}.get(shown, shown),
        "evidence": [
            fields(each.thing, "kind", "name")
            | {"of": each.thing.of or None, "schema": each.thing.schema or None, "there": each.there}
            | {"shows": "applied" if each.ran else "not-applied", "line": each.line}
            for each in revision.in_schema.evidence
        ],
        "untraced": [fields(each, "line", "text") for each in revision.unseen],
    }


class Listed(NamedTuple):
    """A database, and how far it is in each environment that it may belong to."""

    known: ReportedDatabase
    progress: Mapping[str, Progress]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rows of today that no environment declares."""
        return tuple(r for r in self.known.rows if all(r in each.unknown for each in self.progress.values()))


def databases_document(listed: Sequence[Listed], at: Point, trouble: str) -> dict[str, Any]:
    """The object of `onehead databases --format json` (docs/schema/onehead.databases-1.json)."""
    return {
        "schema": "onehead.databases/1",
        "at": fields(at, "ref", "sha"),
        "trouble": trouble or None,
        "databases": [
            {
                "database": each.known.name,
                "environment": each.known.environment or None,
                "rows": list(each.known.rows),
                "since": each.known.at,
                "unknown": list(each.unknown),
                "environments": [{"path": path, "missing": by.missing} for path, by in each.progress.items()],
                "held": [{"row": row, "since": since} for row, since in each.known.held],
            }
            for each in listed
        ],
    }


def databases_text(listed: Sequence[Listed], at: Point, trouble: str, fetch: str, paint: Paint = plain) -> str:
    """One line per database; `fetch` is the command for who has not fetched them."""
    lines = [f"{paint('bad', 'Not sure')}: {visible(trouble)}"] if trouble else []
    if not listed:
        lines += ["No database is known in this clone.", f"What the service knows comes with: {fetch}"]
    width = max((len(visible(each.known.name)) for each in listed), default=0)
    for each in listed:
        rows = ", ".join(map(visible, each.known.rows)) or "no rows"
        name = paint("strong", visible(each.known.name).ljust(width))
        lines.append(f"{name}  {rows} since {day(each.known.at)}: {_standing(each, short_ref(at.ref), paint)}")
    return "\n".join(lines) + "\n"


def _standing(each: Listed, ref: str, paint: Paint) -> str:
    unknown = ", ".join(map(visible, each.unknown))
    if unknown:
        return f"{paint('bad', f'{unknown} is declared by no file')} of {ref}; deploy the version that has it"
    lacks = {
        path: f"lacks {progress.missing} of {ref}" if progress.missing else f"has run all of {ref}"
        for path, progress in each.progress.items()
    }
    if len(lacks) == 1:
        return lacks.popitem()[1]
    return "; ".join(f"{visible(path)} {text}" for path, text in lacks.items()) or f"belongs to no environment of {ref}"
