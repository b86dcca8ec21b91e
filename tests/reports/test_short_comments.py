"""What a pull request is told of its rivals: all of them, and an order of all of them."""

from __future__ import annotations

import pytest

from onehead.plan.rivals import MAX_RIVALS, Rival, RivalConflict
from onehead.reports.replies import clashes, heads_up
from tests.plan.cases import examination, facts


def after(parent: str, *numbers: int) -> tuple[Rival, ...]:
    return tuple(Rival(number, RivalConflict.PARENT, "alembic", parent) for number in numbers)


@pytest.mark.parametrize("many", [2, 8, MAX_RIVALS - 1])
def test_every_rival_is_named_and_has_its_place_in_the_order(many: int) -> None:
    others = [number for number in range(1, many + 2) if number != 2]
    text = heads_up(2, after("018", *others), examination(facts("018", "018; a<018")))
    [told] = [line for line in text.splitlines() if line.startswith("- ")]
    assert told.removeprefix("- ").removesuffix(" also add a revision after `018`").replace(" and", ",").split(
        ", "
    ) == [f"#{number}" for number in others]
    order = text.partition("Suggested order: ")[2].partition(". ")[0].split(" → ")
    assert order == [f"#{number}" + (" (this one)" if number == 2 else "") for number in range(1, many + 2)]


def test_where_not_all_are_known_it_says_so() -> None:
    text = heads_up(99, after("018", *range(1, MAX_RIVALS + 1)), examination(facts("018", "018; a<018")))
    assert "\n- others\n" in text
    assert "#19 → #99 (this one) → others." in text


def test_what_several_share_is_said_once() -> None:
    rivals = (
        Rival(7, RivalConflict.ID, "alembic", "019"),
        *after("018", 3, 5),
        *after("", 8),
        Rival(9, RivalConflict.NUMBER, "alembic", "19"),
        Rival(11, RivalConflict.NUMBER, "alembic", "19"),
    )
    assert clashes(rivals) == [
        "#7 carries another revision with the id `019`",
        "#3 and #5 also add a revision after `018`",
        "#8 also starts a chain of its own",
        "#9 and #11 also use the number `19`",
    ]
