"""Merging a pull request: may it be merged, and the five ways to do it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.standin import gitside, issue_shapes
from tests.standin.access import can
from tests.standin.pushes import hook_environment, may_merge, protection_of

if TYPE_CHECKING:
    from tests.standin.pulls import Pulls
    from tests.standin.pushes import Pushes
    from tests.standin.world import Issue, Pull, Repository, Status, User, World

STYLES = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only")
# Worst first. A required context must be `success`: Forgejo blocks on warnings too.
SEVERITY = ("error", "failure", "warning", "pending", "success")


class NotMergedError(Exception):
    """The merge did not happen; `status` and the words are the answer of the API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def latest_statuses(repository: Repository, sha: str) -> list[Status]:
    """Give the newest status of every context of a commit."""
    newest = {status.context: status for status in repository.statuses.get(sha, [])}
    return sorted(newest.values(), key=lambda status: status.id)


def worst(states: list[str]) -> str:
    """Give the worst of some states, "" for none. A word that is no state never replaces another, nor is replaced."""
    found = ""
    for state in states:
        known = state in SEVERITY and found in SEVERITY
        if not found or (known and SEVERITY.index(state) <= SEVERITY.index(found)):
            found = state
    return found


def required_state(repository: Repository, sha: str, contexts: list[str]) -> str:
    """Work out the state that a protected branch asks for. A pattern that nothing matches is pending."""
    statuses = latest_statuses(repository, sha)
    if not contexts:
        return worst([status.state for status in statuses])
    found = []
    for pattern in contexts:
        matching = [status.state for status in statuses if fnmatchcase(status.context, pattern)]
        found.append(worst(matching) or "pending")
    return worst(found)


class Merger:
    """Merges pull requests the way the API does. Every method wants the world's lock held."""

    def __init__(self, world: World, pulls: Pulls, pushes: Pushes) -> None:
        self._world = world
        self._pulls = pulls
        self._pushes = pushes

    def refuse_unless_mergeable(self, repo: Repository, issue: Issue, doer: User, *, force: bool) -> None:
        """Check everything the forge checks before it tries.

        Raises:
            NotMergedError: with the code and the words of the first reason.
        """
        pull = issue.pull
        assert pull is not None
        if pull.merged_at is not None:
            raise NotMergedError(405, "")
        if issue.is_closed:
            raise NotMergedError(404, "The target couldn't be found.")
        rule = protection_of(repo, pull.base_branch)
        if not may_merge(rule, repo, doer):
            raise NotMergedError(405, "User not allowed to merge PR")
        if issue_shapes.is_draft(issue):
            raise NotMergedError(405, "Work in progress PRs cannot be merged")
        if pull.check != "mergeable":
            raise NotMergedError(405, "Please try again later")
        reason = self._protection_reason(repo, issue, pull)
        skips = force and (
            doer.is_admin or (can(repo, doer, "admin") and not (rule and rule.options["apply_to_admins"]))
        )
        if reason and not skips:
            raise NotMergedError(405, f"not allowed to merge [reason: {reason}]")

    @staticmethod
    def _protection_reason(repo: Repository, issue: Issue, pull: Pull) -> str:
        rule = protection_of(repo, pull.base_branch)
        if rule is None:
            return ""
        contexts = rule.options.get("status_check_contexts")
        if rule.options.get("enable_status_check"):
            sha = issue_shapes.head_sha(repo, issue, pull)
            if required_state(repo, sha, contexts if isinstance(contexts, list) else []) != "success":
                return "Not all required status checks successful"
        if rule.options.get("required_approvals"):
            return "Does not have enough approvals"
        return ""

    def merge(
        self, repo: Repository, issue: Issue, doer: User, style: str, message: str, expected_head: str = ""
    ) -> None:
        """Merge and push, through the repository's hooks.

        Raises:
            NotMergedError: unknown style, conflict, a head that moved, or a hook that refused.
        """
        pull = issue.pull
        assert pull is not None
        if style not in STYLES:
            raise NotMergedError(405, f"{style} is not an allowed merge style for this repository")
        head_sha = issue_shapes.head_sha(repo, issue, pull)
        try:
            if expected_head and expected_head != head_sha:
                raise NotMergedError(409, "head out of date")
            merged, changes = self._merge_and_push(repo, issue, head_sha, doer, style, message)
        except NotMergedError:
            # A merge that did not work out makes the forge check all pull requests onto the branch again.
            self._pulls.checker.all_onto(repo, pull.base_branch)
            raise
        self._pushes.received(repo, doer, changes)
        self._pulls.mark_merged(repo, issue, doer, merged)
        if pull.base_branch == repo.default_branch:
            self._pushes.close_mentioned_in(repo, doer, f"{issue.title}\n{issue.body}")

    def _merge_and_push(
        self, repo: Repository, issue: Issue, head_sha: str, doer: User, style: str, message: str
    ) -> tuple[str, list[gitside.Received]]:
        """Give the commit that was made and what the push of it changed."""
        assert issue.pull is not None
        branch = issue.pull.base_branch
        message = message or default_message(repo, issue, style)
        env = hook_environment(self._world, repo, doer, pull_id=issue.pull.id)
        env["GITEA_PUSH_TRIGGER"] = "pr-merge-to-base"
        with gitside.workshop(repo) as shop:
            try:
                merged = _merged(shop, style, repo.tip(branch), head_sha, message, doer, issue)
            except gitside.GitError as error:
                raise NotMergedError(409, f"merge conflict: {error.stderr}") from error
            try:
                return merged, shop.push(merged, branch, env)
            except gitside.GitError as error:
                words = gitside.remote_words(error.stderr)
                told = f"with remote message: {words}" if words else "without remote error message"
                raise NotMergedError(409, f"PushRejected {told}") from error

    def update(self, repo: Repository, issue: Issue, doer: User, style: str) -> None:
        """Bring the base branch into the head branch, by a merge or a rebase.

        Raises:
            NotMergedError: conflict (409), or nothing to do in a pull request that is closed (422).
        """
        pull = issue.pull
        assert pull is not None
        head = pull.head_repository
        if issue.is_closed or head is None:
            raise NotMergedError(422, "pull request is closed")
        base_sha, head_sha = repo.tip(pull.base_branch), head.tip(pull.head_branch)
        if gitside.merge_base(repo.path, base_sha, head_sha) == base_sha:
            return
        with gitside.workshop(repo) as shop:
            words = f"Merge branch '{pull.base_branch}' into {pull.head_branch}"
            try:
                if style == "rebase":
                    new = _rebased(shop, base_sha, head_sha, doer)
                else:
                    new = _merge_commit(shop, head_sha, base_sha, words, doer)
            except gitside.GitError as error:
                raise NotMergedError(409, "merge failed because of conflict") from error
            shop.repository = head
            env = hook_environment(self._world, head, doer, pull_id=pull.id)
            sha = f"+{new}" if style == "rebase" else new
            self._pushes.received(head, doer, shop.push(sha, pull.head_branch, env))


def default_message(repo: Repository, issue: Issue, style: str) -> str:
    pull = issue.pull
    assert pull is not None
    if style == "squash":
        return f"{issue.title} (#{issue.number})"
    source = pull.head_branch
    if pull.head_repository is not repo:
        source = f"{pull.head_repository.full_name if pull.head_repository else '<deleted>'}:{source}"
    return f"Merge pull request '{issue.title}' (#{issue.number}) from {source} into {pull.base_branch}"


def _merged(shop: gitside.Workshop, style: str, base: str, head: str, message: str, doer: User, issue: Issue) -> str:
    """Make the commit that the base branch is to have."""
    if style == "merge":
        return _merge_commit(shop, base, head, message, doer)
    if style == "squash":
        shop.git("checkout", "-q", "--detach", base)
        shop.git("merge", "-q", "--squash", head, env=_as(doer))
        author = gitside.signature(issue.poster)
        shop.git("commit", "-q", "--allow-empty", "-m", message, env=gitside.identity(author, gitside.signature(doer)))
        return shop.git("rev-parse", "HEAD")
    if style == "fast-forward-only":
        shop.git("checkout", "-q", "--detach", base)
        shop.git("merge", "-q", "--ff-only", head)
        return shop.git("rev-parse", "HEAD")
    rebased = _rebased(shop, base, head, doer)
    return _merge_commit(shop, base, rebased, message, doer) if style == "rebase-merge" else rebased


def _merge_commit(shop: gitside.Workshop, onto: str, other: str, message: str, doer: User) -> str:
    shop.git("checkout", "-q", "--detach", onto)
    shop.git("merge", "-q", "--no-ff", "--no-edit", "-m", message, other, env=_as(doer))
    return shop.git("rev-parse", "HEAD")


def _rebased(shop: gitside.Workshop, onto: str, head: str, doer: User) -> str:
    """Rebase for real: git leaves merge commits out, and what was only in them is gone. Forgejo has that, too."""
    shop.git("checkout", "-q", "--detach", head)
    env = {key: value for key, value in _as(doer).items() if key.startswith("GIT_COMMITTER")}
    shop.git("rebase", "-q", onto, env=env)
    return shop.git("rev-parse", "HEAD")


def _as(doer: User) -> dict[str, str]:
    who = gitside.signature(doer)
    return gitside.identity(who, who)
