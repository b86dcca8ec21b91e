"""Two short walks of `make simulate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.twins import Twins
from tests.simulation.walk import REPOSITORIES

MOVES = 24


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "names"), [(1, ("numbers", "pushes")), (2, ("hexes", "releases"))])
def test_every_promise_is_kept_on_a_short_walk(seed: int, names: tuple[str, ...], tmp_path: Path) -> None:
    twins = Twins(seed, tmp_path, {name: REPOSITORIES[name] for name in names})
    try:
        twins.go(MOVES)
        twins.finish()
    finally:
        twins.stop()
