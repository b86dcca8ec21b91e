"""How onehead knows its own work again: names of branches, and the author of commits."""

BRANCHES = "onehead/"
"""Repair branches are `onehead/<reparent|merge|reissue>/<head branch>`."""

LAID_READY = "refs/onehead/"
"""Repairs for branches in forks are `refs/onehead/<reparent|merge|reissue>/pr-<number>`: refs that are no branches.

They hold a stranger's commits. For a branch with these, Forgejo Actions and other CI systems would run what is in them
with the secrets of the repository; for other refs Forgejo starts no workflow and sends no webhook.
"""

DATABASES = "refs/onehead/databases"
"""What databases have reported of themselves: one commit per report that told something new, one file per database."""

KINDS = ("reparent", "merge", "reissue")
"""The kinds of repair that a branch's name tells."""

STATUS = "onehead"
"""Context of the commit status: what a branch protection names as a required check."""

LABEL = "onehead"
"""Label of repair pull requests, in repositories that have one of this name."""

AUTHOR = "onehead"
EMAIL = "onehead@noreply.invalid"
"""Author of every repair commit; a branch whose last commit has another author holds a person's work."""


def laid_ready_for(ref: str) -> int | None:
    """The number of the pull request from a fork for which a ref holds a repair; `None` for any other ref."""
    number = ref.rpartition("/pr-")[2]
    return int(number) if ref.startswith(LAID_READY) and number.isdecimal() else None


def repaired_by(branch: str) -> str:
    """The branch that one of our repair branches repairs; the name itself for any other."""
    if not branch.startswith(BRANCHES):
        return branch
    return branch.removeprefix(BRANCHES).partition("/")[2]
