"""Which repositories a sweep looks at, and how little it asks to find out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from onehead.forge.api import ForgejoApi
from onehead.forge.models import ChangedIssue, Repository, RepositoryName
from onehead.service.sweep import Attention
from tests.service.test_subjects import repository as described

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Lists:
    """The forge's lists, and its clock."""

    def __init__(self) -> None:
        self.now = NOON
        self.asked: list[tuple[str, datetime]] = []
        self.touches: list[ChangedIssue] = []
        self.repositories: dict[str, Repository] = {}

    def touched(self, owner: str, since: datetime) -> Iterator[ChangedIssue]:
        self.asked.append((owner, since))
        return (each for each in self.touches if each.repository.owner == owner and each.at >= since)

    def push(self, name: str) -> None:
        parsed = RepositoryName.parse(name)
        self.repositories[name] = replace(described(1), name=parsed, updated_at=self.now)

    def touch(self, name: str, number: int) -> None:
        parsed = RepositoryName.parse(name)
        self.touches = [each for each in self.touches if (each.repository, each.number) != (parsed, number)]
        self.touches.append(ChangedIssue(parsed, number, self.now))

    def after(self, **how_long: float) -> None:
        self.now += timedelta(**how_long)


@pytest.fixture
def lists() -> Lists:
    made = Lists()
    for name in ("acme/shop", "acme/blog", "ann/site"):
        made.push(name)
    made.after(hours=1)
    return made


@pytest.fixture
def attention(lists: Lists) -> Attention:
    return Attention(cast("ForgejoApi", lists), now=lambda: lists.now)


def sweep(attention: Attention, lists: Lists, *, failing: str = "") -> list[str]:
    """One sweep a quarter of an hour after the one before; the repositories it looks at."""
    due = [str(each.name) for each in attention.due(lists.repositories.values())]
    for name in due:
        if name != failing:
            attention.looked_at(name)
    lists.after(minutes=15)
    return due


def test_at_first_everything_is_looked_at_and_then_nothing(attention: Attention, lists: Lists) -> None:
    assert sweep(attention, lists) == ["acme/shop", "acme/blog", "ann/site"]
    lists.asked.clear()
    assert sweep(attention, lists) == []
    assert [owner for owner, _ in lists.asked] == ["acme", "ann"]


@pytest.mark.parametrize("change", ["push", "touch"])
def test_what_has_changed_is_looked_at_until_it_has_settled(attention: Attention, lists: Lists, change: str) -> None:
    sweep(attention, lists)
    if change == "push":
        lists.push("acme/shop")
    else:
        lists.touch("acme/shop", 7)
    assert sweep(attention, lists) == ["acme/shop"]
    # The change came in the same moment as the look: one more might hide behind it.
    assert sweep(attention, lists) == ["acme/shop"]
    assert sweep(attention, lists) == []


def test_a_change_between_two_sweeps_is_looked_at_once(attention: Attention, lists: Lists) -> None:
    sweep(attention, lists)
    lists.after(minutes=-5)
    lists.touch("ann/site", 3)
    lists.after(minutes=5)
    assert sweep(attention, lists) == ["ann/site"]
    assert sweep(attention, lists) == []


def test_another_change_of_the_same_page_counts(attention: Attention, lists: Lists) -> None:
    sweep(attention, lists)
    for _ in range(2):
        lists.after(minutes=-5)
        lists.touch("ann/site", 3)
        lists.after(minutes=5)
        assert sweep(attention, lists) == ["ann/site"]
    assert sweep(attention, lists) == []


def test_what_could_not_be_looked_at_is_looked_at_again(attention: Attention, lists: Lists) -> None:
    assert "acme/blog" in sweep(attention, lists, failing="acme/blog")
    assert sweep(attention, lists) == ["acme/blog"]
    assert sweep(attention, lists) == []


def test_clocks_that_differ_by_some_minutes_hide_nothing(attention: Attention, lists: Lists) -> None:
    sweep(attention, lists)
    lists.after(minutes=-10)
    lists.touch("acme/shop", 1)
    lists.after(minutes=10)
    sweep(attention, lists)
    # The forge's clock is behind: what is new bears a time before the last sweep.
    lists.after(minutes=-25)
    lists.touch("acme/shop", 2)
    lists.after(minutes=25)
    assert sweep(attention, lists) == ["acme/shop"]


def test_after_a_day_everything_is_looked_at_again(attention: Attention, lists: Lists) -> None:
    assert len(sweep(attention, lists)) == 3
    quiet = [sweep(attention, lists) for _ in range(95)]
    assert quiet == [[]] * 95
    lists.after(minutes=16)
    assert len(sweep(attention, lists)) == 3
    assert sweep(attention, lists) == []


def test_a_new_repository_is_looked_at(attention: Attention, lists: Lists) -> None:
    sweep(attention, lists)
    lists.after(hours=-1)
    lists.push("acme/new")
    lists.after(hours=1)
    assert sweep(attention, lists) == ["acme/new"]
