"""Explain the log of a crash, for a terminal and for a deployed branch.

The texts are in `templates/answer/crash.md.j2`. Which cause each has was measured; none is guessed from words alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from shlex import quote
from typing import Any, NamedTuple

from onehead.databases.crash_catalogue import Crash, CrashKind
from onehead.databases.crash_log import CrashReport
from onehead.databases.schema_effects import SchemaEffects
from onehead.databases.states import RevisionLocation, read_rows
from onehead.plan.findings import Code, Facts, Finding
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Examination, Examined, Point
from onehead.render import rendered
from onehead.reports.doctor import ids_in
from onehead.reports.terminal import both_sides_lines, compared_line, coverage_line, named_again, short_ref
from onehead.screen import Paint, plain
from onehead.text import code, listed, shortened, visible

ANOTHER_CAUSE = (
    "If a deploy crashes, the cause is something else: check whether its image holds the revision that "
    "`alembic_version` names."
)
"""Said of a chain that has parted and is rejoined, where a crash was reported: people suspect it."""

MAX_ERRORS = 3
"""Errors of a chain that an explanation quotes."""

_MAX_DUPLICATES = 3
_MAX_ID_LENGTH = 32
"""Characters that Alembic's own version table holds."""


class Audience(NamedTuple):
    """Who reads an explanation.

    Attributes:
        mark: how a name stands out.
        doctor: the command that judges a database by some rows.
        nowhere: what is said of a revision that nothing else here has.
        repairing: where to find the repair of a chain.
        git: how a command of git for the repository begins.
    """

    mark: Callable[[str], str]
    doctor: Callable[[Sequence[str]], str]
    nowhere: str
    repairing: str
    git: str = "git"


IN_A_COMMENT = Audience(
    code,
    lambda rows: f"`/onehead doctor {' '.join(rows)}`",
    "no open pull request and no branch here would bring it",
    "onehead proposes a repair where it can; its check of the branch says more.",
)


def in_a_terminal(at: str, repo: str = ".") -> Audience:
    """A reader who judges a commit of a repository in a terminal: commands are those of the command line."""
    ref = quote(visible(at))
    return Audience(
        lambda text: f"`{visible(text)}`",
        lambda rows: f"`{doctor_at(at, repo)} --rows {quote(visible(','.join(rows)))}`",
        "no branch, tag or earlier commit of this repository has it",
        f"`onehead check{named_again(repo)} --target {ref}` says what repairs it.",
        f"git{named_again(repo, '-C')}",
    )


def doctor_at(at: str, repo: str = ".") -> str:
    """The command that judges databases of a commit; `HEAD` and the repository here need no option."""
    return f"onehead doctor{named_again(repo)}" + ("" if at == "HEAD" else f" --at {quote(visible(at))}")


class Background(NamedTuple):
    """What there is to know about a crash.

    Attributes:
        facts: the environment, judged by itself.
        places: where the revision that it names stands, if not there ("#5", "branch oauth"), marked up like the rest.
        past: what has become of it, if it was there once ("5f2c0d1 Tidy up removed it").
        effects: what each revision leaves in a schema; `None` where nobody has looked.
    """

    facts: Facts
    target: Point
    places: str = ""
    past: str = ""
    effects: Mapping[str, SchemaEffects] | None = None

    @property
    def deployed(self) -> str:
        """The branch or commit, as people name it."""
        return short_ref(self.target.ref)


def meaning(crash: Crash, known: Background, reader: Audience = IN_A_COMMENT) -> str:
    """What one complaint of Alembic's or of a database says about a branch, how to tell, and what not to do."""
    doubles = sorted(known.facts.target.duplicates)[:_MAX_DUPLICATES]
    if crash.trouble == CrashKind.MULTIPLE_HEADS and doubles:
        each = (crash._replace(trouble=CrashKind.DUPLICATE_ID, subject=id_) for id_ in doubles)
        return "\n".join(meaning(double, known, reader) for double in each)
    return re.sub(r"(?<!\n)\n(?!\n|- )", " ", rendered("answer/crash.md.j2", **_values(crash, known, reader)))


def _values(crash: Crash, known: Background, reader: Audience) -> dict[str, Any]:
    facts, graph, mark = known.facts, known.facts.target, reader.mark
    file_name = crash.file[0].replace("\\", "/").rpartition("/")[2]
    declared = next((each for each in graph if file_name and each.path.rpartition("/")[2] == file_name), None)
    running = crash.step.revision if crash.step else declared.id if declared else ""
    makers = _makers(crash, known)
    others = [id_ for id_ in makers.make if running in graph and id_ != running]
    kind = crash.trouble
    # Without the statement, the width alone decides between the version table and a table of the application.
    if kind == CrashKind.VALUE_TOO_LONG and len(running) > _MAX_ID_LENGTH and f"({_MAX_ID_LENGTH})" in crash.line:
        kind = CrashKind.ID_TOO_LONG
    return {
        "kind": str(kind),
        "crash": crash,
        "known": known,
        "reader": reader,
        "graph": graph,
        "place": facts.environment,
        "mark": mark,
        "named": lambda names: listed([mark(shortened(name)) for name in names]),
        "argument": mark(shortened(crash.argument)),
        "is_forked": bool(forks_of(facts)),
        "row": read_rows(graph, (crash.subject,))[0],
        "labels": sorted({label for revision in graph for label in revision.branch_labels}),
        "find_commit": mark(f"{reader.git} log --all --oneline -S{quote(crash.subject)}"),
        "is_above": bool(crash.names) and crash.subject in graph and graph.ancestors(crash.subject) >= {*crash.names},
        "file_of": next((id_ for id_ in graph.revisions if id_ and crash.subject.startswith(f"{id_}_")), ""),
        "followers": sorted(id_ for id_, parent in graph.missing if parent == crash.subject),
        "paths": [revision.path for revision in graph.duplicates.get(crash.subject, ())],
        "folders": [place.path for place in facts.environment.locations],
        "file_name": file_name,
        "declared": declared,
        "running": running,
        "makers": makers,
        "makers_before": [id_ for id_ in others if id_ in graph.ancestors(running)],
        "makers_after": others,
        "max_id": _MAX_ID_LENGTH,
        "long_ids": [id_ for id_ in graph.revisions if len(id_) > _MAX_ID_LENGTH],
    }


class Makers(NamedTuple):
    """Revisions that make a thing, that take it away, and that name it in code which onehead can't read."""

    make: tuple[str, ...] = ()
    take: tuple[str, ...] = ()
    mention: tuple[str, ...] = ()


_TRACED = {
    "relation": {"table", "index", "constraint"},
    "object": {"table", "index", "constraint", "column", "type"},
    "table": {"table"},
    "index": {"index", "constraint"},
    "constraint": {"constraint", "index"},
    "column": {"column"},
    "type": {"type"},
    "label": {"label"},
}


def _makers(crash: Crash, known: Background) -> Makers:
    """The revisions that make or take away what a database names."""
    kinds = _TRACED.get(crash.kind, set())
    name, owner = crash.subject.casefold(), crash.of.casefold()
    make, take, mention = [], [], []
    for id_, effects in (known.effects or {}).items():
        found = [
            effect
            for effect in effects.left
            if effect.thing.kind in kinds
            and effect.thing.name.casefold() == name
            and (not owner or not effect.thing.of or effect.thing.of.casefold() == owner)
        ]
        if any(effect.there for effect in found):
            make.append(id_)
        elif found:
            take.append(id_)
        elif name and any(name in re.findall(r"\w+", each.text.casefold()) for each in effects.unseen):
            mention.append(id_)
    return Makers(tuple(make), tuple(take), tuple(mention))


_WIDTH = 100
_NO_BREAK = "\ue000"
"""Stands for a blank where lines may not be broken, while they are."""


class CrashLog(NamedTuple):
    """A log, and what there is to know about it.

    Attributes:
        places: revisions that complaints name and the deployed commit does not have → where they stand otherwise.
        effects: environment path → what each revision leaves in a schema; empty where nobody has to know.
        is_whole: whether all of the log was read; of a long one that is only the end.
        repo: the repository as it was named, for commands that are typed there.
    """

    reading: CrashReport
    examination: Examination
    places: Mapping[str, RevisionLocation]
    effects: Mapping[str, Mapping[str, SchemaEffects]]
    is_whole: bool = True
    repo: str = "."


def explained_text(log: CrashLog, paint: Paint = plain) -> str:
    """The text of `onehead explain`."""
    lines = [compared_line(log.examination), coverage_line(log.examination)]
    if not log.is_whole:
        lines.append("Only the end of the log was read.")
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
        lines += ["", f"Next: {doctor} --database-url URL shows what that database has really run."]
    else:
        lines += ["", "Next: follow the advice above. It needs no change to a database."]
    return "\n".join(lines) + "\n"


_CONCERNS_A_DATABASE = {
    CrashKind.CANNOT_LOCATE,
    CrashKind.AMBIGUOUS_ID,
    CrashKind.OVERLAPS,
    CrashKind.ROW_CHANGED,
    CrashKind.ROW_IS_NO_TEXT,
    CrashKind.MIGRATION_CODE,
    CrashKind.ALREADY_THERE,
    CrashKind.NOT_THERE,
    CrashKind.ID_TOO_LONG,
    CrashKind.VALUE_TOO_LONG,
    CrashKind.AT_THE_SAME_TIME,
    CrashKind.LOCKED,
    CrashKind.STATEMENT_FAILED,
    CrashKind.NEW_ENUM_VALUE,
    CrashKind.WRONG_OPERATION,
    CrashKind.WRONG_SIGNATURE,
}


def _nothing_found(log: CrashLog) -> str:
    text = "This log has no message of Alembic's, so it says nothing about the order of migrations."
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
    facts, target = examined.facts, log.examination.target
    path = facts.environment.path
    reader = in_a_terminal(target.ref, log.repo)
    yield f"{paint('strong', visible(path or '.'))}: {_state(facts)}"
    for message in messages_of(broken_by(examined)):
        yield from _wrapped(visible(message))
    for fork in forks_of(facts):
        yield from both_sides_lines(examined, fork)
    if log.reading.crashes:
        for reason in examined.plan.reasons:
            if reason.code == ReasonCode.REJOINED:
                yield from _wrapped(f"{reason.message} {ANOTHER_CAUSE}")
    for crash in log.reading.crashes:
        if concerns(crash, facts, log.examination):
            yield from ("", f"  > {paint('bad', visible(crash.line))}")
            place = log.places.get(crash.subject, RevisionLocation())
            known = Background(facts, target, ids_in(place.refs), _past(place), log.effects.get(path))
            for paragraph in meaning(crash, known, reader).split("\n"):
                yield from _wrapped(paragraph) or [""]


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    hanging = indent + ("  " if text.startswith("- ") else "")
    # A command stays on one line: it has to work when it is copied.
    whole = re.sub(r"`[^`]*`", lambda quoted: quoted.group().replace(" ", _NO_BREAK), text)
    wrapper = textwrap.TextWrapper(_WIDTH, indent, hanging, break_on_hyphens=False, break_long_words=False)
    return [line.replace(_NO_BREAK, " ") for line in wrapper.wrap(whole)]


def _state(facts: Facts) -> str:
    heads = facts.target.heads
    if forks_of(facts):
        return f"forked, with the heads {ids_in(heads)}"
    return f"one head, {visible(heads[0])}" if len(heads) == 1 else f"the heads {ids_in(heads) or 'none'}"


def broken_by(examined: Examined) -> tuple[Finding, ...]:
    """The errors because of which counting heads does not say how an upgrade goes."""
    counted = (Code.FORK, Code.COLLISION)
    return tuple(each for each in examined.findings if each.severity == "error" and each.code not in counted)


def messages_of(errors: Sequence[Finding]) -> list[str]:
    """What they say; many are cut short with their number."""
    more = len(errors) - MAX_ERRORS
    rest = [f"There {'is one more error' if more == 1 else f'are {more} more errors'}."] if more > 0 else []
    return [*(each.message for each in errors[:MAX_ERRORS]), *rest]


def concerns(crash: Crash, facts: Facts, examination: Examination) -> bool:
    """Whether a complaint may be about this environment: it knows a revision that is named, or no environment does."""
    graphs = {each.facts.environment.path: each.facts.target for each in examination.environments}
    known = {path for path, graph in graphs.items() if any(id_ in graph for id_ in crash.revisions)}
    return not known or facts.environment.path in known


def _past(place: RevisionLocation) -> str:
    what = f"gave it the new id {visible(place.renamed)}" if place.renamed else "removed it"
    return f"{visible(place.removed)} {what}" if place.removed else ""
