"""The corpus, whole and cut anywhere, keeps every target's law, whether or not the fuzzer is installed."""

from __future__ import annotations

import pytest

from tests.fuzz.corpus import CORPUS
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_keeps_the_law(target: str) -> None:
    for seed in CORPUS[target]:
        for end in {len(seed), *range(0, len(seed), max(1, len(seed) // 40))}:
            TARGETS[target](seed[:end])
            TARGETS[target](seed[end:] + seed[:end])


def test_every_target_has_a_corpus() -> None:
    assert CORPUS.keys() == TARGETS.keys()
