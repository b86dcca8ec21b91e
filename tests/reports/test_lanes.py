"""Where revisions stand in a drawing: what is folded, and that no two lines or dots are on top of each other."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.reports.lanes import (
    MAX_LANES,
    MAX_NEAR_A_HEAD,
    MAX_OPENED,
    TIES,
    Lanes,
    Link,
    Run,
    folded,
    lanes_of,
    nearest_to_heads,
)


def line(*ids: str) -> list[Link]:
    return [Link(lower, upper) for lower, upper in pairwise(ids)]


def told(runs: list[Run]) -> list[str]:
    return [f"{run.ids[0]}…{run.newest}" if run.is_fold else run.newest for run in runs]


def numbered(count: int, prefix: str = "r") -> list[str]:
    return [f"{prefix}{n:04}" for n in range(count)]


# Folding


def test_a_straight_run_between_its_ends_is_one_row() -> None:
    ids = numbered(20)
    assert told(folded(ids, line(*ids))) == [
        "r0000", "r0001…r0014", "r0015", "r0016", "r0017", "r0018", "r0019",
    ]  # fmt: skip
    # Elsewhere than at a head nothing of it stays.
    beside = [*line("r0000", "x", "y", "z"), Link("r0019", "y")]
    assert told(folded([*ids, "x", "y", "z"], [*line(*ids), *beside])) == ["r0000", "r0001…r0019", "x", "y", "z"]


def test_a_short_run_stays() -> None:
    ids = numbered(5)
    links = [*line(*ids[:4], "top", "head"), *line(ids[0], "x", "top")]
    assert told(folded([*ids[:4], "x", "top", "head"], links)) == [*ids[:4], "x", "top", "head"]
    links = [*line(*ids, "top", "head"), *line(ids[0], "x", "top")]
    assert told(folded([*ids, "x", "top", "head"], links)) == ["r0000", "r0001…r0004", "x", "top", "head"]


def test_what_is_kept_or_needed_by_others_or_of_another_side_ends_a_run() -> None:
    ids = numbered(30)
    first = "r0001…r0009"
    rest = ["r0011…r0024", *ids[25:]]
    assert told(folded(ids, line(*ids), kept=["r0010"])) == ["r0000", first, "r0010", *rest]
    assert told(folded([*ids, "x"], [*line(*ids), Link("r0010", "x", "needs")])) == [
        "r0000", first, "r0010", *rest, "x",
    ]  # fmt: skip
    groups = dict.fromkeys(ids[10:], "branch")
    assert told(folded(ids, line(*ids), groups=groups)) == ["r0000", first, "r0010…r0024", *ids[25:]]


def test_any_id_of_a_run_opens_it_and_what_is_below() -> None:
    ids = numbered(1000)
    opened = folded(ids, line(*ids), opened=["r0500"])
    assert told(opened)[:2] == ["r0000", f"r0001…r{500 - MAX_OPENED:04}"]
    assert told(opened)[2 : 2 + MAX_OPENED] == ids[501 - MAX_OPENED : 501]
    assert told(opened)[2 + MAX_OPENED] == f"r0501…r{999 - MAX_NEAR_A_HEAD - 1:04}"
    # The rest is a run of its own, which is opened in its turn.
    again = folded(ids, line(*ids), opened=["r0500", opened[1].newest])
    assert told(again)[1] == f"r0001…r{500 - 2 * MAX_OPENED:04}"
    assert folded(ids, line(*ids), opened=["no such id"]) == folded(ids, line(*ids))


def test_a_circle_is_folded_too_and_nothing_is_lost() -> None:
    ids = numbered(50)
    runs = folded(ids, [*line(*ids), Link(ids[-1], ids[0])])
    assert sorted(id_ for run in runs for id_ in run.ids) == ids
    assert len(runs) < 10


@given(st.data())
def test_every_id_stands_in_one_row(data: st.DataObject) -> None:
    ids = numbered(data.draw(st.integers(2, 25)))
    pair = st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda both: both[0] != both[1])
    links = [Link(*both) for both in data.draw(st.lists(pair, max_size=40, unique=True))]
    opened = data.draw(st.sets(st.sampled_from(ids)))
    runs = folded(ids, links, opened=opened)
    assert sorted(id_ for run in runs for id_ in run.ids) == ids
    for run in runs:
        assert not run.is_fold or not opened & {*run.ids}
        for lower, upper in pairwise(run.ids):
            assert [link for link in links if link.upper == upper] == [Link(lower, upper)]
            assert [link for link in links if link.lower == lower] == [Link(lower, upper)]
    holds(lanes_of(runs, links), runs, links)


# Lanes


def holds(lanes: Lanes, runs: list[Run], links: list[Link]) -> None:
    """No line runs through a dot that it does not end at, or along another; and every link is a line or is told."""
    assert sorted(lanes.runs) == sorted(runs)
    row = {id_: number for number, run in enumerate(lanes.runs) for id_ in run.ids}
    dots = {(number, lane) for number, lane in enumerate(lanes.lane)}
    taken: set[tuple[int, int]] = set()
    drawn = []
    for track in lanes.tracks:
        assert track.lane < MAX_LANES
        assert track.row < track.ends[0]
        assert list(track.ends) == sorted(set(track.ends))
        between = {(number, track.lane) for number in range(track.row + 1, track.ends[-1])}
        assert not between & dots
        assert not between & taken
        taken |= between
        drawn += [(track.row, end, track.tie) for end in track.ends]
    drawn += [(link.lower, link.upper, link.tie) for link in lanes.without_line]
    wanted = {(row[link.lower], row[link.upper], link.tie) for link in links if row[link.lower] != row[link.upper]}
    assert sorted(drawn) == sorted(wanted)


@pytest.mark.parametrize("seed", range(60))
def test_no_line_runs_through_a_revision_or_along_another_line(seed: int) -> None:
    dice = random.Random(seed)
    ids = numbered(dice.randint(2, 120))
    links = []
    for number, id_ in enumerate(ids):
        near = ids[max(0, number - dice.choice([1, 2, 40])) : number]
        below = dice.sample(near, min(len(near), dice.choice([0, 1, 1, 1, 1, 2, 5])))
        links += [Link(lower, id_, dice.choice(TIES) if dice.random() < 0.3 else "parent") for lower in below]
    runs = [Run((id_,)) for id_ in ids]
    holds(lanes_of(runs, links), runs, links)


def test_more_lines_than_lanes_are_told() -> None:
    ids = numbered(MAX_LANES + 10)
    links = [Link(id_, "all") for id_ in ids]
    runs = [Run((id_,)) for id_ in (*ids, "all")]
    lanes = lanes_of(runs, links)
    holds(lanes, runs, links)
    assert len(lanes.without_line) == 10
    assert lanes.number == MAX_LANES + 1


def test_a_thousand_heads_on_one_revision_take_one_more_lane() -> None:
    heads = numbered(1000)
    links = [Link("base", head) for head in heads]
    runs = [Run((id_,)) for id_ in ("base", *heads)]
    lanes = lanes_of(runs, links)
    holds(lanes, runs, links)
    assert lanes.number == 2
    assert len(lanes.tracks) == 1


def test_the_main_line_stays_in_the_first_lane_and_sides_stand_together() -> None:
    main, side = numbered(8, "m"), numbered(3, "s")
    links = [*line(*main), *line(main[1], *side, main[6])]
    lanes = lanes_of([Run((id_,)) for id_ in (*main, *side)], links)
    assert [run.newest for run in lanes.runs] == [*main[:2], *side, *main[2:]]
    assert lanes.lane == (0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0)


def test_what_stands_aside_leaves_the_straight_line_to_the_others() -> None:
    main, side = numbered(3, "m"), numbered(5, "s")
    links = [*line(*main), *line(main[0], *side)]
    lanes = lanes_of([Run((id_,)) for id_ in (*main, *side)], links, aside=side)
    assert [run.newest for run in lanes.runs] == [main[0], *side, *main[1:]]
    assert lanes.lane == (0, 1, 1, 1, 1, 1, 0, 0)


def test_lines_that_begin_anew_come_where_they_are_met() -> None:
    """Each merge takes in a line of its own: no more than two lanes at once, however many there are."""
    main = numbered(30, "m")
    roots = numbered(29, "x")
    links = [*line(*main), *(Link(root, upper) for root, upper in zip(roots, main[1:], strict=True))]
    runs = [Run((id_,)) for id_ in (*roots, *main)]
    lanes = lanes_of(runs, links)
    holds(lanes, runs, links)
    assert lanes.number == 2


def test_a_link_that_leads_back_is_told() -> None:
    runs = [Run((id_,)) for id_ in "abcd"]
    links = [*line("b", "c", "d", "b"), Link("d", "a")]
    lanes = lanes_of(runs, links)
    holds(lanes, runs, links)
    # What follows a circle is no part of it.
    assert lanes.runs[3].newest == "a"
    [back] = lanes.without_line
    assert back.in_circle


# A part of a large chain


def test_of_many_the_nearest_to_the_heads_are_drawn() -> None:
    ids = numbered(100)
    runs = [Run((id_,)) for id_ in ids]
    assert nearest_to_heads(runs, line(*ids), 10) == {*range(90, 100)}
    star = [Run((id_,)) for id_ in ("base", *ids)]
    near = nearest_to_heads(star, [Link("base", id_) for id_ in ids], 20)
    assert (len(near), 0 in near) == (11, True)
    circle = nearest_to_heads(runs, [*line(*ids), Link(ids[-1], ids[0])], 10)
    assert len(circle) == 10
