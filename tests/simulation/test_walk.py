"""A short walk of `make simulate` in every run of the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.twins import Twins
from tests.simulation.walk import REPOSITORIES

MOVES = 16


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "name"), [(1, "numbers"), (2, "hexes"), (3, "releases"), (4, "pushes")])
def test_every_promise_is_kept_on_a_short_walk(seed: int, name: str, tmp_path: Path) -> None:
    twins = Twins(seed, tmp_path, {name: REPOSITORIES[name]})
    try:
        twins.go(MOVES)
        twins.finish()
    finally:
        twins.stop()
