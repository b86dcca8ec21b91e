"""Two sides of a fork: does each order of them work, and if not, what breaks?

A verdict is about both orders of running the two sides one after the other, as Alembic runs the parents of a merge. It
is `independent` only where every operation of both sides was understood. Rules and their measurements:
docs/explanation/both-sides.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from onehead.operations import model as ops
from onehead.operations.conflict_rules import Act, Compatibility, Rule, Which, on_each_other, on_one_thing
from onehead.operations.footprint import Thing, Touch, inside, touches
from onehead.operations.model import EVERYWHERE, POSTGRESQL, SQLITE, Dialect, Operation, Step
from onehead.operations.sql_tokens import shown
from onehead.text import listed, shortened

_PHRASES: dict[type[Operation], str] = {
    ops.AddColumn: "adds column `{0.table}.{0.column.name}`",
    ops.AddLabel: "adds the label `{0.label}` to type `{0.enum}`",
    ops.CommentTable: "changes the comment of `{0.table}`",
    ops.CreateEnum: "creates type `{0.enum}`",
    ops.CreateOther: "creates {0.kind} `{0.name}`",
    ops.CreateTable: "creates table `{0.table}`",
    ops.DropColumn: "drops column `{0.table}.{0.column}`",
    ops.DropConstraint: "drops constraint `{0.name}` of `{0.table}`",
    ops.Drop: "drops {0.kind} `{0.name}`",
    ops.DropIndex: "drops index `{0.name}`",
    ops.Query: "reads rows",
    ops.RenameLabel: "renames the label `{0.label}` of type `{0.enum}`",
    ops.SetProperty: "sets the {0.name} of `{0.table}`",
}
_ROWS = {"insert": "inserts rows into", "update": "updates rows of", "delete": "deletes rows of"}
_PROPERTIES = {"server_default": "default", "nullable": "NULL rule"}


def phrase(operation: Operation) -> str:
    """What it does, without its subject."""
    match operation:
        case ops.Rename(kind=kind, name=old, new=new):
            return f"renames {kind} `{old}` to `{new.name if new.schema == old.schema else new}`"
        case ops.Batch(table=table, recreates=recreates):
            return f"rebuilds table `{table}` in batch mode" if recreates else f"alters table `{table}`"
        case ops.ChangeRows(does=does, table=table):
            return f"{_ROWS[does]} `{table}`"
        case ops.AlterColumn():
            return _altered(operation)
        case ops.CreateIndex(definition=index):
            return f"creates index `{index.name or 'without a name'}` on `{index.table}`"
        case ops.CreateConstraint(table=table, constraint=constraint):
            name = f" `{constraint.name}`" if constraint.name else ""
            return f"adds the {constraint.kind} constraint{name} to `{table}`"
        case ops.Unknown(why=why, text=text):
            verb = f"holds {why}:"
        case ops.Aside(text=text):
            verb, text = "runs", shown(text)
        case _:
            return _PHRASES[type(operation)].format(operation)
    return f"{verb} `{text.replace('`', chr(39))}`"


_MAX_PHRASES = 4


def summary(steps: Iterable[Step]) -> str:
    """What a revision does, in one clause that names the first few things; empty where it does nothing."""
    phrases = dict.fromkeys(phrase(step.does) for step in steps)
    # Of a pair of backticks, none is left alone.
    short = [each if shortened(each) == each else shortened(each.replace("`", "")) for each in phrases]
    return listed(short, _MAX_PHRASES)


def _altered(operation: ops.AlterColumn) -> str:
    where = f"`{operation.table}.{operation.column}`"
    if operation.new_name is not None:
        return f"renames column {where} to `{operation.new_name}`"
    if operation.nullable is False:
        return f"sets {where} to NOT NULL"
    changed = [_PROPERTIES.get(name, name) for name, _ in operation.changes]
    return f"changes the {' and the '.join(changed)} of {where}" if changed else f"alters column {where}"


def _told(act: Act) -> str:
    return f"`{act.revision}` {phrase(act.step.does)} (line {act.step.line})"


class OperationConflict(NamedTuple):
    """Two operations that do not commute, or for which that is unknown; `message` is a full sentence about both.

    `left` or `right` is `None` for what can't be known on one side, whatever the other does. For `order`, `first` is
    the side that has to run first. It holds on `dialects`.
    """

    kind: Compatibility
    left: Act | None
    right: Act | None
    first: Which | None
    dialects: tuple[Dialect, ...]
    message: str


def _applied(rule: Rule, left: Act, right: Act) -> OperationConflict:
    """A rule as it holds for two real operations. What depends on a condition is not claimed."""
    kind, first = rule.kind, rule.first
    says = rule.says.format(a=f"`{left.revision}`", b=f"`{right.revision}`")
    conditional = any(each.step.condition for each in (left, right))
    if kind != Compatibility.UNKNOWN and (conditional or left.step.repeated or right.step.repeated):
        kind, first = Compatibility.UNKNOWN, None
        why = "a condition" if conditional else "how often a loop runs"
        says = f"{says} Whether that happens depends on {why}, so look at both."
    return OperationConflict(kind, left, right, first, rule.dialects, f"{_told(left)} and {_told(right)}: {says}")


Side = tuple[Act, ...]


def side(revisions: Iterable[tuple[str, tuple[Step, ...]]]) -> Side:
    """The operations of revisions, in the order they run.

    What a side makes and unmakes by itself concerns nobody else: a temporary type is left out, what it does to a table
    that it created too; and a thing that it drops and creates again counts as replaced, whatever else it does to it.
    """
    acts = [(id_, step, touches(step.does)) for id_, steps in revisions for step in steps]
    first: dict[Thing, Touch] = {}
    last: dict[Thing, Touch] = {}
    for touch in (touch for *_, touched in acts for touch in touched if touch.verb in ("create", "drop")):
        first.setdefault(touch.thing, touch)
        last[touch.thing] = touch
    made = {thing for thing, touch in first.items() if touch.verb == "create"}
    passing = {thing for thing in made if last[thing].verb == "drop"}
    replaced = {thing for thing, touch in first.items() if touch.verb == "drop" and last[thing].verb == "create"}
    found = []
    for id_, step, touched in acts:
        kept = (_net(touch, last, made, replaced) for touch in touched if touch.thing not in passing)
        seen = tuple(touch for touch in kept if touch is not None)
        on: dict[Thing, tuple[Touch, ...]] = {}
        for touch in seen:
            on[touch.thing] = (*on.get(touch.thing, ()), touch)
        found.append(Act(id_, step, seen, on))
    return tuple(found)


def _net(touch: Touch, last: dict[Thing, Touch], made: set[Thing], replaced: set[Thing]) -> Touch | None:
    thing = touch.thing
    if inside(thing) in made or (touch.verb in ("use", "set") and thing in made | replaced):
        return None
    if touch.verb in ("create", "drop") and thing in replaced:
        return touch._replace(verb="replace") if touch is last[thing] else None
    return touch


MAX_PAIRS = 100_000
"""More pairs of operations than that are not compared; the verdict is `unknown`."""

_RANK = {kind: rank for rank, kind in enumerate(Compatibility)}


class Alone(NamedTuple):
    """What one side can't do, whatever the other does; `message`: what happens and what to do about it."""

    act: Act
    message: str


class SidesVerdict(NamedTuple):
    """How two sides get along, the worst first; `alone`: what fails by itself."""

    clashes: tuple[OperationConflict, ...]
    alone: tuple[Alone, ...] = ()

    def on(self, dialect: Dialect) -> Compatibility:
        """The worst on one database; orders that contradict each other are a conflict."""
        found = [each for each in self.clashes if dialect in each.dialects]
        if len({each.first for each in found if each.first}) > 1:
            return Compatibility.CONFLICT
        return max((each.kind for each in found), key=_RANK.__getitem__, default=Compatibility.INDEPENDENT)

    @property
    def kind(self) -> Compatibility:
        """The worst anywhere; a conflict only where no database takes it."""
        kinds = {self.on(dialect) for dialect in EVERYWHERE}
        if kinds != {Compatibility.CONFLICT}:
            kinds = {Compatibility.ORDER if kind == Compatibility.CONFLICT else kind for kind in kinds}
        return max(kinds, key=_RANK.__getitem__)

    @property
    def first(self) -> Which | None:
        """The side that has to run first; `None` where it does not matter, or can't be both."""
        wanted = {each.first for each in self.clashes if each.first is not None}
        return wanted.pop() if len(wanted) == 1 else None


Revisions = Iterable[tuple[str, tuple[Step, ...]]]
"""Ids with what each does, in the order they run."""


def judge(left: Revisions, right: Revisions) -> SidesVerdict:
    """Compare two sides of a fork, each from just above the fork to its head."""
    ours, theirs = side(left), side(right)
    alone = (*_alone(ours), *_alone(theirs))
    if not ours or not theirs:
        return SidesVerdict((), alone)
    found = [*_unknown(ours, theirs)]
    if len(ours) * len(theirs) > MAX_PAIRS:
        message = "The two sides hold too many operations to compare them all; look at the tables that both touch."
        found.append(OperationConflict(Compatibility.UNKNOWN, None, None, None, EVERYWHERE, message))
    else:
        for a in ours:
            for b in theirs:
                if not a.step.engine or not b.step.engine or a.step.engine == b.step.engine:
                    found += _between(a, b)
    found = _folded(_folded(found, "left"), "right")
    for dialects in (EVERYWHERE, POSTGRESQL, SQLITE):
        if {each.first for each in found if set(dialects) <= set(each.dialects)} >= {"left", "right"}:
            message = "Each side has to run before the other: see the orders named here, which can't both be kept."
            found.append(OperationConflict(Compatibility.CONFLICT, None, None, None, dialects, message))
            break
    return SidesVerdict(tuple(sorted(found, key=lambda each: -_RANK[each.kind])), alone)


def _between(a: Act, b: Act) -> Iterable[OperationConflict]:
    """The worst that two operations do to each other, per database."""
    rules = [*on_each_other(a, b)]
    for mine in a.touches:
        for other in b.on.get(mine.thing, ()):
            rules += on_one_thing(mine, other)
    found = [_applied(rule, a, b) for rule in rules]
    worst: dict[Dialect, OperationConflict] = {}
    for dialect in EVERYWHERE:
        here = [each for each in found if dialect in each.dialects]
        if here:
            worst[dialect] = max(here, key=lambda each: _RANK[each.kind])
    return {id(each): each for each in worst.values()}.values()


def _folded(found: list[OperationConflict], by: Which) -> list[OperationConflict]:
    """One operation that meets many of the other side in the same way is reported once, with their number."""
    groups: dict[object, list[OperationConflict]] = {}
    for each in found:
        one, other = (each.left, each.right) if by == "left" else (each.right, each.left)
        key: object = id(each)
        if one is not None and other is not None:
            what = each.message.rpartition("): ")[2]
            key = (each.kind, each.first, each.dialects, one.revision, one.step.line, other.revision, what)
        groups.setdefault(key, []).append(each)
    merged = []
    for first, *rest in groups.values():
        if rest:
            other = first.right if by == "left" else first.left
            whose = f"`{other.revision}`" if other is not None else "it"
            more = f"{len(rest)} more operation{'s' if len(rest) > 1 else ''} of {whose}"
            merged.append(first._replace(message=f"{first.message} The same goes for {more}."))
        else:
            merged.append(first)
    return merged


def _unknown(ours: Side, theirs: Side) -> Iterable[OperationConflict]:
    """What can't be known on one side may do anything to the other."""
    for is_left, acts in ((True, ours), (False, theirs)):
        groups: dict[tuple[str, str], dict[int, Act]] = {}
        for act in acts:
            if isinstance(act.step.does, ops.Unknown):
                groups.setdefault((act.revision, act.step.does.why), {}).setdefault(act.step.line, act)
        for group in groups.values():
            act, *others = group.values()
            message = f"{_told(act)}: a person has to decide whether it conflicts with the other side."
            if others:
                lines = listed([str(other.step.line) for other in others], 3)
                noun = "line" if len(others) == 1 else "lines"
                message += f" The same goes for {len(others)} more of its kind in `{act.revision}` ({noun} {lines})."
            left, right = (act, None) if is_left else (None, act)
            yield OperationConflict(Compatibility.UNKNOWN, left, right, None, EVERYWHERE, message)


def _alone(acts: Side) -> Iterable[Alone]:
    for act in acts:
        match act.step.does:
            case ops.CreateIndex(definition=ops.Index(concurrently=True)) | ops.DropIndex(concurrently=True):
                if not act.step.autocommit:
                    yield Alone(
                        act,
                        f"{_told(act)} with CONCURRENTLY, which PostgreSQL refuses inside a transaction: put it into "
                        "`with op.get_context().autocommit_block():`.",
                    )
