"""What it means that a database refused a statement of a migration, for each kind of reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import NamedTuple

from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import Crash
from onehead.databases.schema_effects import Traces
from onehead.plan.facts import Facts
from onehead.plan.verdict import Point
from onehead.reports.parts import visible
from onehead.reports.terminal import named_again, short_ref
from onehead.text import code, listed, shortened


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
        target: the deployed branch or commit.
        places: where the revision that it names stands, if not there ("#5", "branch oauth"), marked up like the rest.
        past: what has become of it, if it was there once ("5f2c0d1 Tidy up removed it").
        traces: what each revision leaves in a schema; `None` where nobody has looked.
    """

    facts: Facts
    target: Point
    places: str = ""
    past: str = ""
    traces: Mapping[str, Traces] | None = None

    @property
    def deployed(self) -> str:
        """The branch or commit, as people name it."""
        return short_ref(self.target.ref)

    @property
    def commit(self) -> str:
        """Its SHA, shortened."""
        return self.target.sha[:10]


def named(names: Sequence[str], mark: Callable[[str], str]) -> str:
    """Several names in a sentence, each shortened and marked."""
    return listed([mark(shortened(name)) for name in names])


class Makers(NamedTuple):
    """Revisions that make a thing, that take it away, and that name it in code which onehead can't read."""

    make: tuple[str, ...] = ()
    take: tuple[str, ...] = ()
    mention: tuple[str, ...] = ()


def meaning_in_the_database(crash: Crash, known: Background, reader: Audience) -> str:
    """What one complaint says that comes from what a database holds, or from somebody else at work in it."""
    explained = _WITH_OBJECTS.get(crash.trouble)
    if explained is not None:
        return explained(crash, known, reader)
    what = _WHILE_IT_RAN.get(crash.trouble, _WHILE_IT_RAN[CrashKind.STATEMENT_FAILED])
    told = what.format(argument=reader.mark(shortened(crash.argument)))
    return f"{_failed(crash, known, reader.mark)}{told}{_undone(crash)}"


_WHILE_IT_RAN = {
    CrashKind.AT_THE_SAME_TIME: (
        "Two sessions have changed the same thing at the same moment: two deploys ran migrations at once, and Alembic "
        "takes no lock. Run the deploy again, one at a time."
    ),
    CrashKind.LOCKED: (
        "Another session held a lock that the statement needed. Nothing is wrong with the chain. Find the session, "
        "wait for it, and run the deploy again."
    ),
    CrashKind.WRONG_SIGNATURE: (
        "Alembic called {argument} of a revision with arguments that it does not take. The environment is of several "
        "databases (its `env.py` gives an `engine_name`): write the function like those of its neighbours."
    ),
    CrashKind.WRONG_OPERATION: (
        "A migration asks for an operation that Alembic can't do in that way on this database; the text says why. "
        "Correct the revision. The order of the chain is not to blame."
    ),
    CrashKind.MIGRATION_CODE: (
        "The code of the revision raised {argument}. Alembic had called it as it should, and the order of the chain is "
        "not to blame."
    ),
    CrashKind.STATEMENT_FAILED: (
        "The database refused a statement. The chain is not forked by that: the statement does not fit what this "
        "database holds. Correct the data or the revision."
    ),
}


def _new_enum_value(crash: Crash, known: Background, reader: Audience) -> str:
    mark = reader.mark
    makers = _makers(crash, known)
    adds = f" {named(makers.make, mark)} adds it." if makers.make else ""
    return (
        f"PostgreSQL lets nobody use a new value of an enum type ({mark(crash.subject)} of {mark(crash.of)}) in the "
        f"transaction that adds it.{adds} Alembic runs all pending revisions in one transaction: two deploys work, one "
        "deploy of both fails. Add the value within `with op.get_context().autocommit_block():`, or set "
        "`transaction_per_migration=True` in `env.py`. PostgreSQL has undone this run, so the next one repeats it."
    )


def _failed(crash: Crash, known: Background, mark: Callable[[str], str]) -> str:
    """Which revision was running."""
    file, number = crash.file
    name = file.replace("\\", "/").rpartition("/")[2]
    found = [revision for revision in known.facts.target if name and revision.path.rpartition("/")[2] == name]
    if crash.step is not None and crash.step.revision and crash.step.verb != "stamp_revision":
        where = f" ({mark(name)}, line {number})" if name else ""
        what = "downgrade of" if crash.step.verb == "downgrade" else "revision"
        return f"The {what} {mark(crash.step.revision)} failed{where}. "
    if found:
        return f"The revision {mark(found[0].id)} failed ({mark(found[0].path)}, line {number}). "
    return f"A revision failed ({mark(name)}, line {number}). " if name else ""


def _running(crash: Crash, known: Background) -> str:
    """The id of the revision that was running; empty where the log does not show it."""
    if crash.step is not None:
        return crash.step.revision
    name = crash.file[0].replace("\\", "/").rpartition("/")[2]
    return next((revision.id for revision in known.facts.target if name and revision.path.endswith(f"/{name}")), "")


def _already_there(crash: Crash, known: Background, reader: Audience) -> str:
    mark = reader.mark
    makers = _makers(crash, known)
    return (
        f"{_failed(crash, known, mark)}{_thing(crash, mark)} is there already.{_made_by(makers, crash, known, mark)} "
        f"{_how_it_came(crash)} Compare the tables with the rows before you run anything again."
    )


def _how_it_came(crash: Crash) -> str:
    other = (
        "by hand or by `create_all()`, by a revision that had another id or place then, or by a second deploy at the "
        "same moment (then the next start works)"
    )
    match crash.dialect:
        case "postgresql":
            return (
                "PostgreSQL undoes a migration that fails, but not what ran in an `autocommit_block` (such as ADD "
                f"VALUE or CONCURRENTLY). Otherwise something else created it: {other}."
            )
        case "sqlite" | "mysql":
            return (
                "This database keeps what a migration did before it failed, so an earlier run was probably cut off "
                f"half-way. Or something else created it: {other}."
            )
        case _:
            return f"An earlier run was cut off half-way, or something else created it: {other}."


def _not_there(crash: Crash, known: Background, reader: Audience) -> str:
    mark, graph = reader.mark, known.facts.target
    makers = _makers(crash, known)
    running = _running(crash, known)
    text = f"{_failed(crash, known, mark)}{_thing(crash, mark)} is not there.{_made_by(makers, crash, known, mark)}"
    if not crash.is_migrating:
        return (
            f"{text} The log shows no migration at work, so this may be the application itself: it was started on a "
            "database that has not run that revision yet, or on another database."
        )
    before = [id_ for id_ in makers.make if running in graph and id_ in graph.ancestors(running) and id_ != running]
    if before:
        return (
            f"{text} {named(before, mark)} comes before {mark(running)}, so the rows say that it ran here, and what it "
            "makes is missing. Somebody stamped, dropped it, or restored a backup; or the deploy looks into another "
            f"schema or database.{_undone(crash)} Do not `stamp`."
        )
    after = [id_ for id_ in makers.make if running in graph and id_ != running]
    if after:
        return (
            f"{text} Nothing makes {named(after, mark)} run before {mark(running)}: the two are on different sides "
            f"of the chain, so the order differs between databases. Add it to `depends_on` of "
            f"{mark(running)}.{_undone(crash)}"
        )
    return (
        f"{text} It was dropped, or was never made here, or the deploy looks into another schema or database."
        f"{_undone(crash)}"
    )


def _id_too_long(_crash: Crash, known: Background, reader: Audience) -> str:
    main = reader.mark(known.deployed)
    long = [id_ for id_ in known.facts.target.revisions if len(id_) > _MAX_ID_LENGTH]
    which = f" On {main} that is {named(long[:3], reader.mark)}." if long else f" None on {main} is."
    return (
        f"Alembic's version table takes ids of {_MAX_ID_LENGTH} characters; a longer one can't be recorded.{which} "
        "Shorten the id where no database has it yet, or widen the column `version_num`."
    )


def _value_too_long(crash: Crash, known: Background, reader: Audience) -> str:
    mark = reader.mark
    running = _running(crash, known)
    # Without the statement, the width alone decides between the version table and a table of the application.
    if len(running) > _MAX_ID_LENGTH and f"({_MAX_ID_LENGTH})" in crash.line:
        return _id_too_long(crash, known, reader)
    column = f"the column {mark(crash.subject)}" if crash.subject else "a column of the application"
    return (
        f"{_failed(crash, known, mark)}A value does not fit into {column}. It is no revision id: Alembic's version "
        f"table is not concerned. Shorten the value, or widen the column first.{_undone(crash)}"
    )


_MAX_ID_LENGTH = 32


def _undone(crash: Crash) -> str:
    match crash.dialect:
        case "postgresql":
            return " PostgreSQL has undone the run, except for what ran in an `autocommit_block`."
        case "mysql":
            return " MySQL and MariaDB keep what the revision did before: look at that before you run it again."
        case "sqlite":
            return " SQLite keeps what the revision did before: look at that before you run it again."
        case _:
            return ""


_SPOKEN = {"label": "the enum value", "object": ""}


def _thing(crash: Crash, mark: Callable[[str], str]) -> str:
    """The thing that a database names, at the beginning of a sentence."""
    if crash.kind == "relation" and not crash.of:
        return f"The table, index or view {mark(crash.subject)}"
    kind = _SPOKEN.get(crash.kind, f"the {crash.kind}")
    name = f" {mark(crash.subject)}" if crash.subject else ""
    of = f" of {mark(crash.of)}" if crash.of else ""
    text = f"{kind}{name}{of}".strip() or "a thing of this name"
    return text[0].upper() + text[1:] if text[0] != "`" else text


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
    for id_, traces in (known.traces or {}).items():
        found = [
            trace
            for trace in traces.left
            if trace.thing.kind in kinds
            and trace.thing.name.casefold() == name
            and (not owner or not trace.thing.of or trace.thing.of.casefold() == owner)
        ]
        if any(trace.there for trace in found):
            make.append(id_)
        elif found:
            take.append(id_)
        elif name and any(name in re.findall(r"\w+", each.text.casefold()) for each in traces.untraced):
            mention.append(id_)
    return Makers(tuple(make), tuple(take), tuple(mention))


def _made_by(makers: Makers, crash: Crash, known: Background, mark: Callable[[str], str]) -> str:
    if known.traces is None or not crash.subject:
        return ""
    take = f" {named(makers.take, mark)} takes it away." if makers.take else ""
    if makers.make:
        return f" {named(makers.make, mark)} of this chain makes it.{take}"
    if makers.mention:
        return f" {named(makers.mention, mark)} names it in code that onehead can't read.{take}"
    return f" No revision on {mark(known.deployed)} that onehead can read makes it.{take}"


_WITH_OBJECTS = {
    CrashKind.ALREADY_THERE: _already_there,
    CrashKind.NOT_THERE: _not_there,
    CrashKind.ID_TOO_LONG: _id_too_long,
    CrashKind.VALUE_TOO_LONG: _value_too_long,
    CrashKind.NEW_ENUM_VALUE: _new_enum_value,
}
