"""One word and one exit code for everything, and when a push is refused."""

from __future__ import annotations

import pytest

from onehead.plan.findings import Code, Facts
from onehead.plan.verdict import Before, PushedBranch, mended, new_forks, objections, remaining_forks
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


# When a push is refused, and what is worth telling where it is not.


ONE = "018; 019<018"
FORKED = "018; 019<018; 020<018"


def landing(target: str, pushed: str, before: Before = "itself") -> PushedBranch:
    """A push that makes the chain `pushed` of `target`."""
    return PushedBranch("main", before, examination(facts(target, pushed, pushed)))


def alone(chain: str) -> PushedBranch:
    return PushedBranch("main", "nothing", examination(facts(chain)))


@pytest.mark.parametrize(
    ("target", "pushed", "codes"),
    [
        (ONE, f"{ONE}; 020<019", set()),
        (ONE, f"{ONE}; 020<018", {Code.COLLISION}),
        (ONE, f"{ONE}; 020<019; 021<019", {Code.COLLISION}),
        ("", FORKED, {Code.COLLISION}),
        (FORKED, f"{FORKED}; 021<020", set()),
        (FORKED, f"{FORKED}; 021<018", {Code.COLLISION}),
        (FORKED, f"{FORKED}; m<019,020", set()),
        (FORKED, ONE, set()),
        (ONE, "018; 020<018", set()),
        (ONE, "018; 020<018; 021<018", {Code.COLLISION}),
        (ONE, "019<018", {Code.MISSING_PARENT}),
        (ONE, f"{ONE}; 020<nothing", {Code.MISSING_PARENT}),
        (ONE, f"{ONE}; 020<021; 021<020", {Code.CYCLE}),
        (ONE, f"{ONE}; 019<018 path=versions/other.py", {Code.DUPLICATE_ID}),
        ("018 @a; 019<018; b @b", "018 @a; 019<018; b @b; c<b", set()),
        (ONE, "", set()),
    ],
)
def test_a_push_answers_for_what_it_brings(target: str, pushed: str, codes: set[Code]) -> None:
    assert {finding.code for finding in objections(landing(target, pushed))} == codes


def test_a_first_push_answers_for_what_is_certain() -> None:
    assert {finding.code for finding in objections(alone(FORKED))} == {Code.FORK}
    assert objections(alone(ONE)) == ()
    doubtful = examination(facts(ONE, old=(unreadable("new.py"),)))
    assert {finding.code for finding in doubtful.own_errors()} == {Code.UNREADABLE_FILE}
    assert objections(PushedBranch("main", "nothing", doubtful)) == ()


def test_a_later_push_answers_for_what_can_not_be_read_too() -> None:
    doubtful = examination(facts(ONE, ONE, new=(unreadable("new.py"),)))
    assert {finding.code for finding in objections(PushedBranch("main", "itself", doubtful))} == {Code.UNREADABLE_FILE}
    known = PushedBranch("main", "itself", examination(facts(ONE, ONE, old=(unreadable("new.py"),))))
    assert objections(known) == ()


def test_which_forks_are_new() -> None:
    [examined] = landing(FORKED, f"{FORKED}; 021<018").examination.environments
    [fork] = new_forks(examined, "head")
    assert (fork.heads, fork.new) == (("019", "020", "021"), ("021",))
    [examined] = landing(FORKED, f"{FORKED}; 021<020").examination.environments
    assert new_forks(examined, "head") == ()


def test_a_fork_that_stays_is_told_and_one_that_goes_too() -> None:
    [fork] = remaining_forks(landing(FORKED, f"{FORKED}; 021<020"))
    assert fork.heads == ("019", "021")
    assert remaining_forks(landing(FORKED, f"{FORKED}; m<019,020")) == ()
    [examined] = mended(landing(FORKED, f"{FORKED}; m<019,020"))
    assert examined.facts.merged.heads == ("m",)
    assert mended(landing(ONE, f"{ONE}; 020<019")) == ()


@pytest.mark.parametrize("before", ["default", "nothing"])
def test_a_new_branch_keeps_and_mends_nothing(before: Before) -> None:
    """What it was cut from has its own repair."""
    assert remaining_forks(landing(FORKED, FORKED, before)) == ()
    assert mended(landing(FORKED, f"{FORKED}; m<019,020", before)) == ()
