"""What a terminal gets beyond the text: colours, a sign of life, and a quiet end."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from onehead import screen as shielding
from onehead.cli import graph
from onehead.cli.main import main
from onehead.cli.sides import sign_of_life
from onehead.screen import painter
from tests.cli.terminal_runs import Run, story
from tests.repositories import environment


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert painter(Screen())("bad", "Collision") == "\033[1;31mCollision\033[0m"
    assert painter(io.StringIO())("bad", "Collision") == "Collision"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert painter(io.StringIO())("bad", "Collision") == "\033[1;31mCollision\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert painter(Screen())("bad", "Collision") == "Collision"
    assert painter(io.StringIO())("bad", "Collision") == "Collision"


def test_the_diff_of_a_repair_is_coloured_as_gits(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    repo = story(tmp_path / "shop.git")
    shown = run("fix", "oauth", "--repo", repo.path, "--target", "main").out
    assert re.search(r"\n\033\[31m-down_revision.*002.*\033\[0m\n\033\[32m\+down_revision.*003.*\033\[0m\n", shown)
    assert "\n\033[36m@@ " in shown


def test_a_verdict_on_a_terminal_is_coloured(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = story(tmp_path / "shop.git")
    args = ["check", "--repo", str(repo.path), "--target", "main", "--head", "oauth"]
    plain = run(*args).out
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(args) == 1
    coloured = screen.getvalue()
    assert coloured.startswith("\033[1;31mCollision\033[0m. ")
    assert plain == re.sub("\033\\[[0-9;]*m", "", coloured)


def test_a_sign_of_life_comes_late_and_goes() -> None:
    screen = Screen()
    with sign_of_life("reading revisions", screen, after=0.01):
        deadline = time.monotonic() + 10
        while "…" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert screen.getvalue() == "\ronehead: reading revisions …"
    assert screen.getvalue() == "\ronehead: reading revisions …\r\033[K"


def test_quick_work_and_pipes_see_no_sign() -> None:
    screen, pipe = Screen(), io.StringIO()
    with sign_of_life("reading revisions", screen, after=60):
        pass
    with sign_of_life("reading revisions", pipe, after=0):
        time.sleep(0.05)
    assert (screen.getvalue(), pipe.getvalue()) == ("", "")


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(graph, "run", stop)
    done = run("graph")
    assert (done.code, done.out, done.err) == (130, "", "onehead: interrupted.\n")


def test_nobody_reads_on(tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "onehead", "graph", "--repo", str(repo.path)],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environment() | {"ONEHEAD_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_without_our_letters_gets_a_verdict(tmp_path: Path) -> None:
    repo = story(tmp_path / "shop.git")
    done = subprocess.run(
        [sys.executable, "-m", "onehead", "check", "--repo", str(repo.path), "--target", "main", "--head", "oauth"],
        capture_output=True,
        env=environment()
        | {
            "ONEHEAD_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONIOENCODING": "ascii",
        },
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"Collision. ")
    assert b"\\u25cb 002" in done.stdout


def test_two_threads_never_write_to_one_stream_at_once() -> None:
    """CPython before 3.11.10 crashed then."""
    inside = threading.Lock()
    overlaps: list[str] = []

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            if not inside.acquire(blocking=False):
                overlaps.append(text)
                return 0
            time.sleep(0.001)
            inside.release()
            return len(text)

    stream = Slow()
    threads = [
        threading.Thread(target=shielded.writelines, args=(["word"] * 20,))
        for shielded in (shielding.Screen(stream), shielding.Screen(stream))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
