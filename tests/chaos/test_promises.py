"""The judge of chaos sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.gate import Asked, Seen
from tests.chaos.promises import Ran, at_two_places, repeated_statuses
from tests.standin.world import Repository, Status, User

ANN = User(1, "ann", "ann@example.org")


def seen(who: str, at: float, what: str = "GET /pulls") -> Seen:
    return Seen(Asked(who, "ann/shop", what), at, at + 0.1)


def test_runs_one_after_another_are_well() -> None:
    runs = [Ran("ann/shop", 1.0, 2.0, "one/1"), Ran("ann/shop", 2.0, 3.0, "two/1"), Ran("ann/else", 1.5, 2.5, "two/1")]
    assert [*at_two_places(runs, [seen("one/1", 1.5), seen("two/1", 2.5)], [])] == []


def test_runs_that_overlap_are_found() -> None:
    runs = [Ran("ann/shop", 1.0, 2.0, "one/1"), Ran("ann/shop", 1.5, 3.0, "two/1")]
    assert [*at_two_places(runs, [], [])] == ["ann/shop: two/1 began 0.500 s before one/1 had ended"]


def test_a_run_that_was_cut_off_is_known_by_its_requests() -> None:
    runs = [Ran("ann/shop", 1.0, 2.0, "one/1")]
    assert [*at_two_places(runs, [seen("two/1", 1.5)], [])] == [
        "ann/shop: two/1 asks for 'GET /pulls' amid a run of one/1"
    ]


def test_a_lease_ends_with_the_database() -> None:
    runs = [Ran("ann/shop", 1.0, 2.0, "one/1"), Ran("ann/shop", 1.5, 3.0, "two/1")]
    cut_off = [seen("three/1", 1.1, "GET "), seen("three/1", 1.8)]
    assert [*at_two_places(runs, cut_off[1:], [1.2])] != []
    assert [*at_two_places(runs, cut_off, [1.2])][1:] == []


def test_a_status_that_says_the_same_again_is_found() -> None:
    repository = Repository(1, ANN, "shop", Path())
    said = [("pending", "a"), ("success", "a"), ("success", "a"), ("pending", "a")]
    repository.statuses["0" * 40] = [
        Status(number, "0" * 40, state, "onehead", text, "", ANN) for number, (state, text) in enumerate(said)
    ]
    assert [*repeated_statuses(repository)] == ["ann/shop: 0000000000 is told twice in a row: success, a"]
