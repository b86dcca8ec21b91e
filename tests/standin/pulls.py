"""The life of pull requests: opening, checking for conflicts, following pushes, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import gitside
from tests.standin.world import Issue, Pull, Repository, User, World, now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.standin.checks import Checker
    from tests.standin.events import Announcer

TITLE_BYTES = 255


def cut_title(title: str) -> str:
    """Cut a title to what fits Forgejo's column, ending in an ellipsis, never in half a character."""
    if len(title.encode()) <= TITLE_BYTES:
        return title
    return title.encode()[: TITLE_BYTES - 3].decode(errors="ignore") + "…"


class Pulls:
    """What pull requests do by themselves. Every method wants the world's lock held."""

    def __init__(self, world: World, announcer: Announcer, checker: Checker) -> None:
        self._world = world
        self._announcer = announcer
        self.checker = checker

    def open(
        self,
        base: Repository,
        base_branch: str,
        head: Repository,
        head_branch: str,
        author: User,
        title: str,
        body: str,
    ) -> Issue:
        """Open a pull request; its first conflict check is made at once, as the forge does."""
        pull = Pull(self._world.next_id("pull"), head, head_branch, base_branch)
        number = max(base.issues, default=0) + 1
        issue = Issue(self._world.next_id("issue"), number, author, cut_title(title), body, pull)
        base.issues[number] = issue
        self.store_head(base, issue, pull)
        self.checker.now(base, issue)
        self._announcer.pull(base, issue, "opened", author)
        return issue

    def propose(self, base: Repository, base_branch: str, topic: str, sha: str, author: User) -> Issue:
        """Make or move a pull request that has no branch, only a topic of its author's (AGit)."""
        topic = f"{author.name.lower()}/{topic}"
        for issue, pull in base.open_pulls():
            if (pull.topic, pull.base_branch) == (topic, base_branch):
                self._store_proposal(base, issue, sha)
                issue.updated = now()
                self.checker.soon(base, issue)
                self._announcer.pull(base, issue, "synchronized", author, fine="pull_request_sync")
                return issue
        title, _, body = gitside.text(base.path, "log", "-1", "--format=%B", sha).partition("\n")
        pull = Pull(self._world.next_id("pull"), base, "", base_branch, topic=topic)
        number = max(base.issues, default=0) + 1
        issue = Issue(self._world.next_id("issue"), number, author, cut_title(title), body.strip(), pull)
        base.issues[number] = issue
        self._store_proposal(base, issue, sha)
        self.checker.now(base, issue)
        self._announcer.pull(base, issue, "opened", author)
        return issue

    @staticmethod
    def _store_proposal(base: Repository, issue: Issue, sha: str) -> None:
        ref = f"refs/pull/{issue.number}/head"
        gitside.run(base.path, "update-ref", ref, sha)
        base.refs[ref] = sha

    def store_head(self, base: Repository, issue: Issue, pull: Pull) -> None:
        """Put the head's commits into the base repository, under the pull request's own ref.

        After a push, and when somebody reopens on the page: not when one reopens through the API.
        """
        head, ref = pull.head_repository, f"refs/pull/{issue.number}/head"
        if head is None or not head.tip(pull.head_branch):
            return
        tip = head.tip(pull.head_branch)
        if head is not base:
            gitside.run(base.path, "fetch", "-q", "--no-tags", "--no-write-fetch-head", str(head.path), tip)
        gitside.run(base.path, "update-ref", ref, tip)
        base.refs[ref] = tip

    def follow_push(self, head: Repository, branch: str, pusher: User, pushed: float) -> None:
        """Move the pull requests of a branch that was pushed, then have those that target it checked again.

        `pushed` is the monotonic time of the push: pull requests opened after it have its commits already.
        """
        for base, issue, pull in self._world.pulls_from(head, branch):
            if pull.opened > pushed:
                continue
            self.store_head(base, issue, pull)
            issue.updated = now()
            self.checker.soon(base, issue)
            self._announcer.pull(base, issue, "synchronized", pusher, fine="pull_request_sync")
        self.checker.all_onto(head, branch)

    def follow_deletion(self, repo: Repository, branch: str, doer: User) -> None:
        """Close the pull requests from and to a branch that is gone."""
        from_it = [(base, issue) for base, issue, _ in self._world.pulls_from(repo, branch)]
        to_it = [(repo, issue) for issue, pull in repo.open_pulls() if pull.base_branch == branch]
        for base, issue in _once([*from_it, *to_it]):
            self.set_closed(base, issue, doer, closed=True)

    def set_closed(self, repo: Repository, issue: Issue, doer: User, *, closed: bool) -> None:
        """Close or reopen an issue or pull request, and announce it. Nothing happens when it is so already."""
        if issue.is_closed == closed:
            return
        issue.is_closed = closed
        issue.closed = now() if closed else None
        issue.updated = now()
        action = "closed" if closed else "reopened"
        if issue.pull is None:
            self._announcer.issue(repo, issue, action, doer)
            return
        # Through the API nothing is looked at anew: what was pushed meanwhile shows with the next push.
        self._announcer.pull(repo, issue, action, doer)

    def mark_merged(self, repo: Repository, issue: Issue, doer: User, commit: str) -> None:
        assert issue.pull is not None
        issue.pull.merged_at = issue.closed = issue.updated = now()
        issue.pull.merged_by, issue.pull.merge_commit = doer, commit
        issue.is_closed = True
        issue.pull.check = "checking"
        self._announcer.pull(repo, issue, "closed", doer)

    def retarget(self, repo: Repository, issue: Issue, doer: User, base_branch: str) -> None:
        """Aim a pull request at another branch. The event names the new branch where one expects the old one."""
        assert issue.pull is not None
        issue.pull.base_branch = base_branch
        issue.updated = now()
        self.checker.now(repo, issue)
        self._announcer.pull(repo, issue, "edited", doer, changes={"ref": {"from": base_branch}})

    def same_targets(self, base: Repository, base_branch: str, head: Repository, head_branch: str) -> Issue | None:
        """Find the open pull request for this pair of branches."""
        for issue, pull in base.open_pulls():
            if (pull.base_branch, pull.head_branch) == (base_branch, head_branch) and pull.head_repository is head:
                return issue
        return None


def already_exists(base: Repository, head: Repository, issue: Issue) -> str:
    pull = issue.pull
    assert pull is not None
    return (
        f"pull request already exists for these targets [id: {pull.id}, issue_id: {issue.number}, "
        f"head_repo_id: {head.id}, base_repo_id: {base.id}, head_branch: {pull.head_branch}, "
        f"base_branch: {pull.base_branch}]"
    )


def _once(pairs: Iterable[tuple[Repository, Issue]]) -> list[tuple[Repository, Issue]]:
    return list({issue.id: (repo, issue) for repo, issue in pairs}.values())
