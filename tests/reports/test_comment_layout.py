"""What stands where on the forge's pages: the next step on top, nothing said twice, and a picture for everybody."""

from __future__ import annotations

from onehead.databases.model import StateTable
from onehead.databases.reported import Standpoint
from onehead.databases.state_table import state_tables
from onehead.plan.facts import Facts
from onehead.reports.comment import CommentContent, comment, pull_body
from tests.plan.cases import ENVIRONMENT, examination, facts

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
