"""What is wanted beside what is there, without a forge."""

from __future__ import annotations

import pytest

from onehead.forge.admin import BranchRule, Webhook
from onehead.service.setup import PartState, faults, is_ours, judge_rule, judge_version

EVENTS = frozenset(
    {"push", "create", "delete", "pull_request", "pull_request_sync", "issue_comment", "pull_request_comment"}
)


def hook(url: str = "https://bot.test/x/hooks/forgejo", kind: str = "forgejo") -> Webhook:
    return Webhook(1, kind, url, "json", EVENTS, "", "", active=True)


@pytest.mark.parametrize(
    ("version", "standing"),
    [
        ("15.0.3+gitea-1.22.0", PartState.OK),
        ("16.0.0-dev-38-d883bd8f12+gitea-1.22.0", PartState.OK),
        ("14.0.1+gitea-1.22.0", PartState.WRONG),
        ("1.24.2", PartState.WRONG),
    ],
)
def test_version(version: str, standing: PartState) -> None:
    assert judge_version(version).standing is standing


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://bot.test/x/hooks/forgejo", True),
        ("http://BOT.test/x/hooks/forgejo", True),
        ("https://bot.test/hooks/forgejo", False),
        ("https://bot.test.evil/x/hooks/forgejo", False),
        ("https://bot.test/x/hooks/forgejo/more", False),
    ],
)
def test_only_the_door_under_the_services_address_is_ours(url: str, ours: bool) -> None:
    assert is_ours(hook(url), "https://bot.test/x/") is ours


def test_faults() -> None:
    assert faults(hook(), "https://bot.test/x") == ()
    assert faults(hook(kind="gitea"), "https://bot.test/x") == ("its type is gitea, and that can't be changed",)


@pytest.mark.parametrize(
    ("rule", "standing"),
    [
        (None, PartState.UNSEEN),
        (BranchRule("main", True, (), frozenset()), PartState.OK),  # all checks there are
        (BranchRule("main", True, ("one*",), frozenset()), PartState.OK),
        (BranchRule("main", True, ("ci",), frozenset()), PartState.UNSEEN),
        (BranchRule("main", False, ("onehead",), frozenset()), PartState.UNSEEN),
    ],
)
def test_rule(rule: BranchRule | None, standing: PartState) -> None:
    assert judge_rule(rule, "main").standing is standing
