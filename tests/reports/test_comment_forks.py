"""What the comment tells the author of a pull request from a fork."""

from __future__ import annotations

from onehead.reports.comment import MAX_PATCH_LENGTH, CommentContent, comment
from tests.plan.cases import examination, facts


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
