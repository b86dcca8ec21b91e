"""What became of a repair: the value that tells the texts which way it took."""

from __future__ import annotations

from dataclasses import dataclass

from onehead.forge.values import PullRequest


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of a repair.

    Attributes:
        pull: its pull request.
        branch: where there can be none, the ref of the base repository that holds it. The branch judged is in a fork:
            a full name, and no branch, see `ours.LAID_READY`. Pull requests are switched off: a branch.
        patch: the same as a patch, for `git am`.
        pushed: the commit, where it was pushed onto the branch itself.
        merged_first: whether a merge of the target stands beneath the fix.
        trouble: why it was not offered, and what to do instead.
    """

    pull: PullRequest | None = None
    branch: str = ""
    patch: str = ""
    pushed: str = ""
    merged_first: bool = False
    trouble: str = ""
