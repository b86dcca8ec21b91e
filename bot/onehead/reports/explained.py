"""What a crash log means, for a terminal: the words are those that comments use."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Examination, Examined
from onehead.reports.ailments import listed
from onehead.reports.both_sides import both_sides_lines
from onehead.reports.crashes import meaning
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.text import compared_line, coverage_line
from onehead.states.crash import Crash
from onehead.states.rows import Whereabouts

_WIDTH = 100


class CrashLog(NamedTuple):
    """A log, and what there is to know about it.

    Attributes:
        crashes: Alembic's complaints in it.
        examination: of the deployed commit.
        places: revisions that complaints name and the commit does not have → where they stand otherwise.
        makers: environment path → name of a table, column, … → the revisions that make it.
    """

    crashes: tuple[Crash, ...]
    examination: Examination
    places: Mapping[str, Whereabouts]
    makers: Mapping[str, Mapping[str, Sequence[str]]]


def explained_text(log: CrashLog, paint: Paint = plain) -> str:
    """The text of `onehead explain`."""
    lines = [compared_line(log.examination), coverage_line(log.examination)]
    for examined in log.examination.environments:
        lines += ["", *_environment(log, examined, paint)]
    if log.crashes:
        lines += ["", "Next: onehead doctor --database-url URL says what that database has really been through."]
    else:
        lines += ["", *textwrap.wrap(_NOTHING_FOUND, _WIDTH)]
    return "\n".join(lines) + "\n"


_NOTHING_FOUND = (
    "There is none of Alembic's complaints in this log, so it says nothing about migrations. Give the whole log of the "
    "container that crashed, also of the one before it (`kubectl logs --previous`)."
)


def _environment(log: CrashLog, examined: Examined, paint: Paint) -> Iterator[str]:
    facts = examined.facts
    path = facts.environment.path
    yield f"{paint('strong', visible(path or '.'))}: {_state(facts)}"
    for fork in forks_of(facts):
        yield from both_sides_lines(examined, fork)
    for reason in examined.plan.reasons:
        if reason.code == ReasonCode.REJOINED:
            yield from textwrap.wrap(reason.message, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    for crash in log.crashes:
        if crash.subject in facts.target or not _is_known_elsewhere(log, crash):
            yield ""
            yield f"  > {paint('bad', visible(crash.line))}"
            place = log.places.get(crash.subject, Whereabouts())
            makers = log.makers.get(path, {}).get(crash.subject.rpartition(".")[2].casefold(), ())
            said = meaning(
                crash,
                facts,
                log.examination.target,
                listed(place.refs),
                past=_past(place),
                makers=makers,
                mark=_marked,
            )
            for paragraph in said.split("\n"):
                hanging = "    " if paragraph.startswith("- ") else "  "
                yield from textwrap.wrap(paragraph, _WIDTH, initial_indent="  ", subsequent_indent=hanging) or [""]


def _state(facts: Facts) -> str:
    heads = facts.target.heads
    if forks_of(facts):
        return f"forked, with the heads {listed(heads)}"
    return f"one head, {visible(heads[0])}" if len(heads) == 1 else f"the heads {listed(heads) or 'none'}"


def _is_known_elsewhere(log: CrashLog, crash: Crash) -> bool:
    """Whether some environment has the revision that a complaint names: then it is not about the others."""
    return any(crash.subject in examined.facts.target for examined in log.examination.environments)


def _past(place: Whereabouts) -> str:
    if not place.removed:
        return ""
    if place.renamed:
        return f"{visible(place.removed)} gave it the new id {visible(place.renamed)}"
    return f"{visible(place.removed)} removed it"


def _marked(text: str) -> str:
    return f"`{visible(text)}`"
