"""How onehead knows its own work again: names of branches, and the author of commits."""

BRANCHES = "onehead/"
"""Repair branches are `onehead/<reparent|merge|reissue>/<head branch>`."""

KINDS = ("reparent", "merge", "reissue")
"""The kinds of repair that a branch's name tells."""

LABEL = "onehead"
"""Label of repair pull requests, in repositories that have one of this name."""

AUTHOR = "onehead"
EMAIL = "onehead@noreply.invalid"
"""Author of every repair commit; a branch whose last commit has another author holds a person's work."""


def repaired_by(branch: str) -> str:
    """The branch that one of our repair branches repairs; the name itself for any other."""
    if not branch.startswith(BRANCHES):
        return branch
    return branch.removeprefix(BRANCHES).partition("/")[2]
