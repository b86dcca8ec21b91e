"""The vocabulary of a walk: what people, the network and the operator do. Values; whoever performs them is elsewhere.

People's pull requests and comments go by names of the walk (`P7`, `C3`), because each forge numbers its own. Repairs go
by the pair of branches that they join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OWNER, COLLEAGUE, STRANGER = "ann", "bob", "eve"
"""The owner of every repository, somebody who may push to it, and somebody who has only a fork of it."""


@dataclass(frozen=True, slots=True)
class Push:
    """Somebody commits and pushes.

    Attributes:
        branch: short name.
        start: the parent: a branch, or `branch~2`; the branch itself to go on with it.
        files: path → text, `None` deletes.
        merges: a branch that is merged at the same time; its tree is what `files` change.
        force: the branch is thrown away and begins anew at `start`.
        fork: whether it happens in the stranger's fork; `start` and `merges` are those of the base repository, except
            when a branch goes on.
        who: pushes.
    """

    branch: str
    start: str
    files: Mapping[str, str | None]
    merges: str = ""
    force: bool = False
    fork: bool = False
    who: str = COLLEAGUE


@dataclass(frozen=True, slots=True)
class ForceBack:
    """The owner throws the last commits of a branch away."""

    branch: str
    to: str


@dataclass(frozen=True, slots=True)
class DeleteBranch:
    """Somebody deletes a branch."""

    branch: str
    fork: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """Somebody gives a branch's present commit a name for good."""

    branch: str
    name: str


@dataclass(frozen=True, slots=True)
class OpenPull:
    """Somebody opens a pull request, called `key` from now on."""

    key: str
    head: str
    base: str
    title: str
    fork: bool = False
    edits: bool = False
    who: str = COLLEAGUE


@dataclass(frozen=True, slots=True)
class EditPull:
    """The owner changes a pull request: `title`, `base` or `state`."""

    key: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MergePull:
    """The owner presses the button; the forge may refuse."""

    key: str
    style: str = "merge"
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair pull request: the branch that holds it and the one that it repairs."""

    head: str
    base: str


@dataclass(frozen=True, slots=True)
class MergeRepair:
    """The owner accepts a repair."""

    repair: Repair
    style: str = "merge"


@dataclass(frozen=True, slots=True)
class TurnRepair:
    """The owner closes a repair, or opens it again."""

    repair: Repair
    state: str


@dataclass(frozen=True, slots=True)
class Say:
    """Somebody comments on a pull request (or on the issue `I`); the comment is called `name` from now on."""

    key: str
    name: str
    text: str
    who: str = COLLEAGUE


@dataclass(frozen=True, slots=True)
class EditSaid:
    """Somebody changes what they said."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LoseWebhooks:
    """From now on (or from now on no more) nothing of what the forge sends arrives."""

    lost: bool


@dataclass(frozen=True, slots=True)
class Restart:
    """The service is killed and comes up again, perhaps without its cache."""

    empty: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """The scheduled sweep comes by."""


Act = (
    Push
    | ForceBack
    | DeleteBranch
    | Tag
    | OpenPull
    | EditPull
    | MergePull
    | MergeRepair
    | TurnRepair
    | Say
    | EditSaid
    | LoseWebhooks
    | Restart
    | Sweep
)


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a walk.

    Attributes:
        number: counts from 1.
        repository: where; empty for what happens to all of them.
        act: what.
    """

    number: int
    repository: str
    act: Act = field(repr=True)

    def __str__(self) -> str:
        """One line, as a person wants to read it."""
        act = self.act
        words = []
        for name in act.__slots__:
            value = getattr(act, name)
            if name == "files":
                value = ", ".join(f"{'-' if text is None else '+'}{_short(path, text)}" for path, text in value.items())
            if value not in ("", False, None):
                words.append(f"{name}={value}")
        return f"{self.number:4} {self.repository or '(all)'}: {type(act).__name__} {' '.join(words)}"


def _short(path: str, text: str | None) -> str:
    name = path.rpartition("/")[2]
    if text is not None and path.endswith(".toml"):
        return f"{name}({' '.join(text.split())})"
    for line in (text or "").splitlines():
        if line.startswith("down_revision"):
            return f"{name}<{line.partition(' = ')[2]}"
    return name
