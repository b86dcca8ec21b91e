"""Which repositories a sweep looks at, and how little it asks to find out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onehead.errors import OneheadError
from onehead.forge.api import ForgejoApi
from onehead.forge.client import PAGE, ListPage
from onehead.forge.errors import Refused, Unavailable
from onehead.forge.models import ChangedIssue, Repository, RepositoryName, User
from onehead.reports.page_model import ShownRepository
from onehead.service.context import ServiceContext
from onehead.service.engine import Job
from onehead.service.memory import OwnShelf, Shelf
from onehead.service.page_store import PageStore
from onehead.service.sweep import Attention, Sweeper
from tests.service.test_subjects import repository as described

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ME = User(9, "bot")
FEW, MANY = 3, 700
"""As many repositories as are always listed in full, and more."""


class Lists:
    """The forge's lists, page by page as Forgejo makes them, and its clock, which tells whole seconds.

    What has the same time comes in another order on each page: Forgejo's database promises none.
    """

    def __init__(self, count: int, owners: int = 2) -> None:
        self.now = NOON
        self.asked: list[str] = []
        self.repositories: dict[int, Repository] = {}
        self.archived: set[int] = set()
        self.touches: dict[tuple[int, int], datetime] = {}
        self.strangers = 0  # how many issues of other people's public repositories changed a minute ago
        self.before_page: dict[int, Callable[[], object]] = {}
        for number in range(count):
            self.now = NOON + timedelta(seconds=number // 3)
            self.push(number, f"owner{number % owners}/r{number}")
        self.after(hours=1)

    def unarchived(self, _me: User, *, last_changed_first: bool) -> Iterator[ListPage[Repository]]:
        def items() -> list[Repository]:
            found = [each for each in self.repositories.values() if each.id not in self.archived]
            if not last_changed_first:
                return sorted(found, key=lambda each: each.id)
            random.Random(len(self.asked)).shuffle(found)
            return sorted(found, key=lambda each: each.updated_at, reverse=True)

        return self._pages("changed" if last_changed_first else "all", items)

    def touched(self, since: datetime, owner: str = "") -> Iterator[ListPage[ChangedIssue]]:
        if owner and owner not in {each.name.owner for each in self.repositories.values()}:
            raise Refused("There is no such owner.")

        def items() -> list[ChangedIssue]:
            theirs = [ChangedIssue(-1, number, self.now - timedelta(minutes=1)) for number in range(self.strangers)]
            ours = [
                ChangedIssue(id_, number, at)
                for (id_, number), at in self.touches.items()
                if id_ in self.repositories and owner in ("", self.repositories[id_].name.owner)
            ]
            return [each for each in (*ours, *([] if owner else theirs)) if each.at >= since.replace(microsecond=0)]

        return self._pages(f"touched {owner}".strip(), items)

    def _pages(self, question: str, items: Callable[[], list[Any]]) -> Iterator[ListPage[Any]]:
        page = 0
        while True:
            self.asked.append(question)
            self.before_page.pop(len(self.asked), lambda: None)()
            found = items()
            yield ListPage(tuple(found[page * PAGE : (page + 1) * PAGE]), len(found), self.now.replace(microsecond=0))
            page += 1
            if page * PAGE >= len(found):
                return

    def push(self, id_: int, name: str = "") -> None:
        """A push, or a change of settings; without a name, that of before."""
        parsed = RepositoryName.parse(name) if name else self.repositories[id_].name
        self.repositories[id_] = replace(described(id_), name=parsed, updated_at=self.now)

    def touch(self, id_: int, number: int = 7) -> None:
        """A change of a pull request or issue: a comment, a label, another base."""
        self.touches[id_, number] = self.now

    def after(self, **how_long: float) -> None:
        self.now += timedelta(**how_long)


class Sweeps:
    """Sweeps a quarter of an hour apart, and what they look at."""

    def __init__(self, lists: Lists, shelf: Shelf | None = None, page: PageStore | None = None) -> None:
        self.lists = lists
        api, shelf = cast("ForgejoApi", lists), shelf or OwnShelf()
        self.attention = Attention(api, lambda each: "left-out" not in each.topics, shelf, page)

    def __call__(self, *, failing: str = "") -> list[str]:
        self.lists.asked.clear()
        due = self.attention.due(self.attention.read(ME))
        for name in due:
            look = self.attention.next_look(name)
            if name != failing:
                self.attention.looked_at(name, look)
        self.lists.after(minutes=15)
        return due


@pytest.fixture(params=[FEW, MANY])
def lists(request: pytest.FixtureRequest) -> Lists:
    return Lists(request.param)


@pytest.fixture
def many() -> Lists:
    return Lists(MANY)


@pytest.fixture
def sweep(lists: Lists) -> Sweeps:
    """Everything was looked at once."""
    made = Sweeps(lists)
    made()
    return made


def in_between(lists: Lists, *changes: Callable[[], object]) -> None:
    """Changes between two sweeps: later than the one, and over for a while when the other comes."""
    lists.after(minutes=-5)
    for change in changes:
        change()
    lists.after(minutes=5)


def test_at_first_everything_is_looked_at_and_then_nothing(lists: Lists) -> None:
    sweep = Sweeps(lists)
    assert sweep() == [str(each.name) for each in lists.repositories.values()]
    wanted = ["all"] if len(lists.repositories) == FEW else ["changed"] * 10
    for _ in range(2):
        assert sweep() == []
        assert lists.asked == [*wanted, "touched"]


# --- what is found at the next sweep, whatever became of its webhook --------------------------------------------------


CHANGES: dict[str, tuple[Callable[[Lists], object], str]] = {
    "pushed to": (lambda lists: lists.push(1), "owner1/r1"),
    "a pull request touched": (lambda lists: lists.touch(1), "owner1/r1"),
    "renamed": (lambda lists: lists.push(1, "owner1/another"), "owner1/another"),
    "transferred": (lambda lists: lists.push(1, "owner0/r1"), "owner0/r1"),
    "new": (lambda lists: lists.push(9999, "owner9/new"), "owner9/new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_sweeps_is_looked_at_once(sweep: Sweeps, lists: Lists, change: str) -> None:
    do, name = CHANGES[change]
    in_between(lists, lambda: do(lists))
    assert sweep() == [name]
    # Its former name is forgotten.
    assert sweep.attention.knows("owner1/r1") is (change not in ("renamed", "transferred"))
    assert sweep() == []


COMING_BACK: dict[str, tuple[Callable[[Lists], object], Callable[[Lists], object]]] = {
    "out of the archive": (lambda lists: lists.archived.add(1), lambda lists: lists.archived.discard(1)),
    "into sight": (
        lambda lists: lists.repositories.update({1: replace(lists.repositories[1], empty=True, updated_at=lists.now)}),
        lambda lists: lists.push(1),
    ),
}


@pytest.mark.parametrize("way", COMING_BACK)
def test_what_comes_back_is_looked_at(sweep: Sweeps, lists: Lists, way: str) -> None:
    leave, come_back = COMING_BACK[way]
    in_between(lists, lambda: leave(lists))
    assert sweep() == []
    assert not sweep.attention.knows("owner1/r1")
    # What is touched while it is out of reach is not looked at, and not forgotten.
    in_between(lists, lambda: lists.touch(1))
    assert sweep() == []
    in_between(lists, lambda: come_back(lists))
    assert sweep() == ["owner1/r1"]


def test_an_old_repository_that_the_account_may_see_now_is_looked_at(lists: Lists) -> None:
    hidden = lists.repositories.pop(1)
    sweep = Sweeps(lists)
    sweep()
    lists.repositories[1] = hidden
    assert sweep() == ["owner1/r1"]
    assert sweep() == []


def test_what_is_gone_is_forgotten(sweep: Sweeps, lists: Lists) -> None:
    del lists.repositories[1]
    for _ in range(2):
        assert sweep() == []
        lists.after(days=1, minutes=1)
        assert "owner1/r1" not in sweep()
        assert not sweep.attention.knows("owner1/r1")


def test_a_page_that_is_switched_on_later_is_filled_by_the_next_sweep_and_then_kept_up(lists: Lists) -> None:
    shelf, page = OwnShelf(), PageStore(OwnShelf())
    sweep = Sweeps(lists, shelf)
    everything = sweep()
    sweep(), sweep()
    assert sweep() == []
    sweep = Sweeps(lists, shelf, page)
    assert sorted(sweep()) == sorted(everything)
    for name in everything[1:]:  # what became of the first is not known: it is not looked at again and again
        page.put(name, ShownRepository(datetime(2026, 11, 29, tzinfo=UTC)))
    assert sweep() == []

    id_, gone = next(
        (id_, str(each.name)) for id_, each in lists.repositories.items() if str(each.name) == everything[1]
    )
    del lists.repositories[id_]
    lists.after(days=1)
    sweep()
    assert page.conditions().keys() == {*everything[1:]} - {gone}


def test_what_could_never_be_looked_at_and_is_gone_is_shown_no_longer(lists: Lists) -> None:
    """As one that was renamed while the forge gave no answer: its old name is remembered by nothing but the page."""
    page = PageStore(OwnShelf())
    sweep = Sweeps(lists, page=page)
    [first, *_] = sweep()
    for name in (first, "owner1/former-name"):
        page.fail(name, OneheadError("The forge gave no answer."))
    lists.after(days=1, minutes=1)
    sweep()
    assert page.conditions() == {first: "troubled"}


def test_what_the_settings_leave_out_from_now_on_is_still_known(sweep: Sweeps, lists: Lists) -> None:
    in_between(lists, lambda: lists.push(1))
    lists.repositories[1] = replace(lists.repositories[1], topics=("left-out",))
    assert sweep() == []
    assert sweep.attention.knows("owner1/r1")  # so that it is taken leave of
    sweep.attention.forget("owner1/r1")
    in_between(lists, lambda: lists.push(1))
    assert sweep() == ["owner1/r1"]


@pytest.mark.parametrize("change", [Lists.push, Lists.touch])
def test_what_has_changed_is_looked_at_until_it_has_settled(
    sweep: Sweeps, lists: Lists, change: Callable[[Lists, int], None]
) -> None:
    change(lists, 1)
    assert sweep() == ["owner1/r1"]
    # The change came in the same moment as the look: one more might hide behind it.
    assert sweep() == ["owner1/r1"]
    assert sweep() == []


def test_another_change_of_the_same_page_counts(sweep: Sweeps, lists: Lists) -> None:
    for _ in range(2):
        in_between(lists, lambda: lists.touch(1))
        assert sweep() == ["owner1/r1"]
    assert sweep() == []


def test_after_a_day_everything_is_looked_at_and_listed_again(sweep: Sweeps, lists: Lists) -> None:
    quiet = [sweep() for _ in range(95)]
    assert quiet == [[]] * 95
    lists.after(minutes=16)
    # The forge moves no time when an account may push where it could read before.
    assert len(sweep()) == len(lists.repositories)
    assert "all" in lists.asked
    assert sweep() == []


# --- what fails -------------------------------------------------------------------------------------------------------


def test_what_could_not_be_looked_at_is_looked_at_again_however_long_ago_it_changed(lists: Lists) -> None:
    sweep = Sweeps(lists)
    assert "owner0/r0" in sweep(failing="owner0/r0")
    for id_ in list(lists.repositories)[1:]:  # it is the last one of the list from now on
        lists.push(id_)
    assert "owner0/r0" in sweep(failing="owner0/r0")
    assert "owner0/r0" in sweep(failing="owner0/r0")
    assert sweep() == ["owner0/r0"]
    assert sweep() == []


def test_a_look_does_not_count_for_what_a_sweep_finds_meanwhile(sweep: Sweeps, lists: Lists) -> None:
    in_between(lists, lambda: lists.push(1))
    [name] = sweep.attention.due(sweep.attention.read(ME))
    look = sweep.attention.next_look(name)
    lists.after(minutes=15)
    lists.touch(1)
    lists.after(hours=1)
    assert sweep.attention.due(sweep.attention.read(ME)) == [name]
    sweep.attention.looked_at(name, look)  # it began before the pull request was touched
    lists.after(hours=3)
    assert sweep() == [name]
    assert sweep() == []


def _break_off() -> None:
    raise Unavailable("The forge is away.")


@pytest.mark.parametrize("page", range(1, 12))
def test_a_sweep_that_breaks_off_loses_nothing(many: Lists, page: int) -> None:
    sweep = Sweeps(many)
    sweep()
    in_between(many, lambda: many.push(1), lambda: many.touch(2))
    many.asked.clear()
    many.before_page = {page: _break_off, **({12: _break_off, 13: _break_off} if page == 11 else {})}
    with pytest.raises(Unavailable):
        sweep.attention.read(ME)
    many.before_page.clear()
    many.after(hours=3)
    assert sorted(sweep()) == ["owner0/r2", "owner1/r1"]
    assert sweep() == []


# --- clocks and times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [-20, 20])
def test_only_the_clock_of_the_forge_counts(lists: Lists, years: int) -> None:
    for each in lists.repositories.values():
        moved = each.updated_at + timedelta(days=365 * years)
        lists.repositories[each.id] = replace(each, updated_at=moved)
    lists.after(days=365 * years)
    sweep = Sweeps(lists)
    sweep()
    assert sweep() == []
    in_between(lists, lambda: lists.push(1), lambda: lists.touch(2))
    assert sorted(sweep()) == ["owner0/r2", "owner1/r1"]
    assert sweep() == []


def test_a_clock_of_the_forge_that_is_set_back_hides_nothing(sweep: Sweeps, lists: Lists) -> None:
    sweep()
    lists.after(hours=-6)
    in_between(lists, lambda: lists.push(1), lambda: lists.touch(2))
    assert sorted(sweep()) == ["owner0/r2", "owner1/r1"]
    in_between(lists, lambda: lists.push(1), lambda: lists.touch(2))
    assert sorted(sweep()) == ["owner0/r2", "owner1/r1"]


def test_a_change_that_bears_the_time_of_tomorrow_hides_none_of_today(sweep: Sweeps, lists: Lists) -> None:
    lists.after(days=1)
    lists.push(0)
    lists.touch(0)
    lists.after(days=-1)
    assert sweep() == ["owner0/r0"]
    in_between(lists, lambda: lists.push(1), lambda: lists.touch(2))
    assert sorted(set(sweep()) - {"owner0/r0"}) == ["owner0/r2", "owner1/r1"]


def test_what_the_forge_shows_late_is_found(sweep: Sweeps, lists: Lists) -> None:
    sweep()
    lists.after(minutes=-25)  # ten minutes before the sweep that did not see it
    lists.push(1)
    lists.touch(2)
    lists.after(minutes=25)
    assert sorted(sweep()) == ["owner0/r2", "owner1/r1"]
    assert sweep() == []


# --- lists that change while they are read, and what has the same time ------------------------------------------------


@pytest.mark.parametrize("count", [330, 650])
def test_many_changes_of_one_second_are_all_found(many: Lists, count: int) -> None:
    sweep = Sweeps(many)
    sweep()
    in_between(many, *(lambda id_=id_: many.push(id_) for id_ in range(count)))
    assert sorted(sweep()) == sorted(str(many.repositories[id_].name) for id_ in range(count))
    assert sweep() == []


def test_the_list_is_read_as_far_as_something_is_new(many: Lists) -> None:
    sweep = Sweeps(many)
    sweep()
    in_between(many)
    for id_ in range(620):  # in seconds of their own, so that the list by time is believed
        many.push(id_)
        many.after(seconds=1)
    assert len(sweep()) == 620
    assert many.asked == [*["changed"] * 13, "touched"]


def test_a_list_of_one_and_the_same_time_is_not_read_to_its_end(many: Lists) -> None:
    for id_, each in many.repositories.items():
        many.repositories[id_] = replace(each, updated_at=NOON)
    sweep = Sweeps(many)
    sweep()
    in_between(many, lambda: many.push(1))
    assert sweep() == ["owner1/r1"]


@pytest.mark.parametrize("page", range(1, 12))
def test_what_moves_while_the_list_is_read_hides_nothing(many: Lists, page: int) -> None:
    sweep = Sweeps(many)
    sweep()
    changed = range(0, 600, 2)
    in_between(many, *(lambda id_=id_: many.push(id_) for id_ in changed))
    many.before_page[page] = lambda: many.push(1)
    found = set(sweep()) | set(sweep())
    assert found == {str(many.repositories[id_].name) for id_ in (1, *changed)}


@pytest.mark.parametrize("page", range(2, 12))
def test_what_goes_while_the_list_is_read_hides_nothing(many: Lists, page: int) -> None:
    sweep = Sweeps(many)
    sweep()
    for id_ in range(0, 600, 2):  # each with a second of its own
        many.after(seconds=1)
        many.push(id_)
    many.after(minutes=5)
    # It stood on the first page, so that each of the others moves up by one.
    many.before_page[page] = lambda: many.archived.add(598)
    found = set(sweep())
    assert found | {"owner0/r598"} == {str(many.repositories[id_].name) for id_ in range(0, 600, 2)}


def test_what_goes_while_the_issues_are_read_is_made_up_for(many: Lists) -> None:
    sweep = Sweeps(many)
    sweep()
    for id_ in range(60):
        many.touch(id_)
    many.after(hours=1)  # a service that sweeps every hour
    many.asked.clear()
    many.before_page[12] = lambda: many.touches.pop((0, 7))  # pages 1 to 10 are repositories
    found = set(sweep())
    assert many.asked[10:] == ["touched", "touched"]
    assert "owner0/r50" not in found  # it had moved to the first page
    many.after(hours=2)
    assert "owner0/r50" in sweep()


# --- how much is asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owners", [1, 900, 5_000])
def test_ten_thousand_quiet_repositories_cost_a_dozen_requests_whatever_their_owners(owners: int) -> None:
    lists = Lists(10_000, owners)
    lists.strangers = 40
    sweep = Sweeps(lists)
    sweep()
    assert sweep() == []
    assert len(lists.asked) == 11


@pytest.mark.parametrize(("owners", "strangers", "questions"), [(3, 149, 3), (3, 150, 3), (3, 151, 4), (3, 9999, 4)])
def test_what_other_people_do_costs_at_most_one_request_more_than_asking_each_owner(
    owners: int, strangers: int, questions: int
) -> None:
    lists = Lists(MANY, owners)
    sweep = Sweeps(lists)
    sweep()
    lists.strangers = strangers
    assert sweep() == []
    asked = [each for each in lists.asked if each.startswith("touched")]
    assert len(asked) == questions
    if strangers > owners * PAGE:
        assert asked == ["touched", "touched owner0", "touched owner1", "touched owner2"]
    in_between(lists, lambda: lists.touch(1))
    assert sweep() == ["owner1/r1"]


def test_a_forge_that_can_only_be_asked_for_one_owner_is(sweep: Sweeps, lists: Lists) -> None:
    in_between(lists, lambda: lists.touch(1))
    lists.asked.clear()
    lists.before_page[2 if len(lists.repositories) == FEW else 11] = _break_off
    assert sweep() == ["owner1/r1"]
    assert lists.asked[-3:] == ["touched", "touched owner0", "touched owner1"]


def test_an_owner_with_another_name_is_asked_for_under_that(sweep: Sweeps, lists: Lists) -> None:
    for each in lists.repositories.values():
        if each.name.owner == "owner1":
            # The account is renamed, which moves no time of its repositories.
            lists.repositories[each.id] = replace(each, name=RepositoryName("someone", each.name.name))
    in_between(lists, lambda: lists.touch(1))
    lists.strangers = 1_000
    assert "someone/r1" in sweep()
    assert not sweep.attention.knows("owner1/r1")


def test_a_sweep_that_a_wrong_clock_has_noted_stands_for_no_other() -> None:
    lists, shelf, clock = Lists(FEW), OwnShelf(), [NOON]
    submitted: list[Job] = []
    context = cast("ServiceContext", SimpleNamespace(api=lists, me=ME, covers=lambda _repository: True))
    attention = Attention(cast("ForgejoApi", lists), context.covers, shelf)
    sweeper = Sweeper(context, attention, shelf, submitted.append, now=lambda: clock[0])

    clock[0] = NOON + timedelta(days=40)
    sweeper.sweep(clock[0])
    submitted.clear()
    clock[0] = NOON
    assert sweeper.sweep(NOON) == NOON
    assert len(submitted) == FEW

    submitted.clear()
    clock[0] = NOON - timedelta(minutes=1)  # the clocks of two machines are never quite alike
    sweeper.sweep(clock[0])
    assert submitted == []
