"""Which worker looks after what."""

from __future__ import annotations

from collections import Counter

from onehead.service.shards import SHARDS, shard_of, shards_of

WORKERS = [f"worker-{number}" for number in range(4)]


def owner(living: list[str]) -> dict[str, str]:
    return {shard: worker for worker in living for shard in shards_of(worker, living)}


def test_each_shard_has_one_worker_and_none_has_all() -> None:
    owners = owner(WORKERS)

    assert len(owners) == sum(len(shards_of(worker, WORKERS)) for worker in WORKERS) == SHARDS
    assert set(Counter(owners.values())) == set(WORKERS)


def test_when_a_worker_goes_only_its_shards_move() -> None:
    before, after = owner(WORKERS), owner(WORKERS[1:])

    assert {shard for shard in before if before[shard] != after[shard]} == set(shards_of(WORKERS[0], WORKERS))


def test_repositories_are_spread_whatever_case_their_name_is_in() -> None:
    spread = Counter(shard_of(f"acme/shop-{number}") for number in range(6400))

    assert len(spread) == SHARDS
    assert max(spread.values()) < 3 * min(spread.values())
    assert shard_of("Acme/Shop") == shard_of("acme/shop")
