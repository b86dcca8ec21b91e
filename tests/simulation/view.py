"""What people see of a forge before they decide what to do next: values, the same on every forge of a walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.simulation.chains import Chain
from tests.simulation.moves import Repair


class PullView(NamedTuple):
    """A pull request of a person. `state`: open, closed or merged."""

    key: str
    head: str
    base: str
    fork: bool
    state: str
    draft: bool
    green: bool
    edits: bool
    author: str
    title: str


class RepositoryView(NamedTuple):
    """One repository.

    Attributes:
        name: short.
        branches: short name → its chain; onehead's own branches are not among them.
        fork_branches: the same of the stranger's fork, without its default branch.
        pulls: people's, by key.
        repairs: open ones of onehead.
        closed_repairs: that a person has closed and not merged, and whose branch is still there.
        repair_branches: names of onehead's branches.
        targets: short names of the deployed branches, the default branch first.
        policy: text of `.onehead.toml` of the default branch.
        said: names of people's comments that can be edited.
    """

    name: str
    branches: Mapping[str, Chain]
    fork_branches: Mapping[str, Chain]
    pulls: Mapping[str, PullView]
    repairs: tuple[Repair, ...]
    closed_repairs: tuple[Repair, ...]
    repair_branches: tuple[str, ...]
    targets: tuple[str, ...]
    policy: str
    said: tuple[str, ...]

    @property
    def pushes_directly(self) -> bool:
        """Whether onehead may push onto people's branches by itself: then everybody waits for it between moves."""
        mine = any(pull.fork and pull.edits and pull.state == "open" for pull in self.pulls.values())
        return mine or '"push"' in self.policy
