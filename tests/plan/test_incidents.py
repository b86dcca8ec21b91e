"""From judged chains to incidents: when each begins, what came with it, how it ended, and the clock of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.plan.findings import Code
from onehead.plan.incidents import (
    EndKind,
    EnvironmentPast,
    EnvironmentState,
    History,
    Incident,
    JudgedCommit,
    PastCommit,
    incidents_of,
    line_clock,
)
from onehead.plan.judge import judge
from onehead.plan.verdict import Point
from onehead.revisions.graph import Graph
from onehead.revisions.model import Unreadable
from tests.chains import revisions
from tests.plan.cases import ENVIRONMENT, facts, unreadable

BASE = "a; b<a"


def state(
    chain: str, *, path: str = "versions", allowed: int = 1, odd: tuple[Unreadable, ...] = ()
) -> EnvironmentState:
    """An environment with the errors that judging it by itself gives."""
    alone = Graph(revisions(chain, path), odd)
    found = facts("a")._replace(
        target=alone, merged=alone, allowed_heads=allowed, environment=ENVIRONMENT._replace(path=path)
    )
    return EnvironmentState(path, alone, tuple(each for each in judge(found) if each.severity == "error"))


def past(*chains: str | EnvironmentState | None, has_start: bool = False) -> list[Incident]:
    """The incidents of one environment over several commits; `None`: it is not in that one."""
    states = [state(each) if isinstance(each, str) else each for each in chains]
    judged = [JudgedCommit(place, () if each is None else (each,)) for place, each in enumerate(states)]
    return [*incidents_of(judged, has_start=has_start)[0]]


def only(*chains: str | EnvironmentState | None) -> Incident:
    [incident] = past(*chains)
    return incident


FORKED = "a; b<a; c<a"

ENDS: dict[str, tuple[tuple[str | EnvironmentState | None, ...], EndKind, tuple[str, ...]]] = {
    # What the chain is at each commit; how the incident ends, and with which revisions.
    "a merge revision": ((BASE, FORKED, f"{FORKED}; m<b,c"), EndKind.MERGE, ("m",)),
    "a merge revision and more": ((BASE, FORKED, f"{FORKED}; m<b,c; d<m"), EndKind.MERGE, ("m",)),
    "a merge of sides that have grown": (
        (BASE, FORKED, f"{FORKED}; d<b; e<c", f"{FORKED}; d<b; e<c; m<d,e"),
        EndKind.MERGE,
        ("m",),
    ),
    "merges in a row": ((BASE, f"{FORKED}; d<a", f"{FORKED}; d<a; m<b,c; n<m,d"), EndKind.MERGE, ("m", "n")),
    "a new parent": ((BASE, FORKED, "a; b<a; c<b"), EndKind.REPARENT, ("c",)),
    "a new parent of a longer side": ((BASE, f"{FORKED}; d<c", "a; b<a; c<b; d<c"), EndKind.REPARENT, ("c",)),
    "a new parent and number": (
        (BASE, FORKED, "a; b<a; e<b path=versions/c.py"),
        EndKind.REISSUE,
        ("e",),
    ),
    "what came is gone": ((BASE, FORKED, BASE), EndKind.REVERTED, ("c",)),
    "all that came is gone": ((BASE, f"{FORKED}; d<c", BASE), EndKind.REVERTED, ("c", "d")),
    "the other side is gone": ((BASE, FORKED, "a; c<a"), EndKind.DELETED, ("b",)),
    "labels tell the heads apart": ((BASE, FORKED, "a; b<a @x; c<a @y"), EndKind.INTENDED, ()),
    "the policy allows two": ((BASE, FORKED, state(FORKED, allowed=2)), EndKind.INTENDED, ()),
    "the environment is gone": ((BASE, FORKED, None), EndKind.ENVIRONMENT_REMOVED, ()),
    "still open": ((BASE, FORKED), EndKind.OPEN, ()),
    "a double id, one file gone": (
        (BASE, f"{BASE}; b<a path=versions/x.py", BASE),
        EndKind.REVERTED,
        ("b",),
    ),
    "a double id, the first file gone": (
        (BASE, f"{BASE}; b<a path=versions/x.py", "a; b<a path=versions/x.py"),
        EndKind.REVERTED,
        ("b",),
    ),
    "a double id, another id": (
        (BASE, f"{BASE}; b<a path=versions/x.py", f"{BASE}; c<b path=versions/x.py"),
        EndKind.REISSUE,
        ("c",),
    ),
    "a missing parent that comes": ((BASE, f"{BASE}; d<c", f"{BASE}; c<b; d<c"), EndKind.RESTORED, ("c",)),
    "a missing parent, another one": ((BASE, f"{BASE}; d<c", f"{BASE}; d<b"), EndKind.REPARENT, ("d",)),
    "a missing parent, taken back": ((BASE, f"{BASE}; d<c", BASE), EndKind.REVERTED, ("d",)),
    "a parent that was removed": (("a; b<a; c<b", "a; c<b", "a; b<a; c<b"), EndKind.RESTORED, ("b",)),
    "a circle": (("a; b<a; c<b", "a; b<c; c<b", "a; b<a; c<b"), EndKind.REPARENT, ("b",)),
    "a label twice": (
        ("a @x; b<a", "a @x; b<a @x", "a @x; b<a @y"),
        EndKind.EDITED,
        (),
    ),
    "no revision": (
        (BASE, state(BASE, odd=(unreadable("helper.py", "not-a-revision"),)), BASE),
        EndKind.REVERTED,
        (),
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_how_it_ends(case: str) -> None:
    chains, ending, ids = ENDS[case]
    incident = only(*chains)
    assert (incident.ending, incident.repaired_with) == (ending, ids)
    assert incident.ended == (None if ending is EndKind.OPEN else len(chains) - 1)
    assert (incident.began, incident.is_older) == (1, False)


@pytest.mark.parametrize(
    ("before", "after", "brought", "paths"),
    [
        (BASE, FORKED, ("c",), ("versions/c.py",)),
        (BASE, f"{FORKED}; d<c", ("c", "d"), ("versions/c.py", "versions/d.py")),
        ("a; b<a; c<b", FORKED, ("c",), ("versions/c.py",)),  # somebody changed its parent
        ("a", FORKED, ("b", "c"), ("versions/b.py", "versions/c.py")),  # an octopus brings both
        ("a; b<a; c<a; m<b,c", FORKED, ("m",), ("versions/m.py",)),  # the merge is gone
        (BASE, f"{BASE}; b<a path=versions/x.py", ("b",), ("versions/x.py",)),
        (BASE, f"{BASE}; d<c", ("d",), ("versions/d.py",)),
        ("a; b<a; c<b", "a; c<b", ("b",), ("versions/b.py",)),  # removed
    ],
)
def test_what_came_with_it(before: str, after: str, brought: tuple[str, ...], paths: tuple[str, ...]) -> None:
    incident = only(before, after)
    assert (incident.brought, incident.paths) == (brought, paths)


def test_a_fork_that_grows_is_one_incident() -> None:
    incident = only(BASE, FORKED, f"{FORKED}; d<a", f"{FORKED}; d<a; e<b; f<c", f"{FORKED}; d<a; e<b; f<c; m<d,e,f")
    assert (incident.began, incident.ended, incident.heads) == (1, 4, ("b", "c", "d"))


def test_a_repair_that_meets_another_fork_leaves_it_open() -> None:
    incident = only(BASE, FORKED, f"{FORKED}; m<b,c; d<b", f"{FORKED}; m<b,c; d<b; n<m,d")
    assert (incident.began, incident.ended, incident.repaired_with) == (1, 3, ("n",))


def test_forks_one_after_the_other_are_two() -> None:
    first, second = past(BASE, FORKED, f"{FORKED}; m<b,c", f"{FORKED}; m<b,c; d<m; e<m", f"{FORKED}; m<b,c; d<m; e<d")
    assert (first.began, first.ended, first.ending) == (1, 2, EndKind.MERGE)
    assert (second.began, second.ended, second.ending) == (3, 4, EndKind.REPARENT)


def test_different_kinds_at_one_time_are_several() -> None:
    found = past(BASE, FORKED, f"{FORKED}; c<a path=versions/x.py", f"{FORKED}; c<a path=versions/x.py; m<b,c", BASE)
    assert [(each.code, each.began, each.ended) for each in found] == [
        (Code.FORK, 1, 3),
        (Code.DUPLICATE_ID, 2, 4),
    ]


def test_many_double_ids_that_came_together_are_one() -> None:
    copied = "a; b<a; a path=versions/x.py; b<a path=versions/y.py"
    assert only(BASE, copied).paths == ("versions/x.py", "versions/y.py")


def test_forks_of_two_labelled_lines_that_overlap_in_time_are_two() -> None:
    lines = "a @x; p @y"
    found = past(
        f"{lines}; b<a; q<p",
        f"{lines}; b<a; c<a; q<p",
        f"{lines}; b<a; c<a; q<p; r<p",
        f"{lines}; b<a; c<b; q<p; r<p",
        f"{lines}; b<a; c<b; q<p; r<q",
    )
    assert [(each.heads, each.began, each.ended) for each in found] == [(("b", "c"), 1, 3), (("q", "r"), 2, 4)]


def test_what_can_not_be_read_is_one_incident_whatever_it_is() -> None:
    one, other = unreadable("x.py"), unreadable("y.py", "dynamic")
    found = past(BASE, state(BASE, odd=(one,)), state(FORKED, odd=(one, other)), state(BASE, odd=(other,)), BASE)
    assert [(each.is_unjudged, each.stops, each.began, each.ended) for each in found] == [
        (True, False, 1, 4),
        (False, True, 2, 3),
    ]


@pytest.mark.parametrize("chain", ["a @x; b @y", "a; b<a @x; c<a @y", "a; b<a", ""])
def test_what_is_meant_is_no_incident(chain: str) -> None:
    assert past("a", chain, chain) == []


def test_what_is_there_where_the_look_begins_is_older() -> None:
    [incident] = past(FORKED, f"{FORKED}; m<b,c", has_start=True)
    assert (incident.began, incident.is_older, incident.ended, incident.brought) == (0, True, 1, ())
    [incident] = past(FORKED, f"{FORKED}; m<b,c", has_start=False)
    assert (incident.began, incident.is_older, incident.brought) == (0, False, ("a", "b", "c"))


def test_an_environment_that_moves_takes_its_incident_along() -> None:
    moved = state(FORKED, path="db/versions")
    incidents, environments = incidents_of(
        [
            JudgedCommit(0, (state(FORKED),)),
            JudgedCommit(1, (moved,)),
            JudgedCommit(2, (state(f"{FORKED}; m<b,c", path="db/versions"),)),
        ],
        has_start=True,
    )
    assert [(each.environment, each.found_in, each.ended, each.ending) for each in incidents] == [
        ("db/versions", "versions", 2, EndKind.MERGE)
    ]
    assert environments == (EnvironmentPast("db/versions", ("versions",), None, None),)


def test_another_environment_in_the_place_of_one_is_another() -> None:
    _, environments = incidents_of(
        [JudgedCommit(0, (state(BASE),)), JudgedCommit(1, (state("x; y<x", path="other"),))], has_start=True
    )
    assert environments == (EnvironmentPast("other", (), 1, None), EnvironmentPast("versions", (), None, 1))


def test_an_environment_that_comes_back() -> None:
    incidents, environments = incidents_of(
        [JudgedCommit(place, (state(FORKED),) if place != 1 else ()) for place in range(3)], has_start=False
    )
    assert [(each.began, each.ended) for each in incidents] == [(0, 1), (2, None)]
    assert environments == (EnvironmentPast("versions", (), 0, None),)


@pytest.mark.parametrize(
    ("recorded", "clock"),
    [
        ([1, 2, 3], (1, 2, 3)),
        ([5, 5, 5], (5, 5, 5)),
        ([1, 2, 99, 3, 4], (1, 2, 2, 3, 4)),  # one from the future
        ([10, 11, 1, 12, 13], (10, 11, 11, 12, 13)),  # one from the past
        ([99, 1, 2, 3], (1, 1, 2, 3)),
        ([3, 4, 1], (3, 4, 4)),
        ([7], (7,)),
        ([], ()),
    ],
)
def test_the_clock_of_a_line(recorded: list[int], clock: tuple[int, ...]) -> None:
    assert line_clock(recorded) == clock


@given(st.lists(st.integers(0, 50), max_size=30))
def test_no_clock_runs_back_and_none_that_runs_forward_is_changed(recorded: list[int]) -> None:
    clock = line_clock(recorded)
    assert list(clock) == sorted(clock)
    assert set(clock) <= set(recorded)
    if recorded == sorted(recorded):
        assert list(clock) == recorded


def history(*incidents: Incident, clock: tuple[int, ...], until: int) -> History:
    line = tuple(PastCommit(f"{place:040}", (), "Ann", time, "") for place, time in enumerate(clock))
    return History(Point("main", line[-1].sha), line, True, clock, 0, until, 0, (), incidents)


def test_time_in_which_several_last_counts_once() -> None:
    fork = only(BASE, FORKED)
    told = history(
        fork._replace(began=0, ended=2),
        fork._replace(began=1, ended=3),
        fork._replace(began=4, ended=None),
        clock=(0, 10, 20, 35, 50, 60),
        until=70,
    )
    assert (told.seconds(told.incidents), told.stopped, told.end) == (35 + 20, 55, 70)
    assert told._replace(incidents=told.incidents[:2]).end == 60


def test_a_double_id_stops_no_upgrade() -> None:
    double = only(BASE, f"{BASE}; b<a path=versions/x.py")
    assert not double.stops
    assert history(double, clock=(0, 10), until=70).stopped == 0
    unread = only(BASE, state(BASE, odd=(unreadable("x.py"),)))
    assert (unread.stops, unread.finding.blinds) == (False, True)
