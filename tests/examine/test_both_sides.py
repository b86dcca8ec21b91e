"""What both sides of a fork do, from the files to the plan, the comment and a real upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest

from onehead.plan.findings import Code
from onehead.plan.plans import Merge, ReasonCode, Refuse, Reparent
from onehead.reports.comment import CommentContent, comment
from onehead.reports.terminal import places, report
from tests.examine.end_to_end import Repaired, repaired
from tests.migrations import chain, project, revision
from tests.real_alembic import Deployment, checked_out
from tests.repositories import Repository

CREATED = 'op.create_table("t{id}", sa.Column("id", sa.Integer(), primary_key=True))'


def doing(id_: str, parent: str | None, *body: str) -> dict[str, str]:
    """A revision whose `upgrade()` does this."""
    old = CREATED.format(id=id_)
    return {path: text.replace(old, "\n    ".join(body)) for path, text in revision(id_, parent).items()}


def collision(path: Path, main: tuple[str, ...], topic: tuple[str, ...]) -> Repository:
    """`users(id, age)` at 018; then 019 on main and 020 on topic."""
    repo = Repository(path / "repo")
    users = 'op.create_table("users", sa.Column("id", sa.Integer()), sa.Column("age", sa.Integer()))'
    repo.commit("main", project() | chain(("017", None)) | doing("018", "017", users))
    repo.branch("topic", "main")
    repo.commit("main", doing("019", "018", *main))
    repo.commit("topic", doing("020", "018", *topic))
    return repo


def upgraded(result: Repaired, at: str, folder: Path) -> tuple[str, ...]:
    """The revisions that a real `alembic upgrade head` of a fresh database runs there."""
    return Deployment(checked_out(result.repo, at, folder / "tree"), f"sqlite:///{folder}/db").upgrade()


RENAME = 'op.alter_column("users", "age", new_column_name="years")'
INDEX = 'op.create_index("ix", "users", ["age"])'
ADD = 'op.add_column("users", sa.Column("phone", sa.Text()))'


def test_sides_that_get_along_are_re_parented_as_ever(tmp_path: Path) -> None:
    result = repaired(collision(tmp_path, (ADD,), ('op.create_table("t", sa.Column("id", sa.Integer()))',)))
    assert isinstance(result.plan, Reparent)
    [examined] = result.examination.environments
    assert [finding.code for finding in examined.findings] == [Code.COLLISION]
    [interaction] = examined.interactions
    assert (interaction.heads, interaction.kind, interaction.told) == (("019", "020"), "independent", ())
    assert "No conflict: every operation on both sides was understood" in comment(CommentContent(result.examination))
    said = "no conflict: every operation on both sides was understood, and they touch different things"
    assert f"  019 and 020: {said}.\n" in report(result.examination)


def test_what_fails_by_itself_is_said_beside_what_gets_along(tmp_path: Path) -> None:
    built = 'op.create_index("ix", "users", ["age"], postgresql_concurrently=True)'
    result = repaired(collision(tmp_path, (ADD,), (built,)))
    assert isinstance(result.plan, Reparent)
    [examined] = result.examination.environments
    [_, finding] = examined.findings
    assert (finding.code, finding.severity) == (Code.NOT_IN_TRANSACTION, "warning")
    assert finding.places == (("alembic/versions/020_t020.py", 22),)
    told = comment(CommentContent(result.examination))
    assert "**What both sides do**\n\n- No conflict: every operation on both sides was understood" in told
    assert "\n- :warning: **fails by itself**: `020` creates index `ix` on `users` (line 22) with CONCURRENTLY" in told


def test_a_conflict_is_refused_with_what_to_change(tmp_path: Path) -> None:
    result = repaired(collision(tmp_path, (ADD,), ("pass", ADD)))
    assert isinstance(result.plan, Refuse)
    assert [reason.code for reason in result.plan.reasons] == [ReasonCode.SEMANTIC_CONFLICT]
    assert result.written is None
    [examined] = result.examination.environments
    [_, finding] = examined.findings
    said = (
        "`019` adds column `users.phone` (line 22) and `020` adds column `users.phone` (line 23): whichever runs "
        "second fails, because the name is taken."
    )
    assert (finding.code, finding.severity, finding.message) == (Code.SEMANTIC_CONFLICT, "error", said)
    assert finding.revisions == ("019", "020")
    paths = ("alembic/versions/019_t019.py", "alembic/versions/020_t020.py")
    assert finding.places == ((paths[0], 22), (paths[1], 23))
    # What can be changed on the branch stands first.
    assert places(finding, examined, {}) == [(paths[1], 23), (paths[0], 22)]
    assert f"\n    at {paths[0]}:22\n    at {paths[1]}:23\n" in report(result.examination)
    told = comment(CommentContent(result.examination))
    assert f"**Both sides:** :x: **fails in every order**: {said}\n" in told
    assert "**Next:** Change the newer of the two revisions" in told
    assert f"error semantic-conflict: {said}".replace("`", "") in report(result.examination).replace("`", "")


def test_what_has_to_run_first_is_named_last_and_really_runs_first(tmp_path: Path) -> None:
    result = repaired(collision(tmp_path, (RENAME,), (INDEX,)))
    assert isinstance(result.plan, Merge)
    assert result.plan.merges == (("019", "020"),)
    [reason] = result.plan.reasons
    assert reason.code == ReasonCode.ORDER_MATTERS
    assert upgraded(result, result.sha(), tmp_path)[:4] == ("017", "018", "020", "019")


def test_the_other_way_round_the_re_parent_is_right(tmp_path: Path) -> None:
    result = repaired(collision(tmp_path, (INDEX,), (RENAME,)))
    assert isinstance(result.plan, Reparent)
    assert [reason.code for reason in result.plan.reasons] == [ReasonCode.NOT_ESCAPED, ReasonCode.ORDER_MATTERS]
    assert upgraded(result, result.sha(), tmp_path) == ("017", "018", "019", "020")


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    result = repaired(collision(tmp_path, (ADD,), ("op.execute(\"SELECT move('@ann')\")",)))
    assert isinstance(result.plan, Reparent)
    told = comment(CommentContent(result.examination))
    assert (
        "**Both sides:** :grey_question: **look at it**: `020` holds SQL that is not recognised: `SELECT move('@ann')`"
        in told
    )


def test_a_forked_target_runs_what_has_to_be_first_first(tmp_path: Path) -> None:
    repo = collision(tmp_path, (INDEX,), (RENAME,))
    repo.commit("main", doing("020", "018", RENAME))
    result = repaired(repo, None)
    assert isinstance(result.plan, Merge)
    assert upgraded(result, result.sha(), tmp_path)[:4] == ("017", "018", "019", "020")


@pytest.mark.parametrize("head", ["topic", None])
def test_who_has_no_fork_does_not_pay(tmp_path: Path, head: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("main", project() | chain(("017", None), ("018", "017")))
    repo.branch("topic", "main")
    repo.commit("topic", doing("019", "018", 'op.execute("SELECT 1")'))
    monkeypatch.setattr("onehead.examine.conflicts.interactions_of", lambda *_: pytest.fail("it was read"))
    assert repaired(repo, head).examination.verdict == "ok"
