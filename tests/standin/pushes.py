"""What a push sets in motion, whoever made it: a person, a merge, or a commit made through the API."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from tests.standin import gitside
from tests.standin.access import RANK, access, can, writable_as_maintainer
from tests.standin.world import ZERO_SHA, Protection, Repository, User, World, now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.standin.events import Announcer
    from tests.standin.later import Later
    from tests.standin.pulls import Pulls

CLOSING = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+[#!](\d+)\b", re.IGNORECASE)


def branch_regex(pattern: str) -> str:
    """Translate a rule's glob: `*` stays within one part of a branch name, `**` does not."""
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part) or re.escape(part) for part in parts)


def protection_of(repository: Repository, branch: str) -> Protection | None:
    """Find the rule for a branch: an exact name before a pattern."""
    exact = repository.protections.get(branch)
    patterns = (rule for name, rule in repository.protections.items() if re.fullmatch(branch_regex(name), branch))
    return exact or next(patterns, None)


def may_push(rule: Protection, repository: Repository, user: User) -> bool:
    """Tell whether a protected branch takes this user's direct pushes."""
    if not rule.options.get("enable_push"):
        return False
    if rule.options.get("enable_push_whitelist"):
        return user.name in _names(rule, "push_whitelist_usernames")
    return can(repository, user, "write")


def may_merge(rule: Protection | None, repository: Repository, user: User) -> bool:
    if rule is not None and rule.options.get("enable_merge_whitelist"):
        return user.name in _names(rule, "merge_whitelist_usernames")
    return can(repository, user, "write")


def _names(rule: Protection, option: str) -> list[str]:
    value = rule.options.get(option)
    return value if isinstance(value, list) else []


def hook_environment(world: World, repository: Repository, pusher: User, *, pull_id: int = 0) -> dict[str, str]:
    """Give what hooks may read about a push, and the rules that our own hook applies.

    `pull_id` is set for merges, which protected branches take from those who may merge.
    """
    rules: dict[str, Any] = {
        "pusher": pusher.name,
        "repository": repository.full_name,
        "can_write": RANK[access(repository, pusher)] >= RANK["write"],
        "writable_branches": writable_as_maintainer(world, repository, pusher),
        "default_branch": repository.default_branch,
        "protections": [
            {"branches": branch_regex(rule.rule_name), "can_push": bool(pull_id) or may_push(rule, repository, pusher)}
            for rule in repository.protections.values()
        ],
    }
    return {
        "GITEA_REPO_USER_NAME": repository.owner.name,
        "GITEA_REPO_NAME": repository.name,
        "GITEA_REPO_ID": str(repository.id),
        "GITEA_REPO_IS_WIKI": "false",
        "GITEA_PUSHER_NAME": pusher.name,
        "GITEA_PUSHER_ID": str(pusher.id),
        "GITEA_PUSHER_EMAIL": pusher.email,
        "GITEA_ROOT_URL": f"{world.url}/",
        "GITEA_PR_ID": str(pull_id),
        "SSH_ORIGINAL_COMMAND": "gitea-internal" if pull_id else "git-receive-pack",
        "STANDIN_RULES": json.dumps(rules),
    }


class Pushes:
    """Carries the news of a push into the forge's own state, at once, and to everybody else, a little later."""

    def __init__(self, world: World, announcer: Announcer, pulls: Pulls, later: Later) -> None:
        self._world = world
        self._announcer = announcer
        self._pulls = pulls
        self._later = later

    def received(self, repository: Repository, pusher: User, changes: Sequence[gitside.Received]) -> None:
        """Take in what a push changed. Refs are true at once; events and pull requests follow as in Forgejo."""
        if not changes:
            return
        with self._world.lock:
            for change in changes:
                if change.ref.startswith("refs/for/"):
                    self._propose(repository, pusher, change)
                else:
                    self._store(repository, change)
            if any(_is_branch_or_tag(change) for change in changes):
                repository.updated = now()
        self._later.after(self._world.timing.push_update, self._follower(repository, pusher, changes))

    def _propose(self, repository: Repository, pusher: User, change: gitside.Received) -> None:
        """Take `refs/for/<branch>/<topic>`; both may have slashes, so the longest branch that exists counts."""
        place = change.ref.removeprefix("refs/for/")
        branch = max((name for name in repository.branches() if place.startswith(f"{name}/")), key=len, default="")
        if branch:
            self._pulls.propose(repository, branch, place.removeprefix(f"{branch}/"), change.after, pusher)

    @staticmethod
    def _store(repository: Repository, change: gitside.Received) -> None:
        if change.after == ZERO_SHA:
            repository.refs.pop(change.ref, None)
        else:
            repository.refs[change.ref] = change.after

    def _follower(
        self, repository: Repository, pusher: User, changes: Sequence[gitside.Received]
    ) -> Callable[[], None]:
        pushed = time.monotonic()

        def follow() -> None:
            with self._world.lock:
                for change in changes:
                    # Other refs (notes, a bot's own) are accepted and cause nothing.
                    if _is_branch_or_tag(change):
                        self._follow(repository, pusher, change, pushed)

        return follow

    def _follow(self, repository: Repository, pusher: User, change: gitside.Received, pushed: float) -> None:
        branch = change.ref.removeprefix("refs/heads/") if change.ref.startswith("refs/heads/") else None
        if change.after == ZERO_SHA:
            if branch is None:
                self._announcer.pushed(repository, pusher, change)
            self._announcer.deleted(repository, pusher, change.ref)
            if branch is not None:
                self._pulls.follow_deletion(repository, branch, pusher)
            return
        if branch is not None:
            self._notice_first(repository, branch)
            self._pulls.follow_push(repository, branch, pusher, pushed)
        if change.before == ZERO_SHA:
            self._announcer.created(repository, pusher, change.ref, change.after)
        self._announcer.pushed(repository, pusher, change)
        if branch == repository.default_branch:
            self._close_mentioned(repository, pusher, change)

    @staticmethod
    def _notice_first(repository: Repository, branch: str) -> None:
        """Take the first branch that is ever pushed as the default one, whatever its name."""
        if not repository.is_empty:
            return
        repository.is_empty = False
        if branch != repository.default_branch:
            repository.default_branch = branch
            gitside.run(repository.path, "symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def _close_mentioned(self, repository: Repository, pusher: User, change: gitside.Received) -> None:
        """Close the issues that commits on the default branch say they close, for those who may."""
        if not can(repository, pusher, "write") or change.before == ZERO_SHA:
            return
        for commit in gitside.log(repository.path, change.after, f"^{change.before}"):
            self.close_mentioned_in(repository, pusher, commit.message)

    def close_mentioned_in(self, repository: Repository, doer: User, words: str) -> None:
        for number in CLOSING.findall(words):
            issue = repository.issues.get(int(number))
            if issue is not None and (issue.pull is None or issue.pull.merged_at is None):
                self._pulls.set_closed(repository, issue, doer, closed=True)


def _is_branch_or_tag(change: gitside.Received) -> bool:
    return change.ref.startswith(("refs/heads/", "refs/tags/"))
