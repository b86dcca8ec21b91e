"""Rounds of chaos on one engine: people work, processes are killed, then all has to stand as it should."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from starlette.types import ASGIApp

from tests.chaos.database import Database, nothing_is_noted, noting
from tests.chaos.fleet import PACE, Fleet, Member, children
from tests.chaos.gate import Gate, Step, Trap
from tests.chaos.plan import CHILDREN, Blow, Round, Trouble, planned
from tests.chaos.promises import Ran, at_two_places, repeated_statuses
from tests.migrations import revision
from tests.simulation.invariants import broken
from tests.simulation.moves import EditPull, LoseWebhooks, Move, OpenPull, Push, Restart, Sweep
from tests.simulation.place import Place
from tests.simulation.walk import MAIN, REPOSITORIES, Walk
from tests.standin.server import StandinServer
from tests.standin.world import User

SECONDS_TO_CONVERGE = 600.0
"""Far more than it takes on a machine that has nothing else to do: there, some ten; the slowest is told."""

ROUNDS_OF_A_WORLD = 5
"""After which all begins anew: repositories that grow make each look longer."""

MAX_HITS = 3
"""Collisions that are open at a time, beside what people do."""

SECONDS_AT_A_STEP = 6.0
_STEPS_AT_ONCE = 4
_REMEMBERED = 60


class Broken(AssertionError):
    """A promise was not kept. The text says which, and what led there."""


@dataclass
class Tally:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    faults: int = 0
    runs: int = 0
    orphans: int = 0
    again: int = 0
    slowest: float = 0.0
    violations: list[str] = field(default_factory=list)
    tell: bool = False

    @property
    def killed(self) -> int:
        return sum(self.kills.values())


class _Place(Place):
    """Says what the processes have logged where it does not come to rest."""

    def rest(self, seconds: float = 120.0) -> None:
        try:
            super().rest(seconds)
        except AssertionError as error:
            story = self.service.story() if isinstance(self.service, Fleet) else ()
            raise Broken("\n".join([str(error), *story])) from error


class World:
    """One forge, its onehead, and the rounds that it goes through."""

    def __init__(
        self,
        seed: str,
        folder: Path,
        database: Database | None,
        tally: Tally,
        pace: int = PACE,
        patience: float = SECONDS_AT_A_STEP,
    ) -> None:
        """Start all of it; `patience` is how many seconds are waited for somebody at a step."""
        self._patience = patience
        self._chance = random.Random(seed)
        self.tally = tally
        self._database = database
        self._past: deque[str] = deque(maxlen=_REMEMBERED)
        self._hits = 0
        self._excused = False  # whether something may be lost until the next sweep
        self._number = 0
        self._judged_until = 0.0
        self._repeated: set[str] = set()
        names = self._chance.sample(sorted(REPOSITORIES), 2)
        repositories = {name: REPOSITORIES[name] for name in names}
        self._walk = Walk(self._chance.randrange(1_000_000), repositories)
        self._steps: list[Step] = []
        url = database.fresh() if database else ""

        def around(app: ASGIApp) -> ASGIApp:
            self.gate = Gate(app, random.Random(f"{seed}/faults"))
            return self.gate

        def service(server: StandinServer, bot: User, here: Path, covered: list[str]) -> Fleet:
            self.gate.world = server.forge.world
            self.fleet = Fleet(server, bot, here, covered, url, pace)
            return self.fleet

        born = int(time.time()) - 5 * 24 * 3600
        self.place = _Place("chaos", repositories, folder, born, hooks=True, service=service, around=around)

    def stop(self) -> None:
        """End all of it."""
        self.place.stop()

    def go(self, most: int) -> None:
        """One round, of at most so many kills.

        Raises:
            Broken: a promise was not kept.
        """
        self.run(planned(self._chance, postgres=self._database is not None, most=most))

    def run(self, wanted: Round) -> None:
        """This round; see `go`."""
        self._note(f"round {self.tally.rounds + 1}: {', '.join(wanted.troubles) or 'no trouble'}")
        views = {name: self.place.view(name) for name in self.place.sites}
        moves = deque(self._walk.burst(views, wanted.moves))
        self._excused = bool(wanted.troubles - {Trouble.DOUBLED, Trouble.MIRROR, Trouble.STALL})
        with self._troubled(wanted.troubles):
            for kill, delay in zip(wanted.kills, wanted.delays, strict=True):
                self._strike(kill, delay, moves.popleft() if moves else None)
            for move in moves:
                self._perform(move)
        self.settle()
        self.tally.rounds += 1

    # People

    def _perform(self, move: Move) -> None:
        if isinstance(move.act, Sweep):
            return
        self._excused |= isinstance(move.act, LoseWebhooks)
        if isinstance(move.act, Restart):
            self._count("all processes at once", len(self.fleet.members))
        try:
            told = self.place.perform(move)
        except psycopg.Error as error:
            told = f"{error}"
        self._note(f"{move} → {told}")

    def _collide(self) -> None:
        """Somebody proposes a revision that stands on an older one: the merge has two heads."""
        self._hits += 1
        name = self._chance.choice(sorted(self.place.sites))
        chain = self.place.view(name).branches[MAIN]
        parents = sorted(chain.ids - set(chain.heads)) if chain.is_whole else sorted(chain.ids)
        parent = self._chance.choice(parents[-3:])
        branch, key = f"hit{self._hits}", f"H{self._hits}"
        files = revision(f"c{self._hits:03}", parent, f"hit{self._hits}")
        self._number += 1
        self._perform(Move(100_000 + self._number, name, Push(branch, MAIN, files)))
        self._number += 1
        self._perform(Move(100_000 + self._number, name, OpenPull(key, branch, MAIN, f"Hit {self._hits}")))

    def _stir(self) -> None:
        """Give it something to do: a new collision, or the end of one where there are many."""
        open_ = [
            (name, key)
            for name, site in self.place.sites.items()
            for key, number in site.pulls.items()
            if key.startswith("H") and not site.repository.issues[number].is_closed
        ]
        if len(open_) < MAX_HITS:
            self._collide()
            return
        name, key = open_[0]
        self._number += 1
        self._perform(Move(100_000 + self._number, name, EditPull(key, {"state": "closed"})))

    def keep_stirring(self, trap: Trap) -> None:
        """Until somebody is caught, who has something to do then."""
        for _ in range(10):
            self._stir()
            if trap.caught.wait(self._patience):
                return
        raise Broken("\n".join([f"nobody comes to {trap.steps}", *self.fleet.story()]))

    # Kills

    def _strike(self, kill: Blow | None, delay: float, move: Move | None) -> None:
        if kill is None:
            self._at_step(move)
            return
        if move is not None:
            self._perform(move)
        if kill is Blow.NOTED:
            self._before_delete()
            return
        time.sleep(delay)
        self._blow(kill)

    def _at_step(self, move: Move | None) -> None:
        """Whoever comes first to one of a few steps that were not seen lately."""
        if not self._steps:
            self._steps = self._chance.sample([*Step], len(Step))
        trap = self.gate.set(*self._steps[-_STEPS_AT_ONCE:])
        try:
            if move is not None:
                self._perform(move)
            if not trap.caught.is_set():
                self._stir()
            if trap.caught.wait(self._patience) and trap.step is not None:
                self._note(f"{trap.step}: {trap.who} in {trap.repository} is killed")
                if self.fleet.kill(self.fleet.member_of(trap.who), trap.who):
                    self._steps.remove(trap.step)
                    self._count(trap.step)
            else:
                self._note(f"nobody came to {sorted(trap.steps)}")
                self._blow(Blow.PROCESS)
        finally:
            self.gate.take_away(trap)

    def _before_delete(self) -> None:
        """A run has read the inbox, done everything, and can't note it; then it is killed."""
        until = time.monotonic() + 2 * self._patience
        try:
            # What it is to do has to be in the inbox before nothing can be written there any more.
            trap = self.gate.set(Step.BEGUN)
            self._stir()
            if not trap.caught.wait(self._patience):
                self.gate.take_away(trap)
                self._blow(Blow.PROCESS)
                return
            with nothing_is_noted(self.fleet.database_url) as connection:
                self.gate.take_away(trap)
                while not (name := noting(connection)) and time.monotonic() < until:
                    time.sleep(0.01)
                if not name:
                    self._note(f"{Blow.NOTED}: nobody came there")
                else:
                    self._note(f"{Blow.NOTED}: {name} is killed")
                    self.fleet.kill(self.fleet.members[name])
                    self._count(Blow.NOTED)
        except psycopg.Error as error:
            self._note(f"{Blow.NOTED}: {error}")
        finally:
            self.gate.take_away(trap)

    def _blow(self, kill: Blow) -> None:
        member = self._chance.choice([*self.fleet.members.values()])
        match kill:
            case Blow.PROCESS:
                self._note(f"{member.life.who} is killed")
                self._excused |= member.role == "web"
                self.fleet.kill(member)
                self._count(kill)
            case Blow.ALL:
                self._note("all are killed")
                for each in self.fleet.members.values():
                    self.fleet.kill(each)
                    self._count(kill)
            case Blow.POSTGRES:
                assert self._database is not None
                self._note("PostgreSQL is killed")
                self._database.kill()
                self._count(kill)
            case _:
                self._kill_child(kill)

    def _kill_child(self, kill: Blow) -> None:
        until = time.monotonic() + SECONDS_AT_A_STEP / 2
        while time.monotonic() < until:
            for member in self._chance.sample([*self.fleet.members.values()], len(self.fleet.members)):
                for number in children(member.life.process.pid):
                    with suppress(OSError):
                        line = Path(f"/proc/{number}/cmdline").read_text()
                        if CHILDREN[kill] in line.partition("\0--")[0]:
                            os.kill(number, signal.SIGKILL)
                            self._note(f"{kill} of {member.life.who} is killed")
                            self._count(kill)
                            # What an analyzer was killed over waits for the sweep, and so does what a door missed.
                            self._excused |= kill is not Blow.GIT
                            return
            time.sleep(0.02)

    # Troubles

    @contextmanager
    def _troubled(self, troubles: frozenset[Trouble]) -> Iterator[None]:
        timing = self.place.forge.world.timing
        before = replace(timing)
        with ExitStack() as stack:
            for trouble in sorted(troubles):
                self.tally.troubles[trouble] += 1
                undo = self._begin(trouble)
                stack.callback(undo)
            yield
        timing.delivery, timing.lose_webhooks, self.gate.faulty = before.delivery, False, 0.0
        for site in self.place.sites.values():
            site.repository.hooks.pop(2, None)

    def _begin(self, trouble: Trouble) -> Callable[[], object]:
        """Begin it; what ends it."""
        timing = self.place.forge.world.timing
        member = self._chance.choice(self.fleet.workers())
        match trouble:
            case Trouble.LOST:
                timing.lose_webhooks = True
            case Trouble.DOUBLED:
                timing.delivery = (0.0, 1.0)
                for site in self.place.sites.values():
                    site.repository.hooks[2] = replace(site.repository.hooks[1], id=2)
            case Trouble.FORGE:
                self.gate.faulty = 0.1
            case Trouble.DISK:
                member.limit_files(self._chance.choice((0, 100, 1000)))
                return lambda: member.limit_files(-1)
            case Trouble.MIRROR:
                self._damage(member)
            case Trouble.CLOCK:
                member.clock.write_text(str(self._chance.choice((-86400 * 3, -3600, 3600, 86400 * 40))))
                return lambda: self._right_clock(member)
            case Trouble.STALL:
                return self._stall(member)
            case Trouble.RESTART:
                assert self._database is not None
                self._database.restart()
        return lambda: None

    def _right_clock(self, member: Member) -> None:
        member.clock.unlink(missing_ok=True)

    def _stall(self, member: Member) -> Callable[[], object]:
        process = member.life.process
        seconds = self._chance.uniform(0.2, 5.0)
        self._note(f"{member.life.who} stands still for {seconds:.1f} s")
        process.send_signal(signal.SIGSTOP)
        timer = threading.Timer(seconds, process.send_signal, [signal.SIGCONT])
        timer.start()
        return timer.join

    def _damage(self, member: Member) -> None:
        files = sorted(path for path in (member.cache / "mirrors").rglob("*") if path.is_file())
        if not files:
            return
        path = self._chance.choice(files)
        self._note(f"{member.name}: {path.relative_to(member.cache)} is damaged")
        with suppress(OSError):
            match self._chance.choice(("cut", "garbage", "gone")):
                case "cut":
                    path.chmod(0o600)
                    os.truncate(path, path.stat().st_size // 2)
                case "garbage":
                    path.chmod(0o600)
                    path.write_bytes(self._chance.randbytes(60))
                case "gone":
                    path.unlink()

    # Promises

    def settle(self) -> None:
        """Nothing is in the way any more: within bounded time, and after one sweep at most, all is as it should be."""
        began = time.monotonic()
        self.fleet.wait_until_up()
        if self._excused:
            self._note("one sweep")
            self.fleet.sweep()
        until = began + SECONDS_TO_CONVERGE
        found: list[str] = []
        while True:
            calm = self._is_calm()
            if calm:
                found = [line for name in self.place.sites for line in broken(self.place, name)]
            if (calm and not found) or time.monotonic() > until:
                break
            time.sleep(0.05)
        if not calm:
            found += ["it does not come to rest"]
        took = time.monotonic() - began
        self.tally.slowest = max(self.tally.slowest, took)
        self._note(f"stands well after {took:.1f} s" if not found else f"{found}")
        found += self._twice()
        if found:
            self._fail(found)

    def _is_calm(self) -> bool:
        """Whether nothing moves, twice in a row with nothing between."""
        before = len(self.place.forge.world.deliveries), self.fleet.runs
        if not all(each.idle for each in (self.place.forge, self.fleet, self.place.forge, self.fleet)):
            return False
        return before == (len(self.place.forge.world.deliveries), self.fleet.runs)

    def _twice(self) -> list[str]:
        since = self._judged_until
        runs = [Ran(*run, life.who) for life in self.fleet.lives() for run in life.runs if run[2] > since]
        ended = {life.who: life.ended for life in self.fleet.lives()}
        seen = [each for each in self.gate.seen if each.began > since]
        alive = [each for each in seen if each.began <= (ended[each.asked.who] or each.began) + 0.05]
        self.tally.orphans += len(seen) - len(alive)
        self.tally.runs += len(runs)
        faults, self.gate.faults = self.gate.faults, 0
        self.tally.faults += faults
        lost = self._database.lost if self._database else []
        found = [*at_two_places(runs, alive, lost)]
        repeated = {line for site in self.place.sites.values() for line in repeated_statuses(site.repository)}
        fresh, self._repeated = sorted(repeated - self._repeated), repeated
        # A status can't be written conditionally: two runs at once, where the lock was lost, may both write it. And
        # where the forge does not say what it is, it is written once more: one too many is better than none.
        if faults or any(moment > since for moment in lost):
            self.tally.again += len(fresh)
        else:
            found += fresh
        self._judged_until = max([since, *(run.ended for run in runs)])
        return found

    def _count(self, kill: str, number: int = 1) -> None:
        self.tally.kills[kill] += number

    def _note(self, line: str) -> None:
        self._past.append(f"{time.time():.3f} {line}")
        if self.tally.tell:
            print(self._past[-1], flush=True)

    def _fail(self, found: list[str]) -> None:
        text = "\n".join(
            [*(f"- {line[:1500]}" for line in found[:12]), "What led there:", *self._past, *self.fleet.story()]
        )
        raise Broken(text)
