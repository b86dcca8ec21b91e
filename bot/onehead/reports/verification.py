"""What came of migrations that were really run, as text, JSON and JUnit XML. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from onehead.reports.formats import fields, junit_text
from onehead.reports.terminal import number_of, short_ref
from onehead.screen import Paint, plain
from onehead.text import visible
from onehead.verify.model import Difference, Result, Trial, Tried, Verification

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
    ran, coverage, limits = _conditions(verification)
    lines = [f"{paint(style, word)}. {ran}", coverage]
    lines += [limits] if verification.trials else []
    for trial in verification.trials:
        lines += ["", *_trial(trial, verification, paint)]
    return "\n".join(lines) + "\n"


def _conditions(verification: Verification) -> tuple[str, str, str]:
    """What was run, what was read of the repository, and under which limits."""
    made, limits = verification.target, verification.limits
    whose = f", on databases as {_commit(made)} makes them" if made else ""
    ran = f"Really ran the migrations of {_commit(verification.at)}{whose}."
    most = f"at most {limits.seconds} seconds and {limits.mebibytes} MiB"
    return (
        ran if verification.trials else f"Nothing of {_commit(verification.at)} was run.",
        verification.coverage,
        f"Each run: {most}, an empty home, no variable of this environment. {verification.network.told}",
    )


def _commit(point: tuple[str, str]) -> str:
    name, sha = point
    shown = visible(short_ref(name))
    return f"{shown} ({sha[:10]})" if sha and not sha.startswith(shown) else shown


def _trial(trial: Trial, verification: Verification, paint: Paint) -> Iterator[str]:
    revisions, heads = number_of(trial.revisions, "revision"), number_of(len(trial.heads), "head")
    chain = f"{revisions}, {heads} ({_ids(trial.heads)})" if trial.revisions else "not loaded"
    yield f"{paint('strong', visible(trial.path or '.'))}: {chain}"
    yield f"  {_database(trial)}"
    yield ""
    shown = [tried for tried in trial.tried if tried.result is not Result.NOT_RUN]
    yield from _table(shown, paint)
    waiting = len(trial.tried) - len(shown)
    if waiting:
        yield f"  {number_of(waiting, 'more way')} not tried: the fresh run has to succeed first."
    if trial.left_out:
        more = number_of(trial.left_out, "more database")
        yield f"  {more} (older ones) not tried, at least: `--most` says how many ways are."
    for tried in shown:
        if tried.result is not Result.OK:
            yield from ("", *_trouble(tried, trial, verification, paint))
        for note in tried.notes:
            yield f"  {paint('note', 'note')}: from {_start(tried)}: {visible(note)}"
    if all(tried.result is Result.OK for tried in trial.tried) and len(trial.tried) > 1:
        yield f"  All {len(trial.tried)} ways end in the same schema ({number_of(trial.things, 'thing')} compared)."


def _database(trial: Trial) -> str:
    names = {"python": "Python ", "alembic": "Alembic ", "sqlalchemy": "SQLAlchemy ", "driver": ""}
    versions = ", ".join(f"{names[name]}{version}" for name, version in trial.versions.items())
    return f"On {trial.database}, with {versions}." if versions else f"On {trial.database}."


def _start(tried: Tried) -> str:
    return visible(", ".join(tried.way.rows)) or "fresh"


def _cells(tried: Tried) -> tuple[str, ...]:
    alike = f" and {len(tried.way.alike)} like it" if tried.way.alike else ""
    runs = number_of(len(tried.ran), "revision") if len(tried.ran) > _MAX_IDS else " ".join(tried.ran) or "nothing"
    making = tried.failure is not None and tried.failure.making
    differing = f": {number_of(len(tried.differences), 'difference')}" if tried.differences else ""
    return (
        f"{_start(tried)}{alike}",
        "(not reached)" if making else visible(runs),
        visible(", ".join(tried.rows_after)) or "-",
        f"{tried.seconds:.1f}",
        f"{tried.result}{differing}",
    )


def _table(shown: list[Tried], paint: Paint) -> Iterator[str]:
    titles = ("database at", "ran", "ended at", "seconds", "result")
    rows = [titles, *map(_cells, shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[3] = row[3].rjust(widths[3])
        style = "good" if number and shown[number - 1].result is Result.OK else "bad"
        cells[-1] = paint(style, row[-1]) if number else row[-1]
        yield f"  {'  '.join(cells)}"


def _trouble(tried: Tried, trial: Trial, verification: Verification, paint: Paint) -> Iterator[str]:
    style = "error" if tried.result.breaks_a_deploy else "warning"
    yield f"  {paint(style, str(tried.result))}, from {_start(tried)}: {_what_happened(tried, trial)}"
    failure = tried.failure
    if failure is not None and failure.statement:
        statement = visible(" ".join(failure.statement.split()))
        yield f"    SQL: {statement[:_MAX_STATEMENT]}{'…' if len(statement) > _MAX_STATEMENT else ''}"
    for each in tried.differences[:_MAX_DIFFERENCES]:
        yield f"    {_difference(each)}"
    if len(tried.differences) > _MAX_DIFFERENCES:
        yield f"    … and {len(tried.differences) - _MAX_DIFFERENCES} more; `--format json` lists all"
    if tried.result in (Result.NOT_STARTED, Result.ENDED) and failure is not None:
        yield from (f"    | {visible(line)}" for line in failure.output.strip().splitlines()[-_MAX_OUTPUT:])
    yield f"    → {_next_step(tried, verification)}"


def _what_happened(tried: Tried, trial: Trial) -> str:
    """The trouble of one way in a sentence."""
    failure = tried.failure
    if tried.result is Result.LOSS:
        verb = "runs" if len(tried.lost) == 1 else "run"
        return f"`alembic upgrade {trial.target}` exits with 0, but {_ids(tried.lost)} never {verb}."
    if failure is None:
        return f"the schema is not that of the fresh run ({number_of(len(tried.differences), 'difference')})."
    where = f" ({visible(failure.path)}:{failure.line})" if failure.path else ""
    if tried.result in (Result.OUT_OF_TIME, Result.OUT_OF_MEMORY, Result.ENDED):
        who = f"revision {visible(failure.revision)}{where} was running: " if failure.revision else ""
        return f"{who}{visible(failure.message)}."
    if tried.result is Result.REFUSED:
        what = "Alembic stops"
    elif failure.revision:
        what = f"revision {visible(failure.revision)}{where} fails"
    elif tried.result is Result.FAILED:
        what = f"after the last revision, it fails{where}"
    else:
        what = f"no revision was run{where}"
    making = f"on the way there, at `alembic upgrade {visible(failure.target)}`: " if failure.making else ""
    kind = f"{failure.kind}: " if failure.kind else ""
    return f"{making}{what}: {kind}{visible(' '.join(failure.message.split()))[:_MAX_MESSAGE]}"


def _difference(each: Difference) -> str:
    """The fresh run's side first."""
    thing, fresh, here = visible(each.thing), visible(each.fresh or "")[:300], visible(each.here or "")[:300]
    if each.here is None:
        return f"{thing}: missing here (fresh: {fresh})"
    if each.fresh is None:
        return f"{thing}: only here ({here})"
    is_sorted_otherwise = sorted(each.fresh.split(", ")) == sorted(each.here.split(", "))
    lead = "the labels sort otherwise: " if thing.startswith("enum ") and is_sorted_otherwise else ""
    return f"{thing}: {lead}fresh {fresh}; here {here}"


def _next_step(tried: Tried, verification: Verification) -> str:
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
        is_fit = step is not _PREPARE or not (tried.ran or tried.way.rows)
        if tried.result is result and is_fit and re.search(words, said):
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
    databases = [f"{trial.path or '.'}: {_database(trial)}" for trial in verification.trials]
    output = _visible_lines("\n".join([*_conditions(verification), *databases]))
    return junit_text(suite, "onehead.verify", verification.coverage, output)


def _case(suite: ET.Element, trial: Trial, tried: Tried, verification: Verification) -> None:
    way, failure = tried.way, tried.failure
    # Of two ways from the same rows, the order in which the database came there tells one from the other.
    legs = f" ({' '.join(way.legs)})" if way.legs else ""
    name = visible(f"{trial.path or '.'}: from {_start(tried)}{legs} to {trial.target}")
    case = ET.SubElement(suite, "testcase", classname="onehead.verify", name=name, time=f"{tried.seconds:.3f}")
    if tried.result is Result.NOT_RUN:
        ET.SubElement(case, "skipped", message="the fresh run has to succeed first")
    elif tried.result is not Result.OK:
        kind = "failure" if tried.result.breaks_a_deploy else "error"
        message = _what_happened(tried, trial)
        element = ET.SubElement(case, kind, type=str(tried.result), message=visible(message))
        lines = [message]
        lines += [f"SQL: {failure.statement}"] if failure is not None and failure.statement else []
        lines += [*map(_difference, tried.differences), f"→ {_next_step(tried, verification)}"]
        element.text = _visible_lines("\n".join(lines))
        if failure is not None and failure.path is not None:
            case.set("file", visible(failure.path))
            case.set("line", str(failure.line or 1))
    output = "" if failure is None else failure.output
    if tried.notes or output:
        ET.SubElement(case, "system-out").text = _visible_lines("\n".join([*tried.notes, output]))


def _visible_lines(text: str) -> str:
    """Text of several lines, each without what XML or a terminal can't show."""
    return "\n".join(visible(line) for line in text.splitlines())
