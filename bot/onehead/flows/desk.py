"""What every story of the service works with: the forge, the mirrors, and who we are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from onehead.flows.evidence import gather_evidence
from onehead.flows.examine import Trees, examine
from onehead.flows.memory import memory_for
from onehead.forge.api import ForgejoApi
from onehead.forge.values import Repository, User
from onehead.gitrepo.mirror import Mirror, Mirrors
from onehead.plan.policy import Policy
from onehead.plan.verdict import Examination, Point

STATUS = "onehead"
"""Context of the commit status: what a branch protection names as a required check."""


@dataclass
class Desk:
    """The service's tools.

    Attributes:
        api: the forge.
        mirrors: local copies of its repositories.
        forgejo_url: where the service reaches the forge, without a trailing slash; clone URLs that the forge tells
            are built from its own idea of its address, which may be another one.
        token: for git.
        cache: where parsed files are remembered.
        judged: told every verdict, for the metrics.
    """

    api: ForgejoApi
    mirrors: Mirrors
    forgejo_url: str
    token: str
    cache: Path
    judged: Callable[[str], None] = lambda _verdict: None

    @cached_property
    def me(self) -> User:
        """The account that the token belongs to."""
        return self.api.me()

    def clone_url(self, repository: Repository) -> str:
        """Where git finds the repository."""
        return f"{self.forgejo_url}/{repository.name}.git"


@dataclass(frozen=True, slots=True)
class Bench:
    """One repository while it is being worked on: its mirror is held and fresh.

    Attributes:
        desk: the tools.
        repository: as the forge describes it now.
        mirror: held.
        target: the branch that is deployed, as it is now.
    """

    desk: Desk
    repository: Repository
    mirror: Mirror
    target: Point

    def examine(self, head: Point | None) -> tuple[Examination, Trees]:
        """Judge the target by itself, or a branch against it."""
        git = self.mirror.git
        memory = memory_for(self.desk.clone_url(self.repository), self.desk.cache)
        examination, trees = examine(
            git,
            self.target,
            head,
            policy=Policy(),
            memory=memory,
            evidence=lambda facts: gather_evidence(git, facts, self.target, head, memory),
        )
        self.desk.judged(examination.verdict)
        return examination, trees
