"""The past of a branch as text and as JSON (docs/schema/onehead.history-1.json)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from onehead.plan.findings import Code
from onehead.plan.incidents import (
    EndKind,
    EnvironmentPast,
    Foresight,
    History,
    Incident,
    IncidentOrigin,
    PastCommit,
)
from onehead.plan.plans import Merge, Move, Plan, Reissue, Reparent
from onehead.reports.terminal import number_of, short_ref
from onehead.screen import Paint, plain
from onehead.text import cut_words, listed, named, visible

MAX_ROWS = 100
"""Incidents of one environment that the text lists, the newest ones."""

_NOTHING = "nothing to judge, for no commit has an Alembic environment that the policy does not ignore."
_MAX_IDS = 3
_MAX_PEOPLE = 2
_MAX_CELL = 44
"""Characters of a cell."""

_MINUTE, _HOUR, _DAY, _MONTH, _YEAR = 60, 3600, 86400, 2_629_746, 31_556_952

_ENDED = {
    EndKind.MERGE: "merge revision",
    EndKind.REPARENT: "re-parented",
    EndKind.REISSUE: "new id",
    EndKind.RESTORED: "restored",
    EndKind.REVERTED: "taken back",
    EndKind.DELETED: "deleted",
    EndKind.EDITED: "file corrected",
    EndKind.INTENDED: "meant by now (label or policy)",
    EndKind.ENVIRONMENT_REMOVED: "environment removed",
    EndKind.OPEN: "still open",
}


def history_text(history: History, paint: Paint = plain) -> str:
    """The text of `onehead history`: the totals, what was looked at, and a table for each environment."""
    style = "bad" if any(incident.ended is None for incident in history.incidents) else "strong"
    lines = [paint(style, totals(history)), looked_at(history), times_note(history)]
    lines += map(visible, history.left_out)
    for environment in history.environments:
        incidents = incidents_in(history, environment)
        lines += ["", _environment_line(history, environment, incidents, paint), *_table(history, incidents, paint)]
    return "\n".join(lines) + "\n"


def totals(history: History) -> str:
    """How often, and for how long, in one sentence."""
    branch = visible(short_ref(history.target.ref))
    counted = _counted(history)
    if not history.environments:
        return f"{branch}: {_NOTHING}"
    told = listed([number_of(count, error_name(code)) for code, count in counted.items()]) or "nothing was wrong"
    still = sum(incident.ended is None for incident in history.incidents)
    more = {
        f"`alembic upgrade head` would have stopped for {duration(history.stopped)}": history.stopped,
        f"could not be judged for {duration(history.unjudged)}": history.unjudged,
        f"{number_of(still, 'incident')} still open": still,
    }
    if not history.commits and not history.incidents:
        return f"{branch}: there is no commit to look at."
    seconds = history.end - history.clock[0]
    span = duration(seconds) if seconds >= _MINUTE else number_of(history.commits, "commit")
    said = "; ".join([f"{told} in {span}", *(each for each in more if more[each])])
    return f"{branch}: {said}."


def _counted(history: History) -> dict[Code, int]:
    """How many incidents of each kind there were, in the order of the reference."""
    counted = Counter(incident.code for incident in history.incidents if not incident.is_unjudged)
    return {code: counted[code] for code in Code if code in counted}


def looked_at(history: History) -> str:
    """Which commits were looked at."""
    where, sha = visible(short_ref(history.target.ref)), history.target.sha[:10]
    place = where if where == sha else f"{where} ({sha})"
    commits = f"{history.commits:,} commit{'' if history.commits == 1 else 's'}"
    return (
        f"Looked at {commits} of {place}, {date(history.clock[0])} to {date(history.clock[-1])}; "
        f"{history.changed:,} changed migrations or their configuration."
    )


def times_note(history: History) -> str:
    """Whose clock it is."""
    note = "Times are those that git recorded (committer dates, UTC)"
    if not history.corrected:
        return f"{note}."
    many = history.corrected > 1
    what = f"{history.corrected} commits carry" if many else "one commit carries"
    return f"{note}; {what} one out of order, and count{'' if many else 's'} as made with the commit before."


def incidents_in(history: History, environment: EnvironmentPast) -> list[tuple[int, Incident]]:
    """The incidents of an environment, with their numbers."""
    return [(number, each) for number, each in enumerate(history.incidents) if each.environment == environment.path]


def error_name(code: Code) -> str:
    """What an error is called in a sentence."""
    return "stray file" if code is Code.NOT_A_REVISION else str(code).replace("-", " ")


def duration(seconds: int) -> str:
    """A time as people give it: `45 min`, `61 h`, `12 days`, `14 months`, `4 years`."""
    for unit, size, most in (("min", _MINUTE, 2 * _HOUR), ("h", _HOUR, 100 * _HOUR)):
        if seconds < most:
            return f"{round(seconds / size)} {unit}"
    for unit, size, most in (("day", _DAY, 60 * _DAY), ("month", _MONTH, 3 * _YEAR)):
        if seconds < most:
            return number_of(round(seconds / size), unit)
    return number_of(round(seconds / _YEAR), "year")


def date(seconds: int) -> str:
    """A date (UTC)."""
    return _moment(seconds)[:10]


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def incident_words(incident: Incident) -> str:
    """The error in a few words."""
    about = incident.heads or incident.missing or incident.finding.revisions or incident.finding.paths
    names = listed([*map(named, about)], _MAX_IDS)
    return f"not judged: {names}" if incident.is_unjudged else f"{error_name(incident.code)}: {names}"


def how_ended(history: History, incident: Incident) -> str:
    """How it was repaired, and by whom."""
    said = _ENDED[incident.ending]
    if incident.ended is None:
        return said
    ids = f" {listed([*map(named, incident.repaired_with)], _MAX_IDS)}" if incident.repaired_with else ""
    commit = history.line[incident.ended]
    return f"{said}{ids}, {_by(commit, (commit.author,))}"


def brought_by(history: History, number: int) -> str:
    """Whose commit it came with, and who wrote the files."""
    incident = history.incidents[number]
    if incident.is_older:
        return "older"
    commit = history.line[incident.began]
    origin = history.origins.get(number, IncidentOrigin())
    return _by(commit, origin.authors or (commit.author,))


def _by(commit: PastCommit, people: tuple[str, ...]) -> str:
    said = listed([visible(cut_words(name, 40)) for name in people], _MAX_PEOPLE)
    return f"#{commit.pull} {said}" if commit.pull else f"{commit.sha[:10]} {said}"


def _environment_line(
    history: History, environment: EnvironmentPast, incidents: list[tuple[int, Incident]], paint: Paint
) -> str:
    said = [number_of(len(incidents), "incident")] if incidents else ["nothing was wrong"]
    if stopped := history.seconds(each for _, each in incidents if each.stops):
        said.append(f"an upgrade would have stopped for {duration(stopped)}")
    if environment.appeared:
        said.append(f"new on {date(history.clock[environment.appeared])}")
    if environment.former:
        said.append(f"formerly {listed([visible(path or '.') for path in environment.former])}")
    if environment.vanished is not None:
        said.append(f"removed on {date(history.clock[environment.vanished])}")
    return f"{paint('strong', visible(environment.path or '.'))}: {'; '.join(said)}"


def _table(history: History, incidents: list[tuple[int, Incident]], paint: Paint) -> Iterator[str]:
    """One row for each incident, and below it what a check would have said."""
    if not incidents:
        return
    rows: list[tuple[str, ...]] = [("began", "lasted", "what", "brought by", "ended")]
    rows += [_row(history, number) for number, _ in incidents[-MAX_ROWS:]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for place, row in enumerate(rows):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield f"  {cells}" if place else f"  {paint('note', cells)}"
        if place:
            number, incident = incidents[-MAX_ROWS:][place - 1]
            said = foresight_words(history.line[incident.began], history.origins.get(number))
            if said:
                yield f"    {said}"
    if len(incidents) > MAX_ROWS:
        yield f"  {len(incidents) - MAX_ROWS} older ones are not shown; `--format json` lists them all."


def _row(history: History, number: int) -> tuple[str, ...]:
    incident = history.incidents[number]
    start, end = history.interval(incident)
    began = f"before {date(start)}" if incident.is_older else _moment(start)[:16].replace("T", " ")
    lasted = f"{'> ' if incident.is_older else ''}{duration(end - start)}"
    cells = (incident_words(incident), brought_by(history, number), how_ended(history, incident))
    return (began, lasted, *(cut_words(cell, _MAX_CELL) for cell in cells))


def foresight_words(commit: PastCommit, origin: IncidentOrigin | None) -> str:
    """What a check would have said, in one line; empty where that is not known."""
    foresight = origin.foresight if origin else None
    if foresight is None:
        return ""
    whose = "commit" if foresight.head == commit.sha else "branch"
    if foresight.errors and foresight.plan is not None:
        codes = listed([*dict.fromkeys(str(error.code) for error in foresight.errors)])
        return f"check of the {whose}: {codes}; plan: {plan_words(foresight.plan)}"
    if foresight.head:
        return f"check of the {whose}: no error in this environment"
    return f"check: could not judge: {visible(foresight.trouble)}" if foresight.trouble else ""


def plan_words(plan: Plan) -> str:
    """What would have been done, in a few words."""
    match plan:
        case Reparent(moves=moves):
            return _moves(moves)
        case Merge(merges=merges):
            return listed([f"one merge revision of {_ids(parents)}" for parents in merges], _MAX_IDS)
        case Reissue(files=files, dropped=dropped, moves=moves):
            said = [f"a new id for {named(id_)} of {visible(path)}" for id_, path in files]
            said += [f"drop {visible(path)}, a copy" for _, path in dropped]
            others = tuple(move for move in moves if move.revision not in dict(files))
            return listed([*said, *([_moves(others)] if others else [])], _MAX_IDS)
    return "a person has to decide" if plan.kind == "refuse" else "nothing to repair"


def _moves(moves: tuple[Move, ...]) -> str:
    return listed([f"re-parent {named(each.revision)} onto {_ids(each.new_parents)}" for each in moves], _MAX_IDS)


def _ids(ids: Iterable[str]) -> str:
    return listed([named(id_) for id_ in ids if id_], _MAX_IDS) or "nothing"


def history_document(history: History) -> dict[str, Any]:
    """The object of `onehead history --format json`."""
    return {
        "schema": "onehead.history/1",
        "target": {"ref": history.target.ref, "sha": history.target.sha},
        "commits": {
            "looked_at": history.commits,
            "changed": history.changed,
            "corrected_times": history.corrected,
            "from": _moment(history.clock[0]),
            "to": _moment(history.clock[-1]),
        },
        "until": _moment(history.until),
        "left_out": [*history.left_out],
        "totals": {
            "incidents": [{"code": str(code), "count": count} for code, count in _counted(history).items()],
            "open": sum(incident.ended is None for incident in history.incidents),
            "seconds_wrong": history.seconds(history.incidents),
            "seconds_stopped": history.stopped,
            "seconds_unjudged": history.unjudged,
        },
        "environments": [_environment_document(history, each) for each in history.environments],
        "incidents": [_incident_document(history, number) for number in range(len(history.incidents))],
    }


def _environment_document(history: History, environment: EnvironmentPast) -> dict[str, Any]:
    incidents = [each for _, each in incidents_in(history, environment)]

    def commit(place: int | None) -> dict[str, Any] | None:
        return None if place is None else _commit_document(history, place)

    return {
        "path": environment.path,
        "former_paths": [*environment.former],
        "appeared": commit(environment.appeared),
        "vanished": commit(environment.vanished),
        "incidents": len(incidents),
        "seconds_stopped": history.seconds(each for each in incidents if each.stops),
    }


def _commit_document(history: History, place: int) -> dict[str, Any]:
    commit = history.line[place]
    return {
        "sha": commit.sha,
        "date": _moment(history.clock[place]),
        "recorded": _moment(commit.committed),
        "author": commit.author,
        "subject": commit.subject,
        "pull": commit.pull,
    }


def _incident_document(history: History, number: int) -> dict[str, Any]:
    incident = history.incidents[number]
    start, end = history.interval(incident)
    origin = history.origins.get(number, IncidentOrigin())
    return {
        "environment": incident.environment,
        "code": str(incident.code),
        "stops": incident.stops,
        "unjudged": incident.is_unjudged,
        "message": incident.finding.message,
        "heads": [*incident.heads],
        "missing": [*incident.missing],
        "brought": [*incident.brought],
        "paths": [*incident.paths],
        "authors": [*origin.authors],
        "older": incident.is_older,
        "began": _commit_document(history, incident.began),
        "ended": None if incident.ended is None else _commit_document(history, incident.ended),
        "seconds": end - start,
        "ending": str(incident.ending),
        "repaired_with": [*incident.repaired_with],
        "check": _foresight_document(origin.foresight),
    }


def _foresight_document(foresight: Foresight | None) -> dict[str, Any] | None:
    if foresight is None:
        return None
    plan = foresight.plan
    return {
        "head": foresight.head or None,
        "errors": [{"code": str(error.code), "message": error.message} for error in foresight.errors],
        "plan": None if plan is None else {"kind": plan.kind, "words": plan_words(plan)},
        "trouble": foresight.trouble,
    }
