"""From a command line to a judged examination: what `check` and `fix` share."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onehead.entrypoints.sides import two_sides
from onehead.entrypoints.terminal import SignOfLife
from onehead.flows.evidence import gather_evidence
from onehead.flows.examine import Trees, examine
from onehead.flows.memory import memory_for
from onehead.gitrepo.command import Git
from onehead.plan.policy import Policy
from onehead.plan.verdict import Examination

if TYPE_CHECKING:
    from onehead.flows.changes import Repairs


@dataclass(frozen=True, slots=True)
class Work:
    """An examination, and what is needed to write its repair."""

    git: Git
    examination: Examination
    trees: Trees

    def repairs(self) -> Repairs | None:
        """How the plans would be carried out, those that turn out impossible replaced by refusals; `None`: no plan."""
        kinds = {examined.plan.kind for examined in self.examination.environments}
        if not kinds & {"merge", "reparent", "reissue"}:
            return None
        from onehead.flows.changes import prepare  # noqa: PLC0415 - writing costs a start-up that judging need not pay

        return prepare(self.examination, self.trees)


def examined(options: argparse.Namespace, policy: Policy) -> Work:
    """Resolve the sides, read both and judge.

    Raises:
        OneheadError: what could not be read, and what to do about it.
    """
    git = Git(options.repo)
    target, head = two_sides(git, options)
    memory = memory_for(os.path.realpath(options.repo))
    with SignOfLife("reading revisions"):
        examination, trees = examine(
            git,
            target,
            head,
            policy=policy,
            memory=memory,
            evidence=lambda facts: gather_evidence(git, facts, target, head, memory),
        )
    return Work(git, examination, trees)
