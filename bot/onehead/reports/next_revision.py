"""What a new revision takes, as text, as Markdown and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from shlex import join
from typing import Any, NamedTuple

from onehead.databases.model import OwnDatabase
from onehead.plan.findings import Code
from onehead.plan.next_revision import Ahead, NextRevision, OwnRevision, OwnState, Reservation
from onehead.plan.plans import Refuse
from onehead.plan.verdict import Coverage, Point, Unjudged
from onehead.reports.states import told_of
from onehead.reports.terminal import coverage_text, short_ref
from onehead.screen import Paint, plain
from onehead.text import code, inline_code, listed, named, quoted, visible

MAX_SHOWN = 10
"""Reservations that a text names."""

MAX_LISTED = 1000
"""Reservations of one environment that a document lists."""

A_HINT = (
    "This is a hint: nothing is locked. Two who ask at the same time get the same answer, and `check` then fails for "
    "the one who lands second."
)


class NextReport(NamedTuple):
    """What was asked, and what was found.

    Attributes:
        head: what is checked out; `None` where there is no work tree.
        environments: those that were asked for.
        coverage: what was read.
        unjudged: what was left out.
        own: environment path → what the author's own database needs, where something moves.
        trouble: why the forge could not be asked, or what of its answer is missing; a clause.
        by_forge: whether it was asked.
        merge: the command that brings the target into the branch.
        restore: the one that brings files of the target back; their paths follow it.
        fix: the one that writes the repair of the target.
        written: whether the branch's own revisions were moved.
        to_write: whether they were to be.
    """

    target: Point
    head: Point | None
    environments: tuple[Ahead, ...]
    coverage: Coverage
    unjudged: tuple[Unjudged, ...]
    own: Mapping[str, OwnDatabase]
    trouble: str
    by_forge: bool
    merge: str
    restore: str
    fix: str
    written: bool = False
    to_write: bool = False

    @property
    def needs_more(self) -> bool:
        """Whether something is not where it belongs."""
        return any(_needs_more(each, written=self.written) for each in self.environments)


def _needs_more(ahead: Ahead, *, written: bool) -> bool:
    if ahead.state is OwnState.TO_MOVE:
        return not written
    return _is_stuck(ahead) or ahead.state in (OwnState.MERGE_FIRST, OwnState.REFUSED)


def _is_stuck(ahead: Ahead) -> bool:
    """Whether the target is broken, or has heads that labels don't tell apart."""
    no_parent = len(ahead.new.lines) < len(ahead.new.heads) > 1
    return bool(ahead.broken) or (no_parent and ahead.state is OwnState.NONE)


def next_text(report: NextReport, again: str, paint: Paint = plain, diff: str = "") -> str:
    """For a terminal; `again`: how `onehead next` is typed here, `diff` what was or would be changed."""
    lines: list[str] = []
    for ahead in report.environments:
        lines += _first_lines(report, ahead, paint)
    for number, ahead in enumerate(report.environments):
        lines += [""] if number or lines else []
        lines += _environment(report, ahead, paint)
    if diff:
        lines += ["", diff.rstrip("\n")]
    lines += [""] if lines else []
    lines += [coverage_text(report.coverage)]
    lines += [f"Not judged: {visible(each.message)}" for each in report.unjudged if each.code != "no-environment"]
    lines += [_source(report), *([A_HINT] if report.environments else [])]
    if report.to_write and report.needs_more and not report.written:
        lines.append("Nothing was written.")
    following = _following(report, again)
    if following:
        lines.append(f"Next: {paint('strong', visible(following))}")
    return "\n".join(lines) + "\n"


def _first_lines(report: NextReport, ahead: Ahead, paint: Paint) -> Iterator[str]:
    """What comes before everything else, for whoever has run the revisions that move."""
    own, facts = report.own.get(ahead.path), ahead.examined.facts
    if own is None or not own.before:
        return
    command, ids = visible(" && ".join(own.before)), quoted([each.id for each in ahead.own], 3)
    where = f"on each database that has run {visible(ids)} (your own, most likely)"
    why = f"after the move, `alembic upgrade head` there {told_of(own.outcome)}."
    if not (report.written and ahead.state is OwnState.TO_MOVE):
        yield f"{paint('strong', 'First')} `{command}`, {where}: {why}"
        twice = facts.head.duplicates if facts.head is not None else ()
        if twice:
            told = visible(quoted([*twice], 3))
            yield f"  Type it on a commit that has only yours: here, two files have the id {told}."
        return
    yield f"`{command}` had to come {paint('strong', 'first')}, {where}: {why}"
    if own.after:
        yield "  If it did not, the way out:"
        yield from (f"    {visible(line)}" for line in own.after)


def _environment(report: NextReport, ahead: Ahead, paint: Paint) -> Iterator[str]:
    new, name = ahead.new, _name(ahead.new)
    yield f"{paint('strong', visible(ahead.path or '.'))}: {_parent(ahead)}"
    if name:
        yield f"  {visible(name)}"
    commands = [new.command] if new.command else [line.command for line in new.lines]
    yield from (f"  {visible(command)}" for command in commands)
    yield from (f"  {line}" for line in (*broken_lines(ahead), *unread_lines(ahead)))
    yield from (f"  {line}" for line in _own(report, ahead, paint))
    yield from (f"  {visible(line)}" for line in reserved_lines(ahead))


def _name(new: NextRevision) -> str:
    """Its id or number, where either is to be chosen; what has no parent needs none yet."""
    if len(new.heads) > 1 and not new.lines:
        return ""
    if new.id:
        return f"id `{new.id}`"
    return f"number {new.number}: its file begins with `{new.front}`, and Alembic makes the id" if new.front else ""


def _parent(ahead: Ahead) -> str:
    new = ahead.new
    if new.lines and len(new.heads) > 1:
        lines = listed([f"`{named(line.head)}` on the line of `{named(line.label)}`" for line in new.lines], MAX_SHOWN)
        return f"a new revision follows {lines}."
    if len(new.heads) > 1:
        return f"there are {len(new.heads)} heads, {quoted(new.heads, 3)}, so there is no telling what comes next."
    return f"a new revision follows `{named(new.parent)}`." if new.parent else "a new revision is the first one."


def _own(report: NextReport, ahead: Ahead, paint: Paint) -> Iterator[str]:
    plan = ahead.examined.plan
    ids = visible(quoted([each.id for each in ahead.own], 3))
    match ahead.state:
        case OwnState.NONE:
            pass
        case OwnState.IN_PLACE:
            yield f"Yours: {ids} {'is' if len(ahead.own) == 1 else 'are'} in place."
        case OwnState.REFUSED:
            yield f"{paint('bad', 'Yours')}: {ids} can't be moved."
            yield from (f"  because: {visible(reason.message)}" for reason in plan.reasons)
            yield from (f"  → {option}" for option in (plan.options if isinstance(plan, Refuse) else ()))
        case _:
            what = "moved" if report.written and ahead.state is OwnState.TO_MOVE else "to move"
            yield f"Yours, {what}: {visible(listed([*map(_becomes, changed(ahead))], MAX_SHOWN, '; ', '; '))}."
    if ahead.deleted:
        gone = visible(quoted([each.id for each in ahead.deleted], 3))
        yield f"Your branch deletes {gone}, which the target has{': restore that first' if ahead.to_restore else ''}."
    if ahead.lacking and ahead.state in (OwnState.NONE, OwnState.MERGE_FIRST):
        yield f"Your branch does not have {visible(quoted(ahead.lacking, 3))} yet: merge the target first."


def changed(ahead: Ahead) -> list[OwnRevision]:
    """Those of the branch's own revisions that change."""
    return [each for each in ahead.own if each.new_id != each.id or each.new_parents != each.parents or _renamed(each)]


def _renamed(own: OwnRevision) -> bool:
    return own.path != own.new_path


def _becomes(own: OwnRevision) -> str:
    parts = [f"becomes `{named(own.new_id)}`"] if own.new_id != own.id else []
    if own.new_parents != own.parents:
        parts.append(f"follows {quoted(own.new_parents)} instead of {quoted(own.parents) or 'nothing'}")
    if own.new_id == own.id and _renamed(own):
        parts.append(f"gets the file name `{own.new_path.rpartition('/')[2]}`")
    return f"`{named(own.id)}` {' and '.join(parts)}"


def broken_lines(ahead: Ahead) -> Iterator[str]:
    """What is wrong with the target, beside heads, which are told already."""
    told = [each for each in ahead.broken if each.code is not Code.FORK]
    yield from (f"The target is broken: {visible(each.message)}" for each in told[:MAX_SHOWN])


def unread_lines(ahead: Ahead) -> Iterator[str]:
    """What could not be read: it may declare what comes last."""
    unread = ahead.examined.facts.merged.unreadable
    for each in unread[:MAX_SHOWN]:
        yield f"`{visible(each.path)}` can't be read ({visible(each.reason)}), so parent and number may be others."
    if len(unread) > MAX_SHOWN:
        yield f"{len(unread) - MAX_SHOWN} more files can't be read."


def reserved_lines(ahead: Ahead) -> Iterator[str]:
    """Who brings what, the oldest pull request first; and what would fork the chain with a revision that comes now."""
    reserved, heads = ahead.reserved, ahead.examined.facts.target.heads
    for each in reserved[:MAX_SHOWN]:
        number = "" if each.says_number else f" (file number {each.number})"
        same = [head for head in heads if head in each.revision.parents]
        beside = f"; it follows {quoted(same)} too" if same else ""
        yield f"`{each.revision.id}`{number} is reserved by {each.by}{beside}."
    if len(reserved) > MAX_SHOWN:
        yield f"{len(reserved) - MAX_SHOWN} more are reserved; `--format json` lists them."


def _source(report: NextReport) -> str:
    target = f"{visible(short_ref(report.target.ref))} ({report.target.sha[:10]}) as this clone knows it"
    if report.by_forge:
        rest = f"; {visible(report.trouble)}" if report.trouble else ""
        return f"Asked: {target}, and the forge for its open pull requests{rest}."
    return (
        f"Asked: {target}. Without access to the forge ({visible(report.trouble)}), the branches that this clone knows "
        "count as what others bring."
    )


def _following(report: NextReport, again: str) -> str:
    states = {each.state for each in report.environments}
    moving = f"{again} --write"
    if any(map(_is_stuck, report.environments)):
        return report.fix
    bringing = " && ".join(dict.fromkeys(step for each in report.environments for step in _bringing(report, each)))
    if OwnState.MERGE_FIRST in states:
        return f"{bringing} && {moving}"
    if bringing and OwnState.REFUSED not in states:
        return bringing
    moved = [each for each in report.environments if each.state is OwnState.TO_MOVE]
    return " && ".join(each.upgrade for each in moved) if report.written else moving if moved else ""


def _bringing(report: NextReport, ahead: Ahead) -> Iterator[str]:
    """The commands that bring what a revision has to follow into the work tree."""
    if ahead.lacking:
        yield report.merge
    if ahead.to_restore:
        paths = {each.path for each in ahead.to_restore}
        folders = {path.rpartition("/")[0] for path in paths}
        # Beside revisions that are still there, only files that are not: those may have been edited.
        wholly = all(folders) and not len(ahead.examined.facts.merged)
        yield f"{report.restore} {join(f':/{path}' for path in sorted(folders if wholly else paths))}"


def next_document(report: NextReport) -> dict[str, Any]:
    """For scripts: `docs/schema/onehead.next-1.json`."""
    return {
        "schema": "onehead.next/1",
        "target": report.target._asdict(),
        "head": None if report.head is None else report.head._asdict(),
        "source": "forge" if report.by_forge else "branches",
        "trouble": report.trouble or None,
        "written": report.written,
        "coverage": report.coverage._asdict(),
        "not_judged": [each._asdict() | {"paths": list(each.paths[:MAX_LISTED])} for each in report.unjudged],
        "environments": [_document(report, each) for each in report.environments],
    }


def _document(report: NextReport, ahead: Ahead) -> dict[str, Any]:
    new, plan = ahead.new, ahead.examined.plan
    own = report.own.get(ahead.path)
    place = ahead.examined.facts.environment
    return {
        "path": place.path,
        "config": place.config,
        "heads": {"target": list(ahead.examined.facts.target.heads), "next": list(new.heads)},
        "parent": new.parent,
        "lines": [line._asdict() for line in new.lines],
        "id": new.id or None,
        "number": new.number,
        "file_begins": new.front or None,
        "command": new.command or None,
        "merge_first": " && ".join(_bringing(report, ahead)) or None,
        "unread": [
            {"path": each.path, "reason": each.reason} for each in ahead.examined.facts.merged.unreadable[:MAX_LISTED]
        ],
        "state": str(ahead.state),
        "own": [
            {
                "id": each.id,
                "path": each.path,
                "parents": list(each.parents),
                "new_id": each.new_id,
                "new_path": each.new_path,
                "new_parents": list(each.new_parents),
            }
            for each in ahead.own
        ],
        "reasons": [{"code": str(reason.code), "message": reason.message} for reason in plan.reasons],
        "downgrade_first": list(own.before) if own else [],
        "way_out": list(own.after) if own else [],
        "changes": [{"path": each.path, "new_path": each.new_path} for each in ahead.changes],
        "reserved": [_reserved(each) for each in ahead.reserved[:MAX_LISTED]],
    }


def _reserved(reserved: Reservation) -> dict[str, Any]:
    by, revision = reserved.by, reserved.revision
    return {
        "id": revision.id,
        "number": reserved.number,
        "path": revision.path,
        "parents": list(revision.parents),
        "place": by.place,
        "pull": by.pull,
        "author": by.author or None,
    }


def next_answer(environments: Sequence[Ahead], own: Mapping[str, OwnDatabase], target: Point) -> str:
    """The same as an answer in a comment: Markdown."""
    from onehead.render import rendered  # noqa: PLC0415 - a terminal needs no templates

    branch = short_ref(target.ref)
    report = NextReport(
        target,
        None,
        tuple(environments),
        Coverage(0, 0, 0),
        (),
        own,
        "",
        by_forge=True,
        merge=f"git merge origin/{branch}",
        restore=f"git restore --source=origin/{branch} --",
        fix=f"onehead fix --target origin/{branch}",
    )
    values = [
        {
            "path": code(each.path or "."),
            "first": [inline_code(line.strip()) for line in _first_lines(report, each, plain)],
            "parent": inline_code(_parent(each)),
            "name": inline_code(_name(each.new)),
            "commands": [code(line) for line in (each.new.command, *(line.command for line in each.new.lines)) if line],
            "unread": [inline_code(line) for line in (*broken_lines(each), *unread_lines(each))],
            "own": [inline_code(line.strip()) for line in _own(report, each, plain)],
            "reserved": [inline_code(line) for line in reserved_lines(each)],
        }
        for each in environments
    ]
    following = [step for step in _following(report, "onehead next").split(" && ") if step]
    return rendered(
        "answer/next.md.j2",
        environments=values,
        target=f"{code(branch)} at {target.sha[:10]}",
        next=[code(each) for each in (["git fetch", *following] if following else ())],
        hint=inline_code(A_HINT),
    )
