"""Two places walk the same walk: one hears webhooks, the other hears none and is only swept. Both must stand alike."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.simulation.canon import canon, differences
from tests.simulation.chains import Chain
from tests.simulation.invariants import broken, is_well
from tests.simulation.moves import (
    OWNER,
    Act,
    EditPull,
    LoseWebhooks,
    MergePull,
    MergeRepair,
    Move,
    Push,
    Restart,
    Say,
    Sweep,
    TurnRepair,
)
from tests.simulation.place import Place
from tests.simulation.view import PullView, RepositoryView
from tests.simulation.walk import REPOSITORIES, Walk, mended

_REMEMBERED = 14
_MAX_ROUNDS = 200
_MAX_SWEEPS = 5


class Astray(AssertionError):
    """A promise was not kept. The text says where, and how the walk got there."""


class Twins:
    """A walk through two places at once."""

    def __init__(self, seed: int, folder: Path, repositories: Mapping[str, str] = REPOSITORIES) -> None:
        self.seed = seed
        self._names = tuple(repositories)
        self._walk = Walk(seed, repositories)
        born = int(time.time()) - 5 * 24 * 3600
        self.hearing = Place("webhooks", repositories, folder, born, hooks=True)
        self.deaf = Place("sweep-only", repositories, folder, born, hooks=False)
        self.places = (self.hearing, self.deaf)
        self._past: dict[str, deque[str]] = {name: deque(maxlen=_REMEMBERED) for name in self._names}
        self.number = 0
        self.late: list[str] = []
        self._asked: set[tuple[str, str, Chain | None, Chain | None]] = set()
        self._compare(self._names, heard=True)

    def stop(self) -> None:
        for place in self.places:
            place.stop()

    def go(self, moves: int, told: Callable[[str], None] = lambda _line: None) -> None:
        """Walk.

        Raises:
            Astray: a promise was not kept.
        """
        while self.number < moves:
            views = {name: self.hearing.view(name) for name in self._names}
            touched: set[str] = set()
            heard = True
            for move in self._walk.burst(views, moves - self.number):
                self.number = move.number
                self._perform(move)
                touched |= {move.repository} if move.repository else set()
                heard &= not isinstance(move.act, LoseWebhooks | Restart)
            if touched:
                self._compare(sorted(touched), heard=heard)
            told(self.line())

    def line(self) -> str:
        """How far it got."""
        pulls = sum(len(site.pulls) for site in self.hearing.sites.values())
        issues = [issue for site in self.hearing.sites.values() for issue in site.repository.issues.values()]
        repairs = sum(1 for issue in issues if issue.pull and issue.poster is self.hearing.bot)
        comments = sum(1 for issue in issues for note in issue.comments if note.poster is self.hearing.bot)
        runs = sum(place.service.runs for place in self.places)
        return (
            f"seed {self.seed}: {self.number} moves, {pulls} pull requests, {repairs} repairs, {comments} comments, "
            f"{runs} runs, {len(self.late)} late"
        )

    def _perform(self, move: Move) -> None:
        told = {place.name: place.perform(move) for place in self.places if self._concerns(place, move)}
        line = f"{move} → {' / '.join(dict.fromkeys(told.values()))}"
        for name in [move.repository] if move.repository else self._names:
            self._past[name].append(line)
        if len(set(told.values())) > 1:
            self._fail(move.repository, [f"the same move had two outcomes: {told}"])

    def _concerns(self, place: Place, move: Move) -> bool:
        """The deaf place has no webhooks to lose, and is swept between bursts anyway."""
        return place is self.hearing or not isinstance(move.act, LoseWebhooks | Sweep)

    def _compare(self, names: tuple[str, ...] | list[str], *, heard: bool) -> None:
        try:
            self.hearing.rest()
            if not heard:
                self.hearing.sweep(names)
            self.deaf.rest()
            self.deaf.sweep(names)
        except Exception as defect:
            self._fail(" ".join(names), [f"onehead failed: {type(defect).__name__}: {defect}"], defect)
        for name in names:
            one, other = canon(self.hearing, name), canon(self.deaf, name)
            if one != other:
                self._sweep(self.deaf, [name])
                other = canon(self.deaf, name)
            if one != other:
                if heard:
                    late = [line.partition("\n")[0] for line in differences(one, other)]
                    self.late.append(f"{self.number} {name}: {', '.join(late)} after {self._past[name][-1]}")
                self._sweep(self.hearing, [name])
                one = canon(self.hearing, name)
            found = [f"{place.name}: {line}" for place in self.places for line in broken(place, name)]
            if one != other:
                found += [f"the places differ (webhooks, then sweep only): {line}" for line in differences(one, other)]
            if found:
                self._fail(name, found)

    def _sweep(self, place: Place, names: tuple[str, ...] | list[str]) -> None:
        """Sweep until there is nothing to do: what one branch's repair changes, another one's verdict may rest on."""
        for _ in range(_MAX_SWEEPS):
            written = place.sweep(names)
            if not written:
                return
        self._fail(" ".join(names), [f"{place.name}: sweep after sweep still writes {written[:8]}"])

    def finish(self, told: Callable[[str], None] = lambda _line: None) -> None:
        """The quiet end, and then people accept whatever is proposed until nothing is left to accept.

        Raises:
            Astray: a promise was not kept.
        """
        self._quiet()
        for _ in range(_MAX_ROUNDS):
            told(f"{self.line()}; people accept what is proposed")
            if not any(self._accept(name) for name in self._names):
                break
        else:
            self._fail(" ".join(self._names), ["people accept and accept, and it does not end"])
        self._quiet()
        for name in self._names:
            for place in self.places:
                for target in place.targets(name):
                    if not is_well(place, name, target):
                        self._fail(name, [f"{place.name}: {target} does not end at one head"])

    def _quiet(self) -> None:
        """Sweeps set right what there is; the next ones have nothing to do."""
        for place in self.places:
            self._sweep(place, self._names)
            written = [*place.sweep(), *place.sweep()]
            if written:
                self._fail(" ".join(self._names), [f"{place.name}: a quiet sweep writes {written[:8]}"])
        self._compare(self._names, heard=True)

    def _accept(self, name: str) -> bool:
        """Do one thing that onehead proposes, or merge one pull request that it is content with."""
        view = self.hearing.view(name)
        for act in self._acceptable(view):
            self.number += 1
            self._perform(Move(self.number, name, act))
            self._compare([name], heard=True)
            if self.hearing.view(name)._replace(said=()) != view._replace(said=()):
                return True
        return False

    def _acceptable(self, view: RepositoryView) -> Iterator[Act]:
        for repair in view.repairs:
            yield MergeRepair(repair)
        for repair in view.closed_repairs:
            yield TurnRepair(repair, "open")
        for target in view.targets:
            if not is_well(self.hearing, view.name, target):
                yield Push(target, target, mended(view.branches[target]), who=OWNER)
        for pull in view.pulls.values():
            if pull.state != "open":
                continue
            if pull.draft:
                yield EditPull(pull.key, {"title": pull.title.removeprefix("WIP: ")})
            elif pull.green:
                yield MergePull(pull.key, delete=True)
            elif not any(repair.base == pull.head for repair in view.repairs) and self._is_new(view, pull):
                yield Say(pull.key, f"A{self.number}", "/onehead apply", pull.author)

    def _is_new(self, view: RepositoryView, pull: PullView) -> bool:
        """Whether nobody has asked for this repair yet, with branch and target as they are."""
        branches = view.fork_branches if pull.fork else view.branches
        asked = view.name, pull.key, branches.get(pull.head), view.branches.get(pull.base)
        fresh = asked not in self._asked
        self._asked.add(asked)
        return fresh

    def _fail(self, name: str, found: list[str], defect: BaseException | None = None) -> None:
        past = [line for each in name.split() for line in self._past.get(each, ())]
        text = "\n".join(
            [
                f"Seed {self.seed}, move {self.number}, repository {name or '(all)'}:",
                *(f"- {line[:1500]}" for line in found[:12]),
                "The last moves there:",
                *past,
                f"Again: make simulate SEED={self.seed} MOVES={self.number}",
            ]
        )
        raise Astray(text) from defect
