"""What the log of a crash means, for a terminal and for a deployed branch.

Which text has which cause was measured; none of it is guessed from the words alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from shlex import quote
from typing import NamedTuple

from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import Crash, CrashReport
from onehead.databases.schema_effects import Traces
from onehead.databases.states import Whereabouts, read_rows
from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import ReasonCode
from onehead.plan.verdict import Examination, Examined
from onehead.reports.doctor import ids_in
from onehead.reports.parts import Paint, both_sides_lines, plain, visible
from onehead.reports.sql_crashes import (
    IN_A_COMMENT,
    Audience,
    Background,
    doctor_at,
    in_a_terminal,
    meaning_in_the_database,
    named,
)
from onehead.reports.terminal import compared_line, coverage_line
from onehead.text import shortened

ANOTHER_CAUSE = (
    "If a deploy crashes, the cause is something else: check whether its image holds the revision that "
    "`alembic_version` names."
)
"""Said of a chain that has parted and is rejoined, where a crash was reported: people suspect it."""


def meaning(crash: Crash, known: Background, reader: Audience = IN_A_COMMENT) -> str:
    """What one complaint of Alembic's or of a database says about a branch, how to tell, and what not to do."""
    if crash.trouble in _OF_A_COMMAND:
        mark = reader.mark
        return _OF_A_COMMAND[crash.trouble].format(
            main=mark(known.deployed),
            subject=mark(crash.subject),
            heads=named(known.facts.target.heads, mark) or "nothing",
            doctor=reader.doctor((crash.subject,)),
            names=named(crash.names, mark),
        )
    explained = _OF_THE_CHAIN.get(crash.trouble, meaning_in_the_database)
    return explained(crash, known, reader)


_OF_A_COMMAND = {
    # What is the same in every repository.
    CrashKind.AMBIGUOUS_ID: (
        "{subject} is the beginning of several ids: {names}. Alembic needs a whole id, or a beginning that only one id "
        "has. If it was typed, type more of it. If it is a row in the database, {doctor} says what the row may mean."
    ),
    CrashKind.NOT_UP_TO_DATE: (
        "`alembic check`, `alembic current --check-heads` and `alembic revision --autogenerate` say so when the "
        "database that they look at is not at the head of the files, here {heads}. No migration has failed. Run "
        "`alembic upgrade head` on that database first. If that was done, it was another database (compare the "
        "addresses), or the command sees newer files than the upgrade saw."
    ),
    CrashKind.MODELS_DIFFER: (
        "`alembic check` compares the models with the database. They differ: somebody has changed a model without a "
        "migration. No migration has failed and the chain on {main} is not to blame. Make the missing revision: "
        "`alembic revision --autogenerate`."
    ),
    CrashKind.ROW_CHANGED: (
        "Another process has changed the row {subject} meanwhile: two deploys have run migrations at the same time, "
        "and Alembic takes no lock. This one was taken back; run the deploy again, one at a time. If it comes back, "
        "the version table holds the same row twice."
    ),
    CrashKind.ROW_IS_NO_TEXT: (
        "The driver returns the row of the version table as {subject}, which is no text. Correct the driver's settings "
        "(bytes instead of text), or the type of the column `version_num`. The chain is not to blame."
    ),
    CrashKind.NOT_ON_ONE_LINE: (
        "The command names a revision that can't be reached from the database's revision in the way that was asked "
        "for. The heads on {main}: {heads}. Name a revision above the database's row for `upgrade`, one beneath it for "
        "`downgrade`. Where the chain has more than one line, name the revision instead of counting steps. Nothing was "
        "run."
    ),
    CrashKind.WRONG_CALL: (
        "Alembic was called in a way that it does not take, by a command line, a script or `env.py`. It says what is "
        "wrong. No migration was run, and the chain on {main} is not to blame."
    ),
    CrashKind.NEW_REVISION: (
        "This comes from a command that writes revision files (`alembic revision`, `merge`, `init`). No deploy needs "
        "it, no database was changed, and the chain on {main} is not to blame."
    ),
}


def _multiple_heads(crash: Crash, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    main = mark(known.deployed)
    if graph.duplicates:
        return "\n".join(_duplicate(id_, known, reader) for id_ in sorted(graph.duplicates)[:_MAX_DUPLICATES])
    if forks_of(known.facts):
        return (
            f"That is this very fork of {main}. Every deploy of it stops here, whatever the database holds. "
            f"{reader.repairing}"
        )
    if len(graph.heads) > 1:
        argument = mark(crash.argument) if crash.argument else "one head"
        return (
            f"{main} at {known.commit} has {_heads(known.facts, mark)}, and they are meant to be there. The deploy "
            f"asked Alembic for {argument}, which is one. Let it run `alembic upgrade heads`, or name the head it "
            "means (`label@head`)."
        )
    return (
        f"{main} at {known.commit} has no fork, so the crashing image was built from another commit: an older one, or "
        "a branch. Run `alembic heads` in that image; if it shows two, deploy a newer one. Nothing has to be deleted "
        "or stamped."
    )


_MAX_DUPLICATES = 3


def _cannot_locate(crash: Crash, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    main, subject = mark(known.deployed), mark(crash.subject)
    if crash.subject in graph:
        return _old_image(crash, known, mark)
    [row] = read_rows(graph, (crash.subject,))
    if row.kind == "ambiguous":
        return (
            f"{subject} is the whole id of no revision on {main}, and the beginning of several: "
            f"{named(row.means, mark)}. Alembic says this also where it can't choose. An id was probably made longer "
            f"after a database had run it. {reader.doctor((crash.subject,))} says what the row may mean."
        )
    if any(crash.subject.partition("@")[0] in revision.branch_labels for revision in graph):
        return (
            f"{subject} is a branch label on {main}, and no file in the crashing image declares it. Deploy {main} at "
            f"{known.commit}, or newer."
        )
    if "@" in crash.subject or crash.subject in ("head", "heads", "base"):
        return (
            f"{subject} is no id: it was typed, or a script named it. Correct the command of the deploy; {main} has "
            f"{_heads(known.facts, mark)}."
        )
    return (
        f"{subject} is not on {main}; {_elsewhere(crash, known, reader)}. Deploy the commit that has it, or bring it "
        f"to {main}. Do not `stamp`: that would hide which tables are really there."
    )


def _elsewhere(crash: Crash, known: Background, reader: Audience) -> str:
    if known.places:
        return f"it is on {known.places}. Somebody has run that branch on this database"
    if known.past:
        return f"{known.past}, after a database had run it"
    find = reader.mark(f"{reader.git} log --all --oneline -S{quote(crash.subject)}")
    return (
        f"{reader.nowhere}. It was removed or renamed after a database had run it ({find} finds the commit), or "
        "another service keeps its rows in the same table"
    )


def _old_image(crash: Crash, known: Background, mark: Callable[[str], str]) -> str:
    subject, deploy = mark(crash.subject), f"{mark(known.deployed)} at {known.commit}"
    return f"""\
{subject} is on {deploy}, so neither the chain nor the row in the database is wrong. The image that crashes holds \
neither {subject} nor anything after it. Run `alembic heads` in that image:

- It shows an older revision: the image was built from an old commit. Deploy {deploy}, or newer.
- It shows nothing: the migrations were not copied into it, or Alembic looks into another folder. Correct the build.
- It shows {named(known.facts.target.heads, mark)}: this image is well; another one has crashed.

The database then goes on by itself from {subject}. Do not `stamp`: that runs no migration, and what is skipped would \
never be made."""


def _overlaps(crash: Crash, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    subject, others = mark(crash.subject), named(crash.names, mark)
    beneath = crash.subject in graph and all(name in graph.ancestors(crash.subject) for name in crash.names)
    why = f", which comes after {others} and includes it" if crash.names and beneath else " together with it"
    return (
        f"`alembic_version` holds {others or 'another revision'} and {subject}{why}. One of the rows is too many; "
        f"{reader.doctor((crash.subject, *crash.names))} says which, and how to take it out."
    )


def _no_such_branch(crash: Crash, known: Background, reader: Audience) -> str:
    mark = reader.mark
    main = mark(known.deployed)
    labels = sorted({label for revision in known.facts.target for label in revision.branch_labels})
    there = f"has {named(labels, mark)}" if labels else "has no branch label"
    return (
        f"The command asked for the branch label {mark(crash.subject)}, and no revision in that image has it. {main} "
        f"{there}. Correct the command of the deploy, or deploy the commit that declares the label."
    )


def _missing_parent(crash: Crash, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    main, subject = mark(known.deployed), mark(crash.subject)
    if not crash.subject:
        return (
            "A revision in the image has an empty text as its parent (`down_revision = ''`), and no revision has that "
            "id. Write `None` for the first revision of a chain. The database was not touched."
        )
    if crash.subject in graph:
        return (
            f"{subject} is on {main}, so the image lacks that file while it has files that follow it: look at how "
            "it is built. The database was not touched."
        )
    followers = sorted(id_ for id_, parent in graph.missing if parent == crash.subject)
    meant = [id_ for id_ in graph.revisions if id_ and crash.subject.startswith(f"{id_}_")]
    if meant:
        return (
            f"{subject} looks like the name of a file. The id of that revision is {mark(meant[0])}: `down_revision` "
            "and `depends_on` take ids only. The database was not touched."
        )
    [row] = read_rows(graph, (crash.subject,))
    if row.means:
        return (
            f"{subject} is only the beginning of {named(row.means, mark)}: `down_revision` and `depends_on` take whole "
            "ids. The database was not touched."
        )
    who = f"{named(followers, mark)} on {main} needs" if followers else "A revision in the image follows"
    where = f" It is on {known.places}." if known.places else f" {known.past}." if known.past else ""
    return (
        f"{who} {subject}, which no file on {main} declares.{where} Restore that file, or deploy a commit that has it. "
        "The database was not touched."
    )


def _present_twice(crash: Crash, known: Background, reader: Audience) -> str:
    return _duplicate(crash.subject, known, reader)


def _duplicate(id_: str, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    main = mark(known.deployed)
    if id_ in graph.duplicates:
        files = named([revision.path for revision in graph.duplicates[id_]], mark)
        return (
            f"The id {mark(id_)} is declared twice on {main}: {files}. Alembic keeps one of the two files and may "
            f"count the id as two heads. A merge does not help: one of the two needs another id. {reader.repairing}"
        )
    if id_ in graph:
        return (
            f"The image holds two files that declare {mark(id_)}; {main} at {known.commit} has one, "
            f"{mark(graph.revisions[id_].path)}. The image kept a file that was renamed or moved since, or was built "
            f"from another commit. Build it from an empty folder, from {main}."
        )
    return (
        f"The image holds two files that declare {mark(id_)}; {main} at {known.commit} has none. The image was built "
        f"from another commit. Give one of the two files another id there, or deploy {main}."
    )


def _cycle(crash: Crash, known: Background, reader: Audience) -> str:
    graph, mark = known.facts.target, reader.mark
    main = mark(known.deployed)
    if graph.cycles:
        return (
            f"On {main}, {named(graph.cycles, mark)} need each other, so Alembic finds no order. Correct "
            "the `down_revision` or `depends_on` that closes the circle. Every command stops here; no database was "
            "touched."
        )
    names = named(crash.names, mark) or "Some revisions"
    return (
        f"In the crashing image {names} need each other, so Alembic finds no order. {main} at {known.commit} has no "
        f"such circle: the image was built from another commit, or mixes files of two. Build it again from {main}. No "
        "database was touched."
    )


def _loading(crash: Crash, known: Background, reader: Audience) -> str:
    """Of what stops Alembic before it has read all files: it has not looked at any database."""
    facts, mark = known.facts, reader.mark
    main, subject = mark(known.deployed), mark(crash.subject)
    folders = named([place.path for place in facts.environment.locations], mark)
    match crash.trouble:
        case CrashKind.NO_ID_IN_FILE:
            why = (
                f"Alembic loads every Python file in {folders}. {subject} declares no `revision`, so it is no "
                "migration: move it elsewhere, or declare its id."
            )
        case CrashKind.LABEL_CLASH:
            why = (
                f"Two lines claim the branch label {mark(crash.argument)}: {subject} and {named(crash.names, mark)}. "
                "Take it from one of them."
            )
        case CrashKind.ILLEGAL_ID:
            why = f"The id {subject} holds a character that Alembic needs for its own notation. Give it another id."
        case CrashKind.LOADED_TWICE:
            why = (
                f"Two version locations lead to {subject}. Alembic reads it once and goes on; name each folder once in "
                "`version_locations`."
            )
        case CrashKind.NO_SCRIPTS:
            script = facts.environment.script_location
            there = f"{main} has it at {mark(script)}. " if script else ""
            why = (
                f"Alembic looks for {subject} and does not find it. {there}It was not copied into the image, or "
                "Alembic is started in another folder: a relative `script_location` counts from there."
            )
        case CrashKind.NO_CONFIGURATION:
            config = facts.environment.config
            there = f" {main} keeps it in {mark(config)}." if config else ""
            why = (
                f"Alembic's configuration is missing, can't be understood, or asks for what that image lacks.{there} "
                "Look at what was copied, and where Alembic is started (`-c` names the file)."
            )
        case _:
            name = crash.file[0].replace("\\", "/").rpartition("/")[2] or crash.subject
            what = f" ({mark(shortened(crash.argument))})" if crash.argument else ""
            why = (
                f"The revision file {mark(name)} can't be loaded in that image{what}. Correct what it imports or how "
                "it is written; one such file stops every command."
            )
    return f"{why} No migration was run."


def _heads(facts: Facts, mark: Callable[[str], str]) -> str:
    heads = facts.target.heads
    return f"the {'head' if len(heads) == 1 else 'heads'} {named(heads, mark)}" if heads else "no revision"


_OF_THE_CHAIN = {
    CrashKind.MULTIPLE_HEADS: _multiple_heads,
    CrashKind.CANNOT_LOCATE: _cannot_locate,
    CrashKind.NO_SUCH_BRANCH: _no_such_branch,
    CrashKind.OVERLAPS: _overlaps,
    CrashKind.MISSING_PARENT: _missing_parent,
    CrashKind.DUPLICATE_ID: _present_twice,
    CrashKind.CYCLE: _cycle,
    **dict.fromkeys(
        (
            *(
                CrashKind.NO_ID_IN_FILE,
                CrashKind.LABEL_CLASH,
                CrashKind.ILLEGAL_ID,
                CrashKind.LOADED_TWICE,
                CrashKind.NO_SCRIPTS,
            ),
            *(CrashKind.NO_CONFIGURATION, CrashKind.BROKEN_FILE),
        ),
        _loading,
    ),
}


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

    reading: CrashReport
    examination: Examination
    places: Mapping[str, Whereabouts]
    traces: Mapping[str, Mapping[str, Traces]]
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
    *(
        CrashKind.CANNOT_LOCATE,
        CrashKind.AMBIGUOUS_ID,
        CrashKind.OVERLAPS,
        CrashKind.ROW_CHANGED,
        CrashKind.ROW_IS_NO_TEXT,
    ),
    *(
        CrashKind.MIGRATION_CODE,
        CrashKind.ALREADY_THERE,
        CrashKind.NOT_THERE,
        CrashKind.ID_TOO_LONG,
        CrashKind.VALUE_TOO_LONG,
    ),
    *(CrashKind.AT_THE_SAME_TIME, CrashKind.LOCKED, CrashKind.STATEMENT_FAILED, CrashKind.NEW_ENUM_VALUE),
    *(CrashKind.WRONG_OPERATION, CrashKind.WRONG_SIGNATURE),
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
