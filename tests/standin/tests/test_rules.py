from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.standin.merging import required_state, worst
from tests.standin.pulls import cut_title
from tests.standin.push_rules import ZERO, verdict
from tests.standin.pushes import CLOSING, branch_regex, may_merge, may_push, protection_of
from tests.standin.world import Protection, Repository, Status, User

ANN = User(1, "ann", "ann@example.org")
BOB = User(2, "bob", "bob@example.org")


@pytest.mark.parametrize(
    ("pattern", "branch", "matches"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("release/*", "release/1", True),
        ("release/*", "release/1/fix", False),
        ("release/**", "release/1/fix", True),
        ("v?", "v1", True),
        ("v.1", "vx1", False),
    ],
)
def test_patterns_of_protected_branches(pattern: str, branch: str, *, matches: bool) -> None:
    assert (re.fullmatch(branch_regex(pattern), branch) is not None) is matches


def protected(**options: object) -> Repository:
    repository = Repository(1, ANN, "r", Path("/nowhere"), collaborators={2: "write"})
    repository.protections["main"] = Protection("main", dict(options))
    return repository


@pytest.mark.parametrize(
    ("options", "ann", "bob"),
    [
        ({}, False, False),
        ({"enable_push": True}, True, True),
        ({"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": ["bob"]}, False, True),
    ],
)
def test_who_may_push_to_a_protected_branch(options: dict[str, object], *, ann: bool, bob: bool) -> None:
    repository = protected(**options)
    rule = protection_of(repository, "main")

    assert rule is not None
    assert (may_push(rule, repository, ANN), may_push(rule, repository, BOB)) == (ann, bob)
    assert protection_of(repository, "other") is None


def test_who_may_merge() -> None:
    limited = protected(enable_merge_whitelist=True, merge_whitelist_usernames=["bob"])
    rule = limited.protections["main"]

    assert (may_merge(rule, limited, ANN), may_merge(rule, limited, BOB)) == (False, True)
    assert may_merge(None, limited, User(9, "eve", "eve@example.org")) is False


DENIED = "User 'ann' is not allowed to push to branch '{}' in 'bob/r'."
RULES = {
    "pusher": "ann",
    "repository": "bob/r",
    "can_write": True,
    "writable_branches": [],
    "default_branch": "main",
    "protections": [],
}


@pytest.mark.parametrize(
    ("rules", "after", "ref", "said"),
    [
        (RULES, "1", "refs/heads/topic", None),
        (RULES, ZERO, "refs/heads/topic", None),
        (RULES, ZERO, "refs/heads/main", "branch main is the default branch and cannot be deleted"),
        ({**RULES, "can_write": False}, "1", "refs/heads/topic", DENIED.format("topic")),
        ({**RULES, "can_write": False}, "1", "refs/notes/x", DENIED.format("")),
        ({**RULES, "can_write": False, "writable_branches": ["topic"]}, "1", "refs/heads/topic", None),
        (
            {**RULES, "protections": [{"branches": "rel", "can_push": False}]},
            "1",
            "refs/heads/rel",
            "Not allowed to push to protected branch rel",
        ),
        (
            {**RULES, "protections": [{"branches": "rel", "can_push": True}]},
            ZERO,
            "refs/heads/rel",
            "branch rel is protected from deletion",
        ),
        ({**RULES, "protections": [{"branches": "rel", "can_push": True}]}, "1", "refs/heads/rel", None),
    ],
)
def test_what_the_forges_own_hook_says(rules: dict[str, object], after: str, ref: str, said: str | None) -> None:
    assert verdict(rules, ZERO, after, ref) == said


def with_statuses(*entries: tuple[str, str]) -> Repository:
    repository = Repository(1, ANN, "r", Path("/nowhere"))
    kept = repository.statuses.setdefault("sha", [])
    kept += [Status(n, "sha", state, context, "", "", ANN) for n, (context, state) in enumerate(entries, 1)]
    return repository


@pytest.mark.parametrize(
    ("contexts", "entries", "state"),
    [
        (["onehead"], [], "pending"),
        (["onehead"], [("onehead", "success"), ("other", "failure")], "success"),
        (["onehead"], [("onehead", "failure"), ("onehead", "success")], "success"),
        (["onehead"], [("onehead", "warning")], "warning"),
        (["ci/*"], [("ci/a", "success"), ("ci/b", "error")], "error"),
        (["ci/*", "onehead"], [("ci/a", "success")], "pending"),
        ([], [], ""),
        ([], [("x", "success"), ("y", "pending")], "pending"),
    ],
)
def test_the_state_a_protected_branch_asks_for(contexts: list[str], entries: list[tuple[str, str]], state: str) -> None:
    assert required_state(with_statuses(*entries), "sha", contexts) == state


def test_an_unknown_state_never_replaces_another_nor_is_replaced() -> None:
    assert worst(["success", "made-up", "error"]) == "error"
    assert worst(["made-up", "error"]) == "made-up"


@pytest.mark.parametrize("title", ["short", "x" * 255, "ä" * 127])
def test_titles_that_fit_are_kept(title: str) -> None:
    assert cut_title(title) == title


@pytest.mark.parametrize(("title", "size"), [("x" * 256, 255), ("ä" * 200, 255), ("日" * 100, 255)])
def test_titles_that_do_not_fit_are_cut_between_characters(title: str, size: int) -> None:
    cut = cut_title(title)

    assert (len(cut.encode()), cut[-1], cut[0]) == (size, "…", title[0])


def test_words_that_close_an_issue() -> None:
    assert CLOSING.findall("Fixes #1, closes #22; resolved: #3 and see #4, unfix #5") == ["1", "22", "3"]
