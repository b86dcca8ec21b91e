"""What became of a repair: the value that tells the texts which way it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onehead.forge.models import PullRequest

Source = Literal["branch", "agit", "gone"]


def source_of(pull: PullRequest) -> Source:
    """Where the commits of a pull request come from, as far as that tells who can push to it."""
    if pull.has_branch and pull.head.repository is not None:
        return "branch"
    return "agit" if pull.head.repository == pull.base.repository else "gone"


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of a repair.

    Attributes:
        pull: its pull request; with a `trouble`, one that is not what onehead would propose now.
        branch: where there can be none, the ref of the base repository that holds it. The branch judged is in a fork:
            a full name, and no branch, see `ours.LAID_READY`. Pull requests are switched off: a branch.
        patch: the same as a patch, for `git am`.
        pushed: the commit, where it was pushed onto the branch itself.
        merged_first: whether a merge of the target stands beneath the fix.
        trouble: why it was not offered, and what to do instead.
        source: where the judged commits come from: a branch, a push to `refs/for/…` without one, or a branch or fork
            that is gone.
        commit: the one with the fix, wherever it lies; empty where none was written.
    """

    pull: PullRequest | None = None
    branch: str = ""
    patch: str = ""
    pushed: str = ""
    merged_first: bool = False
    trouble: str = ""
    source: Source = "branch"
    commit: str = ""
