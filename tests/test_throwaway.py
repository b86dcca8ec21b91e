"""Folders for a moment: gone at the end, and gone after the next start where a process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import merge_trees
from onehead.throwaway import remove_left_over, throwaway
from tests.cli.terminal_runs import story

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import sys
from onehead.throwaway import throwaway
with throwaway(sys.argv[1]) as folder:
    (folder / "objects").mkdir()
    (folder / "objects" / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, of this process and of those it starts, which has just started."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    remove_left_over.cache_clear()
    return place


@contextmanager
def held(kind: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that has such a folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


KINDS = ["merge", "pg", "refs", "verify"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_gone_at_the_end(kind: str, temporary: Path) -> None:
    with throwaway(kind) as folder:
        assert [folder] == list(temporary.iterdir())
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
    with pytest.raises(ValueError, match="broken"), throwaway(kind):
        raise ValueError("broken")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_killed_process_has_left_goes_and_what_a_running_one_has_stays(kind: str, temporary: Path) -> None:
    with held(kind) as (killed, left), held(kind) as (_, running):
        killed.kill()
        killed.wait()
        assert {left, running} == set(temporary.iterdir())
        with throwaway("merge") as mine:
            assert {running, mine} == set(temporary.iterdir())
        assert (running / "objects" / "file").read_text() == "x"
    remove_left_over.cache_clear()
    remove_left_over(str(temporary))
    assert list(temporary.iterdir()) == []


def test_the_next_merge_cleans_up(temporary: Path, tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    # Sides that change the same file: others are merged without a folder.
    for branch in ("main", "oauth"):
        repo.commit(branch, {"README.md": f"{branch}\n"})
    with held("merge") as (killed, _):
        killed.kill()
        killed.wait()
    merge_trees(Git(repo.path), repo.sha("main"), repo.sha("oauth"))
    assert list(temporary.iterdir()) == []


def test_nothing_else_is_touched(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (temporary / "onehead-merge-abc").symlink_to(tmp_path / "kept")
    (temporary / "onehead-merge-file").write_text("x")
    for name in ("onehead-demo-abc", "onehead-merge-", "my-onehead-merge-abc", "onehead-merge-abc.d", "onehead"):
        (temporary / name).mkdir()
    before = set(temporary.iterdir())
    with throwaway("merge"):
        pass
    assert set(temporary.iterdir()) == before
    assert (tmp_path / "kept" / "file").exists()


def test_what_belongs_to_somebody_else_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / "onehead-merge-abc").mkdir()
    theirs = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: theirs)
    with throwaway("merge"):
        pass
    assert [path.name for path in temporary.iterdir()] == ["onehead-merge-abc"]


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_folder_that_was_taken_for_left_over_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, is_opened: bool
) -> None:
    """Between making and locking it, another process may come by and clean up."""
    made: list[str] = []
    make = tempfile.mkdtemp

    def and_lose_the_first(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1:
            remove_left_over.cache_clear()
            opened = os.open

            def too_late(path: Path, flags: int) -> int:
                monkeypatch.setattr(os, "open", opened)
                number = opened(path, flags) if is_opened else None
                remove_left_over(str(temporary))
                return opened(path, flags) if number is None else number

            monkeypatch.setattr(os, "open", too_late)
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", and_lose_the_first)
    with throwaway("merge") as folder:
        assert [folder] == list(temporary.iterdir())
        assert [str(folder)] == made[1:]
