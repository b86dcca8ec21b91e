"""The canary: right as things are, and wrong as soon as anything on its way is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onehead.child_process import cut_off
from onehead.examine.read import memory_for
from onehead.examine.repair import NotAsPromised
from onehead.gitrepo.git import Git
from onehead.gitrepo.process import GitTooOld
from onehead.plan.policy import Strategy
from onehead.plan.verdict import Point
from onehead.service import analyzer
from onehead.service.analyzer import AnalysisEnded, Analyzers
from onehead.service.canary import CanaryFailed, check
from onehead.service.judge import Analysis, Judged

CUT = cut_off(apart=True)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory for temporary files of its own, in which nothing remains."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def analyzers() -> Iterator[Analyzers]:
    made = Analyzers(CUT)
    yield made
    made.close()


def test_it_is_judged_right_again_and_again(analyzers: Analyzers) -> None:
    check(analyzers)
    check(analyzers)


class Broken(Analyzers):
    """Judges in this process, and something is wrong with it."""

    def __init__(self) -> None:
        super().__init__(CUT)

    def open(self, place: Path, cache: Path, url: str, **_: Any) -> Any:
        return self.analysis(Git.of_our_own(place), memory_for(url, cache))

    analysis: type[Analysis]


class Blind(Analysis):
    """Sees nothing of the branch."""

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        del head
        return super().judge(target, None, strategy)


class Stubborn(Analysis):
    """Merges whatever it finds."""

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        del strategy
        return super().judge(target, head, "merge")


class Idle(Analysis):
    """Finds it, and repairs nothing."""

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        return replace(super().judge(target, head, strategy), repair=None)


class Clumsy(Analysis):
    """Writes something else than it has planned."""

    def judge(self, target: Point, head: Point | None, strategy: Strategy | None) -> Judged:
        judged = super().judge(target, head, strategy)
        draft = judged.repair
        if draft is None:
            return judged
        changes = tuple(each._replace(data=(each.data or b"").replace(b"second", b"first")) for each in draft.changes)
        return replace(judged, repair=replace(draft, changes=changes))


RIGHT = "collision (repaired: first on nothing, other on second, second on first)"
MERGED = "collision (repaired: first on nothing, other on first, second on first, the merge on other and second)"


@pytest.mark.parametrize(("analysis", "found"), [(Blind, "ok"), (Stubborn, MERGED), (Idle, "collision")])
def test_a_broken_judge_is_noticed_and_what_differs_is_said(analysis: type[Analysis], found: str) -> None:
    broken = Broken()
    broken.analysis = analysis

    with pytest.raises(CanaryFailed) as raised:
        check(broken)

    assert raised.value.message == (
        f"The canary, a branch that collides, has to be judged as {RIGHT}, and was judged as {found}."
    )


def test_a_repair_that_is_not_as_planned_is_noticed() -> None:
    broken = Broken()
    broken.analysis = Clumsy

    with pytest.raises(NotAsPromised):
        check(broken)


def test_an_analyzer_that_breaks_down_is_noticed(analyzers: Analyzers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "MODULE", "tests.service.rogue")

    with pytest.raises(AnalysisEnded, match="ended before it was done"):
        check(analyzers)


def test_git_that_is_gone_is_noticed(analyzers: Analyzers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitTooOld):
        check(analyzers)
