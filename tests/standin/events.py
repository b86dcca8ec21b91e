"""The payloads of webhooks, and whose permissions each of them shows.

Whose `repository.permissions` a payload carries differs per event: the commenter's on comments, the author's on
opened, edited, closed and reopened, the owner's on push, delete, label and synchronized, nobody's on create.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.standin import commit_shapes, gitside, issue_shapes, shapes
from tests.standin.access import access
from tests.standin.world import ZERO_SHA

if TYPE_CHECKING:
    from tests.standin.deliveries import Postman
    from tests.standin.world import Access, Comment, Issue, Pull, Repository, User, World

PAYLOAD_COMMIT_LIMIT = 15
NEW_BRANCH_COMMIT_LIMIT = 10


class Announcer:
    """Builds payloads from the current state and hands them to the postman. The caller holds the world's lock."""

    def __init__(self, world: World, postman: Postman) -> None:
        self._world = world
        self._postman = postman

    def pushed(self, repo: Repository, pusher: User, change: gitside.Received) -> None:
        """Announce a branch or tag that was created or moved, or a tag that was deleted."""
        commits, total = self._pushed_commits(repo, change)
        shown = [commit_shapes.payload_commit(self._world, repo, item, with_files=True) for item in commits]
        head = None
        if change.after != ZERO_SHA:
            tip = gitside.log(repo.path, "-1", change.after)[0]
            head = commit_shapes.payload_commit(self._world, repo, tip, with_files=True)
        self._send(
            repo,
            "push",
            {
                "ref": change.ref,
                "before": change.before,
                "after": change.after,
                "compare_url": self._compare_url(repo, change, commits),
                "commits": shown,
                "total_commits": total,
                "head_commit": head,
                "repository": self._repository(repo, "owner"),
                "pusher": shapes.user(self._world, pusher),
                "sender": shapes.user(self._world, pusher),
            },
        )

    def created(self, repo: Repository, sender: User, ref: str, sha: str) -> None:
        payload = {"sha": sha, "ref": ref, "ref_type": _ref_type(ref), "repository": self._repository(repo, "none")}
        self._send(repo, "create", payload | {"sender": shapes.user(self._world, sender)})

    def deleted(self, repo: Repository, sender: User, ref: str) -> None:
        payload = {
            "ref": ref,
            "ref_type": _ref_type(ref),
            "pusher_type": "user",
            "repository": self._repository(repo, "owner"),
            "sender": shapes.user(self._world, sender),
        }
        self._send(repo, "delete", payload)

    def pull(
        self,
        repo: Repository,
        item: Issue,
        action: str,
        sender: User,
        *,
        changes: dict[str, Any] | None = None,
        fine: str = "pull_request",
    ) -> None:
        """Announce what happened to a pull request. `fine` is the event's fine name."""
        level: Access
        if fine in {"pull_request_sync", "pull_request_label"}:
            level = "owner"
        elif item.pull is not None and item.pull.merged_at is not None and action == "closed":
            level = access(repo, sender)
        else:
            level = access(repo, item.poster)
        payload: dict[str, Any] = {"action": action, "number": item.number}
        if changes is not None:
            payload["changes"] = changes
        payload |= {
            "pull_request": self.pull_shape(repo, item, sender),
            "requested_reviewer": None,
            "repository": self._repository(repo, level),
            "sender": shapes.user(self._world, sender),
            "commit_id": "",
            "review": None,
        }
        self._send(repo, fine, payload)

    def issue(
        self, repo: Repository, item: Issue, action: str, sender: User, *, changes: dict[str, Any] | None = None
    ) -> None:
        payload: dict[str, Any] = {"action": action, "number": item.number}
        if changes is not None:
            payload["changes"] = changes
        payload |= {
            "issue": issue_shapes.issue(self._world, repo, item, sender),
            "repository": self._repository(repo, access(repo, item.poster)),
            "sender": shapes.user(self._world, sender),
            "commit_id": "",
        }
        self._send(repo, "issue_label" if action == "label_updated" else "issues", payload)

    def comment(
        self, repo: Repository, item: Issue, note: Comment, action: str, sender: User, *, old_body: str | None = None
    ) -> None:
        payload: dict[str, Any] = {"action": action, "issue": issue_shapes.issue(self._world, repo, item, sender)}
        if item.pull is not None:
            payload["pull_request"] = self.pull_shape(repo, item, sender)
        payload["comment"] = issue_shapes.comment(self._world, repo, item, note)
        if old_body is not None:
            payload["changes"] = {"body": {"from": old_body}}
        payload |= {
            "repository": self._repository(repo, access(repo, sender)),
            "sender": shapes.user(self._world, sender),
            "is_pull": item.pull is not None,
        }
        self._send(repo, "issue_comment" if item.pull is None else "pull_request_comment", payload)

    def pull_shape(self, repo: Repository, item: Issue, viewer: User | None) -> dict[str, Any]:
        assert item.pull is not None
        pull, head = item.pull, item.pull.head_repository
        span = pull.merge_base, self._counted_head(repo, item, pull)
        if span != pull.counted:
            pull.counts = self._counts(repo, *span)
            pull.counted = span if any(pull.counts) else ("", "")
        levels = access(repo, viewer), access(head, viewer) if head is not None else "none"
        return issue_shapes.pull(self._world, repo, item, viewer, levels)

    @staticmethod
    def _counts(repo: Repository, merge_base: str, head: str) -> tuple[int, int, int]:
        """Count changes. A push to a fork is not in this repository at once: nothing can be counted until it is."""
        if not merge_base or not head:
            return 0, 0, 0
        try:
            return gitside.short_stat(repo.path, merge_base, head)
        except gitside.GitError:
            return 0, 0, 0

    @staticmethod
    def _counted_head(repo: Repository, item: Issue, pull: Pull) -> str:
        """Give the head that changes are counted up to: none once the branch of a fork is gone."""
        if pull.head_repository is not repo and issue_shapes.head_ref(item, pull) != pull.head_branch:
            return ""
        return issue_shapes.head_sha(repo, item, pull)

    def _repository(self, repo: Repository, level: Access) -> dict[str, Any]:
        return shapes.repository(self._world, repo, level)

    def _send(self, repo: Repository, event_type: str, payload: dict[str, Any]) -> None:
        self._postman.announce(repo, event_type, payload)

    @staticmethod
    def _pushed_commits(repo: Repository, change: gitside.Received) -> tuple[list[gitside.Commit], int]:
        """Give the commits to show, newest first, and how many there were in all. Tags show none."""
        if not change.ref.startswith("refs/heads/") or change.after == ZERO_SHA:
            return [], 0
        if change.before != ZERO_SHA:
            commits = gitside.log(repo.path, change.after, f"^{change.before}")
            return commits[:PAYLOAD_COMMIT_LIMIT], len(commits)
        others = [f"^{sha}" for ref, sha in repo.refs.items() if ref.startswith("refs/heads/") and ref != change.ref]
        commits = gitside.log(repo.path, f"-{NEW_BRANCH_COMMIT_LIMIT}", change.after, *others)
        return commits, len(commits)

    def _compare_url(self, repo: Repository, change: gitside.Received, commits: list[gitside.Commit]) -> str:
        start = change.before
        if start == ZERO_SHA and commits and commits[-1].parents:
            start = commits[-1].parents[0]
        is_branch = change.ref.startswith("refs/heads/")
        if start == ZERO_SHA and is_branch and change.ref != f"refs/heads/{repo.default_branch}":
            start = repo.default_branch
        if change.after == ZERO_SHA or (is_branch and start == ZERO_SHA):
            return f"{self._world.url}/"
        return f"{self._world.url}/{repo.full_name}/compare/{start}...{change.after}"


def _ref_type(ref: str) -> str:
    return "tag" if ref.startswith("refs/tags/") else "branch"
