"""What a repository wants of onehead. The defaults suit a project that never heard of it."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

Strategy = Literal["auto", "merge", "reparent"]
Delivery = Literal["pull-request", "push", "comment"]
Branches = Literal["repair", "status"]


class Policy(NamedTuple):
    """Choices of one repository; patterns are those of a shell, and `*` also matches slashes.

    Attributes:
        targets: patterns for the branches that are deployed; empty: the default branch.
        strategy: `auto` re-parents what has not escaped and merges the rest; `merge` always merges; `reparent`
            re-parents even what has escaped, and says what that costs.
        shared_databases: patterns for branches whose migrations are run by long-lived databases: what stands on them
            has escaped, also while it is judged.
        fresh_ids: what is re-parented gets new ids too, so that a database that has run it under the old ones stops
            with an error instead of skipping the other side in silence.
        ignore_environments: patterns for paths of environments that are not judged.
        allowed_heads: pattern for paths of environments, and how many heads those may have; the first that matches.
        delivery: how repairs reach people.
        branches: what happens for branches without a pull request.
        merge_template: path of a template for merge revisions, from the top of the repository; empty: they are made
            from their newest sibling.
        heads_up: whether pull requests that would collide with each other are told so in comments.
        doubtful: whether the file could not be understood completely: then nothing is re-parented on its word.
    """

    targets: tuple[str, ...] = ()
    strategy: Strategy = "auto"
    shared_databases: tuple[str, ...] = ()
    fresh_ids: bool = False
    ignore_environments: tuple[str, ...] = ()
    allowed_heads: tuple[tuple[str, int], ...] = ()
    delivery: Delivery = "pull-request"
    branches: Branches = "repair"
    merge_template: str = ""
    heads_up: bool = True
    doubtful: bool = False

    def ignores(self, environment: str) -> bool:
        """Whether an environment is not judged."""
        return _matches(environment, self.ignore_environments)

    def heads_allowed(self, environment: str) -> int:
        """How many heads an environment may have before that is a fork."""
        return next((most for pattern, most in self.allowed_heads if fnmatchcase(environment, pattern)), 1)

    def is_shared(self, branch: str) -> bool:
        """Whether long-lived databases run the migrations of a branch; its short name is given."""
        return _matches(branch, self.shared_databases)


def targets_of(policy: Policy, default_branch: str, branches: Collection[str]) -> tuple[str, ...]:
    """The deployed branches, short names: the default branch first where it is one of them, the others sorted.

    Args:
        policy: of the default branch, which decides what else is deployed.
        default_branch: it is the only target where no pattern matches any branch.
        branches: all branches.
    """
    chosen = sorted(name for name in branches if _matches(name, policy.targets))
    if not chosen:
        return (default_branch,)
    return tuple(sorted(chosen, key=lambda name: (name != default_branch, name)))


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
