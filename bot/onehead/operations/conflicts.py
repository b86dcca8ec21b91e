"""Two sides of a fork: does each order of them work, and if not, what breaks?

A verdict is about both orders of running the two sides one after the other, as Alembic runs the parents of a merge. It
is `independent` only where every operation of both sides was understood. Rules and their measurements:
docs/explanation/both-sides.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from onehead.operations.conflict_rules import (
    Act,
    Compatibility,
    OperationConflict,
    Rule,
    Which,
    clash,
    conflict,
    on_each_other,
    order,
    same_engine,
    silent,
    unknown,
)
from onehead.operations.footprint import Thing, Touch, inside, touches
from onehead.operations.model import EVERYWHERE, POSTGRESQL, SQLITE, CreateIndex, Dialect, DropIndex, Step, Unknown
from onehead.text import listed

Side = tuple[Act, ...]


def side(revisions: Iterable[tuple[str, tuple[Step, ...]]]) -> Side:
    """The operations of revisions, in the order they run.

    What a side makes and unmakes by itself concerns nobody else: a temporary type is left out, what it does to a table
    that it created too; and a thing that it drops and creates again counts as replaced, whatever else it does to it.
    """
    acts = [Act(id_, step, touches(step.does)) for id_, steps in revisions for step in steps]
    first: dict[Thing, Touch] = {}
    last: dict[Thing, Touch] = {}
    for act in acts:
        for touch in act.touches:
            if touch.verb in ("create", "drop"):
                first.setdefault(touch.thing, touch)
                last[touch.thing] = touch
    made = {thing for thing, touch in first.items() if touch.verb == "create"}
    passing = {thing for thing in made if last[thing].verb == "drop"}
    replaced = {thing for thing, touch in first.items() if touch.verb == "drop" and last[thing].verb == "create"}
    found = []
    for act in acts:
        kept = [_net(touch, last, made, replaced) for touch in act.touches if touch.thing not in passing]
        seen = tuple(touch for touch in kept if touch is not None)
        on: dict[Thing, tuple[Touch, ...]] = {}
        for touch in seen:
            on[touch.thing] = (*on.get(touch.thing, ()), touch)
        found.append(act._replace(touches=seen, on=on))
    return tuple(found)


def _net(touch: Touch, last: dict[Thing, Touch], made: set[Thing], replaced: set[Thing]) -> Touch | None:
    thing = touch.thing
    if inside(thing) in made or (touch.verb in ("use", "set") and thing in made | replaced):
        return None
    if touch.verb in ("create", "drop") and thing in replaced:
        return touch._replace(verb="replace") if touch is last[thing] else None
    return touch


_WEIGHT = {"create": 0, "replace": 1, "drop": 2, "set": 3, "use": 3}
_ONE_SPACE = {
    "relation": "tables, indexes, unique constraints and primary keys of a schema share their names",
    "type": "tables, views and types of a schema share their names",
}
_FIRST_A, _FIRST_B = "{a} has to run first", "{b} has to run first"


def on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    """What two touches of the same thing do to each other, on the databases that have it."""
    rules = _on_one_name(a, b) if a.thing[0] == "name" else _on_one_thing(a, b)
    both = set(a.dialects) & set(b.dialects)
    held = [each._replace(dialects=tuple(dialect for dialect in each.dialects if dialect in both)) for each in rules]
    return [each for each in held if each.dialects]


def _on_one_name(a: Touch, b: Touch) -> list[Rule]:
    """Two things of different kinds, or on different tables, that can't have one name."""
    if a.value == b.value or (a.lenient and b.lenient):
        return []
    match a.verb, b.verb:
        case "create", "create" if a.lenient or b.lenient:
            return _both_create(a, b)
        case "create", "create" if a.value == "sequence":
            return [order("a", f"{_FIRST_A}: no sequence may be called like a type that is there.")]
        case "create", "create" if b.value == "sequence":
            return [rule.flipped() for rule in _on_one_name(b, a)]
        case "create", "create":
            says = f"whichever runs second fails, because the name `{a.thing[2]}` is taken: {_ONE_SPACE[a.thing[-1]]}."
            return [conflict(says)]
        case "create", "drop":
            return [order("b", f"{_FIRST_B}, otherwise the name is taken.")]
        case "drop", "create":
            return [rule.flipped() for rule in _on_one_name(b, a)]
    return []


def _on_one_thing(a: Touch, b: Touch) -> list[Rule]:
    match a.verb, b.verb:
        case "create", "create":
            return _both_create(a, b)
        case "replace", "replace":
            return [] if _same(a, b) else [silent("what the last one makes stays, the other one's is lost.")]
        case "drop", "drop":
            return _both_drop(a, b)
        case "set", "set":
            return [] if _same(a, b) else _both_set(a)
    if _WEIGHT[a.verb] < _WEIGHT[b.verb]:
        return _one(a, b)
    return [rule.flipped() for rule in _one(b, a)] if _WEIGHT[a.verb] > _WEIGHT[b.verb] else []


def _same(a: Touch, b: Touch) -> bool:
    return a.value is not None and a.value == b.value


def _both_create(a: Touch, b: Touch) -> list[Rule]:
    if (a.lenient or a.replaces) and (b.lenient or b.replaces):
        if _same(a, b):
            return []
        stays = "last" if a.replaces and b.replaces else "first"
        if a.value is None or b.value is None:
            return [unknown(f"the one that runs {stays} stays; compare the two definitions.")]
        return [silent(f"no error, but only the definition that runs {stays} stays.")]
    if a.lenient or a.replaces:
        return [rule.flipped() for rule in _both_create(b, a)]
    if b.lenient or b.replaces:
        return [order("a", "{a} has to run first, otherwise it finds the name taken and fails.")]
    if a.thing[0] == "constraint":
        return [
            conflict("whichever runs second fails, because the name is taken.", POSTGRESQL),
            *([] if _same(a, b) else [unknown("two constraints of one name.", SQLITE)]),
        ]
    return [conflict("whichever runs second fails, because the name is taken.")]


def _both_drop(a: Touch, b: Touch) -> list[Rule]:
    if a.lenient and b.lenient:
        return []
    says = "because the other one does not mind that it is gone."
    if a.lenient:
        return [order("b", f"{_FIRST_B}, {says}")]
    if b.lenient:
        return [order("a", f"{_FIRST_A}, {says}")]
    return [conflict("whichever runs second fails, because it is gone by then.")]


def _both_set(a: Touch) -> list[Rule]:
    says = "no error, but the one that runs last wins."
    if a.thing[-1] == "type":
        says = "the type of the one that runs last stays, and the database may refuse to convert the values."
    return [silent(says)]


def _one(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates, replaces or drops what `b` touches in a weaker way."""
    if a.verb == "create":
        return _new(a, b)
    return _renewed(a, b) if a.verb == "replace" else _gone(a, b)


def _new(a: Touch, b: Touch) -> list[Rule]:
    """`a` creates what `b` replaces, drops, sets or uses."""
    soft = a.lenient or a.replaces
    if b.verb == "replace":
        if soft:
            return [silent("no error, but only one of the two definitions stays.")]
        return [conflict("{b} drops and creates it again, so it has to be there, but {a} needs it to be absent.")]
    if b.verb == "drop":
        if a.lenient and a.thing[0] != "enum":
            return [silent("no error, but it depends on the order whether it is there at the end.")]
        return [order("b", f"{_FIRST_B}, otherwise the name is taken, or the new one is dropped.")]
    if soft or not b.named:
        return []
    return [order("a", f"{_FIRST_A}, because {{b}} needs what it creates.")]


def _renewed(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops and creates anew what `b` drops, sets or uses."""
    if b.verb == "drop":
        return [order("a", f"{_FIRST_A}, because {{b}} drops what it needs.")]
    if b.hold == "type":
        return [order("a", f"{_FIRST_A}, otherwise it can't drop the old type, which {{b}} uses by then.")]
    if a.thing[0] == "enum" or not b.named:
        return []
    return [unknown("{b} works on what {a} drops and creates again; check whether its work stays.")]


def _gone(a: Touch, b: Touch) -> list[Rule]:
    """`a` drops or renames what `b` uses."""
    done = "renames" if a.renames else "drops"
    first = order("b", f"{{b}} has to run first, because it needs what {{a}} {done}.")
    stuck = conflict("neither order works: either it is gone, or it can't be dropped because it is in use.")
    match b.hold:
        case "key" if a.renames:
            lost = "SQLite accepts the key afterwards too, but it points at a table or column that is gone."
            return [first._replace(dialects=POSTGRESQL), silent(lost, SQLITE)]
        case "key":
            dangling = "SQLite accepts it in either order, but the foreign key points at what is gone."
            return [stuck._replace(dialects=POSTGRESQL), unknown(dangling, SQLITE)]
        case "view" | "type" | "schema" if not a.renames:
            return [stuck]
        case "index" if a.thing[0] == "column" and not a.renames:
            says = "SQLite drops no column with an index, and makes no index on a column that is gone."
            return [first._replace(dialects=POSTGRESQL), conflict(says, SQLITE)]
    return [first]


MAX_PAIRS = 100_000
"""More pairs of operations than that are not compared; the verdict is `unknown`."""

_RANK = {kind: rank for rank, kind in enumerate(Compatibility)}


class Alone(NamedTuple):
    """What one side can't do, whatever the other does.

    Attributes:
        act: the operation.
        message: what happens and what to do about it, a full sentence.
    """

    act: Act
    message: str


class SidesVerdict(NamedTuple):
    """How two sides get along.

    Attributes:
        clashes: worst first.
        alone: what fails by itself.
    """

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
                if same_engine(a, b):
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
    found = [clash(rule, a, b) for rule in rules]
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
    for mine, acts in (("left", ours), ("right", theirs)):
        groups: dict[tuple[str, str], dict[int, Act]] = {}
        for act in acts:
            if isinstance(act.step.does, Unknown):
                groups.setdefault((act.revision, act.step.does.why), {}).setdefault(act.step.line, act)
        for group in groups.values():
            act, *others = group.values()
            message = f"{act}: a person has to decide whether it conflicts with the other side."
            if others:
                lines = listed([str(other.step.line) for other in others], 3)
                noun = "line" if len(others) == 1 else "lines"
                message += f" The same goes for {len(others)} more of its kind in `{act.revision}` ({noun} {lines})."
            left, right = (act, None) if mine == "left" else (None, act)
            yield OperationConflict(Compatibility.UNKNOWN, left, right, None, EVERYWHERE, message)


def _alone(acts: Side) -> Iterable[Alone]:
    for act in acts:
        does = act.step.does
        concurrently = (isinstance(does, CreateIndex) and does.definition.concurrently) or (
            isinstance(does, DropIndex) and does.concurrently
        )
        if concurrently and not act.step.autocommit:
            yield Alone(
                act,
                f"{act} with CONCURRENTLY, which PostgreSQL refuses inside a transaction: put it into "
                "`with op.get_context().autocommit_block():`.",
            )
