"""The life of pull requests: opening, checking for conflicts, following pushes, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import gitside
from tests.standin.world import Issue, Pull, Repository, User, World, now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.standin.events import Announcer
    from tests.standin.later import Later

TITLE_BYTES = 255


def cut_title(title: str) -> str:
    """Cut a title to what fits Forgejo's column, ending in an ellipsis, never in half a character."""
    if len(title.encode()) <= TITLE_BYTES:
        return title
    return title.encode()[: TITLE_BYTES - 3].decode(errors="ignore") + "…"


class Pulls:
    """What pull requests do by themselves. Every method wants the world's lock held."""

    def __init__(self, world: World, announcer: Announcer, later: Later) -> None:
        self._world = world
        self._announcer = announcer
        self._later = later

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
        self._store_head(base, issue, pull)
        self.check(base, issue)
        self._announcer.pull(base, issue, "opened", author)
        return issue

    def _store_head(self, base: Repository, issue: Issue, pull: Pull) -> None:
        """Put the head's commits into the base repository, under the pull request's own ref."""
        head, ref = pull.head_repository, f"refs/pull/{issue.number}/head"
        if head is None or not head.tip(pull.head_branch):
            return
        gitside.run(base.path, "fetch", "-q", "--no-tags", str(head.path), f"+refs/heads/{pull.head_branch}:{ref}")
        base.refs[ref] = head.tip(pull.head_branch)

    def check(self, base: Repository, issue: Issue) -> None:
        """Look for conflicts, and renew what is remembered of the last check."""
        pull = issue.pull
        if pull is None or issue.is_closed:
            return
        head_sha, base_sha = base.refs.get(f"refs/pull/{issue.number}/head", ""), base.tip(pull.base_branch)
        if not head_sha or not base_sha:
            return
        merge_base = gitside.merge_base(base.path, base_sha, head_sha)
        if (merge_base, head_sha) != (pull.merge_base, pull.checked[1]):
            counts = gitside.short_stat(base.path, merge_base or base_sha, head_sha)
            pull.changed_files, pull.additions, pull.deletions = counts
        pull.merge_base, pull.checked = merge_base, (base_sha, head_sha)
        if merge_base == head_sha:
            pull.check = "empty"
        else:
            pull.check = "mergeable" if gitside.merges_cleanly(base.path, base_sha, head_sha) else "conflict"

    def check_later(self, base: Repository, issue: Issue) -> None:
        """Mark a pull request as being checked: it is not mergeable until the check has run."""
        assert issue.pull is not None
        issue.pull.check = "checking"

        def work() -> None:
            with self._world.lock:
                self.check(base, issue)

        self._later.after(self._world.timing.conflict_check, work)

    def follow_push(self, head: Repository, branch: str, pusher: User, pushed: float) -> None:
        """Move the pull requests of a branch that was pushed, then have those that target it checked again.

        `pushed` is the monotonic time of the push: pull requests opened after it have its commits already.
        """
        for base, issue, pull in self._world.pulls_from(head, branch):
            if pull.opened > pushed:
                continue
            self._store_head(base, issue, pull)
            self.check_later(base, issue)
            self._announcer.pull(base, issue, "synchronized", pusher, fine="pull_request_sync")
        for issue, pull in list(head.open_pulls()):
            if pull.base_branch == branch:
                self.check_later(head, issue)

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
        self._announcer.pull(repo, issue, action, doer)
        if not closed:
            self._store_head(repo, issue, issue.pull)
            self.check_later(repo, issue)

    def mark_merged(self, repo: Repository, issue: Issue, doer: User, commit: str) -> None:
        assert issue.pull is not None
        issue.pull.merged_at = issue.closed = issue.updated = now()
        issue.pull.merged_by, issue.pull.merge_commit = doer, commit
        issue.is_closed = True
        issue.pull.check = "mergeable"
        self._announcer.pull(repo, issue, "closed", doer)

    def retarget(self, repo: Repository, issue: Issue, doer: User, base_branch: str) -> None:
        """Aim a pull request at another branch. The event names the new branch where one expects the old one."""
        assert issue.pull is not None
        issue.pull.base_branch = base_branch
        self.check(repo, issue)
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
