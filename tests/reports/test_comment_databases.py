"""What comment and repair say of databases that have run the branch: where one clicks Merge, before one does."""

from __future__ import annotations

import pytest

from onehead.databases.remedy import own_database
from onehead.databases.state_table import state_tables
from onehead.plan.plans import Reparent
from onehead.reports.comment import CommentContent, comment, pull_body
from tests.plan.cases import examination, facts
from tests.plan.test_plan_laws import after

PLAIN = ("018; 019<018", "018; 020<018; 021<020")
NUMBERED = ("0003_shop; 0004_orders<0003_shop", "0003_shop; 0004_phone<0003_shop")
WAYS_OUT = {
    PLAIN: "alembic stamp --purge 018\nalembic upgrade 019\nalembic stamp --purge 021\nalembic upgrade head\n",
    NUMBERED: (
        "alembic stamp --purge 0003_shop\nalembic upgrade 0004_orders\n"
        "alembic stamp --purge 0005_phone\nalembic upgrade head\n"
    ),
}
SKIPS = "such a database would silently skip the other side."
STOPS = 'such a database would stop with "Can\'t locate revision".'


def remark(sides: tuple[str, str], *, alone: bool = False) -> CommentContent:
    given = facts(*sides)
    judged = examination(given)
    [examined] = judged.environments
    assert isinstance(examined.plan, Reparent)
    own = own_database(given.head, examined.plan, after(given, examined.plan).merged)
    assert own is not None
    tables = {"versions": state_tables(given, (), examined.moved_ids)}
    return CommentContent(judged, tables=tables, own_databases={"versions": own}, repair="#2", alone=alone)


@pytest.mark.parametrize(("sides", "fate"), [(PLAIN, SKIPS), (NUMBERED, STOPS)])
def test_comment_and_repair_have_the_question_the_command_before_and_the_way_out(
    sides: tuple[str, str], fate: str
) -> None:
    told = remark(sides)
    parent = sides[0].partition(";")[0]
    for text in (comment(told), pull_body(told, "#1")):
        asked = f"Did somebody run this branch's migrations on a shared database? Then don't take the re-parent: {fate}"
        assert asked in text
        assert f"as it is: `alembic downgrade {parent}`." in text
        assert WAYS_OUT[sides] in text
        assert text.index("**Next:** merge") < text.index(asked) < text.index("`alembic downgrade")


def test_how_to_get_the_merge_is_what_works_on_that_page() -> None:
    told, lone = remark(PLAIN), remark(PLAIN, alone=True)
    by_hand = (
        "Run `onehead fix --target main --head topic --strategy merge` in a clone instead, and push what it writes."
    )
    assert "Comment `/onehead merge` instead.\n" in comment(told)
    assert "Comment `/onehead merge` on #1 instead.\n" in pull_body(told, "#1")
    assert by_hand in comment(lone)
    assert by_hand in pull_body(lone)


def test_new_ids_are_told_at_the_top_and_in_the_table() -> None:
    text = comment(remark(NUMBERED))
    assert "A number of this branch is taken there, so `0004_phone` becomes `0005_phone`." in text
    assert "-.->|repair, as 0005_phone|" in text
    assert "| after the re-parent, under new ids |" in text
    assert "| `0004_phone` | 0004&#95;orders | :x: Can't locate revision identified by" in text
    assert "After the re-parent `0004_phone` is `0005_phone`." in text
    assert "never run" not in text
