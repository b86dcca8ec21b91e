"""What came of migrations that were really run, as text, JSON and JUnit XML. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from onehead.reports.formats import junit_text
from onehead.reports.parts import Paint, fields, plain, visible
from onehead.reports.terminal import short_ref
from onehead.verify.model import Difference, Failure, Result, Trial, Tried, UpgradePath, Verification

_SUMMARY = {"ok": ("good", "Healthy"), "broken": ("bad", "Broken"), "unjudged": ("bad", "Could not judge")}
_MAX_DIFFERENCES = 20
_MAX_IDS = 4
_MAX_STATEMENT = 400
_MAX_MESSAGE = 1000
_MAX_OUTPUT = 12
_NO_NETWORK = ("network is unreachable", "name resolution", "name or service not known", "nodename nor servname")


def verification_text(verification: Verification, paint: Paint = plain) -> str:
    """The text of `onehead verify`."""
    style, word = _SUMMARY[verification.verdict]
    lines = [f"{paint(style, word)}. {ran_line(verification)}", verification.coverage]
    if verification.trials:
        lines.append(limits_line(verification))
    for trial in verification.trials:
        lines += ["", *_trial(trial, verification, paint)]
    return "\n".join(lines) + "\n"


def ran_line(verification: Verification) -> str:
    """What was run."""
    made = verification.target
    whose = f", on databases as {_commit(made)} makes them" if made else ""
    if not verification.trials:
        return f"Nothing of {_commit(verification.at)} was run."
    return f"Really ran the migrations of {_commit(verification.at)}{whose}."


def limits_line(verification: Verification) -> str:
    """Under which conditions."""
    limits = verification.limits
    return (
        f"Each run: at most {limits.seconds} seconds and {limits.mebibytes} MiB, an empty home, no variable of this "
        f"environment. {verification.network.told}"
    )


def _commit(point: tuple[str, str]) -> str:
    name, sha = point
    shown = visible(short_ref(name))
    return f"{shown} ({sha[:10]})" if sha and not sha.startswith(shown) else shown


def _trial(trial: Trial, verification: Verification, paint: Paint) -> Iterator[str]:
    heads = "1 head" if len(trial.heads) == 1 else f"{len(trial.heads)} heads"
    chain = f"{_count(trial.revisions, 'revision')}, {heads} ({_ids(trial.heads)})" if trial.revisions else "not loaded"
    yield f"{paint('strong', visible(trial.path or '.'))}: {chain}"
    yield f"  {database_line(trial)}"
    yield ""
    shown = [tried for tried in trial.tried if tried.result is not Result.NOT_RUN]
    yield from _table([_cells(tried) for tried in shown], [tried.result for tried in shown], paint)
    waiting = len(trial.tried) - len(shown)
    if waiting:
        yield f"  {_count(waiting, 'more way')} not tried: the fresh run has to succeed first."
    if trial.left_out:
        yield (
            f"  {_count(trial.left_out, 'more database')} (older ones) not tried, at least: `--most` says how "
            "many ways are."
        )
    for tried in shown:
        if tried.result is not Result.OK:
            yield ""
            yield from _trouble(tried, trial, verification, paint)
        for note in tried.notes:
            yield f"  {paint('note', 'note')}: from {start(tried)}: {visible(note)}"
    if all(tried.result is Result.OK for tried in trial.tried) and len(trial.tried) > 1:
        yield f"  All {len(trial.tried)} ways end in the same schema ({_count(trial.things, 'thing')} compared)."


def database_line(trial: Trial) -> str:
    """On what, and with what."""
    names = {"python": "Python", "alembic": "Alembic", "sqlalchemy": "SQLAlchemy"}
    with_ = [f"{names[name]} {version}" for name, version in trial.versions.items() if name in names]
    with_ += [trial.versions["driver"]] if "driver" in trial.versions else []
    return f"On {trial.database}, with {', '.join(with_)}." if with_ else f"On {trial.database}."


def start(tried: Tried) -> str:
    """The database at the beginning of a way."""
    if not tried.way.rows:
        return "fresh"
    return visible(", ".join(tried.way.rows))


def _cells(tried: Tried) -> tuple[str, ...]:
    alike = f" and {len(tried.way.alike)} like it" if tried.way.alike else ""
    runs = _count(len(tried.ran), "revision") if len(tried.ran) > _MAX_IDS else " ".join(tried.ran) or "nothing"
    making = tried.failure is not None and tried.failure.making
    differing = f": {_count(len(tried.differences), 'difference')}" if tried.differences else ""
    return (
        f"{start(tried)}{alike}",
        "(not reached)" if making else visible(runs),
        visible(", ".join(tried.rows_after)) or "-",
        f"{tried.seconds:.1f}",
        f"{tried.result}{differing}",
    )


def _table(rows: list[tuple[str, ...]], results: list[Result], paint: Paint) -> Iterator[str]:
    titles = ("database at", "ran", "ended at", "seconds", "result")
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row, result in zip((titles, *rows), (None, *results), strict=True):
        cells = [
            cell.rjust(w) if n == 3 else cell.ljust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        cells[-1] = row[-1] if result is None else paint("good" if result is Result.OK else "bad", row[-1])
        yield f"  {'  '.join(cells)}"


def _trouble(tried: Tried, trial: Trial, verification: Verification, paint: Paint) -> Iterator[str]:
    style = "error" if tried.result.breaks_a_deploy else "warning"
    yield f"  {paint(style, str(tried.result))}, from {start(tried)}: {what_happened(tried, trial)}"
    failure = tried.failure
    if failure is not None and failure.statement:
        statement = visible(" ".join(failure.statement.split()))
        yield f"    SQL: {statement[:_MAX_STATEMENT]}{'…' if len(statement) > _MAX_STATEMENT else ''}"
    for each in tried.differences[:_MAX_DIFFERENCES]:
        yield f"    {difference_line(each)}"
    if len(tried.differences) > _MAX_DIFFERENCES:
        yield f"    … and {len(tried.differences) - _MAX_DIFFERENCES} more; `--format json` lists all"
    if tried.result in (Result.NOT_STARTED, Result.ENDED) and failure is not None:
        yield from (f"    | {visible(line)}" for line in failure.output.strip().splitlines()[-_MAX_OUTPUT:])
    yield f"    → {next_step(tried, verification)}"


def what_happened(tried: Tried, trial: Trial) -> str:
    """The trouble of one way in a sentence."""
    failure = tried.failure
    if tried.result is Result.LOSS:
        verb = "runs" if len(tried.lost) == 1 else "run"
        return f"`alembic upgrade {trial.target}` exits with 0, but {_ids(tried.lost)} never {verb}."
    if failure is None:
        return f"the schema is not that of the fresh run ({_count(len(tried.differences), 'difference')})."
    where = f" ({visible(failure.path)}:{failure.line})" if failure.path else ""
    if tried.result in (Result.OUT_OF_TIME, Result.OUT_OF_MEMORY, Result.ENDED):
        who = f"revision {visible(failure.revision)}{where} was running: " if failure.revision else ""
        return f"{who}{visible(failure.message)}."
    said = f"{failure.kind}: {_message(failure)}" if failure.kind else _message(failure)
    making = f"on the way there, at `alembic upgrade {visible(failure.target)}`: " if failure.making else ""
    if tried.result is Result.REFUSED:
        return f"{making}Alembic stops: {said}"
    if failure.revision:
        return f"{making}revision {visible(failure.revision)}{where} fails: {said}"
    if tried.result is Result.FAILED:
        return f"{making}after the last revision, it fails{where}: {said}"
    return f"{making}no revision was run{where}: {said}"


def _message(failure: Failure) -> str:
    return visible(" ".join(failure.message.split()))[:_MAX_MESSAGE]


def difference_line(each: Difference) -> str:
    """One difference, the fresh run's side first."""
    thing = visible(each.thing)
    if each.here is None:
        return f"{thing}: missing here (fresh: {_how(each.fresh)})"
    if each.fresh is None:
        return f"{thing}: only here ({_how(each.here)})"
    if thing.startswith("enum ") and sorted(each.fresh.split(", ")) == sorted(each.here.split(", ")):
        return f"{thing}: the labels sort otherwise: fresh {_how(each.fresh)}; here {_how(each.here)}"
    return f"{thing}: fresh {_how(each.fresh)}; here {_how(each.here)}"


def _how(how: str | None) -> str:
    return visible(how or "")[:300]


def next_step(tried: Tried, verification: Verification) -> str:
    """What to do about one way's end."""
    failure = tried.failure
    said = "" if failure is None else f"{failure.kind} {failure.message}".lower()
    if verification.network.prefix and any(words in said for words in _NO_NETWORK):
        return (
            "The network is cut off on purpose: what a run must fetch, a deploy must too. `--network` leaves it open."
        )
    if failure is not None and failure.making and tried.result is Result.NOT_STARTED and verification.target:
        return (
            f"That is the deployed commit: `--python` and `--env` have to suit {visible(verification.target[0])} too."
        )
    for result, words, step in _BY_WORDS:
        if (
            tried.result is result
            and re.search(words, said)
            and not (step is _PREPARE and (tried.ran or tried.way.rows))
        ):
            return step
    return _STEPS[tried.result]


_PREPARE = "If the first revision builds on tables that something else makes, make them first: `--prepare FILE`."
_BY_WORDS = (
    (Result.FAILED, r"no such table|undefinedtable|relation .* does not exist|doesn't exist", _PREPARE),
    (
        Result.FAILED,
        "extension",
        "If your servers have this extension and the private one has not: name one with `--database-url`.",
    ),
    (
        Result.NOT_STARTED,
        "another database than the scratch",
        "Let env.py take `sqlalchemy.url`, or give it the address in the variable it reads: `--env DATABASE_URL={url}`",
    ),
    (
        Result.NOT_STARTED,
        "modulenotfound|importerror",
        "Name the Python that has the project's packages: `--python .venv/bin/python`.",
    ),
)
"""Result, what it says, and what to do then."""

_STEPS = {
    Result.LOSS: "Keep the parents of published revisions as they are, and join with a merge; see `onehead states`.",
    Result.DIFFERENT: "Such databases stay unlike others. Settle the order, or add a revision that makes them alike.",
    Result.REFUSED: "`onehead check` says what is wrong with the chain, and `onehead fix` repairs a fork.",
    Result.FAILED: "A deploy of such a database stops there. Correct the revision before it is published.",
    Result.OUT_OF_TIME: "Find out what it waits for; where it only needs longer, give it more: `--timeout SECONDS`.",
    Result.OUT_OF_MEMORY: "Let it work in portions; where that is no use, give it more: `--memory MIB`.",
    Result.NOT_STARTED: "Give env.py what it needs: variables with `--env NAME=VALUE`, arguments with `-x KEY=VALUE`.",
    Result.ENDED: "Run it again; if it ends the same way, see what the system's log says of that process.",
}


def _ids(ids: tuple[str, ...]) -> str:
    return visible(", ".join(ids)) or "none"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def verification_document(verification: Verification) -> dict[str, Any]:
    """The object of `onehead verify --format json` (docs/schema/onehead.verify-1.json)."""
    made = verification.target
    return {
        "schema": "onehead.verify/1",
        "verdict": verification.verdict,
        "at": dict(zip(("ref", "sha"), verification.at, strict=True)),
        "target": None if made is None else dict(zip(("ref", "sha"), made, strict=True)),
        "limits": fields(verification.limits, "seconds", "mebibytes"),
        "network_cut_off": bool(verification.network.prefix),
        "environments": [
            {
                **fields(trial, "path", "config"),
                "command": f"alembic upgrade {trial.target}",
                "database": trial.database,
                "versions": dict(trial.versions),
                **fields(trial, "revisions", "heads"),
                "compared": trial.things,
                "left_out": trial.left_out,
                "ways": [_tried(tried) for tried in trial.tried],
            }
            for trial in verification.trials
        ],
    }


def _tried(tried: Tried) -> dict[str, Any]:
    failure = tried.failure
    return {
        **fields(tried.way, "rows", "reached"),
        "alike": [list(rows) for rows in tried.way.alike],
        "result": str(tried.result),
        "runs": list(tried.ran),
        **fields(tried, "rows_after", "lost"),
        "seconds": round(tried.seconds, 3),
        "failure": failure and fields(failure, *_FAILURE) | {"kind": failure.kind or None},
        "differences": [fields(each, "thing", "fresh", "here") for each in tried.differences],
        "notes": list(tried.notes),
    }


_FAILURE = ("making", "target", "revision", "kind", "message", "statement", "path", "line", "output")


def verification_junit(verification: Verification) -> str:
    """A JUnit document: what would break a deploy is a failure, what could not be judged an error."""
    suite = ET.Element("testsuite", name="onehead verify")
    for trial in verification.trials:
        for tried in trial.tried:
            _case(suite, trial, tried, verification)
    said = [ran_line(verification), verification.coverage, limits_line(verification)]
    said += [f"{trial.path or '.'}: {database_line(trial)}" for trial in verification.trials]
    return junit_text(suite, "onehead.verify", verification.coverage, visible_lines("\n".join(said)))


def _case(suite: ET.Element, trial: Trial, tried: Tried, verification: Verification) -> None:
    name = f"{trial.path or '.'}: from {_name(tried.way, start(tried))} to {trial.target}"
    case = ET.SubElement(suite, "testcase", classname="onehead.verify", name=visible(name), time=f"{tried.seconds:.3f}")
    if tried.result is Result.NOT_RUN:
        ET.SubElement(case, "skipped", message="the fresh run has to succeed first")
    elif tried.result is not Result.OK:
        kind = "failure" if tried.result.breaks_a_deploy else "error"
        told = what_happened(tried, trial)
        element = ET.SubElement(case, kind, type=str(tried.result), message=visible(told))
        failure = tried.failure
        lines = [told]
        lines += [f"SQL: {failure.statement}"] if failure is not None and failure.statement else []
        lines += [difference_line(each) for each in tried.differences]
        lines.append(f"→ {next_step(tried, verification)}")
        element.text = visible_lines("\n".join(lines))
        if failure is not None and failure.path is not None:
            case.set("file", visible(failure.path))
            case.set("line", str(failure.line or 1))
    if tried.notes or (tried.failure is not None and tried.failure.output):
        output = "" if tried.failure is None else tried.failure.output
        ET.SubElement(case, "system-out").text = visible_lines("\n".join([*tried.notes, output]))


def _name(way: UpgradePath, first: str) -> str:
    """Of two ways from the same rows, the order in which the database came there tells one from the other."""
    return f"{first} ({' '.join(way.legs)})" if way.legs else first


def visible_lines(text: str) -> str:
    """Text of several lines, each without what XML or a terminal can't show."""
    return "\n".join(visible(line) for line in text.splitlines())
