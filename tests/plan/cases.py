"""Facts out of graph literals."""

from __future__ import annotations

from typing import Any

from onehead.plan.decide import decide
from onehead.plan.findings import Code, Evidence, Facts, Finding
from onehead.plan.judge import judge
from onehead.plan.policy import Policy
from onehead.plan.verdict import Coverage, Examination, Examined, Point
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Location, Revision, Unreadable
from tests.chains import graph, revisions

ENVIRONMENT = Environment("versions", "alembic.ini", "alembic", ".", (Location("versions", recursive=False),))
GUESSED = ENVIRONMENT._replace(config=None, section=None, script_location=None, certain=False)


def facts(
    target: str,
    head: str | None = None,
    merged: str | None = None,
    *,
    old: tuple[Unreadable, ...] = (),
    new: tuple[Unreadable, ...] = (),
    environment: Environment = ENVIRONMENT,
) -> Facts:
    """Merged is the union of both sides unless it is given; `new` is unreadable on the head, `old` on both sides."""
    if head is None:
        alone = Graph(revisions(target), old)
        return Facts(environment, alone, None, alone)
    union = {(r.path, r.blob): r for r in (*revisions(target), *revisions(head))}.values()
    both = revisions(merged) if merged is not None else union
    return Facts(
        environment, Graph(revisions(target), old), Graph(revisions(head), (*old, *new)), Graph(both, (*old, *new))
    )


def unreadable(path: str, kind: str = "broken", id_: str | None = None) -> Unreadable:
    return Unreadable(f"versions/{path}", f"blob of {path}", 3, "it is odd", id_, kind)


def edited(given: Facts, id_: str, **changes: Any) -> Facts:
    """The same facts with one revision declared otherwise on the head's side."""
    old = given.merged.revisions[id_]
    new: Revision = old._replace(blob=f"edited {old.blob}", **changes)
    return given._replace(head=graph("x"), merged=given.merged.replaced([new]))


def found(given: Facts, code: Code) -> list[Finding]:
    return [finding for finding in judge(given) if finding.code is code]


def examination(*several: Facts) -> Examination:
    examined = []
    for given in several:
        findings = judge(given)
        examined.append(Examined(given, findings, decide(given, findings, Evidence(), Policy())))
    head = None if several and several[0].head is None else Point("topic", "2" * 40)
    return Examination(Point("main", "1" * 40), head, None, Coverage(len(several), 0, 0), tuple(examined))
