"""What the comment on a pull request says, and in which order."""

from __future__ import annotations

import pytest

from onehead.databases.model import StateTable
from onehead.databases.reported import Standpoint
from onehead.databases.state_table import state_tables
from onehead.databases.upgrade import own_database
from onehead.plan.findings import KINDS, Code, Facts, Finding
from onehead.plan.plans import Reparent
from onehead.plan.verdict import Coverage, Examination, Point
from onehead.reports.comment import MAX_PATCH_LENGTH, CommentContent, comment, pull_body
from tests.plan.cases import ENVIRONMENT, examination, facts
from tests.plan.test_laws import after

COLLIDING = facts("017; 018<017; 019<018", "017; 018<017; 020<018; 021<020")
FORKED = facts("018; 019<018; 020<018")


def remark(*several: Facts, known: tuple[Standpoint, ...] = ()) -> CommentContent:
    tables: dict[str, tuple[StateTable, ...]] = {each.environment.path: state_tables(each, known) for each in several}
    return CommentContent(examination(*several), repair="#2", diff="-a\n+b\n", tables=tables, merged_first=True)


def paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


def test_the_next_step_stands_under_the_first_paragraph() -> None:
    title, consequence, step, *_ = paragraphs(comment(remark(COLLIDING)))
    assert title.startswith("## ")
    assert consequence.startswith("**If both land as they are,")
    assert step == "**Next:** merge #2 into this branch; the check turns green by itself."
    assert paragraphs(pull_body(remark(COLLIDING), "#1"))[1].startswith("**Next:** merge it.")


def test_a_column_that_says_the_same_in_each_line_is_a_sentence() -> None:
    told = comment(remark(COLLIDING))
    assert "\nAs it is, for every database: :x: Multiple heads.\n" in told
    assert "| a database now at | after the merge | after the re-parent |\n|---|---|---|\n" in told
    assert "| `020` | 019 021 | :warning: **019 never runs** |" in told


def test_where_a_known_database_stands_stays_in_the_table() -> None:
    pinned = remark(COLLIDING, known=(Standpoint("live", ("020",), "2026-11-28"),))
    assert "| `020`<br>:round_pushpin: **`live` is here** | 019 021 |" in comment(pinned)


def test_what_alembic_says_of_overlapping_rows_is_said_in_plain_words() -> None:
    told = comment(remark(COLLIDING))
    assert "| `019` and `020` | 021 | :x: stops; see doctor |" in told
    assert "overlaps" not in told


def test_beside_the_picture_stands_the_same_as_text_and_for_screen_readers() -> None:
    told = comment(remark(COLLIDING))
    assert "\n  accTitle: The migrations around the place where the chain parts\n" in told
    assert (
        "\n  accDescr: 018 is followed by 019 and 020; 020 is followed by 021; the repair puts 020 after 019.\n" in told
    )
    _, _, text = told.partition("<details><summary>The same as text</summary>\n\n```\n")
    assert text.partition("\n```")[0].splitlines() == [
        "  ○ 018  doc 018  (main)",
        "  ├─● 019  doc 019  ← head, main",
        "  └─○ 020  doc 020  (this branch)",
        "    ● 021  doc 021  ← head, this branch",
        "  ◆ repair: 020 would follow 019",
    ]


def test_of_a_second_environment_the_tables_are_folded() -> None:
    other = COLLIDING._replace(environment=ENVIRONMENT._replace(path="other/versions"))
    told = comment(remark(COLLIDING, other))
    first, _, second = told.partition("### `other/versions`")
    folded = "<details><summary>Who brought it, and what becomes of each database</summary>\n\n| side |"
    assert folded not in first
    assert folded in second
    assert "| a database now at |" in first
    assert "```mermaid" in second.partition("<details>")[0]


def test_a_repair_says_that_its_last_commit_alone_is_the_repair_and_leaves_the_rest_to_the_other_page() -> None:
    body = pull_body(remark(COLLIDING), "#1")
    assert "\n\nThe last commit alone is the repair. The others are a clean merge of `main`," in body
    assert "```mermaid" not in body
    assert "<details><summary>What becomes of each database</summary>" in body


def test_a_repair_that_no_other_page_tells_of_tells_everything() -> None:
    body = pull_body(remark(FORKED))
    assert body.startswith("`main` has 2 heads, so its next `alembic upgrade head` stops")
    assert "```mermaid" in body
    assert "| revisions of `main` | brought by |" in body
    assert "<details><summary>Why this repair?</summary>" in body


def test_what_to_do_is_said_once() -> None:
    """As the next step: the finding that it is about does not repeat it."""
    broken = facts("018; 019<018", "018; 019<018; 020<777")
    told = comment(CommentContent(examination(broken)))
    assert told.count("Restore the missing file") == 1
    assert "**Next:** Restore the missing file" in told
    assert "- **error** `missing-parent`: `020` names `777` as its parent" in told


def test_a_database_that_stops_is_told_how_to_ask() -> None:
    asked = "See doctor: once this is merged, comment `/onehead doctor 019 020`, and the reply says what to do."
    assert comment(remark(COLLIDING)).count(asked) == 1
    assert "See doctor" not in comment(remark(FORKED))


# What comment and repair say of databases that have run the branch: where one clicks Merge, before one does.


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


def remark_on(sides: tuple[str, str], *, commands: bool = True) -> CommentContent:
    given = facts(*sides)
    judged = examination(given)
    [examined] = judged.environments
    assert isinstance(examined.plan, Reparent)
    own = own_database(given.head, examined.plan, after(given, examined.plan).merged)
    assert own is not None
    tables = {"versions": state_tables(given, (), examined.moved_ids)}
    return CommentContent(judged, tables=tables, own_databases={"versions": own}, repair="#2", commands=commands)


@pytest.mark.parametrize(("sides", "fate"), [(PLAIN, SKIPS), (NUMBERED, STOPS)])
def test_comment_and_repair_have_the_question_the_command_before_and_the_way_out(
    sides: tuple[str, str], fate: str
) -> None:
    told = remark_on(sides)
    parent = sides[0].partition(";")[0]
    for text in (comment(told), pull_body(told, "#1")):
        asked = f"Did somebody run this branch's migrations on a shared database? Then don't take the re-parent: {fate}"
        assert asked in text
        assert f"as it is: `alembic downgrade {parent}`." in text
        assert WAYS_OUT[sides] in text
        assert text.index("**Next:** merge") < text.index(asked) < text.index("`alembic downgrade")


def test_how_to_get_the_merge_is_what_works_on_that_page() -> None:
    told, lone = remark_on(PLAIN), remark_on(PLAIN, commands=False)
    by_hand = (
        "Run `onehead fix --target main --head topic --strategy merge` in a clone instead, and push what it writes."
    )
    assert "Comment `/onehead merge` instead.\n" in comment(told)
    assert "Comment `/onehead merge` on #1 instead.\n" in pull_body(told, "#1")
    assert by_hand in comment(lone)
    assert by_hand in pull_body(lone)


def test_new_ids_are_told_at_the_top_and_in_the_table() -> None:
    text = comment(remark_on(NUMBERED))
    assert "A number of this branch is taken there, so `0004_phone` becomes `0005_phone`." in text
    assert "-.->|repair, as 0005_phone|" in text
    assert "| after the re-parent, under new ids |" in text
    assert "| `0004_phone` | 0004&#95;orders | :x: Can't locate revision identified by" in text
    assert "After the re-parent `0004_phone` is `0005_phone`." in text
    assert "never run" not in text


# What the comment tells the author of a pull request from a fork.


def told(patch: str) -> str:
    judged = examination(facts("018; 019<018", "018; 020<018"))
    branch = "https://git.example.org/acme/shop.git refs/onehead/reparent/pr-7"
    return comment(CommentContent(judged, branch=branch, patch=patch, merged_first=True))


def test_the_branch_or_the_patch() -> None:
    text = told("From 1234\n+x\n")
    assert "The repair as a patch" in text
    assert (
        "Or take it into your fork yourself: `git pull --ff-only https://git.example.org/acme/shop.git "
        "refs/onehead/reparent/pr-7` and `git push`; or `git pull --no-rebase "
        "https://git.example.org/acme/shop.git main`, then `git am` the patch below.\n"
    ) in text


def test_a_patch_that_is_too_long_to_show_is_not_spoken_of() -> None:
    text = told("x" * (MAX_PATCH_LENGTH + 1))
    assert "patch" not in text
    assert "refs/onehead/reparent/pr-7` and `git push`.\n" in text


# What the comment on a pull request says about a policy that can't be used.


BAD = Finding(
    Code.BAD_POLICY,
    "error",
    "head",
    "`.onehead.toml`, line 2: `strategi` is not a key of onehead's policy. Did you mean `strategy`?",
    paths=(".onehead.toml",),
    line=2,
)
SAID = (
    "- **error** `bad-policy`: `.onehead.toml`, line 2: `strategi` is not a key of onehead's policy. "
    f"Did you mean `strategy`? {KINDS[Code.BAD_POLICY].hint}\n"
)


@pytest.fixture
def without_environment() -> Examination:
    points = (Point("refs/heads/main", "1" * 40), Point("refs/heads/topic", "2" * 40))
    return Examination(*points, None, Coverage(0, 0, 0), (), findings=(BAD,))


def test_a_policy_alone(without_environment: Examination) -> None:
    told = comment(CommentContent(without_environment))
    assert "The policy on `topic` can't be used\n" in told
    assert "**onehead can't keep a rule that it does not understand, so this is refused before it lands.**" in told
    assert told.count(SAID) == 1
    assert "**Next:** correct the line and push; it is judged again by itself.\n" in told
    assert "\n\n\n" not in told


def test_a_policy_beside_a_collision() -> None:
    judged = examination(facts("018; 019<018", "018; 020<018"))._replace(findings=(BAD,))
    told = comment(CommentContent(judged))
    assert "both add a migration" in told
    assert told.count(SAID) == 1
