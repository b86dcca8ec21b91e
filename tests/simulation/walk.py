"""A seeded random walk: from what people see now, what they do next. Pure: a seed and views in, moves out.

Moves come in bursts. Within a burst nobody waits for onehead, so what happens must not depend on how quick it is: a
branch is pushed at most once, and whatever touches onehead's own work is the only thing that happens in its repository.
Between bursts everything comes to rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.migrations import VERSIONS, project, revision
from tests.simulation.chains import Chain, Revised
from tests.simulation.moves import (
    COLLEAGUE,
    OWNER,
    STRANGER,
    Act,
    DeleteBranch,
    EditPull,
    EditSaid,
    ForceBack,
    LoseWebhooks,
    MergePull,
    MergeRepair,
    Move,
    OpenPull,
    Push,
    Restart,
    Say,
    Sweep,
    Tag,
    TurnRepair,
)
from tests.simulation.view import PullView, RepositoryView

REPOSITORIES: dict[str, str] = {
    "numbers": "",
    "hexes": "",
    "releases": 'targets = ["main", "release/*"]\n',
    "pushes": 'delivery = "push"\n',
}
"""Names of the repositories, and the policy with which each begins."""

MAIN = "main"
POLICY = ".onehead.toml"
MAX_PULLS = 6
MAX_BRANCHES = 9
_COMMANDS = (
    *("/onehead check", "/onehead help", "/onehead explain", "/onehead merge", "/onehead reparent", "/onehead apply"),
    *("/onehead doctor {row}", "/onehead ignore we know", "/onehead unignore", "/onehead mend"),
    *("Looks good to me.", "> /onehead merge\n\nWhat would this do?", "```\n/onehead apply\n```"),
    "/onehead check\n/onehead explain\n",
)
_POLICIES: tuple[str, ...] = (
    "",
    'strategy = "merge"\n',
    'strategy = "reparent"\n',
    'delivery = "comment"\n',
    'delivery = "pull-request"\n',
    'delivery = "push"\n',
    'branches = "status"\n',
    "fresh-ids = true\n",
    "allowed-heads = 2\n",
)


@dataclass
class _Street:
    """One repository's own stream of chance and of names: it walks the same whatever the others do."""

    name: str
    chance: random.Random
    count: int = 0
    touched: set[str] = field(default_factory=set)  # branches pushed in this burst
    moved: bool = False  # whether anything has happened here in this burst
    closed: bool = False  # whether nothing more may

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"


class Walk:
    """Where a walk has come to."""

    def __init__(self, seed: int, repositories: Mapping[str, str] = REPOSITORIES) -> None:
        self._chance = random.Random(f"{seed}")
        self._streets = {name: _Street(name, random.Random(f"{seed}/{name}")) for name in repositories}
        self._number = 0
        self._deaf = False

    def burst(self, views: Mapping[str, RepositoryView], most: int) -> Iterator[Move]:
        """The next few moves, at most `most`; the last ones leave the network whole."""
        for street in self._streets.values():
            street.touched, street.moved, street.closed = set(), False, False
        wanted = min(most, self._chance.choice((2, 3, 4, 6, 8, 10)))
        busy = self._chance.sample(list(self._streets), min(2, len(self._streets)))
        self._deaf = False
        done = 0
        for _ in range(wanted * 4):
            if done >= wanted:
                break
            for act, where in self._next(views, busy):
                done += 1
                self._number += 1
                yield Move(self._number, where, act)
        if self._deaf:
            self._number += 1
            yield Move(self._number, "", LoseWebhooks(False))

    def _next(self, views: Mapping[str, RepositoryView], busy: list[str]) -> list[tuple[Act, str]]:
        weather = self._chance.random()
        name = self._chance.choice(busy)
        if weather < 0.06:
            self._deaf = not self._deaf
            return [(LoseWebhooks(self._deaf), "")]
        if weather < 0.07:
            return [(Restart(self._chance.random() < 0.3), "")]
        if weather < 0.08:
            return [(Sweep(), "")]
        street = self._streets[name]
        return [] if street.closed else [(act, name) for act in Turn(street, views[name]).acts()]


class Turn:
    """One person's turn in one repository."""

    def __init__(self, street: _Street, view: RepositoryView) -> None:
        self._street = street
        self._chance = street.chance
        self._view = view

    def acts(self) -> list[Act]:
        """What is done: often one act, sometimes two that go together; nothing where the idea made no sense."""
        crowded = len(self._open()) >= MAX_PULLS or len(self._view.branches) >= MAX_BRANCHES
        ideas: list[tuple[Callable[[], list[Act]], int]] = [
            (self._new_branch, 1 if crowded else 16),
            (self._new_fork_branch, 0 if crowded else 4),
            (self._push_again, 8),
            (self._rebase, 4),
            (self._fix_by_hand, 4),
            (self._delete_revision, 2),
            (self._merge_by_hand, 2),
            (self._open_pull, 0 if crowded else 4),
            (self._draft, 3),
            (self._retarget, 2),
            (self._close, 6 if crowded else 2),
            (self._reopen, 3),
            (self._merge_pull, 22 if crowded else 14),
            (self._merge_repair, 9),
            (self._turn_repair, 3),
            (self._commit_onto_repair, 2),
            (self._delete_repair_branch, 1),
            (self._delete_branch, 8 if crowded else 2),
            (self._force_back, 1),
            (self._push_target, 3),
            (self._tag, 1),
            (self._say, 6),
            (self._edit_said, 1),
            (self._set_policy, 1),
            (self._release, 1),
        ]
        idea = self._chance.choices([idea for idea, _ in ideas], [weight for _, weight in ideas])[0]
        found = idea()
        if found:
            self._street.moved = True
            self._street.closed |= self._view.pushes_directly
        return found

    # What there is

    def _open(self) -> list[PullView]:
        return [pull for pull in self._view.pulls.values() if pull.state == "open"]

    def _free(self, branch: str, *, fork: bool = False) -> bool:
        return f"{branch}@fork" not in self._street.touched if fork else branch not in self._street.touched

    def _take(self, branch: str, *, fork: bool = False) -> None:
        self._street.touched.add(f"{branch}@fork" if fork else branch)

    def _alone(self) -> bool:
        """Whether nothing else happens here in this burst; if so, nothing else will."""
        if self._street.moved:
            return False
        self._street.closed = True
        return True

    def _feature(self) -> tuple[str, Chain, bool] | None:
        """A branch of somebody's that can be worked on: (name, chain, whether in the fork)."""
        mine = [(name, chain, False) for name, chain in self._view.branches.items() if name not in self._view.targets]
        found = [each for each in mine if self._free(each[0])]
        found += [
            (name, chain, True) for name, chain in self._view.fork_branches.items() if self._free(name, fork=True)
        ]
        return self._chance.choice(found) if found else None

    def _target(self) -> str:
        targets = self._view.targets
        return targets[0] if self._chance.random() < 0.7 else self._chance.choice(targets)

    def _base_of(self, branch: str, *, fork: bool) -> str:
        return next((p.base for p in self._open() if p.head == branch and p.fork == fork), self._view.targets[0])

    # Revisions

    def _new_revisions(self, chain: Chain, count: int, *, old: bool = False) -> tuple[dict[str, str | None], str]:
        """Files of new revisions, one upon the other, on a head or on an older revision; and the last id."""
        parent = self._parent(chain, old=old)
        files: dict[str, str | None] = {}
        taken = set(chain.ids)
        for _ in range(count):
            id_ = self._new_id(taken)
            taken.add(id_)
            files |= revision(id_, parent, self._street.fresh("t"))
            parent = id_
        return files, parent or ""

    def _parent(self, chain: Chain, *, old: bool) -> str | None:
        heads = _heads(chain)
        if old and chain.files:
            return self._chance.choice(sorted(chain.ids)[-4:])
        return self._chance.choice(heads) if heads else None

    def _new_id(self, taken: set[str]) -> str:
        if self._view.name == "hexes":
            return f"{self._chance.getrandbits(48):012x}"
        return f"{max((int(id_) for id_ in taken if id_.isdecimal()), default=0) + 1:03}"

    # Ideas

    def _new_branch(self) -> list[Act]:
        base = self._target()
        branch = self._street.fresh("work")
        files: dict[str, str | None] = {f"src/{branch}.py": f"# {branch}\n"}
        depth = self._chance.choice((0, 0, 0, 1, 2, 3))
        if self._chance.random() < 0.85:
            count = self._chance.choice((1, 1, 1, 2, 3))
            more, _ = self._new_revisions(self._view.branches[base], count, old=self._chance.random() < 0.35)
            files |= more
        self._take(branch)
        acts: list[Act] = [Push(branch, f"{base}~{depth}", files, who=self._person())]
        if self._chance.random() < 0.8:
            acts.append(self._pull(branch, base))
        return acts

    def _new_fork_branch(self) -> list[Act]:
        base = self._target()
        branch = self._street.fresh("theirs")
        more, _ = self._new_revisions(self._view.branches[base], 1, old=self._chance.random() < 0.5)
        self._take(branch, fork=True)
        acts: list[Act] = [Push(branch, base, more, fork=True, who=STRANGER)]
        return [*acts, self._pull(branch, base, fork=True)]

    def _pull(self, branch: str, base: str, *, fork: bool = False) -> OpenPull:
        edits = fork and self._chance.random() < 0.4
        self._street.closed |= edits
        title = ("WIP: " if self._chance.random() < 0.12 else "") + f"Change {branch}"
        who = STRANGER if fork else self._person()
        return OpenPull(self._street.fresh("P"), branch, base, title, fork=fork, edits=edits, who=who)

    def _person(self) -> str:
        return self._chance.choice((OWNER, COLLEAGUE))

    def _push_again(self) -> list[Act]:
        found = self._feature()
        if found is None:
            return []
        branch, chain, fork = found
        files: dict[str, str | None] = {f"src/{branch}.py": f"# {branch} {self._street.fresh('edit')}\n"}
        if self._chance.random() < 0.7:
            more, _ = self._new_revisions(chain, 1, old=self._chance.random() < 0.15)
            files |= more
        return self._pushed(branch, branch, files, fork=fork)

    def _pushed(
        self,
        branch: str,
        start: str,
        files: dict[str, str | None],
        *,
        merges: str = "",
        force: bool = False,
        fork: bool = False,
    ) -> list[Act]:
        self._take(branch, fork=fork)
        who = STRANGER if fork else self._person()
        return [Push(branch, start, files, merges=merges, force=force, fork=fork, who=who)]

    def _moved(self, chain: Chain, base: Chain) -> dict[str, str | None]:
        """A branch's own revisions, rewritten by hand to stand on the base's head."""
        own = _own(chain, base)
        heads = _heads(base)
        parent = heads[-1] if heads else None
        files: dict[str, str | None] = {}
        mine = {each.id for each in own}
        for each in own:
            kept = tuple(up for up in each.parents if up in mine)
            parents = (kept[0] if len(kept) == 1 else kept) if kept else parent
            files |= revision(each.id, parents, _table(each))
        return files

    def _rebase(self) -> list[Act]:
        found = self._feature()
        if found is None:
            return []
        branch, chain, fork = found
        base = self._base_of(branch, fork=fork)
        if base not in self._view.branches or not self._free(base):
            return []
        files = self._moved(chain, self._view.branches[base])
        files[f"src/{branch}.py"] = f"# {branch} rebased {self._street.fresh('edit')}\n"
        return self._pushed(branch, base, files, force=True, fork=fork)

    def _fix_by_hand(self) -> list[Act]:
        found = self._feature()
        if found is None:
            return []
        branch, chain, fork = found
        base = self._base_of(branch, fork=fork)
        if fork or base not in self._view.branches or not self._free(base):
            return []
        files = self._moved(chain, self._view.branches[base])
        files[f"src/{branch}.py"] = f"# {branch} mended {self._street.fresh('edit')}\n"
        return self._pushed(branch, branch, files, merges=base)

    def _delete_revision(self) -> list[Act]:
        found = self._feature()
        if found is None:
            return []
        branch, chain, fork = found
        own = _own(chain, self._view.branches[self._view.targets[0]])
        if self._chance.random() < 0.1 and chain.files:
            own = [self._chance.choice(chain.files)]
        if not own:
            return []
        return self._pushed(branch, branch, {own[-1].path: None}, fork=fork)

    def _merge_by_hand(self) -> list[Act]:
        """Join the two sides of a collision, or the heads of the target, with a merge revision."""
        base = self._target()
        heads = _heads(self._view.branches[base])
        branch = self._street.fresh("join")
        if len(heads) > 1:
            self._take(branch)
            id_ = self._new_id(set(self._view.branches[base].ids))
            files: dict[str, str | None] = {**revision(id_, tuple(heads), self._street.fresh("t"))}
            return [Push(branch, base, files), self._pull(branch, base)]
        found = self._feature()
        if found is None or found[2] or not self._free(base):
            return []
        branch, chain, _ = found
        mine = [id_ for id_ in _heads(chain) if id_ not in self._view.branches[base].ids]
        if not mine or not heads or heads[0] in chain.ids:
            return []
        id_ = self._new_id({*chain.ids, *self._view.branches[base].ids})
        files = {**revision(id_, (heads[0], mine[0]), self._street.fresh("t"))}
        for each in _own(chain, self._view.branches[base]):
            files |= revision(each.id, _spelled(each.parents), _table(each))
        return self._pushed(branch, branch, files, merges=base)

    def _open_pull(self) -> list[Act]:
        proposed = {(pull.head, pull.base) for pull in self._open() if not pull.fork}
        base = self._target()
        lone = [name for name in self._view.branches if name not in self._view.targets and (name, base) not in proposed]
        lone = [name for name in lone if self._free(name)]
        if not lone:
            return []
        branch = self._chance.choice(lone)
        self._take(branch)
        return [self._pull(branch, base)]

    def _some_pull(self, state: str) -> PullView | None:
        found = [pull for pull in self._view.pulls.values() if pull.state == state]
        found = [pull for pull in found if self._free(pull.head, fork=pull.fork) and self._free(pull.base)]
        if not found:
            return None
        pull = self._chance.choice(found[-4:] if state == "closed" else found)
        self._take(pull.head, fork=pull.fork)
        return pull

    def _draft(self) -> list[Act]:
        pull = self._some_pull("open")
        if pull is None:
            return []
        title = pull.title.removeprefix("WIP: ")
        return [EditPull(pull.key, {"title": title if pull.draft else f"WIP: {title}"})]

    def _retarget(self) -> list[Act]:
        pull = self._some_pull("open")
        others = [name for name in self._view.branches if pull and name not in {pull.head, pull.base}]
        if pull is None or not others:
            return []
        likely = [name for name in others if name in self._view.targets]
        base = self._chance.choice(likely if likely and self._chance.random() < 0.7 else others)
        if any((p.head, p.base, p.fork) == (pull.head, base, pull.fork) for p in self._open()) or not self._free(base):
            return []
        return [EditPull(pull.key, {"base": base})]

    def _close(self) -> list[Act]:
        pull = self._some_pull("open")
        return [] if pull is None else [EditPull(pull.key, {"state": "closed"})]

    def _reopen(self) -> list[Act]:
        pull = self._some_pull("closed")
        if pull is None or pull.base not in self._view.branches:
            return []
        there = self._view.fork_branches if pull.fork else self._view.branches
        twin = any((p.head, p.base, p.fork) == (pull.head, pull.base, pull.fork) for p in self._open())
        return [] if pull.head not in there or twin else [EditPull(pull.key, {"state": "open"})]

    def _merge_pull(self) -> list[Act]:
        pull = self._some_pull("open")
        if pull is None or pull.draft or (not pull.green and self._chance.random() < 0.75):
            return []
        self._take(pull.base)
        style = self._chance.choice(("merge", "merge", "squash", "rebase"))
        return [MergePull(pull.key, style, delete=self._chance.random() < 0.6)]

    def _merge_repair(self) -> list[Act]:
        if not self._view.repairs or not self._alone():
            return []
        style = self._chance.choice(("merge", "merge", "squash", "rebase"))
        return [MergeRepair(self._chance.choice(self._view.repairs), style)]

    def _turn_repair(self) -> list[Act]:
        if self._view.closed_repairs and self._chance.random() < 0.6:
            return [TurnRepair(self._view.closed_repairs[-1], "open")] if self._alone() else []
        if not self._view.repairs or not self._alone():
            return []
        return [TurnRepair(self._chance.choice(self._view.repairs), "closed")]

    def _commit_onto_repair(self) -> list[Act]:
        if not self._view.repairs or not self._alone():
            return []
        branch = self._chance.choice(self._view.repairs).head
        return [Push(branch, branch, {f"src/{self._street.fresh('note')}.py": "# checked by hand\n"}, who=OWNER)]

    def _delete_repair_branch(self) -> list[Act]:
        if not self._view.repair_branches or not self._alone():
            return []
        return [DeleteBranch(self._chance.choice(self._view.repair_branches))]

    def _delete_branch(self) -> list[Act]:
        found = self._feature()
        if found is None or any(p.base == found[0] for p in self._open()):
            return []
        branch, _, fork = found
        self._take(branch, fork=fork)
        return [DeleteBranch(branch, fork=fork)]

    def _force_back(self) -> list[Act]:
        base = self._target()
        if not self._free(base) or len(self._view.branches[base].files) < 4:
            return []
        self._take(base)
        return [ForceBack(base, f"{base}~1")]

    def _push_target(self) -> list[Act]:
        base = self._target()
        if not self._free(base):
            return []
        self._take(base)
        files, _ = self._new_revisions(self._view.branches[base], 1, old=self._chance.random() < 0.4)
        return [Push(base, base, files, who=OWNER)]

    def _tag(self) -> list[Act]:
        names = sorted(name for name in self._view.branches if self._free(name))
        return [Tag(self._chance.choice(names), self._street.fresh("v"))] if names else []

    def _say(self) -> list[Act]:
        pulls = self._open()
        if not self._alone():
            return []
        key = self._chance.choice(pulls).key if pulls and self._chance.random() < 0.9 else "I"
        row = self._chance.choice(sorted(self._view.branches[MAIN].ids))
        text = self._chance.choice(_COMMANDS).format(row=row)
        who = self._chance.choice((OWNER, COLLEAGUE, STRANGER))
        return [Say(key, self._street.fresh("C"), text, who)]

    def _edit_said(self) -> list[Act]:
        if not self._view.said or not self._alone():
            return []
        return [EditSaid(self._chance.choice(self._view.said), self._chance.choice(_COMMANDS).format(row="001"))]

    def _set_policy(self) -> list[Act]:
        if not self._free(MAIN):
            return []
        self._take(MAIN)
        base = REPOSITORIES[self._view.name]
        text = self._chance.choice((base, *_POLICIES))
        if "targets" in base and "targets" not in text:
            text = base + text
        if text == self._view.policy:
            return []
        self._street.closed = True
        return [Push(MAIN, MAIN, {POLICY: text}, who=OWNER)]

    def _release(self) -> list[Act]:
        if self._view.name != "releases" or len(self._view.targets) > 2 or not self._free(MAIN):
            return []
        name = self._street.fresh("release/")
        self._take(name)
        self._street.closed = True
        return [Push(name, MAIN, {f"{name.replace('/', '-')}.txt": "A release.\n"}, who=OWNER)]


def _heads(chain: Chain) -> list[str]:
    parents = {parent for each in chain.files for parent in each.parents}
    return sorted(chain.ids - parents)


def _own(chain: Chain, base: Chain) -> list[Revised]:
    """What a branch has and its base has not, parents first."""
    left = {each.id: each for each in chain.files if each.id not in base.ids}
    order: list[Revised] = []
    while left:
        ready = [each for each in left.values() if not any(parent in left for parent in each.parents)]
        for each in sorted(ready) or sorted(left.values()):
            del left[each.id]
            order += [each]
    return order


def _table(each: Revised) -> str:
    return each.path.rpartition("/")[2].removesuffix(".py").partition("_")[2] or "table"


def _spelled(parents: tuple[str, ...]) -> str | tuple[str, ...] | None:
    return parents if len(parents) > 1 else parents[0] if parents else None


def mended(chain: Chain) -> dict[str, str | None]:
    """What a person does to a target for which no repair is open: ids of their own, parents that exist, one head."""
    files: dict[str, str | None] = {}
    if chain.is_whole:
        return {**revision(f"{max(chain.ids)}m", chain.heads, "by_hand")}
    seen: set[str] = set()
    for each in chain.files:
        parents = tuple(parent for parent in each.parents if parent in chain.ids)
        again = each.id in seen
        seen.add(each.id)
        if again or parents != each.parents:
            id_ = f"{each.id}{len(files)}" if again else each.id
            older = [other for other in sorted(chain.ids) if other < each.id]
            files[each.path] = None
            files |= revision(id_, _spelled(parents or tuple(older[-1:])), _table(each))
    return files


def beginning(name: str) -> dict[str, str | None]:
    """The files of a repository on its first day."""
    files: dict[str, str | None] = {"README.md": f"# {name}\n", **project()}
    if REPOSITORIES[name]:
        files[POLICY] = REPOSITORIES[name]
    parent = None
    for number in range(1, 4):
        id_ = f"{number * 0x123456789ABC % 0xFFFFFFFFFFFF:012x}" if name == "hexes" else f"{number:03}"
        files |= revision(id_, parent, f"t{number}", VERSIONS)
        parent = id_
    return files
