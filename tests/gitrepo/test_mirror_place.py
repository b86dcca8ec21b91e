"""What may stand where a mirror has to be: whatever it is, the next fetch leaves a mirror there and changes no more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from onehead.errors import CannotJudge
from onehead.gitrepo.mirror import Mirrors
from onehead.gitrepo.refs import list_refs
from tests.repositories import Repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository(tmp_path / "forge" / "shop.git")
    repo.commit("main", {"a.py": "1\n"})
    return repo


def a_file(place: Path, _: Repository) -> None:
    place.write_text("Not a mirror.\n")


def an_empty_folder(place: Path, _: Repository) -> None:
    place.mkdir()


def a_folder_with_files(place: Path, _: Repository) -> None:
    (place / "below").mkdir(parents=True)
    (place / "below" / "HEAD").write_text("x\n")


def a_checkout(place: Path, _: Repository) -> None:
    Repository(place, bare=False).commit("main", {"x": "x\n"})


def half_a_clone(place: Path, repo: Repository) -> None:
    repo.git("clone", "--quiet", "--mirror", f"file://{repo.path}", str(place))
    shutil.rmtree(place / "objects")


def a_clone_without_settings(place: Path, repo: Repository) -> None:
    repo.git("clone", "--quiet", "--mirror", f"file://{repo.path}", str(place))
    (place / "config").unlink()


def a_mirror_of_another_repository(place: Path, repo: Repository) -> None:
    other = Repository(place.parent / "other.git")
    other.commit("main", {"other": "1\n"})
    repo.git("clone", "--quiet", "--mirror", f"file://{other.path}", str(place))


def a_mirror_with_a_file_for_its_objects(place: Path, repo: Repository) -> None:
    half_a_clone(place, repo)
    (place / "objects").write_text("")


def a_link_to_a_folder(place: Path, _: Repository) -> None:
    elsewhere = place.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept\n")
    place.symlink_to(elsewhere)


def a_link_to_a_mirror(place: Path, repo: Repository) -> None:
    elsewhere = place.parent.parent / "elsewhere"
    repo.git("clone", "--quiet", "--mirror", f"file://{repo.path}", str(elsewhere))
    (elsewhere / "kept").write_text("kept\n")
    place.symlink_to(elsewhere)


def a_link_to_a_file(place: Path, _: Repository) -> None:
    (place.parent.parent / "kept").write_text("kept\n")
    place.symlink_to(place.parent.parent / "kept")


def a_link_to_nothing(place: Path, _: Repository) -> None:
    place.symlink_to(place.parent.parent / "nothing")


def a_link_to_itself(place: Path, _: Repository) -> None:
    place.symlink_to(place)


def a_pipe(place: Path, _: Repository) -> None:
    os.mkfifo(place)


THINGS = (
    *(a_file, an_empty_folder, a_folder_with_files, a_checkout, half_a_clone, a_clone_without_settings),
    *(a_mirror_of_another_repository, a_mirror_with_a_file_for_its_objects, a_link_to_a_folder, a_link_to_a_mirror),
    *(a_link_to_a_file, a_link_to_nothing, a_link_to_itself, a_pipe),
)


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a mirror"])
@pytest.mark.parametrize("thing", THINGS)
def test_whatever_stands_there_gives_way_to_a_mirror(
    thing: object, again: bool, repo: Repository, tmp_path: Path
) -> None:
    assert callable(thing)
    mirrors, url = Mirrors(tmp_path / "cache", timeout=60), f"file://{repo.path}"
    with mirrors.hold(url) as held:
        place = Path(held.git.directory)
        if again:
            held.fetch()
            shutil.rmtree(place)
    thing(place, repo)
    kept = {path: path.read_text() for path in tmp_path.glob("*/kept")} | {
        path: path.read_text() for path in tmp_path.glob("kept")
    }
    with mirrors.hold(url) as held:
        held.fetch()
        assert {ref.name: ref.sha for ref in list_refs(held.git)} == {"refs/heads/main": repo.sha("main")}
    assert place.is_dir()
    assert not place.is_symlink()
    assert {path: path.read_text() for path in kept} == kept
    assert not (tmp_path / "nothing").exists()


def test_the_lock_is_no_way_out_of_the_cache(repo: Repository, tmp_path: Path) -> None:
    mirrors, url = Mirrors(tmp_path / "cache", timeout=60), f"file://{repo.path}"
    with mirrors.hold(url) as held:
        lock = Path(held.git.directory).with_suffix(".lock")
    (tmp_path / "kept").write_text("kept\n")
    for leads_to in (tmp_path / "kept", tmp_path / "nothing", None):
        lock.unlink()
        if leads_to is None:
            lock.mkdir()
        else:
            lock.symlink_to(leads_to)
        with mirrors.hold(url) as held:
            held.fetch()
        assert lock.is_file()
        assert not lock.is_symlink()
    assert (tmp_path / "kept").read_text() == "kept\n"
    assert not (tmp_path / "nothing").exists()


def test_a_file_where_the_mirrors_are(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with Mirrors(tmp_path / "cache").hold(f"file://{repo.path}") as held:
        held.fetch()
        assert [ref.name for ref in list_refs(held.git)] == ["refs/heads/main"]


def test_what_can_not_be_removed_is_named(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors, url = Mirrors(tmp_path / "cache", timeout=60), f"file://{repo.path}"
    with mirrors.hold(url) as held:
        place = Path(held.git.directory)
    place.mkdir()

    def refuse(path: Path, _: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "rename", refuse)
    with mirrors.hold(url) as held, pytest.raises(CannotJudge) as caught:
        held.fetch()
    assert caught.value.message == (
        f"{place} is in the place of a mirror and can't be removed: Operation not permitted."
    )
    assert caught.value.hint.startswith("Remove it, ")


LOCKED = """
import os, sys
from pathlib import Path
from onehead.gitrepo.mirror import Mirrors
os.setuid(int(sys.argv[3]))  # after Python has found its modules, where perhaps only root may look
mirrors = Mirrors(Path(sys.argv[1]), timeout=60)
for mode in (0o000, 0o500, 0o200):
    with mirrors.hold(sys.argv[2]) as held:
        place = Path(held.git.directory)
        place.mkdir(exist_ok=True)
        (place / "inner").mkdir(exist_ok=True)
        (place / "inner" / "file").write_text("x")
        (place / "inner").chmod(mode)
        place.chmod(mode)
        held.fetch()
        print(held.git.run("rev-parse", "main").decode().strip())
"""


def test_a_folder_that_may_not_be_looked_into(repo: Repository) -> None:
    """As an ordinary user: nothing is closed to root."""
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(repo.path, folder / "shop.git")
        nobody = 65534 if os.geteuid() == 0 else os.geteuid()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody, -1)
        done = subprocess.run(
            [sys.executable, "-c", LOCKED, str(folder / "cache"), f"file://{folder}/shop.git", str(nobody)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)},
        )
        assert (done.stdout.split(), done.stderr) == ([repo.sha("main")] * 3, "")
    finally:
        shutil.rmtree(folder)


def test_a_mirror_tells_how_long_nobody_has_used_it(repo: Repository, tmp_path: Path) -> None:
    mirrors, url = Mirrors(tmp_path / "cache"), f"file://{repo.path}"
    assert mirrors.idle(url) is None
    with mirrors.hold(url) as held:
        held.fetch()
        lock = Path(held.git.directory).with_suffix(".lock")
    assert 0 <= (mirrors.idle(url) or -1) < 60
    os.utime(lock, (0, 0))
    assert (mirrors.idle(url) or 0) > 60
    with mirrors.hold(url) as held:
        pass
    assert (mirrors.idle(url) or 60) < 60
    with mirrors.hold(url) as held:
        held.remove()
    assert mirrors.idle(url) is None
