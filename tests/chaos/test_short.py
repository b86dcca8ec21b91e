"""A short `make chaos`: on either engine, a kill at every named step, and an end on request."""

from __future__ import annotations

import signal

import pytest

from tests.chaos.director import World
from tests.chaos.gate import Step
from tests.chaos.plan import Blow, Round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_kill_at_every_named_step_loses_nothing_and_doubles_nothing(world: World) -> None:
    wanted: set[str] = {*Step, *([Blow.NOTED] if world.fleet.database_url else [])}
    for _ in range(4):
        missing = len(wanted - world.tally.kills.keys())
        if not missing:
            break
        kills: list[Blow | None] = [None] * missing
        if Blow.NOTED in wanted - world.tally.kills.keys():
            kills[-1] = Blow.NOTED
        world.run(Round(tuple(kills), (0.0,) * missing, frozenset(), moves=2))

    assert wanted <= world.tally.kills.keys()


def test_sigterm_lets_a_run_finish(world: World) -> None:
    name = world.fleet.workers()[0].name
    trap = world.gate.set(Step.BEGUN, of=name)
    world.keep_stirring(trap)
    life = world.fleet.members[name].life
    life.process.send_signal(signal.SIGTERM)
    world.gate.take_away(trap)

    assert life.process.wait(60) == 0
    world.settle()
    assert any(run[0] == trap.repository for run in life.runs)


def test_sigterm_hands_back_what_does_not_finish(world: World) -> None:
    trap = world.gate.set(Step.BEGUN)
    world.keep_stirring(trap)
    life = world.fleet.member_of(trap.who).life
    done = {each: len(each.runs) for each in world.fleet.lives()}
    life.process.send_signal(signal.SIGTERM)

    assert life.process.wait(60) == 0  # the request is still without an answer
    world.gate.take_away(trap)
    world.settle()
    others = [run for each in world.fleet.lives() if each is not life for run in each.runs[done.get(each, 0) :]]
    assert trap.repository in {run[0] for run in others}
