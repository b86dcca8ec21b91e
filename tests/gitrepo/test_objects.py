"""A conversation about objects that is kept open."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from onehead.gitrepo.git import Git, conversation, kept_open
from onehead.gitrepo.process import GitTimeout, MissingObjects
from onehead.gitrepo.tree import read
from tests.repositories import Repository


class Counting(Git):
    """Counts the processes that it starts."""

    started = 0

    def start(self, *args: str, **more: Any) -> subprocess.Popen[bytes]:
        self.started += 1
        return super().start(*args, **more)


@pytest.fixture
def door(repo: Repository) -> Iterator[Counting]:
    git = Counting(repo.path)
    with kept_open(git):
        yield git


def blob_of(repo: Repository, path: str, text: str) -> str:
    """The id of a file that was just committed."""
    return repo.git("rev-parse", f"{repo.commit('main', {path: text})}:{path}").strip()


def test_all_questions_are_one_conversation(door: Counting, repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1\n")
    for _ in range(5):
        assert read(door, [blob]).data == {blob: b"1\n"}
        with conversation(door) as objects:
            [found] = objects.look_up(["main:a.py"])
            assert found is not None
            assert found.oid == blob
    assert door.started == 1


def test_what_is_written_meanwhile_is_seen(door: Counting, repo: Repository) -> None:
    read(door, [blob_of(repo, "a.py", "1")])
    blob = blob_of(repo, "b.py", "2")
    repo.git("repack", "-a", "-d", "--quiet")
    assert read(door, [blob]).data == {blob: b"2"}
    assert door.started == 1


def test_after_an_error_it_begins_anew(door: Counting, repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    with pytest.raises(MissingObjects):
        read(door, [blob, "1" * 40])
    assert read(door, [blob]).data == {blob: b"1"}


def test_an_answer_that_nobody_heard_disturbs_nobody(door: Counting, repo: Repository) -> None:
    one, two = blob_of(repo, "a.py", "1"), blob_of(repo, "b.py", "2")
    with pytest.raises(ZeroDivisionError), conversation(door) as objects:
        1 / (next(objects.contents([one, two], 100)) is None)  # the second content is never fetched
    assert read(door, [two]).data == {two: b"2"}


def test_the_time_limit_is_that_of_one_round_of_questions(repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    git = Git(repo.path, timeout=0.3)
    with kept_open(git):
        for _ in range(4):
            assert read(git, [blob]).data == {blob: b"1"}
            time.sleep(0.15)
        with conversation(git) as objects:
            time.sleep(0.5)
            with pytest.raises(GitTimeout):
                objects.look_up([blob])
        assert read(git, [blob]).data == {blob: b"1"}


def test_nothing_runs_on_when_it_is_left(repo: Repository) -> None:
    blob = blob_of(repo, "a.py", "1")
    git = Counting(repo.path)
    with kept_open(git):
        read(git, [blob])
    assert git.kept_open is None
    read(git, [blob])
    assert git.started == 2
