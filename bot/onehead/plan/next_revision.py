"""Which parent, id and number a new revision should take, and what has to become of those that have not landed. Pure.

A revision follows the target's head: a pull request that is open may never land, or land changed. So it reserves its
ids and numbers, and nothing more. There is no server that gives numbers out: two who ask at the same time get the same
answer, and whoever lands second is told by `check`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from shlex import join
from typing import NamedTuple

from onehead.plan.decide import escapes, repairable, run_by_databases
from onehead.plan.findings import KINDS, Evidence, Facts, Finding
from onehead.plan.forks import forks_of
from onehead.plan.plans import Merge, Nothing, Plan, Reason, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.verdict import Examined
from onehead.revisions.command_line import typed
from onehead.revisions.file_names import (
    Convention,
    convention,
    counter,
    dated_id,
    file_number,
    free_numbers,
    fresh_id,
    front_of,
    numbers_files,
    renumber,
    slug,
    stem_of,
)
from onehead.revisions.graph import Graph
from onehead.revisions.merge_file import newest
from onehead.revisions.model import Environment, FileChange, Revision
from onehead.text import becomes, listed, quoted


class Claimant(NamedTuple):
    """Who works on a revision that has not landed: an open pull request by its number, or a branch or tag alone.

    `place` is how people name it ("branch oauth", "tag v2"); the author is empty where nobody knows.
    """

    place: str
    pull: int | None = None
    author: str = ""

    def __str__(self) -> str:
        name = self.place if self.pull is None else f"pull request #{self.pull}"
        details = ", ".join(filter(None, ["" if self.pull is None else self.place, self.author]))
        return f"{name} ({details})" if details else name


class Reservation(NamedTuple):
    """A revision that somebody else brings: its id, and the number of its file where files are numbered."""

    by: Claimant
    revision: Revision
    number: int | None = None

    @property
    def says_number(self) -> bool:
        """Whether its id shows the number too."""
        return self.number is None or file_number(self.revision.id) == self.number

    def is_other_than(self, revision: Revision) -> bool:
        """Whether this is another revision, which only has the same id; an edited or renamed copy is the same one."""
        mine, theirs = revision, self.revision
        return mine.blob != theirs.blob and mine.path != theirs.path and mine.doc != theirs.doc


def reservations(facts: Facts, claims: Iterable[tuple[Claimant, Revision]]) -> tuple[Reservation, ...]:
    """What others bring that the target has not; numbers count where the target numbers its files."""
    template = facts.environment.file_template
    numbered = numbers_files(list(facts.target), template)
    return tuple(
        Reservation(by, revision, counter(revision.path, template) if numbered else None)
        for by, revision in claims
        if revision.id not in facts.target
    )


def one_each(reserved: Iterable[Reservation]) -> tuple[Reservation, ...]:
    """Each revision once, claimed by the oldest pull request that brings it, else by a branch or tag."""
    found: dict[tuple[str, str], Reservation] = {}
    for each in sorted(reserved, key=lambda each: (*_age(each), each.by.place)):
        found.setdefault((each.revision.id, each.revision.blob), each)
    return tuple(sorted(found.values(), key=lambda each: (*_age(each), each.number or 0, each.revision.id)))


def _age(reserved: Reservation) -> tuple[bool, int]:
    """Pull requests first, the oldest before the others."""
    return reserved.by.pull is None, reserved.by.pull or 0


class LabelledLine(NamedTuple):
    """One of several lines that are meant to live side by side: its label, its head, and what adds to it."""

    label: str
    head: str
    command: str


class NextRevision(NamedTuple):
    """What a new revision of one environment takes.

    Attributes:
        heads: of the chain that it goes onto.
        parent: `None` where there is no telling: several heads; also where the chain is empty.
        id: empty where ids are random: `alembic revision` makes one.
        number: of its file or id; `None` where nothing is numbered.
        front: what the name of its file has to begin with, where files are numbered and ids are not; else empty.
        command: that makes the file, as it is typed at the top of the repository; empty where the parent is not known.
        lines: where several heads are meant to be, told apart by branch labels: each of them is a parent.
    """

    heads: tuple[str, ...]
    parent: str | None
    id: str = ""
    number: int | None = None
    front: str = ""
    command: str = ""
    lines: tuple[LabelledLine, ...] = ()


MESSAGE = "what it does"
"""Stands for the message of a new revision, where nobody has said it."""


def next_revision(
    graph: Graph,
    environment: Environment,
    reserved: Collection[Reservation],
    now: datetime,
    message: str = MESSAGE,
    elsewhere: Collection[str] = (),
) -> NextRevision:
    """What a revision takes that goes on top of a chain.

    `reserved` is what others bring, `elsewhere` all ids and file stems that are in use besides. `now` is the moment for
    ids that are made of dates.
    """
    heads = graph.heads
    parent = heads[0] if len(heads) == 1 else None
    models = newest(list(graph), heads)
    house = convention([each.id for each in models])
    numbered = numbers_files(list(graph), environment.file_template) and bool(models)
    counted = [stem_of(each.path) for each in graph if counter(each.path, environment.file_template) is not None]
    stems = counted if numbered else []
    used = {*elsewhere, *(each.revision.id for each in reserved)}
    used |= {stem_of(each.revision.path) for each in reserved if each.number is not None}
    id_, number, front = "", None, ""
    if house.kind == "number":
        taken = [*stems, *(each.id for each in graph)]
        id_ = fresh_id("", house, taken, slug(message) if house.slug else "", elsewhere=used)
        number = file_number(id_)
    elif house.kind == "date":
        latest = max((each.id for each in models if _is_dated(each.id, house)), default="")
        if latest:
            id_ = dated_id(latest, house, now, {*used, *graph.revisions}, slug(message) if house.slug else "")
    elif numbered:
        number = next(free_numbers(stems, 6, used))
        front = front_of(max(stems, key=lambda stem: file_number(stem) or 0), number)
    command = _command(environment, parent, id_, message) if parent is not None or not heads else ""
    lines = tuple(
        LabelledLine(label, head, _command(environment, f"{label}@head", id_, message))
        for label, head in _labelled(graph)
    )
    return NextRevision(heads, parent, id_, number, front, command, lines if len(heads) > 1 else ())


def _is_dated(id_: str, house: Convention) -> bool:
    return convention([id_]).kind == house.kind


def _labelled(graph: Graph) -> Iterator[tuple[str, str]]:
    """Label and the one head above it, for labels that have just one."""
    for label, ids in sorted(graph.labelled.items()):
        above = [head for head in graph.heads if not graph.ancestors(head).isdisjoint(ids)]
        if len(above) == 1:
            yield label, above[0]


def _command(environment: Environment, parent: str | None, id_: str, message: str) -> str:
    head = ["--head", parent] if parent is not None else []
    line = join(["alembic", "revision", "-m", message, *head, *(["--rev-id", id_] if id_ else [])])
    return typed(environment, [line])[0]


def own_revisions(facts: Facts) -> tuple[Revision, ...]:
    """What the judged branch has and the target has not, parents first; also where both have the id."""
    order = {id_: place for place, id_ in enumerate(facts.merged.parents_first(facts.merged.revisions))}
    return tuple(sorted(repairable(facts), key=lambda each: (order[each.id], each.path)))


def without_strangers(evidence: Evidence, facts: Facts, elsewhere: Iterable[Reservation]) -> Evidence:
    """The evidence without places that only hold another revision under the same id.

    `elsewhere`: what all places hold, each named as the evidence names it. Such an id is reserved there: a database of
    that place has run the other revision and not this one.
    """
    others: dict[str, set[str]] = {}
    for each in elsewhere:
        mine = facts.merged.revisions.get(each.revision.id)
        if mine is not None and mine.id not in facts.target and each.is_other_than(mine):
            others.setdefault(mine.path, set()).add(each.by.place)
    escaped = {
        path: tuple(place for place in places if place not in others.get(path, ()))
        for path, places in evidence.escaped.items()
    }
    return evidence._replace(escaped={path: places for path, places in escaped.items() if places})


_STAYS = (
    "Leave these revisions where they are. Once they are committed, `onehead fix` writes a merge revision, which is "
    "right for every database."
)
_TARGET_FIRST = "The target has to be at one head first."


def own_plan(facts: Facts, plan: Plan, evidence: Evidence, reserved: Sequence[Reservation]) -> Plan:
    """What becomes of the judged branch's own revisions, where `reserved` is what they have to make room for.

    `plan` is what `decide` says of them. A merge is no answer here: it is right, and not what was asked for.
    """
    if isinstance(plan, Merge):
        forked = any(each.code == ReasonCode.SEVERAL_TARGET_HEADS for each in plan.reasons)
        return Refuse(plan.reasons, (_TARGET_FIRST if forked else _STAYS,))
    if isinstance(plan, Nothing) and any(fork.introduced_by == "head" for fork in forks_of(facts)):
        return Refuse(plan.reasons, ("Take that merge over instead of moving what it joins.",))
    if isinstance(plan, Reissue) and plan.dropped:
        paths = quoted([path for _, path in plan.dropped])
        return Refuse(plan.reasons, (f"Delete {paths} yourself, if you are sure that nothing in it is missed.",))
    if not isinstance(plan, Nothing | Reparent):
        return plan
    return _with_room(facts, plan, evidence, reserved)


def _with_room(facts: Facts, plan: Nothing | Reparent, evidence: Evidence, reserved: Sequence[Reservation]) -> Plan:
    """The same with other numbers and ids, where somebody else has reserved them."""
    own = own_revisions(facts)
    ids = {each.id for each in own}
    clashing = [each for each in reserved if _clashes(each, own, facts.environment.file_template)]
    if not clashing:
        return plan
    obstacles = (*run_by_databases(facts, sorted(ids), evidence), *escapes(facts, sorted(ids), evidence))
    if obstacles:
        return Refuse((_taken(clashing), *obstacles), ("Keep the number, and agree with the others who lands first.",))
    template = facts.environment.file_template
    known = {each.id for graph in (facts.merged, facts.target, facts.head or ()) for each in graph}
    numbers = [each.number for each in clashing if each.number is not None]
    renumbered = renumber(own, list(facts.target), sorted(known), evidence.taken, template, numbers)
    new_ids = {each.old_id: each.new_id for each in renumbered}
    moves = plan.moves if isinstance(plan, Reparent) else ()
    held = {each.revision.id for each in clashing}
    left = [each for each in own if each.id in held and new_ids.get(each.id, each.id) == each.id]
    if left:
        moved = tuple(sorted(facts.merged.descendants(*(each.id for each in left), *(move.revision for move in moves))))
        return Reissue(tuple((each.id, each.path) for each in left), moves, moved, (_taken(clashing),))
    if not renumbered:
        return plan
    told = [each for each in plan.reasons if moves and each.code != ReasonCode.RENUMBERED]
    reasons = (*told, _taken(clashing, {old: new for old, new in new_ids.items() if old != new}))
    heads = tuple(sorted(new_ids.get(id_, id_) for id_ in _old_heads(facts, plan)))
    return Reparent(moves, tuple(sorted(ids)), heads, reasons, renumbered=renumbered)


def _old_heads(facts: Facts, plan: Nothing | Reparent) -> tuple[str, ...]:
    """Heads once the moves are done, by the ids that revisions have now."""
    if not isinstance(plan, Reparent):
        return facts.merged.heads
    old = {new: old for old, new in plan.new_ids.items()}
    return tuple(old.get(head, head) for head in plan.heads)


def _clashes(reserved: Reservation, own: Sequence[Revision], template: str | None) -> bool:
    """Whether another revision has the id of one of these, or its number."""
    same = next((each for each in own if each.id == reserved.revision.id), None)
    if same is not None:
        return reserved.is_other_than(same)
    if any(each.blob == reserved.revision.blob for each in own):
        return False
    return reserved.number is not None and any(counter(each.path, template) == reserved.number for each in own)


def _taken(clashing: Sequence[Reservation], new_ids: dict[str, str] | None = None) -> Reason:
    ids = listed([f"`{each.revision.id}` of {each.by}" for each in clashing], 3)
    so = f", so {becomes(new_ids, 3)}" if new_ids else ""
    return Reason(ReasonCode.RENUMBERED, f"A number or id of the branch is reserved by {ids}{so}.")


class OwnState(StrEnum):
    """How the branch's own revisions stand.

    `none`: there are none. `in-place`: they follow the target's head, and nobody else has reserved what they use.
    `to-move`: they can be moved there now. `merge-first`: once the branch has what they are to follow. `refused`: it is
    not safe, or not possible.
    """

    NONE = "none"
    IN_PLACE = "in-place"
    TO_MOVE = "to-move"
    MERGE_FIRST = "merge-first"
    REFUSED = "refused"


class OwnRevision(NamedTuple):
    """One of the branch's revisions, and what it is to become; the same where it stays as it is."""

    id: str
    path: str
    parents: tuple[str, ...]
    new_id: str
    new_path: str
    new_parents: tuple[str, ...]


class Ahead(NamedTuple):
    """One environment: what a new revision takes, what has become of the branch's own, and what others bring.

    `lacking`: revisions of the target that the branch has to have before anything can follow them. `deleted`: those of
    the target that the branch has had, and deletes.
    """

    examined: Examined
    new: NextRevision
    state: OwnState
    own: tuple[OwnRevision, ...]
    lacking: tuple[str, ...]
    reserved: tuple[Reservation, ...]
    changes: tuple[FileChange, ...] = ()
    deleted: tuple[Revision, ...] = ()

    @property
    def upgrade(self) -> str:
        """The command that runs what was moved, as it is typed at the top of the repository."""
        heads = "heads" if len(self.new.heads) > 1 else "head"
        return typed(self.examined.facts.environment, [f"alembic upgrade {heads}"])[0]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """What is certainly wrong with the target itself, so that its own repair comes first."""
        found = (each for each in self.examined.findings if each.introduced_by == "target" and not each.blinds)
        return tuple(each for each in found if KINDS[each.code].severity == "error")

    @property
    def path(self) -> str:
        """Of the environment."""
        return self.examined.facts.environment.path

    @property
    def to_restore(self) -> tuple[Revision, ...]:
        """Of what the branch deletes, all that its next revision needs: its own ones may be there instead."""
        return () if self.own else self.deleted


def looked_ahead(
    examined: Examined,
    changes: tuple[FileChange, ...],
    after: Graph,
    reserved: tuple[Reservation, ...],
    now: datetime,
    message: str = MESSAGE,
) -> Ahead:
    """One environment, from its plan (see `own_plan`), what that changes in files, and the chain `after` it."""
    facts, plan = examined.facts, examined.plan
    own = own_revisions(facts)
    # What a work tree deletes or breaks is still on the target, and what comes has to follow that.
    gone = {each.id: each for each in facts.target if each.id not in facts.merged}
    broken = {each.path for each in facts.merged.unreadable}
    deleted = tuple(each for each in gone.values() if each.path not in broken)
    lacking = tuple(
        id_
        for id_ in facts.target.heads
        if facts.head is not None and id_ not in gone and not _has(facts.head, facts, id_)
    )
    state = OwnState.NONE
    if own:
        state = OwnState.REFUSED if isinstance(plan, Refuse) else OwnState.IN_PLACE
        if changes:
            state = OwnState.MERGE_FIRST if lacking else OwnState.TO_MOVE
    onto = facts.target if gone and not own else after
    new = next_revision(onto, facts.environment, reserved, now, message, examined.taken)
    return Ahead(examined, new, state, _becoming(plan, own, after), lacking, reserved, changes, deleted)


def _has(branch: Graph, facts: Facts, id_: str) -> bool:
    """Whether a branch has a revision of the target, and not only one of its own under the same id."""
    files = {place for each in facts.target.definitions(id_) for place in (each.path, each.blob)}
    return any(not files.isdisjoint((each.path, each.blob)) for each in branch.definitions(id_))


def _becoming(plan: Plan, own: tuple[Revision, ...], after: Graph) -> tuple[OwnRevision, ...]:
    new_ids = plan.new_ids if isinstance(plan, Reparent | Reissue) else {}
    found = []
    for mine in own:
        new = after.revisions.get(new_ids.get(mine.id, mine.id), mine)
        found.append(OwnRevision(mine.id, mine.path, mine.parents, new.id, new.path, new.parents))
    return tuple(found)
