"""What mirrors take on the disk, and which of them give way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onehead.errors import CannotJudge
from onehead.gitrepo.eviction import StoredMirror, evict, limit_of, size_of
from onehead.gitrepo.mirror import Mirrors
from onehead.gitrepo.refs import list_refs
from tests.repositories import Repository

KB = 1024
EACH = 400 * KB
"""What a file takes in each of the mirrors, at the least; a mirror without one takes less than a quarter of it."""


@pytest.fixture
def urls(tmp_path: Path) -> list[str]:
    """Four repositories."""
    found = []
    for name in "abcd":
        repo = Repository(tmp_path / "forge" / f"{name}.git")
        repo.commit("main", {"data": os.urandom(EACH), "name": name})
        found.append(f"file://{repo.path}")
    return found


def fetched(mirrors: Mirrors, urls: list[str]) -> None:
    for url in urls:
        with mirrors.hold(url) as held:
            held.fetch()


def there(mirrors: Mirrors, urls: list[str]) -> str:
    """The names of those that have a mirror."""
    return "".join(Path(url).stem for url in urls if mirrors.idle(url) is not None)


def made_room(mirrors: Mirrors) -> list[str]:
    return [name.split("-forge-")[1][0] for name in mirrors.make_room(at_most_every=0)]


def test_those_that_were_not_used_for_longest_give_way(tmp_path: Path, urls: list[str]) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=3 * EACH)
    fetched(mirrors, urls)
    with mirrors.hold(urls[0]):
        pass
    assert made_room(mirrors) == ["b", "c"]
    assert there(mirrors, urls) == "ad"
    assert made_room(mirrors) == []
    fetched(mirrors, urls[1:2])
    with mirrors.hold(urls[1]) as held:
        assert [ref.name for ref in list_refs(held.git)] == ["refs/heads/main"]
    assert not [*(tmp_path / "cache").glob("*.gone")]


def test_what_has_grown_is_measured_again(tmp_path: Path, urls: list[str]) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=6 * EACH)
    fetched(mirrors, urls)
    assert made_room(mirrors) == []
    Repository(tmp_path / "forge" / "d.git").commit("main", {"more": os.urandom(2 * EACH)})
    fetched(mirrors, urls[3:])
    assert made_room(mirrors) == ["a"]


def test_a_mirror_in_use_stays(tmp_path: Path, urls: list[str]) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=1)
    fetched(mirrors, urls)
    with mirrors.hold(urls[0]) as held:
        assert made_room(Mirrors(tmp_path / "cache", size=1)) == ["b", "c", "d"]
        held.fetch()
        assert held.git.run("rev-parse", "main")
    assert made_room(mirrors) == ["a"]


def test_it_looks_once_in_a_while(tmp_path: Path, urls: list[str]) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=1)
    assert mirrors.make_room() == []  # nothing is there yet
    fetched(mirrors, urls[:1])
    assert len(mirrors.make_room()) == 1
    fetched(mirrors, urls[:1])
    assert mirrors.make_room() == []
    assert len(mirrors.make_room(at_most_every=0)) == 1


def test_a_share_of_the_disk(tmp_path: Path, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=0.5)
    fetched(mirrors, urls)
    free = [100 * EACH]
    monkeypatch.setattr("onehead.gitrepo.mirror.shutil.disk_usage", lambda _: Usage(free[0]))
    assert made_room(mirrors) == []
    free[0] = 0  # others have filled it
    assert made_room(mirrors) == ["a", "b"]


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


KILLED = """
import os, signal, sys
from pathlib import Path
from onehead.gitrepo import mirror
real = mirror.shutil.rmtree
def die(path):
    real(path / "objects")
    os.kill(os.getpid(), signal.SIGKILL)
mirror.shutil.rmtree = die
if sys.argv[3] == "evict":
    mirror.Mirrors(Path(sys.argv[1]), size=1).make_room()
else:
    with mirror.Mirrors(Path(sys.argv[1])).hold(sys.argv[2]) as held:
        getattr(held, sys.argv[3])()
"""


@pytest.mark.parametrize("doing", ["evict", "remove", "rebuild"])
def test_a_process_that_is_killed_leaves_no_half_mirror(tmp_path: Path, urls: list[str], doing: str) -> None:
    mirrors = Mirrors(tmp_path / "cache")
    fetched(mirrors, urls[:1])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "cache"), urls[0], doing],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert len([*(tmp_path / "cache").glob("*.gone")]) == 1
    with mirrors.hold(urls[0]) as held:
        held.fetch()
        assert held.git.ask("fsck", "--strict").code == 0
        assert held.git.run("cat-file", "blob", "main:name") == b"a"
    assert made_room(mirrors) == []
    assert not [*(tmp_path / "cache").glob("*.gone")]


def test_what_can_not_be_removed_keeps_no_other_from_it(
    tmp_path: Path, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors = Mirrors(tmp_path / "cache", size=1)
    fetched(mirrors, urls)
    real = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if "-forge-a-" in path.name:
            raise PermissionError(1, "Operation not permitted", str(path))
        return real(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CannotJudge, match=r"a-[0-9a-f]+\.git is in the place of a mirror and can't be removed"):
        made_room(mirrors)
    assert there(mirrors, urls) == "a"


def test_strange_things_beside_the_mirrors(tmp_path: Path, urls: list[str]) -> None:
    cache = tmp_path / "cache"
    mirrors = Mirrors(cache, size=1)
    fetched(mirrors, urls[:1])
    (cache / "notes.txt").write_text("kept")
    (cache / "link.git").symlink_to(tmp_path / "forge" / "a.git")
    (cache / "file.git").write_text("kept")
    (cache / "nobody-forge-x-held.git").mkdir()  # it has no lock
    assert made_room(mirrors) == ["x", "a"]
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") == [
        "file.git",
        "link.git",
        "notes.txt",
    ]
    assert (tmp_path / "forge" / "a.git" / "HEAD").exists()


def test_how_much_a_folder_takes(tmp_path: Path) -> None:
    assert size_of(str(tmp_path / "nothing")) == 0
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(os.urandom(EACH))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert EACH <= size_of(str(tmp_path)) < EACH + 64 * KB


STORED = st.lists(
    st.builds(StoredMirror, st.text("abc", max_size=2), st.integers(0, 5), st.integers(0, 10)),
    max_size=6,
    unique_by=lambda mirror: mirror.name,
)


@given(mirrors=STORED, limit=st.integers(0, 40), busy=st.sets(st.text("abc", max_size=2)))
def test_no_more_give_way_than_have_to(mirrors: list[StoredMirror], limit: int, busy: set[str]) -> None:
    gone = evict(mirrors, limit, lambda mirror: mirror.name not in busy)
    left = [mirror for mirror in mirrors if mirror not in gone]
    taken = sum(mirror.size for mirror in left)
    assert taken <= limit or all(mirror.name in busy for mirror in left)
    assert not gone or taken + gone[-1].size > limit
    for mirror in left:
        assert mirror.name in busy or all(other.used <= mirror.used for other in gone)


def test_bytes_or_a_share() -> None:
    assert limit_of(10, 100, 100) == 10
    assert limit_of(0.8, 60, 40) == 80
    assert limit_of(1.0, 60, 40) == 100


def test_the_last_use_is_the_end_of_it(tmp_path: Path, urls: list[str]) -> None:
    mirrors = Mirrors(tmp_path / "cache")
    with mirrors.hold(urls[0]) as held:
        lock = Path(held.git.directory).with_suffix(".lock")
        before = lock.stat().st_mtime_ns
        time.sleep(0.02)
    assert lock.stat().st_mtime_ns > before
