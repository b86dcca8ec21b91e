"""A push arrives: which of its branches are deployed, and what it would do to each. Nothing is accepted yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from onehead.errors import CannotJudge
from onehead.examine.examine import examine, read_policy
from onehead.examine.read import Memory
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import ShallowHistory
from onehead.gitrepo.pushed import HEADS, Update
from onehead.gitrepo.refs import DEFAULT_BRANCHES, current_branch, is_ancestor, list_refs
from onehead.plan.policy import Policy, targets_of
from onehead.plan.verdict import Examination, Point, PushedBranch, objections


class Arrival(NamedTuple):
    """A push: its deployed branches, judged, up to the first that is refused, and its other branches.

    `into` is the deployed branch that those would be merged into, as the push leaves it; `None` where there is none.
    """

    landings: tuple[PushedBranch, ...]
    others: tuple[Update, ...]
    into: Point | None


def arrive(git: Git, updates: tuple[Update, ...], memory: Memory) -> Arrival:
    """Judge the branches that a push makes or moves, while what is pushed waits in quarantine."""
    old = {ref.name.removeprefix(HEADS): ref.sha for ref in list_refs(git, "refs/heads")}
    new = {update.branch: update.new for update in updates}
    default = _default_branch(git, old, new)
    tip = old.get(default) or new.get(default)
    policy = read_policy(git, tip).policy if tip else Policy()
    targets = targets_of(policy, default, old.keys() | new.keys())
    landings = []
    for update in sorted((each for each in updates if each.branch in targets), key=lambda u: targets.index(u.branch)):
        landings.append(_landing(git, update, old.get(default), memory))
        if objections(landings[-1]):
            break  # git takes all or none; and a time-out in the rest could not turn the verdict round
    into = new.get(targets[0]) or old.get(targets[0])
    return Arrival(
        landings=tuple(landings),
        others=tuple(update for update in updates if update.branch not in targets),
        into=Point(f"{HEADS}{targets[0]}", into) if into else None,
    )


def look_ahead(git: Git, arrival: Arrival, memory: Memory) -> Iterator[Examination]:
    """How each of the other branches would get on with the deployed one, if it were merged now."""
    if arrival.into is not None:
        for update in arrival.others:
            yield _examined(git, arrival.into, Point(update.ref, update.new), memory)


def _default_branch(git: Git, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The branch of HEAD; where nobody ever pushed that one, the first of the usual names that there is.

    A bare repository is made with HEAD on `master` or `main`, whatever its people call their branch later.
    """
    head = current_branch(git)
    if head is None:
        raise CannotJudge(
            "HEAD of the repository names no branch, so it is not known which branch is deployed.",
            "On the server, in the repository: git symbolic-ref HEAD refs/heads/main",
        )
    own = head.removeprefix(HEADS)
    return next((name for known in (old, new) for name in (own, *DEFAULT_BRANCHES) if name in known), own)


def _landing(git: Git, update: Update, default: str | None, memory: Memory) -> PushedBranch:
    place, new = f"{HEADS}{update.branch}", Point(update.ref, update.new)
    if not update.creates:
        examination = _examined(git, Point(place, update.old), new, memory, replaces=True)
        pushed = PushedBranch(update.branch, "itself", examination)
        return pushed._replace(grows=_grows(git, update)) if objections(pushed) else pushed
    if default is not None:
        examination = _examined(git, Point(place, default), new, memory, replaces=True)
        return PushedBranch(update.branch, "default", examination, grows=False)
    return PushedBranch(update.branch, "nothing", _examined(git, new, None, memory), grows=False)


def _grows(git: Git, update: Update) -> bool:
    """Whether it is no push by force; only the advice depends on it, so where nobody can tell, it is none."""
    try:
        return is_ancestor(git, update.old, update.new)
    except ShallowHistory:
        return False


def _examined(git: Git, target: Point, head: Point | None, memory: Memory, *, replaces: bool = False) -> Examination:
    # How a repair would be done is decided where it is done, with a look at every other branch; it is not here.
    return examine(git, target, head, memory=memory, replaces=replaces)[0]
