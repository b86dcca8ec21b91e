"""What a crash log means, for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from onehead.databases.crash_catalogue import Trouble
from onehead.databases.crash_log import Crash, Reading
from onehead.databases.schema_effects import Traces
from onehead.databases.states import Whereabouts
from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Examination, Examined
from onehead.reports.ailments import ids_in
from onehead.reports.both_sides import both_sides_lines
from onehead.reports.crash_reader import Background, doctor_at, in_a_terminal
from onehead.reports.crashes import ANOTHER_CAUSE, meaning
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.text import compared_line, coverage_line

_WIDTH = 100
_NO_BREAK = "\ue000"
"""Stands for a blank where lines may not be broken, while they are."""


class CrashLog(NamedTuple):
    """A log, and what there is to know about it.

    Attributes:
        reading: what it says.
        examination: of the deployed commit.
        places: revisions that complaints name and the commit does not have → where they stand otherwise.
        traces: environment path → what each revision leaves in a schema; empty where nobody has to know.
        is_whole: whether all of the log was read; of a long one that is only the end.
        repo: the repository as it was named, for commands that are typed there.
    """

    reading: Reading
    examination: Examination
    places: Mapping[str, Whereabouts]
    traces: Mapping[str, Mapping[str, Traces]]
    is_whole: bool = True
    repo: str = "."


def explained_text(log: CrashLog, paint: Paint = plain) -> str:
    """The text of `onehead explain`."""
    lines = [compared_line(log.examination), coverage_line(log.examination)]
    if not log.is_whole:
        lines.append("Of the log only the end was read.")
    for examined in log.examination.environments:
        lines += ["", *_environment(log, examined, paint)]
    if not log.examination.environments:
        lines += ["", "There is no Alembic environment in this commit, so nothing in the log can be explained by it."]
    if log.reading.left_out:
        lines += ["", f"The log holds {log.reading.left_out} more complaints, before these."]
    if not log.reading.crashes:
        lines += ["", *_wrapped(_nothing_found(log), "")]
    elif any(crash.trouble in _CONCERNS_A_DATABASE for crash in log.reading.crashes):
        doctor = doctor_at(log.examination.target.ref, log.repo)
        lines += ["", f"Next: {doctor} --database-url URL says what that database has really been through."]
    else:
        lines += ["", "Next: do what is said above. No database has to be changed for that."]
    return "\n".join(lines) + "\n"


_CONCERNS_A_DATABASE = {
    *(Trouble.CANNOT_LOCATE, Trouble.AMBIGUOUS_ID, Trouble.OVERLAPS, Trouble.ROW_CHANGED, Trouble.ROW_IS_NO_TEXT),
    *(Trouble.MIGRATION_CODE, Trouble.ALREADY_THERE, Trouble.NOT_THERE, Trouble.ID_TOO_LONG, Trouble.VALUE_TOO_LONG),
    *(Trouble.AT_THE_SAME_TIME, Trouble.LOCKED, Trouble.STATEMENT_FAILED, Trouble.NEW_ENUM_VALUE),
    *(Trouble.WRONG_OPERATION, Trouble.WRONG_SIGNATURE),
}


def _nothing_found(log: CrashLog) -> str:
    text = "There is no message of Alembic's in this log, so it says nothing about the order of migrations."
    foreign = log.reading.foreign
    if foreign is not None:
        place = f", raised in {visible(foreign.path)}" if foreign.path else ""
        line = f" line {foreign.number}" if foreign.path and foreign.number else ""
        text += f" Its last error is `{visible(foreign.line)}`{place}{line}."
        if foreign.path.replace("\\", "/").endswith("env.py"):
            text += " That is the project's own code, which runs before any migration does: look there."
        elif foreign.path:
            text += " That is not Alembic's code: look there."
    return (
        f"{text} If migrations crashed too, give the whole log of that container, also of the one before it "
        "(`kubectl logs --previous`)."
    )


def _environment(log: CrashLog, examined: Examined, paint: Paint) -> Iterator[str]:
    facts = examined.facts
    path = facts.environment.path
    reader = in_a_terminal(log.examination.target.ref, log.repo)
    yield f"{paint('strong', visible(path or '.'))}: {_state(facts)}"
    for fork in forks_of(facts):
        yield from both_sides_lines(examined, fork)
    if log.reading.crashes:
        for reason in examined.plan.reasons:
            if reason.code == ReasonCode.REJOINED:
                yield from _wrapped(f"{reason.message} {ANOTHER_CAUSE}")
    for crash in log.reading.crashes:
        if concerns(crash, facts, log.examination):
            yield ""
            yield f"  > {paint('bad', visible(crash.line))}"
            place = log.places.get(crash.subject, Whereabouts())
            known = Background(facts, log.examination.target, ids_in(place.refs), _past(place), log.traces.get(path))
            for paragraph in meaning(crash, known, reader).split("\n"):
                yield from _wrapped(paragraph) or [""]


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    hanging = indent + ("  " if text.startswith("- ") else "")
    # A command stays on one line: it has to work when it is copied.
    whole = re.sub(r"`[^`]*`", lambda quoted: quoted.group().replace(" ", _NO_BREAK), text)
    lines = textwrap.wrap(
        whole,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _state(facts: Facts) -> str:
    heads = facts.target.heads
    if facts.target.duplicates:
        return f"declared twice: {ids_in(sorted(facts.target.duplicates))}; the heads are {ids_in(heads) or 'none'}"
    if forks_of(facts):
        return f"forked, with the heads {ids_in(heads)}"
    return f"one head, {visible(heads[0])}" if len(heads) == 1 else f"the heads {ids_in(heads) or 'none'}"


def concerns(crash: Crash, facts: Facts, examination: Examination) -> bool:
    """Whether a complaint may be about this environment: it knows a revision that is named, or no environment does."""
    every = [examined.facts for examined in examination.environments]
    known = [each for each in every if any(id_ in each.target for id_ in crash.revisions)]
    return not known or any(each.environment.path == facts.environment.path for each in known)


def _past(place: Whereabouts) -> str:
    if not place.removed:
        return ""
    if place.renamed:
        return f"{visible(place.removed)} gave it the new id {visible(place.renamed)}"
    return f"{visible(place.removed)} removed it"
