"""The past as text and as a picture, with one incident and with hundreds."""

from __future__ import annotations

from itertools import combinations

import pytest

from onehead.plan.findings import Code, Finding
from onehead.plan.incidents import EndKind, EnvironmentPast, History, Incident, PastCommit
from onehead.plan.verdict import Point
from onehead.reports.history import MAX_ROWS, duration, history_document, history_text
from onehead.reports.timeline import MAX_DRAWN_ENVIRONMENTS, MAX_LANES, MAX_LISTED_INCIDENTS, timeline
from tests.reports.drawings import elements, words

DAY = 86400
START = 1_704_110_400
FORK = Finding(Code.FORK, "error", "target", "The chain forks.", ("a", "b"), ("v/a.py", "v/b.py"))


def past(*spans: tuple[int, int | None], commits: int = 2000, environments: int = 1) -> History:
    """A commit a day; an incident of the first environment from one to another of them."""
    line = tuple(
        PastCommit(f"{place:040x}", (), "Ann", START + place * DAY, f"Work (#{place})", place)
        for place in range(commits)
    )
    clock = tuple(commit.committed for commit in line)
    incidents = tuple(
        Incident(
            environment="v0",
            found_in="v0",
            finding=FORK,
            heads=("a", "b"),
            missing=(),
            brought=("b",),
            paths=("v/b.py",),
            began=began,
            is_older=False,
            ended=ended,
            ending=EndKind.OPEN if ended is None else EndKind.MERGE,
        )
        for began, ended in spans
    )
    known = tuple(EnvironmentPast(f"v{number}", (), None, None) for number in range(environments))
    return History(Point("main", line[-1].sha), line, True, clock, 0, clock[-1] + DAY, commits, known, incidents)


@pytest.mark.parametrize(
    "spans",
    [
        [(5, 6)],
        [(5, None)],
        [(5, 6), (1998, None)],
        [(each * 9, each * 9 + 4) for each in range(200)],  # one after the other, closer than a block is wide
        [(each, 1900 - each) for each in range(6)],  # all at once
        [(1999, None), (1999, None)],
    ],
)
def test_every_incident_is_drawn_where_it_can_be_seen(spans: list[tuple[int, int | None]]) -> None:
    drawn = timeline(past(*spans))
    root = elements(drawn, "svg")[0]
    blocks = [each for each in elements(drawn, "rect", "block") if len(each)]
    assert len(blocks) == len(spans)
    places = sorted((float(b.get("x", 0)), float(b.get("width", 0)), float(b.get("y", 0))) for b in blocks)
    assert all(width >= 4 and 0 <= left <= left + width <= float(root.get("width", 0)) for left, width, _ in places)
    assert len({y for _, _, y in places}) <= MAX_LANES
    covered = [(one, other) for one, other in combinations(places, 2) if one[2] == other[2] and other[0] < sum(one[:2])]
    assert covered == []
    assert ("shorter ones are not listed" in words(drawn)) == (len(spans) > MAX_LISTED_INCIDENTS)


def test_more_at_once_than_there_are_lanes_still_are_drawn() -> None:
    drawn = timeline(past(*[(each, 1900) for each in range(50)]))
    assert len([each for each in elements(drawn, "rect", "block") if len(each)]) == 50


def test_many_environments() -> None:
    many = past((5, 6), environments=MAX_DRAWN_ENVIRONMENTS + 3)
    assert "3 more environments are not drawn." in words(timeline(many))
    assert len(history_text(many).split("\nv")) == MAX_DRAWN_ENVIRONMENTS + 4


@pytest.mark.parametrize("days", [1, 2, 3, 20, 50, 200, 900, 2000, 20_000])
def test_dates_are_written_on_the_axis(days: int) -> None:
    texts = [each.text or "" for each in elements(timeline(past(commits=days)), "text", "tick")]
    assert len(texts) <= 15
    assert len(texts) >= (days > 1)
    assert len(set(texts)) == len(texts)


def test_the_newest_rows_are_shown() -> None:
    text = history_text(past(*[(each * 9, each * 9 + 4) for each in range(MAX_ROWS + 20)]))
    assert "  20 older ones are not shown; `--format json` lists them all.\n" in text
    assert text.count("fork: a and b") == MAX_ROWS


def test_rows_are_in_columns() -> None:
    lines = history_text(past((5, 6), (10, 12), (20, None))).splitlines()
    began = next(number for number, line in enumerate(lines) if line.startswith("  began"))
    for column in ("lasted", "what", "brought by", "ended"):
        at = lines[began].index(column)
        assert all(line[at - 1] == " " and line[at] != " " for line in lines[began + 1 :])


def test_one_that_is_older_lasted_at_least_so_long() -> None:
    given = past((0, 5))
    older = given._replace(incidents=(given.incidents[0]._replace(is_older=True),))
    [row] = [line for line in history_text(older).splitlines() if "fork: a and b" in line]
    assert row.startswith("  before 2024-01-01  > 5 days")
    assert history_document(older)["incidents"][0]["older"] is True


@pytest.mark.parametrize("corrected", [0, 1, 7])
def test_whose_clock_it_is(corrected: int) -> None:
    line = history_text(past((5, 6))._replace(corrected=corrected)).splitlines()[2]
    assert line.startswith("Times are those that git recorded")
    assert (str(corrected) if corrected > 1 else "one commit" if corrected else "UTC).") in line


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 min"),
        (59 * 60, "59 min"),
        (3 * 3600, "3 h"),
        (61 * 3600, "61 h"),
        (5 * DAY, "5 days"),
        (425 * DAY, "14 months"),
        (5 * 366 * DAY, "5 years"),
    ],
)
def test_how_long(seconds: int, told: str) -> None:
    assert duration(seconds) == told
