"""Conflict checks of pull requests: made one after the other in the background, as the forge does.

A pull request is not mergeable while its check waits. The git commands run without the world's lock, so that a moved
target with hundreds of pull requests does not hold up everybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import gitside

if TYPE_CHECKING:
    from tests.standin.later import Later
    from tests.standin.world import CheckState, Issue, Repository, World


class Checker:
    """Keeps `Pull.check` and `Pull.merge_base`."""

    def __init__(self, world: World, later: Later) -> None:
        self._world = world
        self._later = later
        self._waiting: set[int] = set()  # ids of issues: whoever waits already is not put in line twice

    def now(self, base: Repository, issue: Issue) -> None:
        """Check at once. The caller holds the lock."""
        tips = _tips(base, issue)
        if tips is not None:
            _store(issue, *_look(base, *tips))

    def soon(self, base: Repository, issue: Issue) -> None:
        """Mark a pull request as being checked and put it in line. The caller holds the lock."""
        assert issue.pull is not None
        issue.pull.check = "checking"
        if issue.id not in self._waiting:
            self._waiting.add(issue.id)
            self._later.after(self._world.timing.conflict_check, lambda: self._work(base, issue))

    def all_onto(self, base: Repository, branch: str) -> None:
        """Put every open pull request onto a branch in line. The caller holds the lock."""
        for issue, pull in base.open_pulls():
            if pull.base_branch == branch:
                self.soon(base, issue)

    def _work(self, base: Repository, issue: Issue) -> None:
        with self._world.lock:
            self._waiting.discard(issue.id)
            tips = _tips(base, issue)
        if tips is None:
            return
        found = _look(base, *tips)
        with self._world.lock:
            # What moved meanwhile is in line again; its check will say more than this one.
            if issue.id not in self._waiting:
                _store(issue, *found)


def _tips(base: Repository, issue: Issue) -> tuple[str, str] | None:
    """Give (target, head), or None when there is nothing to check."""
    pull = issue.pull
    if pull is None or issue.is_closed:
        return None
    target, head = base.tip(pull.base_branch), base.refs.get(f"refs/pull/{issue.number}/head", "")
    return (target, head) if target and head else None


def _look(base: Repository, target: str, head: str) -> tuple[str, CheckState]:
    merge_base = gitside.merge_base(base.path, target, head)
    if merge_base == head:
        return merge_base, "ancestor"
    return merge_base, "mergeable" if gitside.merges_cleanly(base.path, target, head) else "conflict"


def _store(issue: Issue, merge_base: str, state: CheckState) -> None:
    assert issue.pull is not None
    issue.pull.merge_base, issue.pull.check = merge_base, state
