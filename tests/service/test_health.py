"""Whether the service can work now."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onehead.service.engine import EmbeddedEngine
from onehead.service.health import Health


def healthy(*places: Path) -> Health:
    """All is well but, perhaps, the disk."""
    engine = EmbeddedEngine(lambda _job: None)
    engine.start()
    health = Health(engine.state, places=places)
    health.forge_answered()
    return health


@contextmanager
def full_disk() -> Iterator[None]:
    """Files can be made, and take no more than a kilobyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_makes_it_unready_until_there_is_room(tmp_path: Path) -> None:
    health = healthy(tmp_path / "cache", tmp_path)
    assert health.report()[0]
    with full_disk():
        is_ready, report = health.report()
    assert not is_ready
    assert not report["disk"]["writable"]
    assert report["disk"]["trouble"].startswith(f"Nothing can be written to {tmp_path / 'cache'}: ")
    assert health.report()[0]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_is_a_file_makes_it_unready(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.write_text("")
    is_ready, report = healthy(place).report()
    assert (is_ready, report["disk"]["writable"]) == (False, False)
