"""What the comment on a pull request says about a policy that can't be used."""

from __future__ import annotations

import pytest

from onehead.plan.findings import KINDS, Code, Finding
from onehead.plan.verdict import Coverage, Examination, Point
from onehead.reports.comment import CommentContent, comment
from tests.plan.cases import examination, facts

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
