"""One word and one exit code for everything: what is certain comes before what is unknown."""

from __future__ import annotations

import pytest

from onehead.plan.facts import Facts
from tests.plan.cases import examination, facts, unreadable

HEALTHY = facts("a", "a; b<a")
COLLISION = facts("a; b<a", "a; c<a")
BROKEN = facts("a", "a; b<gone")
BLIND = facts("a", "a", new=(unreadable("x.py"),))
INHERITED = facts("a; b<a; c<a; d<gone", "a; b<a; c<a; d<gone; e<b", old=(unreadable("x.py"),))
WARNED = facts("a; b<a", "a", "a")


@pytest.mark.parametrize(
    ("several", "verdict", "code"),
    [
        ((), "ok", 0),
        ((HEALTHY,), "ok", 0),
        ((WARNED,), "ok", 0),
        ((INHERITED,), "ok", 0),
        ((COLLISION,), "collision", 1),
        ((BROKEN,), "broken", 1),
        ((BLIND,), "unreadable", 3),
        ((HEALTHY, COLLISION), "collision", 1),
        ((BROKEN, COLLISION), "collision", 1),
        ((BLIND, COLLISION), "collision", 1),
        ((BLIND, BROKEN), "broken", 1),
        ((BLIND, HEALTHY), "unreadable", 3),
        ((facts("a; b<a; c<a"),), "fork", 1),
        ((facts("a; b<gone"),), "broken", 1),
        ((facts("a; b<a"),), "ok", 0),
        ((facts("a", old=(unreadable("x.py"),)),), "unreadable", 3),
        ((facts("a; b<a; c<a", old=(unreadable("x.py"),)),), "fork", 1),
    ],
)
def test_verdicts(several: tuple[Facts, ...], verdict: str, code: int) -> None:
    judged = examination(*several)
    assert (judged.verdict, judged.exit_code) == (verdict, code)
    assert (judged.own_errors() == ()) is (code == 0)


def test_who_is_judged() -> None:
    assert examination(HEALTHY).judged == "head"
    assert examination(facts("a")).judged == "target"
